//! Exchange rates into a programme's currency (domain.md §2.8).

use std::collections::HashMap;

use program::calendar::Date;
use program::exact::Exact;
use program::money::Currency;
use sea_orm::DatabaseTransaction;

use super::in_force;
use crate::load::row::{LoadError, rows};

/// A rate serves for so many days after its own.
const SERVES_DAYS: i64 = 7;

/// The rates into one currency: the day, the recording and the rate, by day.
#[derive(Debug)]
pub(crate) struct Rates {
    into: Currency,
    from: HashMap<String, Vec<(Date, i64, Exact)>>,
}

impl Rates {
    pub(crate) async fn load(tx: &DatabaseTransaction, into: Currency) -> Result<Self, LoadError> {
        let query = "SELECT from_currency, dated_on, seq, rate FROM fx WHERE to_currency = ? ORDER BY from_currency, dated_on";
        let mut from: HashMap<String, Vec<(Date, i64, Exact)>> = HashMap::new();
        for row in rows(tx, query, vec![into.code().into()]).await? {
            let text = row.string(3)?;
            let rate = text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "an exchange rate" })?;
            from.entry(row.string(0)?).or_default().push((row.date(1)?, row.int(2)?, rate));
        }
        Ok(Self { into, from })
    }

    /// The rate that serves on a day as known at a cut-off.
    pub(crate) fn on(&self, from: Currency, day: Date, cutoff: i64) -> Option<Exact> {
        if from == self.into {
            return Some(Exact::integer(1));
        }
        let (dated_on, _, rate) = in_force(self.from.get(from.code())?, |(day, seq, _)| (*day, *seq), day, cutoff)?;
        ((day - *dated_on).num_days() <= SERVES_DAYS).then_some(*rate)
    }

    /// An amount in the programme's currency, not rounded; `None`: no rate serves.
    pub(crate) fn converted(&self, minor: i64, from: Currency, day: Date, cutoff: i64) -> Option<Exact> {
        if minor == 0 && from == self.into {
            return Some(Exact::ZERO);
        }
        Exact::new(i128::from(minor), from.exponent()).ok()?.mul(self.on(from, day, cutoff)?).ok()
    }
}
