//! Claims as JSON (interface.md §5).

use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

use super::asked;
use super::record::{self, Claim, Step};
use crate::load::row::{LoadError, first_row, rows};
use crate::payouts::destinations;

/// A claim with the steps of its round.
///
/// # Errors
/// The database failed or holds what can't be read.
///
/// # Source
/// interface.md §5.
pub async fn json(tx: &DatabaseTransaction, claim: &Claim) -> Result<Json, LoadError> {
    let money = |minor| claim.currency.format_minor(minor);
    let steps = record::steps(tx, &claim.id, claim.round).await?;
    Ok(json!({
        "id": claim.id, "campaign": claim.campaign, "partner": claim.partner, "currency": claim.currency.code(),
        "receipts": money(claim.receipts_minor), "asked": money(claim.asked_minor), "amount": money(claim.amount_minor),
        "status": claim.status.name(), "digest": asked::digest(tx, claim).await?, "workflow": claim.workflow, "payout": payout(tx, claim).await?,
        "steps": steps.iter().map(|step| step_json(claim, step)).collect::<Vec<_>>(),
    }))
}

fn step_json(claim: &Claim, step: &Step) -> Json {
    let decision = step.decision.as_ref();
    json!({
        "role": step.role, "status": step.status, "by": decision.map(|decision| &decision.by),
        "at": decision.map(|decision| decision.at.to_string()),
        "amount": decision.filter(|decision| decision.is_approval).map(|decision| claim.currency.format_minor(decision.amount_minor)),
        "reason": decision.and_then(|decision| decision.reason.as_deref()),
    })
}

/// The payout of a claim, if it has come to one.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn payout(tx: &DatabaseTransaction, claim: &Claim) -> Result<Option<String>, LoadError> {
    let query = "SELECT id FROM payouts WHERE kind = 'mdf_claim' AND reference = ? ORDER BY intended_at DESC, id DESC LIMIT 1";
    first_row(tx, query, vec![claim.id.as_str().into()]).await?.map(|row| row.string(0)).transpose()
}

/// Where the money of a claim goes, as its round was begun: the name and the account's end; `None`: there is no destination yet.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn destination(tx: &DatabaseTransaction, claim: &Claim) -> Result<Option<(String, String)>, LoadError> {
    let Some(digest) = record::destination(tx, claim).await? else { return Ok(None) };
    let found = destinations::of_digest(tx, &claim.partner, claim.currency, &digest).await?;
    Ok(found.map(|one| (one.destination.name().to_owned(), one.destination.masked())))
}

/// As [`json()`], with what explains it: programme, round, submitter, reason, deadlines, proofs and all earlier decisions.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn detailed(tx: &DatabaseTransaction, claim: &Claim) -> Result<Json, LoadError> {
    let mut shown = json(tx, claim).await?;
    let proofs = record::proofs(tx, &claim.id).await?.into_iter();
    let proofs: Vec<Json> =
        proofs.map(|proof| json!({ "sha256": proof.sha256, "name": proof.name, "media_type": proof.media_type, "bytes": proof.bytes })).collect();
    let steps = record::steps(tx, &claim.id, claim.round).await?;
    let waits = steps.iter().find(|step| step.status == "waiting" && claim.status.is_open());
    let more = json!({
        "program": claim.program, "round": claim.round, "submitted_by": claim.submitted_by, "submitted_at": claim.submitted_at.to_string(),
        "reason": claim.reason, "asked_role": waits.map(Step::role_asked), "due_at": waits.and_then(|step| step.due_at).map(|at| at.to_string()),
        "proofs": proofs, "decisions": decisions(tx, claim).await?,
    });
    if let (Some(shown), Json::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    Ok(shown)
}

/// All decisions of all rounds, oldest first; those of rounds before the last are void.
async fn decisions(tx: &DatabaseTransaction, claim: &Claim) -> Result<Vec<Json>, LoadError> {
    let query = "SELECT d.round, s.role, d.role, d.decision, d.person, d.at, d.amount_minor, d.digest, d.reason, d.via FROM claim_decisions d \
                 JOIN claim_steps s ON s.claim = d.claim AND s.round = d.round AND s.ordinal = d.ordinal WHERE d.claim = ? ORDER BY d.round, d.ordinal";
    let mut found = Vec::new();
    for row in rows(tx, query, vec![claim.id.as_str().into()]).await? {
        found.push(json!({
            "round": row.int(0)?, "step": row.string(1)?, "role": row.string(2)?, "decision": row.string(3)?, "by": row.string(4)?,
            "at": row.instant(5)?.to_string(), "amount": claim.currency.format_minor(row.int(6)?), "digest": row.string(7)?,
            "reason": row.string_or_null(8)?, "via": row.string(9)?,
        }));
    }
    Ok(found)
}
