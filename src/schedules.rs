//! Which schedules the programmes ask for, and what their slots start.

use books::load::row::{LoadError, rows};
use books::load::versions;
use chrono::NaiveDate;
use durable::schedules::{self, Plan, ScheduleError, Slot, Starts};
use durable::{Instant, Workflow};
use program::calendar::{Instant as Now, Period};
use sea_orm::DatabaseTransaction;
use serde::Serialize;
use workflows::certification_notices::NoticesInput;
use workflows::lot_expiry::ExpiryInput;
use workflows::recertification::ReviewInput;
use workflows::settlement_run::SettlementInput;
use workflows::{CertificationNotices, LotExpiry, Recertification, SettlementRun};

/// When lots are looked at, in the programme's zone.
const LOT_EXPIRY: &str = "0 30 0 * * *";
/// When certificates are looked at, UTC.
const CERTIFICATION_NOTICES: &str = "0 0 8 * * *";
/// The schedule that is no programme's.
const NOTICES_ID: &str = "certification_notices";

/// Schedules that can't be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The programmes can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// One of them is no schedule.
    #[error("the schedule {id} can't be recorded")]
    Schedule {
        /// Which.
        id: String,
        /// Why.
        #[source]
        source: ScheduleError,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
}

/// Records the schedules of every programme's version in force; what is recorded already stays as it is.
///
/// # Errors
/// [`RecordError`].
pub async fn record(tx: &DatabaseTransaction, now: Now) -> Result<(), RecordError> {
    for row in rows(tx, "SELECT id FROM programs ORDER BY id", vec![]).await? {
        let program = row.string(0)?;
        let versions = versions::load(tx, &program, i64::MAX).await?;
        let constant = versions.constant();
        let terms = &versions.on(now.date_in(constant.timezone)).programme;
        let zone = constant.timezone.name();
        if let Some(expression) = &terms.settlement.schedule {
            put(tx, &format!("settlement/{program}"), expression, zone, SettlementRun::NAME, true, now).await?;
        }
        if let Some(expression) = &terms.recertification.schedule {
            put(tx, &format!("recertification/{program}"), expression, zone, Recertification::NAME, true, now).await?;
        }
        if terms.coop.expires_after_months.is_some() {
            put(tx, &format!("lot_expiry/{program}"), LOT_EXPIRY, zone, LotExpiry::NAME, true, now).await?;
        }
    }
    put(tx, NOTICES_ID, CERTIFICATION_NOTICES, "UTC", CertificationNotices::NAME, false, now).await
}

async fn put(tx: &DatabaseTransaction, id: &str, expression: &str, zone: &str, workflow: &str, in_turn: bool, now: Now) -> Result<(), RecordError> {
    let plan = Plan { id, expression, zone, workflow, in_turn };
    schedules::put(tx, &plan, Instant(now.0)).await.map_err(|source| RecordError::Schedule { id: id.to_owned(), source })
}

/// What a slot of a schedule starts. A settlement slot settles the month before its own.
#[must_use]
pub fn starts(schedule: &str, slot: Slot) -> Starts {
    let day = slot.0.date();
    let (kind, program) = schedule.split_once('/').unwrap_or((schedule, ""));
    let program = program.to_owned();
    match kind {
        "settlement" => of::<SettlementRun>(settled_by(&program, day), SettlementInput::key),
        "recertification" => of::<Recertification>(ReviewInput { program, as_of: day }, ReviewInput::key),
        "lot_expiry" => of::<LotExpiry>(ExpiryInput { program, day }, ExpiryInput::key),
        _ => of::<CertificationNotices>(NoticesInput { day }, NoticesInput::key),
    }
}

fn settled_by(program: &str, day: NaiveDate) -> SettlementInput {
    SettlementInput { program: program.to_owned(), period: Period::of(day).previous().to_string() }
}

fn of<W: Workflow<Input: Serialize>>(input: W::Input, key: impl Fn(&W::Input) -> String) -> Starts {
    // An input of ours is a struct of texts: it always has JSON.
    Starts { version: W::VERSION, key: key(&input), input: serde_json::to_value(&input).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settlement_slot_settles_the_month_before() {
        let slot = |text: &str| text.parse::<Slot>().unwrap();
        let january = starts("settlement/reseller", slot("2026-01-01T06:00:00"));
        assert_eq!(january.key, "reseller/2025-12");
        assert_eq!(january.input, serde_json::json!({ "program": "reseller", "period": "2025-12" }));
        let review = starts("recertification/reseller", slot("2026-04-01T07:00:00"));
        assert_eq!(review.key, "reseller/2026-04-01");
        assert_eq!(starts("certification_notices", slot("2026-04-01T08:00:00")).key, "2026-04-01");
    }
}
