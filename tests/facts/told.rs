//! What is told in the tests, as messages and as the files of an import.

use books::facts::{Fact, Message, Says, Source};
use serde_json::{Value, json};
use tributary::adapters::stripe;

/// A row of a kind by webhook: its id, its type, its data.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
}

pub(crate) fn row(kind: &'static str, data: Value) -> Row {
    let name = data["id"].as_str().unwrap_or("row").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect::<String>();
    Row { id: format!("msg_{kind}_{name}"), kind, data }
}

impl Row {
    pub(crate) fn body(&self) -> String {
        json!({ "type": format!("{}.recorded", self.kind), "timestamp": "2026-02-01T00:00:00Z", "data": self.data }).to_string()
    }

    /// As the service understands it.
    pub(crate) fn message(&self) -> Message {
        let facts = vec![Fact { row: self.data.to_string(), money: None }];
        Message {
            source: Source::Facts,
            event: self.id.clone(),
            what: format!("{}.recorded", self.kind),
            body_digest: self.body(),
            payments: Vec::new(),
            says: Says::Facts { kind: self.kind.parse().expect("a kind"), facts },
        }
    }
}

/// An event of Stripe's about an object; seconds since 1970.
pub(crate) fn event(id: &str, r#type: &str, created_s: i64, object: &Value) -> String {
    json!({ "id": id, "object": "event", "api_version": "2025-03-31.basil", "type": r#type, "created": created_s, "livemode": true,
            "data": { "object": object } })
    .to_string()
}

/// As the service understands it.
pub(crate) fn message(body: &str) -> Message {
    let event = stripe::read(body.as_bytes()).expect("an event");
    let says = event.says.expect("it says something");
    Message { source: Source::Stripe, event: event.id, what: event.r#type, body_digest: body.to_owned(), payments: event.payments, says }
}
