//! What an execution writes. Each write is a compare-and-set on the run's status and epoch: under another epoch it changes nothing.

use sea_orm::{DatabaseTransaction, DbErr, Value};

use super::commit::UnitError;
use super::journal::Row;
use crate::clock::Instant;
use crate::ids::RunId;
use crate::sql;

/// A run as it was taken: what each write compares.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) run: RunId,
    pub(crate) epoch: i64,
    pub(crate) postgres: bool,
}

impl Hold {
    /// Reads the run if it is still held, and on PostgreSQL keeps others from changing it until the transaction ends.
    fn held(&self) -> &'static str {
        if self.postgres {
            "WITH held AS MATERIALIZED (SELECT id FROM workflow_runs WHERE id = ? AND epoch = ? AND status = 'running' FOR SHARE) "
        } else {
            "WITH held AS (SELECT id FROM workflow_runs WHERE id = ? AND epoch = ? AND status = 'running') "
        }
    }

    fn values(&self) -> [Value; 2] {
        [self.run.as_str().into(), self.epoch.into()]
    }
}

/// One statement with its values.
pub(crate) type Statement = (String, Vec<Value>);

/// Inserts a new row into the journal.
pub(crate) fn insert_step(hold: &Hold, row: &Row, key: Option<&str>, begun_at: Instant, ended_at: Option<Instant>) -> Statement {
    let text = format!(
        "{}INSERT INTO run_steps (run, ordinal, name, kind, attempt, outcome, result, error, key, request_digest, begun_at, ended_at) \
         SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM held",
        hold.held()
    );
    let mut values = hold.values().to_vec();
    values.extend([
        row.ordinal.into(),
        row.name.as_str().into(),
        row.kind.as_str().into(),
        row.attempt.into(),
        row.outcome.as_str().into(),
        row.result.clone().into(),
        row.error.clone().into(),
        key.map(str::to_owned).into(),
        row.request_digest.clone().into(),
        begun_at.0.into(),
        ended_at.map(|at| at.0).into(),
    ]);
    (text, values)
}

/// Changes a row of the journal that has no result yet.
pub(crate) fn update_step(hold: &Hold, row: &Row, ended_at: Option<Instant>) -> Statement {
    let text = format!(
        "{}UPDATE run_steps SET attempt = ?, outcome = ?, result = ?, error = ?, ended_at = ? \
         WHERE run IN (SELECT id FROM held) AND ordinal = ? AND name = ? AND outcome IN ('intent', 'retrying', 'waiting')",
        hold.held()
    );
    let mut values = hold.values().to_vec();
    values.extend([
        row.attempt.into(),
        row.outcome.as_str().into(),
        row.result.clone().into(),
        row.error.clone().into(),
        ended_at.map(|at| at.0).into(),
        row.ordinal.into(),
        row.name.as_str().into(),
    ]);
    (text, values)
}

/// How a run stops being held.
#[derive(Debug, Clone, Default)]
pub(crate) struct Release {
    pub(crate) status: &'static str,
    pub(crate) wake_at: Option<Instant>,
    pub(crate) waiting_for: Option<String>,
    pub(crate) awaits_run: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) finished_at: Option<Instant>,
}

/// Gives up the hold in an orderly way. With `unless_awaited` nothing happens to a run that another waits for.
pub(crate) fn release(hold: &Hold, release: &Release, unless_awaited: bool) -> Statement {
    let filter = if unless_awaited { " AND awaited = 0" } else { "" };
    let text = format!(
        "UPDATE workflow_runs SET status = ?, owner = NULL, takes = 0, wake_at = ?, waiting_for = ?, awaits_run = ?, output = ?, error = ?, \
         finished_at = ? WHERE id = ? AND epoch = ? AND status = 'running'{filter}"
    );
    let mut values: Vec<Value> = vec![
        release.status.into(),
        release.wake_at.map(|at| at.0).into(),
        release.waiting_for.clone().into(),
        release.awaits_run.clone().into(),
        release.output.clone().into(),
        release.error.clone().into(),
        release.finished_at.map(|at| at.0).into(),
    ];
    values.extend(hold.values());
    (text, values)
}

/// Runs a statement that must change one row: none means that the run is lost.
pub(crate) async fn held(tx: &DatabaseTransaction, (text, values): Statement) -> Result<(), UnitError> {
    if sql::execute(tx, &text, values).await? == 1 { Ok(()) } else { Err(UnitError::Lost) }
}

/// Keeps others from changing the run until the transaction ends, if it is still held.
pub(crate) async fn lock(tx: &DatabaseTransaction, hold: &Hold) -> Result<(), UnitError> {
    let text = "UPDATE workflow_runs SET epoch = epoch WHERE id = ? AND epoch = ? AND status = 'running'";
    held(tx, (text.to_owned(), hold.values().to_vec())).await
}

/// The journal row of a step, as committed.
pub(crate) async fn read_back(db: &sea_orm::DatabaseConnection, run: &RunId, name: &str) -> Result<Option<Row>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM run_steps WHERE run = ? AND name = ?");
    sql::row(db, &text, [run.as_str().into(), name.into()]).await?.map(|row| journal_row(&row)).transpose()
}

pub(crate) const COLUMNS: &str = "run, ordinal, name, kind, attempt, outcome, result, error, request_digest";

/// Reads a row that was selected by [`COLUMNS`].
pub(crate) fn journal_row(row: &sea_orm::QueryResult) -> Result<Row, DbErr> {
    Ok(Row {
        ordinal: row.try_get_by_index(1)?,
        name: row.try_get_by_index(2)?,
        kind: row.try_get_by_index(3)?,
        attempt: row.try_get_by_index(4)?,
        outcome: row.try_get_by_index(5)?,
        result: row.try_get_by_index(6)?,
        error: row.try_get_by_index(7)?,
        request_digest: row.try_get_by_index(8)?,
    })
}
