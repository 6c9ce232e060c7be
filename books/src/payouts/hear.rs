//! What a provider says of a payout, and what it does to it: words come early, late, twice and out of order (reliability.md §2, §3.7).

use program::calendar::Instant;
use program::payout::{Payout, PayoutId, Ruling, State, Word};
use sea_orm::DatabaseTransaction;

use super::PayoutError;
use super::record::{self, Event, Source};
use crate::load::row::{LoadError, first_row};
use crate::users;

/// A provider's word.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The word.
    pub word: Word,
    /// How it came.
    pub source: Source,
    /// The adapter through which it came.
    pub provider: &'a str,
    /// What the provider calls the payout.
    pub provider_id: Option<&'a str>,
    /// Why it failed.
    pub reason: Option<&'a str>,
    /// The id of the provider's message, where it is one that `inbound` has recorded.
    pub event: Option<&'a str>,
    /// The person who stands for the provider.
    pub by: Option<&'a str>,
}

/// Takes a provider's word: it moves the payout and the ledger, confirms what is known, is stale, or contradicts it. What contradicts is
/// kept for somebody to look at ([`super::exceptions`]) and moves nothing.
///
/// # Idempotency
/// The payout's state: in whatever order and however often words come, the end is the same, and the ledger posts each move once.
///
/// # Errors
/// There is no such payout, or the database failed.
///
/// # Source
/// reliability.md invariants 17 and 19.
pub async fn provider_says(tx: &DatabaseTransaction, id: &PayoutId, said: &Said<'_>, now: Instant) -> Result<(Payout, Ruling), PayoutError> {
    let before = record::locked(tx, id).await?;
    let reason: String = said.reason.unwrap_or_default().chars().filter(|c| !c.is_control()).take(users::TEXT_MAX).collect();
    let provider_id = said.provider_id.filter(|id| !id.is_empty() && id.len() <= 128 && !id.chars().any(char::is_control));
    let doubt = doubt(tx, &before, said, provider_id).await?;
    let (state, ruling) = match doubt {
        Some(_) => (before.state.clone(), Ruling::Contradicts),
        None => before.state.clone().hear(said.word, &reason),
    };
    let mut after = before.clone();
    if ruling != Ruling::Contradicts && before.provider_id.is_none() {
        after.provider_id = provider_id.map(Into::into);
    }
    let told_nothing = after.provider_id == before.provider_id && matches!(ruling, Ruling::Confirms | Ruling::Stale);
    let is_asked_for = said.event.is_none() && said.by.is_none();
    // Questions are asked again and again; their answers fill no history.
    if is_asked_for && (told_nothing || (ruling == Ruling::Contradicts && is_told(tx, &before, said.word, provider_id).await?)) {
        return Ok((before, ruling));
    }
    if ruling == Ruling::Moves {
        after.provider = Some(said.provider.into());
        // A word before our own answer proves that the request has left; a failure then has nothing in transit.
        if before.state == State::Intended && !matches!(state, State::Failed { .. }) {
            after.requested_at = Some(now);
        }
        if state.has_ended() {
            after.ended_at = Some(now);
        }
    }
    after.state = state;
    let told = doubt.or(Some(reason.as_str()).filter(|reason| !reason.is_empty()));
    let event = Event {
        source: said.source,
        word: said.word.name(),
        ruling: ruling.name(),
        reason: told,
        provider: Some(said.provider),
        provider_id,
        event: said.event,
        by: said.by,
    };
    Ok((record::store(tx, &before, after, &event, now).await?, ruling))
}

/// Whether the last thing told of a payout is that this word contradicts it.
async fn is_told(tx: &DatabaseTransaction, payout: &Payout, word: Word, provider_id: Option<&str>) -> Result<bool, LoadError> {
    let query =
        "SELECT 1 FROM payout_events WHERE payout = ? AND ordinal = ? AND ruling = 'contradicted' AND word = ? AND COALESCE(provider_id, '') = ?";
    let values = vec![payout.id.as_str().into(), payout.revision.into(), word.name().into(), provider_id.unwrap_or_default().into()];
    Ok(first_row(tx, query, values).await?.is_some())
}

/// Why a word can't be about this payout, though it names it.
async fn doubt(tx: &DatabaseTransaction, payout: &Payout, said: &Said<'_>, provider_id: Option<&str>) -> Result<Option<&'static str>, LoadError> {
    if payout.provider.as_deref().is_some_and(|provider| provider != said.provider) {
        return Ok(Some("another provider was asked to pay it"));
    }
    let Some(provider_id) = provider_id else { return Ok(None) };
    if payout.provider_id.as_deref().is_some_and(|known| known != provider_id) {
        return Ok(Some("the provider names a second object for it: it may be paid twice"));
    }
    let query = "SELECT 1 FROM payouts WHERE provider = ? AND provider_id = ? AND id <> ?";
    let other = first_row(tx, query, vec![said.provider.into(), provider_id.into(), payout.id.as_str().into()]).await?;
    Ok(other.map(|_| "the provider names an object that is another payout's"))
}
