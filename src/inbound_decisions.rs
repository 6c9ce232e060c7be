//! Decisions by signed message reach the books and the claim's run, in one transaction with the mark that the message came.

use std::sync::Arc;

use books::connection::Books;
use books::mdf::MdfError;
use books::mdf::decide::{Outcome, Via};
use books::mdf::events::{self, Event, Kept};
use durable::probe::Point;
use durable::{Clock, Engine};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::Instant;
use sea_orm::{DatabaseTransaction, DbErr, TransactionTrait as _};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::approvals::decide::{NotDecided, Wanted, decide_in, verdict};
use crate::http::decisions::{Answered, DecisionEvent, InboundDecisions};
use crate::http::payouts::RecordError;

/// How often a decision is tried that met another one on its way.
const TRIES_MAX: usize = 5;

/// Writes decisions down.
pub struct Decisions {
    /// The books.
    pub books: Books,
    /// The engine whose runs wait.
    pub engine: Engine,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decisions").finish_non_exhaustive()
    }
}

/// What one try came to.
enum Tried {
    Answered(Kept),
    /// The same id was kept by another try meanwhile.
    Overtaken,
}

impl InboundDecisions for Decisions {
    fn record<'a>(&'a self, event: &'a DecisionEvent) -> BoxFuture<'a, Result<Answered, RecordError>> {
        async move {
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(&event.body)));
            for _ in 0..TRIES_MAX {
                match self.try_once(event, &digest).await {
                    Ok(Tried::Answered(kept)) if kept.body_digest != digest => return Err(RecordError::OtherBody(event.id.clone())),
                    Ok(Tried::Answered(kept)) => {
                        self.engine.hint();
                        return read(&kept);
                    }
                    Ok(Tried::Overtaken) => {}
                    Err(error) if error.is_transient() => {}
                    Err(error) => return Err(RecordError::Unavailable(crate::cli::with_causes(&error))),
                }
            }
            Err(RecordError::Unavailable("others decide about the same claim at the same time".into()))
        }
        .boxed()
    }
}

/// What was kept is what is answered, the first time and every other.
fn read(kept: &Kept) -> Result<Answered, RecordError> {
    let answer: Json = serde_json::from_str(&kept.answer).map_err(|error| RecordError::Unavailable(error.to_string()))?;
    if kept.is_decided {
        return Ok(Answered::Decided { answer });
    }
    let text = |name: &str| answer.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    Ok(Answered::Refused { reason: text("reason"), detail: text("detail") })
}

impl Decisions {
    async fn try_once(&self, event: &DecisionEvent, digest: &str) -> Result<Tried, NotDecided> {
        let tx = self.books.begin_write().await?;
        match self.record_in(&tx, event, digest).await {
            Ok(Tried::Answered(kept)) => {
                self.engine.options().probe.at(Point::BeforeResult, "inbound", "decisions");
                tx.commit().await?;
                self.engine.options().probe.at(Point::AfterResult, "inbound", "decisions");
                Ok(Tried::Answered(kept))
            }
            Ok(Tried::Overtaken) => {
                tx.rollback().await?;
                Ok(Tried::Overtaken)
            }
            Err(error) => {
                // It may have ended by itself; that it can't be rolled back would say nothing new.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn record_in(&self, tx: &DatabaseTransaction, event: &DecisionEvent, digest: &str) -> Result<Tried, NotDecided> {
        let now = Instant(self.clock.now().0);
        if let Some(kept) = events::find(tx, &event.id).await.map_err(MdfError::from)? {
            return Ok(Tried::Answered(kept));
        }
        let (outcome, answer) = match decide_inside(tx, event, now).await {
            Ok(outcome) => {
                let answer = decided(event, &outcome);
                (Some(outcome), answer)
            }
            Err(error) => match error.code() {
                Some(reason) => {
                    tracing::warn!(id = event.id, claim = event.claim, by = event.by, reason, %error, "webhook.decisions.refused");
                    (None, json!({ "reason": reason, "detail": error.to_string() }))
                }
                None => return Err(error),
            },
        };
        let answer = answer.to_string();
        let message = Event { id: &event.id, body_digest: digest, claim: &event.claim, person: &event.by };
        if !events::keep(tx, message, outcome.as_ref(), &answer, now).await.map_err(MdfError::from)? {
            return Ok(Tried::Overtaken);
        }
        Ok(Tried::Answered(Kept { is_decided: outcome.is_some(), answer, body_digest: digest.to_owned() }))
    }
}

/// A decision that is refused takes back what it has written, and leaves the transaction able to say so.
async fn decide_inside(tx: &DatabaseTransaction, event: &DecisionEvent, now: Instant) -> Result<Outcome, NotDecided> {
    let wanted = Wanted {
        claim: &event.claim,
        by: &event.by,
        is_approval: event.is_approval,
        amount: event.amount.as_deref(),
        reason: event.reason.as_deref(),
        digest: &event.digest,
        via: Via::Webhook,
    };
    let inner: DatabaseTransaction = tx.begin().await.map_err(|error: DbErr| NotDecided::from(error))?;
    let done = async { decide_in(&inner, &wanted, verdict(&inner, &wanted).await?, now).await }.await;
    match done {
        Ok(outcome) => {
            inner.commit().await?;
            Ok(outcome)
        }
        Err(error) => {
            inner.rollback().await?;
            Err(error)
        }
    }
}

fn decided(event: &DecisionEvent, outcome: &Outcome) -> Json {
    let claim = &outcome.claim;
    json!({
        "status": "decided", "claim": claim.id, "step": outcome.role, "decision": if event.is_approval { "approve" } else { "reject" },
        "amount": claim.currency.format_minor(claim.amount_minor), "currency": claim.currency.code(), "claim_status": claim.status.name(),
    })
}
