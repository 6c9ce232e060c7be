//! The time that the demo plays in: a year of settlements and the year before it, which is history.

use chrono_tz::Tz;
use program::calendar::{Date, Instant, Period, days_after, months_after, months_before};

/// Months of the year.
pub(crate) const MONTHS: u32 = 12;

const HOUR_US: i64 = 3_600_000_000;
const MINUTE_US: i64 = 60_000_000;

/// The year and its time zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Year {
    first: Period,
    zone: Tz,
}

impl Year {
    /// The year that begins with a programme's first period.
    pub(crate) fn new(first: Period, zone: Tz) -> Self {
        Self { first, zone }
    }

    /// Its months, in order.
    pub(crate) fn months(self) -> impl Iterator<Item = Period> {
        std::iter::successors(Some(self.first), |period| Some(period.next())).take(12)
    }

    /// Its first day.
    pub(crate) fn begins(self) -> Date {
        self.first.first_day()
    }

    /// Its last day.
    pub(crate) fn last_day(self) -> Date {
        Period::of(months_after(self.begins(), MONTHS - 1)).last_day()
    }

    /// The first day of the history before it.
    pub(crate) fn history_begins(self) -> Date {
        months_before(self.begins(), MONTHS)
    }

    /// A day of it, by month (from 1) and day of the month (from 1).
    pub(crate) fn day(self, month: u32, day: u32) -> Date {
        days_after(months_after(self.begins(), month - 1), day - 1)
    }

    /// A moment of a day in the month after it, at a full hour.
    pub(crate) fn after(self, day: u32, hour: i64) -> Instant {
        self.at(days_after(self.last_day(), day), hour, 0)
    }

    /// A moment of a day.
    pub(crate) fn at(self, day: Date, hour: i64, minute: i64) -> Instant {
        Instant(Instant::start_of(day, self.zone).0 + hour * HOUR_US + minute * MINUTE_US)
    }
}
