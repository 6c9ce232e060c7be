//! A payment provider's word, as a signed webhook (interface.md §5).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use program::calendar::Instant;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::metrics::PAYOUT_WEBHOOKS;
use super::problem::Problem;
use super::webhook::believed;
use crate::adapters::standard_webhooks::SigningKeys;

/// The longest id in a word.
const ID_MAX_BYTES: usize = 128;
/// Characters of a reason that are kept.
const REASON_MAX: usize = 500;

/// Whose word is believed, and who keeps it.
pub struct PayoutWebhooks {
    /// `webhooks.payouts_secret`.
    pub keys: SigningKeys,
    /// `webhooks.tolerance`.
    pub tolerance: Duration,
    /// The clock that the sender's is held against, in seconds since 1970.
    pub now_s: fn() -> i64,
    /// Who keeps it.
    pub inbound: Arc<dyn InboundPayouts>,
}

/// Keeps what providers say.
pub trait InboundPayouts: Send + Sync {
    /// Keeps a word and does what it says, in one transaction with the mark that it came.
    ///
    /// # Errors
    /// [`RecordError`].
    ///
    /// # Idempotency
    /// [`PayoutEvent::id`]: a repeat changes nothing and is answered as the first time.
    fn record<'a>(&'a self, event: &'a PayoutEvent) -> BoxFuture<'a, Result<Answer, RecordError>>;
}

/// A provider's word on a payout; whose it is has been proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutEvent {
    /// `webhook-id`, the same for every repeat.
    pub id: String,
    /// When the provider knew it, if it says so; it orders nothing.
    pub at: Option<Instant>,
    /// Our id, as the provider wrote it; there may be no such payout.
    pub payout: String,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// What became of it.
    pub said: Said,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

/// What became of a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The money has moved.
    Paid,
    /// It has not, or has come back.
    Failed {
        /// Why, in the provider's words.
        reason: String,
    },
    /// A type of event that is not known: to be parked where people see it, not dropped.
    Other {
        /// Its type.
        r#type: String,
    },
}

/// What was done with a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is kept.
    Recorded,
    /// It is kept, for a person to look at: there is no such payout, or it says what can't be.
    Parked,
}

/// Why a word was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Its id came before with another body.
    #[error("the event {0} came before with another body")]
    OtherBody(String),
    /// Not now.
    #[error("the event can't be kept now: {0}")]
    Unavailable(String),
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    #[serde(default)]
    timestamp: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    payout: String,
    #[serde(default)]
    provider_id: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /webhooks/payouts`.
pub(super) async fn receive(State(service): State<Shared>, request: Request) -> Response {
    let answer = match &service.payouts {
        Some(webhooks) => take(webhooks, request).await,
        None => Err(Problem::NoKey { key: "webhooks.payouts_secret" }),
    };
    let name = answer.as_ref().map_or_else(Problem::code, |answer| answer.name());
    metrics::counter!(PAYOUT_WEBHOOKS, "answer" => name).increment(1);
    match answer {
        Ok(answer) => (StatusCode::OK, Json(json!({ "status": answer.name() }))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn take(webhooks: &PayoutWebhooks, request: Request) -> Result<Answer, Problem> {
    let believed = believed(&webhooks.keys, webhooks.tolerance, (webhooks.now_s)(), request).await;
    let (id, body) = believed.inspect_err(|problem| {
        if let Problem::NotSigned(rejected) = problem {
            tracing::warn!(%rejected, "webhook.payouts.rejected");
        }
    })?;
    let event = event(&id, &body).map_err(Problem::Malformed)?;
    webhooks.inbound.record(&event).await.map_err(|error| {
        tracing::error!(id = event.id, payout = event.payout, %error, "webhook.payouts.not_recorded");
        match error {
            RecordError::OtherBody(_) => Problem::OtherBody,
            RecordError::Unavailable(_) => Problem::Unavailable,
        }
    })
}

fn event(id: &str, body: &[u8]) -> Result<PayoutEvent, String> {
    // Lists would be read as the fields in their order.
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !object.get("data").is_some_and(serde_json::Value::is_object) {
        return Err("`data` is not an object".into());
    }
    let Event { r#type, timestamp, data } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for (name, text) in [("type", Some(&r#type)), ("data.payout", Some(&data.payout)), ("data.provider_id", data.provider_id.as_ref())] {
        if text.is_some_and(|text| text.is_empty() || text.len() > ID_MAX_BYTES || text.chars().any(char::is_control)) {
            return Err(format!("`{name}` is not 1 to {ID_MAX_BYTES} bytes of plain text"));
        }
    }
    let said = match &*r#type {
        "payout.paid" => Said::Paid,
        "payout.failed" => Said::Failed { reason: reason(data.reason.as_deref()) },
        _ => Said::Other { r#type },
    };
    let at = timestamp.map(|text| moment(&text)).transpose()?;
    Ok(PayoutEvent { id: id.to_owned(), at, payout: data.payout, provider_id: data.provider_id, said, body: body.to_vec() })
}

/// Providers write finer times than we keep: what is finer is cut.
fn moment(text: &str) -> Result<Instant, String> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).map_err(|error| format!("`timestamp` is not an instant: {error}"))?;
    Ok(Instant(moment.timestamp_micros()))
}

fn reason(text: Option<&str>) -> String {
    let plain: String = text.unwrap_or_default().trim().chars().take(REASON_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.is_empty() { "the provider gave no reason".into() } else { plain }
}

impl Answer {
    /// Its name in the answer.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Parked => "parked",
        }
    }
}
