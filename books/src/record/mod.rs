//! Records facts under their external ids (domain.md §2.7, interface.md §2).
//!
//! A file is read as a stream into a temporary table on a connection of its own, checked there against the books by set, and merged
//! in one transaction: all of it or nothing. The checks that need no merged rows run before the transaction, which repeats them only
//! when something was recorded in between.

mod blame;
mod check;
mod csv;
mod error;
mod fold;
mod jsonl;
mod kinds;
mod merge;
mod nearest;
mod rows;
mod rules;
mod shape;
mod stage;
mod table;

use std::io::{BufReader, Read};

use program::calendar::Instant;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::sync::mpsc;

pub use self::error::{ERRORS_MAX, ImportError, ImportErrors, RecordError};
pub use self::kinds::{FactKind, UnknownKind};
pub use self::rows::Format;

use self::error::Findings;
use self::rows::{RowReader, Staged};
use self::rules::{Merged, voiding};
use self::stage::{STATEMENT_ROWS_MAX, Stage};
use crate::connection::{Books, begin_write};
use crate::sql;

/// Batches read ahead.
const BATCHES_AHEAD: usize = 4;

/// Facts to record.
#[derive(Debug)]
pub struct Input<R> {
    /// Their kind.
    pub kind: FactKind,
    /// How they are written.
    pub format: Format,
    /// What errors and the history call their source: a file's name.
    pub origin: String,
    /// Where they come from.
    pub reader: R,
    /// Check only: find everything that is wrong, change nothing.
    pub dry_run: bool,
}

/// What recording did, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Rows read; the items that an invoice carries are rows too.
    pub read: u64,
    /// Facts that are new.
    pub new: u64,
    /// Known facts of which something empty was filled.
    pub filled: u64,
    /// Known facts whose name or e-mail address changed.
    pub updated: u64,
    /// Rows that said nothing new.
    pub unchanged: u64,
}

/// Where a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The file is read.
    Reading,
    /// Its rows are compared with the books.
    Checking,
    /// They are written.
    Writing,
}

/// Records facts, all or none.
///
/// # Idempotency
/// A fact is known by its external id; recorded again unchanged it does nothing, and when nothing is new nothing is written at all.
///
/// # Errors
/// [`RecordError::Input`] with everything that is wrong with the facts; nothing is changed then. `dry_run` looks further than a
/// recording does: rows that are right are checked as if the wrong ones were left out.
///
/// # Source
/// domain.md §2.7, interface.md §2.
pub async fn record<R: Read + Send + 'static>(
    books: &Books,
    input: Input<R>,
    now: Instant,
    phase: impl Fn(Phase) + Send + Sync,
) -> Result<Recorded, RecordError> {
    let db = books.private().await?;
    let recorded = record_on(&db, input, now, phase).await;
    let closed = db.close().await;
    let recorded = recorded?;
    closed?;
    Ok(recorded)
}

async fn record_on<R: Read + Send + 'static>(
    db: &DatabaseConnection,
    input: Input<R>,
    now: Instant,
    phase: impl Fn(Phase) + Send + Sync,
) -> Result<Recorded, RecordError> {
    let Input { kind, format, origin, reader, dry_run } = input;
    phase(Phase::Reading);
    let stages = stages(kind, format);
    let (read, mut findings) = fill_stages(db, &stages, format, reader).await?;
    phase(Phase::Checking);
    let known_at = seq(db).await?;
    check::against_books(db, &stages, &mut findings).await?;
    if !findings.is_empty() {
        if !dry_run {
            return Err(findings.into_errors(&origin).into());
        }
        check::set_aside_dependents(db, &stages).await?;
    }
    phase(Phase::Writing);
    let tx = begin_write(db).await?;
    let seq = merge::pass_gate(&tx).await?;
    let mut sound = true;
    if seq != known_at + 1 {
        sound = findings.is_empty();
        if sound {
            check::forget(&tx, &stages).await?;
            check::against_books(&tx, &stages, &mut findings).await?;
            sound = findings.is_empty();
        }
    }
    let recorded = if sound { write(&tx, kind, &stages, seq, read, &mut findings).await? } else { Recorded::default() };
    if !findings.is_empty() {
        tx.rollback().await?;
        return Err(findings.into_errors(&origin).into());
    }
    if dry_run || recorded.new + recorded.filled + recorded.updated == 0 {
        tx.rollback().await?;
    } else {
        merge::note(&tx, seq, now, kind.name(), &origin, (recorded.new, recorded.filled)).await?;
        tx.commit().await?;
    }
    Ok(recorded)
}

/// A file of invoices may bring items too.
fn stages(kind: FactKind, format: Format) -> Vec<Stage> {
    let first = Stage { kind: kind.kind(), name: "staged" };
    if kind == FactKind::Invoices && format == Format::Jsonl {
        vec![first, Stage { kind: FactKind::InvoiceItems.kind(), name: "staged_items" }]
    } else {
        vec![first]
    }
}

async fn seq<C: ConnectionTrait>(db: &C) -> Result<i64, RecordError> {
    let row = sql::row(db, "SELECT seq FROM gate", []).await?.ok_or_else(|| RecordError::Corrupt("no gate of recordings".into()))?;
    Ok(row.try_get_by_index(0)?)
}

/// Reads the file on a thread of its own while the rows before are staged.
async fn fill_stages<R: Read + Send + 'static>(
    db: &DatabaseConnection,
    stages: &[Stage],
    format: Format,
    reader: R,
) -> Result<(u64, Findings), RecordError> {
    let tx = db.begin().await?;
    for stage in stages {
        stage.create(&tx).await?;
    }
    let (sender, mut receiver) = mpsc::channel::<(usize, Staged)>(BATCHES_AHEAD);
    let kind = stages[0].kind;
    let reading = tokio::task::spawn_blocking(move || {
        let mut rows = RowReader::new(kind, format, BufReader::with_capacity(1 << 16, reader));
        let mut findings = Findings::default();
        let mut staged = [Staged::default(), Staged::default()];
        let mut more = true;
        while more {
            let [first, items] = &mut staged;
            more = rows.next(first, items, &mut findings)?;
            for (index, batch) in staged.iter_mut().enumerate() {
                if (batch.rows >= STATEMENT_ROWS_MAX || !more) && batch.rows > 0 && sender.blocking_send((index, std::mem::take(batch))).is_err() {
                    return Ok((rows.read, findings));
                }
            }
        }
        Ok((rows.read, findings))
    });
    while let Some((index, batch)) = receiver.recv().await {
        stages[index].insert(&tx, batch).await?;
    }
    let (read, mut findings) = reading.await.map_err(|_| RecordError::Stopped)?.map_err(RecordError::Read)?;
    for (index, stage) in stages.iter().enumerate() {
        stage.complete(&tx).await?;
        fold::fold(&tx, stage, &mut findings).await?;
        stage.settle_amounts(&tx, (index > 0).then(|| &stages[0]), &mut findings).await?;
    }
    tx.commit().await?;
    Ok((u64::try_from(read).unwrap_or(0), findings))
}

/// Merges the rows that are right, and looks at what only merged rows can show.
async fn write(
    tx: &DatabaseTransaction,
    kind: FactKind,
    stages: &[Stage],
    seq: i64,
    read: u64,
    findings: &mut Findings,
) -> Result<Recorded, RecordError> {
    let mut recorded = Recorded { read, ..Recorded::default() };
    for stage in stages {
        recorded.new += stage.count(tx, "s.bad = 0 AND s.known0 = 0").await?;
        recorded.filled += stage.count(tx, "s.bad = 0 AND s.filled = 1").await?;
        recorded.updated += stage.count(tx, "s.bad = 0 AND s.filled = 0 AND s.renamed = 1").await?;
    }
    recorded.unchanged = read.saturating_sub(recorded.new + recorded.filled + recorded.updated);
    if recorded.new + recorded.filled + recorded.updated == 0 {
        return Ok(recorded);
    }
    if kind == FactKind::Voids {
        voiding::void(tx, &stages[0], seq, findings).await?;
        return Ok(recorded);
    }
    for stage in stages {
        merge::merge(tx, stage, seq).await?;
    }
    for stage in stages {
        rules::check(&Merged { tx, stage, seq }, findings).await?;
    }
    merge::raise_revisions(tx, stages).await?;
    Ok(recorded)
}
