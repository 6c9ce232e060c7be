//! What a workflow may do, each thing for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use durable::clock::ManualClock;
use durable::host::run_until_idle;
use durable::kit::{self, KitError, Theatre, World};
use durable::runs::{self, RunView, Target};
use durable::{ChildEnd, Clock, Context, Database, Instant, Interrupt, Outcome, Registry, RetryPolicy, RunId, StepError, StepOptions, Workflow};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::on_both;
use crate::support::{Kind, TestDatabase};
use crate::world::{Add, Listed, Outside, Place, Remove, START, effects};

on_both!(
    five_steps_once,
    starting_twice_is_one_run,
    a_signal_before_during_and_after,
    a_deadline_passes,
    attempts_are_bounded_and_wait,
    unknown_is_an_outcome,
    every_kind_of_step_bears_crashes,
    every_kind_of_step_bears_repeats,
    every_step_may_fail_and_is_undone,
    many_children_are_joined,
    finished_runs_are_swept_and_never_start_again,
    large_results_park_the_run,
);

async fn five_steps_once(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "b", "c", "d", "e"]))).await;
    let started = engine.start::<Listed>("k", &10).await.unwrap();
    run_until_idle(&engine, 4).await.unwrap();
    let view = place.show(&started.run).await;
    assert_eq!((view.run.status.as_str(), view.output), ("done", Some(json!(15))));
    assert_eq!(view.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    assert_eq!(place.effects().await, ["k a 1", "k b 1", "k c 1", "k d 1", "k e 1"]);
    place.assert_sound().await;
}

async fn starting_twice_is_one_run(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a"]))).await;
    let first = engine.start::<Listed>("k", &1).await.unwrap();
    let starts = (0..16).map(|_| {
        let engine = engine.clone();
        async move { engine.start::<Listed>("k", &1).await.unwrap() }
    });
    for again in futures::future::join_all(starts).await {
        assert_eq!((&again.run, again.fresh, again.same_input), (&first.run, false, true));
    }
    let other = place.tx(async |tx| runs::start_as::<Listed>(tx, "k", &2, START).await).await;
    assert_eq!((other.run, other.fresh, other.same_input), (first.run, false, false));
    run_until_idle(&engine, 4).await.unwrap();
    assert_eq!(place.effects().await, ["k a 1"]);
}

async fn a_signal_before_during_and_after(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "signal go", "b", "signal stop"]))).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    let target = Target::Key { workflow: "listed", key: "k" };
    let send = async |name: &'static str, id: &'static str, payload: i64| {
        place.tx(async |tx| runs::signal(tx, target, name, id, &json!(payload), place.clock.now()).await).await
    };
    assert_eq!(send("go", "1", 100).await, runs::Signalled::New, "before the run waits");
    assert_eq!(send("go", "1", 100).await, runs::Signalled::Repeated);
    assert_eq!(send("go", "2", 500).await, runs::Signalled::New, "a second one");
    run_until_idle(&engine, 4).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.waiting_for.as_deref()), ("waiting", Some("signal stop")));
    assert_eq!(view.unconsumed_signals.iter().map(|signal| signal.id.as_str()).collect::<Vec<_>>(), ["2"]);
    send("stop", "3", 7).await;
    run_until_idle(&engine, 4).await.unwrap();
    assert_eq!(place.show(&run).await.output, Some(json!(109)), "the first signal counts");
    assert_eq!(send("stop", "3", 7).await, runs::Signalled::Repeated, "even after the end");
    let tx = place.database().begin_write().await.unwrap();
    let late = runs::signal(&tx, target, "stop", "4", &json!(1), START).await.unwrap_err().to_string();
    assert!(late.contains("done already"), "{late}");
    let other = runs::signal(&tx, target, "stop", "3", &json!(8), START).await.unwrap_err().to_string();
    assert!(other.contains("another payload"), "{other}");
    tx.rollback().await.unwrap();
    place.assert_sound().await;
}

struct Deadline;

impl Workflow for Deadline {
    const NAME: &'static str = "deadline";
    type Input = ();
    type Output = Option<String>;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<Option<String>, Interrupt> {
        let begun = ctx.now("begun").await?;
        ctx.signal("word", Some(begun.plus(Duration::from_mins(1)))).await
    }
}

async fn a_deadline_passes(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Deadline)).await;
    for (key, sent_after_s, expected) in [("never", None, json!(null)), ("in time", Some(59), json!("yes")), ("late", Some(61), json!(null))] {
        let begun = place.clock.now();
        let run = engine.start::<Deadline>(key, &()).await.unwrap().run;
        run_until_idle(&engine, 4).await.unwrap();
        assert_eq!(place.show(&run).await.run.wake_at.unwrap(), begun.plus(Duration::from_mins(1)).to_string());
        if let Some(after_s) = sent_after_s {
            // The run is not looked at in between: what counts is when the signal was sent.
            place.clock.set(begun.plus(Duration::from_secs(after_s)));
            place.tx(async |tx| runs::signal(tx, Target::Run(&run), "word", "1", &json!("yes"), place.clock.now()).await).await;
        }
        place.clock.set(begun.plus(Duration::from_secs(90)));
        run_until_idle(&engine, 4).await.unwrap();
        let view = place.show(&run).await;
        assert_eq!((view.run.status.as_str(), view.output), ("done", Some(expected)), "{key}");
        assert_eq!(view.unconsumed_signals.len(), usize::from(key == "late"), "{key}");
    }
}

/// Fails so many times before it succeeds.
struct Flaky {
    failures: AtomicU32,
    with: StepError,
}

impl Workflow for Flaky {
    const NAME: &'static str = "flaky";
    type Input = ();
    type Output = String;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<String, Interrupt> {
        let retry = RetryPolicy { attempts_max: 3, first: Duration::from_secs(10), factor: 2, longest: Duration::from_mins(1) };
        let call = |_| async {
            match self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => Err(self.with.clone()),
                Err(_) => Ok(Outcome::Known("fine".to_owned())),
            }
        };
        match ctx.step_with("call", StepOptions::retry(retry), call).await? {
            Outcome::Known(text) => Ok(text),
            Outcome::Unknown { reason } => Ok(reason),
        }
    }
}

async fn attempts_are_bounded_and_wait(kind: Kind) {
    let place = Place::new(kind).await;
    let with = StepError::Retry { after: Some(Duration::from_secs(45)), reason: "busy".into() };
    let engine = place.engine(Registry::new().with(Flaky { failures: AtomicU32::new(2), with: with.clone() })).await;
    let run = engine.start::<Flaky>("k", &()).await.unwrap().run;
    for attempt in 1..=2 {
        run_until_idle(&engine, 4).await.unwrap();
        let view = place.show(&run).await;
        assert_eq!((view.steps[0].attempt, view.steps[0].outcome.as_str(), view.steps[0].error.as_deref()), (attempt, "retrying", Some("busy")));
        let due: Instant = engine.next_due().await.unwrap().unwrap();
        assert_eq!(due.since(place.clock.now()), Duration::from_secs(45), "not before the other side wants it");
        place.clock.set(due);
    }
    run_until_idle(&engine, 4).await.unwrap();
    assert_eq!(place.status(&run).await, "done");

    drop(engine);
    let engine = place.engine(Registry::new().with(Flaky { failures: AtomicU32::new(4), with })).await;
    let run = engine.start::<Flaky>("never", &()).await.unwrap().run;
    for _ in 0..3 {
        run_until_idle(&engine, 4).await.unwrap();
        place.clock.advance(Duration::from_secs(90));
    }
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "parked");
    assert_eq!(view.run.error.as_deref(), Some("step \"call\", attempt 3: busy"));
    assert_eq!(view.timeline.iter().filter(|event| event.step.as_deref() == Some("call")).count(), 3, "{:#?}", view.timeline);
    place.tx(async |tx| durable::operate::retry(tx, &run, "ops", "repaired", place.clock.now()).await).await;
    run_until_idle(&engine, 4).await.unwrap();
    place.clock.advance(Duration::from_secs(90));
    run_until_idle(&engine, 4).await.unwrap();
    assert_eq!(place.status(&run).await, "done", "its attempts began anew");
    place.assert_sound().await;
}

async fn unknown_is_an_outcome(kind: Kind) {
    struct Unsure;
    impl Workflow for Unsure {
        const NAME: &'static str = "unsure";
        type Input = ();
        type Output = String;

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<String, Interrupt> {
            match ctx.step::<String, _, _>("pay", |_| async { Ok(Outcome::Unknown { reason: "timeout".into() }) }).await? {
                Outcome::Known(_) => Ok("paid".into()),
                Outcome::Unknown { reason } => ctx.tx_step("look up", Add::new(ctx.key(), &reason, 1)).await.map(|n| format!("looked up {n}")),
            }
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Unsure)).await;
    let run = engine.start::<Unsure>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!(view.output, Some(json!("looked up 1")));
    assert_eq!((view.steps[0].outcome.as_str(), view.steps[0].error.as_deref()), ("unknown", Some("timeout")));
}

/// A process with every kind of step.
struct Order {
    outside: Outside,
}

impl Workflow for Order {
    const NAME: &'static str = "order";
    type Input = i64;
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: i64) -> Result<i64, Interrupt> {
        let key = ctx.key();
        let held = ctx.tx_step("hold", Add::new(key, "held", input)).await?;
        ctx.on_failure("hold", Remove::new(key, "held"))?;
        let begun = ctx.now("begun").await?;
        ctx.sleep_until("cool off", begun.plus(Duration::from_hours(1))).await?;
        let decision: Option<i64> = ctx.signal("decision", Some(begun.plus(Duration::from_hours(24)))).await?;
        let version = ctx.version("notify twice", 1..=2).await?;
        let child = ctx.start_child::<Listed>("start check", &format!("{key}/check"), &5).await?;
        let outside = self.outside.clone();
        let refund = self.outside.clone();
        ctx.on_failure_step("pay", move |key| {
            let refund = refund.clone();
            async move { refund.call("refund", &key).map(|_| Outcome::Known(())) }
        })?;
        let paid = ctx
            .step("pay", |key| {
                let outside = outside.clone();
                async move { outside.call("pay", &key) }
            })
            .await?;
        let checked = match ctx.join("join check", &child).await? {
            ChildEnd::Done(sum) => sum,
            ChildEnd::Failed { reason } | ChildEnd::Cancelled { reason } => return Err(Interrupt::fail(reason)),
        };
        ctx.on_failure("post", Remove::new(key, "posted"))?;
        ctx.tx_step("post", Add::new(key, "posted", held)).await?;
        assert_eq!(paid, Outcome::Known("done pay".to_owned()));
        Ok(held + decision.unwrap_or(0) + i64::from(version) + checked)
    }
}

struct OrderTheatre(Kind);

struct OrderWorld {
    test: TestDatabase,
    clock: Arc<ManualClock>,
    outside: Outside,
}

impl Theatre for OrderTheatre {
    type World = OrderWorld;

    async fn fresh(&self) -> Result<OrderWorld, KitError> {
        Ok(OrderWorld { test: TestDatabase::create_with(self.0, 2).await, clock: Arc::new(ManualClock::at(START)), outside: Outside::default() })
    }
}

impl World for OrderWorld {
    fn database(&self) -> &Database {
        &self.test.database
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    fn registry(&self) -> Registry {
        Registry::new().with(Order { outside: self.outside.clone() }).with(Listed(vec!["x", "y"]))
    }

    async fn start(&self) -> Result<RunId, KitError> {
        let tx = self.test.database.begin_write().await?;
        let started = runs::start_as::<Order>(&tx, "o", &40, self.clock.now()).await?;
        tx.commit().await?;
        Ok(started.run)
    }

    async fn outside(&self, run: &RunView) -> Result<bool, KitError> {
        if run.run.waiting_for.as_deref() != Some("signal decision") {
            return Ok(false);
        }
        let tx = self.test.database.begin_write().await?;
        let target = Target::Key { workflow: "order", key: "o" };
        runs::signal(&tx, target, "decision", "d1", &json!(2), self.clock.now()).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn effects(&self) -> Result<Vec<String>, KitError> {
        let mut all = effects(&self.test.database).await;
        all.extend(self.outside.done());
        Ok(all)
    }

    async fn undone(&self, run: &RunView) -> Result<Option<String>, KitError> {
        let left: Vec<String> = self.effects().await?.into_iter().filter(|effect| !effect.starts_with("o/check")).collect();
        let whole = left == Vec::<String>::new() || left == ["refund"] || left == ["pay", "refund"];
        Ok((!whole && run.run.status.as_str() == "failed").then(|| format!("{left:?}")))
    }
}

async fn every_kind_of_step_bears_crashes(kind: Kind) {
    let report = kit::crash_at_every_step(&OrderTheatre(kind)).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(report.plays > 30, "{report:?}");
    assert_eq!(report.steps, ["order/hold", "order/start check", "order/pay", "listed/x", "listed/y", "order/post"]);
}

async fn every_kind_of_step_bears_repeats(kind: Kind) {
    let report = kit::repeat_every_step(&OrderTheatre(kind)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.plays, 7);
}

async fn every_step_may_fail_and_is_undone(kind: Kind) {
    let report = kit::fail_and_unwind(&OrderTheatre(kind)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.plays, 6);
}

async fn many_children_are_joined(kind: Kind) {
    struct Parent;
    impl Workflow for Parent {
        const NAME: &'static str = "parent";
        type Input = i64;
        type Output = i64;

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, count: i64) -> Result<i64, Interrupt> {
            let wanted = (0..count).map(|n| (format!("c{n}"), n)).collect();
            let children = ctx.start_children::<Listed>("start all", wanted).await?;
            let mut sum = 0;
            for (n, child) in children.iter().enumerate() {
                match ctx.join(&format!("join {n}"), child).await? {
                    ChildEnd::Done(value) => sum += value,
                    ChildEnd::Failed { reason } | ChildEnd::Cancelled { reason } => return Err(Interrupt::fail(reason)),
                }
            }
            Ok(sum)
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Parent).with(Listed(vec!["a", "b"]))).await;
    let run = engine.start::<Parent>("p", &40).await.unwrap().run;
    run_until_idle(&engine, 8).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.output), ("done", Some(json!(40 * 39 / 2 + 80))), "{:?}", view.run);
    assert_eq!(place.effects().await.len(), 80);
    place.assert_sound().await;
}

async fn finished_runs_are_swept_and_never_start_again(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "b"]))).await;
    for n in 0..5 {
        engine.start::<Listed>(&format!("k{n}"), &0).await.unwrap();
    }
    run_until_idle(&engine, 4).await.unwrap();
    let later = START.plus(Duration::from_mins(1));
    assert_eq!(place.tx(async |tx| runs::sweep(tx, later, 3, later).await).await, 3, "bounded");
    assert_eq!(place.tx(async |tx| runs::sweep(tx, later, 3, later).await).await, 2);
    assert_eq!(place.tx(async |tx| runs::sweep(tx, later, 3, later).await).await, 0);
    let again = engine.start::<Listed>("k0", &0).await.unwrap();
    assert!(!again.fresh, "its key is taken for ever");
    run_until_idle(&engine, 4).await.unwrap();
    assert_eq!(place.effects().await.len(), 10);
    assert_eq!(place.show(&again.run).await.steps, []);
    place.assert_sound().await;
}

async fn large_results_park_the_run(kind: Kind) {
    struct Large;
    impl Workflow for Large {
        const NAME: &'static str = "large";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            ctx.step("large", |_| async { Ok(Outcome::Known("x".repeat(300_000))) }).await.map(|_| ())
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Large)).await;
    let run = engine.start::<Large>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "parked");
    assert!(view.run.error.as_deref().is_some_and(|error| error.contains("at most 262144 are kept")), "{:?}", view.run.error);
}
