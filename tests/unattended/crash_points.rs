//! The service is killed with SIGKILL at every named point of its way: before and after each step of each process that a month takes, of
//! a letter, of a slot and of a provider's message. It says that it stands there, and is killed; what happens next goes on after it.
//!
//! Which points there are is not written down here: a service that is not killed names those that it passes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use tributary::crash_point::{PASSED, STANDS, VARIABLE};

use crate::app::{App, Engine};
use crate::facts::Facts;
use crate::kills::{clock, finish};
use crate::outcome::Repeats;
use crate::wait;
use crate::world::{self, MONTHLY, World};

const FACTS: Facts = Facts { partners: 3, first: 1, last: 6 };
/// Worlds side by side.
const LANES: usize = 4;
/// Kills of one world.
const KILLS_OF_A_WORLD: usize = 25;
/// Fresh worlds that a point gets which was not reached along the way of another.
const TRIES_OF_A_POINT: u32 = 4;
/// Longer than any wait of a run that was disturbed once or twice.
const REACHED_WITHIN: Duration = Duration::from_secs(15);
/// What becomes of the requests, in turn: answers that are lost, late, early, refused for now, and plain ones.
const MODES: [&str; 6] = ["pay-then-drop", "call-after", "status-429", "pay", "drop", "pay-then-error"];
/// Points that can't be missing; the list that the service gives is longer.
const AMONG: [&str; 8] = [
    "scheduler/slot before-result",
    "scheduler/slot after-result",
    "settlement_run/ before-end",
    "payout/request after-result",
    "payout/ask the provider after-intent",
    "payout/ask the provider before-result",
    "outbox/mail before-result",
    "inbound/payouts after-result",
];

fn a_kill_at_any_named_point_loses_and_repeats_nothing(engine: Engine) {
    let facts = world::recorded(engine, FACTS, MONTHLY);
    let points = named(&facts);
    for point in AMONG {
        assert!(points.contains(point), "{point} is none of {points:#?}");
    }
    let count = points.len();
    let left = Mutex::new(points.into_iter().collect::<Vec<_>>());
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            let (facts, left, missed) = (facts.copy(), &left, &missed);
            scope.spawn(move || {
                while let missed_here = kill_along(&facts, left)
                    && !missed_here.is_empty()
                {
                    // A world that is nearly done passes few points: what it did not reach gets fresh ones.
                    for point in missed_here {
                        kill_at_one(&facts, point, missed);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("the lanes have ended");
    eprintln!("{engine:?}: killed at {} of {count} points", count - missed.len());
    assert!(missed.is_empty(), "never reached: {missed:#?}");
}

/// The points that a service passes which nobody kills.
fn named(facts: &App) -> BTreeSet<String> {
    let mut world = world(facts);
    world.set(VARIABLE, "?");
    let serving = world.serve(&clock(0));
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::None);
    named_by(&world.log())
}

fn world(facts: &App) -> World {
    let mut world = World::around(facts.copy(), FACTS, &MODES.repeat(15));
    world.set("TRIBUTARY_PAYOUTS__TIMEOUT", "1s");
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    world
}

/// Takes points off the list and kills a service of one world at each, until there are none or the world has seen enough; gives those
/// that it did not come to.
fn kill_along(facts: &App, left: &Mutex<Vec<String>>) -> Vec<String> {
    let next = || left.lock().expect("the list is whole").pop();
    let Some(first) = next() else { return Vec::new() };
    let mut world = world(facts);
    let (mut starts, mut missed, mut point) = (0, Vec::new(), Some(first));
    for kills in 1.. {
        let Some(name) = point.take() else { break };
        if !kill_at(&mut world, &name, &mut starts) {
            missed.push(name);
        }
        if kills < KILLS_OF_A_WORLD && !world.all_is_done() {
            point = next();
        }
    }
    come_to_its_end(&mut world, starts);
    missed
}

/// Some points are passed only where a provider's message meets a run that waits: they get several worlds.
fn kill_at_one(facts: &App, point: String, missed: &Mutex<Vec<String>>) {
    for _ in 0..TRIES_OF_A_POINT {
        let (mut world, mut starts) = (world(facts), 0);
        let is_reached = kill_at(&mut world, &point, &mut starts);
        come_to_its_end(&mut world, starts);
        if is_reached {
            return;
        }
    }
    missed.lock().expect("the list is whole").push(point);
}

/// Starts the service with a point at which it stands still, and kills it there; whether it came to it.
fn kill_at(world: &mut World, point: &str, starts: &mut u32) -> bool {
    world.set(VARIABLE, point);
    let before = lines(&world.log()).len();
    let serving = world.begin_serving(&clock(*starts));
    *starts += 1;
    let reached = stands_at(&world.log(), before, || world.all_is_done());
    serving.kill();
    world.retry_worn_out();
    eprintln!("start {starts}: {}SIGKILL at {point}", if reached { "" } else { "not reached, " });
    reached
}

/// Waits until a service stands at its point, by what it logged after so many lines, or is done, or has had its time; whether it stands there.
pub(crate) fn stands_at(log: &Path, before: usize, is_done: impl Fn() -> bool) -> bool {
    let deadline = std::time::Instant::now() + REACHED_WITHIN;
    wait::until(
        "it stands at the point, or is done",
        REACHED_WITHIN * 2,
        || {
            let stands = lines(log).iter().skip(before).any(|line| line.starts_with(STANDS));
            let is_over = is_done() || std::time::Instant::now() > deadline;
            (stands || is_over).then_some(stands)
        },
        String::new,
    )
}

fn come_to_its_end(world: &mut World, starts: u32) {
    world.set(VARIABLE, "");
    finish(world, starts);
    world.assert_all_paid(Repeats::OfOneLetter);
}

pub(crate) fn lines(log: &Path) -> Vec<String> {
    let bytes = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

/// The points that a service has named.
pub(crate) fn named_by(log: &Path) -> BTreeSet<String> {
    lines(log).iter().filter_map(|line| line.strip_prefix(PASSED)).map(str::to_owned).collect()
}

each_engine!(a_kill_at_any_named_point_loses_and_repeats_nothing);
