//! Asks the provider: at most one request leaves that is not known to be new, and what is not known is looked up first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use books::payouts::{record, switch};
use durable::{Outcome, StepError};
use program::payout::Payout;
use serde::{Deserialize, Serialize};

use super::{PayoutRun, id_of};
use crate::ports::{Certainty, Handling, PayoutRequest, PortError, Word};
use crate::steps;

/// The source of a word that answers a request.
pub(super) const ANSWER: &str = "answer";
/// The source of a word that answers a question.
pub(super) const LOOK_UP: &str = "look_up";
/// How soon a paused payout looks whether it may leave.
const PAUSE_LOOK_MS: u64 = 5_000;

/// What is known after the provider was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "heard", rename_all = "snake_case")]
pub(super) enum Heard {
    /// It has the request; its end is open.
    Accepted { provider_id: Option<String> },
    /// It has paid.
    Paid { provider_id: Option<String> },
    /// It has not paid and will not.
    Failed { provider_id: Option<String>, reason: String },
    /// It never received the request.
    NotFound,
    /// The request has surely not arrived, and may leave again.
    NotTaken { after_ms: Option<u64>, reason: String },
    /// Nothing was asked: its end had come by another way.
    Settled,
}

impl From<Word> for Heard {
    fn from(word: Word) -> Self {
        match word {
            Word::Accepted { provider_id } => Self::Accepted { provider_id },
            Word::Paid { provider_id } => Self::Paid { provider_id },
            Word::Failed { provider_id, reason } => Self::Failed { provider_id, reason },
            Word::NotFound => Self::NotFound,
        }
    }
}

/// Sends the committed bytes. Unless `unsent` says that they can't have left before, the provider is asked first whether it has them.
pub(super) async fn ask(run: &PayoutRun, payout: &str, unsent: Arc<AtomicBool>) -> Result<Outcome<Heard>, StepError> {
    let Some(payout) = in_transit(run, payout).await? else { return Ok(Outcome::Known(Heard::Settled)) };
    if is_paused(run).await? {
        return Ok(not_taken(Some(PAUSE_LOOK_MS), "all payouts are paused"));
    }
    if !unsent.swap(false, Ordering::SeqCst)
        && let Some(known) = known_before(run, &payout).await
    {
        return Ok(known);
    }
    let Some(body) = payout.request.as_deref() else { return Err(StepError::park("the payout has no request to send")) };
    let request =
        PayoutRequest { payout: payout.id.to_string(), idempotency_key: payout.idempotency_key.to_string(), body: body.as_bytes().to_vec() };
    match run.provider.request(&request).await {
        Ok(word) => Ok(Outcome::Known(word.into())),
        Err(error) => refused(&error),
    }
}

/// What became of a request that may have left before; `None`: nothing, it is to be sent.
async fn known_before(run: &PayoutRun, payout: &Payout) -> Option<Outcome<Heard>> {
    let can = run.provider.capabilities();
    // By asking a person nothing leaves: the payout is in the list of those requested, however often it is put there.
    if can.handling != Handling::Provider {
        return None;
    }
    if can.looks_up {
        return match run.provider.look_up(payout.id.as_str()).await {
            Ok(Word::NotFound) => None,
            Ok(word) => Some(Outcome::Known(word.into())),
            Err(error) => Some(Outcome::Unknown { reason: format!("it may have been sent before, and the look-up failed: {error}") }),
        };
    }
    let asked_at = payout.requested_at.unwrap_or(payout.intended_at);
    let age = steps::at(steps::now(&run.clock)).since(steps::at(asked_at));
    if can.dedupe_window.is_some_and(|window| age < window) {
        return None;
    }
    Some(Outcome::Unknown { reason: "it may have been sent before, and the provider can neither be asked nor knows a repeat".into() })
}

/// Asks what became of a payout.
pub(super) async fn look_up(run: &PayoutRun, payout: &str) -> Result<Outcome<Heard>, StepError> {
    if in_transit(run, payout).await?.is_none() {
        return Ok(Outcome::Known(Heard::Settled));
    }
    Ok(match run.provider.look_up(payout).await {
        Ok(word) => Outcome::Known(word.into()),
        Err(error) => Outcome::Unknown { reason: error.to_string() },
    })
}

fn refused(error: &PortError) -> Result<Outcome<Heard>, StepError> {
    let reason = error.to_string();
    match error.certainty() {
        Certainty::NotTaken => Ok(not_taken(error.retry_after().map(milliseconds), &reason)),
        Certainty::Refused => Ok(Outcome::Known(Heard::Failed { provider_id: None, reason })),
        Certainty::Unknown => Ok(Outcome::Unknown { reason }),
        Certainty::Stopped => Err(StepError::park(reason)),
    }
}

fn not_taken(after_ms: Option<u64>, reason: &str) -> Outcome<Heard> {
    Outcome::Known(Heard::NotTaken { after_ms, reason: reason.to_owned() })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The payout, while it waits for the provider.
async fn in_transit(run: &PayoutRun, payout: &str) -> Result<Option<Payout>, StepError> {
    let id = id_of(payout)?;
    let tx = run.books.begin_read().await?;
    let found = record::find(&tx, &id).await.map_err(|error| StepError::caused_by(&error))?;
    tx.rollback().await?;
    Ok(found.filter(|payout| payout.state.is_in_transit()))
}

async fn is_paused(run: &PayoutRun) -> Result<bool, StepError> {
    let tx = run.books.begin_read().await?;
    let switch = switch::look(&tx).await.map_err(|error| StepError::caused_by(&error))?;
    tx.rollback().await?;
    Ok(switch.is_paused)
}
