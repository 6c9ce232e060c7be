//! A letter that was on its way when the service died leaves at the next start, not when a lease has ended.

use std::net::TcpListener;
use std::time::Duration;

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::world::World;

const FACTS: Facts = Facts { partners: 2, first: 4, last: 4 };
/// Half of how long a letter stays with a sender that has gone silent.
const SOON: Duration = Duration::from_mins(1);

fn a_letter_in_hand_at_a_kill_leaves_at_the_next_start(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.know_schedules("2026-04-20T00:00:00Z");
    // A mail server that takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let its_port = silent.local_addr().expect("an address").port();
    world.set("TRIBUTARY_MAIL__PORT", &its_port.to_string());
    let serving = world.serve("2026-05-01T06:00:01Z");
    // Three are due; those that come first are taken, and the others wait for them.
    world.until("letters are on their way", |_| world.letters_held() > 0);
    serving.kill();
    assert!(world.letters_held() > 0);
    let port = world.mail.settings().port;
    world.set("TRIBUTARY_MAIL__PORT", &port.to_string());
    let serving = world.serve("2026-05-01T06:00:05Z");
    world.until_some("all is done", SOON, || world.all_is_done().then_some(()));
    serving.stop();
    world.assert_all_paid(Repeats::None);
}

each_engine!(a_letter_in_hand_at_a_kill_leaves_at_the_next_start);
