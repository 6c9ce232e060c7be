//! Which schedules there are, and what their slots start: settlements and reviews as programmes ask for them, and what the product does
//! for all of them by itself.
//!
//! A schedule's id says all that a slot needs: `settlement/<program>`, `recertification/<program>`, `lot_expiry/<program>`,
//! `certification_notices`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use books::load::row::LoadError;
use books::load::versions;
use books::programs;
use books::review::{Made, ReviewError};
use durable::Workflow;
use durable::schedules::{self, Behind, Decision, Plan, ScheduleError, Slot, Starts};
use program::calendar::{Date, Instant, Period};
use program::programme::Programme;
use program::version::Versions;
use sea_orm::DatabaseTransaction;
use serde_json::json;
use workflows::certification_notices::NoticesInput;
use workflows::lot_expiry::ExpiryInput;
use workflows::recertification::{self, ReviewInput};
use workflows::settlement_run::SettlementInput;
use workflows::{CertificationNotices, LotExpiry, Recertification, SettlementRun, again};

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
            Self::Recertification { program } => formatter.write_str(&recertification::schedule(program)),
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

    /// Whether a slot waits until the run of the slot before it has ended: months become final, and reviews are made, in order.
    #[must_use]
    pub fn in_turn(&self) -> bool {
        self.program().is_some()
    }

    /// Whose slots its own are behind: a programme's go one after the other, so that what was missed comes to what it would have come to in
    /// time. A review sees the months before it final, and a month is rated by the tiers of the reviews in it (domain.md §5.2). At the same
    /// instant lots expire first, and a month is made final before a review.
    #[must_use]
    pub fn behind(&self) -> Vec<Behind> {
        let Some(program) = self.program() else { return Vec::new() };
        let program = || program.to_owned();
        let all = [Self::LotExpiry { program: program() }, Self::Settlement { program: program() }, Self::Recertification { program: program() }];
        let own = all.iter().position(|one| one == self);
        let others = all.iter().enumerate().filter(|(_, other)| *other != self);
        others.map(|(place, other)| Behind { schedule: other.to_string(), same_instant: Some(place) < own }).collect()
    }

    fn program(&self) -> Option<&str> {
        match self {
            Self::Settlement { program } | Self::Recertification { program } | Self::LotExpiry { program } => Some(program),
            Self::CertificationNotices => None,
        }
    }

    /// What a slot starts, by its local date: a settlement the month before, all else the day itself.
    ///
    /// # Idempotency
    /// The key is that of whoever else starts the same: a month that `settle` has begun is not begun again by its slot, but where that run was
    /// cancelled or has failed.
    #[must_use]
    pub fn starts(&self, slot: Slot) -> Starts {
        let day = slot.0.date();
        let (version, key, input) = match self {
            Self::Settlement { program } => {
                let period = Period::of(day).previous().to_string();
                let input = SettlementInput { program: program.clone(), period };
                (SettlementRun::VERSION, input.key(), json!({ "program": input.program, "period": input.period }))
            }
            Self::Recertification { program } => {
                let input = ReviewInput { program: program.clone(), as_of: day };
                (Recertification::VERSION, input.key(), json!({ "program": input.program, "as_of": input.as_of }))
            }
            Self::LotExpiry { program } => {
                let input = ExpiryInput { program: program.clone(), day };
                (LotExpiry::VERSION, input.key(), json!({ "program": input.program, "day": input.day }))
            }
            Self::CertificationNotices => {
                let input = NoticesInput { day };
                (CertificationNotices::VERSION, input.key(), json!({ "day": input.day }))
            }
        };
        Starts { version, successors: again::successors(&key), key, input }
    }
}

/// What becomes of the slots of a schedule, by what the books say: loaded once, for all that are due.
#[derive(Debug)]
pub struct Deciding<'a> {
    what: &'a Scheduled,
    /// Of a schedule of reviews.
    reviews: Option<Made>,
}

impl<'a> Deciding<'a> {
    /// Of a schedule.
    ///
    /// # Errors
    /// The programme is not recorded, or the database failed.
    pub async fn load(tx: &DatabaseTransaction, what: &'a Scheduled) -> Result<Self, LoadError> {
        let reviews = match what {
            Scheduled::Recertification { program } => Some(Made::load(tx, program).await?),
            Scheduled::Settlement { .. } | Scheduled::LotExpiry { .. } | Scheduled::CertificationNotices => None,
        };
        Ok(Self { what, reviews })
    }

    /// Why what a day's slot is for can never be done any more: a review that a later one has overtaken, or whose month is final.
    #[must_use]
    pub fn too_late(&self, day: Date) -> Option<ReviewError> {
        self.reviews.as_ref()?.too_late(day)
    }

    /// What becomes of a slot that is due.
    #[must_use]
    pub fn decide(&self, slot: Slot) -> Decision {
        match self.too_late(slot.0.date()) {
            Some(error) => Decision::Miss(error.to_string()),
            None => Decision::Start(self.what.starts(slot)),
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

/// Whose slots those of a schedule are behind, by the schedule's id; of an unknown one nobody's.
#[must_use]
pub fn behind(schedule: &str) -> Vec<Behind> {
    schedule.parse::<Scheduled>().map(|what| what.behind()).unwrap_or_default()
}

/// A schedule that should exist, or should have existed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What it is for.
    pub what: Scheduled,
    /// Its id.
    pub id: String,
    /// Cron with seconds, and from which day on another one, or none.
    pub expression: String,
    /// IANA zone.
    pub zone: String,
}

impl Planned {
    fn new(what: Scheduled, expression: String, zone: &str) -> Self {
        Self { id: what.to_string(), what, expression, zone: zone.to_owned() }
    }

    /// Whether no version has ever asked for it.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.expression == schedules::NEVER
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

/// The schedules of all programmes, as their versions ask for them one after the other, and the product's own.
///
/// # Errors
/// The database failed, or a stored programme no longer loads.
pub async fn plans(tx: &DatabaseTransaction) -> Result<Vec<Planned>, LoadError> {
    let mut planned = Vec::new();
    for program in programs::ids(tx).await? {
        planned.extend(of_programme(&versions::load(tx, &program, i64::MAX).await?));
    }
    planned.push(Planned::new(Scheduled::CertificationNotices, NOTICES_AT.to_owned(), "UTC"));
    Ok(planned)
}

/// What the versions of a programme ask for: all that they could, since one may no longer ask for what another one did.
fn of_programme(versions: &Versions) -> Vec<Planned> {
    let constant = versions.constant();
    let (program, zone) = (|| constant.id.clone(), constant.timezone.name());
    let settles = |version: &Programme| version.settlement.schedule.clone();
    let reviews = |version: &Programme| version.recertification.schedule.clone();
    let expires = |version: &Programme| version.coop.expires_after_months.map(|_| LOT_EXPIRY_AT.to_owned());
    vec![
        Planned::new(Scheduled::Settlement { program: program() }, asked_for(versions, settles), zone),
        Planned::new(Scheduled::Recertification { program: program() }, asked_for(versions, reviews), zone),
        Planned::new(Scheduled::LotExpiry { program: program() }, asked_for(versions, expires), zone),
    ]
}

/// What each version asks for from its day on; before the first version its own holds (domain.md §2.5).
fn asked_for(versions: &Versions, expression: impl Fn(&Programme) -> Option<String>) -> String {
    // Of several versions of a day the last one holds.
    let by_day: BTreeMap<_, _> = versions.iter().map(|version| (version.effective_from, expression(&version.programme))).collect();
    let mut asked = by_day.into_iter().map(|(from, expression)| (from, expression.unwrap_or_else(|| schedules::NEVER.to_owned())));
    let first = asked.next().map_or_else(|| schedules::NEVER.to_owned(), |(_, expression)| expression);
    schedules::changing(&first, asked)
}

/// Records the schedules that should exist; one that is new fires from now on, and one that a version no longer asks for fires until the
/// day of that version. None is paused or removed.
///
/// # Errors
/// [`RecordError`].
///
/// # Idempotency
/// By their ids: the same again changes nothing.
pub async fn record(tx: &DatabaseTransaction, now: Instant) -> Result<Vec<Planned>, RecordError> {
    let known: BTreeSet<String> = schedules::ids(tx).await.map_err(LoadError::from)?.into_iter().collect();
    let mut planned = plans(tx).await?;
    planned.retain(|one| !one.is_never() || known.contains(&one.id));
    for one in &planned {
        let put = schedules::put(tx, &one.plan(), durable::Instant(now.0)).await;
        put.map_err(|source| RecordError::Schedule { id: one.id.clone(), source })?;
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use program::version::Version;
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

    fn reseller() -> &'static str {
        include_str!("../config/programs/reseller.toml")
    }

    /// The same without any schedule.
    fn silent() -> String {
        let lines = reseller().lines().filter(|line| !line.starts_with("schedule") && !line.starts_with("expires"));
        lines.fold(String::new(), |all, line| all + line + "\n")
    }

    /// The expressions for settlements, reviews and expiries.
    fn asked(versions: &[(&str, &str)]) -> [String; 3] {
        let version = |(number, (from, text)): (i64, &(&str, &str))| Version {
            number,
            effective_from: from.parse().expect("a date"),
            programme: program::file::load("reseller.toml", text).expect("a programme"),
        };
        let versions = Versions::new((1..).zip(versions).map(version).collect()).expect("versions");
        let planned = of_programme(&versions);
        assert!(planned.iter().all(|one| one.zone == "America/New_York"));
        let ids: Vec<&str> = planned.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["settlement/reseller", "recertification/reseller", "lot_expiry/reseller"]);
        planned.into_iter().map(|one| one.expression).collect::<Vec<_>>().try_into().expect("three")
    }

    #[test]
    fn a_programme_asks_for_what_it_writes_down() {
        let written = ["0 0 6 1 * *", "0 0 7 1 1,4,7,10 *", LOT_EXPIRY_AT];
        assert_eq!(asked(&[("2026-01-01", reseller())]), written);
        assert_eq!(asked(&[("2026-01-01", &silent())]), [schedules::NEVER; 3]);
        assert_eq!(asked(&[("2026-01-01", reseller()), ("2026-05-01", reseller())]), written, "what changes nothing is no change");
        assert_eq!(asked(&[("2026-01-01", &silent()), ("2026-01-01", reseller())]), written, "of one day the last version holds");
    }

    #[test]
    fn a_version_asks_from_its_day_on() {
        let dropped = asked(&[("2026-01-01", reseller()), ("2026-05-01", &silent())]);
        assert_eq!(dropped[0], "0 0 6 1 * *; from 2026-05-01 never");
        let monthly = reseller().replace("0 0 7 1 1,4,7,10 *", "0 0 7 2 * *");
        let changed = asked(&[("2026-01-01", &silent()), ("2026-05-01", reseller()), ("2026-07-01", &monthly)]);
        assert_eq!(changed[0], "never; from 2026-05-01 0 0 6 1 * *");
        assert_eq!(changed[1], "never; from 2026-05-01 0 0 7 1 1,4,7,10 *; from 2026-07-01 0 0 7 2 * *");
        assert!(changed.iter().all(|text| durable::schedules::Rule::new(text, "UTC").is_ok()));
    }

    #[test]
    fn slots_of_one_programme_go_one_after_the_other() {
        let program = || "p".to_owned();
        let behind = |what: &Scheduled| what.behind().into_iter().map(|one| (one.schedule, one.same_instant)).collect::<Vec<_>>();
        let settlement = Scheduled::Settlement { program: program() };
        assert_eq!(behind(&settlement), [("lot_expiry/p".to_owned(), true), ("recertification/p".to_owned(), false)]);
        // Of two that meet at an instant, one waits for the other, and never both.
        let all = [settlement, Scheduled::Recertification { program: program() }, Scheduled::LotExpiry { program: program() }];
        for one in &all {
            for other in all.iter().filter(|other| *other != one) {
                let waits = |a: &Scheduled, b: &Scheduled| a.behind().iter().any(|behind| behind.schedule == b.to_string() && behind.same_instant);
                assert!(waits(one, other) != waits(other, one), "{one} {other}");
            }
        }
        assert_eq!(behind(&Scheduled::CertificationNotices), []);
    }
}
