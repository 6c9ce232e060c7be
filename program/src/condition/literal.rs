//! Numbers as people write them: `1_500`, `2.5k`, `80%`; every digit kept.

use crate::exact::Exact;

/// Why a text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    /// Not digits with at most one point and known suffix.
    #[error("is not a number")]
    Malformed,
    /// Letters after the digits that mean nothing.
    #[error("has an unknown suffix")]
    Suffix,
    /// More digits than are ever kept.
    #[error("has too many digits to be kept exactly")]
    TooLong,
}

impl NumberError {
    /// What to write instead.
    pub(crate) const fn help(self) -> &'static str {
        match self {
            Self::Malformed => "write it like 1500, 1_500, 2.5k or 80%",
            Self::Suffix => "the suffixes are k (thousand), M (million), B (billion) and %",
            Self::TooLong => "use fewer digits",
        }
    }
}

/// Reads a number with `_` between digits and one of the suffixes `k M B %`.
///
/// # Errors
/// [`NumberError`].
pub(crate) fn number(text: &str) -> Result<Exact, NumberError> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let digits_end = rest.find(|c: char| !matches!(c, '0'..='9' | '_' | '.')).unwrap_or(rest.len());
    let (body, suffix) = rest.split_at(digits_end);
    let mut parts = body.splitn(2, '.');
    if body.is_empty() || !parts.all(is_digit_run) {
        return Err(NumberError::Malformed);
    }
    let scaled = match suffix {
        "" => Ok(Exact::integer(1)),
        "k" => Ok(Exact::integer(1_000)),
        "M" => Ok(Exact::integer(1_000_000)),
        "B" => Ok(Exact::integer(1_000_000_000)),
        "%" => Exact::new(1, 2),
        _ => return Err(NumberError::Suffix),
    };
    let plain: Exact = body.replace('_', "").parse().map_err(|_| NumberError::TooLong)?;
    let value = scaled.and_then(|unit| plain.mul(unit)).map_err(|_| NumberError::TooLong)?;
    Ok(if negative { value.neg() } else { value })
}

/// Digits, with single `_` between them only.
fn is_digit_run(run: &str) -> bool {
    run.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_read_exactly() {
        for (text, value) in [
            ("0", "0"),
            ("1_500", "1500"),
            ("2.5k", "2500"),
            ("3000k", "3000000"),
            ("1M", "1000000"),
            ("0.000001B", "1000"),
            ("80%", "0.8"),
            ("0.005%", "0.00005"),
            ("-12.50", "-12.5"),
            ("123456789012345678901234567890.123", "123456789012345678901234567890.123"),
        ] {
            assert_eq!(number(text).unwrap().to_string(), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        use NumberError::{Malformed, Suffix, TooLong};
        for (text, error) in [
            ("", Malformed),
            ("-", Malformed),
            (".5", Malformed),
            ("5.", Malformed),
            ("1__0", Malformed),
            ("_1", Malformed),
            ("1_", Malformed),
            ("1_.0", Malformed),
            ("1.2.3", Malformed),
            ("--1", Malformed),
            ("5kg", Suffix),
            ("5K", Suffix),
            ("1e5", Suffix),
            ("1k%", Suffix),
            ("99999999999999999999999999999999999999999", TooLong),
            ("170141183460469231731687303715884105727k", TooLong),
        ] {
            assert_eq!(number(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_digit_is_lost(mantissa in -(10_i128.pow(30))..10_i128.pow(30), scale in 0_u32..20) {
            let exact = Exact::new(mantissa, scale).unwrap();
            prop_assert_eq!(number(&exact.to_string()), Ok(exact));
            prop_assert_eq!(number(&format!("{exact}k")).unwrap(), exact.mul(Exact::integer(1_000)).unwrap());
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = number(&text);
        }
    }
}
