//! A few facts in the caller's transaction, with the checks of an import: what a webhook records, beside the mark that it came.

use program::calendar::Instant;
use sea_orm::{DatabaseTransaction, TransactionTrait};

use super::error::{ERRORS_MAX, Findings};
use super::rows::{Format, RowReader, Staged};
use super::stage::Stage;
use super::{FactKind, ImportErrors, Lacking, RecordError, Recorded, bring_in, check, complete, counted, merge, stages};

/// A few facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Few<'a> {
    /// Their kind.
    pub(crate) kind: FactKind,
    /// A JSON object a line.
    pub(crate) lines: &'a str,
    /// What errors and the history call their source.
    pub(crate) origin: &'a str,
}

/// What became of them.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// They are recorded; under which number, where that changed anything.
    Recorded(Option<i64>),
    /// They are wrong, and nothing was changed. Where they are so only for want of something, of what.
    Refused(ImportErrors, Option<Lacking>),
}

/// Records facts, all or none. The caller's transaction goes on whatever becomes of them.
///
/// Once recorded, on a connection not again: the tables in which they were checked go with it.
///
/// # Idempotency
/// As [`super::record`].
///
/// # Errors
/// The database failed.
pub(crate) async fn record_within(tx: &DatabaseTransaction, few: Few<'_>, now: Instant) -> Result<Outcome, RecordError> {
    let point = tx.begin().await?;
    let (recorded, seq, findings) = attempt(&point, few, now).await?;
    if !findings.is_empty() {
        point.rollback().await?;
        let lacking = findings.only_lacking().cloned();
        return Ok(Outcome::Refused(findings.into_errors(few.origin), lacking));
    }
    if recorded.changes_nothing() {
        point.rollback().await?;
        return Ok(Outcome::Recorded(None));
    }
    point.commit().await?;
    Ok(Outcome::Recorded(Some(seq)))
}

async fn attempt(tx: &DatabaseTransaction, few: Few<'_>, now: Instant) -> Result<(Recorded, i64, Findings), RecordError> {
    // First of all, so that nothing is recorded between the checks and the merge.
    let seq = merge::pass_gate(tx).await?;
    let stages = stages(few.kind, Format::Jsonl);
    let (read, mut findings) = fill(tx, &stages, few).await?;
    complete(tx, &stages, &mut findings).await?;
    check::against_books(tx, &stages, &mut findings).await?;
    let recorded = counted(tx, &stages, read).await?;
    if findings.is_empty() && !recorded.changes_nothing() {
        bring_in(tx, few.kind, &stages, seq, &mut findings).await?;
        merge::note(tx, seq, now, few.kind.name(), few.origin, (recorded.new, recorded.filled)).await?;
    }
    Ok((recorded, seq, findings))
}

async fn fill(tx: &DatabaseTransaction, stages: &[Stage], few: Few<'_>) -> Result<(u64, Findings), RecordError> {
    for stage in stages {
        stage.create(tx).await?;
    }
    let mut findings = Findings::new(ERRORS_MAX);
    let mut rows = RowReader::new(few.kind.kind(), Format::Jsonl, few.lines.as_bytes());
    let mut batches = [Staged::default(), Staged::default()];
    loop {
        let [first, items] = &mut batches;
        if !rows.next(first, items, &mut findings).map_err(RecordError::Read)? {
            break;
        }
    }
    for (stage, batch) in stages.iter().zip(batches) {
        stage.insert(tx, batch).await?;
    }
    Ok((u64::try_from(rows.read).unwrap_or(0), findings))
}
