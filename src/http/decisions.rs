//! Decisions about claims by signed webhook (interface.md §5).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::metrics::DECISION_WEBHOOKS;
use super::payouts::RecordError;
use super::problem::Problem;
use super::webhook::believed;
use crate::adapters::standard_webhooks::SigningKeys;

/// The longest id, amount or digest in a message.
const TEXT_MAX_BYTES: usize = 128;
/// The longest reason.
const REASON_MAX_BYTES: usize = 500;
/// The one type of message that there is.
const DECIDED: &str = "claim.decided";

/// Whose decisions are believed, and who keeps them.
pub struct DecisionWebhooks {
    /// `webhooks.decisions_secret`.
    pub keys: SigningKeys,
    /// `webhooks.tolerance`.
    pub tolerance: Duration,
    /// The clock that the sender's is held against, in seconds since 1970.
    pub now_s: fn() -> i64,
    /// Who keeps them.
    pub inbound: Arc<dyn InboundDecisions>,
}

/// Keeps decisions.
pub trait InboundDecisions: Send + Sync {
    /// Decides, in one transaction with the mark that the message came.
    ///
    /// # Errors
    /// [`RecordError`].
    ///
    /// # Idempotency
    /// [`DecisionEvent::id`]: a repeat changes nothing and is answered as the first time, a refusal too.
    fn record<'a>(&'a self, event: &'a DecisionEvent) -> BoxFuture<'a, Result<Answered, RecordError>>;
}

/// A decision in a message; whose it is has been proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionEvent {
    /// `webhook-id`, the same for every repeat.
    pub id: String,
    /// The claim.
    pub claim: String,
    /// The user who decides.
    pub by: String,
    /// Whether it is an approval.
    pub is_approval: bool,
    /// A lower amount, as it was written.
    pub amount: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The digest of the claim as the user saw it.
    pub digest: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

/// What a decision came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It counts.
    Decided {
        /// What is answered.
        answer: Value,
    },
    /// It does not.
    Refused {
        /// A stable name of why.
        reason: String,
        /// Why, for people.
        detail: String,
    },
}

#[derive(Deserialize)]
struct Message {
    r#type: String,
    #[serde(default)]
    timestamp: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    claim: String,
    by: String,
    decision: Decision,
    #[serde(default)]
    amount: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    digest: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Reject,
}

/// `POST /webhooks/decisions`.
pub(super) async fn receive(State(service): State<Shared>, request: Request) -> Response {
    let answer = match &service.decisions {
        Some(webhooks) => take(webhooks, request).await,
        None => Err(Problem::NoKey { key: "webhooks.decisions_secret" }),
    };
    let name = answer.as_ref().map_or_else(Problem::code, |_| "decided");
    metrics::counter!(DECISION_WEBHOOKS, "answer" => name).increment(1);
    match answer {
        Ok(answer) => (StatusCode::OK, Json(answer)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn take(webhooks: &DecisionWebhooks, request: Request) -> Result<Value, Problem> {
    let believed = believed(&webhooks.keys, webhooks.tolerance, (webhooks.now_s)(), request).await;
    let (id, body) = believed.inspect_err(|problem| {
        if let Problem::NotSigned(rejected) = problem {
            tracing::warn!(%rejected, "webhook.decisions.rejected");
        }
    })?;
    let event = event(&id, &body).map_err(Problem::Malformed)?;
    let answered = webhooks.inbound.record(&event).await.map_err(|error| {
        tracing::error!(id = event.id, claim = event.claim, %error, "webhook.decisions.not_recorded");
        match error {
            RecordError::OtherBody(_) => Problem::OtherBody,
            RecordError::Unavailable(_) => Problem::Unavailable,
        }
    })?;
    match answered {
        Answered::Decided { answer } => Ok(answer),
        Answered::Refused { reason, detail } => Err(Problem::NotDecided { reason, detail }),
    }
}

fn event(id: &str, body: &[u8]) -> Result<DecisionEvent, String> {
    // Lists would be read as the fields in their order.
    let object: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !object.get("data").is_some_and(Value::is_object) {
        return Err("`data` is not an object".into());
    }
    let Message { r#type, timestamp, data } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if r#type != DECIDED {
        return Err(format!("`type` is not {DECIDED}"));
    }
    if let Some(text) = &timestamp {
        chrono::DateTime::parse_from_rfc3339(text).map_err(|error| format!("`timestamp` is not an instant: {error}"))?;
    }
    let texts = [("claim", Some(&data.claim)), ("by", Some(&data.by)), ("digest", Some(&data.digest)), ("amount", data.amount.as_ref())];
    for (name, text) in texts {
        if text.is_some_and(|text| text.is_empty() || text.len() > TEXT_MAX_BYTES || text.chars().any(char::is_control)) {
            return Err(format!("`data.{name}` is not 1 to {TEXT_MAX_BYTES} bytes of plain text"));
        }
    }
    if data.reason.as_ref().is_some_and(|text| text.len() > REASON_MAX_BYTES) {
        return Err(format!("`data.reason` has more than {REASON_MAX_BYTES} bytes"));
    }
    Ok(DecisionEvent {
        id: id.to_owned(),
        claim: data.claim,
        by: data.by,
        is_approval: data.decision == Decision::Approve,
        amount: data.amount,
        reason: data.reason,
        digest: data.digest,
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DecisionEvent, String> {
        event("evt_1", text.as_bytes())
    }

    #[test]
    fn a_decision_is_read_as_it_was_written() {
        let text = r#"{"type":"claim.decided","timestamp":"2027-01-15T12:00:00Z","data":{"claim":"CL-1","by":"jo","decision":"approve","amount":"20000.00","reason":null,"digest":"sha256:a"}}"#;
        let event = read(text).expect("it is one");
        assert_eq!((&*event.claim, &*event.by, event.is_approval, event.amount.as_deref()), ("CL-1", "jo", true, Some("20000.00")));
        assert_eq!((event.reason, &*event.digest, event.body), (None, "sha256:a", text.as_bytes().to_vec()));
    }

    #[test]
    fn what_is_no_decision_is_refused_with_its_place() {
        let data = |data: &str| format!(r#"{{"type":"claim.decided","data":{data}}}"#);
        for (text, part) in [
            (r#"{"type":"claim.paid","data":{"claim":"a","by":"b","decision":"approve","digest":"d"}}"#.to_owned(), "type"),
            (data(r#"["a","b","approve",null,null,"d"]"#), "not an object"),
            (data(r#"{"claim":"a","by":"b","decision":"approve"}"#), "digest"),
            (data(r#"{"claim":"a","by":"b","decision":"maybe","digest":"d"}"#), "maybe"),
            (data(r#"{"claim":"a","by":"b","decision":"approve","digest":"d","amount":1.5}"#), "string"),
            (data(r#"{"claim":"a","by":"b","decision":"approve","digest":"d","verdict":"x"}"#), "verdict"),
            (data(r#"{"claim":"","by":"b","decision":"approve","digest":"d"}"#), "data.claim"),
            (data(&format!(r#"{{"claim":"a","by":"b","decision":"reject","digest":"d","reason":"{}"}}"#, "x".repeat(501))), "data.reason"),
            ("[]".to_owned(), "map"),
        ] {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
