//! What waits is seen, is tried again by the service when what it waits for is recorded, however that comes, or is dropped by a person.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::app::Engine;
use crate::sender;
use crate::told::{event, row};
use crate::world::{World, parked_now};

fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    text
}

fn what_waits_is_seen_and_goes_on(engine: Engine) {
    let world = World::start(engine);
    let invoice = row("invoices", json!({ "id": "I", "customer": "c", "partner": "a", "currency": "USD", "subtotal": "10.00" }));
    let refund = row("refunds", json!({ "id": "R", "invoice": "I", "amount": "5", "refunded_at": "2026-01-12T12:00:00Z" }));
    assert_eq!(sender::fact(world.port, &refund).said(), (200, "parked"));
    assert_eq!(sender::fact(world.port, &invoice).said(), (200, "parked"));
    let parked = parked_now(&world.app);
    assert_eq!(
        (&parked[0]["id"], &parked[0]["waits_for"]),
        (&json!("facts/msg_refunds_R"), &json!("invoices.id I")),
        "in the order in which they came"
    );
    assert_eq!((&parked[1]["waits_for"], &parked[1]["rows"][0]["subtotal"]), (&json!("customers.id c"), &json!("10.00")));
    assert!(parked[0]["reason"].as_str().is_some_and(|reason| reason.contains("is no recorded invoice")), "{parked}");
    let listed = world.app.ok("facts parked").stdout_text();
    assert!(listed.contains("facts/msg_invoices_I") && listed.contains("customers.id c"), "{listed}");

    // By command, not by webhook; the invoice still lacks its partner.
    world.app.import("customers", "id,name\nc,C");
    world.until("it waits for the next", "SELECT COUNT(*) FROM fact_events WHERE waits_for = 'partners.id' AND tries = 1", 1);
    crate::wait::until(
        "the metric says two",
        crate::wait::LONG,
        || metrics(world.port).contains("tributary_facts_parked 2").then_some(()),
        || metrics(world.port),
    );
    world.app.import("partners", "id,name,program,tier,tier_since\na,A,p,base,2026-01-01");
    world.until("the invoice is recorded", "SELECT COUNT(*) FROM invoices", 1);
    // The refund waits for the payment now.
    world.until("the refund waits for the payment", "SELECT COUNT(*) FROM fact_events WHERE waits_for = 'payment of invoice'", 1);
    let paid = row("invoices", json!({ "id": "I", "customer": "c", "currency": "USD", "subtotal": 10, "paid_at": "2026-01-10T12:00:00Z" }));
    assert_eq!(sender::fact_body(world.port, "msg_paid", &paid.body()).said(), (200, "recorded"));
    world.until("the refund is recorded", "SELECT COUNT(*) FROM refunds", 1);
    assert_eq!(sender::fact(world.port, &refund).said(), (200, "parked"), "a repeat is answered as the first time");
    assert!(metrics(world.port).contains(r#"tributary_fact_webhooks_total{source="facts",answer="parked"}"#), "{}", metrics(world.port));
    world.end();
}

fn people_try_again_and_drop(engine: Engine) {
    let world = World::start(engine);
    let refund = json!({ "id": "re_1", "status": "succeeded", "amount": 100, "currency": "usd", "created": 1_768_046_500, "payment_intent": "pi_1" });
    assert_eq!(sender::event(world.port, &event("evt_1", "refund.created", 1_768_046_500, &refund)).said(), (200, "parked"));
    let app = &world.app;
    let tried = app.run("facts retry stripe/evt_1 --by op");
    assert_eq!(tried.status.code(), Some(1), "it still waits");
    assert!(tried.stdout_text().contains("no invoice of payment pi_1 is known yet"), "{}", tried.stdout_text());
    assert_eq!(app.run("facts drop stripe/evt_1 --by ap --reason unrelated").status.code(), Some(2), "an approver may not");
    assert_eq!(app.run("facts drop stripe/evt_9 --by op --reason unrelated").status.code(), Some(2), "there is none");
    app.ok("facts drop stripe/evt_1 --by op --reason unrelated");
    assert_eq!(parked_now(app), json!([]));
    assert_eq!(app.run("facts retry stripe/evt_1 --by op").status.code(), Some(2), "it is parked no longer");
    assert_eq!(world.count("fact_events WHERE state = 'dropped' AND dropped_by = 'op' AND dropped_reason = 'unrelated'"), 1);
    assert_eq!(world.count("audit_log WHERE act IN ('fact.retried', 'fact.dropped')"), 2);
    let refused = app.access().try_execute("UPDATE fact_events SET state = 'parked', ended_at = NULL, dropped_by = NULL, dropped_reason = NULL");
    assert!(refused.is_err(), "what has ended stays so");
    world.end();
}

/// A refund of Stripe's that failed after all is recorded in neither order, or a person is told.
fn a_refund_that_failed_is_none(engine: Engine) {
    let world = World::start(engine);
    world.app.import("customers", "id,name\nc,C");
    world.app.import("invoices", "id,customer,currency,subtotal,paid_at\nin_1,c,USD,100.00,2026-01-10T12:00:00Z");
    let payment = json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_1" } });
    assert_eq!(sender::event(world.port, &event("evt_0", "invoice_payment.paid", 1_768_046_500, &payment)).said(), (200, "recorded"));
    let refund = |id: &str, status: &str| json!({ "id": id, "status": status, "amount": 100, "currency": "usd", "created": 1_768_046_500, "payment_intent": "pi_1" });
    let tell = |event_id: &str, id: &str, status: &str| {
        let r#type = if status == "failed" { "refund.failed" } else { "refund.created" };
        sender::event(world.port, &event(event_id, r#type, 1_768_046_500, &refund(id, status))).body["status"].clone()
    };
    assert_eq!([tell("evt_1", "re_1", "failed"), tell("evt_2", "re_1", "succeeded")], ["ignored", "ignored"]);
    assert_eq!([tell("evt_3", "re_2", "succeeded"), tell("evt_4", "re_2", "failed")], ["recorded", "parked"]);
    let parked = parked_now(&world.app);
    assert!(parked[0]["reason"].as_str().is_some_and(|reason| reason.contains("void it")) && parked[0]["waits_for"].is_null(), "{parked}");
    assert_eq!(world.app.access().texts("SELECT id FROM refunds"), ["re_2"]);
    world.end();
}

/// What a person has voided stays so, whatever Stripe tells of it afterwards; what of it is meant after all, a person imports.
fn what_was_voided_is_not_recorded_anew(engine: Engine) {
    let world = World::start(engine);
    let app = &world.app;
    app.import("customers", "id,name\nc,C");
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nin_1,c,USD,100.00,2026-01-10T12:00:00Z");
    let payment = json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_1" } });
    assert_eq!(sender::event(world.port, &event("evt_0", "invoice_payment.paid", 1_768_046_500, &payment)).said(), (200, "recorded"));
    let tell = |event_id: &str, r#type: &str, id: &str, status: &str| {
        let object = json!({ "id": id, "status": status, "amount": 100, "currency": "usd", "created": 1_768_046_500, "payment_intent": "pi_1" });
        sender::event(world.port, &event(event_id, r#type, 1_768_046_500, &object)).body["status"].clone()
    };
    let refunds = || app.access().texts("SELECT id FROM refunds ORDER BY id");

    // As the message says: voided, and the message dropped.
    assert_eq!(tell("evt_1", "refund.created", "re_1", "succeeded"), "recorded");
    assert_eq!(tell("evt_2", "refund.failed", "re_1", "failed"), "parked");
    app.import("voids", "kind,id,reason,approved_by\nrefunds,re_1,it failed,fin");
    app.ok("facts drop stripe/evt_2 --by op --reason voided");
    assert_eq!(tell("evt_3", "refund.updated", "re_1", "succeeded"), "ignored");
    assert_eq!((refunds(), parked_now(app)), (Vec::new(), json!([])));

    // Voided for a reason of their own, a refund and a chargeback.
    for (first, again, event_id, id, status) in [
        ("refund.created", "refund.updated", "evt_4", "re_2", "succeeded"),
        ("charge.dispute.created", "charge.dispute.updated", "evt_5", "du_1", "under_review"),
    ] {
        assert_eq!(tell(event_id, first, id, status), "recorded");
        app.import("voids", &format!("kind,id,reason,approved_by\nrefunds,{id},not ours,fin"));
        assert_eq!(tell(&format!("{event_id}_again"), again, id, status), "parked", "{id}");
        assert_eq!(refunds(), Vec::<String>::new());
    }
    let parked = parked_now(app);
    for (at, id) in [(0, "re_2"), (1, "du_1")] {
        let reason = parked[at]["reason"].as_str().expect("a reason");
        assert!(reason.contains(id) && reason.contains("fin") && reason.contains("not ours") && parked[at]["waits_for"].is_null(), "{parked}");
    }
    assert_eq!(app.run("facts retry stripe/evt_4_again --by op").status.code(), Some(1), "it waits for a person");
    app.import("refunds", "id,invoice,amount,refunded_at\nre_2,in_1,1.00,2026-01-10T12:01:40Z");
    app.ok("facts retry stripe/evt_4_again --by op");
    app.ok("facts drop stripe/evt_5_again --by op --reason not-ours");
    assert_eq!((refunds(), parked_now(app)), (vec!["re_2".to_owned()], json!([])));

    // An invoice is told by two events.
    let invoice = json!({ "id": "in_2", "object": "invoice", "status": "paid", "customer": "c", "currency": "usd", "total": 1_000,
                          "status_transitions": { "paid_at": 1_768_046_400 } });
    let told = |id: &str, r#type: &str| sender::event(world.port, &event(id, r#type, 1_768_046_500, &invoice)).body["status"].clone();
    assert_eq!(told("evt_6", "invoice.paid"), "recorded");
    app.import("voids", "kind,id,reason,approved_by\ninvoices,in_2,of another company,fin");
    assert_eq!(told("evt_7", "invoice.payment_succeeded"), "parked");
    assert_eq!(app.access().texts("SELECT id FROM invoices"), ["in_1"]);
    world.end();
}

/// What is voided makes room for what did not fit beside it.
fn a_void_makes_room(engine: Engine) {
    let world = World::start(engine);
    world.app.import("customers", "id,name\nc,C");
    world.app.import("invoices", "id,customer,currency,subtotal,paid_at\nI,c,USD,10.00,2026-01-10T12:00:00Z");
    let refund =
        |id: &str, amount: &str| row("refunds", json!({ "id": id, "invoice": "I", "amount": amount, "refunded_at": "2026-01-12T12:00:00Z" }));
    assert_eq!(sender::fact(world.port, &refund("R1", "8")).said(), (200, "recorded"));
    assert_eq!(sender::fact(world.port, &refund("R2", "5")).said(), (200, "parked"));
    assert_eq!(parked_now(&world.app)[0]["waits_for"], "room on invoice I");
    world.app.import("voids", "kind,id,reason,approved_by\nrefunds,R1,it never happened,fin");
    world.until("what did not fit is recorded", "SELECT COUNT(*) FROM refunds WHERE id = 'R2'", 1);
    assert_eq!(parked_now(&world.app), json!([]));
    world.end();
}

/// A dispute that is lost has taken the money, whichever of its events comes first, or alone.
fn a_lost_dispute_is_a_chargeback(engine: Engine) {
    let world = World::start(engine);
    world.app.import("customers", "id,name\nc,C");
    world.app.import("invoices", "id,customer,currency,subtotal,paid_at\nin_1,c,USD,100.00,2026-01-10T12:00:00Z");
    let payment = json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_1" } });
    assert_eq!(sender::event(world.port, &event("evt_0", "invoice_payment.paid", 1_768_046_500, &payment)).said(), (200, "recorded"));
    let dispute = |status: &str| {
        json!({ "id": "du_1", "object": "dispute", "amount": 4_000, "currency": "usd", "created": 1_768_046_600, "status": status,
                "payment_intent": "pi_1" })
    };
    for (id, r#type, status) in [("evt_2", "charge.dispute.closed", "lost"), ("evt_1", "charge.dispute.created", "needs_response")] {
        assert_eq!(sender::event(world.port, &event(id, r#type, 1_768_046_700, &dispute(status))).said(), (200, "recorded"), "{type}");
    }
    let disputed = "SELECT id || ' ' || kind || ' ' || CAST(amount_minor AS TEXT) FROM refunds";
    assert_eq!(world.app.access().texts(disputed), ["du_1 chargeback 4000"]);
    world.end();
}

/// A dispute that is told to be won and to be lost is seen by a person, however that came; one that is won after it was lost has its money
/// back, once.
fn a_dispute_that_is_won_and_lost_is_looked_at(engine: Engine) {
    let world = World::start(engine);
    world.app.import("customers", "id,name\nc,C");
    world.app.import("invoices", "id,customer,currency,subtotal,paid_at\nin_1,c,USD,2000.00,2026-01-10T12:00:00Z");
    let payment = json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_1" } });
    assert_eq!(sender::event(world.port, &event("evt_0", "invoice_payment.paid", 1_768_046_500, &payment)).said(), (200, "recorded"));
    let tell = |second: i64, dispute: &str, r#type: &str, status: &str| {
        let object = json!({ "id": dispute, "object": "dispute", "amount": 50_000, "currency": "usd", "created": 1_768_046_600, "status": status,
                             "payment_intent": "pi_1" });
        let (id, r#type) = (format!("evt_{dispute}_{second}"), format!("charge.dispute.{type}"));
        sender::event(world.port, &event(&id, &r#type, 1_768_046_600 + second, &object)).body["status"].clone()
    };
    let disputed = |id: &str| {
        let query = format!("SELECT kind || ' ' || CAST(amount_minor AS TEXT) FROM refunds WHERE id = '{id}' OR of_refund = '{id}' ORDER BY kind");
        world.app.access().texts(&query)
    };
    let (taken, back) = ("chargeback 50000".to_owned(), "chargeback_won 50000".to_owned());

    assert_eq!(tell(0, "du_1", "created", "needs_response"), "recorded");
    assert_eq!(tell(100, "du_1", "closed", "won"), "recorded");
    assert_eq!(tell(200, "du_1", "updated", "under_review"), "recorded");
    assert_eq!(tell(300, "du_1", "closed", "lost"), "parked");
    let parked = parked_now(&world.app);
    let reason = parked[0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("du_1") && reason.contains("by hand") && parked[0]["waits_for"].is_null(), "{parked}");
    assert_eq!(disputed("du_1"), [taken.clone(), back.clone()]);
    world.app.ok("facts drop stripe/evt_du_1_300 --by op --reason recorded-by-hand");

    // The win waits for its chargeback.
    assert_eq!([tell(100, "du_2", "closed", "won"), tell(300, "du_2", "closed", "lost")], ["parked", "parked"]);
    assert_eq!(disputed("du_2"), Vec::<String>::new());
    assert_eq!(parked_now(&world.app)[1]["waits_for"], json!(null));
    for second in [100, 300] {
        world.app.ok(&format!("facts drop stripe/evt_du_2_{second} --by op --reason seen"));
    }

    // Lost, then won: told by several events, it is one.
    assert_eq!(tell(100, "du_3", "closed", "lost"), "recorded");
    for (second, r#type) in [(200, "updated"), (201, "funds_reinstated"), (202, "closed")] {
        assert_eq!(tell(second, "du_3", r#type, "won"), "recorded", "{type}");
    }
    assert_eq!(disputed("du_3"), [taken, back]);
    assert_eq!(parked_now(&world.app), json!([]));
    world.end();
}

fn what_waits_is_bounded(engine: Engine) {
    let world = World::start(engine);
    world.app.access().execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO fact_events (source, event, what, body_digest, subject, state, answer, reason, tried_seq, received_at) \
         SELECT 'facts', 'old_' || CAST(i AS TEXT), 'customers.recorded', 'd', '', 'parked', 'parked', 'for a person', 0, 0 FROM n",
    );
    let waits = row("invoices", json!({ "id": "I", "customer": "c", "currency": "USD", "subtotal": "10.00" }));
    let said = sender::fact(world.port, &waits);
    assert_eq!((said.status, &said.body["code"]), (503, &json!("too-many-parked")), "{said:?}");
    assert_eq!(
        sender::fact(world.port, &row("customers", json!({ "id": "c", "name": "C" }))).said(),
        (200, "recorded"),
        "what need not wait is taken"
    );
    assert_eq!(sender::fact(world.port, &waits).said(), (200, "recorded"), "and what was refused may come again");
    world.end();
}

macro_rules! each_engine {
    ($($proof:ident),+ $(,)?) => {$(
        mod $proof {
            #[test]
            fn on_sqlite() {
                super::$proof($crate::app::Engine::Sqlite);
            }
            #[test]
            fn on_postgres() {
                super::$proof($crate::app::Engine::Postgres);
            }
        }
    )+};
}

each_engine!(
    what_waits_is_seen_and_goes_on,
    people_try_again_and_drop,
    a_refund_that_failed_is_none,
    what_was_voided_is_not_recorded_anew,
    a_void_makes_room,
    a_lost_dispute_is_a_chargeback,
    a_dispute_that_is_won_and_lost_is_looked_at,
    what_waits_is_bounded,
);
