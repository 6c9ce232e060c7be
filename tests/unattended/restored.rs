//! A backup is restored that was made before a month was paid: the month is paid again by our books, and once by the provider's.

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::process;
use crate::world::{self, MONTHLY, World};

const FACTS: Facts = Facts { partners: 4, first: 4, last: 4 };
const PAID_AT: &str = "2026-05-01T06:00:00Z";

fn what_was_paid_after_a_backup_is_not_paid_again(engine: Engine) {
    let app = world::recorded(engine, FACTS, MONTHLY);
    // PostgreSQL copies a database that nobody uses; where SQLite's books were served is written beside them.
    let unused = (engine == Engine::Postgres).then(|| {
        world::identify(&app);
        app.copy()
    });
    let world = World::around(app, FACTS, &["pay", "call-after"]);
    world.know_schedules("2026-04-20T00:00:00Z");
    let backup = unused.unwrap_or_else(|| world.app.copy());
    let serving = world.serve(PAID_AT);
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::None);
    let requests = |world: &World| world.provider_journal().iter().filter(|event| event["event"] == "request").count();
    let before = requests(&world);

    let world = world.instead(backup);
    assert_eq!(world.count("payouts"), 0, "the backup knows of no payout");
    world.ok_at(PAID_AT, "restore --generation");
    let mut reconcile = world.command("payout reconcile", PAID_AT);
    let reconciled = process::run(&mut reconcile);
    assert!(reconciled.status.success(), "{}{}", reconciled.stdout_text(), reconciled.stderr);
    world.know_schedules("2026-04-20T00:00:00Z");
    let serving = world.serve(PAID_AT);
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::OfOneLetter);
    assert_eq!(requests(&world), before, "the provider was looked up, and asked for nothing");
}

each_engine!(what_was_paid_after_a_backup_is_not_paid_again);
