//! The money of a claim: its hold against the budget of its campaign and its wallet, what is released of it, its capture.

use program::calendar::Instant;
use program::mdf::Refusal;
use sea_orm::DatabaseTransaction;

use super::MdfError;
use super::record::Claim;
use super::terms::Terms;
use crate::load::row::{LoadError, execute, first_row};
use crate::wallet::WalletKey;
use crate::wallet::holds::{self, ClaimMove};

/// Holds the claim's amount: of the budget, then of the wallet, each under its lock.
///
/// # Errors
/// [`MdfError::Budget`], [`MdfError::Available`], or the database failed; the caller's transaction is rolled back then.
pub(super) async fn hold(tx: &DatabaseTransaction, claim: &Claim, terms: &Terms, now: Instant) -> Result<(), MdfError> {
    let shown = |minor| claim.currency.format_minor(minor);
    let commit = "UPDATE campaigns SET committed_minor = committed_minor + ?, revision = revision + 1 \
         WHERE id = ? AND status = 'approved' AND budget_minor - committed_minor >= ?";
    if execute(tx, commit, vec![claim.amount_minor.into(), claim.campaign.as_str().into(), claim.amount_minor.into()]).await? == 0 {
        return Err(MdfError::Budget {
            campaign: claim.campaign.clone(),
            amount: shown(claim.amount_minor),
            left: shown(left_of_budget(tx, &claim.campaign).await?),
            currency: claim.currency.code().to_owned(),
        });
    }
    let key = claim.wallet();
    let one = movement(tx, claim, &key, claim.amount_minor, terms, now).await?;
    match holds::hold(tx, one, &terms.versions).await? {
        Ok(posted) => Ok(note(tx, one, "held", &posted).await?),
        Err(too_little) => Err(MdfError::Available {
            partner: claim.partner.clone(),
            program: claim.program.clone(),
            amount: shown(claim.amount_minor),
            available: shown(too_little.available_minor),
            currency: claim.currency.code().to_owned(),
        }),
    }
}

/// Nothing is approved while the wallet is short of what was reversed (domain.md §4.4).
pub(super) async fn refuse_if_short(tx: &DatabaseTransaction, claim: &Claim) -> Result<(), MdfError> {
    let short_minor = holds::short_of(tx, &claim.wallet()).await?;
    if short_minor == 0 {
        return Ok(());
    }
    let refusal = Refusal::WalletShort { short: claim.currency.format_minor(short_minor), currency: claim.currency };
    Err(MdfError::Refused { claim: claim.id.clone(), refusal })
}

/// Whether the wallet of a claim is short of what was reversed.
pub(super) async fn is_short(tx: &DatabaseTransaction, claim: &Claim) -> Result<bool, LoadError> {
    Ok(holds::short_of(tx, &claim.wallet()).await? > 0)
}

/// Gives an amount back to the wallet and the budget; what of its lots has ended expires.
pub(super) async fn release(tx: &DatabaseTransaction, claim: &Claim, amount_minor: i64, now: Instant) -> Result<(), MdfError> {
    let (terms, key) = (Terms::load(tx, &claim.program, now).await?, claim.wallet());
    back_to_budget(tx, claim, amount_minor).await?;
    let returning = holds::before_return(tx, &claim.program, now).await?;
    let one = movement(tx, claim, &key, amount_minor, &terms, now).await?;
    let posted = holds::release(tx, one).await?;
    note(tx, one, "released", &posted).await?;
    Ok(holds::after_return(tx, returning, &key, now).await?)
}

/// Debits the wallet by what the claim holds.
pub(super) async fn capture(tx: &DatabaseTransaction, claim: &Claim, now: Instant) -> Result<(), MdfError> {
    let (terms, key) = (Terms::load(tx, &claim.program, now).await?, claim.wallet());
    let one = movement(tx, claim, &key, claim.amount_minor, &terms, now).await?;
    let posted = holds::capture(tx, one).await?;
    Ok(note(tx, one, "captured", &posted).await?)
}

/// What the claim no longer asks for is free for others of its campaign.
pub(super) async fn back_to_budget(tx: &DatabaseTransaction, claim: &Claim, amount_minor: i64) -> Result<(), LoadError> {
    let free = "UPDATE campaigns SET committed_minor = committed_minor - ?, revision = revision + 1 WHERE id = ?";
    execute(tx, free, vec![amount_minor.into(), claim.campaign.as_str().into()]).await?;
    Ok(())
}

/// What is left of a campaign's budget, minor units.
pub(super) async fn left_of_budget(tx: &DatabaseTransaction, campaign: &str) -> Result<i64, LoadError> {
    let row = first_row(tx, "SELECT budget_minor - committed_minor FROM campaigns WHERE id = ?", vec![campaign.into()]).await?;
    row.ok_or(LoadError::Corrupt { value: campaign.to_owned(), what: "a claim with its campaign" })?.int(0)
}

async fn movement<'a>(
    tx: &DatabaseTransaction,
    claim: &'a Claim,
    key: &'a WalletKey,
    amount_minor: i64,
    terms: &Terms,
    now: Instant,
) -> Result<ClaimMove<'a>, LoadError> {
    let query = "SELECT CAST(COUNT(*) + 1 AS BIGINT) FROM claim_moves WHERE claim = ?";
    let row = first_row(tx, query, vec![claim.id.as_str().into()]).await?;
    let ordinal = row.ok_or(LoadError::Corrupt { value: claim.id.clone(), what: "a number of movements" })?.int(0)?;
    Ok(ClaimMove { key, claim: &claim.id, amount_minor, ordinal, day: terms.day, now })
}

async fn note(tx: &DatabaseTransaction, one: ClaimMove<'_>, act: &str, posted: &str) -> Result<(), LoadError> {
    let insert = "INSERT INTO claim_moves (claim, ordinal, act, amount_minor, posted, at) VALUES (?, ?, ?, ?, ?, ?)";
    let values = vec![one.claim.into(), one.ordinal.into(), act.into(), one.amount_minor.into(), posted.into(), one.now.0.into()];
    execute(tx, insert, values).await?;
    Ok(())
}
