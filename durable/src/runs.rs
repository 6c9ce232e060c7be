//! Runs: start, signal, list, show, sweep. All on the caller's transaction, so that they commit with what caused them.

use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::Value;

use crate::clock::Instant;
use crate::entities::{event, run, signal, step};
use crate::ids::{NoRunId, RunId};
use crate::json::{self, JsonError, NAME_BYTES_MAX};
use crate::sql;
use crate::status::{NoStatus, RunStatus};
use crate::workflow::Workflow;

/// The most runs that one listing returns.
pub const LIST_MAX: u64 = 1_000;

/// What can't be done with a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A name, key or id is empty or too long.
    #[error("{what} {value:?} must have 1 to {NAME_BYTES_MAX} bytes")]
    Name {
        /// What it is.
        what: &'static str,
        /// Its beginning.
        value: String,
    },
    /// Input or payload don't fit.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// There is no such run.
    #[error("there is no run {0}; see `workflow list`")]
    NotFound(String),
    /// The run has ended.
    #[error("run {run} is {status} already and takes no signals")]
    Ended {
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// The signal's id was used for something else.
    #[error("run {run} has a signal {name:?} with id {id:?} and another payload; a new signal needs a new id")]
    OtherPayload {
        /// The run.
        run: RunId,
        /// The signal.
        name: String,
        /// Its id.
        id: String,
    },
    /// A row that was never written by this crate.
    #[error("a stored run can't be read")]
    Status(#[from] NoStatus),
    /// A row that was never written by this crate.
    #[error("a stored run can't be read")]
    Id(#[from] NoRunId),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
}

/// A run to start.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The workflow's name.
    pub workflow: &'a str,
    /// The version of its code.
    pub version: u32,
    /// The business key, unique among the runs of the workflow.
    pub key: &'a str,
    /// What the run starts with.
    pub input: &'a Value,
    /// The run that starts it, if one does.
    pub parent: Option<&'a RunId>,
}

/// A run that was started, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Whether this call started it.
    pub fresh: bool,
    /// Whether the run has this input; a run that was started before may have another.
    pub same_input: bool,
}

/// Starts a run.
///
/// # Errors
/// [`RunError::Name`], [`RunError::Json`], [`RunError::Database`].
///
/// # Idempotency
/// By (workflow, key): a repeat returns the run that is there.
pub async fn start(tx: &DatabaseTransaction, new: &NewRun<'_>, now: Instant) -> Result<Started, RunError> {
    let input = json::write("the run's input", new.input)?;
    insert(tx, new.workflow, new.version, new.key, &input, new.parent, now).await
}

/// Starts a run of a workflow by its type.
///
/// # Errors
/// As [`start`].
///
/// # Idempotency
/// As [`start`].
pub async fn start_as<W: Workflow>(tx: &DatabaseTransaction, key: &str, input: &W::Input, now: Instant) -> Result<Started, RunError> {
    let input = json::write("the run's input", input)?;
    insert(tx, W::NAME, W::VERSION, key, &input, None, now).await
}

pub(crate) async fn insert<C: ConnectionTrait>(
    db: &C,
    workflow: &str,
    version: u32,
    key: &str,
    input: &str,
    parent: Option<&RunId>,
    now: Instant,
) -> Result<Started, RunError> {
    let workflow = named("the workflow", workflow)?;
    let key = named("the key", key)?;
    let id = RunId::new(now);
    let insert = "INSERT INTO workflow_runs (id, workflow, key, version, status, input, wake_at, parent, created_at) \
                  VALUES (?, ?, ?, ?, 'ready', ?, ?, ?, ?) ON CONFLICT (workflow, key) DO NOTHING";
    let parent = parent.map(|parent| parent.as_str().to_owned());
    let values =
        [id.as_str().into(), workflow.into(), key.into(), i64::from(version).into(), input.into(), now.0.into(), parent.into(), now.0.into()];
    if sql::execute(db, insert, values).await? == 1 {
        return Ok(Started { run: id, fresh: true, same_input: true });
    }
    let there = sql::row(db, "SELECT id, input FROM workflow_runs WHERE workflow = ? AND key = ?", [workflow.into(), key.into()]).await?;
    let there = there.ok_or_else(|| RunError::NotFound(key.to_owned()))?;
    let (id, known): (String, String) = (there.try_get_by_index(0)?, there.try_get_by_index(1)?);
    Ok(Started { run: RunId::stored(id), fresh: false, same_input: known == input })
}

/// Which run is meant.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// By its id.
    Run(&'a RunId),
    /// By workflow and business key.
    Key {
        /// The workflow's name.
        workflow: &'a str,
        /// The business key.
        key: &'a str,
    },
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// It was stored; the run finds it now or later.
    New,
    /// It had been sent before.
    Repeated,
}

/// Sends a signal to a run, whether or not the run waits for it already.
///
/// # Errors
/// [`RunError::NotFound`], [`RunError::Ended`], [`RunError::OtherPayload`], [`RunError::Name`], [`RunError::Json`],
/// [`RunError::Database`].
///
/// # Idempotency
/// By (run, name, id): a repeat changes nothing, even after the run has ended.
pub async fn signal(
    tx: &DatabaseTransaction,
    target: Target<'_>,
    name: &str,
    id: &str,
    payload: &Value,
    now: Instant,
) -> Result<Signalled, RunError> {
    let (name, id) = (named("the signal", name)?, named("the signal's id", id)?);
    let payload = json::write("the signal's payload", payload)?;
    let (run, status) = lock(tx, target).await?;
    let known = "SELECT payload FROM run_signals WHERE run = ? AND name = ? AND id = ?";
    if let Some(known) = sql::row(tx, known, [run.as_str().into(), name.into(), id.into()]).await? {
        return if known.try_get_by_index::<String>(0)? == payload {
            Ok(Signalled::Repeated)
        } else {
            Err(RunError::OtherPayload { run, name: name.to_owned(), id: id.to_owned() })
        };
    }
    if status.is_final() {
        return Err(RunError::Ended { run, status });
    }
    let insert = "INSERT INTO run_signals (run, name, id, payload, sent_at) VALUES (?, ?, ?, ?, ?)";
    sql::execute(tx, insert, [run.as_str().into(), name.into(), id.into(), payload.into(), now.0.into()]).await?;
    let wake = "UPDATE workflow_runs SET status = 'ready', wake_at = ?, waiting_for = NULL WHERE id = ? AND status = 'waiting' AND waiting_for = ?";
    sql::execute(tx, wake, [now.0.into(), run.as_str().into(), waiting_for_signal(name).into()]).await?;
    record(tx, &run, now, &Event { kind: "signal", step: Some(name), detail: Some(&format!("id {id}")), ..Event::default() }).await?;
    Ok(Signalled::New)
}

pub(crate) fn waiting_for_signal(name: &str) -> String {
    format!("signal {name}")
}

/// Finds a run and keeps others from changing it until the transaction ends.
pub(crate) async fn lock(tx: &DatabaseTransaction, target: Target<'_>) -> Result<(RunId, RunStatus), RunError> {
    let update = "UPDATE workflow_runs SET epoch = epoch";
    let (filter, values, shown) = match target {
        Target::Run(run) => ("id = ?", vec![run.as_str().into()], run.to_string()),
        Target::Key { workflow, key } => ("workflow = ? AND key = ?", vec![workflow.into(), key.into()], format!("{workflow} {key}")),
    };
    let found = sql::row(tx, &format!("{update} WHERE {filter} RETURNING id, status"), values).await?;
    let found = found.ok_or(RunError::NotFound(shown))?;
    let (id, status): (String, String) = (found.try_get_by_index(0)?, found.try_get_by_index(1)?);
    Ok((RunId::stored(id), status.parse()?))
}

/// An entry for the timeline.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Event<'a> {
    pub(crate) kind: &'a str,
    pub(crate) step: Option<&'a str>,
    pub(crate) attempt: Option<i64>,
    pub(crate) by: Option<&'a str>,
    pub(crate) detail: Option<&'a str>,
}

pub(crate) async fn record<C: ConnectionTrait>(db: &C, run: &RunId, at: Instant, event: &Event<'_>) -> Result<(), DbErr> {
    let insert = "INSERT INTO run_events (run, at, kind, step, attempt, by_whom, detail) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let text = |text: Option<&str>| text.map(json::bounded);
    let values = [
        run.as_str().into(),
        at.0.into(),
        event.kind.into(),
        text(event.step).into(),
        event.attempt.into(),
        text(event.by).into(),
        text(event.detail).into(),
    ];
    sql::execute(db, insert, values).await?;
    Ok(())
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub status: Option<RunStatus>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// With ids after this one: the last of the page before.
    pub after: Option<String>,
    /// At most so many, and at most [`LIST_MAX`].
    pub limit: Option<u64>,
}

/// A run without its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// `wfr_…`.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The business key.
    pub key: String,
    /// Where it stands.
    pub status: RunStatus,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// When it goes on by itself at the latest.
    pub wake_at: Option<String>,
    /// Why it is parked, needs review, failed, or is paused.
    pub error: Option<String>,
    /// Whether it is being undone because it was cancelled.
    pub cancelling: bool,
    /// When it was started.
    pub created_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
}

impl TryFrom<run::Model> for RunLine {
    type Error = RunError;

    fn try_from(row: run::Model) -> Result<Self, RunError> {
        let status: RunStatus = row.status.parse()?;
        let waits = matches!(status, RunStatus::Ready | RunStatus::Waiting);
        Ok(Self {
            id: row.id,
            workflow: row.workflow,
            key: row.key,
            status,
            waiting_for: row.waiting_for,
            wake_at: row.wake_at.filter(|_| waits).map(shown),
            error: if status == RunStatus::Paused || status == RunStatus::Cancelled { row.status_reason } else { row.error },
            cancelling: row.cancelling == 1 && !status.is_final(),
            created_at: shown(row.created_at),
            finished_at: row.finished_at.map(shown),
        })
    }
}

/// A run with its steps and its timeline (`workflow show`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunView {
    /// The run.
    #[serde(flatten)]
    pub run: RunLine,
    /// The version of its code.
    pub version: i64,
    /// The run that started it.
    pub parent: Option<String>,
    /// What it was started with.
    pub input: Value,
    /// What it returned.
    pub output: Option<Value>,
    /// Its journal, in order.
    pub steps: Vec<StepView>,
    /// Signals that nobody has taken.
    pub unconsumed_signals: Vec<SignalView>,
    /// Errors, signals and acts, in order.
    pub timeline: Vec<EventView>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// How often it was tried.
    pub attempt: i64,
    /// `intent retrying waiting done unknown failed`.
    pub outcome: String,
    /// When that was written; for what is not done, when it began.
    pub at: String,
    /// What the last attempt said.
    pub error: Option<String>,
}

/// A signal to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignalView {
    /// What it is about.
    pub name: String,
    /// The sender's id.
    pub id: String,
    /// When it was sent.
    pub at: String,
}

/// An entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventView {
    /// When.
    pub at: String,
    /// What happened.
    pub kind: String,
    /// To which step.
    pub step: Option<String>,
    /// At which attempt.
    pub attempt: Option<i64>,
    /// Who did it.
    pub by: Option<String>,
    /// Why, or the error.
    pub detail: Option<String>,
}

/// The runs that a filter selects, in the order in which they were started.
///
/// # Errors
/// [`RunError::Status`], [`RunError::Database`].
pub async fn list<C: ConnectionTrait>(db: &C, filter: &Filter) -> Result<Vec<RunLine>, RunError> {
    let mut query = run::Entity::find().order_by_asc(run::Column::Id).limit(filter.limit.unwrap_or(LIST_MAX).min(LIST_MAX));
    if let Some(status) = filter.status {
        query = query.filter(run::Column::Status.eq(status.as_str()));
    }
    if let Some(workflow) = &filter.workflow {
        query = query.filter(run::Column::Workflow.eq(workflow));
    }
    if let Some(after) = &filter.after {
        query = query.filter(run::Column::Id.gt(after));
    }
    query.all(db).await?.into_iter().map(RunLine::try_from).collect()
}

/// One run with its steps and its timeline.
///
/// # Errors
/// [`RunError::NotFound`], [`RunError::Json`], [`RunError::Status`], [`RunError::Database`].
pub async fn show<C: ConnectionTrait>(db: &C, id: &RunId) -> Result<RunView, RunError> {
    let found = run::Entity::find_by_id(id.as_str()).one(db).await?.ok_or_else(|| RunError::NotFound(id.to_string()))?;
    let steps = step::Entity::find().filter(step::Column::Run.eq(id.as_str())).order_by_asc(step::Column::Ordinal).all(db).await?;
    let waiting = signal::Column::ConsumedAt.is_null();
    let signals = signal::Entity::find().filter(signal::Column::Run.eq(id.as_str())).filter(waiting).order_by_asc(signal::Column::No).all(db).await?;
    let events = event::Entity::find().filter(event::Column::Run.eq(id.as_str())).order_by_asc(event::Column::No).all(db).await?;
    Ok(RunView {
        version: found.version,
        parent: found.parent.clone(),
        input: json::read("the run's input", &found.input)?,
        output: found.output.as_deref().map(|output| json::read("the run's output", output)).transpose()?,
        run: found.try_into()?,
        steps: steps.into_iter().map(step_view).collect(),
        unconsumed_signals: signals.into_iter().map(|row| SignalView { name: row.name, id: row.id, at: shown(row.sent_at) }).collect(),
        timeline: events.into_iter().map(event_view).collect(),
    })
}

/// Statuses of runs that have not ended, as [`counts`] gives them.
pub const UNFINISHED: [RunStatus; 6] =
    [RunStatus::Ready, RunStatus::Running, RunStatus::Waiting, RunStatus::Paused, RunStatus::Parked, RunStatus::NeedsReview];

/// How many runs are in each of the [`UNFINISHED`] statuses; those that wait without a time are left out. Each count goes by an index.
///
/// # Errors
/// [`RunError::Status`], [`RunError::Database`].
pub async fn counts<C: ConnectionTrait>(db: &C) -> Result<Vec<(RunStatus, i64)>, RunError> {
    let query = "SELECT status, COUNT(*) FROM workflow_runs WHERE status IN ('ready', 'waiting') AND wake_at IS NOT NULL GROUP BY status \
                 UNION ALL SELECT status, COUNT(*) FROM workflow_runs WHERE status = 'running' GROUP BY status \
                 UNION ALL SELECT status, COUNT(*) FROM workflow_runs WHERE status IN ('paused', 'parked', 'needs_review') GROUP BY status";
    let mut counts = UNFINISHED.map(|status| (status, 0)).to_vec();
    for row in sql::rows(db, query, []).await? {
        let (status, count): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let status: RunStatus = status.parse()?;
        counts.iter_mut().filter(|(known, _)| *known == status).for_each(|(_, known)| *known = count);
    }
    Ok(counts)
}

/// Where a run stands.
///
/// # Errors
/// [`RunError::NotFound`], [`RunError::Status`], [`RunError::Database`].
pub async fn status<C: ConnectionTrait>(db: &C, id: &RunId) -> Result<RunStatus, RunError> {
    let found = sql::row(db, "SELECT status FROM workflow_runs WHERE id = ?", [id.as_str().into()]).await?;
    let status: String = found.ok_or_else(|| RunError::NotFound(id.to_string()))?.try_get_by_index(0)?;
    Ok(status.parse()?)
}

/// The id of the run of a workflow with this key, if there is one.
///
/// # Errors
/// [`RunError::Database`].
pub async fn find<C: ConnectionTrait>(db: &C, workflow: &str, key: &str) -> Result<Option<RunId>, RunError> {
    let found = sql::row(db, "SELECT id FROM workflow_runs WHERE workflow = ? AND key = ?", [workflow.into(), key.into()]).await?;
    Ok(found.map(|row| row.try_get_by_index(0)).transpose()?.map(RunId::stored))
}

/// Deletes journals, signals and timelines of at most `limit` runs that ended before an instant, and says of how many. The row of the
/// run stays, so that its key is never used again; so do its output and its error.
///
/// # Errors
/// [`RunError::Database`].
pub async fn sweep(tx: &DatabaseTransaction, finished_before: Instant, limit: u32, now: Instant) -> Result<usize, RunError> {
    // A parent that has not ended may still have to join; its children stay until it has. What is true of the run is asked of the row that
    // is changed, too: on PostgreSQL only that is asked again when the run was retried while this waited for it.
    let mark = "UPDATE workflow_runs SET swept_at = ? WHERE finished_at < ? AND swept_at IS NULL AND id IN (
                    SELECT r.id FROM workflow_runs r WHERE r.finished_at < ? AND r.swept_at IS NULL
                        AND NOT EXISTS (SELECT 1 FROM workflow_runs p WHERE p.id = r.parent AND p.finished_at IS NULL)
                    ORDER BY r.finished_at LIMIT ?) RETURNING id";
    let before = finished_before.0;
    let swept = sql::rows(tx, mark, [now.0.into(), before.into(), before.into(), i64::from(limit).into()]).await?;
    let ids = swept.iter().map(|row| row.try_get_by_index::<String>(0)).collect::<Result<Vec<_>, _>>()?;
    for some in ids.chunks(500) {
        for table in ["run_steps", "run_signals", "run_events"] {
            let delete = format!("DELETE FROM {table} WHERE run IN ({})", sql::places(some.len()));
            sql::execute(tx, &delete, some.iter().map(|id| id.as_str().into())).await?;
        }
    }
    Ok(ids.len())
}

fn step_view(row: step::Model) -> StepView {
    StepView { name: row.name, attempt: row.attempt, outcome: row.outcome, at: shown(row.ended_at.unwrap_or(row.begun_at)), error: row.error }
}

fn event_view(row: event::Model) -> EventView {
    EventView { at: shown(row.at), kind: row.kind, step: row.step, attempt: row.attempt, by: row.by_whom, detail: row.detail }
}

fn shown(at: i64) -> String {
    Instant(at).to_string()
}

fn named<'a>(what: &'static str, value: &'a str) -> Result<&'a str, RunError> {
    if value.is_empty() || value.len() > NAME_BYTES_MAX {
        return Err(RunError::Name { what, value: value.chars().take(40).collect() });
    }
    Ok(value)
}
