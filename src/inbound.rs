//! What providers say by webhook reaches the books and the run that waits for it, in one transaction.

use std::sync::Arc;

use books::connection::Books;
use books::payouts::inbound::{self, Message};
use books::payouts::{PayoutError, record};
use durable::probe::Point;
use durable::{Clock, Engine};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::Instant;
use program::payout::{PayoutId, Word};
use sea_orm::DatabaseTransaction;
use sha2::{Digest as _, Sha256};

use crate::adapters::payout_webhook::WEBHOOK;
use crate::http::payouts::{Answer, InboundPayouts, PayoutEvent, RecordError, Said};

/// Writes providers' words down.
pub struct Inbound {
    /// The books.
    pub books: Books,
    /// The engine whose runs wait.
    pub engine: Engine,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").finish_non_exhaustive()
    }
}

impl InboundPayouts for Inbound {
    fn record<'a>(&'a self, event: &'a PayoutEvent) -> BoxFuture<'a, Result<Answer, RecordError>> {
        async move {
            let unavailable = |error: sea_orm::DbErr| RecordError::Unavailable(error.to_string());
            let tx = self.books.begin_write().await.map_err(unavailable)?;
            match self.record_in(&tx, event).await {
                Ok(answer) => {
                    self.passes(Point::BeforeResult);
                    tx.commit().await.map_err(unavailable)?;
                    self.passes(Point::AfterResult);
                    self.engine.hint();
                    Ok(answer)
                }
                Err(error) => {
                    // It may have ended by itself; that it can't be rolled back would say nothing new.
                    let _ = tx.rollback().await;
                    Err(error)
                }
            }
        }
        .boxed()
    }
}

impl Inbound {
    fn passes(&self, point: Point) {
        self.engine.options().probe.at(point, "inbound", "payouts");
    }

    async fn record_in(&self, tx: &DatabaseTransaction, event: &PayoutEvent) -> Result<Answer, RecordError> {
        let now = Instant(self.clock.now().0);
        let (word, reason) = match &event.said {
            Said::Paid => (Some(Word::Paid), None),
            Said::Failed { reason } => (Some(Word::Failed), Some(reason.as_str())),
            Said::Other { r#type } => (None, Some(r#type.as_str())),
        };
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&event.body)));
        let message = Message {
            // Whoever pays now: these are the words of who was told by requests.
            provider: WEBHOOK,
            event: &event.id,
            body_digest: &digest,
            payout: &event.payout,
            word,
            provider_id: event.provider_id.as_deref(),
            reason,
        };
        let answer = inbound::record(tx, &message, now).await.map_err(|error| told(&error))?;
        if answer.is_other_body {
            return Err(RecordError::OtherBody(event.id.clone()));
        }
        if answer.text != "applied" {
            return Ok(Answer::Parked);
        }
        if let Ok(id) = event.payout.parse::<PayoutId>()
            && let Some(payout) = record::find(tx, &id).await.map_err(|error| RecordError::Unavailable(error.to_string()))?
        {
            let told = workflows::payout::changed(tx, &payout, &format!("event {}", event.id), now).await;
            told.map_err(|error| RecordError::Unavailable(error.to_string()))?;
        }
        Ok(Answer::Recorded)
    }
}

fn told(error: &PayoutError) -> RecordError {
    RecordError::Unavailable(error.to_string())
}
