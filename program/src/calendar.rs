//! Dates in a programme's zone, periods, quarters and instants.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, NaiveDate, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;

/// A calendar date in the programme's zone.
pub type Date = NaiveDate;

/// The date "from ever" of facts that have no first day.
pub const EVER: Date = NaiveDate::MIN;

/// Text that is not a date, an instant or a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Not `YYYY-MM-DD`.
    #[error("{0:?} is not a date; write it like 2026-04-30")]
    NotADate(String),
    /// Not RFC 3339, or finer than a microsecond.
    #[error("{0:?} is not an instant; write it like 2026-04-30T12:00:00Z, with a zone and at most microseconds")]
    NotAnInstant(String),
    /// Not `YYYY-MM`.
    #[error("{0:?} is not a period; write it like 2026-04")]
    NotAPeriod(String),
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Reads `YYYY-MM-DD`, years 1 to 9999.
///
/// # Errors
/// [`CalendarError::NotADate`].
pub fn parse_date(text: &str) -> Result<Date, CalendarError> {
    let plain = text.len() == 10 && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| plain && date.year() >= 1).ok_or_else(|| CalendarError::NotADate(short(text)))
}

/// An instant, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// The date of this instant in a zone (domain.md §2.3).
    #[must_use]
    pub fn date_in(self, zone: Tz) -> Date {
        zone.from_utc_datetime(&self.utc().naive_utc()).date_naive()
    }

    /// As UTC. Instants are read within years 1 to 9999, which chrono always represents.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The first instant of a date in a zone (of the first moment that exists, where a gap swallows midnight).
    #[must_use]
    pub fn start_of(date: Date, zone: Tz) -> Self {
        let mut at = date.and_time(chrono::NaiveTime::MIN);
        // A gap is at most a day (Samoa skipped one); look forward by quarter hours.
        for _ in 0..=192 {
            if let Some(found) = zone.from_local_datetime(&at).earliest() {
                return Self(found.timestamp_micros());
            }
            at += chrono::TimeDelta::minutes(15);
        }
        Self(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros())
    }
}

impl FromStr for Instant {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || CalendarError::NotAnInstant(short(text));
        if text.len() > 40 {
            return Err(wrong());
        }
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
        let nanos = at.timestamp_subsec_nanos();
        if nanos % 1000 != 0 || nanos >= 1_000_000_000 || !(1..=9999).contains(&at.year()) {
            return Err(wrong());
        }
        Ok(Self(at.timestamp_micros()))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i32,
    month: u32,
}

impl Period {
    /// The month that holds a date.
    #[must_use]
    pub fn of(date: Date) -> Self {
        Self { year: date.year(), month: date.month() }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Date {
        // A year and month taken from a date always have a first day.
        NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or(EVER)
    }

    /// Its last day.
    #[must_use]
    pub fn last_day(self) -> Date {
        self.next().first_day().pred_opt().unwrap_or(EVER)
    }

    /// The month after.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { year: self.year, month: self.month + 1 } }
    }

    /// The month before.
    #[must_use]
    pub fn previous(self) -> Self {
        if self.month == 1 { Self { year: self.year - 1, month: 12 } } else { Self { year: self.year, month: self.month - 1 } }
    }

    /// Whether the date lies in it.
    #[must_use]
    pub fn contains(self, date: Date) -> bool {
        Self::of(date) == self
    }

    /// The quarter that holds it.
    #[must_use]
    pub fn quarter(self) -> Quarter {
        Quarter { year: self.year, quarter: (self.month - 1) / 3 + 1 }
    }

    /// Whether it is the last month of its quarter.
    #[must_use]
    pub fn ends_quarter(self) -> bool {
        self.month.is_multiple_of(3)
    }
}

impl FromStr for Period {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = format!("{text}-01");
        parse_date(&first).map(Self::of).map_err(|_| CalendarError::NotAPeriod(short(text)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A calendar quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter {
    year: i32,
    quarter: u32,
}

impl Quarter {
    /// Its first month.
    #[must_use]
    pub fn first_month(self) -> Period {
        Period { year: self.year, month: self.quarter * 3 - 2 }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Date {
        self.first_month().first_day()
    }

    /// Its last month.
    #[must_use]
    pub fn last_month(self) -> Period {
        Period { year: self.year, month: self.quarter * 3 }
    }

    /// Its last day.
    #[must_use]
    pub fn last_day(self) -> Date {
        self.last_month().last_day()
    }

    /// The quarter before.
    #[must_use]
    pub fn previous(self) -> Self {
        self.first_month().previous().quarter()
    }

    /// The quarter after.
    #[must_use]
    pub fn next(self) -> Self {
        self.last_month().next().quarter()
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-Q{}", self.year, self.quarter)
    }
}

/// A date some months earlier; a day that the month lacks gives its last day (domain.md §2.3).
#[must_use]
pub fn months_before(date: Date, months: u32) -> Date {
    date.checked_sub_months(Months::new(months)).unwrap_or(EVER)
}

/// A date some months later; a day that the month lacks gives its last day (domain.md §2.3).
#[must_use]
pub fn months_after(date: Date, months: u32) -> Date {
    date.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// A date some days later.
#[must_use]
pub fn days_after(date: Date, days: u32) -> Date {
    date.checked_add_days(chrono::Days::new(days.into())).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        parse_date(text).unwrap()
    }

    #[test]
    fn a_month_without_the_day_gives_its_last() {
        assert_eq!(months_before(day("2024-03-31"), 1), day("2024-02-29"));
        assert_eq!(months_before(day("2024-02-29"), 12), day("2023-02-28"));
        assert_eq!(months_after(day("2023-12-31"), 2), day("2024-02-29"));
    }

    #[test]
    fn the_zone_decides_the_date() {
        let at: Instant = "2024-02-09T10:38:42+09:00".parse().unwrap();
        assert_eq!(at.date_in(chrono_tz::America::Los_Angeles), day("2024-02-08"));
        assert_eq!(at.date_in(chrono_tz::Asia::Tokyo), day("2024-02-09"));
    }

    #[test]
    fn instants_are_strict() {
        for wrong in ["2024-02-09", "2024-02-09T10:38:42", "2024-02-09T10:38:42.1234567Z", "2024-02-30T10:38:42Z", "2016-12-31T23:59:60Z"] {
            assert!(wrong.parse::<Instant>().is_err(), "{wrong}");
        }
        assert_eq!("2024-02-09T10:38:42.5Z".parse::<Instant>().unwrap().to_string(), "2024-02-09T10:38:42.500Z");
    }

    #[test]
    fn a_day_starts_where_the_zone_says() {
        // Midnight does not exist on this day in Santiago.
        let start = Instant::start_of(day("2023-09-03"), chrono_tz::America::Santiago);
        assert_eq!(start.to_string(), "2023-09-03T04:00:00Z");
    }

    #[test]
    fn quarters_and_periods() {
        let march: Period = "2024-03".parse().unwrap();
        assert!(march.ends_quarter());
        assert_eq!(march.quarter().to_string(), "2024-Q1");
        assert_eq!(march.quarter().previous().last_day(), day("2023-12-31"));
        assert_eq!(march.next().to_string(), "2024-04");
        assert!("2024-3".parse::<Period>().is_err());
        assert!("2024-13".parse::<Period>().is_err());
    }
}
