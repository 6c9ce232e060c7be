//! What must always hold of the engine's tables. Each check returns the offending rows; none is good. Nothing is changed, and the caller
//! chooses the snapshot.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder};
use serde::Serialize;

use crate::clock::Instant;
use crate::entities::schedule;
use crate::schedules::{self, Rule, ScheduleError, Slot};
use crate::sql;

/// Rows that one check returns at most.
pub const FINDINGS_MAX: usize = 1_000;
/// Slots of a schedule that are recomputed, from the last decided back.
const SLOTS_MAX: usize = 20_000;

/// A row that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// The run, message or slot.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A schedule can't be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
}

struct Check {
    name: &'static str,
    reason: &'static str,
    /// Selects the id and, if it has two columns, a detail.
    text: &'static str,
}

const CHECKS: [Check; 13] = [
    Check {
        name: "journal contiguous",
        reason: "its journal has a gap",
        text: "SELECT run FROM run_steps GROUP BY run HAVING min(ordinal) <> 1 OR max(ordinal) <> count(*)",
    },
    Check {
        name: "journal of a run",
        reason: "its journal belongs to no run",
        text: "SELECT DISTINCT run FROM run_steps WHERE NOT EXISTS (SELECT 1 FROM workflow_runs r WHERE r.id = run_steps.run)",
    },
    Check {
        name: "result once",
        reason: "a step has an outcome and no result, or a result and no outcome",
        text: "SELECT run, name FROM run_steps WHERE (outcome IN ('done', 'unknown', 'failed')) <> (ended_at IS NOT NULL) \
               OR (outcome IN ('done', 'unknown') AND kind NOT IN ('sleep', 'signal') AND result IS NULL)",
    },
    Check {
        name: "ended whole",
        reason: "the run is done, but a step of it is not",
        text: "SELECT s.run, s.name FROM run_steps s JOIN workflow_runs r ON r.id = s.run \
               WHERE r.status = 'done' AND s.outcome NOT IN ('done', 'unknown', 'failed')",
    },
    Check {
        name: "ended with a result",
        reason: "the run has ended without output, error or a person who cancelled it",
        text: "SELECT id, status FROM workflow_runs WHERE (status = 'done' AND output IS NULL) OR (status = 'failed' AND error IS NULL) \
               OR (status = 'cancelled' AND status_by IS NULL)",
    },
    Check {
        name: "no silent stall",
        reason: "the run waits for nothing that could come",
        text: "SELECT id, waiting_for FROM workflow_runs WHERE status = 'waiting' AND wake_at IS NULL AND awaits_run IS NULL \
               AND waiting_for NOT LIKE 'signal %'",
    },
    Check {
        name: "no silent stall",
        reason: "the run waits for a run that has ended or does not exist",
        text: "SELECT w.id, w.awaits_run FROM workflow_runs w LEFT JOIN workflow_runs c ON c.id = w.awaits_run \
               WHERE w.status = 'waiting' AND w.awaits_run IS NOT NULL AND (c.id IS NULL OR c.finished_at IS NOT NULL)",
    },
    Check {
        name: "no silent stall",
        reason: "the run waits for a signal that has come",
        text: "SELECT r.id, s.name FROM workflow_runs r JOIN run_signals s ON s.run = r.id AND s.consumed_at IS NULL \
               AND 'signal ' || s.name = r.waiting_for AND (r.wake_at IS NULL OR s.sent_at <= r.wake_at) WHERE r.status = 'waiting'",
    },
    Check {
        name: "visible parking",
        reason: "the run is stopped without a reason",
        text: "SELECT id, status FROM workflow_runs WHERE (status IN ('parked', 'needs_review') AND error IS NULL) \
               OR (status = 'paused' AND (status_by IS NULL OR status_reason IS NULL))",
    },
    Check {
        name: "has an executor",
        reason: "the run is held by a node that is not known",
        text: "SELECT id, owner FROM workflow_runs WHERE status = 'running' AND NOT EXISTS (SELECT 1 FROM engine_nodes n WHERE n.name = owner)",
    },
    Check {
        name: "one run a key",
        reason: "there are several runs of the workflow with this key",
        text: "SELECT workflow, key FROM workflow_runs GROUP BY workflow, key HAVING count(*) > 1",
    },
    Check {
        name: "one message a key",
        reason: "there are several messages of the topic with this key",
        text: "SELECT topic, key FROM outbox GROUP BY topic, key HAVING count(*) > 1",
    },
    Check {
        name: "slots",
        reason: "the slot's run does not exist",
        text: "SELECT schedule, slot FROM schedule_slots WHERE state = 'started' AND NOT EXISTS (SELECT 1 FROM workflow_runs r WHERE r.id = run)",
    },
];

/// Runs every check.
///
/// # Errors
/// [`VerifyError`].
pub async fn verify<C: ConnectionTrait>(db: &C, now: Instant) -> Result<Vec<Finding>, VerifyError> {
    let mut findings = Vec::new();
    for check in CHECKS {
        for row in sql::rows(db, &format!("{} LIMIT {FINDINGS_MAX}", check.text), []).await? {
            let detail = row.try_get_by_index::<Option<String>>(1).ok().flatten();
            let reason = detail.map_or_else(|| check.reason.to_owned(), |detail| format!("{} ({detail})", check.reason));
            findings.push(Finding { check: check.name, id: row.try_get_by_index(0)?, reason });
        }
    }
    findings.extend(overdue_leases(db, now).await?);
    findings.extend(undecided_slots(db).await?);
    Ok(findings)
}

/// Runs whose node has been silent for ten leases' length beyond its lease, while another node lives that should have taken them.
async fn overdue_leases<C: ConnectionTrait>(db: &C, now: Instant) -> Result<Vec<Finding>, DbErr> {
    let ten_minutes = 600_000_000_i64;
    let text = "SELECT r.id, r.owner FROM workflow_runs r JOIN engine_nodes n ON n.name = r.owner WHERE r.status = 'running' AND n.lease_until < ? \
                AND EXISTS (SELECT 1 FROM engine_nodes o WHERE o.name <> n.name AND o.lease_until > ?) LIMIT 1000";
    let rows = sql::rows(db, text, [now.0.saturating_sub(ten_minutes).into(), now.0.into()]).await?;
    rows.iter()
        .map(|row| {
            let owner: String = row.try_get_by_index(1)?;
            let reason = format!("the run is held by node {owner:?}, whose lease ended more than ten minutes ago");
            Ok(Finding { check: "has an executor", id: row.try_get_by_index(0)?, reason })
        })
        .collect()
}

/// Slots that a schedule has passed without starting or missing them.
async fn undecided_slots<C: ConnectionTrait>(db: &C) -> Result<Vec<Finding>, VerifyError> {
    let mut findings = Vec::new();
    for known in schedule::Entity::find().order_by_asc(schedule::Column::Id).all(db).await? {
        let rule = Rule::new(&known.expression, &known.zone).map_err(ScheduleError::from)?;
        let last: Slot = known.looked_until.parse().map_err(ScheduleError::from)?;
        let from = rule.local(Instant(known.rules_from));
        for slot in rule.latest_slots(from, last, SLOTS_MAX) {
            if rule.due_at(slot).0 > known.rules_from && schedules::state(db, &known.id, slot).await?.is_none() {
                let reason = "the slot was passed: it neither started a run nor is recorded as missed".to_owned();
                findings.push(Finding { check: "slots", id: format!("{} {slot}", known.id), reason });
            }
        }
    }
    Ok(findings)
}
