//! The sealer: gives committed rows of the audit log their places in the chain.

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::connection::Books;
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::settlement::bulk_insert::insert_rows;

/// Rows that one transaction seals at most.
const ROWS_AT_ONCE: usize = 1_000;
/// Transactions of one call at most; what is left is sealed by the next.
const BATCHES_MAX: usize = 1_000;

// Fields stand in the order of RFC 8785, so that plain serialisation is canonical.
#[derive(Serialize)]
struct Canonical {
    act: String,
    actor: Option<String>,
    at: i64,
    detail: String,
    no: i64,
    subject: String,
}

/// Seals what is committed and not sealed yet, oldest first, in bounded transactions.
///
/// # Idempotency
/// A row is sealed once; with nothing to seal nothing is written.
///
/// # Errors
/// The database failed.
pub async fn seal_all(books: &Books, now: Instant) -> Result<usize, LoadError> {
    let mut sealed = 0;
    for _ in 0..BATCHES_MAX {
        if !is_any_pending(books).await? {
            break;
        }
        let tx = books.begin_write().await?;
        let count = seal(&tx, now).await?;
        tx.commit().await?;
        sealed += count;
        if count < ROWS_AT_ONCE {
            break;
        }
    }
    Ok(sealed)
}

async fn is_any_pending(books: &Books) -> Result<bool, LoadError> {
    let tx = books.begin_read().await?;
    let pending = first_row(&tx, "SELECT 1 FROM audit_pending LIMIT 1", vec![]).await;
    tx.rollback().await?;
    Ok(pending?.is_some())
}

/// Seals up to a thousand committed rows; how many there were.
///
/// # Errors
/// The database failed.
pub async fn seal(tx: &DatabaseTransaction, now: Instant) -> Result<usize, LoadError> {
    // The head's row is the lock: of two sealers the second finds what the first has left.
    let head = first_row(tx, "UPDATE audit_head SET position = position WHERE id = 1 RETURNING position, hash", vec![]).await?;
    let head = head.ok_or(LoadError::Corrupt { value: String::new(), what: "the head of the audit log" })?;
    let (mut position, mut hash) = (head.int(0)?, head.string(1)?);
    let query = format!(
        "SELECT a.no, a.at, a.actor, a.act, a.subject, a.detail FROM audit_pending p JOIN audit_log a ON a.no = p.entry ORDER BY a.no LIMIT {ROWS_AT_ONCE}"
    );
    let (mut seals, mut sealed) = (Vec::new(), Vec::new());
    for row in rows(tx, &query, vec![]).await? {
        let no = row.int(0)?;
        let canonical =
            Canonical { act: row.string(3)?, actor: row.string_or_null(2)?, at: row.int(1)?, detail: row.string(5)?, no, subject: row.string(4)? };
        position += 1;
        hash = next(&hash, &canonical);
        seals.push(vec![position.into(), no.into(), hash.as_str().into(), now.0.into()]);
        sealed.push(no);
    }
    if sealed.is_empty() {
        return Ok(0);
    }
    insert_rows(tx, "audit_seals", &["position", "entry", "hash", "sealed_at"], seals).await?;
    execute(tx, "UPDATE audit_head SET position = ?, hash = ? WHERE id = 1", vec![position.into(), hash.into()]).await?;
    for some in sealed.chunks(500) {
        let text = format!("DELETE FROM audit_pending WHERE entry IN {}", crate::sql::places(1, some.len()));
        execute(tx, &text, some.iter().map(|&no| no.into()).collect()).await?;
    }
    Ok(sealed.len())
}

fn next(before: &str, row: &Canonical) -> String {
    // Numbers and strings alone always serialise.
    let canonical = serde_json::to_string(row).unwrap_or_default();
    let mut hasher = Sha256::new();
    hasher.update(before.as_bytes());
    hasher.update(b"\n");
    hasher.update(canonical.as_bytes());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
