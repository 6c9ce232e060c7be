//! Which reviews of a programme were made, and which can no longer be.

use std::collections::BTreeSet;

use program::calendar::{Date, Period};
use sea_orm::DatabaseTransaction;

use super::ReviewError;
use crate::load::row::{LoadError, rows};
use crate::load::versions;
use crate::settlement::freeze;

/// How far the reviews of a programme have come: reviews are made in order of date, and in open periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    program: String,
    days: BTreeSet<Date>,
    /// The last period that is final or closing, and the programme's first one.
    frozen: Option<(Period, Period)>,
}

impl Made {
    /// Of a programme.
    ///
    /// # Errors
    /// The programme is not recorded, or the database failed.
    pub async fn load(tx: &DatabaseTransaction, program: &str) -> Result<Self, LoadError> {
        let days = rows(tx, "SELECT as_of FROM reviews WHERE program = ?", vec![program.into()]).await?;
        let days = days.iter().map(|row| row.date(0)).collect::<Result<_, _>>()?;
        let frozen = match freeze::last(tx, program).await? {
            Some(frozen) => Some((frozen.period, versions::load(tx, program, i64::MAX).await?.constant().settlement.first_period)),
            None => None,
        };
        Ok(Self { program: program.into(), days, frozen })
    }

    /// Whether the review of a day was made.
    #[must_use]
    pub fn is_made(&self, as_of: Date) -> bool {
        self.days.contains(&as_of)
    }

    /// Why the review of a day can never be made any more; nothing of one that was made.
    #[must_use]
    pub fn too_late(&self, as_of: Date) -> Option<ReviewError> {
        if self.is_made(as_of) {
            return None;
        }
        let (program, period) = (|| self.program.clone(), Period::of(as_of));
        if let Some(last) = self.days.last().copied().filter(|last| as_of < *last) {
            return Some(ReviewError::OutOfOrder { program: program(), last, as_of });
        }
        let (frozen, first_period) = self.frozen.filter(|(frozen, _)| period <= *frozen)?;
        Some(if period < first_period {
            ReviewError::BeforeFirst { program: program(), as_of, first_period }
        } else {
            ReviewError::FinalPeriod { program: program(), as_of, period: frozen.min(period) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn what_is_before_the_last_review_or_in_a_final_month_is_too_late() {
        let period = |text: &str| text.parse::<Period>().expect("a period");
        let days = ["2026-04-01", "2026-07-01"].map(date).into();
        let made = Made { program: "p".into(), days, frozen: Some((period("2026-07"), period("2026-02"))) };
        for (day, said) in [
            ("2026-01-31", Some("last reviewed on 2026-07-01")),
            ("2026-04-01", None),
            ("2026-06-30", Some("last reviewed on 2026-07-01")),
            ("2026-07-01", None),
            ("2026-07-02", Some("lies in 2026-07, which is final")),
            ("2026-08-01", None),
        ] {
            let told = made.too_late(date(day)).map(|error| error.to_string());
            assert_eq!(told.is_some(), said.is_some(), "{day}: {told:?}");
            assert!(told.unwrap_or_default().contains(said.unwrap_or_default()), "{day}");
        }
        let none = Made { days: BTreeSet::new(), ..made };
        assert!(none.too_late(date("2026-01-31")).is_some_and(|error| error.to_string().contains("before 2026-02, the first period")));
        assert!(Made { frozen: None, ..none }.too_late(date("2026-01-31")).is_none());
    }
}
