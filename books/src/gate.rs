//! The one sequence of recordings: whatever is known has a place in it, and a freeze cuts it off (domain.md §4.7).

use program::calendar::Instant;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::load::row::{LoadError, execute, first_row};

/// Takes the next place for what the caller's transaction records; others wait until it ends.
///
/// # Errors
/// The database failed.
pub async fn advance(tx: &DatabaseTransaction, kind: &str, origin: &str, now: Instant) -> Result<i64, LoadError> {
    let row = first_row(tx, "UPDATE gate SET seq = seq + 1 WHERE id = 1 RETURNING seq", vec![]).await?;
    let seq = row.ok_or(LoadError::Corrupt { value: String::new(), what: "the gate of recordings" })?.int(0)?;
    let insert = "INSERT INTO recordings (seq, recorded_at, kind, origin, rows_new, rows_filled) VALUES (?, ?, ?, ?, 1, 0)";
    execute(tx, insert, vec![seq.into(), now.0.into(), kind.into(), origin.into()]).await?;
    Ok(seq)
}

/// Keeps others from recording until the caller's transaction ends; the place of what was recorded last.
///
/// # Errors
/// The database failed.
pub(crate) async fn hold(tx: &DatabaseTransaction) -> Result<i64, LoadError> {
    // SQLite's write transactions are alone from their beginning.
    let lock = if ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres { " FOR UPDATE" } else { "" };
    let row = first_row(tx, &format!("SELECT seq FROM gate WHERE id = 1{lock}"), vec![]).await?;
    row.ok_or(LoadError::Corrupt { value: String::new(), what: "the gate of recordings" })?.int(0)
}
