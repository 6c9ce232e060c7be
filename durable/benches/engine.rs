//! How many five-step runs a second, beside plain two-row commits by the same driver; each step is a transaction with an effect row.
//!
//! `cargo bench -p tributary-durable --bench engine -- [sqlite|postgres] [--runs N] [--in-flight N] [--timers N:SECONDS]`

#![allow(clippy::float_arithmetic, clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use durable::host::{self, HostOptions};
use durable::probe::{Fate, Point, Probe};
use durable::{Clock, Context, Database, Engine, Interrupt, Options, Registry, StepError, SystemClock, TxStep, Workflow};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, TransactionTrait};
use support::{Kind, TestDatabase};
use tokio::sync::Semaphore;

struct Effect {
    run: String,
    n: i64,
}

async fn effect<C: ConnectionTrait>(db: &C, run: &str, n: i64) -> Result<(), sea_orm::DbErr> {
    let text = if db.get_database_backend() == DbBackend::Postgres {
        "INSERT INTO effects (run, name, n) VALUES ($1, 'effect', $2)"
    } else {
        "INSERT INTO effects (run, name, n) VALUES (?, 'effect', ?)"
    };
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), text, [run.into(), n.into()])).await.map(|_| ())
}

impl TxStep<DatabaseTransaction> for Effect {
    type Out = i64;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<i64, StepError> {
        effect(tx, &self.run, self.n).await?;
        Ok(self.n)
    }
}

struct FiveSteps;

impl Workflow for FiveSteps {
    const NAME: &'static str = "five_steps";
    type Input = i64;
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: i64) -> Result<i64, Interrupt> {
        let mut sum = input;
        for name in ["one", "two", "three", "four", "five"] {
            sum += ctx.tx_step(name, Effect { run: ctx.run_id().to_string(), n: 1 }).await?;
        }
        Ok(sum)
    }
}

/// Sleeps until its input; the step after that notes how late it runs.
struct Timer;

impl Workflow for Timer {
    const NAME: &'static str = "timer";
    type Input = i64;
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: i64) -> Result<i64, Interrupt> {
        let due = durable::Instant(input);
        ctx.sleep_until("due", due).await?;
        ctx.tx_step("fire", Fire { run: ctx.run_id().to_string(), due }).await
    }
}

/// Its effect is by how many microseconds it runs later than was due.
struct Fire {
    run: String,
    due: durable::Instant,
}

impl TxStep<DatabaseTransaction> for Fire {
    type Out = i64;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<i64, StepError> {
        let late_us = SystemClock.now().0 - self.due.0;
        effect(tx, &self.run, late_us).await?;
        Ok(late_us)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let after = |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned();
    let runs: usize = after("--runs").map_or(4_000, |n| n.parse().expect("--runs takes a number"));
    let kinds: Vec<Kind> = [("sqlite", Kind::Sqlite), ("postgres", Kind::Postgres)]
        .into_iter()
        .filter(|(name, _)| !arguments.iter().any(|a| a == "sqlite" || a == "postgres") || arguments.iter().any(|a| a == name))
        .map(|(_, kind)| kind)
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        for kind in kinds {
            println!("{kind:?}");
            if let Some(count) = after("--in-flight") {
                in_flight(kind, count.parse().expect("--in-flight takes a number")).await;
            } else if let Some(timers) = after("--timers") {
                let (count, seconds) = timers.split_once(':').expect("--timers takes COUNT:SECONDS");
                self::timers(kind, count.parse().expect("a count"), seconds.parse().expect("seconds")).await;
            } else {
                throughput(kind, runs).await;
            }
        }
    });
}

async fn throughput(kind: Kind, runs: usize) {
    println!("{:>10} {:>12} {:>10} {:>10} {:>8} {:>10} {:>10}", "at once", "commits/s", "limit", "runs/s", "ratio", "p50 ms", "p99 ms");
    for at_once in [1, 8, 64] {
        let some = if at_once == 1 { runs / 4 } else { runs };
        let connections = u32::try_from(at_once).expect("few").max(2);
        let commits = commits(&TestDatabase::create_with(kind, connections).await.database, at_once, some * 3).await;
        let (rate, mut latencies) = five_steps(&TestDatabase::create_with(kind, connections).await.database, at_once, some).await;
        latencies.sort_unstable();
        let at = |share: usize| latencies[(latencies.len() * share / 100).min(latencies.len() - 1)].as_secs_f64() * 1e3;
        let limit = commits / 7.0;
        println!("{at_once:>10} {commits:>12.0} {limit:>10.0} {rate:>10.0} {:>8.2} {:>10.1} {:>10.1}", rate / limit, at(50), at(99));
    }
}

/// Plain commits of two rows by as many tasks.
async fn commits(database: &Database, at_once: usize, count: usize) -> f64 {
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..at_once {
        let write = database.write().clone();
        tasks.spawn(async move {
            for n in 0..count / at_once {
                let tx = write.begin().await.expect("a transaction begins");
                for row in 0..2 {
                    effect(&tx, &format!("plain_{task}_{n}"), row).await.expect("a row is inserted");
                }
                tx.commit().await.expect("a transaction commits");
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    (count / at_once * at_once) as f64 / begun.elapsed().as_secs_f64()
}

/// Runs started and finished, `at_once` of them under way at any time; one dispatcher takes what is due for as many workers.
async fn five_steps(database: &Database, at_once: usize, count: usize) -> (f64, Vec<Duration>) {
    let engine = Engine::open(database.clone(), Registry::new().with(FiveSteps), Options::new("bench")).await.expect("an engine opens");
    let free = Arc::new(Semaphore::new(at_once));
    let begun = Instant::now();
    let starter = tokio::spawn({
        let (engine, free) = (engine.clone(), Arc::clone(&free));
        async move {
            let mut starting = tokio::task::JoinSet::new();
            for n in 0..count {
                free.acquire().await.expect("the semaphore is open").forget();
                let engine = engine.clone();
                starting.spawn(async move {
                    let at = begun.elapsed().as_micros();
                    engine.start::<FiveSteps>(&format!("{n}"), &i64::try_from(at).expect("short")).await.expect("a run starts");
                });
                while starting.try_join_next().is_some() {}
            }
            while starting.join_next().await.is_some() {}
        }
    });
    let mut latencies = Vec::with_capacity(count);
    let mut driven = tokio::task::JoinSet::new();
    while latencies.len() < count {
        for claimed in engine.claim(at_once).await.expect("runs are taken") {
            let started = Duration::from_micros(claimed.input().parse().expect("a number"));
            let free = Arc::clone(&free);
            driven.spawn(async move {
                assert_eq!(claimed.drive().await, durable::Drive::Done);
                free.add_permits(1);
                begun.elapsed().checked_sub(started).unwrap_or_default()
            });
        }
        tokio::select! {
            () = engine.hinted() => {}
            Some(ended) = driven.join_next() => latencies.push(ended.expect("no panic")),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        while let Some(ended) = driven.try_join_next() {
            latencies.push(ended.expect("no panic"));
        }
    }
    starter.await.expect("no panic");
    (count as f64 / begun.elapsed().as_secs_f64(), latencies)
}

/// Runs that a killed process left in the middle: how long until all are taken up again.
async fn in_flight(kind: Kind, count: i64) {
    let test = TestDatabase::create(kind).await;
    // As a kill leaves them: one step done, the worker gone.
    let numbers = numbers(&test.database, count);
    for text in [
        format!(
            "INSERT INTO workflow_runs (id, workflow, key, version, status, epoch, input, wake_at, owner, takes, created_at) \
             SELECT 'wfr_' || i, 'five_steps', 'k' || i, 1, 'running', 1, '0', 0, 'bench', 1, 0 FROM ({numbers}) AS n"
        ),
        format!(
            "INSERT INTO run_steps (run, ordinal, name, kind, attempt, outcome, result, begun_at, ended_at) \
             SELECT 'wfr_' || i, 1, 'one', 'tx', 1, 'done', '1', 0, 0 FROM ({numbers}) AS n"
        ),
    ] {
        test.database.write().execute_unprepared(&text).await.expect("rows are inserted");
    }
    let begun = Instant::now();
    let progress = Arc::new(Progress::default());
    let options = Options { probe: progress.clone(), ..Options::new("bench") };
    let engine = Engine::open(test.database.clone(), Registry::new().with(FiveSteps), options).await.expect("an engine opens");
    let ready = begun.elapsed();
    let after = Instant::now();
    *progress.since.lock().expect("no panic") = Some(after);
    let mut taken = Vec::new();
    loop {
        let some = engine.claim(1_024).await.expect("runs are taken");
        if some.is_empty() {
            break;
        }
        taken.extend(some);
    }
    let all_taken = after.elapsed();
    let mut driven: tokio::task::JoinSet<_> = taken.into_iter().map(durable::Claimed::drive).collect();
    let mut done = 0;
    while let Some(drive) = driven.join_next().await {
        done += i64::from(drive.expect("no panic") == durable::Drive::Done);
    }
    let went_on = progress.last.lock().expect("no panic").unwrap_or_default();
    println!(
        "{count} in flight: ready after {ready:?}; after that all taken {all_taken:?}, all gone on {went_on:?}, all done {:?} ({done})",
        after.elapsed()
    );
    assert_eq!(done, count, "not every run has gone on to its end");
}

/// When the last run has committed the step that it stood before.
#[derive(Debug, Default)]
struct Progress {
    since: std::sync::Mutex<Option<Instant>>,
    last: std::sync::Mutex<Option<Duration>>,
}

impl Probe for Progress {
    fn at(&self, point: Point, _workflow: &str, step: &str) -> Fate {
        if point == Point::AfterResult && step == "two" {
            *self.last.lock().expect("no panic") = self.since.lock().expect("no panic").map(|since| since.elapsed());
        }
        Fate::GoOn
    }
}

/// Timers due evenly over some seconds, all of them asleep before the first is due: how late the step after each sleep runs.
async fn timers(kind: Kind, count: i64, seconds: i64) {
    let test = TestDatabase::create(kind).await;
    // The set-up must be over when the first is due.
    let lead = Duration::from_secs(10 + u64::try_from(count).expect("positive") / 5_000);
    let first = SystemClock.now().plus(lead);
    let begun = Instant::now();
    fall_asleep(&test.database, count, first, seconds).await;
    let engine = Engine::open(test.database.clone(), Registry::new().with(Timer), Options::new("bench")).await.expect("an engine opens");
    println!("{count} timers asleep after {:?}", begun.elapsed());
    assert!(SystemClock.now() < first, "the set-up took longer than {lead:?}");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = HostOptions { workers: 64, ..HostOptions::default() };
    let serving = engine.clone();
    let host = tokio::spawn(async move {
        host::serve(&serving, options, async {
            stopped.await.ok();
        })
        .await
    });
    // Nothing else is asked of the database while the timers fire.
    let last = first.plus(Duration::from_secs(u64::try_from(seconds).expect("positive")));
    tokio::time::sleep(last.since(SystemClock.now())).await;
    let limit = Instant::now() + Duration::from_mins(1);
    let fired = loop {
        let is_idle = engine.next_due().await.expect("a query runs").is_none() && engine.held() == 0;
        let fired = if is_idle { lateness(&test.database).await } else { Vec::new() };
        if i64::try_from(fired.len()) == Ok(count) || Instant::now() > limit {
            break fired;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    stop.send(()).ok();
    host.await.expect("no panic").expect("the host ends well");
    assert_eq!(i64::try_from(fired.len()), Ok(count), "not every timer has fired once");
    let at = |share: usize| fired[(fired.len() * share / 100).min(fired.len() - 1)] as f64 / 1e3;
    println!("{count} timers over {seconds} s: p50 {:.1} ms, p99 {:.1} ms, last {:.1} ms late", at(50), at(99), at(100));
}

/// Runs as the engine leaves them that have journaled their sleep.
async fn fall_asleep(database: &Database, count: i64, first: durable::Instant, seconds: i64) {
    let (now, numbers) = (SystemClock.now(), numbers(database, count));
    let due = format!("{first} + (i - 1) * {spread} / {count}", first = first.0, spread = seconds * 1_000_000);
    for text in [
        format!(
            "INSERT INTO workflow_runs (id, workflow, key, version, status, epoch, input, wake_at, waiting_for, steps_seen, created_at, started_at) \
             SELECT 'wfr_' || i, 'timer', 'k' || i, 1, 'waiting', 1, CAST({due} AS TEXT), {due}, 'time', 0, {now}, {now} FROM ({numbers}) AS n",
            now = now.0
        ),
        format!(
            "INSERT INTO run_steps (run, ordinal, name, kind, attempt, outcome, result, begun_at) \
             SELECT 'wfr_' || i, 1, 'due', 'sleep', 0, 'waiting', CAST({due} AS TEXT), {now} FROM ({numbers}) AS n",
            now = now.0
        ),
    ] {
        database.write().execute_unprepared(&text).await.expect("rows are inserted");
    }
}

/// `1 …` as rows of the column `i`.
fn numbers(database: &Database, count: i64) -> String {
    if database.backend() == DbBackend::Postgres {
        format!("SELECT i FROM generate_series(CAST(1 AS BIGINT), {count}) AS s(i)")
    } else {
        format!("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count}) SELECT i FROM s")
    }
}

/// By how many microseconds each timer has fired late, least first.
async fn lateness(database: &Database) -> Vec<i64> {
    let statement = Statement::from_string(database.backend(), "SELECT n FROM effects ORDER BY n");
    let rows = database.read().query_all_raw(statement).await.expect("a query runs");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a number")).collect()
}
