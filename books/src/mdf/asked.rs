//! Who is asked about a claim, and asking them: the first step of its run.

use program::calendar::Instant;
use program::mdf::Status;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::record::{self, Claim, Step};
use super::submit::lock_partner;
use super::{MdfError, deadline, funds};
use crate::load::row::{LoadError, first_row, rows};
use crate::users::{self, User};

/// What a claim says that no step of a route keeps waiting.
const WAITS_FOR_ACCRUALS: &str = "the wallet is short of what refunds have taken; the claim goes on when accruals have brought that back";

/// Asks for the claim's approvals: it awaits them from now on, or is approved where its route has no steps. While its wallet is short, one
/// without steps stays submitted, and says what it waits for (domain.md §4.4).
///
/// # Idempotency
/// The claim: one that is past this is as it is.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn open(tx: &DatabaseTransaction, id: &str, now: Instant) -> Result<Claim, MdfError> {
    let before = record::locked(tx, id).await?;
    open_locked(tx, before, now).await
}

pub(super) async fn open_locked(tx: &DatabaseTransaction, before: Claim, now: Instant) -> Result<Claim, MdfError> {
    if before.status != Status::Submitted {
        return Ok(before);
    }
    let has_steps = has_steps(tx, &before).await?;
    if !has_steps && funds::is_short(tx, &before).await? {
        return wait_for_accruals(tx, before, now).await;
    }
    let to = if has_steps { Status::AwaitingApproval } else { Status::Approved };
    let after = record::store(tx, &before, record::moved(&before, to, None)?).await?;
    if !has_steps {
        record::tell(tx, &after, None, "approved", json!({ "route": "no step of the programme's route is for this amount" }), now).await?;
    }
    Ok(after)
}

/// Whether anybody has to approve a claim, by the route of its round.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn has_steps(tx: &DatabaseTransaction, claim: &Claim) -> Result<bool, LoadError> {
    Ok(!record::steps(tx, &claim.id, claim.round).await?.is_empty())
}

/// When a claim is looked at again that nobody has to approve, and that is not debited while its wallet is short; `None`: nothing keeps it.
///
/// # Errors
/// The database failed or holds what can't be read.
///
/// # Source
/// domain.md §4.4.
pub async fn accruals_looked_for_at(tx: &DatabaseTransaction, claim: &Claim, now: Instant) -> Result<Option<Instant>, MdfError> {
    let may_wait = matches!(claim.status, Status::Submitted | Status::Approved) && !has_steps(tx, claim).await?;
    if !may_wait || !funds::is_short(tx, claim).await? {
        return Ok(None);
    }
    let row = first_row(tx, "SELECT begun_at FROM claim_rounds WHERE claim = ? AND round = ?", vec![claim.id.as_str().into(), claim.round.into()]);
    let begun_at = row.await?.map(|row| row.instant(0)).transpose()?;
    Ok(Some(deadline::look_again_after(begun_at, now)))
}

/// The claims of a programme that wait for accruals, by id.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn waiting_for_accruals(tx: &DatabaseTransaction, program: &str) -> Result<Vec<Claim>, LoadError> {
    let query = "SELECT id FROM claims WHERE program = ? AND status IN ('submitted', 'approved') AND reason = ? ORDER BY id";
    let mut claims = Vec::new();
    for row in rows(tx, query, vec![program.into(), WAITS_FOR_ACCRUALS.into()]).await? {
        claims.extend(record::find(tx, &row.string(0)?).await?);
    }
    Ok(claims)
}

/// Says once, at the claim and in the audit log, that it waits for accruals.
pub(super) async fn wait_for_accruals(tx: &DatabaseTransaction, before: Claim, now: Instant) -> Result<Claim, MdfError> {
    if before.reason.as_deref() == Some(WAITS_FOR_ACCRUALS) {
        return Ok(before);
    }
    let claim = record::store(tx, &before, Claim { reason: Some(WAITS_FOR_ACCRUALS.to_owned()), ..before.clone() }).await?;
    record::tell(tx, &claim, None, "waits_for_accruals", json!({ "reason": WAITS_FOR_ACCRUALS }), now).await?;
    Ok(claim)
}

/// A step that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The claim.
    pub claim: Claim,
    /// The step.
    pub step: Step,
    /// The digest of the claim as it is shown to this step: what a decision by the page or a webhook carries.
    pub digest: String,
}

/// The step of a claim that waits, if it waits for one.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn waiting(tx: &DatabaseTransaction, id: &str) -> Result<Option<Waiting>, MdfError> {
    let claim = record::find(tx, id).await?.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    if !claim.status.is_open() {
        return Ok(None);
    }
    let steps = record::steps(tx, &claim.id, claim.round).await?;
    let Some(step) = steps.into_iter().find(|step| step.status == "waiting") else { return Ok(None) };
    let digest = digest(tx, &claim).await?;
    Ok(Some(Waiting { claim, step, digest }))
}

/// As [`waiting`], for whoever changes the claim next: it stays as it is until the caller's transaction ends.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn waiting_locked(tx: &DatabaseTransaction, id: &str) -> Result<Option<Waiting>, MdfError> {
    let found = record::find(tx, id).await?.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    // In the order in which all who change claims lock.
    lock_partner(tx, &found.partner).await?;
    record::locked(tx, id).await?;
    waiting(tx, id).await
}

/// The digest of a claim as it is shown now: its amount as lowered so far, its payee, the destination and documents of its round.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn digest(tx: &DatabaseTransaction, claim: &Claim) -> Result<String, LoadError> {
    let destination = record::destination(tx, claim).await?;
    Ok(claim.digest(destination.as_deref(), &record::documents(tx, &claim.id).await?))
}

/// Who may decide the step that waits: enabled people with the role that is asked, who did not submit the claim, do not belong to the partner
/// and have decided no other step of this round. By id.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn people(tx: &DatabaseTransaction, waiting: &Waiting) -> Result<Vec<User>, LoadError> {
    let Waiting { claim, step, .. } = waiting;
    let query = "SELECT u.id FROM users u JOIN user_roles r ON r.person = u.id WHERE r.role = ? AND u.disabled_at IS NULL \
                 AND (u.partner IS NULL OR u.partner <> ?) AND NOT EXISTS \
                   (SELECT 1 FROM claim_decisions d WHERE d.claim = ? AND d.round = ? AND d.person = u.id) ORDER BY u.id";
    let values = vec![step.role_asked().into(), claim.partner.as_str().into(), claim.id.as_str().into(), claim.round.into()];
    let submitters = record::submitters(tx, &claim.id).await?;
    let mut people = Vec::new();
    for row in rows(tx, query, values).await? {
        let id = row.string(0)?;
        if !submitters.contains(&id) {
            people.extend(users::find(tx, &id).await?);
        }
    }
    Ok(people)
}

/// Whether a claim is any business of a person: a role of its routes is the person's, or the person submitted or decided something of it.
///
/// # Errors
/// The database failed.
pub async fn concerns(tx: &DatabaseTransaction, claim: &Claim, person: &User) -> Result<bool, LoadError> {
    let query = "SELECT 1 FROM claim_steps s JOIN user_roles r ON r.role = s.role OR r.role = s.escalate_to WHERE s.claim = ? AND r.person = ? \
                 UNION SELECT 1 FROM claim_decisions d WHERE d.claim = ? AND d.person = ? LIMIT 1";
    let (claim_id, by) = (claim.id.as_str(), person.id.as_str());
    if first_row(tx, query, vec![claim_id.into(), by.into(), claim_id.into(), by.into()]).await?.is_some() {
        return Ok(true);
    }
    Ok(record::submitters(tx, &claim.id).await?.contains(&person.id))
}
