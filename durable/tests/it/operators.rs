//! What operators do, and that it does not wait for the worker that holds the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use durable::host::run_until_idle;
use durable::operate::{self, Cancelled};
use durable::probe::{Fate, Point, Probe};
use durable::{Context, Drive, Engine, Interrupt, Options, Outcome, Registry, Workflow, runs};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use tokio::sync::Notify;

use crate::on_both;
use crate::support::Kind;
use crate::wait;
use crate::world::{Add, Listed, Outside, Place, Remove, START, statement};

on_both!(
    a_pause_stops_a_hanging_step,
    a_pause_stops_a_hanging_step_while_nobody_can_write,
    a_cancel_stops_a_hanging_step_and_undoes,
    a_worker_that_dies_when_it_has_undone_is_followed,
    a_late_write_of_a_cancelled_run_is_refused,
    acts_need_the_right_state,
    a_failed_run_is_retried_from_its_step,
    what_cannot_be_undone_is_parked,
    a_cancelled_run_whose_code_is_broken_is_ended_by_a_second_cancel,
    an_undoing_that_is_parked_is_not_cut_short,
    a_cancelled_run_that_was_paused_meanwhile_says_who_cancelled_it,
);

/// Holds, then asks the outside, which does not answer until it is let.
#[derive(Clone)]
struct Hanging {
    outside: Outside,
    asked: Arc<AtomicUsize>,
    answers: Arc<Notify>,
}

impl Hanging {
    fn new() -> Self {
        Self { outside: Outside::default(), asked: Arc::default(), answers: Arc::default() }
    }
}

impl Workflow for Hanging {
    const NAME: &'static str = "hanging";
    type Input = ();
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<i64, Interrupt> {
        ctx.tx_step("hold", Add::new(ctx.key(), "held", 1)).await?;
        ctx.on_failure("hold", Remove::new(ctx.key(), "held"))?;
        ctx.step("ask", |key| async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.answers.notified().await;
            self.outside.call("ask", &key)
        })
        .await?;
        ctx.tx_step("post", Add::new(ctx.key(), "posted", 1)).await
    }
}

async fn a_pause_stops_a_hanging_step(kind: Kind) {
    let place = Place::new(kind).await;
    let hanging = Hanging::new();
    let engine = place.engine(Registry::new().with(hanging.clone())).await;
    let run = engine.start::<Hanging>("k", &()).await.unwrap().run;
    let claimed = engine.claim(1).await.unwrap().pop().unwrap();
    let driven = tokio::spawn(claimed.drive());
    wait::until("the outside is asked", async || hanging.asked.load(Ordering::SeqCst) == 1).await;
    let asked_at = Instant::now();
    place.tx(async |tx| operate::pause(tx, &run, "ops", "look at it", START).await).await;
    assert_eq!(driven.await.unwrap(), Drive::Lost);
    assert!(asked_at.elapsed() < Duration::from_secs(1), "{:?}", asked_at.elapsed());
    assert_eq!(run_until_idle(&engine, 1).await.unwrap(), 0, "paused runs are not taken");
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref(), view.steps[1].outcome.as_str()), ("paused", Some("look at it"), "intent"));
    place.assert_sound().await;
    place.tx(async |tx| operate::resume(tx, &run, "ops", "fine", START).await).await;
    hanging.answers.notify_one();
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.steps[1].attempt), ("done", 2));
    assert_eq!(hanging.outside.done(), ["ask"], "asked again under the same key");
    let acts: Vec<_> = view.timeline.iter().map(|event| (event.kind.as_str(), event.by.as_deref(), event.detail.as_deref())).collect();
    assert_eq!(acts, [("pause", Some("ops"), Some("look at it")), ("resume", Some("ops"), Some("fine"))]);
}

async fn a_pause_stops_a_hanging_step_while_nobody_can_write(kind: Kind) {
    let place = Place::new(kind).await;
    let hanging = Hanging::new();
    let engine = place.engine(Registry::new().with(hanging.clone())).await;
    let run = engine.start::<Hanging>("k", &()).await.unwrap().run;
    let driven = tokio::spawn(engine.claim(1).await.unwrap().pop().unwrap().drive());
    wait::until("the outside is asked", async || hanging.asked.load(Ordering::SeqCst) == 1).await;
    let other = place.test.again().await;
    let asked_at = Instant::now();
    place.tx(async |tx| operate::pause(tx, &run, "ops", "look at it", START).await).await;
    let writing = other.begin_write().await.unwrap();
    if kind == Kind::Postgres {
        writing.execute_unprepared("LOCK TABLE workflow_runs IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    }
    // The host wants to take what is due, and waits.
    let claiming = tokio::spawn({
        let engine = engine.clone();
        async move { engine.claim(1).await.unwrap().len() }
    });
    let driven = tokio::time::timeout(Duration::from_secs(4), driven).await;
    let stopped_after = asked_at.elapsed();
    assert!(!claiming.is_finished(), "it waits still");
    writing.rollback().await.unwrap();
    assert_eq!(driven.expect("it is stopped within four seconds").unwrap(), Drive::Lost);
    assert!(stopped_after < Duration::from_secs(1), "{stopped_after:?}");
    assert_eq!(claiming.await.unwrap(), 0, "paused runs are not taken");
    assert_eq!(place.status(&run).await, "paused");
}

async fn a_cancel_stops_a_hanging_step_and_undoes(kind: Kind) {
    let place = Place::new(kind).await;
    let hanging = Hanging::new();
    let engine = place.engine(Registry::new().with(hanging.clone())).await;
    let run = engine.start::<Hanging>("k", &()).await.unwrap().run;
    let driven = tokio::spawn(engine.claim(1).await.unwrap().pop().unwrap().drive());
    wait::until("the outside is asked", async || hanging.asked.load(Ordering::SeqCst) == 1).await;
    let asked_at = Instant::now();
    let led_to = place.tx(async |tx| operate::cancel(tx, &run, "ops", "wrong claim", START).await).await;
    assert_eq!(led_to, Cancelled::AfterUndoing);
    assert_eq!(driven.await.unwrap(), Drive::Lost);
    run_until_idle(&engine, 1).await.unwrap();
    assert!(asked_at.elapsed() < Duration::from_secs(1), "{:?}", asked_at.elapsed());
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("cancelled", Some("wrong claim")));
    assert_eq!(view.steps.last().unwrap().name, "undo hold");
    assert_eq!(place.effects().await, Vec::<String>::new());
    assert_eq!(hanging.asked.load(Ordering::SeqCst), 1);
    place.assert_sound().await;

    let fresh = engine.start::<Hanging>("nothing done", &()).await.unwrap().run;
    let led_to = place.tx(async |tx| operate::cancel(tx, &fresh, "ops", "not needed", START).await).await;
    assert_eq!((led_to, place.status(&fresh).await.as_str()), (Cancelled::Now, "cancelled"));
}

/// Holds, and posts.
struct Posting;

impl Workflow for Posting {
    const NAME: &'static str = "posting";
    type Input = ();
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<i64, Interrupt> {
        ctx.tx_step("hold", Add::new(ctx.key(), "held", 1)).await?;
        ctx.on_failure("hold", Remove::new(ctx.key(), "held"))?;
        ctx.tx_step("post", Add::new(ctx.key(), "posted", 1)).await
    }
}

/// Dies before it posts, and again when it has undone the hold and the run has not ended.
#[derive(Debug, Default)]
struct DiesTwice(AtomicUsize);

impl Probe for DiesTwice {
    fn at(&self, point: Point, _: &str, step: &str) -> Fate {
        let died = self.0.load(Ordering::SeqCst);
        let dies = matches!((died, point, step), (0, Point::Body, "post") | (1, Point::AfterResult, "undo hold"));
        self.0.fetch_add(usize::from(dies), Ordering::SeqCst);
        if dies { Fate::Die } else { Fate::GoOn }
    }
}

async fn a_worker_that_dies_when_it_has_undone_is_followed(kind: Kind) {
    let place = Place::new(kind).await;
    let dies = Arc::new(DiesTwice::default());
    let open = || Engine::open(place.database().clone(), Registry::new().with(Posting), Options { probe: dies.clone(), ..place.options() });
    let engine = open().await.unwrap();
    let run = engine.start::<Posting>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    place.tx(async |tx| operate::cancel(tx, &run, "ops", "wrong claim", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!((dies.0.load(Ordering::SeqCst), place.status(&run).await.as_str()), (2, "running"));
    drop(engine);
    run_until_idle(&open().await.unwrap(), 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("cancelled", Some("wrong claim")));
    assert_eq!(view.steps.last().unwrap().name, "undo hold");
    assert_eq!(place.effects().await, Vec::<String>::new());
    place.assert_sound().await;
}

async fn a_late_write_of_a_cancelled_run_is_refused(kind: Kind) {
    let place = Place::new(kind).await;
    let hanging = Hanging::new();
    // This worker looks up operators' words once an hour: only the compare-and-set can stop it.
    let slow = durable::Options { watch_every: Duration::from_hours(1), lease: Duration::from_hours(10), ..place.options() };
    let engine = durable::Engine::open(place.database().clone(), Registry::new().with(hanging.clone()), slow).await.unwrap();
    let run = engine.start::<Hanging>("k", &()).await.unwrap().run;
    let driven = tokio::spawn(engine.claim(1).await.unwrap().pop().unwrap().drive());
    wait::until("the outside is asked", async || hanging.asked.load(Ordering::SeqCst) == 1).await;
    place.tx(async |tx| operate::cancel(tx, &run, "ops", "wrong claim", START).await).await;
    hanging.answers.notify_one();
    assert_eq!(driven.await.unwrap(), Drive::Lost);
    let view = place.show(&run).await;
    assert_eq!(view.steps[1].outcome, "intent", "the answer came too late to be written");
    assert_eq!(place.effects().await, ["k held 1"], "nothing after it was done");
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "cancelled");
}

async fn acts_need_the_right_state(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a"]))).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let tx = place.database().begin_write().await.unwrap();
    for (act, refused) in [
        ("paused", operate::pause(&tx, &run, "ops", "x", START).await),
        ("resumed", operate::resume(&tx, &run, "ops", "x", START).await),
        ("retried", operate::retry(&tx, &run, "ops", "x", START).await),
        ("cancelled", operate::cancel(&tx, &run, "ops", "x", START).await.map(|_| ())),
    ] {
        assert_eq!(refused.unwrap_err().to_string(), format!("run {run} is done, so it can't be {act}"));
    }
    assert!(operate::pause(&tx, &run, " ", "x", START).await.unwrap_err().to_string().contains("who"));
    tx.rollback().await.unwrap();
}

async fn a_failed_run_is_retried_from_its_step(kind: Kind) {
    struct Refused(Arc<AtomicUsize>);
    impl Workflow for Refused {
        const NAME: &'static str = "refused";
        type Input = ();
        type Output = String;

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<String, Interrupt> {
            ctx.tx_step("before", Add::new(ctx.key(), "before", 1)).await?;
            let answer = ctx
                .step("ask", |_| async {
                    if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
                        return Err(durable::StepError::fail("no such account"));
                    }
                    Ok(Outcome::Known("yes".to_owned()))
                })
                .await?;
            Ok(format!("{answer:?}"))
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Refused(Arc::default()))).await;
    let run = engine.start::<Refused>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("failed", Some("step \"ask\": no such account")));
    place.assert_sound().await;
    place.tx(async |tx| operate::retry(tx, &run, "ops", "account opened", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "done");
    assert_eq!(place.effects().await, ["k before 1"]);
    place.assert_sound().await;
}

async fn what_cannot_be_undone_is_parked(kind: Kind) {
    struct Stubborn(Arc<AtomicUsize>);
    impl Workflow for Stubborn {
        const NAME: &'static str = "stubborn";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            ctx.on_failure("first", Remove::new(ctx.key(), "first"))?;
            ctx.tx_step("first", Add::new(ctx.key(), "first", 1)).await?;
            let refusals = self.0.clone();
            ctx.on_failure_step("second", move |_| {
                let refusals = refusals.clone();
                async move {
                    if refusals.fetch_add(1, Ordering::SeqCst) == 0 { Err(durable::StepError::fail("not now")) } else { Ok(Outcome::Known(())) }
                }
            })?;
            Err(Interrupt::fail("refused"))
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Stubborn(Arc::default()))).await;
    let run = engine.start::<Stubborn>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("parked", Some("\"second\" could not be undone: not now")));
    assert_eq!(place.effects().await, ["k first 1"], "what comes before it is not undone either");
    place.tx(async |tx| operate::retry(tx, &run, "ops", "now", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("failed", Some("refused")));
    assert_eq!(view.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["first", "undo second", "undo first"]);
    assert_eq!(place.effects().await, Vec::<String>::new());
    assert_eq!(view.output, None);
}

/// Holds, and waits; its code may break meanwhile.
struct Breaking(Arc<AtomicBool>);

impl Workflow for Breaking {
    const NAME: &'static str = "breaking";
    type Input = i64;
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, _: i64) -> Result<(), Interrupt> {
        assert!(!self.0.load(Ordering::SeqCst), "the code is broken");
        ctx.tx_step("hold", Add::new(ctx.key(), "held", 1)).await?;
        ctx.on_failure("hold", Remove::new(ctx.key(), "held"))?;
        ctx.signal::<i64>("go", None).await.map(|_| ())
    }
}

async fn a_cancelled_run_whose_code_is_broken_is_ended_by_a_second_cancel(kind: Kind) {
    for input_is_broken in [false, true] {
        let place = Place::new(kind).await;
        let is_broken = Arc::new(AtomicBool::new(false));
        let engine = place.engine(Registry::new().with(Breaking(is_broken.clone()))).await;
        let run = engine.start::<Breaking>("k", &1).await.unwrap().run;
        run_until_idle(&engine, 1).await.unwrap();
        assert_eq!(place.status(&run).await, "waiting");
        if input_is_broken {
            place.execute("UPDATE workflow_runs SET input = '\"no number\"'").await;
        }
        is_broken.store(!input_is_broken, Ordering::SeqCst);
        let led_to = place.tx(async |tx| operate::cancel(tx, &run, "ops", "wrong claim", START).await).await;
        assert_eq!(led_to, Cancelled::AfterUndoing);
        run_until_idle(&engine, 1).await.unwrap();
        assert_eq!(place.status(&run).await, "parked", "its code can't say what to undo");
        place.tx(async |tx| operate::retry(tx, &run, "ops", "perhaps now", START).await).await;
        run_until_idle(&engine, 1).await.unwrap();
        assert_eq!(place.status(&run).await, "parked");
        let led_to = place.tx(async |tx| operate::cancel(tx, &run, "ops", "never mind", START).await).await;
        assert_eq!(led_to, Cancelled::Now);
        let view = place.show(&run).await;
        assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("cancelled", Some("never mind")));
        let last = view.timeline.last().unwrap();
        assert_eq!(last.kind, "not undone");
        assert_eq!(place.effects().await, ["k held 1"], "as the timeline says");
        run_until_idle(&engine, 1).await.unwrap();
        assert_eq!(place.status(&run).await, "cancelled");
    }
}

async fn a_cancelled_run_that_was_paused_meanwhile_says_who_cancelled_it(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Breaking(Arc::default()))).await;
    let run = engine.start::<Breaking>("k", &1).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    place.tx(async |tx| operate::cancel(tx, &run, "ann", "wrong claim", START).await).await;
    place.tx(async |tx| operate::pause(tx, &run, "bob", "not now", START).await).await;
    assert_eq!(place.show(&run).await.run.error.as_deref(), Some("not now"));
    place.tx(async |tx| operate::resume(tx, &run, "cid", "now", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.run.error.as_deref()), ("cancelled", Some("wrong claim")));
    let text = "SELECT 1 FROM workflow_runs WHERE status_by = 'ann'";
    assert!(place.database().read().query_one_raw(statement(place.database().backend(), text, vec![])).await.unwrap().is_some());
    place.assert_sound().await;
}

async fn an_undoing_that_is_parked_is_not_cut_short(kind: Kind) {
    /// What it did is undone at the second attempt.
    struct Reluctant(Arc<AtomicBool>);
    impl Workflow for Reluctant {
        const NAME: &'static str = "reluctant";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            let asked = self.0.clone();
            ctx.on_failure_step("hold", move |_| {
                let asked = asked.clone();
                async move { if asked.swap(true, Ordering::SeqCst) { Ok(Outcome::Known(())) } else { Err(durable::StepError::fail("not now")) } }
            })?;
            ctx.tx_step("hold", Add::new(ctx.key(), "held", 1)).await?;
            ctx.signal::<i64>("go", None).await.map(|_| ())
        }
    }
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Reluctant(Arc::default()))).await;
    let run = engine.start::<Reluctant>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    place.tx(async |tx| operate::cancel(tx, &run, "ops", "wrong claim", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "parked");
    let tx = place.database().begin_write().await.unwrap();
    let refused = operate::cancel(&tx, &run, "ops", "never mind", START).await.unwrap_err().to_string();
    assert!(refused.contains("an undoing step of it is parked"), "{refused}");
    tx.rollback().await.unwrap();
    place.tx(async |tx| operate::retry(tx, &run, "ops", "now", START).await).await;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "cancelled");
}

/// The sweep waits for whoever retries the run, and then leaves it alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_retried_while_it_is_swept_keeps_its_journal() {
    struct Refused;
    impl Workflow for Refused {
        const NAME: &'static str = "refused";
        type Input = ();
        type Output = ();

        async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
            ctx.tx_step("before", Add::new(ctx.key(), "before", 1)).await?;
            Err(Interrupt::fail("refused"))
        }
    }
    let place = Place::new(Kind::Postgres).await;
    let engine = place.engine(Registry::new().with(Refused)).await;
    let run = engine.start::<Refused>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "failed");
    let retrying = place.database().begin_write().await.unwrap();
    operate::retry(&retrying, &run, "ops", "perhaps now", START).await.unwrap();
    let later = START.plus(Duration::from_mins(1));
    let sweeping = tokio::spawn({
        let database = place.database().clone();
        async move {
            let tx = database.begin_write().await.unwrap();
            let swept = runs::sweep(&tx, later, 10, later).await.unwrap();
            tx.commit().await.unwrap();
            swept
        }
    });
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = statement(place.database().backend(), waiting, vec![]);
    wait::until("the sweep waits for the run", async || place.database().read().query_one_raw(waiting.clone()).await.unwrap().is_some()).await;
    retrying.commit().await.unwrap();
    assert_eq!(sweeping.await.unwrap(), 0);
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!((view.run.status.as_str(), view.steps.len()), ("failed", 1));
    assert_eq!(place.effects().await, ["k before 1"], "no step is done twice");
    place.assert_sound().await;
}
