//! What was held before its payout was made: the payout is made and waits, `payout list` says why, the partner is told, and it is paid when
//! it is let go.

use crate::app::Engine;
use crate::claims::letters_to;
use crate::facts::Facts;
use crate::world::World;

const FACTS: Facts = Facts { partners: 3, first: 1, last: 1 };
const DUE: &str = "2026-02-01T06:00:01Z";

fn what_is_held_from_the_start_is_told_and_paid_when_it_is_let_go(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.app.import("statuses", "partner,program,status,effective_from\np01,p,suspended,2026-01-20");
    world.ok_at("2026-01-20T00:00:00Z", "settlement hold --program p --partner p02 --period 2026-01 --reason dispute --by fin");
    world.know_schedules("2026-01-21T00:00:00Z");
    let serving = world.serve(DUE);
    world.until("the third is paid", |_| world.count("payouts WHERE status = 'paid'") == 1);
    world.until("the others are told", |_| world.count("outbox WHERE key LIKE 'payout_held/%' AND status = 'sent'") == 2);
    let held = world.books.texts("SELECT partner || ' ' || reason FROM payouts WHERE status = 'held' ORDER BY partner");
    assert_eq!(held, ["p01 suspended", "p02 by_hand"]);
    for (partner, said) in [("p01", "your membership is suspended"), ("p02", "is on hold")] {
        let letters = letters_to(&world, partner);
        assert!(letters.iter().any(|letter| letter.to_string().contains(said)), "{partner}: {letters:?}");
    }
    for partner in ["p01", "p02"] {
        world.ok_at(DUE, &format!("settlement unhold --program p --partner {partner} --period 2026-01 --reason cleared --by fin"));
    }
    world.until("all are paid", |_| world.count("payouts WHERE status = 'paid'") == 3);
    world.until_all_is_done();
    serving.stop();
    world.ok_at(DUE, "verify");
}

each_engine!(what_is_held_from_the_start_is_told_and_paid_when_it_is_let_go,);
