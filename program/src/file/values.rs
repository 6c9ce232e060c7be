//! The values of fields: texts, rates, amounts, dates, choices; each error says what to write instead.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::choices::Choice;
use super::errors::Findings;
use super::section::{Field, shown};
use crate::calendar::Date;
use crate::condition::literal::number;
use crate::condition::names::nearest;
use crate::exact::Exact;
use crate::money::{AMOUNT_LIMIT_MINOR, Currency, Rate};

/// The longest id, in bytes.
pub(super) const ID_LIMIT_BYTES: usize = 128;

/// The longest name, in bytes.
const NAME_LIMIT_BYTES: usize = 500;

/// Ten: no rate is over 1000 %.
pub const RATE_MAX: Rate = Rate::from_micro(10_000_000);

impl<'d> Field<'d> {
    /// Any text.
    pub(super) fn text(&self, found: &mut Findings<'_>) -> Option<&'d str> {
        if let DeValue::String(text) = self.value {
            return Some(text);
        }
        let written = found.text().get(self.span.clone()).unwrap_or_default();
        let help = if scalar(self.value) {
            format!("write it in quotes: {} = \"{}\"", shown(self.key), shown(written))
        } else {
            "write it in quotes".into()
        };
        found.add_with_help(self.span.clone(), format!("`{}` must be text, but is {}", shown(self.key), kind(self.value)), help);
        None
    }

    /// A text that names something: not empty, not too long, without control characters.
    pub(super) fn id(&self, found: &mut Findings<'_>) -> Option<&'d str> {
        self.text(found).filter(|text| self.is_legible(found, text, ID_LIMIT_BYTES))
    }

    /// A text for people.
    pub(super) fn name(&self, found: &mut Findings<'_>) -> Option<&'d str> {
        self.text(found).filter(|text| self.is_legible(found, text, NAME_LIMIT_BYTES))
    }

    /// The key itself, where it is an id.
    pub(super) fn key_id(&self, found: &mut Findings<'_>) -> Option<&'d str> {
        let at_key = Field { span: self.key_span.clone(), ..self.clone() };
        at_key.is_legible(found, self.key, ID_LIMIT_BYTES).then_some(self.key)
    }

    fn is_legible(&self, found: &mut Findings<'_>, text: &str, limit_bytes: usize) -> bool {
        let problem = if text.is_empty() {
            "is empty".to_owned()
        } else if text.len() > limit_bytes {
            format!("has {} bytes; at most {limit_bytes} are taken", text.len())
        } else if text.chars().any(char::is_control) {
            "holds a control character".to_owned()
        } else {
            return true;
        };
        found.add(self.span.clone(), format!("`{}` {problem}", shown(self.key)));
        false
    }

    /// Several ids.
    pub(super) fn ids(&self, found: &mut Findings<'_>) -> Option<Vec<Field<'d>>> {
        let DeValue::Array(array) = self.value else {
            found.add_with_help(
                self.span.clone(),
                format!("`{}` must be a list", shown(self.key)),
                format!("write {} = [\"a\", \"b\"]", shown(self.key)),
            );
            return None;
        };
        if array.is_empty() {
            found.add_with_help(
                self.span.clone(),
                format!("`{}` is empty, so it fits nobody", shown(self.key)),
                "leave it out where there is no bound",
            );
        }
        let elements: Vec<Field<'d>> = array.iter().map(|element| self.element(element)).collect();
        Some(elements.into_iter().filter(|element| element.id(found).is_some()).collect())
    }

    /// An element of this list.
    pub(super) fn element(&self, element: &'d Spanned<DeValue<'d>>) -> Field<'d> {
        Field { key: self.key, key_span: self.key_span.clone(), value: element.get_ref(), span: element.span() }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, found: &mut Findings<'_>) -> Option<bool> {
        if let DeValue::Boolean(flag) = self.value {
            return Some(*flag);
        }
        let help = format!("write {0} = true or {0} = false, without quotes", shown(self.key));
        found.add_with_help(self.span.clone(), format!("`{}` must be true or false, but is {}", shown(self.key), kind(self.value)), help);
        None
    }

    /// A whole number in a range.
    pub(super) fn count(&self, found: &mut Findings<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let DeValue::Integer(integer) = self.value else {
            let help = format!("write it without quotes: {} = {}", shown(self.key), range.start());
            found.add_with_help(self.span.clone(), format!("`{}` must be a whole number, but is {}", shown(self.key), kind(self.value)), help);
            return None;
        };
        let count = whole(integer).and_then(|value| u32::try_from(value).ok()).filter(|value| range.contains(value));
        if count.is_none() {
            let reason = format!("`{}` must be a whole number from {} to {}", shown(self.key), range.start(), range.end());
            found.add(self.span.clone(), reason);
        }
        count
    }

    /// A rate from 0 to a greatest one, in percent or as a fraction.
    pub(super) fn rate(&self, found: &mut Findings<'_>, greatest: Rate) -> Option<Rate> {
        let DeValue::String(text) = self.value else {
            let written = found.text().get(self.span.clone()).unwrap_or_default();
            let help = format!("rates are text, so that no digit is lost: \"{}\" (a fraction) or \"12%\"", shown(written));
            found.add_with_help(self.span.clone(), format!("`{}` must be text, but is {}", shown(self.key), kind(self.value)), help);
            return None;
        };
        let problem = match text.parse::<Rate>() {
            Ok(rate) if rate < Rate::ZERO => "is below zero".to_owned(),
            Ok(rate) if rate > greatest => format!("is more than {}", percent(greatest)),
            Ok(rate) => return Some(rate),
            Err(_) => "is not a rate".to_owned(),
        };
        let reason = format!("`{}`: {:?} {problem}", shown(self.key), shown(text));
        found.add_with_help(self.span.clone(), reason, "write it like \"12%\" or \"0.12\", with at most 6 decimals as a fraction");
        None
    }

    /// An amount that is not negative, in minor units; without a (valid) currency only its form is checked.
    pub(super) fn amount_minor(&self, found: &mut Findings<'_>, currency: Option<Currency>) -> Option<i64> {
        let figure = self.figure(found)?;
        let currency = currency?;
        let text = figure.to_string();
        match currency.parse_minor(&text) {
            Ok(minor) => Some(minor),
            Err(error) => {
                found.add(self.span.clone(), format!("`{}`: {error}", shown(self.key)));
                None
            }
        }
    }

    /// A threshold: an exact figure in major units.
    pub(super) fn threshold(&self, found: &mut Findings<'_>, currency: Option<Currency>) -> Option<Exact> {
        let figure = self.figure(found)?;
        let limit = currency.map_or(Exact::integer(AMOUNT_LIMIT_MINOR), |currency| currency.major(AMOUNT_LIMIT_MINOR));
        if figure < limit {
            return Some(figure);
        }
        found.add(self.span.clone(), format!("`{}` is too large: amounts are under 10^15 minor units", shown(self.key)));
        None
    }

    fn figure(&self, found: &mut Findings<'_>) -> Option<Exact> {
        let DeValue::String(text) = self.value else {
            let written = found.text().get(self.span.clone()).unwrap_or_default();
            let help = format!("amounts are text, so that no digit is lost: {} = \"{}\"", shown(self.key), shown(written));
            found.add_with_help(self.span.clone(), format!("`{}` must be text, but is {}", shown(self.key), kind(self.value)), help);
            return None;
        };
        let problem = match number(text) {
            _ if text.ends_with('%') => "is not an amount".to_owned(),
            Ok(figure) if figure < Exact::ZERO => "is below zero".to_owned(),
            Ok(figure) => return Some(figure),
            Err(error) => error.to_string(),
        };
        let reason = format!("`{}`: {:?} {problem}", shown(self.key), shown(text));
        found.add_with_help(self.span.clone(), reason, "write it like \"500k\" or \"1500.50\"");
        None
    }

    /// A calendar date.
    pub(super) fn date(&self, found: &mut Findings<'_>) -> Option<Date> {
        if let DeValue::Datetime(at) = self.value {
            let date = at.date.filter(|date| at.time.is_none() && at.offset.is_none() && date.year >= 1);
            let date = date.and_then(|d| Date::from_ymd_opt(d.year.into(), d.month.into(), d.day.into()));
            if date.is_none() {
                found.add_with_help(
                    self.span.clone(),
                    format!("`{}` is not a calendar date", shown(self.key)),
                    "write it like 2026-04-30, without a time",
                );
            }
            return date;
        }
        let help = "write it without quotes, like 2026-04-30";
        found.add_with_help(self.span.clone(), format!("`{}` must be a date, but is {}", shown(self.key), kind(self.value)), help);
        None
    }

    /// One of several words.
    pub(super) fn choice<T: Choice>(&self, found: &mut Findings<'_>) -> Option<T> {
        let text = self.text(found)?;
        if let Some((_, choice)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*choice);
        }
        let words: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
        let near = nearest(text, T::WORDS.iter().map(|(word, _)| *word));
        let help = near.map_or_else(|| "choose one of them".into(), |near| format!("did you mean {near:?}?"));
        let reason = format!("`{}` must be {}, not {:?}", shown(self.key), words.join(" or "), shown(text));
        found.add_with_help(self.span.clone(), reason, help);
        None
    }

    /// A length of time in seconds, like `30m`, `48h` or `2d`.
    pub(super) fn seconds(&self, found: &mut Findings<'_>) -> Option<u64> {
        let text = self.text(found)?;
        let seconds = seconds(text);
        if seconds.is_none() {
            let reason = format!("`{}`: {:?} is not a length of time", shown(self.key), shown(text));
            found.add_with_help(
                self.span.clone(),
                reason,
                "write a whole number above zero with s, m, h or d, like \"30m\", \"48h\" or \"2d\" (at most 3650 days)",
            );
        }
        seconds
    }
}

/// A length of time in seconds, like `30m`, `48h` or `2d`; `None`: it is none, or longer than 3650 days.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let (digits, unit_s) =
        [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)].into_iter().find_map(|(unit, s)| Some((text.strip_suffix(unit)?, s)))?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().ok()?.checked_mul(unit_s)?;
    (1..=3_650 * 86_400).contains(&seconds).then_some(seconds)
}

fn whole(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn percent(rate: Rate) -> String {
    Exact::new(i128::from(rate.micro()), 4).map(|exact| format!("{exact} %")).unwrap_or_default()
}

const fn scalar(value: &DeValue<'_>) -> bool {
    !matches!(value, DeValue::Array(_) | DeValue::Table(_))
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a bare number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, value) in [("90s", Some(90)), ("30m", Some(1_800)), ("48h", Some(172_800)), ("2d", Some(172_800)), ("3650d", Some(315_360_000))] {
            assert_eq!(seconds(text), value, "{text}");
        }
        for text in ["", "h", "0h", "-1h", "+1h", "1.5h", "1w", "48", "48 h", "3651d", "99999999999999999999d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
