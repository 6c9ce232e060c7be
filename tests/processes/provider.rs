//! A provider that pays once a key and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use workflows::ports::{Capabilities, Handling, PayoutOrder, PayoutPort, PayoutRequest, PortError, Word};

/// What becomes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Paid, and said so.
    Pays,
    /// Paid, and nobody hears it: the answer is lost.
    PaysInSilence,
    /// Refused for good.
    Refuses,
}

#[derive(Debug)]
pub(crate) struct Provider {
    mood: Mood,
    /// By key: the bytes that asked for it.
    paid: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Provider {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, paid: Mutex::default() }
    }

    /// What was paid, to whom: each key once.
    pub(crate) fn books(&self) -> Vec<String> {
        let paid = self.paid.lock().expect("the books are whole");
        let line = |body: &Vec<u8>| {
            let body: Value = serde_json::from_slice(body).expect("a request is JSON");
            format!("paid {} {} {}", body["data"]["partner"], body["data"]["amount"], body["data"]["currency"])
        };
        paid.values().map(line).collect()
    }
}

impl PayoutPort for Provider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            adapter: "provider",
            handling: Handling::Provider,
            looks_up: true,
            dedupe_window: Some(Duration::from_hours(24)),
            reports_by_webhook: false,
            poll_every: Some(Duration::from_mins(1)),
        }
    }

    fn compose(&self, _order: &PayoutOrder) -> Result<Vec<u8>, PortError> {
        Err(PortError::Unsupported { adapter: "provider", what: "compose: the books do" })
    }

    fn request<'a>(&'a self, request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>> {
        async move {
            if self.mood == Mood::Refuses {
                return Err(PortError::Refused { status: 400, reason: "no such account".into() });
            }
            let mut paid = self.paid.lock().expect("the books are whole");
            let body = paid.entry(request.idempotency_key.clone()).or_insert_with(|| request.body.clone());
            assert_eq!(*body, request.body, "one body a key");
            match self.mood {
                Mood::PaysInSilence => Err(PortError::Unknown { reason: "the answer was lost".into() }),
                Mood::Pays | Mood::Refuses => Ok(Word::Paid { provider_id: Some(format!("tr-{}", request.payout)) }),
            }
        }
        .boxed()
    }

    fn look_up<'a>(&'a self, payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>> {
        async move {
            let paid = self.paid.lock().expect("the books are whole");
            let is_known = paid.values().any(|body| String::from_utf8_lossy(body).contains(payout));
            Ok(if is_known { Word::Paid { provider_id: Some(format!("tr-{payout}")) } } else { Word::NotFound })
        }
        .boxed()
    }
}
