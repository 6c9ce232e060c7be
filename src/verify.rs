//! Checks every invariant in one snapshot: those of the books, those of the engine, and what is between them (reliability.md §1).

use books::connection::Books;
use books::load::row::LoadError;
use books::payouts::due;
use books::release;
use books::verify::{Invariant, Report, check_all};
use durable::verify::VerifyError as EngineError;
use program::calendar::Instant;
use sea_orm::{DatabaseTransaction, FromQueryResult, Statement};
use workflows::letters::{Letter, TOPIC};
use workflows::payout::PayoutInput;

/// Paid payouts that are looked at at once.
const PAGE: u64 = 1_000;

/// What can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The books.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// The engine's tables.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<sea_orm::DbErr> for VerifyError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Books(error.into())
    }
}

/// Checks every invariant; what offends one is in the report. Nothing is written, and a service may be at work meanwhile.
///
/// # Errors
/// The database failed.
pub async fn verify(books: &Books, now: Instant) -> Result<Report, VerifyError> {
    let tx = books.begin_read().await?;
    let report = check(&tx, now).await;
    tx.rollback().await?;
    report
}

async fn check(tx: &DatabaseTransaction, now: Instant) -> Result<Report, VerifyError> {
    let mut report = check_all(tx, now).await?;
    for finding in durable::verify::verify(tx, durable::Instant(now.0)).await? {
        report.offend(invariant(finding.check), &[("id", &finding.id), ("check", finding.check)], finding.reason);
    }
    check_due(tx, &mut report).await?;
    check_statements(tx, &mut report).await?;
    check_claims(tx, &mut report).await?;
    Ok(report)
}

/// Under which invariant a check of the engine stands.
fn invariant(check: &str) -> Invariant {
    match check {
        "slots" => Invariant::SlotOnce,
        "one message a key" => Invariant::OneMessage,
        "no silent stall" | "visible parking" | "has an executor" => Invariant::NoStall,
        _ => Invariant::JournalWhole,
    }
}

/// Runs that ended before they had made a payout, where no other is at work on the same.
const ENDED: &str = "SELECT r.id, r.input FROM workflow_runs r WHERE r.workflow = 'payout' AND r.status IN ('cancelled', 'failed') \
                     AND NOT EXISTS (SELECT 1 FROM payouts p WHERE p.workflow = r.id) \
                     AND NOT EXISTS (SELECT 1 FROM workflow_runs o WHERE o.workflow = 'payout' AND o.input = r.input AND o.finished_at IS NULL) \
                     ORDER BY r.id";

/// What is due and not held has a payout, or somebody who sees to one.
async fn check_due(tx: &DatabaseTransaction, report: &mut Report) -> Result<(), VerifyError> {
    use sea_orm::ConnectionTrait as _;
    for row in tx.query_all_raw(Statement::from_string(tx.get_database_backend(), ENDED)).await? {
        let (run, input): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let Ok(input) = serde_json::from_str::<PayoutInput>(&input) else { continue };
        let Ok(period) = input.period.parse() else { continue };
        let due = due::due(tx, &input.program, period).await?;
        if let Some(due) = due.iter().find(|due| PayoutInput::of(due) == input)
            && release::held(tx, due.whose()).await?.is_none()
        {
            let keys = [("run", run.as_str()), ("settlement", &due.reference())];
            report.offend(Invariant::NoStall, &keys, "it is due, its run has ended without a payout, and no other sees to it: `settlement release`");
        }
    }
    Ok(())
}

/// A payout whose run has ended with the statement's letter.
#[derive(Debug, FromQueryResult)]
struct Told {
    id: String,
    program: String,
    partner: String,
    period: String,
    currency: String,
}

const TOLD: &str = "SELECT p.id, p.program, p.partner, p.period, p.currency FROM payouts p JOIN workflow_runs r ON r.id = p.workflow \
                    WHERE p.kind = 'settlement' AND p.status = 'paid' AND r.workflow = 'payout' AND r.status = 'done' AND p.id > $1 \
                    ORDER BY p.id LIMIT $2";

/// Each payment that has come to its end is told by a statement.
async fn check_statements(tx: &DatabaseTransaction, report: &mut Report) -> Result<(), VerifyError> {
    use sea_orm::ConnectionTrait as _;
    let backend = tx.get_database_backend();
    let mut after = String::new();
    loop {
        let page = Statement::from_sql_and_values(backend, TOLD, [after.as_str().into(), i64::try_from(PAGE).unwrap_or(i64::MAX).into()]);
        let page = Told::find_by_statement(page).all(tx).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id);
        for Told { id, program, partner, period, currency } in page {
            let key = Letter::Statement { program, partner, period, currency }.key();
            if !is_posted(tx, &key).await? {
                report.offend(
                    Invariant::OneMessage,
                    &[("payout", &id), ("letter", &key)],
                    "it is paid and its run has ended, and no statement was posted",
                );
            }
        }
    }
}

/// Whether a letter was put into the outbox, whatever has become of it since.
async fn is_posted(tx: &DatabaseTransaction, key: &str) -> Result<bool, VerifyError> {
    use sea_orm::ConnectionTrait as _;
    let query = "SELECT 1 FROM outbox WHERE topic = $1 AND key = $2";
    let letter = Statement::from_sql_and_values(tx.get_database_backend(), query, [TOPIC.into(), key.into()]);
    Ok(tx.query_one_raw(letter).await?.is_some())
}

const TOLD_OF_CLAIMS: &str = "SELECT c.id FROM claims c JOIN payouts p ON p.kind = 'mdf_claim' AND p.reference = c.id JOIN workflow_runs r ON r.id = p.workflow \
                              WHERE c.status = 'paid' AND r.workflow = 'mdf_claim' AND r.status = 'done' ORDER BY c.id";

/// Each claim that was paid is told by a statement.
async fn check_claims(tx: &DatabaseTransaction, report: &mut Report) -> Result<(), VerifyError> {
    use sea_orm::ConnectionTrait as _;
    let backend = tx.get_database_backend();
    for row in tx.query_all_raw(Statement::from_string(backend, TOLD_OF_CLAIMS)).await? {
        let claim: String = row.try_get_by_index(0)?;
        let key = Letter::ClaimStatement { claim: claim.clone() }.key();
        if !is_posted(tx, &key).await? {
            let keys = [("claim", claim.as_str()), ("letter", key.as_str())];
            report.offend(Invariant::OneMessage, &keys, "it is paid and its run has ended, and no statement was posted");
        }
    }
    Ok(())
}
