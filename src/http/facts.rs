//! Facts by signed webhook: rows as imports have them, and Stripe's events (interface.md §5).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use books::facts::{Answer, Fact, Message, Says, Source};
use books::record::FactKind;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::metrics::FACT_WEBHOOKS;
use super::problem::Problem;
use super::webhook::{only, read, signed};
use crate::adapters::standard_webhooks::SigningKeys;
use crate::adapters::stripe;
use crate::adapters::stripe::signature::{SIGNATURE_HEADER, StripeKeys, StripeRejected};

/// A row, or an invoice with its items.
const FACT_MAX_BYTES: usize = 256 << 10;
/// An event of Stripe's, with the object that it is about.
const STRIPE_MAX_BYTES: usize = 1 << 20;
/// What the type of a message ends with, after the kind of its fact.
const RECORDED: &str = ".recorded";

/// Whose facts are believed, and who records them.
pub struct FactWebhooks {
    /// `webhooks.facts_secret`; without it none are.
    pub keys: Option<SigningKeys>,
    /// `webhooks.stripe_secret`; without it Stripe's are not.
    pub stripe: Option<StripeKeys>,
    /// Whether events of Stripe's test mode are taken.
    pub stripe_test_mode: bool,
    /// `webhooks.tolerance`.
    pub tolerance: Duration,
    /// The clock that the sender's is held against, in seconds since 1970.
    pub now_s: fn() -> i64,
    /// Who records them.
    pub inbound: Arc<dyn InboundFacts>,
}

/// Records facts that others tell.
pub trait InboundFacts: Send + Sync {
    /// Records a message, in one transaction with the mark that it came.
    ///
    /// # Errors
    /// [`NotTaken`].
    ///
    /// # Idempotency
    /// [`Message::source`] and [`Message::event`]: a repeat changes nothing and is answered as the first time.
    fn record<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Answer, NotTaken>>;
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Its id came before with another body.
    #[error("it came before with another body")]
    OtherBody,
    /// It is wrong for good.
    #[error("it is refused: {0}")]
    Refused(String),
    /// Too many wait.
    #[error("too many messages are parked")]
    Full,
    /// Not now.
    #[error("it can't be recorded now: {0}")]
    Unavailable(String),
}

/// `POST /webhooks/facts`.
pub(super) async fn receive(State(service): State<Shared>, request: Request) -> Response {
    answered(Source::Facts, take(&service.facts, request).await)
}

/// `POST /webhooks/stripe`.
pub(super) async fn receive_from_stripe(State(service): State<Shared>, request: Request) -> Response {
    answered(Source::Stripe, take_from_stripe(&service.facts, request).await)
}

fn answered(source: Source, answer: Result<Answer, Problem>) -> Response {
    let name = answer.as_ref().map_or_else(Problem::code, |answer| answer.name());
    metrics::counter!(FACT_WEBHOOKS, "source" => source.name(), "answer" => name).increment(1);
    match answer {
        Ok(answer) => (StatusCode::OK, Json(json!({ "status": answer.name() }))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn take(webhooks: &FactWebhooks, request: Request) -> Result<Answer, Problem> {
    let keys = webhooks.keys.as_ref().ok_or(Problem::NoKey { key: "webhooks.facts_secret" })?;
    let (parts, body) = request.into_parts();
    let body = read(body, FACT_MAX_BYTES).await?;
    let signed = signed(&parts.headers)?;
    keys.verify(signed, &body, (webhooks.now_s)(), webhooks.tolerance).map_err(|rejected| {
        tracing::warn!(%rejected, "webhook.facts.rejected");
        Problem::NotSigned(rejected)
    })?;
    let message = message(signed.id, &body).map_err(Problem::Malformed)?;
    record(webhooks, &message).await
}

async fn take_from_stripe(webhooks: &FactWebhooks, request: Request) -> Result<Answer, Problem> {
    let keys = webhooks.stripe.as_ref().ok_or(Problem::NoKey { key: "webhooks.stripe_secret" })?;
    let (parts, body) = request.into_parts();
    let body = read(body, STRIPE_MAX_BYTES).await?;
    let header = only(&parts.headers, SIGNATURE_HEADER).ok_or(Problem::NotSignedByStripe(StripeRejected::Header))?;
    keys.verify(header, &body, (webhooks.now_s)(), webhooks.tolerance).map_err(|rejected| {
        tracing::warn!(%rejected, "webhook.stripe.rejected");
        Problem::NotSignedByStripe(rejected)
    })?;
    let event = stripe::read(&body).map_err(Problem::Malformed)?;
    if !event.is_live && !webhooks.stripe_test_mode {
        tracing::warn!(id = event.id, "webhook.stripe.test_mode");
        return Err(Problem::TestMode);
    }
    // Stripe tells much that is not asked for; of that nothing is kept.
    let Some(says) = event.says else { return Ok(Answer::Ignored) };
    // Of what it says: beside that it has what changes with each delivery, such as to how many endpoints it is still to be told.
    let body_digest = digest(json!([event.r#type, event.payments, says]).to_string().as_bytes());
    let message = Message { source: Source::Stripe, event: event.id, what: event.r#type, body_digest, payments: event.payments, says };
    record(webhooks, &message).await
}

async fn record(webhooks: &FactWebhooks, message: &Message) -> Result<Answer, Problem> {
    let recorded = webhooks.inbound.record(message).await;
    recorded.map_err(|error| {
        let (source, id, what) = (message.source.name(), message.event.as_str(), message.what.as_str());
        match error {
            NotTaken::OtherBody => Problem::OtherBody,
            NotTaken::Refused(reason) => {
                tracing::warn!(source, id, what, reason, "webhook.facts.refused");
                Problem::Refused(reason)
            }
            NotTaken::Full => {
                tracing::error!(source, id, what, "webhook.facts.full");
                Problem::Full
            }
            NotTaken::Unavailable(error) => {
                tracing::error!(source, id, what, error, "webhook.facts.not_recorded");
                Problem::Unavailable
            }
        }
    })
}

fn digest(body: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(body)))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    r#type: String,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

fn message(id: &str, body: &[u8]) -> Result<Message, String> {
    // A list would be read as the fields in their order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err("the body is not an object".into());
    }
    let Envelope { r#type, timestamp, data } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let kind = r#type.strip_suffix(RECORDED).ok_or_else(|| format!("`type` does not end with {RECORDED:?}, like \"invoices.recorded\""))?;
    let kind: FactKind = kind.parse().map_err(|error| format!("`type`: {error}"))?;
    if let Some(timestamp) = timestamp {
        chrono::DateTime::parse_from_rfc3339(&timestamp).map_err(|error| format!("`timestamp` is not an instant: {error}"))?;
    }
    if !data.get().starts_with('{') {
        return Err("`data` is not an object".into());
    }
    // JSON has line ends between its words only.
    let row = data.get().replace(['\n', '\r'], " ");
    let says = Says::Facts { kind, facts: vec![Fact { row, money: None }] };
    Ok(Message { source: Source::Facts, event: id.to_owned(), what: r#type, body_digest: digest(body), payments: Vec::new(), says })
}
