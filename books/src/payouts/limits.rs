//! Caps: how much may be paid at once, to one partner in a day, and in a day (reliability.md §3.6).

use std::collections::BTreeMap;

use program::calendar::Date;
use program::exact::Exact;
use program::money::Currency;
use program::payout::Payout;
use sea_orm::DatabaseTransaction;

use crate::load::row::{LoadError, first_row};

/// A greatest amount: one figure for every currency in its major units, and figures for single currencies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cap {
    any: Option<Exact>,
    minor: BTreeMap<Currency, i64>,
}

impl Cap {
    /// So many major units of whatever currency.
    #[must_use]
    pub fn of_any(major: Exact) -> Self {
        Self { any: Some(major), minor: BTreeMap::new() }
    }

    /// So many minor units of one currency, whatever holds for others.
    #[must_use]
    pub fn with(mut self, currency: Currency, minor: i64) -> Self {
        self.minor.insert(currency, minor);
        self
    }

    /// The cap in a currency, minor units; `None`: there is none.
    ///
    /// Decimals that the currency lacks are cut, which makes the cap stricter; a figure too large for the currency's minor units caps
    /// nothing that can be paid.
    #[must_use]
    pub fn minor(&self, currency: Currency) -> Option<i64> {
        let own = self.minor.get(&currency).copied();
        own.or_else(|| self.any.map(|major| cut(major, currency)))
    }
}

fn cut(major: Exact, currency: Currency) -> i64 {
    let ten: i128 = 10;
    let (scale, exponent) = (major.scale(), currency.exponent());
    let minor = if scale > exponent {
        ten.checked_pow(scale - exponent).map(|unit| major.mantissa() / unit)
    } else {
        ten.checked_pow(exponent - scale).and_then(|unit| major.mantissa().checked_mul(unit))
    };
    minor.and_then(|minor| i64::try_from(minor).ok()).unwrap_or(i64::MAX)
}

/// What holds payouts in one deployment. A day is a UTC day: the programmes that share it may lie in many zones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of one payout.
    pub payout: Cap,
    /// Of all that is admitted to one partner in a day, by currency.
    pub partner_day: Cap,
    /// Of all that is admitted in a day, by currency.
    pub day: Cap,
    /// Microseconds after its approval before money goes to a destination, whatever shorter time was recorded with the approval.
    pub cooling_off_us: i64,
    /// Whether payouts go by a file for the bank, which pays bank accounts alone.
    pub accounts_only: bool,
}

impl Limits {
    /// Whether a payout fits, beside what was admitted on the day already. What failed counts no more.
    ///
    /// The caller holds the switch's lock, so that two payouts never fit side by side into what is left.
    ///
    /// # Errors
    /// The database failed.
    pub async fn allow(&self, tx: &DatabaseTransaction, payout: &Payout, day: Date) -> Result<bool, LoadError> {
        let fits = |cap: &Cap, so_far: i64| {
            cap.minor(payout.currency).is_none_or(|most| so_far.checked_add(payout.amount_minor).is_some_and(|sum| sum <= most))
        };
        if !fits(&self.payout, 0) {
            return Ok(false);
        }
        let is_day_capped = self.day.minor(payout.currency).is_some() || self.partner_day.minor(payout.currency).is_some();
        if !is_day_capped {
            return Ok(true);
        }
        let query = "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT), \
                     CAST(COALESCE(SUM(CASE WHEN partner = ? THEN amount_minor ELSE 0 END), 0) AS BIGINT) FROM payouts \
                     WHERE counted_on = ? AND currency = ? AND status <> 'failed' AND id <> ?";
        let values = vec![(&*payout.partner).into(), day.to_string().into(), payout.currency.code().into(), payout.id.as_str().into()];
        let row = first_row(tx, query, values).await?.ok_or(LoadError::Corrupt { value: String::new(), what: "a sum of payouts" })?;
        Ok(fits(&self.day, row.int(0)?) && fits(&self.partner_day, row.int(1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_s_own_figure_comes_first() {
        let (usd, jpy, eur): (Currency, Currency, Currency) = ("USD".parse().unwrap(), "JPY".parse().unwrap(), "EUR".parse().unwrap());
        let cap = Cap::of_any("1000".parse().unwrap()).with(eur, 5);
        assert_eq!((cap.minor(usd), cap.minor(jpy), cap.minor(eur)), (Some(100_000), Some(1_000), Some(5)));
        assert_eq!(Cap::default().minor(usd), None);
    }

    #[test]
    fn a_cap_is_never_looser_than_written() {
        let minor = |figure: &str, code: &str| Cap::of_any(figure.parse().unwrap()).minor(code.parse().unwrap());
        assert_eq!((minor("0.999", "EUR"), minor("1234.56", "JPY"), minor("1.5", "KWD")), (Some(99), Some(1_234), Some(1_500)));
        assert_eq!(minor("99999999999999999999", "EUR"), Some(i64::MAX));
    }
}
