//! Exchange rates: a daily walk of each currency against the programme's.

use books::record::FactKind;
use chrono::{Datelike, Weekday};
use program::calendar::{days_after, months_before};

use super::facts::Facts;
use super::random::Random;
use super::year::Year;

/// Currency, its first rate, the decimals of its rates; rates are integers of the last decimal.
const WALKS: [(&str, i64, usize); 3] = [("EUR", 10_850, 4), ("GBP", 12_700, 4), ("JPY", 672_000, 8)];

/// A rate moves by at most this much a day, per mille.
const STEP_PER_MILLE: i64 = 4;

/// Adds a rate for each working day, from a year before the history on: contracts signed then may be compared with thresholds.
pub(crate) fn generate(facts: &mut Facts, year: Year, seed: u64) {
    let first = months_before(year.history_begins(), 12);
    for (currency, begin, decimals) in WALKS {
        let mut random = Random::new(seed, currency);
        let mut rate = begin;
        let days = std::iter::successors(Some(first), |day| Some(days_after(*day, 1))).take_while(|day| *day <= year.last_day());
        for day in days.filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)) {
            let step = begin * STEP_PER_MILLE / 1_000;
            // Drawn back to where it began, so that a year's walk stays near.
            rate += random.between(-step, step) + (begin - rate) / 50;
            facts.add(day, FactKind::Fx, [day.to_string(), currency.into(), "USD".into(), decimal(rate, decimals)]);
        }
    }
}

/// An integer of the last decimal as a decimal text.
fn decimal(number: i64, decimals: usize) -> String {
    let digits = format!("{number:0width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_keep_their_zeros() {
        assert_eq!([decimal(10_850, 4), decimal(672_000, 8), decimal(12, 4)], ["1.0850", "0.00672000", "0.0012"]);
    }
}
