//! Two services on one PostgreSQL: no thing is done twice, and when one is killed the other goes on within the lease.

use std::time::{Duration, Instant};

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::world::World;
use crate::{ports, wait};

const FACTS: Facts = Facts { partners: 16, first: 1, last: 3 };
const LEASE: Duration = Duration::from_secs(2);
/// What the machine may add to the lease: its holders look every second or so.
const SLACK: Duration = Duration::from_secs(4);

/// Runs that a node of a port holds.
fn held_by(world: &World, port: u16) -> i64 {
    world.count(&format!("workflow_runs WHERE status = 'running' AND owner LIKE '%:{port}'"))
}

#[test]
fn two_services_do_nothing_twice() {
    let mut world = World::fresh(Engine::Postgres, FACTS, &["call-after*7", "pay", "call-twice*5", "call-early*5", "pay-then-drop*3", "call-after"]);
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    let other = ports::free();
    let (one, two) = (world.serve("2026-04-01T06:00:01Z"), world.serve_on(other, "2026-04-01T06:00:01Z"));
    world.until_all_is_done();
    two.stop();
    one.stop();
    world.assert_all_paid(Repeats::None);
    let nodes = world.books.texts("SELECT name FROM engine_nodes");
    assert_eq!(nodes.len(), 2, "both were there: {nodes:?}");
}

#[test]
fn when_one_service_is_killed_the_other_goes_on_within_the_lease() {
    // The provider keeps whoever asks waiting, so that both have their hands full.
    let mut world = World::fresh(Engine::Postgres, FACTS, &["pay-then-hang*16", "call-after"]);
    world.set("TRIBUTARY_WORKFLOWS__LEASE", "2s");
    world.set("TRIBUTARY_PAYOUTS__TIMEOUT", "8s");
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    let other = ports::free();
    let (one, two) = (world.serve("2026-04-01T06:00:01Z"), world.serve_on(other, "2026-04-01T06:00:01Z"));
    let are_busy = || held_by(&world, world.port) >= 4 && held_by(&world, other) >= 4;
    world.until("both services hold runs, and no letter", |_| are_busy() && world.letters_held() == 0);
    one.kill();
    let killed = Instant::now();
    let held = held_by(&world, world.port);
    assert!(held > 0, "work was in flight");
    let left = || (held_by(&world, world.port) == 0).then(|| killed.elapsed());
    let took = world.until_some("the other takes over", wait::LONG, left);
    eprintln!("{held} runs of the killed service were taken over after {took:?}");
    assert!(took <= LEASE + SLACK, "it took {took:?} with a lease of {LEASE:?}");
    world.until_all_is_done();
    two.stop();
    // A letter may have been taken between that look and the kill.
    world.assert_all_paid(Repeats::OfOneLetter);
}
