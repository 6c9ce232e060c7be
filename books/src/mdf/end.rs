//! How a claim ends: taken back, debited and paid, or failed with its money back in the wallet (domain.md §6.4).

use program::calendar::Instant;
use program::mdf::Status;
use program::payout::{Kind, Payout, State};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::record::{self, Claim};
use super::restart::{self, Cause};
use super::terms::Terms;
use super::{MdfError, asked, campaigns, funds};
use crate::load::row::LoadError;
use crate::payouts::destinations;
use crate::users;

/// Takes a claim back before its capture: its hold is released. By whoever may submit claims of the partner.
///
/// # Idempotency
/// The claim: the first reason stands.
///
/// # Errors
/// The person may not, the reason can't be taken, there is no such claim, or its wallet is debited or its hold released already.
pub async fn cancel(tx: &DatabaseTransaction, id: &str, by: &str, reason: &str, now: Instant) -> Result<Claim, MdfError> {
    users::checked("the reason", reason, users::TEXT_MAX)?;
    let before = record::locked(tx, id).await?;
    let terms = Terms::load(tx, &before.program, now).await?;
    campaigns::may_ask(tx, by, &before.partner, &terms).await?;
    if before.status == Status::Cancelled {
        return Ok(before);
    }
    cancel_locked(tx, &before, Some(by), reason, now).await
}

/// Takes a claim back whose run has ended before its time: its hold is released. One that holds nothing, or that another run sees to since
/// it was submitted again, is as it is: `None`.
///
/// # Idempotency
/// The claim.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn give_up(tx: &DatabaseTransaction, id: &str, run: &str, reason: &str, now: Instant) -> Result<Option<Claim>, MdfError> {
    let before = record::locked(tx, id).await?;
    if before.status.holds() && before.is_seen_to_by(run) { cancel_locked(tx, &before, None, reason, now).await.map(Some) } else { Ok(None) }
}

async fn cancel_locked(tx: &DatabaseTransaction, before: &Claim, by: Option<&str>, reason: &str, now: Instant) -> Result<Claim, MdfError> {
    let after = record::moved(before, Status::Cancelled, Some(reason))?;
    restart::end_steps(tx, before, "void").await?;
    let claim = record::store(tx, before, after).await?;
    funds::release(tx, &claim, claim.amount_minor, now).await?;
    record::tell(tx, &claim, by, "cancelled", json!({ "reason": reason }), now).await?;
    Ok(claim)
}

/// Debits the wallet by an approved claim: it is paying from now on, and its money is in transit. Where the account that the approvals were
/// about is no longer the one in force, the route begins anew instead. One that nobody had to approve waits while its wallet is short
/// (domain.md §4.4).
///
/// # Idempotency
/// The claim: one that is not approved is as it is.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn capture(tx: &DatabaseTransaction, id: &str, now: Instant) -> Result<Claim, MdfError> {
    let found = record::find(tx, id).await?.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    super::submit::lock_partner(tx, &found.partner).await?;
    let before = record::locked(tx, id).await?;
    if before.status != Status::Approved {
        return Ok(before);
    }
    let in_force = destinations::in_force(tx, &before.partner, before.currency).await?.map(|usable| usable.destination.digest());
    if record::destination(tx, &before).await? != in_force {
        return restart::again(tx, &before, Cause::Destination, None, now).await;
    }
    if !asked::has_steps(tx, &before).await? && funds::is_short(tx, &before).await? {
        return asked::wait_for_accruals(tx, before, now).await;
    }
    let claim = record::store(tx, &before, record::moved(&before, Status::Paying, None)?).await?;
    funds::capture(tx, &claim, now).await?;
    record::tell(tx, &claim, None, "captured", json!({}), now).await?;
    Ok(claim)
}

/// The destination that a claim's approvals were about; `Ok(None)`: there was none, or the payout is of no claim.
///
/// # Errors
/// The database failed or holds what can't be read.
pub(crate) async fn approved_destination(tx: &DatabaseTransaction, payout: &Payout) -> Result<Option<String>, LoadError> {
    if payout.kind != Kind::MdfClaim {
        return Ok(None);
    }
    match record::find(tx, &payout.reference).await? {
        Some(claim) => record::destination(tx, &claim).await,
        None => Ok(None),
    }
}

/// Moves a claim where its payout has gone: paid, or failed with its money back. In the transaction of the payout's own move, before its
/// postings, whoever made it.
///
/// # Errors
/// The claim stands where it can't go there, or the database failed.
pub(crate) async fn follow(tx: &DatabaseTransaction, payout: &Payout, now: Instant) -> Result<(), MdfError> {
    if payout.kind != Kind::MdfClaim || record::find(tx, &payout.reference).await?.is_none() {
        return Ok(());
    }
    let (to, reason) = match &payout.state {
        State::Paid => (Status::Paid, None),
        State::Failed { reason } => (Status::Failed, Some(if reason.is_empty() { "the payout failed" } else { reason })),
        State::Intended | State::Held(_) | State::Requested | State::Unknown { .. } => return Ok(()),
    };
    let before = record::locked(tx, &payout.reference).await?;
    if before.status == to {
        return Ok(());
    }
    let claim = record::store(tx, &before, record::moved(&before, to, reason)?).await?;
    if to == Status::Failed {
        funds::back_to_budget(tx, &claim, claim.amount_minor).await?;
    }
    let more = json!({ "payout": payout.id.as_str(), "reason": reason });
    Ok(record::tell(tx, &claim, None, to.name(), more, now).await?)
}
