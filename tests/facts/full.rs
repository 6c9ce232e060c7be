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
    // The service's own writer meets it, too: a run that is started needs space.
    let start = app.run("schedule run p/settlement --by op");
    assert_ne!(start.status.code(), Some(101), "{}", start.stderr);

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
