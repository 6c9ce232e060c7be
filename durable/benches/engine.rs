//! How many five-step runs a second, beside plain two-row commits by the same driver; each step is a transaction with an effect row.
//!
//! `cargo bench -p tributary-durable --bench engine -- [sqlite|postgres] [--runs N] [--in-flight N] [--timers N:SECONDS] [--stop]`

#![allow(clippy::float_arithmetic, clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use durable::host::{self, HostOptions};
use durable::probe::{Fate, Point, Probe};
use durable::{Context, Database, Engine, Interrupt, Options, Registry, StepError, TxStep, Workflow};
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

/// Sleeps until its input, then notes how late it woke.
struct Timer;

impl Workflow for Timer {
    const NAME: &'static str = "timer";
    type Input = i64;
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: i64) -> Result<i64, Interrupt> {
        ctx.sleep_until("due", durable::Instant(input)).await?;
        Ok(durable::Clock::now(&durable::SystemClock).0 - input)
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
    let postgres = test.database.backend() == DbBackend::Postgres;
    let numbers = if postgres {
        format!("SELECT i FROM generate_series(1, {count}) AS s(i)")
    } else {
        format!("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count}) SELECT i FROM s")
    };
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

/// Timers due evenly over some seconds: how late they fire.
async fn timers(kind: Kind, count: i64, seconds: i64) {
    let test = TestDatabase::create(kind).await;
    let engine = Engine::open(test.database.clone(), Registry::new().with(Timer), Options::new("bench")).await.expect("an engine opens");
    let lead = Duration::from_secs(10);
    let first = durable::Clock::now(&durable::SystemClock).plus(lead).0;
    let insert = Instant::now();
    let mut starting = tokio::task::JoinSet::new();
    for n in 0..count {
        let engine = engine.clone();
        starting.spawn(async move { engine.start::<Timer>(&format!("t{n}"), &(first + n * seconds * 1_000_000 / count)).await });
        if starting.len() >= 64 {
            starting.join_next().await;
        }
    }
    while starting.join_next().await.is_some() {}
    println!("{count} timers started in {:?}", insert.elapsed());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = HostOptions { workers: 64, ..HostOptions::default() };
    let serving = engine.clone();
    let host = tokio::spawn(async move {
        host::serve(&serving, options, async {
            stopped.await.ok();
        })
        .await
    });
    let limit = Instant::now() + lead + Duration::from_secs(u64::try_from(seconds).expect("positive") + 60);
    let left = "SELECT CAST(count(*) AS BIGINT) FROM workflow_runs WHERE status <> 'done'";
    while number(&test.database, left).await > 0 && Instant::now() < limit {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stop.send(()).ok();
    host.await.expect("no panic").expect("the host ends well");
    let late = |share: i64| {
        let text = format!(
            "SELECT CAST(output AS BIGINT) FROM workflow_runs WHERE status = 'done' ORDER BY CAST(output AS BIGINT) LIMIT 1 OFFSET {}",
            (count * share / 100).min(count - 1)
        );
        let database = test.database.clone();
        async move { number(&database, &text).await / 1_000 }
    };
    println!("{count} timers over {seconds} s: p50 {} ms, p99 {} ms, last {} ms late", late(50).await, late(99).await, late(100).await);
}

async fn number(database: &Database, text: &str) -> i64 {
    let statement = Statement::from_string(database.backend(), text);
    database.read().query_one_raw(statement).await.expect("a query runs").expect("a row").try_get_by_index(0).expect("a number")
}
