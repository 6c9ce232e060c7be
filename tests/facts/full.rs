//! A full disk under SQLite, and a writer that another process keeps waiting: 503, and by itself well again.

use serde_json::json;

use crate::app::{App, Engine};
use crate::sender::{self, get};
use crate::told::{Row, row};
use crate::world::{begun, serve_with_lease, serve_within_its_file};
use crate::{ports, serving, wait};

/// A row that needs a page of its own, and some more.
fn large(number: usize) -> Row {
    row("customers", json!({ "id": format!("c-{number}"), "name": "n".repeat(6_000) }))
}

#[test]
fn a_full_disk_is_answered_with_503_until_there_is_space() {
    let app = App::fresh(Engine::Sqlite);
    begun(&app);
    // What is deleted later gives its pages back, as somebody who makes room on the disk does.
    app.access().execute("CREATE TABLE ballast (bytes BLOB)");
    app.access().execute("INSERT INTO ballast VALUES (zeroblob(4000000))");
    let port = ports::free();
    let serving = serve_within_its_file(&app, port);
    let answers: Vec<u16> = (0..60).map(|number| sender::fact(port, &large(number)).status).collect();
    let full = answers.iter().position(|status| *status != 200).expect("the disk is full at last");
    assert!(answers[full..].iter().all(|status| *status == 503), "{answers:?}");

    app.access().execute("DROP TABLE ballast");
    for number in full..60 {
        assert_eq!(sender::fact(port, &large(number)).status, 200, "{number}: there is space again");
    }
    wait::until("the service is ready", wait::LONG, || (get(port, "/readyz").0 == 200).then_some(()), || serving::tail(&app.path("serve.log")));
    assert_eq!(app.access().number("SELECT COUNT(*) FROM customers"), 60, "as another process sees it");
    // Another process can write, so the service holds no lock.
    app.ok("user add --id late --email late@example.com --role finance");
    serving.stop();
    app.finish();
}

/// The one figure of a name.
fn figure(port: u16, name: &str) -> Option<f64> {
    let (_, text) = get(port, "/metrics");
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn what_stalls_is_measured(engine: Engine) {
    let app = App::fresh(engine);
    begun(&app);
    let port = ports::free();
    let serving = serve_with_lease(&app, port, "30s");
    let shows = |name: &str, wanted: &dyn Fn(f64) -> bool| {
        let told = || format!("{}\n{}", get(port, "/metrics").1, serving::tail(&app.path("serve.log")));
        wait::until(name, wait::LONG, || figure(port, name).filter(|figure| wanted(*figure)).map(|_| ()), told);
    };
    shows("tributary_payouts_paused", &|figure| figure < 0.5);
    shows("tributary_payouts{status=\"held\"}", &|figure| figure < 0.5);
    shows("tributary_letters_given_up{status=\"parked\"}", &|figure| figure < 0.5);
    shows("tributary_lease_age_s", &|figure| figure < 30.0);
    shows("tributary_run_overdue_max_s", &|figure| figure < 60.0);
    app.ok("payout pause --by op --reason drill");
    shows("tributary_payouts_paused", &|figure| figure > 0.5);
    // As a run that nobody can execute stands.
    app.access().execute(
        "INSERT INTO workflow_runs (id, workflow, key, version, status, input, error, created_at) \
         VALUES ('wfr_0190b6a2-7c3d-7e4f-8a5b-000000000001', 'payout', 'k', 1, 'parked', '{}', 'no version of it is known', 1)",
    );
    shows("tributary_runs{status=\"parked\"}", &|figure| figure > 0.5);
    serving.stop();
}

#[test]
fn what_stalls_is_measured_on_sqlite() {
    what_stalls_is_measured(Engine::Sqlite);
}

#[test]
fn what_stalls_is_measured_on_postgres() {
    what_stalls_is_measured(Engine::Postgres);
}

fn a_writer_that_waits_makes_the_service_unready(engine: Engine) {
    let app = App::fresh(engine);
    begun(&app);
    let port = ports::free();
    let serving = serve_with_lease(&app, port, "3s");
    let status = |wanted: u16| {
        let told = || serving::tail(&app.path("serve.log"));
        wait::until(&format!("/readyz says {wanted}"), wait::LONG, || (get(port, "/readyz").0 == wanted).then_some(()), told);
    };
    status(200);
    let other = app.access();
    other.execute(if engine == Engine::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" });
    if engine == Engine::Postgres {
        other.execute("LOCK TABLE engine_nodes IN EXCLUSIVE MODE");
    }
    status(503);
    other.execute("ROLLBACK");
    status(200);
    serving.stop();
    app.finish();
}

#[test]
fn a_writer_that_waits_makes_the_service_unready_on_sqlite() {
    a_writer_that_waits_makes_the_service_unready(Engine::Sqlite);
}

#[test]
fn a_writer_that_waits_makes_the_service_unready_on_postgres() {
    a_writer_that_waits_makes_the_service_unready(Engine::Postgres);
}
