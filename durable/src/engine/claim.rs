//! Taking runs that are due.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use sea_orm::{DbErr, QueryResult};
use tokio::sync::watch;

use super::commit::{Committer, unit};
use super::drive::Claimed;
use super::journal::Row;
use super::writes::{self, Hold, Release};
use super::{EngineError, Inner, Orphan};
use crate::clock::Instant;
use crate::database::{Database, is_exhausted};
use crate::ids::RunId;
use crate::runs::{self, Event};
use crate::sql;
use crate::workflow::{Executable, Registry};

/// The most runs that one statement takes.
const TAKE_MAX: usize = 1_024;

/// A run as it was taken.
struct Taken {
    hold: Hold,
    workflow: String,
    key: String,
    version: u32,
    input: String,
    steps: i64,
    takes: i64,
    cancelling: bool,
}

pub(super) async fn claim(inner: &Arc<Inner>, most: usize) -> Result<Vec<Claimed>, EngineError> {
    let _taking = inner.taking.read().await;
    if let Some(fault) = inner.commits.fault() {
        return Err(EngineError::Storage(fault));
    }
    inner.lease.lock().unwrap_or_else(PoisonError::into_inner).still_ours(&inner.options.node)?;
    let taken = take(inner, most.min(TAKE_MAX)).await?;
    let holds: Vec<Hold> = taken.iter().map(|run| run.hold.clone()).collect();
    let (able, mut journals) = begun(inner, taken).await.inspect_err(|error| {
        if matches!(error, EngineError::Database(error) if is_exhausted(error)) {
            for hold in &holds {
                inner.excuse(hold, None);
            }
        }
    })?;
    {
        let mut excused = inner.excused.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, _) in &able {
            excused.remove(&run.hold.run);
        }
    }
    let mut held = inner.held.lock().unwrap_or_else(PoisonError::into_inner);
    let claimed = able.into_iter().map(|(run, code)| {
        let (sender, lost) = watch::channel(false);
        // An execution that has given up its hold in an orderly way left its epoch as it was, and is ending; any other must be stopped.
        let before = held.insert(run.hold.run.clone(), (run.hold.epoch, sender));
        if let Some((_, lost)) = before.filter(|(epoch, _)| epoch + 1 < run.hold.epoch) {
            lost.send_replace(true);
        }
        let journal = journals.remove(&run.hold.run).unwrap_or_default();
        let engine = Arc::clone(inner);
        Claimed { engine, hold: run.hold, workflow: run.workflow, key: run.key, input: run.input, cancelling: run.cancelling, code, journal, lost }
    });
    Ok(claimed.collect())
}

type Able = Vec<(Taken, Arc<dyn Executable>)>;

/// What can be executed of what was taken, with the journals of that.
async fn begun(inner: &Inner, taken: Vec<Taken>) -> Result<(Able, HashMap<RunId, Vec<Row>>), EngineError> {
    let mut able = Vec::with_capacity(taken.len());
    for run in taken {
        if let Some(code) = executable(inner, &run).await? {
            able.push((run, code));
        }
    }
    let journals = journals(inner, able.iter().map(|(run, _)| run)).await?;
    Ok((able, journals))
}

async fn take(inner: &Inner, most: usize) -> Result<Vec<Taken>, EngineError> {
    let postgres = inner.database.is_postgres();
    let lock = if postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let steps = "COALESCE((SELECT max(s.ordinal) FROM run_steps s WHERE s.run = workflow_runs.id), 0)";
    let text = format!(
        "WITH due AS MATERIALIZED (SELECT id FROM workflow_runs WHERE status IN ('ready', 'waiting') AND wake_at IS NOT NULL AND wake_at <= ? \
             ORDER BY wake_at LIMIT ?{lock}) \
         UPDATE workflow_runs SET status = 'running', owner = ?, epoch = epoch + 1, waiting_for = NULL, awaits_run = NULL, \
             takes = CASE WHEN {steps} > steps_seen THEN 1 ELSE takes + 1 END, steps_seen = {steps}, started_at = COALESCE(started_at, ?) \
         WHERE id IN (SELECT id FROM due) RETURNING id, epoch, workflow, key, version, input, steps_seen, takes, cancelling"
    );
    let now = inner.options.clock.now();
    let most = i64::try_from(most).unwrap_or(0);
    let values = vec![now.0.into(), most.into(), inner.options.node.as_str().into(), now.0.into()];
    let rows = inner.commits.rows(text, values).await?;
    Ok(rows.iter().map(|row| taken(row, postgres)).collect::<Result<_, _>>()?)
}

fn taken(row: &QueryResult, postgres: bool) -> Result<Taken, DbErr> {
    let hold = Hold { run: RunId::stored(row.try_get_by_index(0)?), epoch: row.try_get_by_index(1)?, postgres };
    let version: i64 = row.try_get_by_index(4)?;
    let cancelling: i64 = row.try_get_by_index(8)?;
    Ok(Taken {
        hold,
        workflow: row.try_get_by_index(2)?,
        key: row.try_get_by_index(3)?,
        version: u32::try_from(version).unwrap_or(0),
        input: row.try_get_by_index(5)?,
        steps: row.try_get_by_index(6)?,
        takes: row.try_get_by_index(7)?,
        cancelling: cancelling == 1,
    })
}

/// The code of a run, unless the run is poisonous or unknown, and is parked with its reason.
async fn executable(inner: &Inner, run: &Taken) -> Result<Option<Arc<dyn Executable>>, EngineError> {
    let (status, reason) = if run.takes > i64::from(inner.options.takes_max) {
        (
            "parked",
            format!("it was taken {} times and made no progress: each time its worker ended; retry it when the cause is repaired", run.takes - 1),
        )
    } else {
        match inner.registry.find(&run.workflow, run.version) {
            Some(code) => return Ok(Some(code)),
            None => ("needs_review", inner.registry.why_not(&run.workflow, run.version)),
        }
    };
    tracing::error!(run = %run.hold.run, workflow = run.workflow, reason, "durable.not_executed");
    let (hold, now) = (run.hold.clone(), inner.options.clock.now());
    let unit = unit::<(), _>(move |tx| {
        let (hold, reason) = (hold.clone(), reason.clone());
        Box::pin(async move {
            let event = Event { kind: status, detail: Some(&reason), ..Event::default() };
            runs::record(tx, &hold.run, now, &event).await?;
            writes::held(tx, writes::release(&hold, &Release { status, error: Some(reason.clone()), ..Release::default() }, false)).await
        })
    });
    match inner.commits.commit(unit).await {
        Ok(()) | Err(super::UnitError::Lost) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn journals(inner: &Inner, runs: impl Iterator<Item = &Taken>) -> Result<HashMap<RunId, Vec<Row>>, DbErr> {
    let begun: Vec<sea_orm::Value> = runs.filter(|run| run.steps > 0).map(|run| run.hold.run.as_str().into()).collect();
    let mut journals: HashMap<RunId, Vec<Row>> = HashMap::new();
    if begun.is_empty() {
        return Ok(journals);
    }
    let text = format!("SELECT {} FROM run_steps WHERE run IN ({}) ORDER BY run, ordinal", writes::COLUMNS, sql::places(begun.len()));
    for row in sql::rows(inner.database.read(), &text, begun).await? {
        journals.entry(RunId::stored(row.try_get_by_index(0)?)).or_default().push(writes::journal_row(&row)?);
    }
    Ok(journals)
}

pub(super) async fn next_due(inner: &Inner) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT min(wake_at) FROM workflow_runs WHERE status IN ('ready', 'waiting') AND wake_at IS NOT NULL";
    let row = sql::row(inner.database.read(), text, []).await?;
    Ok(row.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten().map(Instant))
}

/// Parks the unfinished runs that no registered workflow can execute.
pub(super) async fn park_orphans(commits: &Committer, database: &Database, registry: &Registry, now: Instant) -> Result<Vec<Orphan>, EngineError> {
    let kinds = "SELECT DISTINCT workflow, version FROM workflow_runs WHERE status IN ('ready', 'waiting', 'running', 'paused')";
    let mut orphans = Vec::new();
    for row in sql::rows(database.read(), kinds, []).await? {
        let (workflow, version): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let number = u32::try_from(version).unwrap_or(0);
        if registry.find(&workflow, number).is_some() {
            continue;
        }
        let reason = registry.why_not(&workflow, number);
        let unit_reason = reason.clone();
        let unit_workflow = workflow.clone();
        let unit = unit::<Vec<String>, _>(move |tx| {
            let (workflow, reason) = (unit_workflow.clone(), unit_reason.clone());
            Box::pin(async move {
                // What another process is executing right now is not an orphan: that process knows it.
                let park = "UPDATE workflow_runs SET status = 'needs_review', epoch = epoch + 1, error = ? \
                            WHERE status IN ('ready', 'waiting', 'paused') AND workflow = ? AND version = ? RETURNING id";
                let rows = sql::rows(tx, park, [reason.as_str().into(), workflow.into(), version.into()]).await?;
                let ids = rows.iter().map(|row| row.try_get_by_index::<String>(0)).collect::<Result<Vec<_>, _>>()?;
                for id in &ids {
                    let event = Event { kind: "needs_review", detail: Some(&reason), ..Event::default() };
                    runs::record(tx, &RunId::stored(id.clone()), now, &event).await?;
                }
                Ok(ids)
            })
        });
        for run in commits.commit(unit).await? {
            tracing::error!(run, workflow, version, reason, "durable.orphan");
            orphans.push(Orphan { run: RunId::stored(run), workflow: workflow.clone(), version: number, reason: reason.clone() });
        }
    }
    Ok(orphans)
}
