//! What was made final before a service knew its programme is not paid by itself: it may have been paid elsewhere.

use program::calendar::Instant;

use crate::app::{App, Engine};
use crate::facts::Facts;
use crate::world::{self, MONTHLY, World};

const FACTS: Facts = Facts { partners: 2, first: 1, last: 6 };

fn settlement_runs(world: &World) -> Vec<String> {
    world.books.texts("SELECT key || ' ' || status FROM workflow_runs WHERE workflow = 'settlement_run' ORDER BY key")
}

/// A service finds what was made final since it knew the programme, and with it would find what was final before.
fn until_june_is_paid(world: &World) {
    let june = ["p/2026-06 done"];
    world.ok_at("2026-07-02T00:00:00Z", "settle --program p --through 2026-06");
    let serving = world.serve("2026-07-02T00:01:00Z");
    world.until("June is paid", |_| settlement_runs(world).iter().any(|run| *run == june[0]) && world.is_at_rest());
    serving.stop();
    assert_eq!(settlement_runs(world), june);
    let owed: Vec<_> = FACTS.owed().into_iter().filter(|owed| owed.period == "2026-06").collect();
    world.assert_paid_once(&owed);
    world.assert_sound();
}

/// A command has recorded the schedules, which is no service yet.
fn before_any_service(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.ok_at("2026-06-10T00:00:00Z", "schedule pause settlement/p --by op --reason until-go-live");
    world.ok_at("2026-06-10T00:01:00Z", "settle --program p --through 2026-05");
    world.know_schedules("2026-06-10T00:02:00Z");
    until_june_is_paid(&world);
}

/// A service that knew another programme has stopped before this one came.
fn before_a_service_knew_the_programme(engine: Engine) {
    let app = App::fresh(engine);
    app.apply(&FACTS.programme("").replace("id = \"p\"", "id = \"q\""));
    let mut world = World::around(app, FACTS, &["pay"]);
    world.set_plain_statements();
    world.know_schedules("2026-02-20T00:00:00Z");
    world::record(&world.app, FACTS, "");
    world::destine(&world.app, FACTS);
    world.ok_at("2026-06-10T00:01:00Z", "settle --program p --through 2026-05");
    world.know_schedules("2026-06-10T00:02:00Z");
    until_june_is_paid(&world);
}

/// Books of a version that kept no such note: since when a service has recorded the programme's schedules.
fn of_an_older_version(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.ok_at("2026-06-10T00:00:00Z", "schedule pause settlement/p --by op --reason until-go-live");
    world.ok_at("2026-06-10T00:01:00Z", "settle --program p --through 2026-05");
    world.know_schedules("2026-06-10T00:02:00Z");
    world.app.apply(&FACTS.programme(MONTHLY).replace("id = \"p\"", "id = \"q\""));
    world.know_schedules("2026-06-12T00:00:00Z");
    world.app.apply(&FACTS.programme(MONTHLY).replace("id = \"p\"", "id = \"unseen\""));
    let noted = || world.books.texts("SELECT program || ' ' || CAST(since / 60000000 AS TEXT) FROM served_programs ORDER BY program");
    let [first, second] = ["2026-06-10T00:02:00Z", "2026-06-12T00:00:00Z"].map(|at| at.parse::<Instant>().expect("an instant").0 / 60_000_000);
    let known = [format!("p {first}"), format!("q {second}")];
    assert_eq!(noted(), known);
    world.books.execute("DROP TABLE served_programs");
    if !world.books.is_sqlite() {
        world.books.execute("DROP FUNCTION served_programs_is_final");
    }
    world.books.execute("DELETE FROM seaql_migrations WHERE version = 'm0013_served_programs'");
    world.ok_at("2026-06-13T00:00:00Z", "schedule list");
    assert_eq!(noted(), known, "of what no service has seen nothing is noted");
    world.app.finish();
}

each_engine!(before_any_service, before_a_service_knew_the_programme, of_an_older_version);
