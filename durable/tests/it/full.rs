//! A full disk under SQLite: nothing is acknowledged that is not there, and what comes after it is written again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::host::run_until_idle;
use durable::{Context, Interrupt, Registry, StepError, TxStep, Workflow};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::support::Kind;
use crate::world::{Add, Place, effects};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_full_disk_everything_is_committed_again() {
    let place = Place::new(Kind::Sqlite).await;
    let engine = place.engine(Registry::new().with(Filling)).await;
    let other = place.test.again().await;
    // The file may not grow from here on.
    place.execute("PRAGMA max_page_count = 1").await;
    let full = engine.start::<Filling>("full", &true).await.unwrap().run;
    let beside = engine.start::<Filling>("beside", &false).await.unwrap().run;
    run_until_idle(&engine, 4).await.unwrap();
    // There is room again.
    place.execute("PRAGMA max_page_count = 1000000").await;
    for _ in 0..5 {
        place.clock.advance(Duration::from_mins(10));
        run_until_idle(&engine, 4).await.unwrap();
    }
    for run in [&full, &beside] {
        assert_eq!(place.status(run).await, "done", "{:?}", place.show(run).await);
    }
    let seen: Vec<String> = effects(&other).await.into_iter().filter(|effect| effect.len() < 100).collect();
    assert_eq!(seen, ["beside first 1", "beside last 1", "full filled 1", "full first 1", "full last 1"], "as another connection sees it");
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
