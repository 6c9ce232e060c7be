//! Another try after a failed payout: a new payout with a new key, never the old one again.

use program::calendar::Instant;
use program::payout::{Illegal, Kind, Payout, PayoutId, State};
use sea_orm::DatabaseTransaction;

use super::intend::{Names, Purpose, make};
use super::limits::Limits;
use super::{PayoutError, record};
use crate::audit::{self, Act};
use crate::release::Whose;
use crate::users::{self, FINANCE, OPS};

/// Makes the next payout of a settlement whose payout failed.
///
/// # Idempotency
/// The failed payout: it is retried once; whoever asks again gets that one.
///
/// # Errors
/// The person may not, the payout has not failed or paid a claim, or as for [`super::intend::intend`].
pub async fn retry(
    tx: &DatabaseTransaction,
    failed: &PayoutId,
    names: Names<'_>,
    by: &str,
    now: Instant,
    limits: &Limits,
) -> Result<Payout, PayoutError> {
    // Before the payout's own lock, as everywhere.
    super::switch::lock(tx).await?;
    let old = record::locked(tx, failed).await?;
    users::entitled_for(tx, by, &[FINANCE, OPS], &old.partner).await?;
    if !matches!(old.state, State::Failed { .. }) {
        return Err(PayoutError::Illegal { payout: failed.to_string(), illegal: Illegal { state: old.state, wanted: "retried" } });
    }
    if let Some(made) = record::retry_of(tx, failed).await? {
        return Ok(made);
    }
    let (Kind::Settlement, Some(period)) = (old.kind, old.period) else { return Err(PayoutError::ClaimRetry(failed.to_string())) };
    let whose = Whose { program: &old.program, partner: &old.partner, period };
    let made = make(tx, Purpose::Settlement { whose, currency: old.currency }, names, Some(failed), now, limits).await?;
    let detail = serde_json::json!({ "retried_from": failed.as_str() });
    audit::write(tx, &Act { by: Some(by), act: "payout.retried", subject: &format!("payout/{}", made.id), detail }, now).await?;
    Ok(made)
}
