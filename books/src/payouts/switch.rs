//! The switch that stops all payouts, durable and at once on every node (reliability.md §3.6).

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::PayoutError;
use crate::audit::{self, Act};
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
pub(super) async fn lock(tx: &DatabaseTransaction) -> Result<Switch, LoadError> {
    read(first_row(tx, LOCK, vec![]).await?)
}

/// Pauses all payouts, or lets them go on.
///
/// # Idempotency
/// What is paused already stays so, with the first reason.
///
/// # Errors
/// The person may not, or the reason can't be taken.
pub async fn set(tx: &DatabaseTransaction, paused: bool, by: &str, reason: &str, now: Instant) -> Result<bool, PayoutError> {
    users::checked("the reason", reason, users::TEXT_MAX)?;
    users::entitled(tx, by, &[FINANCE, OPS]).await?;
    if lock(tx).await?.is_paused == paused {
        return Ok(false);
    }
    let update = "UPDATE payout_switch SET paused = ?, reason = ?, by_user = ?, at = ? WHERE id = 1";
    execute(tx, update, vec![i64::from(paused).into(), reason.into(), by.into(), now.0.into()]).await?;
    let act = if paused { "payouts.paused" } else { "payouts.resumed" };
    audit::write(tx, &Act { by: Some(by), act, subject: "payouts", detail: json!({ "reason": reason }) }, now).await?;
    Ok(true)
}
