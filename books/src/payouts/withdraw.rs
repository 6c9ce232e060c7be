//! A person ends the payout of a claim that was never requested: its money is back in the wallet (domain.md §6.4).

use program::calendar::Instant;
use program::payout::{Illegal, Kind, Payout, PayoutId, State};
use sea_orm::DatabaseTransaction;

use super::{PayoutError, intend, record, switch};
use crate::instance;
use crate::users::{self, FINANCE, OPS};

/// Who ends a payout, and why.
#[derive(Debug, Clone, Copy)]
pub struct Withdrawal<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Whether who would have been asked to pay it was found not to know it, or is a person. Books that come from a backup may have asked and
    /// have forgotten.
    pub is_unknown_to_provider: bool,
}

/// Ends the payout of a claim that waits or was admitted: the linked reversal is posted to the lots that its claim was captured from.
///
/// The locks are those of [`super::request::request`], after whose commit alone the first byte leaves: either that found the payout first,
/// and this is refused; or this did, and nothing ever leaves.
///
/// # Idempotency
/// The payout: the first reason stands.
///
/// # Errors
/// The person may not, there is no such payout, it pays a settlement, its request may have left, or the database was restored and is not
/// reconciled.
pub async fn withdraw(tx: &DatabaseTransaction, id: &PayoutId, said: Withdrawal<'_>, now: Instant) -> Result<Payout, PayoutError> {
    let Withdrawal { by, reason, is_unknown_to_provider } = said;
    users::checked("the reason", reason, users::TEXT_MAX)?;
    switch::lock(tx).await?;
    let before = record::locked(tx, id).await?;
    users::entitled_for(tx, by, &[FINANCE, OPS], &before.partner).await?;
    if before.kind != Kind::MdfClaim {
        return Err(PayoutError::NotOfClaim(id.to_string()));
    }
    match before.state {
        State::Held(_) | State::Intended => {}
        State::Failed { .. } if before.requested_at.is_none() => return Ok(before),
        State::Requested | State::Unknown { .. } => {
            return Err(PayoutError::MayHaveLeft { payout: id.to_string(), state: before.state.name() });
        }
        State::Paid | State::Failed { .. } => {
            return Err(PayoutError::Illegal { payout: id.to_string(), illegal: Illegal { state: before.state, wanted: "withdrawn" } });
        }
    }
    if instance::awaits_reconciliation(tx).await? {
        return Err(PayoutError::NotReconciled);
    }
    let is_restored = instance::find(tx).await?.is_some_and(|books| books.restored_at.is_some());
    if is_restored && !is_unknown_to_provider {
        return Err(PayoutError::MaybeSent { payout: id.to_string(), why: "the provider was not asked".into() });
    }
    intend::withdraw(tx, before, reason, Some(by), now).await
}
