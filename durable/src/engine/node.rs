//! The node: its lease, which it renews; the operators' words, which it looks up; and the runs of nodes that are gone.
//!
//! Lease times are the database's clock on PostgreSQL, read after the locks are taken, and the injected clock on SQLite.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use tokio::task::JoinHandle;
use tokio::time::{Instant as Monotonic, Interval, MissedTickBehavior};

use super::commit::{Committer, UnitError, unit};
use super::{EngineError, Excuse, Inner, Options, writes};
use crate::clock::Clock;
use crate::database::Database;
use crate::ids::RunId;
use crate::json::chain;
use crate::sql;

/// How long a node that holds nothing is remembered after its lease.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);
/// How long a run waits at most that was lost because the storage is full or fails.
const STORAGE_WAIT: Duration = Duration::from_secs(6);

/// What this process knows of its own lease, by the monotonic clock.
#[derive(Debug)]
pub(super) struct Lease {
    renewed_at: Monotonic,
    certain_until: Monotonic,
    replaced: bool,
}

impl Lease {
    fn from(asked_at: Monotonic, lease: Duration) -> Self {
        Self { renewed_at: asked_at, certain_until: asked_at + lease, replaced: false }
    }

    pub(super) fn is_fresh(&self) -> bool {
        !self.replaced && Monotonic::now() < self.certain_until
    }

    pub(super) fn since_renewal(&self) -> Duration {
        self.renewed_at.elapsed()
    }

    pub(super) fn still_ours(&self, node: &str) -> Result<(), EngineError> {
        if self.replaced { Err(EngineError::Replaced(node.to_owned())) } else { Ok(()) }
    }
}

/// The node's clock in SQL: the database's own on PostgreSQL, the injected one on SQLite.
fn clock(database: &Database, clock: &dyn Clock) -> String {
    if database.is_postgres() { "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)".to_owned() } else { clock.now().0.to_string() }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Registers the process as its node and takes over at once what an earlier process of that name held.
pub(super) async fn register(commits: &Committer, database: &Database, options: &Options) -> Result<(i64, Lease), EngineError> {
    let asked_at = Monotonic::now();
    let (node, now, lease) = (options.node.clone(), clock(database, options.clock.as_ref()), micros(options.lease));
    let unit = unit::<i64, _>(move |tx| {
        let (node, now) = (node.clone(), now.clone());
        Box::pin(async move {
            let upsert = format!(
                "INSERT INTO engine_nodes (name, generation, lease_until, started_at) VALUES (?, 1, {now} + ?, {now}) \
                 ON CONFLICT (name) DO UPDATE SET generation = engine_nodes.generation + 1, lease_until = {now} + ?, started_at = {now} \
                 RETURNING generation"
            );
            let row = sql::row(tx, &upsert, [node.as_str().into(), lease.into(), lease.into()]).await?;
            let generation = row.ok_or_else(|| DbErr::RecordNotFound("the node's row".to_owned()))?.try_get_by_index(0)?;
            // Names that were used once, by commands say, are forgotten.
            let forget = format!(
                "DELETE FROM engine_nodes WHERE lease_until < {now} - ? \
                 AND NOT EXISTS (SELECT 1 FROM workflow_runs r WHERE r.status = 'running' AND r.owner = engine_nodes.name)"
            );
            sql::execute(tx, &forget, [micros(FORGOTTEN_AFTER).into()]).await?;
            let take_over = "UPDATE workflow_runs SET status = 'ready', owner = NULL, epoch = epoch + 1 WHERE status = 'running' AND owner = ?";
            sql::execute(tx, take_over, [node.into()]).await?;
            Ok(generation)
        })
    });
    Ok((commits.commit(unit).await?, Lease::from(asked_at, options.lease)))
}

/// The tasks that renew the lease and look things up; they end with their handle. Each is on its own: one that waits for the writer, or
/// for somebody's row, keeps none of the others waiting.
#[derive(Debug)]
pub(super) struct Watcher([JoinHandle<()>; 3]);

impl Watcher {
    pub(super) fn start(inner: &Arc<Inner>) -> Self {
        let lease = inner.options.lease;
        let every = inner.options.watch_every.min(lease / 4).max(Duration::from_millis(10));
        let engine = || Arc::downgrade(inner);
        Self([
            tokio::spawn(look(engine(), every, |inner| stop_what_is_lost(inner).boxed())),
            tokio::spawn(look(engine(), every, |inner| give_back(inner).boxed())),
            tokio::spawn(renew(engine(), every, lease)),
        ])
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn look<F>(engine: Weak<Inner>, every: Duration, work: F)
where
    F: for<'a> Fn(&'a Inner) -> BoxFuture<'a, Result<(), EngineError>> + Send + Sync,
{
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        let Some(inner) = engine.upgrade() else { return };
        if let Err(error) = work(&inner).await {
            tracing::warn!(node = inner.options.node, error = chain(&error), "durable.look_failed");
        }
    }
}

async fn renew(engine: Weak<Inner>, every: Duration, lease: Duration) {
    let mut ticks = ticks(every);
    let mut renew_at = Monotonic::now() + lease / 3;
    loop {
        ticks.tick().await;
        let Some(inner) = engine.upgrade() else { return };
        if Monotonic::now() >= renew_at {
            match renew_and_reap(&inner).await {
                Ok(()) => renew_at = Monotonic::now() + lease / 3,
                Err(error) => tracing::warn!(node = inner.options.node, error = chain(&error), "durable.lease_not_renewed"),
            }
        }
    }
}

/// Stops the executions whose run has another epoch: somebody else took it or acted on it. It only reads, and waits for nobody who writes.
///
/// Under the same epoch it is this worker's own write that has ended the hold, and its execution is about to end; so it is where the run
/// was taken under the next epoch, since any other act and the taking after it raise the epoch twice.
async fn stop_what_is_lost(inner: &Inner) -> Result<(), EngineError> {
    let held = inner.held();
    if held.is_empty() {
        return Ok(());
    }
    let ours = ours(inner).await?;
    let gone: Vec<(RunId, i64)> = held.into_iter().filter(|(run, epoch)| ours.get(run) != Some(epoch)).collect();
    for some in gone.chunks(500) {
        let text = format!("SELECT id, epoch, status FROM workflow_runs WHERE id IN ({})", sql::places(some.len()));
        let rows = sql::rows(inner.database.read(), &text, some.iter().map(|(run, _)| run.as_str().into())).await?;
        let mut ended: HashSet<(RunId, i64)> = HashSet::with_capacity(rows.len());
        for row in rows {
            let (epoch, status): (i64, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            let run = RunId::stored(row.try_get_by_index(0)?);
            if status == "running" {
                ended.insert((run.clone(), epoch - 1));
            }
            ended.insert((run, epoch));
        }
        let held = inner.held.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, epoch) in some.iter().filter(|hold| !ended.contains(*hold)) {
            if let Some((_, lost)) = held.get(run).filter(|(held, _)| held == epoch) {
                lost.send_replace(true);
            }
        }
    }
    Ok(())
}

/// What this node holds, as the database has it.
async fn ours(inner: &Inner) -> Result<HashMap<RunId, i64>, DbErr> {
    let text = "SELECT id, epoch FROM workflow_runs WHERE owner = ? AND status = 'running'";
    let rows = sql::rows(inner.database.read(), text, [inner.options.node.as_str().into()]).await?;
    rows.iter().map(|row| Ok((RunId::stored(row.try_get_by_index(0)?), row.try_get_by_index(1)?))).collect()
}

/// Gives back what is held by nobody in this process.
async fn give_back(inner: &Inner) -> Result<(), EngineError> {
    if inner.lease.lock().unwrap_or_else(PoisonError::into_inner).replaced {
        return Ok(());
    }
    let forsaken: Vec<(RunId, i64)> = {
        // Nothing is being taken now: a hold that nobody here knows will never be known, so it may be given back after this.
        let _taking = inner.taking.write().await;
        let held = inner.held();
        ours(inner).await?.into_iter().filter(|(run, _)| !held.contains_key(run)).collect()
    };
    let (excused, others): (Vec<_>, Vec<_>) = forsaken.into_iter().partition(|(run, epoch)| inner.excused(run, *epoch).is_some());
    for some in others.chunks(500) {
        let text = format!(
            "UPDATE workflow_runs SET status = 'ready', owner = NULL, epoch = epoch + 1 WHERE status = 'running' AND (id, epoch) IN (VALUES {}) \
             RETURNING id",
            vec!["(?, ?)"; some.len()].join(", ")
        );
        let values = some.iter().flat_map(|(run, epoch)| [run.as_str().into(), (*epoch).into()]).collect();
        for row in inner.commits.rows(text, values).await? {
            let run: String = row.try_get_by_index(0)?;
            tracing::warn!(run, "durable.given_back");
            inner.hint();
        }
    }
    for (run, epoch) in excused {
        if let Some(excuse) = inner.excused(&run, epoch) {
            give_back_untaken(inner, run, excuse).await?;
        }
    }
    Ok(())
}

/// Gives back a run that was lost because the storage is full or fails: neither that it was taken nor the call that it made counts, and it
/// goes on in a few seconds.
async fn give_back_untaken(inner: &Inner, run: RunId, excuse: Excuse) -> Result<(), EngineError> {
    let wake_at = inner.options.clock.now().plus(inner.commits.jittered(STORAGE_WAIT));
    let (given_back, epoch) = (run.clone(), excuse.epoch);
    let unit = unit::<(), _>(move |tx| {
        let (run, call) = (run.clone(), excuse.call.clone());
        Box::pin(async move {
            let text = "UPDATE workflow_runs SET status = 'waiting', waiting_for = 'room in the database', wake_at = ?, owner = NULL, \
                        epoch = epoch + 1, takes = takes - 1 WHERE id = ? AND epoch = ? AND status = 'running'";
            writes::held(tx, (text.to_owned(), vec![wake_at.0.into(), run.as_str().into(), epoch.into()])).await?;
            if let Some((step, attempt)) = call {
                let text = "UPDATE run_steps SET attempt = attempt - 1 WHERE run = ? AND name = ? AND attempt = ? AND outcome = 'intent'";
                sql::execute(tx, text, [run.as_str().into(), step.into(), attempt.into()]).await?;
            }
            Ok(())
        })
    });
    match inner.commits.commit(unit).await {
        Ok(()) => tracing::warn!(run = %given_back, %wake_at, "durable.given_back_untaken"),
        Err(UnitError::Lost) => {}
        Err(error) => return Err(error.into()),
    }
    inner.excused.lock().unwrap_or_else(PoisonError::into_inner).remove(&given_back);
    Ok(())
}

/// Renews the lease, then makes ready what nodes hold whose lease has ended.
async fn renew_and_reap(inner: &Inner) -> Result<(), EngineError> {
    if inner.lease.lock().unwrap_or_else(PoisonError::into_inner).replaced {
        return Ok(());
    }
    let asked_at = Monotonic::now();
    let now = clock(&inner.database, inner.options.clock.as_ref());
    let renew = format!("UPDATE engine_nodes SET lease_until = {now} + ? WHERE name = ? AND generation = ?");
    let values = vec![micros(inner.options.lease).into(), inner.options.node.as_str().into(), inner.generation.into()];
    if inner.commits.statement(renew, values).await? == 0 {
        tracing::error!(node = inner.options.node, "durable.node_replaced");
        inner.lease.lock().unwrap_or_else(PoisonError::into_inner).replaced = true;
        let held = inner.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().for_each(|(_, lost)| {
            lost.send_replace(true);
        });
        return Ok(());
    }
    {
        let mut lease = inner.lease.lock().unwrap_or_else(PoisonError::into_inner);
        (lease.renewed_at, lease.certain_until) = (asked_at, asked_at + inner.options.lease);
    }
    reap(inner, now).await
}

/// Gives up the lease.
pub(super) async fn leave(inner: &Inner) -> Result<(), EngineError> {
    inner.lease.lock().unwrap_or_else(PoisonError::into_inner).replaced = true;
    let text = "UPDATE engine_nodes SET lease_until = 0 WHERE name = ? AND generation = ?";
    inner.commits.statement(text.to_owned(), vec![inner.options.node.as_str().into(), inner.generation.into()]).await?;
    Ok(())
}

/// Makes ready what nodes held whose lease has ended: runs and messages.
async fn reap(inner: &Inner, now: String) -> Result<(), EngineError> {
    let gone = format!("(SELECT name FROM engine_nodes WHERE name <> ? AND lease_until < {now})");
    let held = format!(
        "SELECT 1 FROM workflow_runs WHERE status = 'running' AND owner IN {gone} \
         UNION ALL SELECT 1 FROM outbox WHERE status = 'sending' AND lease_until > 0 AND owner IN {gone} LIMIT 1"
    );
    let node = inner.options.node.clone();
    if sql::row(inner.database.read(), &held, [node.as_str().into(), node.as_str().into()]).await?.is_none() {
        return Ok(());
    }
    let postgres = inner.database.is_postgres();
    let unit = unit::<u64, _>(move |tx| {
        let (node, gone) = (node.clone(), gone.clone());
        Box::pin(async move {
            // The other nodes' rows are locked before the clock is read: none renews in between.
            if postgres {
                sql::rows(tx, "SELECT name FROM engine_nodes WHERE name <> ? ORDER BY name FOR UPDATE", [node.as_str().into()]).await?;
            }
            let text =
                format!("UPDATE workflow_runs SET status = 'ready', owner = NULL, epoch = epoch + 1 WHERE status = 'running' AND owner IN {gone}");
            let runs = sql::execute(tx, &text, [node.as_str().into()]).await?;
            // Whoever takes a message next raises its epoch and counts its attempts.
            let text = format!("UPDATE outbox SET lease_until = 0 WHERE status = 'sending' AND lease_until > 0 AND owner IN {gone}");
            Ok(runs + sql::execute(tx, &text, [node.into()]).await?)
        })
    });
    let count = inner.commits.commit(unit).await?;
    if count > 0 {
        tracing::warn!(node = inner.options.node, count, "durable.took_over");
        inner.hint();
    }
    Ok(())
}
