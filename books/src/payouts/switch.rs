//! The switch that stops all payouts, durable and at once on every node (reliability.md §3.6).

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::PayoutError;
use crate::audit::{self, Act};
use crate::instance;
use crate::load::row::{LoadError, Row, execute, first_row};
use crate::users::{self, FINANCE, OPS};

/// Whether payouts are paused, and since when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Whether all payouts are paused.
    pub is_paused: bool,
    /// Why it stands as it does.
    pub reason: Option<String>,
    /// Who set it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Instant>,
}

/// Why the payouts of a restored database are paused; no person has set it.
pub const RESTORED: &str = "restored from a backup; run `payout reconcile`";

impl Switch {
    /// Whether it stands so because the database was restored, and not by a person's word.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.is_paused && self.by.is_none()
    }
}

const LOOK: &str = "SELECT paused, reason, by_user, at FROM payout_switch WHERE id = 1";
const LOCK: &str = "UPDATE payout_switch SET paused = paused WHERE id = 1 RETURNING paused, reason, by_user, at";

fn read(row: Option<Row>) -> Result<Switch, LoadError> {
    let row = row.ok_or(LoadError::Corrupt { value: String::new(), what: "the switch of payouts" })?;
    Ok(Switch { is_paused: row.int(0)? != 0, reason: row.string_or_null(1)?, by: row.string_or_null(2)?, at: row.int_or_null(3)?.map(Instant) })
}

/// How the switch stands. Whoever sends looks at it right before.
///
/// # Errors
/// The database failed.
pub async fn look(tx: &DatabaseTransaction) -> Result<Switch, LoadError> {
    read(first_row(tx, LOOK, vec![]).await?)
}

/// How the switch stands; nobody else sets it or admits a payout until the caller's transaction ends.
///
/// # Errors
/// The database failed.
pub(crate) async fn lock(tx: &DatabaseTransaction) -> Result<Switch, LoadError> {
    read(first_row(tx, LOCK, vec![]).await?)
}

/// Pauses all payouts, or lets them go on.
///
/// The pause of a restored database is lifted by its reconciliation alone; a person's pause beside it outlasts that.
///
/// # Idempotency
/// What is paused already stays so, with the first reason.
///
/// # Errors
/// The person may not, the reason can't be taken, or the database was restored and is not reconciled.
pub async fn set(tx: &DatabaseTransaction, paused: bool, by: &str, reason: &str, now: Instant) -> Result<bool, PayoutError> {
    users::checked("the reason", reason, users::TEXT_MAX)?;
    users::entitled(tx, by, &[FINANCE, OPS]).await?;
    let before = lock(tx).await?;
    if before.is_paused == paused && !before.is_restored() {
        return Ok(false);
    }
    if !paused && instance::awaits_reconciliation(tx).await? {
        return Err(PayoutError::NotReconciled);
    }
    let update = "UPDATE payout_switch SET paused = ?, reason = ?, by_user = ?, at = ? WHERE id = 1";
    execute(tx, update, vec![i64::from(paused).into(), reason.into(), by.into(), now.0.into()]).await?;
    let act = if paused { "payouts.paused" } else { "payouts.resumed" };
    audit::write(tx, &Act { by: Some(by), act, subject: "payouts", detail: json!({ "reason": reason }) }, now).await?;
    Ok(true)
}

/// Pauses the payouts of a database that was restored, unless a person has done so before.
///
/// # Errors
/// The database failed.
pub(crate) async fn pause_restored(tx: &DatabaseTransaction, now: Instant) -> Result<(), LoadError> {
    if lock(tx).await?.is_paused {
        return Ok(());
    }
    let update = "UPDATE payout_switch SET paused = 1, reason = ?, by_user = NULL, at = ? WHERE id = 1";
    execute(tx, update, vec![RESTORED.into(), now.0.into()]).await?;
    let detail = json!({ "reason": RESTORED });
    audit::write(tx, &Act { by: None, act: "payouts.paused", subject: "payouts", detail }, now).await
}

/// Lets the payouts of a restored database go on.
///
/// # Errors
/// The database failed.
pub(crate) async fn lift_restored(tx: &DatabaseTransaction, now: Instant) -> Result<(), LoadError> {
    let reason = "reconciled with the provider";
    let update = "UPDATE payout_switch SET paused = 0, reason = ?, by_user = NULL, at = ? WHERE id = 1 AND paused = 1 AND by_user IS NULL";
    if execute(tx, update, vec![reason.into(), now.0.into()]).await? == 0 {
        return Ok(());
    }
    let detail = json!({ "reason": reason });
    audit::write(tx, &Act { by: None, act: "payouts.resumed", subject: "payouts", detail }, now).await
}
