//! Exchange rates into a programme's currency (domain.md §2.8).

use std::collections::HashMap;

use crate::calendar::Date;
use crate::condition::FactError;
use crate::exact::{Exact, Overflow};
use crate::money::{Currency, Rate, Rounding};

/// The most days that a rate may be old.
pub const RATE_AGE_DAYS_MAX: i64 = 7;

/// The rates into one currency.
#[derive(Debug, Clone)]
pub struct Fx {
    to: Currency,
    rates: HashMap<Currency, Vec<(Date, Exact)>>,
}

impl Fx {
    /// No rates yet.
    #[must_use]
    pub fn new(to: Currency) -> Self {
        Self { to, rates: HashMap::new() }
    }

    /// The currency that figures are converted to.
    #[must_use]
    pub fn to(&self) -> Currency {
        self.to
    }

    /// Takes a rate. Rates of one pair may come in any order.
    pub fn record(&mut self, from: Currency, on: Date, rate: Exact) {
        let rates = self.rates.entry(from).or_default();
        let place = rates.partition_point(|(date, _)| *date < on);
        rates.insert(place, (on, rate));
    }

    /// The latest rate on or before a date, at most 7 days old.
    ///
    /// # Errors
    /// [`FactError::MissingRate`] names the pair and the date.
    pub fn rate(&self, from: Currency, on: Date) -> Result<Exact, FactError> {
        if from == self.to {
            return Ok(Exact::integer(1));
        }
        let missing = FactError::MissingRate { from, to: self.to, on };
        let rates = self.rates.get(&from).ok_or_else(|| missing.clone())?;
        let known = rates.partition_point(|(date, _)| *date <= on);
        match known.checked_sub(1).map(|last| rates[last]) {
            Some((date, rate)) if (on - date).num_days() <= RATE_AGE_DAYS_MAX => Ok(rate),
            _ => Err(missing),
        }
    }

    /// An amount in the programme's currency, major units, not rounded.
    ///
    /// # Errors
    /// A missing rate or an overflow.
    pub fn convert(&self, amount_minor: i64, from: Currency, on: Date) -> Result<Exact, FactError> {
        if amount_minor == 0 && from == self.to {
            return Ok(Exact::ZERO);
        }
        Ok(from.major(amount_minor).mul(self.rate(from, on)?)?)
    }

    /// A flat amount of the programme's currency × share, in another currency, rounded once (domain.md §3.5).
    ///
    /// # Errors
    /// A missing rate or an overflow.
    pub fn convert_back(&self, amount_minor: i64, to: Currency, on: Date, share: Rate, rounding: Rounding) -> Result<i64, FactError> {
        if to == self.to {
            return Ok(share.of(amount_minor, Rate::ONE, rounding)?);
        }
        let rate = self.rate(to, on)?;
        let ten = |power: u32| 10_i128.checked_pow(power).ok_or(Overflow);
        let numerator = i128::from(amount_minor)
            .checked_mul(i128::from(share.micro()))
            .and_then(|product| product.checked_mul(ten(rate.scale() + to.exponent()).ok()?))
            .ok_or(Overflow)?;
        let denominator = rate.mantissa().checked_mul(ten(6 + self.to.exponent())?).ok_or(Overflow)?;
        Ok(i64::try_from(rounding.divide(numerator, denominator)).map_err(|_| Overflow)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;

    #[test]
    fn the_latest_rate_within_seven_days_counts() {
        let (usd, kwd): (Currency, Currency) = ("USD".parse().unwrap(), "KWD".parse().unwrap());
        let mut fx = Fx::new(usd);
        let day = |text| parse_date(text).unwrap();
        fx.record(kwd, day("2024-05-01"), "3.25".parse().unwrap());
        fx.record(kwd, day("2024-04-01"), "3".parse().unwrap());
        assert_eq!(fx.convert(1000, kwd, day("2024-05-08")).unwrap().to_string(), "3.25");
        assert_eq!(fx.convert(1000, kwd, day("2024-04-08")).unwrap().to_string(), "3");
        assert!(fx.convert(1000, kwd, day("2024-05-09")).is_err());
        assert!(fx.convert(1000, kwd, day("2024-03-31")).is_err());
        // 100 USD at 3.25 is 30.769 KWD.
        assert_eq!(fx.convert_back(10_000, kwd, day("2024-05-02"), Rate::ONE, Rounding::HalfUp).unwrap(), 30_769);
    }
}
