//! The provider's word, by webhook, until it is taken.

use std::time::Duration;

use program::calendar::Instant;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::json;
use tributary::adapters::outbound::{Bounds, Outbound};
use tributary::adapters::standard_webhooks::{ID_HEADER, SIGNATURE_HEADER, SigningKeys, TIMESTAMP_HEADER};
use tributary::clock;

/// How often a word is sent that nobody takes.
const ATTEMPTS_MAX: u32 = 240;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Caller {
    outbound: Outbound,
    url: Url,
    keys: SigningKeys,
}

/// A word on a payout.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The same for the same word.
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) payout: String,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(r#type: &'static str, payout: &str, provider_id: &str, reason: Option<&str>) -> Self {
        let timestamp = Instant(clock::wall_seconds().saturating_mul(1_000_000)).to_string();
        let body = json!({ "type": r#type, "timestamp": timestamp, "data": { "payout": payout, "provider_id": provider_id, "reason": reason } });
        Self { id: format!("evt_{provider_id}_{}", r#type.replace('.', "_")), r#type, payout: payout.into(), body: body.to_string().into_bytes() }
    }
}

impl Caller {
    pub(crate) fn new(url: Url, keys: SigningKeys) -> Result<Self, String> {
        let bounds = Bounds { allow_loopback: true, timeout: Duration::from_secs(10), answer_max_bytes: 64 << 10 };
        Ok(Self { outbound: Outbound::new(bounds).map_err(|error| error.to_string())?, url, keys })
    }

    /// One attempt; the answer's status, if there was one.
    pub(crate) async fn attempt(&self, call: &Call) -> Option<u16> {
        let now_s = clock::wall_seconds();
        let signature = self.keys.sign(&call.id, now_s, &call.body).ok()?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, text) in [(ID_HEADER, &call.id), (TIMESTAMP_HEADER, &now_s.to_string()), (SIGNATURE_HEADER, &signature)] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(text).ok()?);
        }
        self.outbound.send(Method::POST, &self.url, headers, call.body.clone()).await.ok().map(|answer| answer.status)
    }

    /// Attempts until the word is taken; the last answer's status.
    pub(crate) async fn insist(&self, call: &Call) -> Option<u16> {
        let mut status = None;
        for _ in 0..ATTEMPTS_MAX {
            status = self.attempt(call).await;
            if status.is_some_and(|status| (200..300).contains(&status)) {
                break;
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        }
        status
    }
}
