//! Which slots come before which: within a schedule whose slots go in turn, and between schedules.

use sea_orm::{ConnectionTrait, EntityTrait};

use super::{Rule, SKIP_MAX, ScheduleError, Slot, state};
use crate::clock::Instant;
use crate::entities::schedule;
use crate::ids::RunId;
use crate::sql;

/// Whose slots a schedule's slots are behind: one starts when those due before it are missed, or their runs have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The other schedule; one that is not there holds nothing up.
    pub schedule: String,
    /// Whether a slot is also behind the other's slot of the same instant.
    pub same_instant: bool,
}

/// A slot that is neither missed nor has its run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSlot {
    /// The schedule.
    pub schedule: String,
    /// The local time.
    pub slot: Slot,
    /// When it is due.
    pub due_at: Instant,
    /// The run that it has started; none when nobody has decided it.
    pub run: Option<OpenRun>,
}

/// The run of a slot, which has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub id: RunId,
    /// Where it stands.
    pub status: String,
    /// What went wrong last.
    pub error: Option<String>,
}

impl std::fmt::Display for OpenSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.schedule, self.slot)?;
        match &self.run {
            None => write!(f, ", which has not started"),
            Some(OpenRun { id, status, error: None }) => write!(f, ", whose run {id} is {status}"),
            Some(OpenRun { id, status, error: Some(error) }) => write!(f, ", whose run {id} is {status}: {error}"),
        }
    }
}

/// The first open slot of a schedule, after a local time if one is given, as far as `concerns` goes on saying yes; none where there is no
/// such schedule. The slots of a paused schedule that nobody has decided will be missed, and are not open.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
pub async fn first_open<C: ConnectionTrait>(
    db: &C,
    schedule: &str,
    after: Option<Slot>,
    concerns: impl Fn(Slot, Instant) -> bool + Send + Sync,
) -> Result<Option<OpenSlot>, ScheduleError> {
    let Some(known) = schedule::Entity::find_by_id(schedule).one(db).await? else { return Ok(None) };
    let running = first_running(db, schedule, |slot, due_at| after.is_none_or(|after| slot > after) && concerns(slot, due_at)).await?;
    if known.paused == 1 {
        return Ok(running);
    }
    let rule = Rule::new(&known.expression, &known.zone)?;
    let looked_until: Slot = known.looked_until.parse()?;
    for slot in rule.slots_after(after.map_or(looked_until, |after| after.max(looked_until))).take(SKIP_MAX) {
        let due_at = rule.due_at(slot);
        if !concerns(slot, due_at) || running.as_ref().is_some_and(|running| running.slot <= slot) {
            break;
        }
        if due_at.0 > known.rules_from && state(db, schedule, slot).await?.is_none() {
            return Ok(Some(OpenSlot { schedule: schedule.to_owned(), slot, due_at, run: None }));
        }
    }
    Ok(running)
}

/// The first slot of concern whose run has not ended.
async fn first_running<C: ConnectionTrait>(
    db: &C,
    schedule: &str,
    concerns: impl Fn(Slot, Instant) -> bool + Send + Sync,
) -> Result<Option<OpenSlot>, ScheduleError> {
    let text = "SELECT s.slot, s.due_at, r.id, r.status, r.error FROM schedule_slots s JOIN workflow_runs r ON r.id = s.run \
                WHERE s.schedule = ? AND r.finished_at IS NULL ORDER BY s.slot";
    for row in sql::rows(db, text, [schedule.into()]).await? {
        let (slot, due_at) = (row.try_get_by_index::<String>(0)?.parse()?, Instant(row.try_get_by_index(1)?));
        if concerns(slot, due_at) {
            let run = OpenRun { id: RunId::stored(row.try_get_by_index(2)?), status: row.try_get_by_index(3)?, error: row.try_get_by_index(4)? };
            return Ok(Some(OpenSlot { schedule: schedule.to_owned(), slot, due_at, run: Some(run) }));
        }
    }
    Ok(None)
}

/// The first open slot that keeps a slot waiting.
pub(super) async fn first_before<C: ConnectionTrait>(
    db: &C,
    known: &schedule::Model,
    behind: &[Behind],
    slot: Slot,
    due_at: Instant,
) -> Result<Option<OpenSlot>, ScheduleError> {
    // Those of its own that nobody has decided are not before a slot: they are decided in order.
    let mut first = if known.in_turn == 1 { first_running(db, &known.id, |other, _| other < slot).await? } else { None };
    for other in behind {
        let found = first_open(db, &other.schedule, None, |_, due| due < due_at || (other.same_instant && due == due_at)).await?;
        first = match (first, found) {
            (Some(first), Some(found)) => Some(if found.due_at < first.due_at { found } else { first }),
            (first, found) => first.or(found),
        };
    }
    Ok(first)
}
