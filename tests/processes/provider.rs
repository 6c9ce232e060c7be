//! A provider that pays once a key and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use workflows::ports::{Capabilities, Handling, PayoutPort, PayoutRequest, PortError, Word};

/// What becomes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Paid, and said so.
    Pays,
    /// Paid, and nobody hears it: the answer is lost.
    PaysInSilence,
    /// Refused for good.
    Refuses,
    /// Paid, but the answer is lost, the first two look-ups do not find it yet, and a repeat is refused.
    PaysLateAndRefusesRepeats,
    /// Every request is lost on its way.
    HearsNothing,
    /// Taken, and never paid.
    Accepts,
    /// The first request is stopped, as of somebody unknown; the next is paid.
    StopsFirst,
}

#[derive(Debug)]
pub(crate) struct Provider {
    mood: Mood,
    /// By key: the bytes that asked for it.
    paid: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: AtomicU32,
    look_ups: AtomicU32,
}

impl Provider {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, paid: Mutex::default(), requests: AtomicU32::new(0), look_ups: AtomicU32::new(0) }
    }

    /// How many requests have left for it.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }

    /// How often it was asked where a payout stands.
    pub(crate) fn look_ups(&self) -> u32 {
        self.look_ups.load(Ordering::SeqCst)
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

    fn request<'a>(&'a self, request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>> {
        async move {
            let before = self.requests.fetch_add(1, Ordering::SeqCst);
            if self.mood == Mood::Refuses || (self.mood == Mood::PaysLateAndRefusesRepeats && before > 0) {
                return Err(PortError::Refused { status: 400, reason: "no such account".into() });
            }
            if self.mood == Mood::StopsFirst && before == 0 {
                return Err(PortError::Stop { status: 401, reason: "who is that?".into() });
            }
            if self.mood == Mood::HearsNothing {
                return Err(PortError::Unknown { reason: "the connection was closed".into() });
            }
            let mut paid = self.paid.lock().expect("the books are whole");
            let body = paid.entry(request.idempotency_key.clone()).or_insert_with(|| request.body.clone());
            assert_eq!(*body, request.body, "one body a key");
            match self.mood {
                Mood::PaysInSilence | Mood::PaysLateAndRefusesRepeats => Err(PortError::Unknown { reason: "the answer was lost".into() }),
                Mood::Accepts => Ok(Word::Accepted { provider_id: Some(format!("tr-{}", request.payout)) }),
                Mood::Pays | Mood::Refuses | Mood::HearsNothing | Mood::StopsFirst => {
                    Ok(Word::Paid { provider_id: Some(format!("tr-{}", request.payout)) })
                }
            }
        }
        .boxed()
    }

    fn look_up<'a>(&'a self, payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>> {
        async move {
            let is_early = self.look_ups.fetch_add(1, Ordering::SeqCst) < 2;
            if self.mood == Mood::PaysLateAndRefusesRepeats && is_early {
                return Ok(Word::NotFound);
            }
            if self.mood == Mood::Accepts {
                return Ok(Word::Accepted { provider_id: Some(format!("tr-{payout}")) });
            }
            let paid = self.paid.lock().expect("the books are whole");
            let is_known = paid.values().any(|body| String::from_utf8_lossy(body).contains(payout));
            Ok(if is_known { Word::Paid { provider_id: Some(format!("tr-{payout}")) } } else { Word::NotFound })
        }
        .boxed()
    }
}
