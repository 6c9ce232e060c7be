//! When a schedule's slots are: cron expressions on naive local time, each from a day on, mapped to instants by us.

use std::str::FromStr;

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::clock::Instant;

/// How a slot is written.
const SLOT: &str = "%Y-%m-%dT%H:%M:%S";
/// No gap of a zone is longer (Samoa left out a day).
const GAP_SECONDS_MAX: i64 = 26 * 3_600;
/// The longest expression.
const EXPRESSION_BYTES_MAX: usize = 200;
/// The expression that has no slots.
pub const NEVER: &str = "never";
/// What stands between an expression and the day from which the next one holds.
const FROM: &str = "; from ";

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
    /// Not an expression from a day on.
    #[error("{0:?} does not say which expression holds from which later day; write it like \"; from 2026-05-01 0 30 2 1 * *\"")]
    Change(String),
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

/// Cron expressions with seconds, or [`NEVER`], in a zone: one, or one after the other, each from a local day on. Day and weekday must both
/// match.
#[derive(Debug, Clone)]
pub struct Rule {
    /// In order; the first has held since ever.
    parts: Vec<Part>,
    zone: Tz,
}

#[derive(Debug, Clone)]
struct Part {
    from: NaiveDate,
    expression: String,
    /// None: no slots.
    cron: Option<cron::Schedule>,
}

impl Part {
    fn new(from: NaiveDate, expression: &str) -> Result<Self, RuleError> {
        let cron = if expression == NEVER { None } else { Some(cron(expression)?) };
        Ok(Self { from, expression: expression.to_owned(), cron })
    }
}

fn cron(expression: &str) -> Result<cron::Schedule, RuleError> {
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
    cron::Schedule::from_str(expression).map_err(|error| wrong(error.to_string()))
}

/// As [`Rule::new`] reads it: an expression, and those that follow it, each from a day on. What changes nothing is left out.
#[must_use]
pub fn changing(first: &str, then: impl IntoIterator<Item = (NaiveDate, String)>) -> String {
    let mut last = first.to_owned();
    then.into_iter().fold(first.to_owned(), |text, (from, expression)| {
        if expression == last {
            return text;
        }
        last.clone_from(&expression);
        format!("{text}{FROM}{from} {expression}")
    })
}

impl Rule {
    /// Reads an expression and a zone. An expression may change: `0 0 6 1 * *; from 2026-05-01 never`.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn new(expression: &str, zone: &str) -> Result<Self, RuleError> {
        let mut parts: Vec<Part> = Vec::new();
        for (place, text) in expression.split(FROM).enumerate() {
            let part = if place == 0 {
                Part::new(NaiveDate::MIN, text)?
            } else {
                let wrong = || RuleError::Change(text.chars().take(EXPRESSION_BYTES_MAX).collect());
                let (from, expression) = text.split_once(' ').ok_or_else(wrong)?;
                Part::new(from.parse().map_err(|_| wrong())?, expression)?
            };
            if parts.last().is_some_and(|last| last.from >= part.from) {
                return Err(RuleError::Change(text.chars().take(EXPRESSION_BYTES_MAX).collect()));
            }
            parts.push(part);
        }
        let zone = Tz::from_str(zone).map_err(|_| RuleError::Zone(zone.chars().take(60).collect()))?;
        Ok(Self { parts, zone })
    }

    /// The slots after a local time, in order.
    pub fn slots_after(&self, local: Slot) -> impl Iterator<Item = Slot> + '_ {
        let ends = self.parts.iter().skip(1).map(|part| Some(part.from)).chain([None]);
        self.parts.iter().zip(ends).flat_map(move |(part, end)| {
            // A part's first slot may be at midnight; the crate's are those after a moment.
            let before = part.from.and_time(NaiveTime::MIN).checked_sub_signed(Duration::seconds(1)).unwrap_or(NaiveDateTime::MIN);
            let after = local.0.max(before);
            let is_over = end.is_some_and(|end| after.date() >= end);
            let cron = part.cron.as_ref().filter(|_| !is_over);
            // The crate sees local time as if it were UTC, so that no change of the offset comes between.
            let slots = cron.into_iter().flat_map(move |cron| cron.after_owned(after.and_utc()).map(|time| Slot(time.naive_utc())));
            slots.take_while(move |slot| end.is_none_or(|end| slot.0.date() < end))
        })
    }

    /// The slots after a local time up to a last one, in order; of more than `most`, the latest.
    pub(crate) fn latest_slots(&self, after: Slot, last: Slot, most: usize) -> Vec<Slot> {
        let mut days = 1;
        loop {
            // From further and further back, so that what is long past costs nothing.
            let start = last.0.checked_sub_signed(Duration::days(days)).map_or(after, |start| after.max(Slot(start)));
            let mut slots: Vec<Slot> = self.slots_after(start).take_while(|slot| *slot <= last).collect();
            if start == after || slots.len() >= most {
                return slots.split_off(slots.len().saturating_sub(most));
            }
            days *= 8;
        }
    }

    /// Whether the expression of its day has this slot.
    #[must_use]
    pub fn includes(&self, slot: Slot) -> bool {
        self.on(slot.0.date()).cron.as_ref().is_some_and(|cron| cron.includes(slot.0.and_utc()))
    }

    /// The expression of a day.
    #[must_use]
    pub fn expression_on(&self, day: NaiveDate) -> &str {
        &self.on(day).expression
    }

    /// The expression after that of a day, and from when on.
    #[must_use]
    pub fn change_after(&self, day: NaiveDate) -> Option<(NaiveDate, &str)> {
        self.parts.iter().find(|part| part.from > day).map(|part| (part.from, part.expression.as_str()))
    }

    fn on(&self, day: NaiveDate) -> &Part {
        let known = self.parts.partition_point(|part| part.from <= day);
        // The first part holds since ever, and there is always one.
        &self.parts[known.saturating_sub(1)]
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
    fn an_expression_holds_until_the_day_of_the_next() {
        let day = |text: &str| -> NaiveDate { text.parse().unwrap() };
        let changes = [("2026-02-03", "0 0 0 * * *"), ("2026-02-05", NEVER), ("2026-02-05", NEVER), ("2026-03-01", "0 0 6 1 * *")];
        let text = changing("0 0 6 * * *", changes.iter().map(|(from, expression)| (day(from), (*expression).to_owned())));
        assert_eq!(text, "0 0 6 * * *; from 2026-02-03 0 0 0 * * *; from 2026-02-05 never; from 2026-03-01 0 0 6 1 * *");
        let rule = Rule::new(&text, "UTC").unwrap();
        let found = |after: &str| rule.slots_after(slot(after)).take(6).map(|slot| slot.to_string()).collect::<Vec<_>>();
        let all = [
            "2026-02-01T06:00:00",
            "2026-02-02T06:00:00",
            "2026-02-03T00:00:00",
            "2026-02-04T00:00:00",
            "2026-03-01T06:00:00",
            "2026-04-01T06:00:00",
            "2026-05-01T06:00:00",
        ];
        assert_eq!(found("2026-02-01T05:59:59"), all[..6]);
        // From any moment on, those after it and no other.
        for (place, at) in all.iter().enumerate().take(5) {
            assert_eq!(found(at)[0], all[place + 1], "after {at}");
            assert!(rule.includes(slot(at)), "{at}");
        }
        for none in ["2026-02-03T06:00:00", "2026-02-05T00:00:00", "2026-02-28T06:00:00", "2026-03-02T06:00:00"] {
            assert!(!rule.includes(slot(none)), "{none}");
        }
        assert_eq!(rule.expression_on(day("2026-02-04")), "0 0 0 * * *");
        assert_eq!(rule.change_after(day("2026-02-04")), Some((day("2026-02-05"), NEVER)));
        assert_eq!(rule.change_after(day("2026-03-01")), None);
        assert_eq!(Rule::new(NEVER, "UTC").unwrap().slots_after(slot("2026-02-01T00:00:00")).next(), None);
        for wrong in [
            "0 0 6 1 * *; from never",
            "never; from 2026-02-30 never",
            "never; from 2026-02-03 never; from 2026-02-03 never",
            "; from 2026-02-03 never",
        ] {
            assert!(Rule::new(wrong, "UTC").is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_many_slots_the_latest_are_found() {
        let found = |expression: &str, after: &str, most: usize| {
            let rule = Rule::new(expression, "UTC").unwrap();
            let found = rule.latest_slots(slot(after), slot("2026-03-01T00:00:00"), most);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found("0 * * * * *", "2001-01-01T00:00:00", 2), ["2026-02-28T23:59:00", "2026-03-01T00:00:00"]);
        assert_eq!(found("0 0 0 1 * *", "2025-12-01T00:00:00", 2), ["2026-02-01T00:00:00", "2026-03-01T00:00:00"]);
        assert_eq!(found("0 0 0 1 * *", "2026-01-01T00:00:00", 9), ["2026-02-01T00:00:00", "2026-03-01T00:00:00"]);
        assert_eq!(found("0 0 0 1 * *", "2026-03-01T00:00:00", 9), Vec::<String>::new());
        assert_eq!(found(NEVER, "2001-01-01T00:00:00", 9), Vec::<String>::new());
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
