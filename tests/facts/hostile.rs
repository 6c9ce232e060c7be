//! What is not signed, no message, or wrong for good: refused with its reason, and nothing changes.

use serde_json::{Value, json};
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::clock;

use crate::app::{App, Engine};
use crate::database::assert_same;
use crate::ports;
use crate::sender::{self, FACTS_SECRET, STRIPE_SECRET, post, stripe_signature};
use crate::told::{event, row};
use crate::world::{World, begun, serve_with};

fn customer() -> Value {
    json!({ "id": "c", "name": "C" })
}

fn not_signed(world: &World) {
    let body = row("customers", customer()).body();
    let now_s = clock::wall_seconds();
    let sign = |secret: &str, now_s: i64| SigningKeys::parse(secret).expect("a key").sign("msg_1", now_s, body.as_bytes()).expect("it signs");
    let (right, time) = (sign(FACTS_SECRET, now_s), now_s.to_string());
    let other = sign("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrsc", now_s);
    let (old, old_time) = (sign(FACTS_SECRET, now_s - 400), (now_s - 400).to_string());
    for (id, time, by) in
        [("msg_1", &*time, &*other), ("msg_2", &time, &right), ("msg_1", &old_time, &old), ("msg_1", &time, "v1,"), ("", &time, &right)]
    {
        let said =
            post(world.port, "/webhooks/facts", &[("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", by)], body.as_bytes());
        assert_eq!((said.status, &said.body["code"]), (401, &json!("signature-rejected")), "{id} {time} {by}");
    }
    let event = event("evt_1", "refund.created", 7, &json!({ "id": "re_1" }));
    let right = stripe_signature(STRIPE_SECRET, now_s, &event);
    let (other, old) = (stripe_signature("whsec_another_secret_of_another", now_s, &event), stripe_signature(STRIPE_SECRET, now_s - 400, &event));
    for headers in [
        &[][..],
        &[("stripe-signature", &*other)],
        &[("stripe-signature", &*old)],
        &[("stripe-signature", "t=1,v1=")],
        &[("stripe-signature", &*right), ("stripe-signature", &*right)],
    ] {
        let said = post(world.port, "/webhooks/stripe", headers, event.as_bytes());
        assert_eq!((said.status, &said.body["code"]), (401, &json!("signature-rejected")), "{headers:?}");
    }
    let spaced = event.replace(':', ": ");
    assert_eq!(
        post(world.port, "/webhooks/stripe", &[("stripe-signature", &right)], spaced.as_bytes()).status,
        401,
        "the bytes count, not their meaning"
    );
}

fn no_message(world: &World) {
    let long = "x".repeat(200_000);
    for body in [
        "",
        "null",
        "[\"customers.recorded\",null,{}]",
        "{",
        r#"{"type":"customers.recorded"}"#,
        r#"{"type":"customers.recorded","data":[]}"#,
        r#"{"type":"customers.recorded","data":null}"#,
        r#"{"type":"customers","data":{}}"#,
        r#"{"type":"customer.recorded","data":{}}"#,
        r#"{"type":"customers.recorded","type":"fx.recorded","data":{}}"#,
        r#"{"type":"customers.recorded","timestamp":"yesterday","data":{}}"#,
        &"[".repeat(60_000),
    ] {
        let said = sender::fact_body(world.port, "msg_1", body);
        assert_eq!((said.status, &said.body["code"]), (400, &json!("malformed-body")), "{body}");
        assert!(said.body["detail"].is_string(), "{said:?}");
    }
    for body in ["", "[]", r#"{"object":"event"}"#, &"{\"a\":".repeat(50_000)] {
        let said = sender::event(world.port, body);
        assert_eq!((said.status, &said.body["code"]), (400, &json!("malformed-body")), "{said:?}");
    }
    assert_eq!(sender::fact_body(world.port, "msg_1", &format!("{long}{long}")).status, 413);
    assert_eq!(sender::event(world.port, &long.repeat(6)).status, 413);
}

/// What is wrong, and what is said of it.
fn wrong_for_good(world: &World) {
    for (kind, data, told) in [
        ("customers", json!({ "id": "c" }), "column name: the value is missing"),
        ("customers", json!({ "id": "c", "name": "C", "nme": "C" }), "the nearest is \"name\""),
        ("customers", json!({ "id": "c", "name": { "first": "C" } }), "a text, a number"),
        ("customers", json!({ "id": "x".repeat(129), "name": "C" }), "128"),
        ("customers", json!({ "id": "c\u{1b}[31m", "name": "C" }), "control character"),
        ("customers", json!({ "id": "known", "name": "C", "activated_on": "2026-13-01" }), "activated_on"),
        ("invoices", json!({ "id": "i", "customer": "known", "currency": "USD", "subtotal": "1.001" }), "subtotal"),
        ("invoices", json!({ "id": "i", "customer": "nobody", "currency": "USD", "subtotal": "-1" }), "below 0"),
        (
            "invoices",
            json!({ "id": "i", "customer": "known", "currency": "USD", "subtotal": "2", "items": [{ "item": "1", "amount": "1" }] }),
            "add up",
        ),
        ("invoices", json!({ "id": "I", "customer": "known", "currency": "USD", "subtotal": "8.00" }), "contradicts what is recorded"),
        ("refunds", json!({ "id": "r", "invoice": "I", "amount": "1", "refunded_at": "2026-01-01T00:00:00Z" }), "before the payment"),
    ] {
        let said = sender::fact(world.port, &row(kind, data.clone()));
        assert_eq!((said.status, &said.body["code"]), (422, &json!("fact-refused")), "{data}: {said:?}");
        assert!(said.body["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{data}: {said:?}");
    }
}

/// Ids of Stripe's that are none.
fn hostile_ids(world: &World) {
    let refund =
        |payment: &str| json!({ "id": "re_1", "status": "succeeded", "amount": 1, "currency": "usd", "created": 7, "payment_intent": payment });
    for object in [refund("pi_\u{0}"), refund(&"x".repeat(5_000))] {
        let said = sender::event(world.port, &event("evt_1", "refund.created", 7, &object));
        assert_eq!((said.status, &said.body["code"]), (422, &json!("fact-refused")), "{said:?}");
    }
    let said = sender::event(world.port, &event("evt_\u{0}", "refund.created", 7, &refund("pi_1")));
    assert_eq!((said.status, &said.body["code"]), (422, &json!("fact-refused")), "{said:?}");
}

fn what_is_wrong_changes_nothing(engine: Engine) {
    let world = World::start(engine);
    world.app.import("customers", "id,name\nknown,K");
    world.app.import("invoices", "id,customer,currency,subtotal,paid_at\nI,known,USD,9.00,2026-01-10T12:00:00Z");
    let before = world.app.access().dump();
    not_signed(&world);
    no_message(&world);
    wrong_for_good(&world);
    hostile_ids(&world);
    let unknown = event("evt_1", "customer.created", 7, &json!({ "id": "cus_1" }));
    assert_eq!(sender::event(world.port, &unknown).said(), (200, "ignored"), "of what Stripe tells unasked nothing is kept");
    let kept = |dump: Vec<String>| dump.into_iter().filter(|row| !row.starts_with("engine_nodes")).collect::<Vec<_>>();
    assert_same(&kept(before), &kept(world.app.access().dump()), "what is wrong");
    // What was refused may come again, put right.
    assert_eq!(sender::fact(world.port, &row("customers", customer())).said(), (200, "recorded"));
    world.end();
}

#[test]
fn what_is_wrong_changes_nothing_on_sqlite() {
    what_is_wrong_changes_nothing(Engine::Sqlite);
}

#[test]
fn what_is_wrong_changes_nothing_on_postgres() {
    what_is_wrong_changes_nothing(Engine::Postgres);
}

#[test]
fn test_mode_is_taken_only_where_it_is_allowed() {
    let app = App::fresh(Engine::Sqlite);
    begun(&app);
    let port = ports::free();
    let serving = serve_with(&app, port, "false");
    let note = json!({ "id": "cn_1", "status": "issued", "invoice": "in_1", "amount": 100, "currency": "usd", "created": 7 });
    let live = event("evt_1", "credit_note.created", 7, &note);
    for (body, status, said) in [(live.replace("\"livemode\":true", "\"livemode\":false"), 422, "test-mode"), (live, 200, "parked")] {
        let reply = sender::event(port, &body);
        assert_eq!((reply.status, reply.body["code"].as_str().or(reply.body["status"].as_str())), (status, Some(said)), "{reply:?}");
    }
    serving.stop();
    app.finish();
}
