//! Many messages, each sent several times at the same time and in any order, to two services where there can be two: each has its effect
//! once, however often a service is killed meanwhile.

use serde_json::{Value, json};

use crate::app::Engine;
use crate::seeded::Seeded;
use crate::sender;
use crate::told::{Row, event, row};
use crate::world::{World, parked_now, serve};
use crate::{ports, wait};

const CUSTOMERS: u32 = 12;
const SENDERS: usize = 6;

fn messages() -> Vec<Row> {
    let mut all = vec![row("partners", json!({ "id": "a", "name": "A", "program": "p", "tier": "base", "tier_since": "2026-01-01" }))];
    for number in 1..=CUSTOMERS {
        all.push(row("customers", json!({ "id": format!("c{number}"), "name": "C", "referred_by": "a" })));
        all.push(row(
            "invoices",
            json!({ "id": format!("I{number}"), "customer": format!("c{number}"), "currency": "USD", "subtotal": "10.00", "paid_at": "2026-01-10T12:00:00Z" }),
        ));
        all.push(row(
            "refunds",
            json!({ "id": format!("R{number}"), "invoice": format!("I{number}"), "amount": "4", "refunded_at": "2026-01-11T12:00:00Z" }),
        ));
    }
    all
}

/// Sends all messages twice, shuffled, by several at once; what is answered otherwise than by 200 is sent again.
fn send_all(ports: &[u16]) {
    let messages = messages();
    let mut twice: Vec<&Row> = messages.iter().chain(&messages).collect();
    Seeded::new(7).shuffle(&mut twice);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (twice, port) = (&twice, ports[sender % ports.len()]);
            scope.spawn(move || {
                for row in twice.iter().skip(sender).step_by(SENDERS) {
                    wait::until("it is taken", wait::LONG, || (sender::fact(port, row).status == 200).then_some(()), || row.id.clone());
                }
            });
        }
    });
}

fn each_has_its_effect_once(world: World) {
    let count = i64::from(CUSTOMERS);
    world.until("everything is recorded", "SELECT COUNT(*) FROM refunds", count);
    world.until("nothing waits", "SELECT COUNT(*) FROM fact_events WHERE state <> 'recorded'", 0);
    assert_eq!(world.count("fact_events"), 3 * count + 1);
    assert_eq!(world.count("recordings WHERE origin LIKE 'webhook:%'"), 3 * count + 1, "each was recorded once");
    assert_eq!(world.app.access().number("SELECT CAST(SUM(amount_minor) AS BIGINT) FROM refunds"), 400 * count);
    world.end();
}

#[test]
fn sent_at_the_same_time_to_one_service_on_sqlite() {
    let world = World::start(Engine::Sqlite);
    send_all(&[world.port]);
    each_has_its_effect_once(world);
}

#[test]
fn sent_at_the_same_time_to_two_services_on_postgres() {
    let world = World::start(Engine::Postgres);
    let other = ports::free();
    let second = serve(&world.app, other);
    send_all(&[world.port, other]);
    second.stop();
    each_has_its_effect_once(world);
}

#[test]
fn the_same_id_with_another_body_is_refused() {
    let world = World::start(Engine::Sqlite);
    assert_eq!(sender::fact_body(world.port, "msg_1", &row("customers", json!({ "id": "c", "name": "C" })).body()).said(), (200, "recorded"));
    let other = sender::fact_body(world.port, "msg_1", &row("customers", json!({ "id": "c", "name": "D" })).body());
    assert_eq!((other.status, &other.body["code"]), (422, &json!("repeated-with-other-body")));
    assert_eq!(world.app.access().texts("SELECT name FROM customers"), ["C"]);
    world.end();
}

/// Stripe counts in the event whom it has still to tell: that is nothing that the event says. What it does say stays as it was heard first.
fn an_event_that_comes_again_is_answered_as_the_first_time(engine: Engine) {
    let world = World::start(engine);
    let told = |pending: u32, amount: u32| {
        let refund =
            json!({ "id": "re_1", "status": "succeeded", "amount": amount, "currency": "usd", "created": 1_768_046_500, "payment_intent": "pi_1" });
        let mut body: Value = serde_json::from_str(&event("evt_1", "refund.created", 1_768_046_500, &refund)).expect("JSON");
        body["pending_webhooks"] = json!(pending);
        sender::event(world.port, &body.to_string())
    };
    assert_eq!(told(2, 100).said(), (200, "parked"));
    assert_eq!(told(1, 100).said(), (200, "parked"), "another delivery of the same event");
    let log = || std::fs::read_to_string(world.app.path("serve.log")).unwrap_or_default();
    assert!(!log().contains("facts.repeated_otherwise"), "{}", log());
    assert_eq!(told(1, 200).said(), (200, "parked"), "an event never changes");
    wait::until("it is logged", wait::LONG, || log().contains("facts.repeated_otherwise").then_some(()), log);
    assert_eq!(world.count("fact_events"), 1);
    assert_eq!(parked_now(&world.app)[0]["rows"][0]["id"], "re_1");
    world.end();
}

#[test]
fn an_event_that_comes_again_is_answered_as_the_first_time_on_sqlite() {
    an_event_that_comes_again_is_answered_as_the_first_time(Engine::Sqlite);
}

#[test]
fn an_event_that_comes_again_is_answered_as_the_first_time_on_postgres() {
    an_event_that_comes_again_is_answered_as_the_first_time(Engine::Postgres);
}

/// Whoever tells goes on until each message is answered; the service is killed while it records.
fn killed_while_it_records(engine: Engine) {
    let mut world = World::start(engine);
    let (messages, port) = (messages(), world.port);
    let mut twice: Vec<Row> = messages.iter().chain(&messages).cloned().collect();
    Seeded::new(11).shuffle(&mut twice);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let twice = &twice;
                scope.spawn(move || {
                    for row in twice.iter().skip(sender).step_by(SENDERS) {
                        wait::until("it is taken", wait::LONG, || (sender::try_fact(port, row) == Some(200)).then_some(()), || row.id.clone());
                    }
                })
            })
            .collect();
        for taken in [4, 12, 20, 28] {
            let some = || (world.count("fact_events") >= taken).then_some(());
            wait::until("some are taken", wait::LONG, some, String::new);
            assert!(senders.iter().any(|sender| !sender.is_finished()), "work was in flight");
            world.kill_and_restart();
        }
    });
    each_has_its_effect_once(world);
}

#[test]
fn a_service_that_is_killed_repeats_and_loses_nothing_on_sqlite() {
    killed_while_it_records(Engine::Sqlite);
}

#[test]
fn a_service_that_is_killed_repeats_and_loses_nothing_on_postgres() {
    killed_while_it_records(Engine::Postgres);
}
