//! One partner's settlement can't be made final: the others are made final and paid, and the run waits, visibly, for the cause to be mended.

use crate::app::Engine;
use crate::database::Access;
use crate::facts::{Facts, Owed};
use crate::outcome::Repeats;
use crate::world::World;

const FACTS: Facts = Facts { partners: 4, first: 4, last: 4 };
const POISONED: &str = "p02";

/// Refuses that partner's settlements, past the application.
fn poison(books: &Access) {
    if books.is_sqlite() {
        books.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON settlements WHEN NEW.partner = 'p02' BEGIN SELECT RAISE(ABORT, 'the shelf is broken'); END",
        );
        return;
    }
    books.execute("CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the shelf is broken'; END $$");
    books.execute("CREATE TRIGGER poison BEFORE INSERT ON settlements FOR EACH ROW WHEN (NEW.partner = 'p02') EXECUTE FUNCTION poison()");
}

fn mend(books: &Access) {
    books.execute(if books.is_sqlite() { "DROP TRIGGER poison" } else { "DROP TRIGGER poison ON settlements" });
    if !books.is_sqlite() {
        books.execute("DROP FUNCTION poison()");
    }
}

fn one_poisoned_partner_stops_nobody_else(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["call-after"]);
    world.set_plain_statements();
    world.know_schedules("2026-04-20T00:00:00Z");
    poison(&world.books);
    let serving = world.serve("2026-05-01T06:00:01Z");
    world.until("its run waits for a person", |_| world.count("workflow_runs WHERE workflow = 'settlement_run' AND status = 'parked'") == 1);
    world.until("the others are paid and told", |_| {
        world.count("payouts WHERE status = 'paid'") == 3 && world.count("outbox WHERE status = 'sent'") == 3
    });
    world.until("the audit log is sealed", |_| world.count("audit_pending") == 0);
    let others: Vec<Owed> = FACTS.owed().into_iter().filter(|owed| owed.partner != POISONED).collect();
    world.assert_paid_once(&others);
    let reason = world.books.texts("SELECT error FROM workflow_runs WHERE status = 'parked'").concat();
    assert!(reason.contains(POISONED) && reason.contains("shelf is broken"), "{reason}");
    assert_eq!(world.count("periods WHERE status = 'final'"), 0, "the month stays open");
    assert_eq!(world.count("settlements WHERE partner = 'p02'"), 0);
    world.app.assert_verified();

    mend(&world.books);
    let run = world.books.texts("SELECT id FROM workflow_runs WHERE status = 'parked'");
    world.retry(&run[0], "mended");
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::None);
}

each_engine!(one_poisoned_partner_stops_nobody_else);
