//! Decides the step of a claim that waits (domain.md §6.3–6.5).

use program::calendar::Instant;
use program::mdf::{self, Decider, Refusal, Shown, Status, Verdict};
use sea_orm::{DatabaseTransaction, Value};
use serde_json::json;

use super::asked::Waiting;
use super::record::{self, Claim, Step};
use super::{MdfError, asked, deadline, funds, restart, versions};
use crate::load::row::{LoadError, execute, first_row};
use crate::users::{self, PersonError, User};

/// By which way a decision came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The command line.
    Command,
    /// The page of approvals.
    Page,
    /// A signed message.
    Webhook,
    /// The HTTP API.
    Api,
}

impl Via {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Page => "page",
            Self::Webhook => "webhook",
            Self::Api => "api",
        }
    }
}

/// A decision about a claim.
#[derive(Debug, Clone, Copy)]
pub struct Say<'a> {
    /// The claim.
    pub claim: &'a str,
    /// What is said.
    pub verdict: Verdict,
    /// The digest of the claim as the person saw it; the page and webhooks must give it.
    pub digest: Option<&'a str>,
    /// Why; a rejection needs it.
    pub reason: Option<&'a str>,
    /// By which way it came.
    pub via: Via,
}

/// A decision that counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The claim after it.
    pub claim: Claim,
    /// The role of the step in the route: the run waits for `decision/<role>`.
    pub role: String,
    /// The round of the step.
    pub round: i64,
    /// The place of the step.
    pub ordinal: i64,
}

/// Decides the step of a claim that waits. An approval of a lower amount releases the difference at once; the last one approves the claim; a
/// rejection ends it and releases all.
///
/// A step whose time is over first goes to the role that is asked after it, as its run would have made it; the time of one that its run has not
/// seen begins now.
///
/// # Errors
/// [`MdfError::Refused`] with its reason, a reason that can't be taken, nobody of the id, no such claim, or the database failed.
pub async fn decide(tx: &DatabaseTransaction, say: Say<'_>, by: &str, now: Instant) -> Result<Outcome, MdfError> {
    let before = record::locked(tx, say.claim).await?;
    users::stays(tx, by).await?;
    let person = users::find(tx, by).await?.ok_or_else(|| PersonError::Unknown(by.chars().take(60).collect()))?;
    let is_rejection = say.verdict == Verdict::Reject;
    if is_rejection || say.reason.is_some() {
        users::checked("the reason", say.reason.unwrap_or_default(), users::TEXT_MAX)?;
    }
    deadline::catch_up(tx, &before, now).await?;
    let before = asked::open_locked(tx, before, now).await?;
    let steps = record::steps(tx, &before.id, before.round).await?;
    let digest = asked::digest(tx, &before).await?;
    let (place, amount_minor) = judge(tx, &before, &steps, &digest, say, &person, now).await?;
    if !is_rejection {
        funds::refuse_if_short(tx, &before).await?;
    }
    let step = steps.get(place).ok_or(LoadError::Corrupt { value: before.id.clone(), what: "a step of a claim" })?;
    let previous = place.checked_sub(1).and_then(|previous| steps.get(previous)?.decision.as_ref());
    let now = mdf::noted_at(now, [step.opened_at, step.escalated_at, previous.map(|decision| decision.at)]);
    let decided = Ruled { step, role: step.role_asked().to_owned(), amount_minor, digest: &digest };
    write(tx, &before, &decided, say, by, now).await?;
    let claim = if is_rejection {
        reject(tx, &before, step, say.reason, by, now).await?
    } else {
        approve(tx, &before, &steps, &decided, say, by, now).await?
    };
    Ok(Outcome { claim, role: step.role.clone(), round: before.round, ordinal: step.ordinal })
}

/// Why a person's approval of a step that waits would not count now, if so: what a page says before it offers a choice.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn refusal(tx: &DatabaseTransaction, waiting: &Waiting, person: &User, now: Instant) -> Result<Option<Refusal>, MdfError> {
    let Waiting { claim, digest, .. } = waiting;
    let steps = record::steps(tx, &claim.id, claim.round).await?;
    let say = Say { claim: &claim.id, verdict: Verdict::Approve { amount_minor: None }, digest: None, reason: None, via: Via::Page };
    match judge(tx, claim, &steps, digest, say, person, now).await {
        Ok(_) => Ok(None),
        Err(MdfError::Refused { refusal, .. }) => Ok(Some(refusal)),
        Err(error) => Err(error),
    }
}

/// Whether a person has decided just this about the step `(round, ordinal)` of a claim as it was when it had a digest: the same again is
/// no other decision.
///
/// # Errors
/// The database failed.
pub async fn is_decided(tx: &DatabaseTransaction, say: Say<'_>, step: (i64, i64), person: &str) -> Result<bool, LoadError> {
    let query = "SELECT decision, shown_minor, amount_minor FROM claim_decisions \
                 WHERE claim = ? AND round = ? AND ordinal = ? AND person = ? AND digest = ?";
    let values = vec![say.claim.into(), step.0.into(), step.1.into(), person.into(), say.digest.unwrap_or_default().into()];
    let Some(row) = first_row(tx, query, values).await? else { return Ok(false) };
    let (word, shown_minor, decided_minor) = (row.string(0)?, row.int(1)?, row.int(2)?);
    Ok(match say.verdict {
        Verdict::Reject => word == "reject",
        Verdict::Approve { amount_minor } => word == "approve" && amount_minor.unwrap_or(shown_minor) == decided_minor,
    })
}

/// What counts, with the step that it decides.
struct Ruled<'a> {
    step: &'a Step,
    role: String,
    amount_minor: i64,
    digest: &'a str,
}

/// The place of the step that is decided, and the amount that goes on, minor units.
async fn judge(
    tx: &DatabaseTransaction,
    claim: &Claim,
    steps: &[Step],
    digest: &str,
    say: Say<'_>,
    person: &User,
    now: Instant,
) -> Result<(usize, i64), MdfError> {
    let submitters = record::submitters(tx, &claim.id).await?;
    let submitters: Vec<&str> = submitters.iter().map(String::as_str).collect();
    let route: Vec<mdf::StepOfRoute<'_>> = steps.iter().map(Step::of_route).collect();
    let shown = Shown {
        status: claim.status,
        partner: &claim.partner,
        submitters: &submitters,
        steps: &route,
        currency: claim.currency,
        amount_minor: claim.amount_minor,
        digest,
    };
    let decider = Decider { id: &person.id, partner: person.partner.as_deref(), roles: &person.roles, is_disabled: person.disabled.is_some() };
    match mdf::decide(&shown, &decider, say.verdict, say.digest, now) {
        Ok(decided) => Ok((decided.place, decided.amount_minor)),
        Err(Refusal::Stale { shown, current, .. }) => {
            let changed = mdf::changes::since(&versions::of(tx, claim).await?, &shown, claim.currency);
            Err(MdfError::Refused { claim: claim.id.clone(), refusal: Refusal::Stale { shown, current, changed } })
        }
        Err(refusal) => Err(MdfError::Refused { claim: claim.id.clone(), refusal }),
    }
}

async fn write(tx: &DatabaseTransaction, claim: &Claim, ruled: &Ruled<'_>, say: Say<'_>, by: &str, now: Instant) -> Result<(), MdfError> {
    let (word, status) = if say.verdict == Verdict::Reject { ("reject", "rejected") } else { ("approve", "approved") };
    let previous = Some(ruled.step.ordinal - 1).filter(|previous| *previous > 0);
    let insert = "INSERT INTO claim_decisions (claim, round, ordinal, decision, person, role, submitted_by, shown_minor, amount_minor, digest, reason, \
                  via, at, previous, previous_decision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values: Vec<Value> = vec![
        claim.id.as_str().into(),
        claim.round.into(),
        ruled.step.ordinal.into(),
        word.into(),
        by.into(),
        ruled.role.as_str().into(),
        claim.submitted_by.as_str().into(),
        claim.amount_minor.into(),
        ruled.amount_minor.into(),
        ruled.digest.into(),
        say.reason.into(),
        say.via.name().into(),
        now.0.into(),
        previous.into(),
        previous.map(|_| "approve").into(),
    ];
    execute(tx, insert, values).await?;
    let update = "UPDATE claim_steps SET status = ? WHERE claim = ? AND round = ? AND ordinal = ?";
    execute(tx, update, vec![status.into(), claim.id.as_str().into(), claim.round.into(), ruled.step.ordinal.into()]).await?;
    let more = json!({
        "step": ruled.step.role, "role": ruled.role, "decision": word, "digest": ruled.digest, "reason": say.reason, "via": say.via.name(),
        "approved_amount": claim.currency.format_minor(ruled.amount_minor),
    });
    Ok(record::tell(tx, claim, Some(by), "decided", more, now).await?)
}

async fn approve(
    tx: &DatabaseTransaction,
    before: &Claim,
    steps: &[Step],
    ruled: &Ruled<'_>,
    say: Say<'_>,
    by: &str,
    now: Instant,
) -> Result<Claim, MdfError> {
    let next = steps.iter().find(|step| step.ordinal == ruled.step.ordinal + 1);
    let mut after = if next.is_some() { before.clone() } else { record::moved(before, Status::Approved, None)? };
    after.amount_minor = ruled.amount_minor;
    let claim = record::store(tx, before, after).await?;
    let freed_minor = before.amount_minor - claim.amount_minor;
    if freed_minor > 0 {
        funds::release(tx, &claim, freed_minor, now).await?;
    }
    match next {
        Some(next) => wait_for(tx, &claim, next, now).await?,
        None => record::tell(tx, &claim, Some(by), "approved", json!({ "via": say.via.name() }), now).await?,
    }
    Ok(claim)
}

/// The next step waits from now on.
async fn wait_for(tx: &DatabaseTransaction, claim: &Claim, step: &Step, now: Instant) -> Result<(), LoadError> {
    let update = "UPDATE claim_steps SET status = 'waiting', opened_at = ?, due_at = ? WHERE claim = ? AND round = ? AND ordinal = ?";
    let due_at = step.within_s.map(|within_s| restart::after(now, within_s).0);
    execute(tx, update, vec![now.0.into(), due_at.into(), claim.id.as_str().into(), claim.round.into(), step.ordinal.into()]).await?;
    Ok(())
}

async fn reject(tx: &DatabaseTransaction, before: &Claim, step: &Step, reason: Option<&str>, by: &str, now: Instant) -> Result<Claim, MdfError> {
    restart::end_steps(tx, before, "void").await?;
    let claim = record::store(tx, before, record::moved(before, Status::Rejected, reason)?).await?;
    funds::release(tx, &claim, claim.amount_minor, now).await?;
    record::tell(tx, &claim, Some(by), "rejected", json!({ "step": step.role, "reason": reason }), now).await?;
    Ok(claim)
}
