//! What happens while a provider takes its time to say where a payout stands: the run is taken over, or all payouts are paused. Nothing
//! leaves after that (reliability.md §2, §3.6).

use serde_json::Value;

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::ports;
use crate::world::{BEFORE, RUNTIME, World};

const FACTS: Facts = Facts { partners: 1, first: 1, last: 1 };

/// One payout whose first request is lost; the look-up before the second takes its time.
fn world(engine: Engine) -> World {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    RUNTIME.block_on(world.provider.plan(&["drop", "pay"], &["pay", "slow", "pay"]));
    world.set("TRIBUTARY_PAYOUTS__TIMEOUT", "60s");
    world.set("TRIBUTARY_WORKFLOWS__LEASE", "2s");
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    world
}

impl World {
    fn looked_up(&self, what: &str) -> u64 {
        RUNTIME.block_on(self.provider.ledger())["looked_up"][what].as_u64().expect("a number")
    }

    fn requests(&self) -> usize {
        self.provider_journal().iter().filter(|event: &&Value| event["event"] == "request").count()
    }

    fn until_it_is_asked_slowly(&self) {
        self.until("the slow look-up has begun", |_| self.looked_up("begun") == 2);
        assert_eq!((self.looked_up("answered_slowly"), self.requests()), (0, 1));
    }

    /// When a node's lease ends, as it was renewed last.
    fn lease_of(&self, port: u16) -> i64 {
        self.books.number(&format!("SELECT lease_until FROM engine_nodes WHERE name LIKE '%:{port}'"))
    }
}

#[test]
fn a_service_that_stood_still_past_its_lease_sends_nothing() {
    let world = world(Engine::Postgres);
    let one = world.serve("2026-02-01T06:00:01Z");
    world.until_it_is_asked_slowly();
    one.stand_still(true);
    let other = ports::free();
    let two = world.serve_on(other, "2026-02-01T06:00:01Z");
    world.until("the other has sent it, and the slow answer has come", |_| world.requests() == 2 && world.looked_up("answered_slowly") == 1);
    world.until_all_is_done();
    one.stand_still(false);
    for _ in 0..3 {
        let before = world.lease_of(world.port);
        world.until("the first service goes on", |_| world.lease_of(world.port) > before);
    }
    assert_eq!(world.requests(), 2, "what left after the other service had taken over");
    two.stop();
    one.stop();
    world.assert_all_paid(Repeats::None);
}

fn a_pause_stops_what_is_being_looked_up(engine: Engine) {
    let world = world(engine);
    let serving = world.serve("2026-02-01T06:00:01Z");
    world.until_it_is_asked_slowly();
    world.ok_at(BEFORE, "payout pause --by op --reason wait");
    assert_eq!(world.looked_up("answered_slowly"), 0, "it was paused in time");
    let asked = "run_steps WHERE name LIKE 'ask the provider #%' AND outcome = 'done'";
    world.until("the slow answer is in the journal", |_| world.looked_up("answered_slowly") == 1 && world.count(asked) == 2);
    assert_eq!(world.requests(), 1, "what left while all payouts were paused");
    world.ok_at(BEFORE, "payout resume --by op --reason go-on");
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::None);
}

each_engine!(a_pause_stops_what_is_being_looked_up);
