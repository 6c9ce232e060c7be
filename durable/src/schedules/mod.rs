//! Schedules: each slot (schedule, local time) starts its run once, or is recorded as missed with its reason.
//!
//! What was looked at is kept as a local time, never as an instant: with the clock going back and forth no slot comes twice, and none is
//! left out.

mod list;
mod order;
mod rule;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait};
use serde_json::Value;

use crate::clock::Instant;
use crate::entities::{schedule, slot};
use crate::ids::RunId;
use crate::json::bounded;
use crate::runs::{self, NewRun, RunError};
use crate::sql;
use crate::status::RunStatus;

pub use list::{Change, ScheduleLine, ids, list, next_due};
pub use order::{Behind, OpenRun, OpenSlot, first_open};
pub use rule::{NEVER, Rule, RuleError, Slot, changing};

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
    /// Cron with seconds, and what follows it from a day on: as [`Rule::new`] reads it.
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
    /// The keys of its successors: each is used where the run of the one before it was cancelled or has failed.
    pub successors: Vec<String>,
    /// What the run starts with.
    pub input: Value,
}

/// What becomes of a slot that is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Its run is started.
    Start(Starts),
    /// It is recorded as missed, for a reason.
    Miss(String),
}

impl From<Starts> for Decision {
    fn from(starts: Starts) -> Self {
        Self::Start(starts)
    }
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

/// Records a schedule. The slots of a new one are those after now. Another expression of a known one holds from now on or, as long as slots
/// of the old one are due that nobody has decided, after the last that was; another zone from now on.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
///
/// # Idempotency
/// By its id: the same plan again changes nothing.
pub async fn put(tx: &DatabaseTransaction, plan: &Plan<'_>, now: Instant) -> Result<(), ScheduleError> {
    let rule = Rule::new(plan.expression, plan.zone)?;
    let insert = "INSERT INTO schedules (id, expression, zone, workflow, in_turn, created_at, rules_from, looked_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
                  ON CONFLICT (id) DO NOTHING";
    let in_turn = i64::from(plan.in_turn);
    let values = [
        plan.id.into(),
        plan.expression.into(),
        plan.zone.into(),
        plan.workflow.into(),
        in_turn.into(),
        now.0.into(),
        now.0.into(),
        rule.local(now).to_string().into(),
    ];
    if sql::execute(tx, insert, values).await? == 1 {
        return Ok(());
    }
    let known = locked(tx, plan.id).await?;
    if known.workflow != plan.workflow || known.in_turn != in_turn {
        let update = "UPDATE schedules SET workflow = ?, in_turn = ? WHERE id = ?";
        sql::execute(tx, update, [plan.workflow.into(), in_turn.into(), plan.id.into()]).await?;
    }
    if known.expression != plan.expression || known.zone != plan.zone {
        let (from, looked_until) = change_from(&known, &rule, plan, now)?;
        let update = "UPDATE schedules SET expression = ?, zone = ?, rules_from = ?, looked_until = ? WHERE id = ?";
        let values = [plan.expression.into(), plan.zone.into(), from.0.into(), looked_until.to_string().into(), plan.id.into()];
        sql::execute(tx, update, values).await?;
    }
    Ok(())
}

/// Since when a changed rule holds: the instant, and the local time after which its slots are.
fn change_from(known: &schedule::Model, rule: &Rule, plan: &Plan<'_>, now: Instant) -> Result<(Instant, Slot), ScheduleError> {
    let old = Rule::new(&known.expression, &known.zone)?;
    let is_behind = next_slot(&old, known)?.is_some_and(|slot| old.due_at(slot) <= now);
    if !is_behind || known.zone != plan.zone {
        return Ok((now, rule.local(now)));
    }
    let looked_until: Slot = known.looked_until.parse()?;
    let decided_at = rule.due_at(looked_until);
    // All slots of a gap are due at its end: those after the last one that was decided are still to come.
    let is_in_gap = rule.local(decided_at) != looked_until;
    Ok((Instant(decided_at.0.saturating_sub(i64::from(is_in_gap)).max(known.rules_from)), looked_until))
}

/// Decides, in order, at most [`PASS_MAX`] slots that are due: each is what `decide` says, or missed because the schedule is paused. It stops at
/// a slot that has to wait: for the run of the one before it, where slots go in turn, or for a slot that it is behind. A run that it starts
/// is younger than the end of those it has waited for.
///
/// # Errors
/// [`ScheduleError`].
///
/// # Idempotency
/// By (schedule, local time).
pub async fn fire_due<D: Into<Decision>>(
    tx: &DatabaseTransaction,
    schedule: &str,
    behind: &[Behind],
    clock: impl Fn() -> Instant + Send,
    decide: impl Fn(Slot) -> D + Send,
) -> Result<Vec<Decided>, ScheduleError> {
    if !is_ready(tx, schedule, behind, clock()).await? {
        return Ok(Vec::new());
    }
    let known = locked(tx, schedule).await?;
    let now = clock();
    let rule = Rule::new(&known.expression, &known.zone)?;
    let mut looked_until: Slot = known.looked_until.parse()?;
    let mut decided = Vec::new();
    let mut stepped = 0;
    for next in rule.slots_after(looked_until) {
        let due_at = rule.due_at(next);
        stepped += 1;
        if due_at > now || decided.len() >= PASS_MAX || stepped > SKIP_MAX {
            break;
        }
        if due_at.0 <= known.rules_from || state(tx, schedule, next).await?.is_some() {
            looked_until = next;
            continue;
        }
        if known.paused == 0 && order::first_before(tx, &known, behind, next, due_at).await?.is_some() {
            break;
        }
        looked_until = next;
        let decision = if known.paused == 1 { Decision::Miss(why_paused(&known)) } else { decide(next).into() };
        let run = match decision {
            Decision::Miss(reason) => {
                missed(tx, &known, next, due_at, &reason, now).await?;
                None
            }
            // Not the time of the look: a run that it waited for may have ended since.
            Decision::Start(starts) => Some(started(tx, &known, next, due_at, None, clock(), &starts).await?),
        };
        decided.push(Decided { slot: next, due_at, run });
    }
    look_until(tx, schedule, looked_until).await?;
    Ok(decided)
}

/// Whether a slot is due that waits for nothing, as a look without a lock finds it: nothing is written for one that waits, be it for weeks.
async fn is_ready(tx: &DatabaseTransaction, schedule: &str, behind: &[Behind], now: Instant) -> Result<bool, ScheduleError> {
    let known = schedule::Entity::find_by_id(schedule).one(tx).await?.ok_or_else(|| ScheduleError::NotFound(schedule.to_owned()))?;
    let rule = Rule::new(&known.expression, &known.zone)?;
    let looked_until: Slot = known.looked_until.parse()?;
    if rule.slots_after(looked_until).next().is_none_or(|slot| rule.due_at(slot) > now) {
        return Ok(false);
    }
    match next_slot(&rule, &known)?.map(|slot| (slot, rule.due_at(slot))) {
        Some((slot, due_at)) if due_at <= now && known.paused == 0 && state(tx, schedule, slot).await?.is_none() => {
            Ok(order::first_before(tx, &known, behind, slot, due_at).await?.is_none())
        }
        Some(_) | None => Ok(true),
    }
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
                missed(tx, &known, next, due_at, &why_paused(&known), now).await?;
                count += 1;
            }
        }
        look_until(tx, schedule, looked_until).await?;
    }
    sql::execute(tx, "UPDATE schedules SET paused = 0, paused_by = NULL, paused_reason = NULL WHERE id = ?", [schedule.into()]).await?;
    Ok(count)
}

/// Runs a slot by hand: one that was missed, one that is still to come, one whose run was cancelled or has failed, or, without a slot, one
/// at the present local time.
///
/// # Errors
/// [`ScheduleError`].
///
/// # Idempotency
/// By (schedule, local time): a slot that has a run, at work or done, returns it.
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
    if let Some(Some(run)) = state(tx, schedule, wanted).await?
        && !is_given_up(tx, &run).await?
    {
        return Ok(run);
    }
    let starts = start(wanted);
    started(tx, &known, wanted, rule.due_at(wanted), Some(by), now, &starts).await
}

/// When a slot of a schedule is due.
///
/// # Errors
/// [`ScheduleError::NotFound`], [`ScheduleError::NoSlot`], [`ScheduleError::Database`].
pub async fn due_at<C: ConnectionTrait>(db: &C, schedule: &str, slot: Slot) -> Result<Instant, ScheduleError> {
    let known = schedule::Entity::find_by_id(schedule).one(db).await?.ok_or_else(|| ScheduleError::NotFound(schedule.to_owned()))?;
    let rule = Rule::new(&known.expression, &known.zone)?;
    if !rule.includes(slot) {
        return Err(ScheduleError::NoSlot { schedule: schedule.to_owned(), slot });
    }
    Ok(rule.due_at(slot))
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

fn why_paused(known: &schedule::Model) -> String {
    let reason = known.paused_reason.as_deref().unwrap_or_default();
    format!("the schedule was paused by {}: {reason}", known.paused_by.as_deref().unwrap_or_default())
}

async fn missed(tx: &DatabaseTransaction, known: &schedule::Model, slot: Slot, due_at: Instant, reason: &str, now: Instant) -> Result<(), DbErr> {
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
    let run = start_anew(tx, &known.workflow, starts, now).await?;
    let text = "INSERT INTO schedule_slots (schedule, slot, due_at, state, run, by_whom, decided_at) VALUES (?, ?, ?, 'started', ?, ?, ?) \
                ON CONFLICT (schedule, slot) DO UPDATE SET state = 'started', run = excluded.run, by_whom = excluded.by_whom, decided_at = excluded.decided_at";
    let values = [known.id.as_str().into(), slot.to_string().into(), due_at.0.into(), run.as_str().into(), by.map(bounded).into(), now.0.into()];
    sql::execute(tx, text, values).await?;
    Ok(run)
}

/// Starts the run, or finds it; where it was cancelled or has failed, the next of its successors.
async fn start_anew(tx: &DatabaseTransaction, workflow: &str, starts: &Starts, now: Instant) -> Result<RunId, ScheduleError> {
    let new = |key| NewRun { workflow, version: starts.version, key, input: &starts.input, parent: None };
    let mut started = runs::start(tx, &new(&starts.key), now).await?;
    for key in &starts.successors {
        if started.fresh || !is_given_up(tx, &started.run).await? {
            break;
        }
        started = runs::start(tx, &new(key), now).await?;
    }
    Ok(started.run)
}

/// Whether a run was cancelled or has failed: what it was to do is still to be done.
async fn is_given_up(tx: &DatabaseTransaction, run: &RunId) -> Result<bool, RunError> {
    Ok(matches!(runs::status(tx, run).await?, RunStatus::Cancelled | RunStatus::Failed))
}

async fn look_until(tx: &DatabaseTransaction, schedule: &str, until: Slot) -> Result<(), DbErr> {
    sql::execute(tx, "UPDATE schedules SET looked_until = ? WHERE id = ?", [until.to_string().into(), schedule.into()]).await?;
    Ok(())
}
