//! Rounds: each begins the route of a claim with what decisions then bind to (domain.md §6.5; reliability.md §3.4).

use program::calendar::Instant;
use program::mdf::Status;
use program::money::Currency;
use program::programme::ApprovalStep;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::MdfError;
use super::record::{self, Claim};
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::payouts::destinations;

/// Why a round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The claim was submitted.
    Submitted,
    /// It was submitted again.
    Resubmitted,
    /// A proof was added.
    Documents,
    /// The account that its money goes to was changed.
    Destination,
}

impl Cause {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Resubmitted => "resubmitted",
            Self::Documents => "documents",
            Self::Destination => "destination",
        }
    }
}

/// Begins the claim's round along a route; its first step waits from now on.
pub(super) async fn begin(
    tx: &DatabaseTransaction,
    claim: &Claim,
    cause: Cause,
    by: Option<&str>,
    version: i64,
    route: &[ApprovalStep],
    now: Instant,
) -> Result<(), LoadError> {
    let destination = destinations::in_force(tx, &claim.partner, claim.currency).await?.map(|usable| usable.destination.digest());
    let documents = record::documents(tx, &claim.id).await?;
    let insert = "INSERT INTO claim_rounds (claim, round, cause, begun_by, begun_at, version, receipts_minor, asked_minor, amount_minor, destination, \
                  digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values = vec![
        claim.id.as_str().into(),
        claim.round.into(),
        cause.name().into(),
        by.into(),
        now.0.into(),
        version.into(),
        claim.receipts_minor.into(),
        claim.asked_minor.into(),
        claim.amount_minor.into(),
        destination.clone().into(),
        claim.digest(destination.as_deref(), &documents).into(),
    ];
    execute(tx, insert, values).await?;
    for (ordinal, step) in (1_i64..).zip(route) {
        let seconds = |seconds: Option<u64>| seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        let within_s = seconds(step.within_s);
        let is_first = ordinal == 1;
        let insert = "INSERT INTO claim_steps (claim, round, ordinal, role, within_s, remind_every_s, escalate_to, status, opened_at, due_at) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let values = vec![
            claim.id.as_str().into(),
            claim.round.into(),
            ordinal.into(),
            step.role.as_str().into(),
            within_s.into(),
            seconds(step.remind_every_s).into(),
            step.escalate_to.clone().into(),
            if is_first { "waiting" } else { "pending" }.into(),
            is_first.then_some(now.0).into(),
            within_s.filter(|_| is_first).map(|within_s| after(now, within_s).0).into(),
        ];
        execute(tx, insert, values).await?;
    }
    Ok(())
}

/// An instant so many seconds later.
pub(super) const fn after(at: Instant, seconds: i64) -> Instant {
    Instant(at.0.saturating_add(seconds.saturating_mul(1_000_000)))
}

/// Voids all decisions of a claim and begins the same route anew, with the amount as it is now.
pub(super) async fn again(tx: &DatabaseTransaction, before: &Claim, cause: Cause, by: Option<&str>, now: Instant) -> Result<Claim, MdfError> {
    end_steps(tx, before, "void").await?;
    let route = route_of(tx, before).await?;
    let query = "SELECT version FROM claim_rounds WHERE claim = ? AND round = ?";
    let row = first_row(tx, query, vec![before.id.as_str().into(), before.round.into()]).await?;
    let version = row.ok_or(LoadError::Corrupt { value: before.id.clone(), what: "a claim with its round" })?.int(0)?;
    let status = if before.status == Status::Approved && !route.is_empty() { Status::AwaitingApproval } else { before.status };
    let after = Claim { round: before.round + 1, status, ..before.clone() };
    let claim = record::store(tx, before, after).await?;
    begin(tx, &claim, cause, by, version, &route, now).await?;
    record::tell(tx, &claim, by, "begun_anew", json!({ "cause": cause.name() }), now).await?;
    Ok(claim)
}

/// Ends what waits or would wait of a claim's round; decided steps stay.
pub(super) async fn end_steps(tx: &DatabaseTransaction, claim: &Claim, waiting_becomes: &str) -> Result<(), LoadError> {
    for (from, to) in [("waiting", waiting_becomes), ("pending", "void")] {
        let update = "UPDATE claim_steps SET status = ? WHERE claim = ? AND round = ? AND status = ?";
        execute(tx, update, vec![to.into(), claim.id.as_str().into(), claim.round.into(), from.into()]).await?;
    }
    Ok(())
}

async fn route_of(tx: &DatabaseTransaction, claim: &Claim) -> Result<Vec<ApprovalStep>, LoadError> {
    let seconds = |seconds: Option<i64>| seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let steps = record::steps(tx, &claim.id, claim.round).await?.into_iter();
    let step = |step: record::Step| ApprovalStep {
        role: step.role,
        over_minor: None,
        within_s: seconds(step.within_s),
        remind_every_s: seconds(step.remind_every_s),
        escalate_to: step.escalate_to,
    };
    Ok(steps.map(step).collect())
}

/// A claim whose route began anew, and the step whose decision its run waits for: the role in the route, if one waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunAnew {
    /// The claim in its new round.
    pub claim: Claim,
    /// The role.
    pub waited_for: Option<String>,
}

/// Begins the routes of a partner's claims anew that wait or are approved and not captured: where their money would go was changed. Those
/// claims, so that their runs can be told.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn destination_changed(tx: &DatabaseTransaction, partner: &str, currency: Currency, now: Instant) -> Result<Vec<BegunAnew>, MdfError> {
    let query = "SELECT id FROM claims WHERE partner = ? AND currency = ? AND status IN ('submitted', 'awaiting_approval', 'approved') ORDER BY id";
    let mut begun = Vec::new();
    for row in rows(tx, query, vec![partner.into(), currency.code().into()]).await? {
        let claim = record::locked(tx, &row.string(0)?).await?;
        let in_force = destinations::in_force(tx, partner, currency).await?.map(|usable| usable.destination.digest());
        if claim.status.holds() && record::destination(tx, &claim).await? != in_force {
            let steps = record::steps(tx, &claim.id, claim.round).await?;
            let waited_for = steps.into_iter().find(|step| step.status == "waiting").map(|step| step.role);
            begun.push(BegunAnew { claim: again(tx, &claim, Cause::Destination, None, now).await?, waited_for });
        }
    }
    Ok(begun)
}
