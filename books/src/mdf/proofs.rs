//! Proofs of what was spent: stored by their content, named by the submitter. Their bytes are kept elsewhere.

use program::calendar::Instant;
use program::mdf::Status;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::record::{self, Claim};
use super::restart::{self, Cause};
use super::submit::lock_partner;
use super::terms::Terms;
use super::{MdfError, campaigns};
use crate::load::row::{LoadError, execute};
use crate::users;

/// Characters of a name at most.
const NAME_MAX: usize = 255;
/// Proofs of one claim at most.
const PROOFS_MAX: usize = 100;

/// A proof that is handed in; its bytes are stored before this is recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewProof<'a> {
    /// The SHA-256 of its bytes, `sha256:…`.
    pub sha256: &'a str,
    /// Its name: inert text, never a path.
    pub name: &'a str,
    /// What its content is.
    pub media_type: &'a str,
    /// Its size.
    pub bytes: i64,
}

/// Adds proofs to a claim that waits for its approvals, or was rejected. While it waits this voids all decisions and begins its route anew;
/// the amount stays as approvers have lowered it. Gives the claim, and whether that happened.
///
/// # Idempotency
/// The claim and the content: what was handed in before changes nothing, under whatever name.
///
/// # Errors
/// The person may not, a proof can't be taken, or the claim stands elsewhere.
pub async fn add(tx: &DatabaseTransaction, id: &str, proofs: &[NewProof<'_>], by: &str, now: Instant) -> Result<(Claim, bool), MdfError> {
    let found = record::find(tx, id).await?.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    lock_partner(tx, &found.partner).await?;
    let claim = record::locked(tx, id).await?;
    let terms = Terms::load(tx, &claim.program, now).await?;
    campaigns::may_ask(tx, by, &claim.partner, &terms).await?;
    if !claim.status.is_open() && claim.status != Status::Rejected {
        return Err(MdfError::TooLate { claim: claim.id, status: claim.status.name().to_owned() });
    }
    // They belong to the round that they begin, or that a resubmission begins.
    if insert(tx, &claim, claim.round + 1, proofs, by, now).await? == 0 {
        return Ok((claim, false));
    }
    if claim.status == Status::Rejected {
        return Ok((claim, false));
    }
    Ok((restart::again(tx, &claim, Cause::Documents, Some(by), now).await?, true))
}

/// Records the proofs that the claim does not have yet; how many there were.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    claim: &Claim,
    round: i64,
    proofs: &[NewProof<'_>],
    by: &str,
    now: Instant,
) -> Result<usize, MdfError> {
    let mut known = record::proofs(tx, &claim.id).await?;
    let before = known.len();
    for proof in proofs {
        check(proof)?;
        if known.iter().any(|one| one.sha256 == proof.sha256) {
            continue;
        }
        store(tx, claim, round, proof, by, now).await?;
        known.push(record::Proof {
            sha256: proof.sha256.to_owned(),
            name: proof.name.to_owned(),
            media_type: proof.media_type.to_owned(),
            bytes: proof.bytes,
        });
    }
    if known.len() > PROOFS_MAX {
        let name = proofs.last().map(|proof| proof.name.to_owned()).unwrap_or_default();
        return Err(MdfError::Proof { name, why: "the claim would have more than 100" });
    }
    Ok(known.len() - before)
}

fn check(proof: &NewProof<'_>) -> Result<(), MdfError> {
    users::checked("the name of a proof", proof.name, NAME_MAX)?;
    users::checked("the type of a proof", proof.media_type, 100)?;
    let wrong = |why| Err(MdfError::Proof { name: proof.name.to_owned(), why });
    let is_digest = proof
        .sha256
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    if !is_digest {
        return wrong("its digest is no SHA-256");
    }
    if proof.bytes <= 0 { wrong("it is empty") } else { Ok(()) }
}

async fn store(tx: &DatabaseTransaction, claim: &Claim, round: i64, proof: &NewProof<'_>, by: &str, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO claim_proofs (claim, sha256, name, media_type, bytes, round, by_user, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let values = vec![
        claim.id.as_str().into(),
        proof.sha256.into(),
        proof.name.into(),
        proof.media_type.into(),
        proof.bytes.into(),
        round.into(),
        by.into(),
        now.0.into(),
    ];
    execute(tx, insert, values).await?;
    let more = json!({ "sha256": proof.sha256, "name": proof.name, "media_type": proof.media_type, "bytes": proof.bytes });
    record::tell(tx, claim, Some(by), "proof_added", more, now).await
}
