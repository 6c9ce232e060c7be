//! Several engines on one database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::clock::ManualClock;
use durable::host::{HostOptions, run_until_idle, serve};
use durable::outbox;
use durable::runs::{self, Filter};
use durable::{Context, Drive, Engine, EngineError, Interrupt, Options, Outcome, Registry, RunStatus, Workflow};
use sea_orm::DatabaseTransaction;

use crate::on_both;
use crate::support::Kind;
use crate::wait;
use crate::world::{Add, Listed, Outside, Place, START};

on_both!(
    two_engines_never_do_a_step_twice,
    the_same_node_twice_stops_the_older,
    an_end_is_never_taken_for_a_loss,
    a_node_that_leaves_is_followed_at_once,
    what_a_node_was_sending_is_sent_by_another_when_its_lease_ends,
);

async fn done(place: &Place) -> usize {
    runs::list(place.database().read(), &Filter { status: Some(RunStatus::Done), ..Filter::default() }).await.unwrap().len()
}

async fn two_engines_never_do_a_step_twice(kind: Kind) {
    let place = Place::new(kind).await;
    let mut hosts = Vec::new();
    let mut stops = Vec::new();
    let mut engines = Vec::new();
    for node in ["one", "two"] {
        let database = place.test.again().await;
        let options = Options { clock: place.clock.clone(), ..Options::new(node) };
        let engine = Engine::open(database, Registry::new().with(Listed(vec!["a", "b", "c", "d", "e"])), options).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = engine.clone();
        hosts.push(tokio::spawn(async move {
            let options = HostOptions { workers: 8, poll: Duration::from_millis(20), ..HostOptions::default() };
            serve(&serving, options, async { stopped.await.unwrap() }).await
        }));
        stops.push(stop);
        engines.push(engine);
    }
    for n in 0..200 {
        let started = engines[n % 2].start::<Listed>(&format!("k{n:03}"), &0).await.unwrap();
        assert!(started.fresh);
        assert!(!engines[(n + 1) % 2].start::<Listed>(&format!("k{n:03}"), &0).await.unwrap().fresh);
    }
    wait::until("all are done", async || done(&place).await == 200).await;
    for stop in stops {
        stop.send(()).unwrap();
    }
    for host in hosts {
        host.await.unwrap().unwrap();
    }
    let expected: Vec<String> = (0..200).flat_map(|n| ["a", "b", "c", "d", "e"].map(|step| format!("k{n:03} {step} 1"))).collect();
    assert_eq!(place.effects().await, expected);
    place.assert_sound().await;
}

async fn the_same_node_twice_stops_the_older(kind: Kind) {
    let place = Place::new(kind).await;
    let quick = || Options { lease: Duration::from_millis(300), watch_every: Duration::from_millis(20), ..place.options() };
    let registry = || Registry::new().with(Listed(vec!["a", "b"]));
    let older = Engine::open(place.test.again().await, registry(), quick()).await.unwrap();
    let run = older.start::<Listed>("k", &0).await.unwrap().run;
    let held = older.claim(1).await.unwrap().pop().unwrap();
    let newer = Engine::open(place.test.again().await, registry(), quick()).await.unwrap();
    run_until_idle(&newer, 1).await.unwrap();
    assert_eq!(place.status(&run).await, "done", "it takes over at once");
    assert_eq!(held.drive().await, Drive::Lost, "the older can't write");
    assert_eq!(place.effects().await, ["k a 1", "k b 1"]);
    wait::until("the older knows", async || matches!(older.claim(1).await, Err(EngineError::Replaced(_)))).await;
}

/// The watcher looks all the time while runs end by their own writes.
async fn an_end_is_never_taken_for_a_loss(kind: Kind) {
    let place = Place::new(kind).await;
    let options = Options { watch_every: Duration::from_millis(1), ..place.options() };
    let engine = Engine::open(place.database().clone(), Registry::new().with(Listed(vec!["a", "b"])), options).await.unwrap();
    for n in 0..300 {
        engine.start::<Listed>(&format!("k{n}"), &0).await.unwrap();
    }
    let mut driven = tokio::task::JoinSet::new();
    let mut ends = Vec::new();
    while ends.len() < 300 {
        for claimed in engine.claim(8).await.unwrap() {
            driven.spawn(claimed.drive());
        }
        ends.extend(driven.join_next().await.map(Result::unwrap));
    }
    assert!(ends.iter().all(|end| *end == Drive::Done), "{ends:?}");
    assert_eq!(engine.held(), 0);
}

async fn a_node_that_leaves_is_followed_at_once(kind: Kind) {
    let place = Place::new(kind).await;
    let registry = || Registry::new().with(Listed(vec!["a"]));
    let lease = Duration::from_secs(3);
    let node = |name: &str| Options { lease, watch_every: Duration::from_millis(50), clock: place.clock.clone(), ..Options::new(name) };
    let leaving = Engine::open(place.test.again().await, registry(), node("leaving")).await.unwrap();
    let run = leaving.start::<Listed>("k", &0).await.unwrap().run;
    let held = leaving.claim(1).await.unwrap();
    let staying = Engine::open(place.test.again().await, registry(), node("staying")).await.unwrap();
    leaving.leave().await.unwrap();
    assert!(matches!(leaving.claim(1).await, Err(EngineError::Replaced(_))));
    wait::until("the other has done it", async || {
        run_until_idle(&staying, 1).await.unwrap();
        place.status(&run).await == "done"
    })
    .await;
    for claimed in held {
        assert_eq!(claimed.drive().await, Drive::Lost);
    }
    assert_eq!(place.effects().await, ["k a 1"]);
}

async fn what_a_node_was_sending_is_sent_by_another_when_its_lease_ends(kind: Kind) {
    let place = Place::new(kind).await;
    let node = |name: &str| Options {
        watch_every: Duration::from_millis(50),
        lease: Duration::from_secs(3),
        clock: place.clock.clone(),
        ..Options::new(name)
    };
    let claim = async |owner: &str| place.tx(async |tx| outbox::claim(tx, "mail", owner, Duration::from_hours(1), 3, 10, START).await).await;
    let leaving = Engine::open(place.test.again().await, Registry::new(), node("leaving")).await.unwrap();
    let _staying = Engine::open(place.test.again().await, Registry::new(), node("staying")).await.unwrap();
    place.tx(async |tx| outbox::put(tx, "mail", "statement 1", &1, START).await).await;
    assert_eq!(claim("leaving").await.len(), 1);
    assert_eq!(claim("staying").await, [], "it is on its way");
    leaving.leave().await.unwrap();
    let attempt = async || claim("staying").await.first().map(|message| message.attempt);
    let taken = std::sync::Mutex::new(None);
    wait::until("the other takes it, long before the hour is over", async || {
        *taken.lock().unwrap() = attempt().await;
        taken.lock().unwrap().is_some()
    })
    .await;
    assert_eq!(taken.into_inner().unwrap(), Some(2));
}

/// Asks the outside, where it may hang.
#[derive(Clone)]
struct Asking {
    outside: Outside,
    hangs: bool,
    asked: Arc<AtomicUsize>,
}

impl Workflow for Asking {
    const NAME: &'static str = "asking";
    type Input = ();
    type Output = ();

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, (): ()) -> Result<(), Interrupt> {
        ctx.tx_step("before", Add::new(ctx.key(), "before", 1)).await?;
        let call = |key| async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.hangs {
                std::future::pending::<()>().await;
            }
            self.outside.call("ask", &key)
        };
        let _: Outcome<String> = ctx.step("ask", call).await?;
        ctx.tx_step("after", Add::new(ctx.key(), "after", 1)).await.map(|_| ())
    }
}

/// The other node goes on within the lease of one that is silent; the host's clock stands hours behind the database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_databases_clock_ahead_of_the_hosts_the_other_goes_on_within_the_lease() {
    let place = Place::new(Kind::Postgres).await;
    let outside = Outside::default();
    let asking = |hangs| Asking { outside: outside.clone(), hangs, asked: Arc::default() };
    let lease = Duration::from_secs(2);
    // 2026 for the database, an hour after 1970 for these hosts: leases are by the database's clock alone.
    let behind = Arc::new(ManualClock::at(durable::Instant(3_600_000_000)));
    let options = |node: &str| Options { clock: behind.clone(), lease, watch_every: Duration::from_millis(100), ..Options::new(node) };
    let hanging = asking(true);
    // A node of its own runtime, which is stopped whole: it renews nothing after that.
    let node = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let silent = place.test.again().await;
    let (registry, silent_options) = (Registry::new().with(hanging.clone()), options("silent"));
    let run = node
        .spawn(async move {
            let engine = Engine::open(silent, registry, silent_options).await.unwrap();
            let run = engine.start::<Asking>("k", &()).await.unwrap().run;
            let claimed = engine.claim(1).await.unwrap().pop().unwrap();
            tokio::spawn(async move {
                let _engine = engine;
                claimed.drive().await
            });
            run
        })
        .await
        .unwrap();
    wait::until("the outside is asked", async || hanging.asked.load(Ordering::SeqCst) == 1).await;
    let living = Engine::open(place.test.again().await, Registry::new().with(asking(false)), options("living")).await.unwrap();
    assert_eq!(run_until_idle(&living, 1).await.unwrap(), 0, "a lease that is renewed is respected");
    node.shutdown_background();
    let silent_since = std::time::Instant::now();
    wait::until("the run is taken over and done", async || {
        run_until_idle(&living, 1).await.unwrap();
        place.status(&run).await == "done"
    })
    .await;
    assert!(silent_since.elapsed() < lease * 3, "{:?}", silent_since.elapsed());
    assert_eq!((outside.done(), outside.calls()), (vec!["ask".to_owned()], 1), "the silent node never got its call through");
    assert_eq!(place.effects().await, ["k after 1", "k before 1"]);
    assert_eq!(place.show(&run).await.steps[1].attempt, 2);
}
