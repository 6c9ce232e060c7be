//! The audit log: people's acts and money events, written in the transaction of what they tell, chained after it (reliability.md §1.28).
//!
//! A row is written unsealed, so that nobody waits for the chain. The sealer gives committed rows their places in it, in order, each with
//! `sha256(hash before ‖ "\n" ‖ canonical row)`. Rows and seals are never changed; `verify` recomputes all of it.

pub mod seal;

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::Value as Json;

use crate::load::row::{LoadError, execute, first_row};

/// What is told.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// Who did it; `None`: the product itself, or whoever holds the machine.
    pub by: Option<&'a str>,
    /// What was done, like `payout.paid`.
    pub act: &'a str,
    /// To what, like `payout/pay_…`.
    pub subject: &'a str,
    /// More of it. Never a secret, never an account: its digest.
    pub detail: Json,
}

/// Writes an act beside what it tells of, unsealed.
///
/// # Errors
/// The database failed.
pub async fn write(tx: &DatabaseTransaction, act: &Act<'_>, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO audit_log (at, actor, act, subject, detail) VALUES (?, ?, ?, ?, ?) RETURNING no";
    let values = vec![now.0.into(), act.by.into(), act.act.into(), act.subject.into(), act.detail.to_string().into()];
    let row = first_row(tx, insert, values).await?.ok_or(LoadError::Corrupt { value: String::new(), what: "a number of the audit log" })?;
    execute(tx, "INSERT INTO audit_pending (entry) VALUES (?)", vec![row.int(0)?.into()]).await?;
    Ok(())
}
