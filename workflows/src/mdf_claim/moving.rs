//! The steps of a claim's run in the books: each commits with its journal row.

use std::sync::Arc;

use books::mdf::deadline::{self, Due};
use books::mdf::{Claim, MdfError, asked, end};
use books::payouts::intend::{Names, Purpose};
use books::payouts::limits::Limits;
use books::users::{self, ADMIN, OPS};
use durable::{Clock, Instant, RunId, StepError, TxStep};
use program::mdf::Status;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use super::EndError;
use crate::letters::{self, Letter};
use crate::payout::{Standing, id_of_payment, made};
use crate::steps;

/// Where a claim stands, as the process goes by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Its status.
    pub(super) status: String,
    /// The role of the step that waits, in the route.
    pub(super) waits_for: Option<String>,
    /// When something is due of it by itself.
    pub(super) wake_at: Option<Instant>,
    /// Whether it waits for its wallet to be brought back, and for nobody's decision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) waits_for_accruals: bool,
}

impl Seen {
    /// It waits for nothing.
    fn standing(status: Status) -> Self {
        Self { status: status.name().into(), waits_for: None, wake_at: None, waits_for_accruals: false }
    }
}

fn told(error: &MdfError) -> StepError {
    steps::told(error.is_input(), error)
}

/// Does what is due of a claim, asks whoever is to be asked, and looks where it stands.
pub(super) struct Look {
    pub(super) claim: String,
    pub(super) run: RunId,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Look {
    type Out = Seen;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Seen, StepError> {
        let now = steps::now(&self.clock);
        let opened = asked::open(tx, &self.claim, now).await.map_err(|error| told(&error))?;
        if !opened.is_seen_to_by(self.run.as_str()) {
            // It was rejected, and submitted again before this run could tell: who did that knows, and another run sees to it.
            return Ok(Seen::standing(Status::Rejected));
        }
        let due = deadline::pass(tx, &self.claim, now).await.map_err(|error| told(&error))?;
        let waiting = asked::waiting(tx, &self.claim).await.map_err(|error| told(&error))?;
        if let Some(waiting) = waiting {
            let is_asked = ask(tx, &waiting, due, now).await?;
            let looked_at = (!is_asked).then(|| deadline::look_again_at(&waiting.step, now));
            let wake_at = [deadline::next_at(&waiting.step), looked_at].into_iter().flatten().min().map(steps::at);
            return Ok(Seen { waits_for: Some(waiting.step.role), wake_at, ..Seen::standing(waiting.claim.status) });
        }
        let claim = found(tx, &self.claim).await?;
        if let Some(at) = asked::accruals_looked_for_at(tx, &claim, now).await.map_err(|error| told(&error))? {
            return Ok(Seen { wake_at: Some(steps::at(at)), waits_for_accruals: true, ..Seen::standing(claim.status) });
        }
        if matches!(claim.status, Status::Rejected | Status::Cancelled | Status::Expired) {
            tell_submitter(tx, &claim, now).await?;
        }
        Ok(Seen::standing(claim.status))
    }
}

/// Each person is asked once a step, also one who has the role only since; and reminded when that is due. Whether there is anybody.
async fn ask(tx: &DatabaseTransaction, waiting: &asked::Waiting, due: Due, now: program::calendar::Instant) -> Result<bool, StepError> {
    let people = asked::people(tx, waiting).await.map_err(|error| StepError::caused_by(&error))?;
    let asked::Waiting { claim, step, .. } = waiting;
    if people.is_empty() {
        tracing::warn!(claim = %claim.id, step = step.ordinal, role = step.role_asked(), "claim.nobody_to_ask");
        tell_operators(tx, waiting, now).await?;
        return Ok(false);
    }
    for person in people {
        let (claim, round, ordinal) = (claim.id.clone(), claim.round, step.ordinal);
        let letter = if due == Due::Reminder {
            Letter::ApprovalReminder { claim, round, step: ordinal, number: step.reminders, person: person.id }
        } else {
            Letter::ApprovalAsked { claim, round, step: ordinal, escalated: step.escalated_at.is_some(), person: person.id }
        };
        letters::post_in_step(tx, &letter, now).await?;
    }
    Ok(true)
}

/// Tells those who run the service, once a step, that nobody can decide it: operations, or where there are none the administrators.
async fn tell_operators(tx: &DatabaseTransaction, waiting: &asked::Waiting, now: program::calendar::Instant) -> Result<(), StepError> {
    let asked::Waiting { claim, step, .. } = waiting;
    let mut people = Vec::new();
    for role in [OPS, ADMIN] {
        if people.is_empty() {
            people = users::with_role(tx, role, &claim.partner).await.map_err(|error| StepError::caused_by(&error))?;
        }
    }
    for person in people {
        let (claim, round, ordinal, escalated) = (claim.id.clone(), claim.round, step.ordinal, step.escalated_at.is_some());
        letters::post_in_step(tx, &Letter::NobodyToAsk { claim, round, step: ordinal, escalated, person }, now).await?;
    }
    Ok(())
}

async fn found(tx: &DatabaseTransaction, claim: &str) -> Result<Claim, StepError> {
    let found = books::mdf::find(tx, claim).await.map_err(|error| StepError::caused_by(&error))?;
    found.ok_or_else(|| StepError::park(format!("there is no claim {claim}")))
}

async fn tell_submitter(tx: &DatabaseTransaction, claim: &Claim, now: program::calendar::Instant) -> Result<(), StepError> {
    letters::post_in_step(tx, &decided(claim), now).await
}

/// Tells what a claim has come to.
pub(super) fn decided(claim: &Claim) -> Letter {
    Letter::ClaimDecided { claim: claim.id.clone(), round: claim.round, status: claim.status.name().into() }
}

/// Debits the wallet by an approved claim and makes its payout, in one; `None`: it is not approved any more.
pub(super) struct Debit {
    pub(super) claim: String,
    pub(super) run: RunId,
    pub(super) limits: Limits,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Debit {
    type Out = Option<Standing>;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Option<Standing>, StepError> {
        let now = steps::now(&self.clock);
        let before = found(tx, &self.claim).await?;
        let claim = end::capture(tx, &self.claim, now).await.map_err(|error| told(&error))?;
        if claim.status != Status::Paying {
            return Ok(None);
        }
        if before.status == Status::Approved {
            tell_submitter(tx, &before, now).await?;
        }
        let what = format!("mdf_claim {}", self.claim);
        let id = id_of_payment(tx, &what, &self.run).await.map_err(|error| StepError::caused_by(&error))?;
        let Claim { id: reference, program, partner, amount_minor, currency, .. } = &claim;
        let purpose = Purpose::Claim { claim: reference, program, partner, amount_minor: *amount_minor, currency: *currency };
        let names = Names { id: &id, key: id.as_str(), workflow: Some(self.run.as_str()) };
        made(tx, purpose, names, now, &self.limits).await.map(Some)
    }
}

/// Posts the statement of a claim that was paid; where it failed, whoever noted that has told people, and it is told here once more where a
/// version before this one has not.
pub(super) struct TellEnd {
    pub(super) claim: String,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for TellEnd {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        let (claim, now) = (found(tx, &self.claim).await?, steps::now(&self.clock));
        if claim.status == Status::Paid {
            return letters::post_in_step(tx, &Letter::ClaimStatement { claim: claim.id }, now).await;
        }
        for person in [Some(claim.submitted_by), None] {
            letters::post_in_step(tx, &Letter::ClaimFailed { claim: claim.id.clone(), person }, now).await?;
        }
        Ok(())
    }
}

/// Takes the claim back when its run fails for good or is cancelled before the wallet is debited.
pub(super) struct GiveUp {
    pub(super) claim: String,
    pub(super) run: RunId,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for GiveUp {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        match give_up(tx, &self.claim, &self.run, steps::now(&self.clock)).await {
            Ok(()) => Ok(()),
            Err(EndError::Claim(error)) => Err(told(&error)),
            Err(error) => Err(StepError::caused_by(&error)),
        }
    }
}

/// Takes a claim back with the end of the run that sees to it, and tells its submitter.
pub(super) async fn give_up(tx: &DatabaseTransaction, claim: &str, run: &RunId, now: program::calendar::Instant) -> Result<(), EndError> {
    if let Some(claim) = end::give_up(tx, claim, run.as_str(), "its run was ended", now).await? {
        letters::post(tx, &decided(&claim), now).await?;
    }
    Ok(())
}
