//! Code that changes while runs are in flight, workflows that nobody knows any more, and journals kept as files.

use durable::host::run_until_idle;
use durable::kit;
use durable::runs::{self, Target};
use durable::{Context, Interrupt, Registry, RunId, Workflow};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::on_both;
use crate::support::{Kind, TestDatabase};
use crate::world::{Add, Listed, Place, START};

on_both!(
    a_step_inserted_in_flight,
    a_step_renamed_in_flight,
    a_step_removed_in_flight,
    a_name_used_twice,
    an_intended_change_is_marked,
    a_workflow_that_nobody_knows,
    a_version_that_nobody_executes,
    journals_replay,
);

/// A run that has done `before` and waits, executed after that by `after`; then what it came to.
async fn changed(kind: Kind, before: Vec<&'static str>, after: Vec<&'static str>) -> (String, String) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(before))).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "waiting");
    drop(engine);
    let engine = place.engine(Registry::new().with(Listed(after))).await;
    go(&place, &run).await;
    run_until_idle(&engine, 1).await.unwrap();
    place.assert_sound().await;
    let view = place.show(&run).await;
    (view.run.status.to_string(), view.run.error.unwrap_or_default())
}

async fn go(place: &Place, run: &RunId) {
    place.tx(async |tx| runs::signal(tx, Target::Run(run), "go", "1", &json!(0), START).await).await;
}

async fn a_step_inserted_in_flight(kind: Kind) {
    let (status, error) = changed(kind, vec!["a", "signal go"], vec!["a", "new", "signal go"]).await;
    assert_eq!(status, "needs_review");
    assert!(error.contains("\"new\"") && error.contains("\"go\""), "{error}");
    // Behind what was done already an insertion is no divergence.
    assert_eq!(changed(kind, vec!["a", "signal go"], vec!["a", "signal go", "new"]).await.0, "done");
}

async fn a_step_renamed_in_flight(kind: Kind) {
    let (status, error) = changed(kind, vec!["a", "signal go"], vec!["b", "signal go"]).await;
    assert_eq!(status, "needs_review");
    assert!(error.contains("\"a\"") && error.contains("\"b\""), "{error}");
}

async fn a_step_removed_in_flight(kind: Kind) {
    let (status, error) = changed(kind, vec!["a", "b", "signal go"], vec!["a", "signal go"]).await;
    assert_eq!(status, "needs_review");
    assert!(error.contains("\"b\""), "{error}");
    let (status, error) = changed(kind, vec!["a", "signal go", "c"], vec!["signal go", "c"]).await;
    assert_eq!(status, "needs_review", "and nothing after it was done");
    assert!(error.contains("\"a\"") && error.contains("\"c\""), "{error}");
}

async fn a_name_used_twice(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "a"]))).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "needs_review");
    assert!(view.run.error.unwrap().contains("the name \"a\" twice"));
    assert_eq!(place.effects().await, ["k a 1"]);
}

/// The workflow before and after an intended change.
struct Marked {
    knows: u32,
}

impl Workflow for Marked {
    const NAME: &'static str = "marked";
    type Input = ();
    type Output = u32;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<u32, Interrupt> {
        let variant = if self.knows == 1 { 1 } else { ctx.version("check first", 1..=self.knows).await? };
        if variant >= 2 {
            ctx.tx_step("check", Add::new(ctx.key(), "check", 1)).await?;
        }
        ctx.tx_step("work", Add::new(ctx.key(), "work", 1)).await?;
        ctx.signal::<i64>("go", None).await?;
        Ok(variant)
    }
}

async fn an_intended_change_is_marked(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Marked { knows: 1 })).await;
    let old = engine.start::<Marked>("old", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    drop(engine);
    let engine = place.engine(Registry::new().with(Marked { knows: 2 })).await;
    let new = engine.start::<Marked>("new", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    for run in [&old, &new] {
        go(&place, run).await;
    }
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.show(&old).await.output, Some(json!(1)));
    assert_eq!(place.show(&new).await.output, Some(json!(2)));
    assert_eq!(place.effects().await, ["new check 1", "new work 1", "old work 1"]);
}

async fn a_workflow_that_nobody_knows(kind: Kind) {
    let place = Place::new(kind).await;
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "signal go"])).with(Marked { knows: 1 })).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    let known = engine.start::<Marked>("k", &()).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    drop(engine);
    let engine = place.engine(Registry::new().with(Marked { knows: 1 })).await;
    assert_eq!(engine.orphans().iter().map(|orphan| &orphan.run).collect::<Vec<_>>(), [&run]);
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "needs_review");
    assert!(view.run.error.unwrap().contains("no registered workflow is called \"listed\""));
    assert_eq!(place.status(&known).await, "waiting");
    // One that is started only after that is found when it is taken.
    let late = place.tx(async |tx| runs::start_as::<Listed>(tx, "late", &0, START).await).await.run;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&late).await, "needs_review");
    place.assert_sound().await;
    // A binary that knows it again goes on where it stood.
    drop(engine);
    let engine = place.engine(Registry::new().with(Listed(vec!["a", "signal go"]))).await;
    place.tx(async |tx| durable::operate::retry(tx, &run, "ops", "old binary", START).await).await;
    go(&place, &run).await;
    run_until_idle(&engine, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "done");
    assert_eq!(place.effects().await, ["k a 1", "k work 1"]);
}

async fn a_version_that_nobody_executes(kind: Kind) {
    let place = Place::new(kind).await;
    let new = runs::NewRun { workflow: "listed", version: 2, key: "k", input: &json!(0), parent: None };
    let run = place.tx(async |tx| runs::start(tx, &new, START).await).await.run;
    let _engine = place.engine(Registry::new().with(Listed(vec!["a"]))).await;
    let view = place.show(&run).await;
    assert_eq!(view.run.status.as_str(), "needs_review");
    assert!(view.run.error.unwrap().contains("version 2 of workflow \"listed\""));
}

async fn journals_replay(kind: Kind) {
    let place = Place::new(kind).await;
    let registry = || Registry::new().with(Listed(vec!["a", "signal go", "b"]));
    let engine = place.engine(registry()).await;
    let run = engine.start::<Listed>("k", &0).await.unwrap().run;
    run_until_idle(&engine, 1).await.unwrap();
    let waiting = kit::journal(place.database(), &run).await.unwrap();
    go(&place, &run).await;
    run_until_idle(&engine, 1).await.unwrap();
    let done = kit::journal(place.database(), &run).await.unwrap();
    for journal in [&waiting, &done] {
        let empty = TestDatabase::create(kind).await;
        kit::replay(&empty.database, registry(), journal).await.unwrap();
    }
    for (changed, named) in [(vec!["a", "signal go"], "\"b\""), (vec!["a", "signal go", "b", "c"], "\"c\""), (vec!["x", "signal go", "b"], "\"x\"")] {
        let empty = TestDatabase::create(kind).await;
        let error = kit::replay(&empty.database, Registry::new().with(Listed(changed)), &done).await.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}
