//! `verify` sees it where a message has another effect than one.

use serde_json::json;

use crate::app::App;
use crate::told::row;
use crate::world::{begun, tell};

fn told(app: &App) {
    begun(app);
    let customer = |id: &str| row("customers", json!({ "id": id, "name": "C" })).message();
    tell(app, &[customer("c1"), customer("c2")], 1);
    app.assert_verified();
}

fn findings(app: &App, broken: &str) -> String {
    app.access().behind_the_triggers(|books| assert!(books.execute(broken) > 0, "{broken} changes nothing"));
    let finished = app.run("verify --json");
    assert_eq!(finished.status.code(), Some(1), "verify does not see it: {broken}");
    finished.stdout_text()
}

fn a_message_without_its_recording_is_seen(app: &App) {
    told(app);
    let found = findings(app, "UPDATE recordings SET origin = 'customers.csv' WHERE origin LIKE 'webhook:%c1'");
    assert!(found.contains("no recording is its") && found.contains("msg_customers_c1"), "{found}");
    app.access().behind_the_triggers(|books| {
        books.execute("UPDATE recordings SET origin = 'webhook:facts/msg_customers_c1' WHERE origin = 'customers.csv'");
    });
}

fn a_recording_without_its_message_is_seen(app: &App) {
    told(app);
    let kept = "UPDATE fact_events SET seq = NULL WHERE event = 'msg_customers_c2'";
    let found = findings(app, kept);
    assert!(found.contains("no message brought them") && found.contains("msg_customers_c2"), "{found}");
    app.access().behind_the_triggers(|books| {
        books.execute("UPDATE fact_events SET seq = (SELECT seq FROM recordings WHERE origin LIKE 'webhook:%c2') WHERE event = 'msg_customers_c2'");
    });
}

/// The database alone refuses it.
fn what_was_told_never_changes(app: &App) {
    told(app);
    let books = app.access();
    for change in ["UPDATE fact_events SET answer = 'parked'", "UPDATE fact_events SET seq = NULL", "DELETE FROM fact_events"] {
        assert!(books.try_execute(change).is_err(), "{change} was taken");
    }
    let twice = "INSERT INTO fact_events (source, event, what, body_digest, subject, state, answer, received_at, ended_at) \
                 SELECT source, event, what, body_digest, subject, state, answer, received_at, ended_at FROM fact_events";
    assert!(books.try_execute(twice).is_err(), "a message was taken twice");
    books.execute("INSERT INTO invoice_payments (payment, invoice, learnt_at) VALUES ('pi_1', 'I', 0)");
    assert!(books.try_execute("UPDATE invoice_payments SET invoice = 'J'").is_err());
}

on_both_databases!(a_message_without_its_recording_is_seen, a_recording_without_its_message_is_seen, what_was_told_never_changes);
