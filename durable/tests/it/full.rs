//! A full disk under SQLite: nothing is acknowledged that is not there, and what comes after it is written again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use durable::host::run_until_idle;
use durable::{Context, Drive, Engine, Interrupt, Outcome, Registry, RunStatus, StepError, TxStep, Workflow, runs};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::support::{Disk, Kind};
use crate::wait;
use crate::world::{Add, Outside, Place, effects, statement};

/// A step that needs a few hundred pages.
struct Fill(String);

impl TxStep<DatabaseTransaction> for Fill {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        tx.execute_unprepared("INSERT INTO effects (run, name, n) VALUES (hex(zeroblob(500000)), 'fill', 1)").await?;
        Add::new(&self.0, "filled", 1).run(tx).await.map(|_| ())
    }
}

struct Filling;

impl Workflow for Filling {
    const NAME: &'static str = "filling";
    type Input = bool;
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, much: bool) -> Result<(), Interrupt> {
        ctx.tx_step("first", Add::new(ctx.key(), "first", 1)).await?;
        if much {
            ctx.tx_step("fill", Fill(ctx.key().to_owned())).await?;
        }
        ctx.tx_step("last", Add::new(ctx.key(), "last", 1)).await.map(|_| ())
    }
}

/// Asks the outside, whose answer needs many pages.
#[derive(Clone)]
struct Asking(Outside);

impl Workflow for Asking {
    const NAME: &'static str = "asking at length";
    type Input = ();
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
        let call = |key| async move { self.0.call("ask", &key).map(|_| Outcome::Known("x".repeat(200_000))) };
        let _: Outcome<String> = ctx.step("ask", call).await?;
        ctx.tx_step("last", Add::new(ctx.key(), "last", 1)).await.map(|_| ())
    }
}

/// Drives what is due, again and again, while time passes; each round ends when what was lost is given back.
async fn rounds(place: &Place, engine: &Engine, count: usize) {
    for _ in 0..count {
        run_until_idle(engine, 4).await.unwrap();
        let held = runs::Filter { status: Some(RunStatus::Running), ..runs::Filter::default() };
        wait::until("all runs are given back", async || runs::list(place.database().read(), &held).await.unwrap().is_empty()).await;
        place.clock.advance(Duration::from_secs(10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_is_full_runs_wait_and_then_go_on_by_themselves() {
    let place = Place::new(Kind::Sqlite).await;
    let disk = Disk::default();
    let database = place.test.on(&disk).await;
    let outside = Outside::default();
    let registry = Registry::new().with(Filling).with(Asking(outside.clone()));
    let engine = Engine::open(database.clone(), registry, place.options()).await.unwrap();
    let full = engine.start::<Filling>("full", &true).await.unwrap().run;
    let beside = engine.start::<Filling>("beside", &false).await.unwrap().run;
    let asking = engine.start::<Asking>("asking", &()).await.unwrap().run;
    disk.set_full(true);
    // More often than a run is taken without progress, and than a step is tried, before it is parked.
    rounds(&place, &engine, 10).await;
    for run in [&full, &asking] {
        let view = place.show(run).await;
        let waiting = (view.run.status.as_str(), view.run.waiting_for.as_deref());
        assert_eq!(waiting, ("waiting", Some("room in the database")), "{view:?}");
    }
    assert!(outside.calls() > 8, "it is asked again, under the same key");
    disk.set_full(false);
    rounds(&place, &engine, 3).await;
    for run in [&full, &beside, &asking] {
        let view = place.show(run).await;
        assert_eq!(view.run.status.as_str(), "done", "{view:?}");
        assert!(view.steps.iter().all(|step| step.attempt <= 1), "no attempt counts that the disk refused: {:?}", view.steps);
    }
    let other = place.test.again().await;
    let seen: Vec<String> = effects(&other).await.into_iter().filter(|effect| effect.len() < 100).collect();
    let expected = ["asking last 1", "beside first 1", "beside last 1", "full filled 1", "full first 1", "full last 1"];
    assert_eq!(seen, expected, "as another connection sees it");
    let lock = tokio::time::timeout(Duration::from_secs(5), other.begin_write()).await;
    lock.expect("nobody holds the write lock").unwrap().rollback().await.unwrap();
    place.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_sqlite_rolls_back_by_itself_takes_nothing_along() {
    let place = Place::new(Kind::Sqlite).await;
    let engine = place.engine(Registry::new().with(Filling)).await;
    let other = place.test.again().await;
    let refused = Arc::new(AtomicUsize::new(0));
    {
        let mut writer = place.database().write().get_sqlite_connection_pool().acquire().await.unwrap();
        let count = Arc::clone(&refused);
        // The third commit from here is rolled back instead, as a full disk does it.
        writer.lock_handle().await.unwrap().set_commit_hook(move || count.fetch_add(1, Ordering::SeqCst) != 2);
    }
    let run = engine.start::<Filling>("a", &false).await.unwrap().run;
    for _ in 0..5 {
        run_until_idle(&engine, 4).await.unwrap();
        place.clock.advance(Duration::from_mins(10));
        // What is rolled back must not leave the writer inside a transaction either.
        place.database().begin_write().await.unwrap().rollback().await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), async {
            while place.status(&run).await == "running" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the run is given back");
    }
    assert!(refused.load(Ordering::SeqCst) > 2, "a commit was refused");
    assert_eq!(place.status(&run).await, "done", "{:?}", place.show(&run).await);
    assert_eq!(effects(&other).await, ["a first 1", "a last 1"], "as another connection sees it");
    let lock = tokio::time::timeout(Duration::from_secs(5), other.begin_write()).await;
    lock.expect("nobody holds the write lock").unwrap().rollback().await.unwrap();
}

/// The first of two adds a row, until its commit has been refused; the second is refused where it sees that row.
struct Turn {
    key: String,
    is_refused: Arc<AtomicBool>,
}

impl TxStep<DatabaseTransaction> for Turn {
    type Out = i64;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<i64, StepError> {
        let row = Add::new(&self.key, "turn", 1);
        if self.key == "first" {
            return if self.is_refused.load(Ordering::SeqCst) { Err(StepError::fail("it was refused")) } else { row.run(tx).await };
        }
        let seen = tx.query_one_raw(statement(tx.get_database_backend(), "SELECT 1 FROM effects", vec![])).await?;
        if seen.is_some() { Err(StepError::fail("the first was there")) } else { row.run(tx).await }
    }
}

struct Turns(Arc<AtomicBool>);

impl Workflow for Turns {
    const NAME: &'static str = "turns";
    type Input = ();
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<i64, Interrupt> {
        ctx.tx_step("turn", Turn { key: ctx.key().to_owned(), is_refused: self.0.clone() }).await
    }
}

/// On one thread, so that what is driven has submitted its unit when it is this test's turn again.
#[tokio::test]
async fn no_refusal_rests_on_what_was_never_committed() {
    let place = Place::new(Kind::Sqlite).await;
    let is_refused = Arc::new(AtomicBool::new(false));
    let engine = place.engine(Registry::new().with(Turns(is_refused.clone()))).await;
    let is_armed = Arc::new(AtomicBool::new(false));
    {
        let mut writer = place.database().write().get_sqlite_connection_pool().acquire().await.unwrap();
        let (is_armed, is_refused) = (is_armed.clone(), is_refused.clone());
        let commits = move || {
            let refuses = is_armed.swap(false, Ordering::SeqCst);
            is_refused.fetch_or(refuses, Ordering::SeqCst);
            !refuses
        };
        writer.lock_handle().await.unwrap().set_commit_hook(commits);
    }
    let mut driven = Vec::new();
    for key in ["first", "second"] {
        engine.start::<Turns>(key, &()).await.unwrap();
        driven.push(engine.claim(1).await.unwrap().pop().unwrap());
    }
    let mut ends = Vec::new();
    {
        let writing = place.database().begin_write().await.unwrap();
        for claimed in driven {
            ends.push(tokio::spawn(claimed.drive()));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        is_armed.store(true, Ordering::SeqCst);
        writing.rollback().await.unwrap();
    }
    let second = ends.pop().unwrap().await.unwrap();
    assert!(is_refused.load(Ordering::SeqCst), "a commit was refused");
    assert_eq!(second, Drive::Done);
    assert_eq!(place.effects().await, ["second turn 1"]);
}
