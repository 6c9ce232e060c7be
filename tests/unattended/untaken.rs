//! The database refuses to let runs be taken: the service says so, at its leisure, and goes on by itself when it may.

use program::calendar::Instant;

use crate::app::Engine;
use crate::database::Access;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::wait;
use crate::world::World;

const FACTS: Facts = Facts { partners: 1, first: 4, last: 4 };

fn refuse(books: &Access) {
    if books.is_sqlite() {
        books.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON workflow_runs WHEN NEW.status = 'running' BEGIN SELECT RAISE(ABORT, 'the shelf is broken'); END",
        );
        return;
    }
    books.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the shelf is broken'; END $$");
    books.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON workflow_runs FOR EACH ROW WHEN (NEW.status = 'running' AND OLD.status <> 'running') \
         EXECUTE FUNCTION refuse()",
    );
}

fn allow(books: &Access) {
    books.execute(if books.is_sqlite() { "DROP TRIGGER refuse" } else { "DROP TRIGGER refuse ON workflow_runs" });
    if !books.is_sqlite() {
        books.execute("DROP FUNCTION refuse()");
    }
}

/// When the service said that it could take nothing.
fn told(world: &World) -> Vec<Instant> {
    let log = std::fs::read_to_string(world.log()).unwrap_or_default();
    let lines = log.lines().filter(|line| line.contains("runs.claim_failed"));
    lines.map(|line| line.split_whitespace().next().unwrap_or_default().parse().expect("a line begins with its instant")).collect()
}

fn claims_that_fail_are_told_once_a_second(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["call-after"]);
    world.set_plain_statements();
    world.know_schedules("2026-04-20T00:00:00Z");
    refuse(&world.books);
    let serving = world.serve("2026-05-01T06:00:01Z");
    let told = world.until_some("it is told three times", wait::LONG, || Some(told(&world)).filter(|told| told.len() >= 3));
    assert!(told[2].0 - told[0].0 >= 2_000_000, "{told:?}");
    allow(&world.books);
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::None);
}

each_engine!(claims_that_fail_are_told_once_a_second);
