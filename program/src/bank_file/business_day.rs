//! The days on which euro payments are settled between banks.

use chrono::{Datelike, Weekday};
use chrono_tz::Europe::Berlin;

use crate::calendar::{Date, Instant, days_after};

/// The day on which the bank is asked to execute a file: the first TARGET business day after the day in Frankfurt on which it is made. It is
/// never the same day, so that no bank's cut-off time decides.
#[must_use]
pub fn execution_on(made_at: Instant) -> Date {
    next_business_day(made_at.date_in(Berlin))
}

/// The first TARGET business day after a day.
#[must_use]
pub fn next_business_day(after: Date) -> Date {
    let mut day = days_after(after, 1);
    // Easter and Christmas with their weekends close five days in a row at most.
    for _ in 0..7 {
        if is_business_day(day) {
            return day;
        }
        day = days_after(day, 1);
    }
    day
}

/// Whether TARGET is open.
///
/// # Source
/// ECB, long-term calendar of TARGET closing days: weekends, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December.
#[must_use]
pub fn is_business_day(day: Date) -> bool {
    let is_weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let is_fixed = matches!((day.month(), day.day()), (1 | 5, 1) | (12, 25 | 26));
    let from_easter = day.signed_duration_since(easter_sunday(day.year())).num_days();
    !is_weekend && !is_fixed && from_easter != -2 && from_easter != 1
}

/// Easter Sunday of the Gregorian calendar.
///
/// # Source
/// J. Meeus, Astronomical Algorithms, chapter 8.
fn easter_sunday(year: i32) -> Date {
    let (century, of_century) = (year.div_euclid(100), year.rem_euclid(100));
    let golden = year.rem_euclid(19);
    let correction = (century + 8).div_euclid(25);
    let moon = (19 * golden + century - century.div_euclid(4) - (century - correction + 1).div_euclid(3) + 15).rem_euclid(30);
    let weekday = (32 + 2 * century.rem_euclid(4) + 2 * of_century.div_euclid(4) - moon - of_century.rem_euclid(4)).rem_euclid(7);
    let late = (golden + 11 * moon + 22 * weekday).div_euclid(451);
    let days = moon + weekday - 7 * late + 114;
    // 114 stands for 22 March, the earliest Easter; the latest is 25 April.
    let (month, day) = (u32::try_from(days.div_euclid(31)), u32::try_from(days.rem_euclid(31) + 1));
    month.ok().zip(day.ok()).and_then(|(month, day)| Date::from_ymd_opt(year, month, day)).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;
    use proptest::prelude::*;

    fn day(text: &str) -> Date {
        parse_date(text).unwrap()
    }

    #[test]
    fn easter_is_where_the_calendar_has_it() {
        for text in ["1818-03-22", "1943-04-25", "2000-04-23", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25", "2285-03-22"] {
            assert_eq!(easter_sunday(day(text).year()), day(text));
        }
    }

    #[test]
    fn closing_days_are_passed_over() {
        for (after, next) in [
            ("2026-04-01", "2026-04-02"),
            // Good Friday to Easter Monday.
            ("2026-04-02", "2026-04-07"),
            ("2026-04-30", "2026-05-04"),
            ("2026-12-24", "2026-12-28"),
            ("2026-12-31", "2027-01-04"),
            ("2027-12-24", "2027-12-27"),
            ("2026-06-05", "2026-06-08"),
            // A holiday of Germany and not of TARGET.
            ("2025-10-02", "2025-10-03"),
        ] {
            assert_eq!(next_business_day(day(after)), day(next), "after {after}");
        }
    }

    #[test]
    fn the_day_is_that_of_frankfurt() {
        let on = |at: &str| execution_on(at.parse().unwrap());
        assert_eq!(on("2026-06-03T21:59:00Z"), day("2026-06-04"));
        assert_eq!(on("2026-06-03T22:01:00Z"), day("2026-06-05"));
    }

    proptest! {
        #[test]
        fn a_business_day_comes_within_five_days(number in 600_000_i32..1_200_000) {
            let after = Date::from_num_days_from_ce_opt(number).unwrap();
            let next = next_business_day(after);
            prop_assert!(is_business_day(next) && next > after && next.signed_duration_since(after).num_days() <= 5, "{after} {next}");
            prop_assert!(after.iter_days().skip(1).take_while(|day| *day < next).all(|day| !is_business_day(day)));
        }
    }
}
