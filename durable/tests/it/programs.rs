//! Random programs of steps, killed at random points: the effects are those of an undisturbed run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::host::run_until_idle;
use durable::probe::{Fate, Point, Probe};
use durable::{Clock, Context, Engine, Instant, Interrupt, Options, Outcome, Registry, Workflow};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::support::Kind;
use crate::world::{Add, Outside, Place, Remove};

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Op {
    Change,
    Call,
    Sleep(u16),
    Now,
    Random,
    Undo,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Program {
    ops: Vec<Op>,
    fails: bool,
}

struct Interpreter(Outside);

impl Workflow for Interpreter {
    const NAME: &'static str = "interpreter";
    type Input = Program;
    type Output = usize;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, program: Program) -> Result<usize, Interrupt> {
        let mut now = Instant(0);
        for (n, op) in program.ops.iter().enumerate() {
            let name = format!("{n}");
            match op {
                Op::Change => {
                    ctx.tx_step(&name, Add::new(ctx.key(), &name, 1)).await?;
                }
                Op::Call => {
                    let what = &name;
                    let _: Outcome<String> = ctx.step(&name, |key| async move { self.0.call(what, &key) }).await?;
                }
                Op::Sleep(seconds) => ctx.sleep_until(&name, now.plus(Duration::from_secs(u64::from(*seconds)))).await?,
                Op::Now => now = ctx.now(&name).await?,
                Op::Random => {
                    ctx.random(&name).await?;
                }
                Op::Undo => ctx.on_failure(&name, Remove::new(ctx.key(), &format!("{}", n.saturating_sub(1))))?,
            }
        }
        if program.fails { Err(Interrupt::fail("as told")) } else { Ok(program.ops.len()) }
    }
}

/// Dies at each point whose number is in the list.
#[derive(Debug)]
struct Kills {
    at: Vec<usize>,
    count: AtomicUsize,
}

impl Probe for Kills {
    fn at(&self, _: Point, _: &str, _: &str) -> Fate {
        if self.at.contains(&self.count.fetch_add(1, Ordering::SeqCst)) { Fate::Die } else { Fate::GoOn }
    }
}

async fn play(kind: Kind, program: &Program, kills: &[usize]) -> (String, Vec<String>, Vec<String>) {
    let place = Place::new(kind).await;
    let outside = Outside::default();
    let probe = Arc::new(Kills { at: kills.to_vec(), count: AtomicUsize::new(0) });
    let options = || Options {
        takes_max: 1_000,
        probe: probe.clone(),
        watch_every: Duration::from_mins(10),
        lease: Duration::from_mins(100),
        ..place.options()
    };
    let open = || Engine::open(place.database().clone(), Registry::new().with(Interpreter(outside.clone())), options());
    let mut engine = open().await.unwrap();
    let run = engine.start::<Interpreter>("k", program).await.unwrap().run;
    for _ in 0..1_000 {
        run_until_idle(&engine, 1).await.unwrap();
        if place.show(&run).await.run.status.is_final() {
            break;
        }
        match engine.next_due().await.unwrap() {
            Some(due) if due > place.clock.now() => place.clock.set(due),
            _ => {
                drop(engine);
                engine = open().await.unwrap();
            }
        }
    }
    place.assert_sound().await;
    (place.status(&run).await, place.effects().await, outside.done())
}

fn programs() -> impl Strategy<Value = (Program, Vec<usize>)> {
    let op = prop_oneof![4 => Just(Op::Change), 2 => Just(Op::Call), 1 => (0..600_u16).prop_map(Op::Sleep), 1 => Just(Op::Now), 1 => Just(Op::Random), 1 => Just(Op::Undo)];
    let program = (prop::collection::vec(op, 1..10), any::<bool>()).prop_map(|(ops, fails)| Program { ops, fails });
    (program, prop::collection::vec(0..40_usize, 0..7))
}

#[test]
fn random_programs_bear_random_kills() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (kind, cases) in [(Kind::Sqlite, 48), (Kind::Postgres, 12)] {
        let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config).run(&programs(), |(program, kills)| {
            let (undisturbed, killed) = runtime.block_on(async { (play(kind, &program, &[]).await, play(kind, &program, &kills).await) });
            prop_assert_eq!(undisturbed, killed);
            Ok(())
        });
        assert!(result.is_ok(), "{kind:?}: {result:?}");
    }
}
