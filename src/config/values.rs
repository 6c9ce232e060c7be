//! Reads values into types; each error says what to write instead.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use program::exact::Exact;

use super::errors::Place;
use super::known::{KEYS, Kind, variable};
use super::layers::Layers;

/// A limit on amounts, in whatever currency it is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountLimit(Exact);

impl AmountLimit {
    /// The limit as written, in major units.
    #[must_use]
    pub const fn major(self) -> Exact {
        self.0
    }
}

impl Layers {
    pub(super) fn text(&self, path: &'static str) -> Option<&str> {
        self.values.get(path).and_then(|written| written.texts.first()).map(String::as_str)
    }

    pub(super) fn place(&self, path: &'static str) -> Place {
        self.values.get(path).map_or(Place::Nowhere, |written| written.place.clone())
    }

    /// A value that is wrong; `reason` follows its name. Private ones are not repeated.
    pub(super) fn wrong(&mut self, path: &'static str, reason: impl Display, help: Option<String>) {
        let shown =
            KEYS.iter().find(|known| known.path == path).filter(|known| matches!(known.kind, Kind::Plain | Kind::List)).and_then(|_| self.text(path));
        let shown = shown.map(|text| format!(" = {:?}", text.chars().take(80).collect::<String>())).unwrap_or_default();
        self.problem(self.place(path), format!("`{path}`{shown} {reason}"), help);
    }

    /// A value that another one asks for.
    pub(super) fn missing(&mut self, path: &'static str, because: &str) {
        let is_secret = KEYS.iter().any(|known| known.path == path && known.kind == Kind::Secret);
        let help = if is_secret { format!("set {}, or {path}_file", variable(path)) } else { format!("set it in the file, or {}", variable(path)) };
        self.problem(Place::Nowhere, format!("`{path}` is needed {because}"), Some(help));
    }

    pub(super) fn needed(&mut self, path: &'static str, because: &str) -> Option<String> {
        let text = self.text(path).filter(|text| !text.trim().is_empty()).map(str::to_owned);
        if text.is_none() {
            self.missing(path, because);
        }
        text
    }

    pub(super) fn path(&self, path: &'static str) -> Option<PathBuf> {
        self.text(path).map(PathBuf::from)
    }

    pub(super) fn paths(&self, path: &'static str) -> Vec<PathBuf> {
        self.values.get(path).map(|written| written.texts.iter().map(PathBuf::from).collect()).unwrap_or_default()
    }

    pub(super) fn choice<T: Copy>(&mut self, path: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(path)?;
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.wrong(path, "is not known", Some(format!("write one of {}", names.join(", "))));
        }
        chosen
    }

    pub(super) fn flag(&mut self, path: &'static str) -> Option<bool> {
        self.choice(path, &[("true", true), ("false", false)])
    }

    pub(super) fn count<T: FromStr + PartialOrd + Display>(&mut self, path: &'static str, range: &RangeInclusive<T>) -> Option<T> {
        let count = self.text(path)?.parse().ok().filter(|count| range.contains(count));
        if count.is_none() {
            self.wrong(path, format_args!("must be a whole number from {} to {}", range.start(), range.end()), None);
        }
        count
    }

    pub(super) fn duration(&mut self, path: &'static str, range: &RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text(path)?;
        let Some(duration) = duration(text) else {
            self.wrong(path, "is not a duration", Some("write it like \"30s\", \"15m\", \"48h\" or \"7d\"".into()));
            return None;
        };
        if !range.contains(&duration) {
            self.wrong(path, format_args!("must be from {} s to {} s", range.start().as_secs(), range.end().as_secs()), None);
            return None;
        }
        Some(duration)
    }

    pub(super) fn amount_limit(&mut self, path: &'static str) -> Option<AmountLimit> {
        let text = self.text(path)?;
        let limit = text.parse::<Exact>().ok().filter(|limit| limit.mantissa() > 0);
        if limit.is_none() {
            self.wrong(path, "is not an amount over 0", Some("write it like \"50000\" or \"1234.50\"".into()));
        }
        limit.map(AmountLimit)
    }

    /// A value that knows how to read itself.
    pub(super) fn parsed<T, E: Display>(&mut self, path: &'static str, parse: impl FnOnce(&str) -> Result<T, E>, help: Option<&str>) -> Option<T> {
        match parse(self.text(path)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(path, error, help.map(str::to_owned));
                None
            }
        }
    }
}

/// A whole number and its unit.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let unit_s: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_s).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, seconds) in [("0s", Some(0)), ("30s", Some(30)), ("15m", Some(900)), ("48h", Some(172_800)), ("7d", Some(604_800))] {
            assert_eq!(duration(text).map(|duration| duration.as_secs()), seconds, "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5h", "1h30m", "48 h", "18446744073709551615d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
