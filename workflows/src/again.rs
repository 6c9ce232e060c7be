//! A run's key is used once; what a cancelled or failed run was to do is done by a successor under the next one.

use durable::runs::{self, RunError, Started};
use durable::{Instant, RunStatus, Workflow};
use sea_orm::DatabaseTransaction;

use crate::payout::fitting;

/// Successors of one run at most.
pub const AGAIN_MAX: u32 = 9;

/// The key of a run, and of its successors: `KEY (again 1)` and so on.
#[must_use]
pub fn key_of(key: &str, again: u32) -> String {
    if again == 0 { key.to_owned() } else { fitting(format!("{key} (again {again})")) }
}

/// The keys of the successors of a run, in order.
#[must_use]
pub fn successors(key: &str) -> Vec<String> {
    (1..=AGAIN_MAX).map(|again| key_of(key, again)).collect()
}

/// Starts a run, or finds it; where it was cancelled or has failed, its successor.
///
/// # Idempotency
/// The key: of a run and its successors one has not been cancelled and has not failed, at most.
///
/// # Errors
/// [`RunError`].
pub async fn start_anew<W: Workflow>(tx: &DatabaseTransaction, key: &str, input: &W::Input, now: Instant) -> Result<Started, RunError> {
    let mut again = 0;
    loop {
        let started = runs::start_as::<W>(tx, &key_of(key, again), input, now).await?;
        let is_over = !started.fresh && matches!(runs::status(tx, &started.run).await?, RunStatus::Cancelled | RunStatus::Failed);
        if !is_over || again >= AGAIN_MAX {
            return Ok(started);
        }
        again += 1;
    }
}
