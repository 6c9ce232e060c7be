//! Many messages of the provider, each sent twice at the same time and in any order: each has its effect once.
//!
//! `TRIBUTARY_EVENTS` sets how many there are.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::clock;

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::provider::CALLBACK_SECRET;
use crate::seeded::Seeded;
use crate::world::{RUNTIME, World};

const EVENTS_IN_SHORT: u32 = 150;
const SENDERS: usize = 8;

fn events() -> u32 {
    std::env::var("TRIBUTARY_EVENTS").ok().map_or(EVENTS_IN_SHORT, |events| events.parse().expect("TRIBUTARY_EVENTS is a number"))
}

/// A message as the provider sends it; the status of the answer.
fn send(port: u16, keys: &SigningKeys, id: &str, body: &str) -> u16 {
    let now_s = clock::wall_seconds();
    let signature = keys.sign(id, now_s, body.as_bytes()).expect("a signature");
    let request = format!(
        "POST /webhooks/payouts HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {now_s}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

fn each_message_sent_twice_has_one_effect(engine: Engine) {
    let count = events();
    let facts = Facts { partners: count, first: 4, last: 4 };
    let mut world = World::fresh(engine, facts, &["accept"]);
    world.set_plain_statements();
    // Only the provider's messages say that anything is paid.
    RUNTIME.block_on(world.provider.plan(&["accept"], &["status-503"]));
    world.know_schedules("2026-04-20T00:00:00Z");
    let serving = world.serve("2026-05-01T06:00:01Z");
    let accepted = "payouts WHERE provider_id IS NOT NULL AND status IN ('requested', 'unknown')";
    world.until("the provider has taken them all", |_| world.count(accepted) == i64::from(count));

    // The provider pays them all; its messages are sent here.
    let payouts = world.books.texts("SELECT id FROM payouts ORDER BY id");
    RUNTIME.block_on(async {
        for payout in &payouts {
            let (status, _) = world.provider.control("POST", "settle", &json!({ "payout": payout, "paid": true, "calls": 0 })).await;
            assert_eq!(status, 204);
        }
    });
    let mut messages: Vec<&String> = payouts.iter().chain(&payouts).collect();
    Seeded::new(u64::from(count)).shuffle(&mut messages);
    let keys = SigningKeys::parse(CALLBACK_SECRET).expect("a key");
    let port = world.port;
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (messages, keys) = (&messages, &keys);
            scope.spawn(move || {
                for payout in messages.iter().skip(sender).step_by(SENDERS) {
                    let body = json!({ "type": "payout.paid", "timestamp": "2026-05-01T06:00:02Z", "data": { "payout": payout } }).to_string();
                    let status = send(port, keys, &format!("evt_{payout}"), &body);
                    assert!((200..300).contains(&status), "{payout}: {status}");
                }
            });
        }
    });
    world.until_all_is_done();
    serving.stop();
    let count = i64::from(count);
    assert_eq!(world.count("inbound_events"), count, "each message is known once");
    assert_eq!(world.count("payout_events WHERE event IS NOT NULL AND ruling = 'moved' AND source = 'webhook'"), count, "each had its effect once");
    assert_eq!(world.count("payout_events WHERE event IS NOT NULL"), count, "and no other");
    assert_eq!(world.count("transactions WHERE kind = 'payout_paid'"), count, "each is in the ledger once");
    world.assert_all_paid(Repeats::None);
}

each_engine!(each_message_sent_twice_has_one_effect);
