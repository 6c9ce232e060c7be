//! Which schedules there are, and what their slots start: settlements and reviews as programmes ask for them, and what the product does
//! for all of them by itself.
//!
//! A schedule's id says all that a slot needs: `settlement/<program>`, `recertification/<program>`, `lot_expiry/<program>`,
//! `certification_notices`.

use std::fmt;
use std::str::FromStr;

use books::load::row::LoadError;
use books::load::versions;
use books::programs;
use durable::Workflow;
use durable::schedules::{self, Plan, ScheduleError, Slot, Starts};
use program::calendar::{Instant, Period};
use program::programme::Programme;
use sea_orm::DatabaseTransaction;
use serde_json::json;
use workflows::certification_notices::NoticesInput;
use workflows::lot_expiry::ExpiryInput;
use workflows::recertification::ReviewInput;
use workflows::settlement_run::SettlementInput;
use workflows::{CertificationNotices, LotExpiry, Recertification, SettlementRun};

/// When lots expire: daily in the programme's zone, before a settlement of the same day.
const LOT_EXPIRY_AT: &str = "0 30 0 * * *";
/// When certificates that end soon are told of: daily in UTC, since they are not a programme's.
const NOTICES_AT: &str = "0 0 8 * * *";

/// A schedule, by what it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheduled {
    /// A programme's months are settled.
    Settlement {
        /// The programme.
        program: String,
    },
    /// A programme's members are reviewed.
    Recertification {
        /// The programme.
        program: String,
    },
    /// A programme's co-op lots expire.
    LotExpiry {
        /// The programme.
        program: String,
    },
    /// Partners are told of certificates that end soon.
    CertificationNotices,
}

/// A schedule of that id is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no schedule that this version knows; see `schedule list`")]
pub struct UnknownSchedule(String);

impl fmt::Display for Scheduled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settlement { program } => write!(formatter, "settlement/{program}"),
            Self::Recertification { program } => write!(formatter, "recertification/{program}"),
            Self::LotExpiry { program } => write!(formatter, "lot_expiry/{program}"),
            Self::CertificationNotices => formatter.write_str("certification_notices"),
        }
    }
}

impl FromStr for Scheduled {
    type Err = UnknownSchedule;

    fn from_str(id: &str) -> Result<Self, UnknownSchedule> {
        let of_program = |program: &str| Some(program.to_owned()).filter(|program| !program.is_empty());
        let found = match id.split_once('/') {
            Some(("settlement", program)) => of_program(program).map(|program| Self::Settlement { program }),
            Some(("recertification", program)) => of_program(program).map(|program| Self::Recertification { program }),
            Some(("lot_expiry", program)) => of_program(program).map(|program| Self::LotExpiry { program }),
            None if id == "certification_notices" => Some(Self::CertificationNotices),
            Some(_) | None => None,
        };
        found.ok_or_else(|| UnknownSchedule(id.chars().take(200).collect()))
    }
}

impl Scheduled {
    /// The workflow that its slots start.
    #[must_use]
    pub const fn workflow(&self) -> &'static str {
        match self {
            Self::Settlement { .. } => SettlementRun::NAME,
            Self::Recertification { .. } => Recertification::NAME,
            Self::LotExpiry { .. } => LotExpiry::NAME,
            Self::CertificationNotices => CertificationNotices::NAME,
        }
    }

    /// Whether a slot waits until the run of the slot before it has ended: months become final in order.
    #[must_use]
    pub const fn in_turn(&self) -> bool {
        matches!(self, Self::Settlement { .. })
    }

    /// What a slot starts, by its local date: a settlement the month before, all else the day itself.
    ///
    /// # Idempotency
    /// The key is that of whoever else starts the same: a month that `settle` has begun is not begun again by its slot.
    #[must_use]
    pub fn starts(&self, slot: Slot) -> Starts {
        let day = slot.0.date();
        match self {
            Self::Settlement { program } => {
                let period = Period::of(day).previous().to_string();
                let input = SettlementInput { program: program.clone(), period };
                let json = json!({ "program": input.program, "period": input.period });
                Starts { version: SettlementRun::VERSION, key: input.key(), input: json }
            }
            Self::Recertification { program } => {
                let input = ReviewInput { program: program.clone(), as_of: day };
                let json = json!({ "program": input.program, "as_of": input.as_of });
                Starts { version: Recertification::VERSION, key: input.key(), input: json }
            }
            Self::LotExpiry { program } => {
                let input = ExpiryInput { program: program.clone(), day };
                let json = json!({ "program": input.program, "day": input.day });
                Starts { version: LotExpiry::VERSION, key: input.key(), input: json }
            }
            Self::CertificationNotices => {
                let input = NoticesInput { day };
                Starts { version: CertificationNotices::VERSION, key: input.key(), input: json!({ "day": input.day }) }
            }
        }
    }
}

/// What a slot of a schedule starts, by the schedule's id.
///
/// # Errors
/// [`UnknownSchedule`].
pub fn starts(schedule: &str, slot: Slot) -> Result<Starts, UnknownSchedule> {
    Ok(schedule.parse::<Scheduled>()?.starts(slot))
}

/// A schedule that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What it is for.
    pub what: Scheduled,
    /// Its id.
    pub id: String,
    /// Cron with seconds.
    pub expression: String,
    /// IANA zone.
    pub zone: String,
}

impl Planned {
    fn new(what: Scheduled, expression: &str, zone: &str) -> Self {
        Self { id: what.to_string(), what, expression: expression.to_owned(), zone: zone.to_owned() }
    }

    /// For the engine.
    #[must_use]
    pub fn plan(&self) -> Plan<'_> {
        Plan { id: &self.id, expression: &self.expression, zone: &self.zone, workflow: self.what.workflow(), in_turn: self.what.in_turn() }
    }
}

/// Why schedules can't be planned or recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Programmes can't be read.
    #[error(transparent)]
    Programmes(#[from] LoadError),
    /// A schedule can't be recorded.
    #[error("the schedule {id} can't be recorded")]
    Schedule {
        /// Its id.
        id: String,
        /// Why.
        #[source]
        source: ScheduleError,
    },
}

/// The schedules that should exist: what the version in force of each programme asks for, and the product's own.
///
/// # Errors
/// The database failed, or a stored programme no longer loads.
pub async fn plans(tx: &DatabaseTransaction, now: Instant) -> Result<Vec<Planned>, LoadError> {
    let mut planned = Vec::new();
    for program in programs::ids(tx).await? {
        let versions = versions::load(tx, &program, i64::MAX).await?;
        let today = now.date_in(versions.constant().timezone);
        planned.extend(of_programme(&versions.on(today).programme));
    }
    planned.push(Planned::new(Scheduled::CertificationNotices, NOTICES_AT, "UTC"));
    Ok(planned)
}

/// What one version of a programme asks for.
fn of_programme(programme: &Programme) -> Vec<Planned> {
    let (program, zone) = (|| programme.id.clone(), programme.timezone.name());
    let mut planned = Vec::new();
    if let Some(expression) = &programme.settlement.schedule {
        planned.push(Planned::new(Scheduled::Settlement { program: program() }, expression, zone));
    }
    if let Some(expression) = &programme.recertification.schedule {
        planned.push(Planned::new(Scheduled::Recertification { program: program() }, expression, zone));
    }
    if programme.coop.expires_after_months.is_some() {
        planned.push(Planned::new(Scheduled::LotExpiry { program: program() }, LOT_EXPIRY_AT, zone));
    }
    planned
}

/// Records the schedules that should exist; one that is new fires from now on. None is paused or removed.
///
/// # Errors
/// [`RecordError`].
///
/// # Idempotency
/// By their ids: the same again changes nothing.
pub async fn record(tx: &DatabaseTransaction, now: Instant) -> Result<Vec<Planned>, RecordError> {
    let planned = plans(tx, now).await?;
    for one in &planned {
        let put = schedules::put(tx, &one.plan(), durable::Instant(now.0)).await;
        put.map_err(|source| RecordError::Schedule { id: one.id.clone(), source })?;
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};

    use super::*;

    fn slot(text: &str) -> Slot {
        text.parse().expect("a local time")
    }

    #[test]
    fn ids_are_read_back() {
        let program = || "north/america".to_owned();
        for what in [
            Scheduled::Settlement { program: program() },
            Scheduled::Recertification { program: program() },
            Scheduled::LotExpiry { program: program() },
            Scheduled::CertificationNotices,
        ] {
            assert_eq!(what.to_string().parse::<Scheduled>(), Ok(what));
        }
        for wrong in ["", "settlement", "settlement/", "backup/p", "certification_notices/p"] {
            assert!(wrong.parse::<Scheduled>().is_err(), "{wrong}");
            assert!(starts(wrong, slot("2026-05-01T06:00:00")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slot_settles_the_month_before_its_date() {
        for (at, period) in [("2026-05-01T06:00:00", "2026-04"), ("2026-01-31T23:59:59", "2025-12"), ("2024-02-29T00:00:00", "2024-01")] {
            let started = starts("settlement/p", slot(at)).expect("a settlement");
            let input = SettlementInput { program: "p".into(), period: period.into() };
            assert_eq!((started.key, started.input), (input.key(), to_value(&input).expect("JSON")), "{at}");
        }
    }

    #[test]
    fn other_slots_start_their_day() {
        let at = slot("2026-07-01T07:00:00");
        let day = at.0.date();
        let typed: [(&str, String, Value); 3] = [
            (
                "recertification/p",
                ReviewInput { program: "p".into(), as_of: day }.key(),
                to_value(ReviewInput { program: "p".into(), as_of: day }).expect("JSON"),
            ),
            ("lot_expiry/p", ExpiryInput { program: "p".into(), day }.key(), to_value(ExpiryInput { program: "p".into(), day }).expect("JSON")),
            ("certification_notices", NoticesInput { day }.key(), to_value(NoticesInput { day }).expect("JSON")),
        ];
        for (schedule, key, input) in typed {
            let started = starts(schedule, at).expect("a schedule");
            assert_eq!((started.key, started.input), (key, input), "{schedule}");
        }
        assert!(Scheduled::Settlement { program: "p".into() }.in_turn());
        assert!(!Scheduled::CertificationNotices.in_turn());
    }

    #[test]
    fn a_programme_asks_for_what_it_writes_down() {
        let text = include_str!("../config/programs/reseller.toml");
        let ids = |text: &str| -> Vec<(String, String, String)> {
            let programme = program::file::load("reseller.toml", text).expect("a programme");
            of_programme(&programme).into_iter().map(|planned| (planned.id, planned.expression, planned.zone)).collect()
        };
        let zone = || "America/New_York".to_owned();
        let wanted = [
            ("settlement/reseller".to_owned(), "0 0 6 1 * *".to_owned(), zone()),
            ("recertification/reseller".to_owned(), "0 0 7 1 1,4,7,10 *".to_owned(), zone()),
            ("lot_expiry/reseller".to_owned(), LOT_EXPIRY_AT.to_owned(), zone()),
        ];
        assert_eq!(ids(text), wanted);
        let silent: String = text
            .lines()
            .filter(|line| !line.starts_with("schedule") && !line.starts_with("expires"))
            .fold(String::new(), |all, line| all + line + "\n");
        assert_eq!(ids(&silent), []);
    }
}
