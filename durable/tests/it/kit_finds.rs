//! The kit finds what it is there for: workflows that are wrong on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::clock::ManualClock;
use durable::kit::{self, KitError, Theatre, World};
use durable::runs::{self, RunView};
use durable::{Clock, Context, Database, Interrupt, Outcome, Registry, RunId, StepError, TxStep, Workflow};
use sea_orm::DatabaseTransaction;

use crate::support::{Kind, TestDatabase};
use crate::world::{Add, Remove, START, effects};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Something is done outside of any step.
    BesideTheSteps,
    /// A call does not use its key.
    KeyIgnored,
    /// A step in the database does something else too.
    BesideTheTransaction,
    /// What was done is not undone.
    NotUndone,
    /// The code does not ask for the same steps each time.
    Undetermined,
}

/// What happened outside, as often as it happened.
type Count = Arc<AtomicUsize>;

struct Wrong {
    fault: Fault,
    outside: Count,
}

struct Change {
    key: String,
    beside: Option<Count>,
}

impl TxStep<DatabaseTransaction> for Change {
    type Out = i64;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<i64, StepError> {
        if let Some(outside) = &self.beside {
            outside.fetch_add(1, Ordering::SeqCst);
        }
        Add::new(&self.key, "change", 1).run(tx).await
    }
}

impl Workflow for Wrong {
    const NAME: &'static str = "wrong";
    type Input = ();
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
        if self.fault == Fault::BesideTheSteps {
            self.outside.fetch_add(1, Ordering::SeqCst);
        }
        if self.fault == Fault::Undetermined && self.outside.fetch_add(1, Ordering::SeqCst) > 0 {
            ctx.tx_step("only the second time", Add::new(ctx.key(), "more", 1)).await?;
        }
        let beside = (self.fault == Fault::BesideTheTransaction).then(|| self.outside.clone());
        ctx.tx_step("change", Change { key: ctx.key().to_owned(), beside }).await?;
        if self.fault != Fault::NotUndone {
            ctx.on_failure("change", Remove::new(ctx.key(), "change"))?;
        }
        ctx.step("call", |_| async {
            if self.fault == Fault::KeyIgnored {
                self.outside.fetch_add(1, Ordering::SeqCst);
            }
            Ok(Outcome::Known(()))
        })
        .await?;
        ctx.tx_step("last", Add::new(ctx.key(), "last", 1)).await?;
        Ok(())
    }
}

struct Stage(Fault);

struct Place {
    test: TestDatabase,
    clock: Arc<ManualClock>,
    fault: Fault,
    outside: Count,
}

impl Theatre for Stage {
    type World = Place;

    async fn fresh(&self) -> Result<Place, KitError> {
        let test = TestDatabase::create(Kind::Sqlite).await;
        Ok(Place { test, clock: Arc::new(ManualClock::at(START)), fault: self.0, outside: Count::default() })
    }
}

impl World for Place {
    fn database(&self) -> &Database {
        &self.test.database
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    fn registry(&self) -> Registry {
        Registry::new().with(Wrong { fault: self.fault, outside: self.outside.clone() })
    }

    async fn start(&self) -> Result<RunId, KitError> {
        let tx = self.test.database.begin_write().await?;
        let run = runs::start_as::<Wrong>(&tx, "k", &(), self.clock.now()).await?.run;
        tx.commit().await?;
        Ok(run)
    }

    async fn effects(&self) -> Result<Vec<String>, KitError> {
        let mut all = effects(&self.test.database).await;
        all.push(format!("outside {}", self.outside.load(Ordering::SeqCst)));
        Ok(all)
    }

    async fn undone(&self, _: &RunView) -> Result<Option<String>, KitError> {
        let left = effects(&self.test.database).await;
        Ok((!left.is_empty()).then(|| format!("{left:?}")))
    }
}

#[tokio::test]
async fn a_right_workflow_passes() {
    kit::crash_at_every_step(&Stage(Fault::None)).await.unwrap();
    kit::repeat_every_step(&Stage(Fault::None)).await.unwrap();
    kit::fail_and_unwind(&Stage(Fault::None)).await.unwrap();
}

#[tokio::test]
async fn what_is_done_beside_the_steps_is_found() {
    let error = kit::crash_at_every_step(&Stage(Fault::BesideTheSteps)).await.unwrap_err();
    assert!(matches!(error, KitError::Different { what: "effects", .. }), "{error}");
}

#[tokio::test]
async fn a_call_without_its_key_is_found() {
    for error in [kit::repeat_every_step(&Stage(Fault::KeyIgnored)).await, kit::crash_at_every_step(&Stage(Fault::KeyIgnored)).await] {
        let error = error.unwrap_err();
        assert!(matches!(error, KitError::Different { what: "effects", .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_done_beside_the_transaction_is_found() {
    let error = kit::repeat_every_step(&Stage(Fault::BesideTheTransaction)).await.unwrap_err();
    assert!(matches!(&error, KitError::Different { what: "effects", disturbance, .. } if disturbance.contains("wrong/change")), "{error}");
}

#[tokio::test]
async fn what_is_not_undone_is_found() {
    let error = kit::fail_and_unwind(&Stage(Fault::NotUndone)).await.unwrap_err();
    assert!(matches!(&error, KitError::NotUndone { disturbance, .. } if disturbance.contains("wrong/call")), "{error}");
}

#[tokio::test]
async fn code_that_is_not_determined_is_found() {
    let error = kit::crash_at_every_step(&Stage(Fault::Undetermined)).await.unwrap_err();
    assert!(matches!(error, KitError::Different { .. }), "{error}");
}
