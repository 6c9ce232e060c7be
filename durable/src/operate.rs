//! What operators do to runs: pause, resume, retry, cancel. None of it waits for the worker that holds the run: the epoch is raised, so
//! that the worker's next write fails, and within a second it drops what it awaits.

use sea_orm::DatabaseTransaction;

use crate::clock::Instant;
use crate::ids::RunId;
use crate::json::bounded;
use crate::runs::{self, Event, RunError, Target};
use crate::sql;
use crate::status::{Act, RunStatus};

/// What an operator can't do.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// Not in this state.
    #[error("run {run} is {status}, so it can't be {}", done(*act))]
    NotNow {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
        /// What was asked.
        act: Act,
    },
    /// It was undone already, or others know its end.
    #[error("run {run} failed for good: it was undone, or another run has its end; start a new one under another key")]
    Undone {
        /// The run.
        run: RunId,
    },
    /// Its undoing is parked.
    #[error("run {run} is being cancelled and an undoing step of it is parked: repair the cause and retry the run")]
    Cancelling {
        /// The run.
        run: RunId,
    },
    /// Who acts must be named.
    #[error("an act on a run needs who does it and why")]
    Nameless,
    /// The run can't be found or read.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn done(act: Act) -> &'static str {
    match act {
        Act::Pause => "paused",
        Act::Resume => "resumed",
        Act::Retry => "retried",
        Act::Cancel => "cancelled",
    }
}

/// Stops a run until it is resumed. A step whose answer is awaited stays an intent: it is called again, with the same key, after that.
///
/// # Errors
/// [`OperateError`].
pub async fn pause(tx: &DatabaseTransaction, run: &RunId, by: &str, reason: &str, now: Instant) -> Result<(), OperateError> {
    checked(tx, run, Act::Pause, by, reason).await?;
    let update = "UPDATE workflow_runs SET status = 'paused', epoch = epoch + 1, owner = NULL, status_by = ?, status_reason = ? WHERE id = ?";
    sql::execute(tx, update, [bounded(by).into(), bounded(reason).into(), run.as_str().into()]).await.map_err(RunError::from)?;
    noted(tx, run, Act::Pause, by, reason, now).await
}

/// Lets a paused run go on.
///
/// # Errors
/// [`OperateError`].
pub async fn resume(tx: &DatabaseTransaction, run: &RunId, by: &str, reason: &str, now: Instant) -> Result<(), OperateError> {
    checked(tx, run, Act::Resume, by, reason).await?;
    // A run that is being cancelled is cancelled by whoever said so, not by whoever paused it meanwhile.
    let cancel = "FROM run_events e WHERE e.run = workflow_runs.id AND e.kind = 'cancel' ORDER BY e.no DESC LIMIT 1";
    let by_whom = format!(
        "UPDATE workflow_runs SET status_by = (SELECT e.by_whom {cancel}), status_reason = (SELECT e.detail {cancel}) WHERE id = ? AND cancelling = 1"
    );
    sql::execute(tx, &by_whom, [run.as_str().into()]).await.map_err(RunError::from)?;
    ready(tx, run, now).await?;
    noted(tx, run, Act::Resume, by, reason, now).await
}

/// Lets a run that is parked, needs review or failed go on from the step that failed, whose attempts begin anew. A failed run that was
/// undone can't.
///
/// # Errors
/// [`OperateError`].
pub async fn retry(tx: &DatabaseTransaction, run: &RunId, by: &str, reason: &str, now: Instant) -> Result<(), OperateError> {
    let status = checked(tx, run, Act::Retry, by, reason).await?;
    let undone = "SELECT 1 FROM run_steps WHERE run = ? AND substr(name, 1, 5) = 'undo '";
    let parent = "SELECT 1 FROM workflow_runs WHERE id = ? AND (swept_at IS NOT NULL OR parent IS NOT NULL OR awaited = 1)";
    for told in [undone, parent] {
        if status == RunStatus::Failed && sql::row(tx, told, [run.as_str().into()]).await.map_err(RunError::from)?.is_some() {
            return Err(OperateError::Undone { run: run.clone() });
        }
    }
    // A step that failed for good is the journal's last if the workflow went no further: what it said is in the timeline.
    let forget = "DELETE FROM run_steps WHERE run = ? AND outcome = 'failed' AND ordinal = (SELECT max(ordinal) FROM run_steps WHERE run = ?)";
    sql::execute(tx, forget, [run.as_str().into(), run.as_str().into()]).await.map_err(RunError::from)?;
    let anew = "UPDATE run_steps SET attempt = 0 WHERE run = ? AND outcome IN ('intent', 'retrying')";
    sql::execute(tx, anew, [run.as_str().into()]).await.map_err(RunError::from)?;
    ready(tx, run, now).await?;
    noted(tx, run, Act::Retry, by, reason, now).await
}

/// What cancelling a run led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled; nothing had to be undone.
    Now,
    /// A worker undoes what it registered, in reverse order; then it is cancelled.
    AfterUndoing,
}

/// Ends a run. One that has journaled nothing is cancelled at once; so is one that needs review, or that was parked while it was cancelled
/// and before an undoing step, since its code can't say what has to be undone (its timeline says so). Any other is given to a worker with
/// the flag `cancelling`, which undoes what the run has registered. Child runs are not cancelled with it.
///
/// # Errors
/// [`OperateError`].
pub async fn cancel(tx: &DatabaseTransaction, run: &RunId, by: &str, reason: &str, now: Instant) -> Result<Cancelled, OperateError> {
    let status = checked(tx, run, Act::Cancel, by, reason).await?;
    let found = "SELECT cancelling, (SELECT max(ordinal) FROM run_steps WHERE run = id) FROM workflow_runs WHERE id = ?";
    let found = sql::row(tx, found, [run.as_str().into()]).await.map_err(RunError::from)?.ok_or_else(|| RunError::NotFound(run.to_string()))?;
    let cancelling: i64 = found.try_get_by_index(0).map_err(RunError::from)?;
    let steps: Option<i64> = found.try_get_by_index(1).map_err(RunError::from)?;
    let is_stuck = cancelling == 1 && status == RunStatus::Parked;
    let undoing = "SELECT 1 FROM run_steps WHERE run = ? AND substr(name, 1, 5) = 'undo ' AND outcome NOT IN ('done', 'unknown')";
    if is_stuck && sql::row(tx, undoing, [run.as_str().into()]).await.map_err(RunError::from)?.is_some() {
        return Err(OperateError::Cancelling { run: run.clone() });
    }
    noted(tx, run, Act::Cancel, by, reason, now).await?;
    if steps.is_none() || status == RunStatus::NeedsReview || is_stuck {
        let update = "UPDATE workflow_runs SET status = 'cancelled', epoch = epoch + 1, owner = NULL, wake_at = NULL, waiting_for = NULL, \
                      awaits_run = NULL, cancelling = 0, status_by = ?, status_reason = ?, finished_at = ? WHERE id = ?";
        let values = [bounded(by).into(), bounded(reason).into(), now.0.into(), run.as_str().into()];
        sql::execute(tx, update, values).await.map_err(RunError::from)?;
        if steps.is_some() {
            let detail = Some(if is_stuck {
                "the run was parked while it was cancelled: what it had not undone by then was not undone"
            } else {
                "the run needed review: nothing that it did was undone"
            });
            runs::record(tx, run, now, &Event { kind: "not undone", detail, ..Event::default() }).await.map_err(RunError::from)?;
        }
        wake_waiters(tx, run, now).await.map_err(RunError::from)?;
        return Ok(Cancelled::Now);
    }
    let update = "UPDATE workflow_runs SET cancelling = 1, status_by = ?, status_reason = ? WHERE id = ?";
    sql::execute(tx, update, [bounded(by).into(), bounded(reason).into(), run.as_str().into()]).await.map_err(RunError::from)?;
    ready(tx, run, now).await?;
    Ok(Cancelled::AfterUndoing)
}

/// Wakes the runs that wait for one that has ended.
pub(crate) async fn wake_waiters(tx: &DatabaseTransaction, run: &RunId, now: Instant) -> Result<u64, sea_orm::DbErr> {
    let wake =
        "UPDATE workflow_runs SET status = 'ready', wake_at = ?, waiting_for = NULL, awaits_run = NULL WHERE awaits_run = ? AND status = 'waiting'";
    sql::execute(tx, wake, [now.0.into(), run.as_str().into()]).await
}

async fn checked(tx: &DatabaseTransaction, run: &RunId, act: Act, by: &str, reason: &str) -> Result<RunStatus, OperateError> {
    if by.trim().is_empty() || reason.trim().is_empty() {
        return Err(OperateError::Nameless);
    }
    let (_, status) = runs::lock(tx, Target::Run(run)).await?;
    if status.allows(act) { Ok(status) } else { Err(OperateError::NotNow { run: run.clone(), status, act }) }
}

async fn ready(tx: &DatabaseTransaction, run: &RunId, now: Instant) -> Result<(), OperateError> {
    let update = "UPDATE workflow_runs SET status = 'ready', epoch = epoch + 1, owner = NULL, wake_at = ?, waiting_for = NULL, awaits_run = NULL, \
                  takes = 0, error = NULL, finished_at = NULL WHERE id = ?";
    sql::execute(tx, update, [now.0.into(), run.as_str().into()]).await.map_err(RunError::from)?;
    Ok(())
}

async fn noted(tx: &DatabaseTransaction, run: &RunId, act: Act, by: &str, reason: &str, now: Instant) -> Result<(), OperateError> {
    let event = Event { kind: act.as_str(), by: Some(by), detail: Some(reason), ..Event::default() };
    Ok(runs::record(tx, run, now, &event).await.map_err(RunError::from)?)
}
