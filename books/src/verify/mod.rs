//! Checks the invariants of the books, read-only, in one snapshot (reliability.md §1).
//!
//! What the books hold is recomputed here by queries and arithmetic of its own, never by the functions that wrote it: of `program` only
//! the reader of programme files, conditions, and the types of numbers and dates are used.

mod audit;
mod bank_files;
mod canonical;
mod claims;
mod commission;
mod corrections;
mod digests;
mod figures;
mod finding;
mod guards;
mod histories;
mod inbound;
mod known;
mod ledger;
mod lines;
mod ownership;
mod payouts;
mod periods;
mod rankings;
mod references;
mod scan;
mod wallets;

pub use finding::{Check, Invariant, Report};

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;

use self::scan::Scan;
use crate::connection::Books;
use crate::load::row::LoadError;

/// Checks every invariant that exists so far; what offends one is in the report.
///
/// Nothing is written; `now` tells how long rows of the audit log wait for their seals. All is read in one transaction, so the books may be in use meanwhile; memory is bounded by the members of a
/// programme and by pages of its invoices.
///
/// # Errors
/// The database failed. What the books hold and can't be read is a finding, not an error.
pub async fn verify(books: &Books, now: Instant) -> Result<Report, LoadError> {
    let tx = books.begin_read().await?;
    let report = check_all(&tx, now).await;
    tx.rollback().await?;
    report
}

/// As [`verify`], in the caller's snapshot, so that others can check what is theirs in the same.
///
/// # Errors
/// As [`verify`].
pub async fn check_all(tx: &DatabaseTransaction, now: Instant) -> Result<Report, LoadError> {
    let mut scan = Scan::of(tx).await?;
    let checked = ledger::check(&mut scan).await;
    scan.tolerate(Invariant::PostingsBalance, checked)?;
    let checked = wallets::check(&mut scan).await;
    scan.tolerate(Invariant::WalletAvailable, checked)?;
    let checked = commission::check(&mut scan).await;
    scan.tolerate(Invariant::LineAsAsked, checked)?;
    let checked = corrections::check(&mut scan).await;
    scan.tolerate(Invariant::LineAsAsked, checked)?;
    let checked = rankings::check(&mut scan).await;
    scan.tolerate(Invariant::LineAsAsked, checked)?;
    let checked = lines::check(&mut scan).await;
    scan.tolerate(Invariant::ReversalBounded, checked)?;
    let checked = digests::check(&mut scan).await;
    scan.tolerate(Invariant::FinalUnchanged, checked)?;
    let checked = periods::check(&mut scan).await;
    scan.tolerate(Invariant::PeriodsInOrder, checked)?;
    let checked = payouts::check(&mut scan).await;
    scan.tolerate(Invariant::OnePayout, checked)?;
    let checked = claims::check(&mut scan).await;
    scan.tolerate(Invariant::Entitled, checked)?;
    let checked = bank_files::check(&mut scan).await;
    scan.tolerate(Invariant::OneFile, checked)?;
    let checked = inbound::check(&mut scan).await;
    scan.tolerate(Invariant::ReportedKnown, checked)?;
    let checked = audit::check(&mut scan, now).await;
    scan.tolerate(Invariant::AuditChain, checked)?;
    let checked = histories::check(&mut scan).await;
    scan.tolerate(Invariant::NoOverlap, checked)?;
    let checked = ownership::check(&mut scan).await;
    scan.tolerate(Invariant::OwnPartner, checked)?;
    let checked = references::check(&mut scan).await;
    scan.tolerate(Invariant::OwnPartner, checked)?;
    let checked = guards::check(&mut scan).await;
    scan.tolerate(Invariant::FinalUnchanged, checked)?;
    Ok(scan.report)
}
