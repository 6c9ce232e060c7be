//! Exact decimal numbers for conditions, thresholds and converted figures.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most decimals an [`Exact`] can carry.
pub const SCALE_MAX: u32 = 30;

/// An exact decimal, `mantissa / 10^scale`; it never rounds, overflow is an error.
///
/// # Source
/// domain.md §2.1 and §2.8: converted figures are not rounded before they are compared.
#[derive(Debug, Clone, Copy)]
pub struct Exact {
    mantissa: i128,
    scale: u32,
}

/// An arithmetic result does not fit the exact number type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a figure is too large to be computed exactly; split the amounts or correct the input")]
pub struct Overflow;

/// Text that is not a plain decimal number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a decimal number of at most {SCALE_MAX} decimals")]
pub struct NotANumber {
    text: String,
}

fn ten_to(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

#[allow(clippy::should_implement_trait, reason = "they can fail, which the operators' traits can't say")]
impl Exact {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// `mantissa / 10^scale`, reduced to its shortest form.
    ///
    /// # Errors
    /// [`Overflow`] when `scale` exceeds [`SCALE_MAX`] after reduction.
    pub fn new(mantissa: i128, scale: u32) -> Result<Self, Overflow> {
        let (mut mantissa, mut scale) = (mantissa, scale);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        if scale > SCALE_MAX { Err(Overflow) } else { Ok(Self { mantissa, scale }) }
    }

    /// A whole number.
    #[must_use]
    pub const fn integer(value: i64) -> Self {
        // A widening from i64 loses nothing; `i128::from` is not const.
        #[allow(clippy::as_conversions, clippy::cast_lossless, reason = "i64 to i128 widens")]
        Self { mantissa: value as i128, scale: 0 }
    }

    /// The digits of the shortest form, as a whole number.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The number of decimals of the shortest form.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn add(self, other: Self) -> Result<Self, Overflow> {
        let scale = self.scale.max(other.scale);
        let left = self.raised(scale).ok_or(Overflow)?;
        let right = other.raised(scale).ok_or(Overflow)?;
        Self::new(left.checked_add(right).ok_or(Overflow)?, scale)
    }

    /// The product.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn mul(self, other: Self) -> Result<Self, Overflow> {
        Self::new(self.mantissa.checked_mul(other.mantissa).ok_or(Overflow)?, self.scale + other.scale)
    }

    /// The negative.
    #[must_use]
    pub const fn neg(self) -> Self {
        Self { mantissa: -self.mantissa, scale: self.scale }
    }

    /// The mantissa at a larger scale.
    fn raised(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(ten_to(scale.checked_sub(self.scale)?)?)
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        if let (Some(left), Some(right)) = (self.raised(scale), other.raised(scale)) {
            return left.cmp(&right);
        }
        // Too far apart for one scale: the whole parts decide, then the (equally signed) fractions.
        let (left_unit, right_unit) = (ten_to(self.scale).unwrap_or(i128::MAX), ten_to(other.scale).unwrap_or(i128::MAX));
        (self.mantissa / left_unit).cmp(&(other.mantissa / right_unit)).then_with(|| {
            let left = Self { mantissa: self.mantissa % left_unit, scale: self.scale };
            let right = Self { mantissa: other.mantissa % right_unit, scale: other.scale };
            left.raised(scale).cmp(&right.raised(scale))
        })
    }
}

impl FromStr for Exact {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotANumber { text: text.chars().take(60).collect() };
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
            Some(_) => return Err(wrong()),
            None => (digits, ""),
        };
        if whole.is_empty() || digits.len() > 40 || !whole.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let mantissa: i128 = format!("{whole}{decimals}").parse().map_err(|_| wrong())?;
        let scale = u32::try_from(decimals.len()).map_err(|_| wrong())?;
        Self::new(if negative { -mantissa } else { mantissa }, scale).map_err(|_| wrong())
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let decimals = usize::try_from(self.scale).unwrap_or(0);
        if decimals == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_the_shortest_form() {
        for (text, shown) in [("1.50", "1.5"), ("-0.050", "-0.05"), ("10", "10"), ("0.0", "0"), ("-12.3", "-12.3")] {
            assert_eq!(text.parse::<Exact>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_is_not_a_plain_number() {
        for text in ["", "-", ".5", "5.", "1e3", "+1", "1 000", "0x1", "9999999999999999999999999999999999999999999"] {
            assert!(text.parse::<Exact>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn orders_like_fractions(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, s in 0_u32..6, t in 0_u32..6) {
            let left = Exact::new(a.into(), s).unwrap();
            let right = Exact::new(b.into(), t).unwrap();
            let cross = (i128::from(a) * 10_i128.pow(t)).cmp(&(i128::from(b) * 10_i128.pow(s)));
            prop_assert_eq!(left.cmp(&right), cross);
        }

        #[test]
        fn orders_numbers_too_far_apart_for_one_scale(a in 1_i128..i128::MAX / 2, b in 1_i128..1000) {
            let big = Exact::new(a, 0).unwrap();
            let small = Exact::new(b, 30).unwrap();
            prop_assert_eq!(big.cmp(&small), Ordering::Greater);
            prop_assert_eq!(big.neg().cmp(&small.neg()), Ordering::Less);
        }
    }
}
