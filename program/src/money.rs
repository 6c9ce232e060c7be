//! Money in minor units, currencies, rates and the one rounding.

use std::fmt;
use std::str::FromStr;

use crate::exact::{Exact, Overflow};

/// Amounts stay below this many minor units, either side of zero (domain.md §2.1).
pub const AMOUNT_LIMIT_MINOR: i64 = 1_000_000_000_000_000;

/// An ISO 4217 currency whose exponent is 0, 2 or 3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// Money, currency or rate text that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The code is not an ISO 4217 currency.
    #[error("{0:?} is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    /// The currency's minor unit is not among those supported.
    #[error("{0} has no minor unit of 0, 2 or 3 decimals; it can't be settled")]
    UnsupportedExponent(String),
    /// The amount is not a plain decimal.
    #[error("{0:?} is not an amount; write it like 1234.50")]
    NotAnAmount(String),
    /// More decimals than the currency has.
    #[error("{text} has more decimals than {currency} ({exponent})")]
    TooManyDecimals {
        /// The text.
        text: String,
        /// The currency.
        currency: Currency,
        /// Its decimals.
        exponent: u32,
    },
    /// At or over the limit.
    #[error("{0} is too large: amounts are under 10^15 minor units")]
    TooLarge(String),
    /// The rate is not a percentage or plain decimal.
    #[error("{0:?} is not a rate; write it like 12% or 0.12, with at most 6 decimals as a fraction")]
    NotARate(String),
}

impl Currency {
    /// The ISO code.
    #[must_use]
    pub fn code(&self) -> &str {
        // Only ASCII letters are ever stored (see `from_str`).
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// Decimals of the minor unit: 0, 2 or 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        u32::from(self.exponent)
    }

    /// An amount of minor units as an exact figure in major units.
    #[must_use]
    pub fn major(self, amount_minor: i64) -> Exact {
        // An exponent of at most 3 is always in range.
        Exact::new(i128::from(amount_minor), self.exponent()).unwrap_or(Exact::ZERO)
    }

    /// Reads an amount of this currency into minor units.
    ///
    /// # Errors
    /// [`MoneyError`] when it is not a plain decimal, has too many decimals, or is too large.
    pub fn parse_minor(self, text: &str) -> Result<i64, MoneyError> {
        let exact: Exact = text.parse().map_err(|_| MoneyError::NotAnAmount(text.chars().take(60).collect()))?;
        self.minor_of(exact).map_err(|error| match error {
            MinorError::Decimals => MoneyError::TooManyDecimals { text: text.into(), currency: self, exponent: self.exponent() },
            MinorError::Size => MoneyError::TooLarge(text.into()),
        })
    }

    fn minor_of(self, exact: Exact) -> Result<i64, MinorError> {
        let up = self.exponent().checked_sub(exact.scale()).ok_or(MinorError::Decimals)?;
        let minor = exact.mantissa().checked_mul(10_i128.pow(up)).ok_or(MinorError::Size)?;
        let minor = i64::try_from(minor).map_err(|_| MinorError::Size)?;
        if minor.abs() < AMOUNT_LIMIT_MINOR { Ok(minor) } else { Err(MinorError::Size) }
    }

    /// Rounds an exact figure in major units to minor units.
    ///
    /// # Errors
    /// [`Overflow`] when the result does not fit.
    pub fn round_minor(self, figure: Exact, rounding: Rounding) -> Result<i64, Overflow> {
        let minor = if figure.scale() <= self.exponent() {
            figure.mantissa().checked_mul(10_i128.pow(self.exponent() - figure.scale())).ok_or(Overflow)?
        } else {
            rounding.divide(figure.mantissa(), 10_i128.checked_pow(figure.scale() - self.exponent()).ok_or(Overflow)?)
        };
        i64::try_from(minor).map_err(|_| Overflow)
    }

    /// Writes minor units as a decimal string with the currency's decimals.
    #[must_use]
    pub fn format_minor(self, amount_minor: i64) -> String {
        let sign = if amount_minor < 0 { "-" } else { "" };
        let digits = amount_minor.unsigned_abs().to_string();
        let decimals = usize::from(self.exponent);
        if decimals == 0 {
            return format!("{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        format!("{sign}{whole}.{fraction}")
    }
}

enum MinorError {
    Decimals,
    Size,
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || MoneyError::UnknownCurrency(text.chars().take(12).collect());
        let known = iso_currency::Currency::from_code(text).ok_or_else(unknown)?;
        let code: [u8; 3] = known.code().as_bytes().try_into().map_err(|_| unknown())?;
        match known.exponent() {
            Some(exponent @ (0 | 2 | 3)) => Ok(Self { code, exponent: u8::try_from(exponent).map_err(|_| unknown())? }),
            _ => Err(MoneyError::UnsupportedExponent(text.into())),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// How a fraction of a minor unit is rounded (domain.md §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Half away from zero.
    #[default]
    HalfUp,
    /// Half to the even neighbour.
    HalfEven,
}

impl Rounding {
    /// `numerator / denominator` to the nearest whole number; −x mirrors x.
    ///
    /// A denominator of zero gives zero: the callers' denominators are constants or amounts that they checked.
    #[must_use]
    pub fn divide(self, numerator: i128, denominator: i128) -> i128 {
        if denominator == 0 {
            return 0;
        }
        let (quotient, rest) = (numerator / denominator, (numerator % denominator).unsigned_abs());
        let half_and_rest = rest.cmp(&(denominator.unsigned_abs() - rest));
        let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
        let up = match (half_and_rest, self) {
            (std::cmp::Ordering::Greater, _) | (std::cmp::Ordering::Equal, Self::HalfUp) => true,
            (std::cmp::Ordering::Equal, Self::HalfEven) => quotient % 2 != 0,
            (std::cmp::Ordering::Less, _) => false,
        };
        if up && rest != 0 { quotient + away } else { quotient }
    }
}

/// A rate or share: an exact fraction of at most 6 decimals.
///
/// # Units
/// Millionths: 12 % is 120 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(i64);

/// Millionths in one.
const MICRO: i128 = 1_000_000;

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1_000_000);

    /// From millionths.
    #[must_use]
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }

    /// In millionths.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// `self − other`, nothing below zero.
    #[must_use]
    pub const fn above(self, other: Self) -> Self {
        if self.0 > other.0 { Self(self.0 - other.0) } else { Self::ZERO }
    }

    /// `round(base × self × share)`, rounded once (domain.md §2.2).
    ///
    /// # Errors
    /// [`Overflow`] when the result is not an amount.
    pub fn of(self, base_minor: i64, share: Self, rounding: Rounding) -> Result<i64, Overflow> {
        let product = i128::from(base_minor).checked_mul(i128::from(self.0)).and_then(|p| p.checked_mul(i128::from(share.0))).ok_or(Overflow)?;
        i64::try_from(rounding.divide(product, MICRO * MICRO)).map_err(|_| Overflow)
    }

    /// `⌊base × self × share⌋` of an amount that is not negative (domain.md §3.10, `max_total_rate`).
    ///
    /// # Errors
    /// [`Overflow`] when the result is not an amount.
    pub fn floor_of(self, base_minor: i64, share: Self) -> Result<i64, Overflow> {
        let product = i128::from(base_minor).checked_mul(i128::from(self.0)).and_then(|p| p.checked_mul(i128::from(share.0))).ok_or(Overflow)?;
        i64::try_from(product.div_euclid(MICRO * MICRO)).map_err(|_| Overflow)
    }
}

impl FromStr for Rate {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || MoneyError::NotARate(text.chars().take(60).collect());
        let (number, scale) = text.strip_suffix('%').map_or((text, 6), |number| (number.trim_end(), 4));
        let exact: Exact = number.parse().map_err(|_| wrong())?;
        let up = u32::checked_sub(scale, exact.scale()).ok_or_else(wrong)?;
        let micro = exact.mantissa().checked_mul(10_i128.pow(up)).ok_or_else(wrong)?;
        // A thousandfold is far over any rate and keeps every product within 128 bits.
        if micro.abs() > 1000 * MICRO {
            return Err(wrong());
        }
        i64::try_from(micro).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, millionths) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, mut rest, mut digits) = (millionths / 1_000_000, millionths % 1_000_000, 6);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        while rest % 10 == 0 {
            rest /= 10;
            digits -= 1;
        }
        write!(f, "{sign}{whole}.{rest:0digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rate_is_written_as_the_exact_decimal_that_it_is(millionths: i64) {
            prop_assert_eq!(Rate(millionths).to_string(), Exact::new(i128::from(millionths), 6).unwrap().to_string());
        }
    }

    #[test]
    fn rounds_halves_as_the_programme_says() {
        let table = [(5, 10, 1, 0), (15, 10, 2, 2), (25, 10, 3, 2), (-5, 10, -1, 0), (-25, 10, -3, -2), (24, 10, 2, 2), (26, 10, 3, 3)];
        for (n, d, up, even) in table {
            assert_eq!(Rounding::HalfUp.divide(n, d), up, "{n}/{d}");
            assert_eq!(Rounding::HalfEven.divide(n, d), even, "{n}/{d}");
        }
    }

    #[test]
    fn rates_read_as_percent_or_fraction() {
        assert_eq!("12%".parse::<Rate>().unwrap(), "0.12".parse::<Rate>().unwrap());
        assert_eq!("10.75%".parse::<Rate>().unwrap().to_string(), "0.1075");
        assert_eq!("1".parse::<Rate>().unwrap().to_string(), "1");
        assert!("0.0000001".parse::<Rate>().is_err());
        assert!("0.00001%".parse::<Rate>().is_err());
        assert!("12 percent".parse::<Rate>().is_err());
    }

    #[test]
    fn amounts_keep_to_their_currency() {
        let (usd, jpy, kwd): (Currency, Currency, Currency) = ("USD".parse().unwrap(), "JPY".parse().unwrap(), "KWD".parse().unwrap());
        assert_eq!(usd.parse_minor("100.05").unwrap(), 10_005);
        assert_eq!(usd.parse_minor("100").unwrap(), 10_000);
        assert!(usd.parse_minor("1.005").is_err());
        assert!(jpy.parse_minor("1.5").is_err());
        assert_eq!(kwd.parse_minor("0.001").unwrap(), 1);
        assert!(usd.parse_minor("10000000000000.00").is_err());
        assert_eq!(kwd.format_minor(-5), "-0.005");
        assert_eq!(jpy.format_minor(12), "12");
        assert!("XAU".parse::<Currency>().is_err());
        assert!("usd".parse::<Currency>().is_err());
    }

    proptest! {
        #[test]
        fn rounding_mirrors_the_sign(n in any::<i64>(), d in 1_i64..1_000_000, even in any::<bool>()) {
            let rounding = if even { Rounding::HalfEven } else { Rounding::HalfUp };
            let up = rounding.divide(n.into(), d.into());
            prop_assert_eq!(rounding.divide(-i128::from(n), d.into()), -up);
            prop_assert!(((up * i128::from(d)) - i128::from(n)).abs() * 2 <= i128::from(d));
        }

        #[test]
        fn amounts_read_back_as_printed(minor in -999_999_999_999_999_i64..999_999_999_999_999) {
            for code in ["USD", "JPY", "KWD"] {
                let currency: Currency = code.parse().unwrap();
                prop_assert_eq!(currency.parse_minor(&currency.format_minor(minor)).unwrap(), minor);
            }
        }
    }
}
