//! Cron expressions with seconds: six fields, days of the week by name.

use std::ops::RangeInclusive;

use super::errors::Findings;
use super::section::{Field, shown};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The last days of the months, in a leap year.
const LAST_DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Monday first, as ISO 8601 has it.
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// A part of a cron expression.
struct Part {
    name: &'static str,
    range: RangeInclusive<u32>,
    words: &'static [&'static str],
}

const PARTS: [Part; 6] = [
    Part { name: "second", range: 0..=59, words: &[] },
    Part { name: "minute", range: 0..=59, words: &[] },
    Part { name: "hour", range: 0..=23, words: &[] },
    Part { name: "day of the month", range: 1..=31, words: &[] },
    Part { name: "month", range: 1..=12, words: &MONTHS },
    Part { name: "day of the week", range: 1..=7, words: &WEEKDAYS },
];

/// A cron expression as written, if it is one.
pub(super) fn read(found: &mut Findings<'_>, field: &Field<'_>) -> Option<String> {
    let text = field.text(found)?;
    match check(text) {
        Ok(()) => Some(text.into()),
        Err(problem) => {
            let help = "write six parts: second minute hour day month weekday, like \"0 0 6 1 * *\" or \"0 30 7 * * MON-FRI\"";
            found.add_with_help(field.span.clone(), format!("`{}`: {problem}", field.key), help);
            None
        }
    }
}

fn check(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let Ok(written) = <[&str; 6]>::try_from(parts.as_slice()) else {
        return Err(format!("{:?} has {} parts instead of 6", shown(text), parts.len()));
    };
    let mut values = Vec::new();
    for (part, text) in PARTS.iter().zip(written) {
        values.push(part.values(text)?);
    }
    let [_, _, _, days, months, _] = values.as_slice() else { return Ok(()) };
    let last_day = |month: &u32| month.checked_sub(1).and_then(|at| LAST_DAYS.get(usize::try_from(at).ok()?)).copied().unwrap_or(31);
    if months.iter().map(last_day).max() < days.iter().min().copied() {
        return Err(format!("{:?} names a day that its months never have", shown(text)));
    }
    Ok(())
}

impl Part {
    /// The values that a part stands for.
    fn values(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut values = Vec::new();
        for item in text.split(',') {
            values.extend(self.item(item).ok_or_else(|| self.wrong(item))?);
        }
        Ok(values)
    }

    /// `*`, `a`, `a-b`, each perhaps with `/step`.
    fn item(&self, text: &str) -> Option<impl Iterator<Item = u32> + use<>> {
        let (span, step) = match text.split_once('/') {
            Some((span, step)) => (span, plain(step).filter(|step| *step > 0 && step <= self.range.end())?),
            None => (text, 1),
        };
        let stepped = span.len() < text.len();
        let range = match span.split_once('-') {
            None if span == "*" => self.range.clone(),
            None if stepped => self.value(span)?..=*self.range.end(),
            None => self.value(span)?..=self.value(span)?,
            Some((first, last)) => self.value(first)?..=self.value(last)?,
        };
        // Where a week begins is not agreed on: a range of days that touches Sunday means different days to different readers.
        let sunday = self.is_weekday() && span != "*" && range.start() != range.end() && range.contains(&7);
        let refused = range.is_empty() || sunday || (stepped && self.is_weekday());
        (!refused).then(|| range.step_by(usize::try_from(step).unwrap_or(1)))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        match word.and_then(|at| u32::try_from(at + 1).ok()) {
            None if self.is_weekday() => None,
            None => plain(text).filter(|value| self.range.contains(value)),
            word => word,
        }
    }

    fn is_weekday(&self) -> bool {
        self.words.len() == WEEKDAYS.len()
    }

    fn wrong(&self, item: &str) -> String {
        let allowed = if self.is_weekday() {
            "days by name, MON to SUN (digits mean different days to different readers), ranges within MON-SAT".to_owned()
        } else {
            format!("{} to {}, ranges a-b and steps /n", self.range.start(), self.range.end())
        };
        format!("{:?} does not fit the {}; it takes `*`, {allowed}", shown(item), self.name)
    }
}

fn plain(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_of_six_parts() {
        for text in [
            "0 0 6 1 * *",
            "0 0 7 1 1,4,7,10 *",
            "*/10 0-30/5 8-18 * JAN-MAR MON-FRI",
            "0 0 6 29 2 *",
            "0 30 7 * * SAT,SUN",
            "59 59 23 31 dec sun",
            "0 5/15 * * * *",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn schedules_that_are_refused() {
        for (text, problem) in [
            ("", "has 0 parts"),
            ("0 6 1 * *", "has 5 parts"),
            ("0 0 6 1 * * *", "has 7 parts"),
            ("60 0 6 1 * *", "fit the second"),
            ("0 0 24 1 * *", "fit the hour"),
            ("0 0 6 0 * *", "fit the day of the month"),
            ("0 0 6 1 13 *", "fit the month"),
            ("0 0 6 1 FOO *", "fit the month"),
            ("0 0 6 * * 1", "days by name"),
            ("0 0 6 * * MON-SUN", "days by name"),
            ("0 0 6 * * SUN-TUE", "days by name"),
            ("0 0 6 5-1 * *", "fit the day of the month"),
            ("0 0 6 */0 * *", "fit the day of the month"),
            ("0 0 6 1, * *", "fit the day of the month"),
            ("0 0 6 +1 * *", "fit the day of the month"),
            ("0 0 6 31 4,6 *", "never have"),
            ("0 0 6 30 2 *", "never have"),
            ("0 0 6 L * *", "fit the day of the month"),
        ] {
            let found = check(text).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
    }
}
