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
mod same_number;
mod shape;
mod stage;
mod table;
pub(crate) mod within;

use std::io::{BufReader, Read};

use program::calendar::Instant;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::sync::mpsc;

pub use self::error::{DRY_RUN_ERRORS_MAX, ERRORS_MAX, ImportError, ImportErrors, Lacking, RecordError};
pub use self::kinds::{FactKind, UnknownKind};
pub use self::rows::Format;

use self::error::Findings;
use self::rows::{RowReader, Staged};
use self::rules::{Merged, voiding};
use self::stage::{STATEMENT_ROWS_MAX, Stage};
use crate::connection::{Books, begin_write, is_transient};
use crate::sql;

/// How often a merge is tried where other transactions stand in its way.
const ATTEMPTS_MAX: usize = 4;
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

impl Recorded {
    fn changes_nothing(self) -> bool {
        self.new + self.filled + self.updated == 0
    }
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
    let errors_max = if dry_run { DRY_RUN_ERRORS_MAX } else { ERRORS_MAX };
    let (read, mut findings) = fill_stages(db, &stages, format, reader, errors_max).await?;
    phase(Phase::Checking);
    let known_at = seq(db).await?;
    check::against_books(db, &stages, &mut findings).await?;
    if !findings.is_empty() {
        if !dry_run {
            return Err(findings.into_errors(&origin).into());
        }
        check::set_aside_dependents(db, &stages).await?;
    }
    let recorded = counted(db, &stages, read).await?;
    if !recorded.changes_nothing() || !findings.is_empty() {
        phase(Phase::Writing);
        let merging = Merging { kind, stages: &stages, origin: &origin, now, dry_run, known_at, read, sound: findings.is_empty(), errors_max };
        let (merged, found) = merging.merge(db).await?;
        findings.append(found);
        if findings.is_empty() {
            return Ok(merged);
        }
    }
    if findings.is_empty() { Ok(recorded) } else { Err(findings.into_errors(&origin).into()) }
}

/// Staged rows on their way into the books.
struct Merging<'a> {
    kind: FactKind,
    stages: &'a [Stage],
    origin: &'a str,
    now: Instant,
    dry_run: bool,
    /// The recording after which the rows were checked.
    known_at: i64,
    read: u64,
    /// Whether no row is wrong so far.
    sound: bool,
    /// How many errors are kept.
    errors_max: usize,
}

impl Merging<'_> {
    /// Merges in one transaction, again where another one stood in its way.
    async fn merge(&self, db: &DatabaseConnection) -> Result<(Recorded, Findings), RecordError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(db).await {
                Err(RecordError::Database(error)) if is_transient(&error) => tracing::info!(%error, "recording.retried"),
                other => return other,
            }
        }
        self.attempt(db).await
    }

    async fn attempt(&self, db: &DatabaseConnection) -> Result<(Recorded, Findings), RecordError> {
        let tx = begin_write(db).await?;
        match self.write(&tx).await {
            Ok((recorded, findings)) if self.dry_run || !self.sound || !findings.is_empty() || recorded.changes_nothing() => {
                tx.rollback().await?;
                Ok((recorded, findings))
            }
            Ok(done) => {
                tx.commit().await?;
                Ok(done)
            }
            Err(error) => {
                // The transaction failed; that it can't be rolled back either would say nothing new.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn write(&self, tx: &DatabaseTransaction) -> Result<(Recorded, Findings), RecordError> {
        let mut findings = Findings::new(self.errors_max);
        let seq = merge::pass_gate(tx).await?;
        if seq != self.known_at + 1 {
            // Something was recorded in between: look again. Beside errors that are known this would tell nothing reliable.
            if self.sound {
                check::forget(tx, self.stages).await?;
                check::against_books(tx, self.stages, &mut findings).await?;
            }
            if !self.sound || !findings.is_empty() {
                return Ok((Recorded::default(), findings));
            }
        }
        let recorded = counted(tx, self.stages, self.read).await?;
        bring_in(tx, self.kind, self.stages, seq, &mut findings).await?;
        merge::note(tx, seq, self.now, self.kind.name(), self.origin, (recorded.new, recorded.filled)).await?;
        Ok((recorded, findings))
    }
}

/// Merges checked rows, and looks at what only merged rows can show.
async fn bring_in(tx: &DatabaseTransaction, kind: FactKind, stages: &[Stage], seq: i64, findings: &mut Findings) -> Result<(), RecordError> {
    if kind == FactKind::Voids {
        return voiding::void(tx, &stages[0], seq, findings).await;
    }
    for stage in stages {
        merge::merge(tx, stage, seq).await?;
    }
    for stage in stages {
        rules::check(&Merged { tx, stage, seq }, findings).await?;
    }
    Ok(merge::raise_revisions(tx, stages).await?)
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
    errors_max: usize,
) -> Result<(u64, Findings), RecordError> {
    let tx = db.begin().await?;
    for stage in stages {
        stage.create(&tx).await?;
    }
    let (sender, mut receiver) = mpsc::channel::<(usize, Staged)>(BATCHES_AHEAD);
    let kind = stages[0].kind;
    let reading = tokio::task::spawn_blocking(move || {
        let mut rows = RowReader::new(kind, format, BufReader::with_capacity(1 << 16, reader));
        let mut findings = Findings::new(errors_max);
        let mut batches = [Staged::default(), Staged::default()];
        let mut more = true;
        while more {
            let [first, items] = &mut batches;
            more = rows.next(first, items, &mut findings)?;
            for (index, batch) in batches.iter_mut().enumerate() {
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
    complete(&tx, stages, &mut findings).await?;
    tx.commit().await?;
    Ok((u64::try_from(read).unwrap_or(0), findings))
}

/// Makes staged rows ready for checks.
async fn complete<C: ConnectionTrait>(db: &C, stages: &[Stage], findings: &mut Findings) -> Result<(), RecordError> {
    for (index, stage) in stages.iter().enumerate() {
        stage.complete(db).await?;
        fold::fold(db, stage, findings).await?;
        stage.settle_amounts(db, (index > 0).then(|| &stages[0]), findings).await?;
    }
    Ok(())
}

/// What the staged rows bring, by what was marked in them.
async fn counted<C: ConnectionTrait>(db: &C, stages: &[Stage], read: u64) -> Result<Recorded, RecordError> {
    let mut recorded = Recorded { read, ..Recorded::default() };
    for stage in stages {
        let [new, filled, updated] = stage.counts(db).await?;
        recorded.new += new;
        recorded.filled += filled;
        recorded.updated += updated;
    }
    recorded.unchanged = read.saturating_sub(recorded.new + recorded.filled + recorded.updated);
    Ok(recorded)
}
