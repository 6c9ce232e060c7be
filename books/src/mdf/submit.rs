//! Submits claims, and submits rejected ones again (domain.md §6.3).
//!
//! Claims are taken from the first through the last day of their campaign, in the programme's zone: what was spent is claimed while the
//! campaign lasts. A resubmission is a submission in this, too.

use program::calendar::Instant;
use program::mdf::{self, AskedError, Status};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use serde_json::json;

use super::campaigns::{self, Campaign};
use super::proofs::{self, NewProof};
use super::record::{self, Claim};
use super::restart::{self, Cause};
use super::terms::Terms;
use super::{MdfError, funds};
use crate::load::row::{LoadError, execute, first_row};
use crate::users::{self, PersonError};

/// A claim that is submitted.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its campaign.
    pub campaign: &'a str,
    /// The receipts, minor units of the campaign's currency.
    pub receipts_minor: i64,
    /// What is asked for, where it is less than the share of the receipts.
    pub wanted_minor: Option<i64>,
    /// Proofs that are handed in with it.
    pub proofs: &'a [NewProof<'a>],
}

/// A claim that was submitted, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The claim.
    pub claim: Claim,
    /// Whether this call submitted it, so that its run is started once.
    pub is_new: bool,
}

/// Submits a claim: holds its amount and fixes its route by the programme version in force.
///
/// # Idempotency
/// The id: submitting the same again changes nothing.
///
/// # Errors
/// The person may not, the campaign takes none, a limit is passed (it is named), or the id is another claim's.
pub async fn submit(tx: &DatabaseTransaction, new: New<'_>, by: &str, now: Instant) -> Result<Submitted, MdfError> {
    users::checked("the claim's id", new.id, 128)?;
    let campaign = campaigns::find(tx, new.campaign).await?;
    lock_partner(tx, &campaign.partner).await?;
    let terms = Terms::load(tx, &campaign.program, now).await?;
    campaigns::may_ask(tx, by, &campaign.partner, &terms).await?;
    if let Some(claim) = same(tx, new, by).await? {
        return Ok(Submitted { claim, is_new: false });
    }
    takes_id(new.id)?;
    takes_claims(&campaign, &terms)?;
    let asked_minor = asked(&campaign, &terms, new.receipts_minor, new.wanted_minor)?;
    let now = mdf::noted_at(now, [campaign.decided_at]);
    let claim = Claim {
        id: new.id.to_owned(),
        campaign: campaign.id,
        program: campaign.program,
        partner: campaign.partner,
        currency: campaign.currency,
        receipts_minor: new.receipts_minor,
        asked_minor,
        amount_minor: asked_minor,
        status: Status::Submitted,
        round: 1,
        submitted_by: by.to_owned(),
        submitted_at: now,
        workflow: None,
        reason: None,
        revision: 1,
    };
    insert(tx, &claim).await?;
    proofs::insert(tx, &claim, 1, new.proofs, by, now).await?;
    let route = terms.route(tx, asked_minor, claim.currency).await?;
    restart::begin(tx, &claim, Cause::Submitted, Some(by), terms.version(), &route, now).await?;
    funds::hold(tx, &claim, &terms, now).await?;
    tell(tx, &claim, by, "submitted", now).await?;
    Ok(Submitted { claim, is_new: true })
}

/// Names the run that sees to a claim.
///
/// # Errors
/// There is no such claim, or the database failed.
pub async fn set_workflow(tx: &DatabaseTransaction, id: &str, run: &str) -> Result<Claim, MdfError> {
    let before = record::locked(tx, id).await?;
    record::store(tx, &before, Claim { workflow: Some(run.to_owned()), ..before.clone() }).await
}

/// What is said anew when a rejected claim is submitted again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anew {
    /// Other receipts, minor units.
    pub receipts_minor: Option<i64>,
    /// Another amount than the share of the receipts, minor units.
    pub wanted_minor: Option<i64>,
}

/// Submits a rejected claim again: all decisions are void, its amount is held anew, and its route is that of today.
///
/// Without another amount it asks for the share of its receipts, or what it asked for before if that was less.
///
/// # Errors
/// As for [`submit`], or the claim is not rejected.
pub async fn resubmit(tx: &DatabaseTransaction, id: &str, anew: Anew, by: &str, now: Instant) -> Result<Claim, MdfError> {
    let found = record::find(tx, id).await?.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    lock_partner(tx, &found.partner).await?;
    let before = record::locked(tx, id).await?;
    let campaign = campaigns::find(tx, &before.campaign).await?;
    let terms = Terms::load(tx, &before.program, now).await?;
    campaigns::may_ask(tx, by, &before.partner, &terms).await?;
    let moved = record::moved(&before, Status::Submitted, None)?;
    takes_claims(&campaign, &terms)?;
    let receipts_minor = anew.receipts_minor.unwrap_or(before.receipts_minor);
    let asked_minor = match (anew.wanted_minor, anew.receipts_minor) {
        // The share may have been lowered since.
        (None, None) => asked(&campaign, &terms, receipts_minor, None)?.min(before.asked_minor),
        (wanted, _) => asked(&campaign, &terms, receipts_minor, wanted)?,
    };
    let after = Claim { receipts_minor, asked_minor, amount_minor: asked_minor, round: before.round + 1, ..moved };
    let claim = record::store(tx, &before, after).await?;
    let route = terms.route(tx, asked_minor, claim.currency).await?;
    restart::begin(tx, &claim, Cause::Resubmitted, Some(by), terms.version(), &route, now).await?;
    funds::hold(tx, &claim, &terms, now).await?;
    tell(tx, &claim, by, "resubmitted", now).await?;
    Ok(claim)
}

/// Some ids would be something else's: of the run of another claim's later round, or of no page.
fn takes_id(id: &str) -> Result<(), MdfError> {
    let of_round = id.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (round "));
    let is_of_round = of_round.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    let why = match id {
        "." | ".." => "no address can end with it",
        _ if is_of_round => "the run of a claim that is submitted again is called so",
        _ => return Ok(()),
    };
    Err(PersonError::Text { what: "the claim's id", text: id.chars().take(60).collect(), why }.into())
}

fn takes_claims(campaign: &Campaign, terms: &Terms) -> Result<(), MdfError> {
    if campaign.status != "approved" {
        return Err(MdfError::NotApproved { campaign: campaign.id.clone(), status: campaign.status.clone() });
    }
    if terms.day < campaign.from_on || campaign.through_on < terms.day {
        let Campaign { id, from_on, through_on, .. } = campaign;
        return Err(MdfError::OutsideCampaign { campaign: id.clone(), from: *from_on, through: *through_on, day: terms.day });
    }
    Ok(())
}

fn asked(campaign: &Campaign, terms: &Terms, receipts_minor: i64, wanted_minor: Option<i64>) -> Result<i64, MdfError> {
    let mdf = terms.mdf()?;
    let share = campaign.cost_share.unwrap_or(mdf.cost_share);
    mdf::asked_minor(receipts_minor, share, wanted_minor, terms.programme().rounding).map_err(|error| {
        let shown = match error {
            AskedError::More { most_minor } => {
                format!("at most {} {} can be asked for: ", campaign.currency.format_minor(most_minor), campaign.currency)
            }
            AskedError::NoReceipts | AskedError::Nothing | AskedError::Overflow(_) => String::new(),
        };
        MdfError::Asked { shown, error }
    })
}

/// The claim of the id, if it was submitted with the same words.
async fn same(tx: &DatabaseTransaction, new: New<'_>, by: &str) -> Result<Option<Claim>, MdfError> {
    let Some(known) = record::find(tx, new.id).await? else { return Ok(None) };
    let query = "SELECT receipts_minor, asked_minor FROM claim_rounds WHERE claim = ? AND round = 1";
    let row = first_row(tx, query, vec![new.id.into()]).await?;
    let row = row.ok_or(LoadError::Corrupt { value: new.id.to_owned(), what: "a claim with its first round" })?;
    let asked_minor = row.int(1)?;
    let is_same = known.campaign == new.campaign
        && known.submitted_by == by
        && row.int(0)? == new.receipts_minor
        && new.wanted_minor.is_none_or(|wanted| wanted == asked_minor);
    if is_same { Ok(Some(known)) } else { Err(MdfError::Taken(new.id.chars().take(60).collect())) }
}

async fn insert(tx: &DatabaseTransaction, claim: &Claim) -> Result<(), MdfError> {
    let insert = "INSERT INTO claims (id, campaign, program, partner, currency, receipts_minor, asked_minor, amount_minor, status, round, submitted_by, \
                  submitted_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let values = vec![
        claim.id.as_str().into(),
        claim.campaign.as_str().into(),
        claim.program.as_str().into(),
        claim.partner.as_str().into(),
        claim.currency.code().into(),
        claim.receipts_minor.into(),
        claim.asked_minor.into(),
        claim.amount_minor.into(),
        claim.status.name().into(),
        claim.round.into(),
        claim.submitted_by.as_str().into(),
        claim.submitted_at.0.into(),
        claim.revision.into(),
    ];
    // Somebody else submitted it at the same time.
    if execute(tx, insert, values).await? == 0 { Err(MdfError::Changed(format!("claim {}", claim.id))) } else { Ok(()) }
}

async fn tell(tx: &DatabaseTransaction, claim: &Claim, by: &str, act: &str, now: Instant) -> Result<(), LoadError> {
    let more = json!({ "receipts": claim.currency.format_minor(claim.receipts_minor), "asked": claim.currency.format_minor(claim.asked_minor) });
    record::tell(tx, claim, Some(by), act, more, now).await
}

/// The partner's destination stays as it is until the caller's transaction ends; others who submit need not wait.
pub(super) async fn lock_partner(tx: &DatabaseTransaction, partner: &str) -> Result<(), LoadError> {
    if ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres {
        first_row(tx, "SELECT 1 FROM partners WHERE id = ? FOR SHARE", vec![partner.into()]).await?;
    }
    Ok(())
}
