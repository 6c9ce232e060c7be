//! Asks the provider: at most one request leaves that is not known to be new, and what is not known is looked up first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use books::payouts::request::{self, Again};
use books::payouts::{PayoutError, record, switch};
use durable::{Outcome, StepError, StillHeld};
use program::calendar::Instant;
use program::payout::{Payout, PayoutId, State};
use serde::{Deserialize, Serialize};

use super::{PayoutRun, id_of};
use crate::ports::{Capabilities, Certainty, Handling, PayoutRequest, PortError, Word};
use crate::steps;

/// The source of a word that answers a request.
pub(super) const ANSWER: &str = "answer";
/// The source of a word that answers a question.
pub(super) const LOOK_UP: &str = "look_up";
/// Why nothing leaves again.
pub(super) const TOO_LATE: &str = "it may have been sent before, and the provider may have forgotten its key by now: nothing is sent again";
/// Why nothing leaves for now.
const PAUSED: &str = "all payouts are paused";
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
    /// This attempt has surely not arrived, and the request may leave again; whether one before it has arrived is open where it is in doubt.
    NotTaken { after_ms: Option<u64>, reason: String, in_doubt: bool },
    /// A repeat was refused, which says nothing of an attempt before it.
    RepeatRefused { reason: String },
    /// Nothing was asked: its end had come by another way, or it is not to be asked about.
    Nothing,
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

/// Sends the committed bytes.
///
/// Where they may have left before (`in_doubt`, or the attempt was not committed by this very execution), the provider is asked first
/// whether it has them; a repeat leaves within the dedupe window alone, and a refusal of it says nothing about what left before. Not so
/// where the only attempt before is noted as surely not taken. Asking takes its time, so the switch is looked at again after it, and whether
/// the run is still ours (reliability.md §2, §3.6).
pub(super) async fn ask(
    run: &PayoutRun,
    payout: &str,
    in_doubt: bool,
    unsent: Arc<AtomicBool>,
    held: &StillHeld,
) -> Result<Outcome<Heard>, StepError> {
    let Some(payout) = in_transit(run, payout).await? else { return Ok(Outcome::Known(Heard::Nothing)) };
    let Capabilities { adapter, handling, .. } = run.provider.capabilities();
    if payout.provider.as_deref() != Some(adapter) {
        let asked = payout.provider.as_deref().unwrap_or("nobody");
        return Err(StepError::park(format!(
            "{asked} was asked to pay it, and payouts.adapter is {adapter} now: set it back until this payout has ended"
        )));
    }
    let is_counted = unsent.swap(false, Ordering::SeqCst);
    let is_new = is_counted || is_not_taken(run, &payout).await?;
    // By asking a person nothing leaves: the payout is in the list of those requested, however often it is put there.
    let in_doubt = handling == Handling::Provider && (!is_new || in_doubt);
    if is_paused(run).await? {
        return Ok(not_taken(Some(PAUSE_LOOK_MS), PAUSED, in_doubt));
    }
    if in_doubt && let Some(known) = known_before(run, &payout).await {
        return Ok(known);
    }
    let Some(body) = payout.request.as_deref() else { return Err(StepError::park("the payout has no request to send")) };
    let request =
        PayoutRequest { payout: payout.id.to_string(), idempotency_key: payout.idempotency_key.to_string(), body: body.as_bytes().to_vec() };
    held.ask().await?;
    let mut revision = payout.revision;
    if !is_counted && handling == Handling::Provider {
        match counted(run, &payout.id).await? {
            Again::Send { revision: with_it, .. } => revision = with_it,
            Again::Paused => return Ok(not_taken(Some(PAUSE_LOOK_MS), PAUSED, in_doubt)),
            Again::No => return Ok(Outcome::Known(Heard::Nothing)),
        }
    }
    if is_paused(run).await? {
        return Ok(not_taken(Some(PAUSE_LOOK_MS), PAUSED, in_doubt));
    }
    match run.provider.request(&request).await {
        Ok(word) => Ok(Outcome::Known(word.into())),
        Err(error) => {
            if error.certainty() == Certainty::Stopped && !in_doubt {
                note_not_taken(run, &payout.id, revision, &error.to_string()).await;
            }
            refused(&error, in_doubt)
        }
    }
}

/// Counts an attempt that no step has counted, before it leaves: of those before, each is in the books.
async fn counted(run: &PayoutRun, id: &PayoutId) -> Result<Again, StepError> {
    let tx = run.books.begin_write().await?;
    let again = request::again(&tx, id, steps::now(&run.clock)).await.map_err(|error| StepError::caused_by(&error))?;
    tx.commit().await?;
    Ok(again)
}

/// Notes that a stopped attempt was not taken. Where that fails, it is in doubt as any other.
async fn note_not_taken(run: &PayoutRun, id: &PayoutId, revision: i64, reason: &str) {
    let noted = async {
        let tx = run.books.begin_write().await?;
        let is_noted = request::not_taken(&tx, id, revision, reason, steps::now(&run.clock)).await?;
        tx.commit().await?;
        Ok::<_, PayoutError>(is_noted)
    };
    if let Err(error) = noted.await {
        tracing::warn!(payout = %id, %error, "payout.not_taken_unnoted");
    }
}

/// Whether it is certain that no attempt before has arrived.
async fn is_not_taken(run: &PayoutRun, payout: &Payout) -> Result<bool, StepError> {
    let tx = run.books.begin_read().await?;
    let is_noted = request::is_not_taken(&tx, payout).await.map_err(|error| StepError::caused_by(&error))?;
    tx.rollback().await?;
    Ok(is_noted)
}

/// What became of a request that may have left before; `None`: nothing, it may be sent again.
async fn known_before(run: &PayoutRun, payout: &Payout) -> Option<Outcome<Heard>> {
    if run.provider.capabilities().looks_up {
        match run.provider.look_up_of(payout.id.as_str(), payout.amount()).await {
            Ok(Word::NotFound) => {}
            Ok(word) => return Some(Outcome::Known(word.into())),
            Err(error) => return Some(Outcome::Unknown { reason: format!("it may have been sent before, and the look-up failed: {error}") }),
        }
    }
    let window = run.provider.capabilities().dedupe_window;
    (!may_repeat(payout, window, steps::now(&run.clock))).then(|| Outcome::Unknown { reason: TOO_LATE.into() })
}

/// Whether the provider still knows a repeat by its key (reliability.md §2).
pub(super) fn may_repeat(payout: &Payout, window: Option<Duration>, now: Instant) -> bool {
    let asked_at = payout.requested_at.unwrap_or(payout.intended_at);
    window.is_some_and(|window| steps::at(now).since(steps::at(asked_at)) < window)
}

/// Whether a payout is sent no more: its provider may have forgotten its key by now. Of one that never knew keys nothing is sent twice; its
/// answer is waited for as long as for that of others.
#[must_use]
pub fn is_sent_no_more(payout: &Payout, window: Option<Duration>, now: Instant) -> bool {
    !may_repeat(payout, window.or(Some(super::LONGEST_WAIT)), now)
}

/// Asks what became of a payout that another provider was not asked for, and that is to be looked up.
pub(super) async fn look_up(run: &PayoutRun, payout: &str) -> Result<Outcome<Heard>, StepError> {
    let can = run.provider.capabilities();
    let Some(payout) = in_transit(run, payout).await? else { return Ok(Outcome::Known(Heard::Nothing)) };
    // What was accepted is looked up at the pace that is configured, if at all; what is unknown always.
    let is_wanted = can.poll_every.is_some() || matches!(payout.state, State::Unknown { .. });
    if !can.looks_up || !is_wanted || payout.provider.as_deref() != Some(can.adapter) {
        return Ok(Outcome::Known(Heard::Nothing));
    }
    Ok(match run.provider.look_up_of(payout.id.as_str(), payout.amount()).await {
        Ok(word) => Outcome::Known(word.into()),
        Err(error) => Outcome::Unknown { reason: error.to_string() },
    })
}

/// How a payout has ended; a run that has looked often enough waits for a person until it has.
pub(super) async fn ended(run: &PayoutRun, payout: &str) -> Result<Outcome<String>, StepError> {
    let id = id_of(payout)?;
    let tx = run.books.begin_read().await?;
    let found = record::find(&tx, &id).await.map_err(|error| StepError::caused_by(&error))?;
    tx.rollback().await?;
    match found {
        Some(payout) if payout.state.has_ended() => Ok(Outcome::Known(payout.state.name().to_owned())),
        Some(_) | None => {
            Err(StepError::park(format!("payout {id} has not ended after {} looks: ask the provider, and retry when it has", super::TURNS_MAX)))
        }
    }
}

fn refused(error: &PortError, in_doubt: bool) -> Result<Outcome<Heard>, StepError> {
    let reason = error.to_string();
    match error.certainty() {
        Certainty::NotTaken => Ok(not_taken(error.retry_after().map(milliseconds), &reason, in_doubt)),
        Certainty::Refused if in_doubt => Ok(Outcome::Known(Heard::RepeatRefused { reason })),
        Certainty::Refused => Ok(Outcome::Known(Heard::Failed { provider_id: None, reason })),
        Certainty::Unknown => Ok(Outcome::Unknown { reason }),
        Certainty::Stopped => Err(StepError::park(reason)),
    }
}

fn not_taken(after_ms: Option<u64>, reason: &str, in_doubt: bool) -> Outcome<Heard> {
    Outcome::Known(Heard::NotTaken { after_ms, reason: reason.to_owned(), in_doubt })
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
