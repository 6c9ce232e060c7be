//! What time does to a claim that waits: reminders, the way to another role, its end (domain.md §6.4; interface.md §1).

use program::calendar::Instant;
use program::mdf::{self, Status};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::record::{self, Claim, Step};
use super::{MdfError, funds, restart};
use crate::load::row::{LoadError, execute};

/// Reminders of one step at most: who has ignored so many is reached by the deadline alone.
const REMINDERS_MAX: i64 = 100;

/// Seconds until a step that nobody can decide, or a claim that waits for accruals, is looked at again, least and most: so that years of looks are none too many for a run.
const LOOK_AGAIN_S: (i64, i64) = (3_600, 86_400);

/// What was due of a step that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing: it waits on.
    Nothing,
    /// Whoever is asked is reminded.
    Reminder,
    /// Another role is asked from now on, with as much time as the first had.
    Escalated,
    /// Nobody decided in time: the claim has expired.
    Expired,
}

/// Does what is due of the step that waits: one thing at a time, the deadline before a reminder. The time of a step begins with the first
/// look, which asks: none passes while nobody could be asked.
///
/// # Idempotency
/// The claim and the time: asked again at the same moment, there is nothing due.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn pass(tx: &DatabaseTransaction, id: &str, now: Instant) -> Result<Due, MdfError> {
    let claim = record::locked(tx, id).await?;
    if claim.status != Status::AwaitingApproval {
        return Ok(Due::Nothing);
    }
    let steps = record::steps(tx, &claim.id, claim.round).await?;
    let Some(step) = steps.iter().find(|step| step.status == "waiting") else { return Ok(Due::Nothing) };
    if step.asked_at.is_none() {
        begin(tx, &claim, step, now).await?;
        return Ok(Due::Nothing);
    }
    if step.due_at.is_some_and(|due_at| now >= due_at) {
        if escalate(tx, &claim, step, now).await? {
            return Ok(Due::Escalated);
        }
        expire(tx, &claim, step, now).await?;
        return Ok(Due::Expired);
    }
    if next_reminder(step).is_some_and(|at| now >= at) {
        remind(tx, &claim, step, now).await?;
        return Ok(Due::Reminder);
    }
    Ok(Due::Nothing)
}

/// When something is due of a step by itself: its next reminder or its deadline, whichever comes first.
#[must_use]
pub fn next_at(step: &Step) -> Option<Instant> {
    [next_reminder(step), step.due_at].into_iter().flatten().min()
}

/// When a step is looked at again that nobody can decide: soon at first, less often the longer it waits, once a day at last.
#[must_use]
pub fn look_again_at(step: &Step, now: Instant) -> Instant {
    look_again_after(step.opened_at, now)
}

/// As [`look_again_at`], of what waits since then.
pub(super) fn look_again_after(since: Option<Instant>, now: Instant) -> Instant {
    let waited_s = since.map_or(0, |since| (now.0 - since.0) / 1_000_000);
    restart::after(now, (waited_s / 24).clamp(LOOK_AGAIN_S.0, LOOK_AGAIN_S.1))
}

/// Reminders are counted from the last one, or from when the role was asked.
fn next_reminder(step: &Step) -> Option<Instant> {
    let every_s = step.remind_every_s.filter(|every_s| *every_s > 0 && step.reminders < REMINDERS_MAX)?;
    let since = [step.opened_at, step.asked_at, step.escalated_at, step.reminded_at].into_iter().flatten().max()?;
    Some(restart::after(since, every_s))
}

/// The step's time begins.
async fn begin(tx: &DatabaseTransaction, claim: &Claim, step: &Step, now: Instant) -> Result<(), LoadError> {
    let asked_at = mdf::noted_at(now, [step.opened_at]);
    let due_at = step.within_s.map(|within_s| restart::after(asked_at, within_s).0);
    let update = "UPDATE claim_steps SET asked_at = ?, due_at = ? WHERE claim = ? AND round = ? AND ordinal = ?";
    execute(tx, update, vec![asked_at.0.into(), due_at.into(), claim.id.as_str().into(), claim.round.into(), step.ordinal.into()]).await?;
    Ok(())
}

/// As its run would: a decision that comes first finds the step where it belongs.
pub(super) async fn catch_up(tx: &DatabaseTransaction, claim: &Claim, now: Instant) -> Result<(), LoadError> {
    if !claim.status.is_open() {
        return Ok(());
    }
    let steps = record::steps(tx, &claim.id, claim.round).await?;
    match steps.iter().find(|step| step.status == "waiting" && step.due_at.is_some_and(|due_at| now >= due_at)) {
        Some(step) if step.asked_at.is_none() => begin(tx, claim, step, now).await,
        Some(step) => escalate(tx, claim, step, now).await.map(|_| ()),
        None => Ok(()),
    }
}

/// Once, if there is a role for it.
async fn escalate(tx: &DatabaseTransaction, claim: &Claim, step: &Step, now: Instant) -> Result<bool, LoadError> {
    let (Some(to), None, Some(within_s)) = (&step.escalate_to, step.escalated_at, step.within_s) else { return Ok(false) };
    let update = "UPDATE claim_steps SET escalated_at = ?, due_at = ? WHERE claim = ? AND round = ? AND ordinal = ?";
    let due_at = restart::after(now, within_s);
    execute(tx, update, vec![now.0.into(), due_at.0.into(), claim.id.as_str().into(), claim.round.into(), step.ordinal.into()]).await?;
    let more = json!({ "step": step.role, "to": to, "due_at": due_at.to_string() });
    record::tell(tx, claim, None, "escalated", more, now).await?;
    Ok(true)
}

async fn expire(tx: &DatabaseTransaction, before: &Claim, step: &Step, now: Instant) -> Result<(), MdfError> {
    restart::end_steps(tx, before, "expired").await?;
    let reason = format!("nobody with the role {} decided in time", step.role_asked());
    let claim = record::store(tx, before, record::moved(before, Status::Expired, Some(&reason))?).await?;
    funds::release(tx, &claim, claim.amount_minor, now).await?;
    Ok(record::tell(tx, &claim, None, "expired", json!({ "step": step.role, "reason": reason }), now).await?)
}

async fn remind(tx: &DatabaseTransaction, claim: &Claim, step: &Step, now: Instant) -> Result<(), LoadError> {
    let update = "UPDATE claim_steps SET reminders = reminders + 1, reminded_at = ? WHERE claim = ? AND round = ? AND ordinal = ?";
    execute(tx, update, vec![now.0.into(), claim.id.as_str().into(), claim.round.into(), step.ordinal.into()]).await?;
    Ok(())
}
