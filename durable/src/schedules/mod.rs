//! Schedules: each slot (schedule, local time) starts its run once, or is recorded as missed with its reason.
//!
//! What was looked at is kept as a local time, never as an instant: with the clock going back and forth no slot comes twice, and none is
//! left out.

mod rule;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryOrder};
use serde::Serialize;
use serde_json::Value;

use crate::clock::Instant;
use crate::entities::{schedule, slot};
use crate::ids::RunId;
use crate::json::bounded;
use crate::runs::{self, NewRun, RunError};
use crate::sql;

pub use rule::{Rule, RuleError, Slot};

/// Slots that one pass decides; what is left comes with the next.
pub const PASS_MAX: usize = 100;
/// Slots that a resumption records as missed.
const RESUME_MAX: usize = 100_000;
/// Slots before their rule's start that one pass steps over.
const SKIP_MAX: usize = 100_000;

/// What can't be done with a schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Expression, zone or slot.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// There is no such schedule.
    #[error("there is no schedule {0:?}; see `schedule list`")]
    NotFound(String),
    /// The schedule's expression does not have this slot.
    #[error("schedule {schedule:?} has no slot {slot}")]
    NoSlot {
        /// The schedule.
        schedule: String,
        /// The local time.
        slot: Slot,
    },
    /// Too much was missed at once.
    #[error("schedule {0:?} has missed more than {RESUME_MAX} slots; let the service record them first")]
    TooMany(String),
    /// A run can't be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
}

/// A schedule as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Its id.
    pub id: &'a str,
    /// Cron with seconds.
    pub expression: &'a str,
    /// IANA zone.
    pub zone: &'a str,
    /// The workflow that its slots start.
    pub workflow: &'a str,
    /// Whether a slot waits until the run of the slot before it has ended.
    pub in_turn: bool,
}

/// What a slot starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Starts {
    /// The version of the workflow's code.
    pub version: u32,
    /// The business key of the run.
    pub key: String,
    /// What the run starts with.
    pub input: Value,
}

/// A slot that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The local time.
    pub slot: Slot,
    /// When it was due.
    pub due_at: Instant,
    /// The run that it started; none when it was missed.
    pub run: Option<RunId>,
}

/// Records a schedule. Its slots are those after now; another expression or zone of a known one holds from now on.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
///
/// # Idempotency
/// By its id: the same plan again changes nothing.
pub async fn put(tx: &DatabaseTransaction, plan: &Plan<'_>, now: Instant) -> Result<(), ScheduleError> {
    let rule = Rule::new(plan.expression, plan.zone)?;
    let looked_until = rule.local(now).to_string();
    let upsert = "INSERT INTO schedules (id, expression, zone, workflow, in_turn, created_at, rules_from, looked_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
                  ON CONFLICT (id) DO UPDATE SET expression = excluded.expression, zone = excluded.zone, workflow = excluded.workflow, \
                  in_turn = excluded.in_turn, rules_from = excluded.rules_from, looked_until = excluded.looked_until \
                  WHERE schedules.expression <> excluded.expression OR schedules.zone <> excluded.zone";
    let in_turn = i64::from(plan.in_turn);
    let values = [
        plan.id.into(),
        plan.expression.into(),
        plan.zone.into(),
        plan.workflow.into(),
        in_turn.into(),
        now.0.into(),
        now.0.into(),
        looked_until.into(),
    ];
    sql::execute(tx, upsert, values).await?;
    let update = "UPDATE schedules SET workflow = ?, in_turn = ? WHERE id = ?";
    sql::execute(tx, update, [plan.workflow.into(), in_turn.into(), plan.id.into()]).await?;
    Ok(())
}

/// Decides, in order, at most [`PASS_MAX`] slots that are due: each starts its run, or is missed because the schedule is paused. A
/// schedule whose slots go in turn stops at one whose predecessor's run has not ended.
///
/// # Errors
/// [`ScheduleError`].
///
/// # Idempotency
/// By (schedule, local time).
pub async fn fire_due(
    tx: &DatabaseTransaction,
    schedule: &str,
    now: Instant,
    start: impl Fn(Slot) -> Starts + Send,
) -> Result<Vec<Decided>, ScheduleError> {
    let known = locked(tx, schedule).await?;
    let rule = Rule::new(&known.expression, &known.zone)?;
    let mut looked_until: Slot = known.looked_until.parse()?;
    let mut decided = Vec::new();
    let mut stepped = 0;
    for next in rule.slots_after(looked_until) {
        let due_at = rule.due_at(next);
        stepped += 1;
        if due_at > now
            || decided.len() >= PASS_MAX
            || stepped > SKIP_MAX
            || (known.in_turn == 1 && known.paused == 0 && !last_ended(tx, schedule).await?)
        {
            break;
        }
        looked_until = next;
        if due_at.0 <= known.rules_from || state(tx, schedule, next).await?.is_some() {
            continue;
        }
        let run = if known.paused == 1 {
            missed(tx, &known, next, due_at, now).await?;
            None
        } else {
            let starts = start(next);
            Some(started(tx, &known, next, due_at, None, now, &starts).await?)
        };
        decided.push(Decided { slot: next, due_at, run });
    }
    look_until(tx, schedule, looked_until).await?;
    Ok(decided)
}

/// Pauses a schedule: its slots are missed until it is resumed.
///
/// # Errors
/// [`ScheduleError::NotFound`], [`ScheduleError::Database`].
pub async fn pause(tx: &DatabaseTransaction, schedule: &str, by: &str, reason: &str) -> Result<(), ScheduleError> {
    let text = "UPDATE schedules SET paused = 1, paused_by = ?, paused_reason = ? WHERE id = ?";
    match sql::execute(tx, text, [bounded(by).into(), bounded(reason).into(), schedule.into()]).await? {
        0 => Err(ScheduleError::NotFound(schedule.to_owned())),
        _ => Ok(()),
    }
}

/// Lets a schedule go on; what was due while it was paused is recorded as missed, and how much that was is returned.
///
/// # Errors
/// [`ScheduleError`].
pub async fn resume(tx: &DatabaseTransaction, schedule: &str, now: Instant) -> Result<usize, ScheduleError> {
    let known = locked(tx, schedule).await?;
    let mut count = 0;
    if known.paused == 1 {
        let rule = Rule::new(&known.expression, &known.zone)?;
        let mut looked_until: Slot = known.looked_until.parse()?;
        for next in rule.slots_after(looked_until) {
            let due_at = rule.due_at(next);
            if due_at > now {
                break;
            }
            if count >= RESUME_MAX {
                return Err(ScheduleError::TooMany(schedule.to_owned()));
            }
            looked_until = next;
            if due_at.0 > known.rules_from && state(tx, schedule, next).await?.is_none() {
                missed(tx, &known, next, due_at, now).await?;
                count += 1;
            }
        }
        look_until(tx, schedule, looked_until).await?;
    }
    sql::execute(tx, "UPDATE schedules SET paused = 0, paused_by = NULL, paused_reason = NULL WHERE id = ?", [schedule.into()]).await?;
    Ok(count)
}

/// Runs a slot by hand: one that was missed, one that is still to come, or, without a slot, one at the present local time.
///
/// # Errors
/// [`ScheduleError`].
///
/// # Idempotency
/// By (schedule, local time): a slot that has a run returns it.
pub async fn run_slot(
    tx: &DatabaseTransaction,
    schedule: &str,
    slot: Option<Slot>,
    by: &str,
    now: Instant,
    start: impl Fn(Slot) -> Starts + Send,
) -> Result<RunId, ScheduleError> {
    let known = locked(tx, schedule).await?;
    let rule = Rule::new(&known.expression, &known.zone)?;
    let wanted = slot.unwrap_or_else(|| rule.local(now));
    if slot.is_some() && !rule.includes(wanted) {
        return Err(ScheduleError::NoSlot { schedule: schedule.to_owned(), slot: wanted });
    }
    if let Some(Some(run)) = state(tx, schedule, wanted).await? {
        return Ok(run);
    }
    let starts = start(wanted);
    started(tx, &known, wanted, rule.due_at(wanted), Some(by), now, &starts).await
}

/// A schedule with its times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleLine {
    /// Its id.
    pub id: String,
    /// Cron with seconds.
    pub expression: String,
    /// IANA zone.
    pub zone: String,
    /// What its slots start.
    pub workflow: String,
    /// Whether it is paused, by whom and why.
    pub paused: Option<String>,
    /// The next slot: its local time.
    pub next_slot: Option<String>,
    /// The next slot: its instant.
    pub next_at: Option<String>,
    /// The last slot that was decided.
    pub last_slot: Option<String>,
    /// What became of it.
    pub last_state: Option<String>,
    /// The run that it started.
    pub last_run: Option<String>,
}

/// All schedules with their next and last times, by id.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
pub async fn list<C: ConnectionTrait>(db: &C) -> Result<Vec<ScheduleLine>, ScheduleError> {
    let mut lines = Vec::new();
    for known in schedule::Entity::find().order_by_asc(schedule::Column::Id).all(db).await? {
        let rule = Rule::new(&known.expression, &known.zone)?;
        let next = next_slot(&rule, &known)?;
        let text = "SELECT slot, state, run FROM schedule_slots WHERE schedule = ? ORDER BY slot DESC LIMIT 1";
        let last = sql::row(db, text, [known.id.as_str().into()]).await?;
        let column = |index: usize| last.as_ref().map(|row| row.try_get_by_index::<Option<String>>(index)).transpose().map(Option::flatten);
        lines.push(ScheduleLine {
            paused: (known.paused == 1)
                .then(|| format!("by {}: {}", known.paused_by.as_deref().unwrap_or_default(), known.paused_reason.as_deref().unwrap_or_default())),
            next_slot: next.map(|slot| slot.to_string()),
            next_at: next.map(|slot| rule.due_at(slot).to_string()),
            last_slot: column(0)?,
            last_state: column(1)?,
            last_run: column(2)?,
            id: known.id,
            expression: known.expression,
            zone: known.zone,
            workflow: known.workflow,
        });
    }
    Ok(lines)
}

/// When the next slot of any schedule is due.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
pub async fn next_due<C: ConnectionTrait>(db: &C) -> Result<Option<Instant>, ScheduleError> {
    let mut first = None;
    for known in schedule::Entity::find().all(db).await? {
        let rule = Rule::new(&known.expression, &known.zone)?;
        let due = next_slot(&rule, &known)?.map(|slot| rule.due_at(slot));
        first = match (first, due) {
            (Some(first), Some(due)) => Some(std::cmp::min(first, due)),
            (first, due) => first.or(due),
        };
    }
    Ok(first)
}

/// Whether a slot is decided, and the run that it started.
pub(crate) async fn state<C: ConnectionTrait>(db: &C, schedule: &str, slot: Slot) -> Result<Option<Option<RunId>>, ScheduleError> {
    let found = slot::Entity::find_by_id((schedule.to_owned(), slot.to_string())).one(db).await?;
    Ok(found.map(|row| row.run.map(RunId::stored)))
}

fn next_slot(rule: &Rule, known: &schedule::Model) -> Result<Option<Slot>, ScheduleError> {
    let looked_until: Slot = known.looked_until.parse()?;
    Ok(rule.slots_after(looked_until).take(SKIP_MAX).find(|slot| rule.due_at(*slot).0 > known.rules_from))
}

async fn locked(tx: &DatabaseTransaction, schedule: &str) -> Result<schedule::Model, ScheduleError> {
    // Two schedulers of one database decide one after the other.
    sql::execute(tx, "UPDATE schedules SET id = id WHERE id = ?", [schedule.into()]).await?;
    schedule::Entity::find_by_id(schedule).one(tx).await?.ok_or_else(|| ScheduleError::NotFound(schedule.to_owned()))
}

async fn last_ended(tx: &DatabaseTransaction, schedule: &str) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM schedule_slots s JOIN workflow_runs r ON r.id = s.run WHERE s.schedule = ? AND r.finished_at IS NULL LIMIT 1";
    Ok(sql::row(tx, text, [schedule.into()]).await?.is_none())
}

async fn missed(tx: &DatabaseTransaction, known: &schedule::Model, slot: Slot, due_at: Instant, now: Instant) -> Result<(), DbErr> {
    let reason = known.paused_reason.as_deref().unwrap_or_default();
    let reason = format!("the schedule was paused by {}: {reason}", known.paused_by.as_deref().unwrap_or_default());
    let text = "INSERT INTO schedule_slots (schedule, slot, due_at, state, reason, decided_at) VALUES (?, ?, ?, 'missed', ?, ?)";
    sql::execute(tx, text, [known.id.as_str().into(), slot.to_string().into(), due_at.0.into(), reason.into(), now.0.into()]).await?;
    Ok(())
}

async fn started(
    tx: &DatabaseTransaction,
    known: &schedule::Model,
    slot: Slot,
    due_at: Instant,
    by: Option<&str>,
    now: Instant,
    starts: &Starts,
) -> Result<RunId, ScheduleError> {
    let new = NewRun { workflow: &known.workflow, version: starts.version, key: &starts.key, input: &starts.input, parent: None };
    let run = runs::start(tx, &new, now).await?.run;
    let text = "INSERT INTO schedule_slots (schedule, slot, due_at, state, run, by_whom, decided_at) VALUES (?, ?, ?, 'started', ?, ?, ?) \
                ON CONFLICT (schedule, slot) DO UPDATE SET state = 'started', run = excluded.run, by_whom = excluded.by_whom, decided_at = excluded.decided_at";
    let values = [known.id.as_str().into(), slot.to_string().into(), due_at.0.into(), run.as_str().into(), by.map(bounded).into(), now.0.into()];
    sql::execute(tx, text, values).await?;
    Ok(run)
}

async fn look_until(tx: &DatabaseTransaction, schedule: &str, until: Slot) -> Result<(), DbErr> {
    sql::execute(tx, "UPDATE schedules SET looked_until = ? WHERE id = ?", [until.to_string().into(), schedule.into()]).await?;
    Ok(())
}
