//! What broke in other engines, each by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use durable::host::{HostOptions, run_until_idle, serve};
use durable::runs::{self, Target};
use durable::{Context, Drive, Interrupt, Outcome, Registry, StepError, TxStep, Workflow};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::on_both;
use crate::support::Kind;
use crate::wait;
use crate::world::{Add, Listed, Place, START};

on_both!(
    a_worker_that_dies_before_its_first_step_again_and_again,
    a_panicking_step_parks_its_run_only,
    a_hanging_workflow_is_given_back_when_its_worker_goes,
    a_lost_notification_costs_one_poll,
    a_failing_step_leaves_nothing_of_its_transaction,
    one_bad_unit_does_not_spoil_the_commit_of_others,
    a_call_that_kills_its_worker_is_counted,
    a_workflow_that_swallows_interrupts_is_stopped,
    another_request_under_the_same_key_is_parked,
);

async fn a_worker_that_dies_before_its_first_step_again_and_again(kind: Kind) {
    let place = Place::new(kind).await;
    let registry = || Registry::new().with(Listed(vec!["a"]));
    let engine = place.engine(registry()).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    drop(engine);
    for _ in 0..5 {
        let engine = place.engine(registry()).await;
        assert_eq!(engine.claim(1).await.unwrap().len(), 1);
        // The process ends here, the run still held.
    }
    let engine = place.engine(registry()).await;
    assert_eq!(engine.claim(1).await.unwrap().len(), 0);
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "parked");
    assert!(view.run.error.unwrap().contains("taken 5 times and made no progress"));
    place.assert_sound().await;
    place.tx(async |tx| durable::operate::retry(tx, &run, "ops", "repaired", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "done");
}

struct Panics;

impl TxStep<DatabaseTransaction> for Panics {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        Add::new("k", "half", 1).run(tx).await?;
        panic!("the step's own words");
    }
}

struct Panicking {
    out: bool,
}

impl Workflow for Panicking {
    const NAME: &'static str = "panicking";
    type Input = ();
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
        if self.out {
            ctx.step::<(), _, _>("call", |_| async { panic!("the call's own words") }).await.map(|_| ())
        } else {
            ctx.tx_step("change", Panics).await
        }
    }
}

async fn a_panicking_step_parks_its_run_only(kind: Kind) {
    for out in [true, false] {
        let place = Place::new(kind).await;
        let engine = place.engine(Registry::new().with(Panicking { out }).with(Listed(vec!["a"]))).await;
        let run = engine.start::<Panicking>("k", &()).await.unwrap().run;
        for n in 0..20 {
            engine.start::<Listed>(&format!("other{n}"), &0).await.unwrap();
        }
        for _ in 0..10 {
            run_until_idle(&engine, 8).await.unwrap();
            place.clock.advance(Duration::from_mins(10));
        }
        let view = place.show(&run).await;
        assert_eq!(view.run.status.as_str(), "parked");
        assert!(view.run.error.as_deref().unwrap().contains("own words"), "{:?}", view.run.error);
        let done = runs::list(place.database().read(), &runs::Filter { workflow: Some("listed".into()), ..runs::Filter::default() }).await.unwrap();
        assert!(done.len() == 20 && done.iter().all(|run| run.status.as_str() == "done"));
        assert_eq!(place.effects().await.len(), 20, "nothing of the panicking step");
    }
}

async fn a_hanging_workflow_is_given_back_when_its_worker_goes(kind: Kind) {
    struct Forever;
    impl Workflow for Forever {
        const NAME: &'static str = "forever";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, _: &C, (): ()) -> Result<(), Interrupt> {
            std::future::pending().await
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Forever)).await;
    let run = engine.start::<Forever>("k", &()).await.unwrap().run;
    let driven = tokio::spawn(engine.claim(1).await.unwrap().pop().unwrap().drive());
    assert_eq!(engine.held(), 1);
    driven.abort();
    wait::until("the run is given back", async || place.status(&run).await == "ready").await;
    assert_eq!(engine.held(), 0);
}

async fn a_lost_notification_costs_one_poll(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "signal go"]))).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let host = tokio::spawn({
        let engine = engine.clone();
        async move { serve(&engine, HostOptions { poll: Duration::from_millis(50), ..HostOptions::default() }, async { stopped.await.unwrap() }).await }
    });
    // Another process starts and signals: this one hears nothing of it.
    let run = place.tx(async |tx| runs::start_as::<Listed>(tx, "k", &0, START).await).await.run;
    // Many polls, for a machine that has other things to do.
    let limit = Duration::from_secs(2);
    wait::within(limit, "the run waits", async || place.status(&run).await == "waiting").await;
    place.tx(async |tx| runs::signal(tx, Target::Run(&run), "go", "1", &json!(1), START).await).await;
    wait::within(limit, "the run is done", async || place.status(&run).await == "done").await;
    stop.send(()).unwrap();
    host.await.unwrap().unwrap();
}

struct HalfThenFail;

impl TxStep<DatabaseTransaction> for HalfThenFail {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        Add::new("k", "half", 1).run(tx).await?;
        Err(StepError::fail("after half of it"))
    }
}

struct Half;

impl Workflow for Half {
    const NAME: &'static str = "half";
    type Input = ();
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
        ctx.tx_step("half", HalfThenFail).await
    }
}

async fn a_failing_step_leaves_nothing_of_its_transaction(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Half)).await;
    let run = engine.start::<Half>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "failed");
    assert_eq!(place.effects().await, Vec::<String>::new());
}

async fn one_bad_unit_does_not_spoil_the_commit_of_others(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Half).with(Listed(vec!["a", "b", "c"]))).await;
    for n in 0..30 {
        engine.start::<Half>(&format!("bad{n}"), &()).await.unwrap();
        engine.start::<Listed>(&format!("good{n:02}"), &0).await.unwrap();
    }
    run_until_idle(&engine, 60).await.unwrap();
    let count =
        async |status| runs::list(place.database().read(), &runs::Filter { status: Some(status), ..runs::Filter::default() }).await.unwrap().len();
    assert_eq!((count(durable::RunStatus::Done).await, count(durable::RunStatus::Failed).await), (30, 30));
    let expected: Vec<String> = (0..30).flat_map(|n| ["a", "b", "c"].map(|step| format!("good{n:02} {step} 1"))).collect();
    assert_eq!(place.effects().await, expected);
    place.assert_sound().await;
}

async fn a_call_that_kills_its_worker_is_counted(kind: Kind) {
    #[derive(Clone)]
    struct Killing(Arc<AtomicUsize>);
    impl Workflow for Killing {
        const NAME: &'static str = "killing";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            let call = |_| async {
                self.0.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
                Ok(Outcome::Known(()))
            };
            ctx.step("kill", call).await.map(|_| ())
        }
    }
    let place = Place::new(kind).await;
    let killing = Killing(Arc::default());
    let options = || durable::Options { takes_max: 100, ..place.options() };
    let open = || async { durable::Engine::open(place.database().clone(), Registry::new().with(killing.clone()), options()).await.unwrap() };
    let run = open().await.start::<Killing>("k", &()).await.unwrap().run;
    for calls in 1..=8 {
        let engine = open().await;
        let driven = tokio::spawn(engine.claim(1).await.unwrap().pop().unwrap().drive());
        wait::until("the call is made", async || killing.0.load(Ordering::SeqCst) == calls).await;
        driven.abort();
        driven.await.unwrap_err();
    }
    let engine = open().await;
    assert_eq!(engine.claim(1).await.unwrap().pop().unwrap().drive().await, Drive::Parked);
    assert_eq!(killing.0.load(Ordering::SeqCst), 8, "it is not made once more");
    assert_eq!(place.show(&run).await.steps[0].attempt, 8);
    place.assert_sound().await;
}

async fn a_workflow_that_swallows_interrupts_is_stopped(kind: Kind) {
    struct Swallowing(Arc<AtomicBool>);
    impl Workflow for Swallowing {
        const NAME: &'static str = "swallowing";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            ctx.signal::<i64>("never", None).await.ok();
            let went_on = ctx.tx_step("after", Add::new(ctx.key(), "after", 1)).await.is_ok();
            self.0.store(went_on, Ordering::SeqCst);
            Ok(())
        }
    }
    let place = Place::new(kind).await;
    let went_on = Arc::new(AtomicBool::new(false));
    let engine = place.engine(Registry::new().with(Swallowing(went_on.clone()))).await;
    let run = engine.start::<Swallowing>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!((place.status(&run).await.as_str(), went_on.load(Ordering::SeqCst)), ("waiting", false));
    assert_eq!(place.effects().await, Vec::<String>::new());
}

async fn another_request_under_the_same_key_is_parked(kind: Kind) {
    struct Sending(&'static str);
    impl Workflow for Sending {
        const NAME: &'static str = "sending";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            let options = durable::StepOptions { request_digest: Some(self.0.to_owned()), ..durable::StepOptions::default() };
            ctx.step_with::<(), _, _>("send", options, |_| async { Err(StepError::retry("down")) }).await.map(|_| ())
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Sending("one"))).await;
    let run = engine.start::<Sending>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    drop(engine);
    place.clock.advance(Duration::from_mins(1));
    let engine = place.engine(Registry::new().with(Sending("two"))).await;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "parked");
    assert!(view.run.error.unwrap().contains("another request than \"one\""));
}
