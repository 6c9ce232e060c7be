//! The statement of a claim that was paid.

use program::calendar::Instant;
use program::mdf::Status;
use program::mdf::statement::{Approval, ClaimStatement, FORMAT, Named, Proof};
use program::payout::{Payout, PayoutId};
use sea_orm::DatabaseTransaction;

use super::{MdfError, asked, campaigns, record, show};
use crate::load::row::{LoadError, first_row};
use crate::load::versions;
use crate::payouts::{self, destinations};
use crate::{contacts, users};

/// The statement of a paid claim; `None`: it is not paid.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn of(tx: &DatabaseTransaction, id: &str) -> Result<Option<ClaimStatement>, MdfError> {
    let claim = record::find(tx, id).await?.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    let Some(payout) = payout(tx, &claim).await?.filter(|_| claim.status == Status::Paid) else { return Ok(None) };
    let versions = versions::load(tx, &claim.program, i64::MAX).await?;
    let zone = versions.constant().timezone;
    let day = |at: Instant| at.date_in(zone).to_string();
    let money = |minor| claim.currency.format_minor(minor);
    let mut approvals = Vec::new();
    for step in record::steps(tx, &claim.id, claim.round).await? {
        if let Some(decision) = step.decision.filter(|decision| decision.is_approval) {
            let by = users::find(tx, &decision.by).await?.map_or(decision.by, |user| user.name);
            approvals.push(Approval { role: step.role, by, on: day(decision.at), amount: money(decision.amount_minor) });
        }
    }
    let campaign = campaigns::find(tx, &claim.campaign).await?;
    let partner = contacts::of_partner(tx, &claim.partner).await?.map_or_else(|| claim.partner.clone(), |contact| contact.name);
    let proofs = record::proofs(tx, &claim.id).await?.into_iter().map(|proof| Proof { name: proof.name, sha256: proof.sha256 });
    Ok(Some(ClaimStatement {
        format: FORMAT,
        claim: claim.id.clone(),
        campaign: Named { id: campaign.id, name: campaign.name },
        program: Named { id: claim.program.clone(), name: versions.constant().name.clone() },
        partner: Named { id: claim.partner.clone(), name: partner },
        currency: claim.currency.code().to_owned(),
        receipts: money(claim.receipts_minor),
        asked: money(claim.asked_minor),
        amount: money(claim.amount_minor),
        wallet_balance: money(wallet_balance(tx, &claim, payout.ended_at).await?),
        submitted_on: day(claim.submitted_at),
        paid_on: payout.ended_at.map(day).unwrap_or_default(),
        payout: payout.id.to_string(),
        account_ends_in: ends_in(tx, &payout).await?,
        approvals,
        proofs: proofs.collect(),
        digest: asked::digest(tx, &claim).await?,
    }))
}

async fn payout(tx: &DatabaseTransaction, claim: &record::Claim) -> Result<Option<Payout>, LoadError> {
    let Some(id) = show::payout(tx, claim).await? else { return Ok(None) };
    let id: PayoutId = id.parse().map_err(|_| LoadError::Corrupt { value: id, what: "a payout's id" })?;
    payouts::record::find(tx, &id).await
}

/// What the wallet had when the claim was paid, minor units: the statement says the same whenever it is made.
async fn wallet_balance(tx: &DatabaseTransaction, claim: &record::Claim, paid_at: Option<Instant>) -> Result<i64, LoadError> {
    // What is held is still the partner's; an account of what is owed is credited, which is below zero.
    let query = "SELECT CAST(COALESCE(-SUM(p.amount_minor), 0) AS BIGINT) FROM postings p JOIN transactions t ON t.id = p.transaction_id \
                 WHERE p.account IN (?, ?) AND p.currency = ? AND t.recorded_at <= ?";
    let account = |fund: &str| format!("partner:{}:{}:{fund}", claim.partner, claim.program);
    let at = paid_at.map_or(i64::MAX, |at| at.0);
    let values = vec![account("coop").into(), account("coop-held").into(), claim.currency.code().into(), at.into()];
    first_row(tx, query, values).await?.map_or(Ok(0), |row| row.int(0))
}

async fn ends_in(tx: &DatabaseTransaction, payout: &Payout) -> Result<String, MdfError> {
    let Some(destination) = payout.destination.as_deref() else { return Ok(String::new()) };
    match destinations::find(tx, destination).await {
        Ok(found) => Ok(found.destination.ends_in()),
        Err(payouts::PayoutError::Load(error)) => Err(error.into()),
        Err(_) => Ok(String::new()),
    }
}
