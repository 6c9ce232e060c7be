//! What is committed before a request's bytes leave, and when nobody knows where they are (reliability.md §3.1–3.2, §3.6).

use program::bank_file::Transfer;
use program::calendar::Instant;
use program::line::Text;
use program::payout::{HeldFor, Payout, PayoutId, State};
use sea_orm::DatabaseTransaction;

use super::record::{self, Event, Source};
use super::{PayoutError, bank_files, destinations, intend, switch};
use crate::load::row::LoadError;
use crate::users;

/// Notes that the request of an intended payout is about to leave through an adapter: the ledger moves what is owed into transit, the
/// attempt is counted. Only when this is committed may the first byte leave.
///
/// What holds it meanwhile holds it here: then the payout comes back held. One whose destination was superseded comes back failed. The
/// caller sends only what comes back `requested`.
///
/// # Idempotency
/// The payout: one that was requested before comes back as it stands; send it again by [`again`].
///
/// # Errors
/// There is no such payout, or the database failed.
pub async fn request(tx: &DatabaseTransaction, id: &PayoutId, provider: &str, now: Instant) -> Result<Payout, PayoutError> {
    users::checked("the adapter", provider, 128)?;
    let is_paused = switch::lock(tx).await?.is_paused;
    let before = record::locked(tx, id).await?;
    if before.state != State::Intended {
        return Ok(before);
    }
    if let Some(reason) = intend::by_rule(tx, &before, now).await?.or(is_paused.then_some(HeldFor::Paused)) {
        return intend::hold(tx, before, reason, None, now).await;
    }
    let usable = destinations::in_force(tx, &before.partner, before.currency).await?;
    let before = intend::withdraw_if_moved(tx, before, usable.as_ref(), now).await?;
    if before.state != State::Intended {
        return Ok(before);
    }
    // Whoever paid when it was admitted took other destinations than files for the bank do.
    if provider == bank_files::PAIN001 && Transfer::of(&before).is_err() {
        return intend::hold(tx, before, HeldFor::NoAccount, None, now).await;
    }
    let mut after = before.clone();
    after.state = before.state.clone().request().map_err(|illegal| PayoutError::Illegal { payout: id.to_string(), illegal })?;
    after.provider = Some(provider.into());
    after.requested_at = Some(now);
    after.attempts += 1;
    record::store(tx, &before, after, &Event { provider: Some(provider), ..Event::ours("requested", None) }, now).await
}

/// Whether a request may leave once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// The same bytes under the same key; the attempt is counted.
    Send {
        /// The key.
        key: Text,
        /// The bytes.
        body: Text,
        /// The payout's revision with this attempt, for [`not_taken`].
        revision: i64,
    },
    /// All payouts are paused.
    Paused,
    /// It does not wait for the provider: it was not requested, or has ended.
    No,
}

/// Counts another attempt of a requested payout, before it leaves.
///
/// # Errors
/// There is no such payout, or the database failed.
pub async fn again(tx: &DatabaseTransaction, id: &PayoutId, now: Instant) -> Result<Again, PayoutError> {
    let is_paused = switch::lock(tx).await?.is_paused;
    let before = record::locked(tx, id).await?;
    let (true, Some(body)) = (before.state.is_in_transit(), before.request.clone()) else { return Ok(Again::No) };
    if is_paused {
        return Ok(Again::Paused);
    }
    let mut after = before.clone();
    after.attempts += 1;
    let after = record::store(tx, &before, after, &Event { ruling: "confirmed", ..Event::ours("sent_again", None) }, now).await?;
    Ok(Again::Send { key: before.idempotency_key, body, revision: after.revision })
}

/// The word of an event by which no attempt at a payout has arrived.
const NOT_TAKEN: &str = "not_taken";

/// Notes that the provider has surely not taken the only attempt that can have reached it. `revision` is the payout's with that attempt:
/// where something else happened since, such as another attempt, it is no longer certain, and nothing is noted.
///
/// # Errors
/// There is no such payout, or the database failed.
pub async fn not_taken(tx: &DatabaseTransaction, id: &PayoutId, revision: i64, reason: &str, now: Instant) -> Result<bool, PayoutError> {
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(users::TEXT_MAX).collect();
    let before = record::locked(tx, id).await?;
    if before.revision != revision || !before.state.is_in_transit() {
        return Ok(false);
    }
    let event = Event { source: Source::Answer, ruling: "confirmed", provider: before.provider.as_deref(), ..Event::ours(NOT_TAKEN, Some(&reason)) };
    record::store(tx, &before, before.clone(), &event, now).await?;
    Ok(true)
}

/// Whether it is certain that no attempt at a payout has arrived, as [`not_taken`] has noted: whatever happens to it afterwards, another
/// attempt above all, ends that.
///
/// # Errors
/// The database failed.
pub async fn is_not_taken(tx: &DatabaseTransaction, payout: &Payout) -> Result<bool, LoadError> {
    Ok(record::last_word(tx, payout).await?.as_deref() == Some(NOT_TAKEN))
}

/// Notes that nobody knows whether the provider has the request. Nothing is posted, no new key is made: only a look-up or the provider's
/// own message says more.
///
/// # Idempotency
/// A payout whose end the provider has told already stays so; the same reason again changes nothing.
///
/// # Errors
/// There is no such payout, it was never requested, or the database failed.
pub async fn mark_unknown(tx: &DatabaseTransaction, id: &PayoutId, reason: &str, now: Instant) -> Result<Payout, PayoutError> {
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(users::TEXT_MAX).collect();
    let before = record::locked(tx, id).await?;
    if before.state.has_ended() || before.state == (State::Unknown { reason: reason.clone() }) {
        return Ok(before);
    }
    let mut after = before.clone();
    after.state = before.state.clone().lose(reason.clone()).map_err(|illegal| PayoutError::Illegal { payout: id.to_string(), illegal })?;
    record::store(tx, &before, after, &Event::ours("unknown", Some(&reason)), now).await
}
