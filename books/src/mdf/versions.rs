//! As what a claim was shown, one after the other: each round as it began, and each lower amount of it.

use program::mdf::Document;
use program::mdf::changes::{Cause, Version};
use sea_orm::DatabaseTransaction;

use super::record::{self, Claim};
use super::restart::Cause as OfRound;
use crate::load::row::{LoadError, rows};

/// All versions of a claim, the one of now last.
pub(super) async fn of(tx: &DatabaseTransaction, claim: &Claim) -> Result<Vec<Version>, LoadError> {
    let proofs = "SELECT round, sha256, name FROM claim_proofs WHERE claim = ? ORDER BY sha256";
    let mut documents = Vec::new();
    for row in rows(tx, proofs, vec![claim.id.as_str().into()]).await? {
        documents.push((row.int(0)?, Document { sha256: row.string(1)?, name: row.string(2)? }));
    }
    let rounds = "SELECT round, cause, amount_minor, destination FROM claim_rounds WHERE claim = ? AND round <= ? ORDER BY round";
    let mut versions = Vec::new();
    for row in rows(tx, rounds, vec![claim.id.as_str().into(), claim.round.into()]).await? {
        let (round, destination) = (row.int(0)?, row.string_or_null(3)?);
        let handed_in: Vec<Document> = documents.iter().filter(|(since, _)| *since <= round).map(|(_, document)| document.clone()).collect();
        let mut push = |amount_minor, cause| {
            let digest = Claim { amount_minor, round, ..claim.clone() }.digest(destination.as_deref(), &handed_in);
            versions.push(Version { digest, amount_minor, cause });
        };
        let mut amount_minor = row.int(2)?;
        push(amount_minor, cause(&row.string(1)?)?);
        for step in record::steps(tx, &claim.id, round).await? {
            if let Some(decision) = step.decision.filter(|decision| decision.is_approval && decision.amount_minor < amount_minor) {
                amount_minor = decision.amount_minor;
                push(amount_minor, Cause::Lowered);
            }
        }
    }
    Ok(versions)
}

fn cause(name: &str) -> Result<Cause, LoadError> {
    let known = [
        (OfRound::Submitted, Cause::Submitted),
        (OfRound::Resubmitted, Cause::Resubmitted),
        (OfRound::Documents, Cause::Documents),
        (OfRound::Destination, Cause::Destination),
    ];
    let found = known.into_iter().find(|(one, _)| one.name() == name);
    found.map(|(_, cause)| cause).ok_or_else(|| LoadError::Corrupt { value: name.to_owned(), what: "the cause of a round" })
}
