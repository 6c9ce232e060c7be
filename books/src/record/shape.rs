//! What the cells of a file may hold.

use program::calendar::{Instant, Period, parse_date};
use program::exact::Exact;
use program::file::RATE_MAX;
use program::money::{AMOUNT_LIMIT_MINOR, Currency, Rate};

/// The longest id, in bytes.
pub(crate) const ID_MAX_BYTES: usize = 128;
/// The longest other field, in bytes.
pub(crate) const FIELD_MAX_BYTES: usize = 64 * 1024;
/// Significant digits of an exchange rate (domain.md §2.1).
const FX_DIGITS_MAX: usize = 10;
/// Decimals of the finest currency: amounts whose currency is not in their row are staged at this scale.
pub(crate) const FINEST_EXPONENT: u32 = 3;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An external id or another name that is compared.
    Id,
    /// Free text.
    Text,
    /// An e-mail address.
    Email,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339.
    Instant,
    /// `true` or `false`.
    Flag,
    /// An ISO 4217 code.
    Currency,
    /// An amount in the currency of the row's column `currency`.
    Amount(Sign),
    /// An amount in the currency of the row's invoice; staged in thousandths until that is known.
    InvoiceAmount(Sign),
    /// A rate of at least 0.
    Rate,
    /// A share above 0, at most 1.
    Share,
    /// An exchange rate.
    FxRate,
    /// One of a few words.
    OneOf(&'static [&'static str]),
}

/// Which amounts are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Zero or more.
    NotNegative,
    /// More than zero.
    Positive,
    /// Anything but zero.
    NotZero,
}

/// What a cell holds, in the books' form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Text.
    Text(String),
    /// A number.
    Int(i64),
}

impl Shape {
    /// Whether the books hold it as a number.
    pub(crate) fn is_int(self) -> bool {
        matches!(self, Self::Instant | Self::Flag | Self::Amount(_) | Self::InvoiceAmount(_))
    }

    /// Reads a cell that is not empty. `currency` is the row's own, where it has one that could be read.
    ///
    /// # Errors
    /// Why it can't be taken.
    pub(crate) fn read(self, text: String, currency: Option<Currency>) -> Result<Option<Cell>, String> {
        if text.len() > FIELD_MAX_BYTES {
            return Err(format!("the value has {} bytes; at most {FIELD_MAX_BYTES} are taken", text.len()));
        }
        // They would reach terminals, and the separators of compound keys are among them. A tab in a text for people is harmless.
        if let Some(control) = text.chars().find(|c| c.is_control() && !(*c == '\t' && self == Self::Text)) {
            return Err(format!("the value holds the control character U+{:04X}; remove it", u32::from(control)));
        }
        match self {
            Self::Id => id(text).map(Cell::Text),
            Self::Text => Ok(Cell::Text(text)),
            Self::Email => email(text).map(Cell::Text),
            Self::Date => parse_date(&text).map(|_| Cell::Text(text)).map_err(|error| error.to_string()),
            Self::Instant => instant(&text).map(|at| Cell::Int(at.0)),
            Self::Flag => flag(&text).map(Cell::Int),
            Self::Currency => text.parse::<Currency>().map(|_| Cell::Text(text)).map_err(|error| error.to_string()),
            Self::Amount(sign) => match currency {
                Some(currency) => {
                    let minor = currency.parse_minor(&text).map_err(|error| error.to_string())?;
                    signed(sign, minor).map(Cell::Int)
                }
                // The currency's own error is enough.
                None => return Ok(None),
            },
            Self::InvoiceAmount(sign) => finest(&text).and_then(|amount| signed(sign, amount)).map(Cell::Int),
            Self::Rate => rate(&text, Rate::ZERO, RATE_MAX, "0 or more and at most 1000%").map(Cell::Text),
            Self::Share => rate(&text, Rate::from_micro(1), Rate::ONE, "above 0 and at most 1 (100%)").map(Cell::Text),
            Self::FxRate => fx_rate(&text).map(Cell::Text),
            Self::OneOf(words) if words.contains(&text.as_str()) => Ok(Cell::Text(text)),
            Self::OneOf(words) => Err(format!("{:?} is none of {}", short(&text), words.join(", "))),
        }
        .map(Some)
    }
}

/// The beginning of a text that may be long.
pub(crate) fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(60).chain(['…']).collect() }
}

fn id(text: String) -> Result<String, String> {
    if text.len() > ID_MAX_BYTES {
        return Err(format!("the id {:?} has {} bytes; ids have at most {ID_MAX_BYTES}", short(&text), text.len()));
    }
    Ok(text)
}

fn email(text: String) -> Result<String, String> {
    let shaped = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if shaped && !text.chars().any(char::is_whitespace) {
        Ok(text)
    } else {
        Err(format!("{:?} is not an e-mail address; write it like name@example.com", short(&text)))
    }
}

/// An instant. A leap second, which RFC 3339 allows at the end of a month in UTC, is the last instant of the second before it.
fn instant(text: &str) -> Result<Instant, String> {
    let plain = text.parse::<Instant>();
    match (plain, leap_second(text)) {
        (Err(_), Some(instant)) => Ok(instant),
        (plain, _) => plain.map_err(|error| error.to_string()),
    }
}

fn leap_second(text: &str) -> Option<Instant> {
    const SECONDS: std::ops::Range<usize> = 16..19;
    if text.get(SECONDS)? != ":60" {
        return None;
    }
    let (before, after) = (text.get(..SECONDS.start)?, text.get(SECONDS.end..)?);
    let zone = after.strip_prefix('.').map_or(after, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let last: Instant = format!("{before}:59.999999{zone}").parse().ok()?;
    let next = Instant(last.0 + 1);
    let month_ends = Period::of(last.date_in(chrono_tz::UTC)).next().first_day();
    (Instant::start_of(month_ends, chrono_tz::UTC) == next).then_some(last)
}

fn flag(text: &str) -> Result<i64, String> {
    match text {
        "true" => Ok(1),
        "false" => Ok(0),
        _ => Err(format!("{:?} is neither true nor false", short(text))),
    }
}

fn signed(sign: Sign, amount: i64) -> Result<i64, String> {
    match sign {
        Sign::NotNegative if amount < 0 => Err("the amount is below 0".into()),
        Sign::Positive if amount <= 0 => Err("the amount is not above 0".into()),
        Sign::NotZero if amount == 0 => Err("the amount is 0".into()),
        Sign::NotNegative | Sign::Positive | Sign::NotZero => Ok(amount),
    }
}

/// Thousandths of the major unit; whether the currency has these decimals is looked at when it is known.
fn finest(text: &str) -> Result<i64, String> {
    let exact: Exact = text.parse().map_err(|_| format!("{:?} is not an amount; write it like 1234.50", short(text)))?;
    let up = FINEST_EXPONENT.checked_sub(exact.scale()).ok_or_else(|| format!("{} has more than {FINEST_EXPONENT} decimals", short(text)))?;
    let too_large = || format!("{} is too large: amounts are under 10^15 minor units", short(text));
    let amount = exact.mantissa().checked_mul(10_i128.pow(up)).ok_or_else(too_large)?;
    // A currency without decimals allows the most.
    let limit = i128::from(AMOUNT_LIMIT_MINOR) * 10_i128.pow(FINEST_EXPONENT);
    i64::try_from(amount).ok().filter(|amount| i128::from(*amount).abs() < limit).ok_or_else(too_large)
}

fn rate(text: &str, least: Rate, most: Rate, allowed: &str) -> Result<String, String> {
    let rate: Rate = text.parse().map_err(|error: program::money::MoneyError| error.to_string())?;
    if rate < least || rate > most { Err(format!("{text} is out of range: it must be {allowed}")) } else { Ok(rate.to_string()) }
}

fn fx_rate(text: &str) -> Result<String, String> {
    let wrong = || format!("{:?} is not an exchange rate; write it like 1.0875, above 0, with at most {FX_DIGITS_MAX} digits", short(text));
    let rate: Exact = text.parse().map_err(|_| wrong())?;
    let digits = rate.mantissa().to_string();
    if rate.mantissa() <= 0 || digits.trim_end_matches('0').len() > FX_DIGITS_MAX { Err(wrong()) } else { Ok(rate.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shape: Shape, text: &str) -> Result<Option<Cell>, String> {
        shape.read(text.into(), Some("USD".parse().unwrap()))
    }

    #[test]
    fn reads_the_books_form() {
        let table = [
            (Shape::Share, "60%", Cell::Text("0.6".into())),
            (Shape::Rate, "0", Cell::Text("0".into())),
            (Shape::FxRate, "001.50", Cell::Text("1.5".into())),
            (Shape::FxRate, "0.00001234567891", Cell::Text("0.00001234567891".into())),
            (Shape::FxRate, "12345678910000", Cell::Text("12345678910000".into())),
            (Shape::Amount(Sign::NotNegative), "0.10", Cell::Int(10)),
            (Shape::InvoiceAmount(Sign::Positive), "1.5", Cell::Int(1500)),
            (Shape::Flag, "true", Cell::Int(1)),
            (Shape::Instant, "1970-01-01T01:00:00+01:00", Cell::Int(0)),
            (Shape::Instant, "2016-12-31T23:59:60Z", Cell::Int(1_483_228_799_999_999)),
            (Shape::Instant, "2017-01-01T00:59:60.5+01:00", Cell::Int(1_483_228_799_999_999)),
            (Shape::Id, "株式会社/1", Cell::Text("株式会社/1".into())),
        ];
        for (shape, text, cell) in table {
            assert_eq!(read(shape, text).unwrap(), Some(cell), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_with_a_reason() {
        let long = "x".repeat(129);
        let table = [
            (Shape::Share, "0"),
            (Shape::Share, "100.0001%"),
            (Shape::Share, "0.1234567"),
            (Shape::Rate, "-1%"),
            (Shape::FxRate, "0"),
            (Shape::FxRate, "-1"),
            (Shape::FxRate, "1.2345678901"),
            (Shape::FxRate, "1e3"),
            (Shape::Amount(Sign::NotNegative), "-0.01"),
            (Shape::Amount(Sign::NotNegative), "0.001"),
            (Shape::Amount(Sign::NotNegative), "10000000000000.00"),
            (Shape::Amount(Sign::NotZero), "0.00"),
            (Shape::InvoiceAmount(Sign::Positive), "0"),
            (Shape::InvoiceAmount(Sign::Positive), "0.0001"),
            (Shape::Flag, "yes"),
            (Shape::Date, "2024-02-30"),
            (Shape::Instant, "2024-02-01T00:00:00.0000001Z"),
            (Shape::Instant, "2024-02-01"),
            (Shape::Instant, "2024-02-01T23:59:60Z"),
            (Shape::Instant, "2024-02-29T23:58:60Z"),
            (Shape::Rate, "1000.01%"),
            (Shape::Email, "nobody"),
            (Shape::Email, "a@b\r\nBcc: c@d"),
            (Shape::Currency, "XAU"),
            (Shape::Id, "a\tb"),
            (Shape::Id, long.as_str()),
            (Shape::Text, "a\0b"),
            (Shape::Text, "a\u{1b}[31mb"),
            (Shape::Text, "a\nb"),
            (Shape::Text, "a\u{1f}b"),
            (Shape::Text, "a\u{85}b"),
            (Shape::OneOf(&["active"]), "Active"),
        ];
        for (shape, text) in table {
            assert!(read(shape, text).is_err(), "{text}");
        }
    }
}
