//! When a schedule's slots are: a cron expression on naive local time, mapped to instants by us.

use std::str::FromStr;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::clock::Instant;

/// How a slot is written.
const SLOT: &str = "%Y-%m-%dT%H:%M:%S";
/// No gap of a zone is longer (Samoa left out a day).
const GAP_SECONDS_MAX: i64 = 26 * 3_600;
/// The longest expression.
const EXPRESSION_BYTES_MAX: usize = 200;

/// What is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a cron expression with seconds.
    #[error("{expression:?} is no cron expression with seconds ({reason}); write second minute hour day month weekday, like \"0 30 2 1 * *\"")]
    Expression {
        /// As it was given.
        expression: String,
        /// Why.
        reason: String,
    },
    /// Digits for weekdays mean different days to different programs.
    #[error("{0:?} names weekdays by digits, which mean different days in different programs; write MON to SUN")]
    WeekdayDigits(String),
    /// Not a zone.
    #[error("{0:?} is no time zone; write an IANA name like Europe/Berlin")]
    Zone(String),
    /// Not a slot's local time.
    #[error("{0:?} is no local time; write it like 2026-04-01T02:30:00")]
    Slot(String),
}

/// The local time of a slot: with its schedule it is the slot's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub NaiveDateTime);

impl std::fmt::Display for Slot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.format(SLOT))
    }
}

impl FromStr for Slot {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        NaiveDateTime::parse_from_str(text, SLOT).map(Self).map_err(|_| RuleError::Slot(text.chars().take(40).collect()))
    }
}

/// A cron expression with seconds, in a zone. Day and weekday must both match.
#[derive(Debug, Clone)]
pub struct Rule {
    cron: cron::Schedule,
    zone: Tz,
}

impl Rule {
    /// Reads an expression and a zone.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn new(expression: &str, zone: &str) -> Result<Self, RuleError> {
        let wrong = |reason: String| RuleError::Expression { expression: expression.chars().take(EXPRESSION_BYTES_MAX).collect(), reason };
        let fields: Vec<&str> = expression.split_whitespace().collect();
        if expression.len() > EXPRESSION_BYTES_MAX || !(6..=7).contains(&fields.len()) {
            return Err(wrong(format!("it has {} fields", fields.len())));
        }
        // A step behind a slash counts days and is no name of one.
        let weekdays = fields.get(5).into_iter().flat_map(|field| field.split(',')).filter_map(|part| part.split('/').next());
        if weekdays.into_iter().any(|days| days.bytes().any(|byte| byte.is_ascii_digit())) {
            return Err(RuleError::WeekdayDigits(expression.to_owned()));
        }
        let cron = cron::Schedule::from_str(expression).map_err(|error| wrong(error.to_string()))?;
        let zone = Tz::from_str(zone).map_err(|_| RuleError::Zone(zone.chars().take(60).collect()))?;
        Ok(Self { cron, zone })
    }

    /// The slots after a local time, in order.
    pub fn slots_after(&self, local: Slot) -> impl Iterator<Item = Slot> + '_ {
        // The crate sees local time as if it were UTC, so that no change of the offset comes between.
        self.cron.after_owned(local.0.and_utc()).map(|time| Slot(time.naive_utc()))
    }

    /// Whether the expression has this slot.
    #[must_use]
    pub fn includes(&self, slot: Slot) -> bool {
        self.cron.includes(slot.0.and_utc())
    }

    /// What clocks on the wall show at an instant, in whole seconds.
    #[must_use]
    pub fn local(&self, at: Instant) -> Slot {
        let local = self.zone.from_utc_datetime(&at.utc().naive_utc()).naive_local();
        Slot(local.with_nanosecond_zero())
    }

    /// When a slot is due: a local time that comes twice, the first time; one that never comes, at the first instant after the gap.
    #[must_use]
    pub fn due_at(&self, slot: Slot) -> Instant {
        let at = match self.zone.from_local_datetime(&slot.0) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
            LocalResult::None => self.after_gap(slot.0),
        };
        Instant(at.timestamp_micros())
    }

    fn after_gap(&self, inside: NaiveDateTime) -> DateTime<Utc> {
        let (mut missing, mut exists) = (0, GAP_SECONDS_MAX);
        while exists - missing > 1 {
            let middle = missing.midpoint(exists);
            match self.zone.from_local_datetime(&(inside + Duration::seconds(middle))) {
                LocalResult::None => missing = middle,
                LocalResult::Single(_) | LocalResult::Ambiguous(..) => exists = middle,
            }
        }
        let first = inside + Duration::seconds(exists);
        self.zone.from_local_datetime(&first).earliest().map_or_else(|| first.and_utc(), |at| at.with_timezone(&Utc))
    }
}

trait WholeSeconds {
    fn with_nanosecond_zero(self) -> Self;
}

impl WholeSeconds for NaiveDateTime {
    fn with_nanosecond_zero(self) -> Self {
        chrono::Timelike::with_nanosecond(&self, 0).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &str) -> Slot {
        text.parse().unwrap()
    }

    fn due(zone: &str, local: &str) -> String {
        Rule::new("0 0 0 * * *", zone).unwrap().due_at(slot(local)).to_string()
    }

    #[test]
    fn local_times_that_never_come_are_due_after_the_gap() {
        // (zone, the local time in the gap, the first instant after it)
        for (zone, local, instant) in [
            ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-03-08T02:00:00", "2026-03-08T07:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:30:00Z"),
            ("Antarctica/Troll", "2026-03-29T01:30:00", "2026-03-29T01:00:00Z"),
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
        ] {
            assert_eq!(due(zone, local), instant, "{zone} {local}");
        }
    }

    #[test]
    fn local_times_that_come_twice_are_due_the_first_time() {
        for (zone, local, instant) in [
            ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z"),
            ("Antarctica/Troll", "2026-10-25T01:30:00", "2026-10-24T23:30:00Z"),
        ] {
            assert_eq!(due(zone, local), instant, "{zone} {local}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_reason() {
        for wrong in ["", "0 0 * * *", "0 0 0 * * 1", "0 0 0 * * MON-5", "0 0 25 * * *", "x x x x x x"] {
            assert!(Rule::new(wrong, "UTC").is_err(), "{wrong}");
        }
        assert!(Rule::new("0 0 0 * * 1", "UTC").unwrap_err().to_string().contains("MON to SUN"));
        assert_eq!(Rule::new("0 0 0 * * *", "Berlin").unwrap_err(), RuleError::Zone("Berlin".into()));
        assert!(Rule::new("0 0 0 * * MON-FRI", "UTC").is_ok());
        assert!("2026-04-01 02:30:00".parse::<Slot>().is_err());
    }
}
