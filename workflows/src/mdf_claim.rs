//! A claim is seen through: its approvers are asked, reminded and passed over, the wallet is debited, the payout pursued, and everybody told
//! (domain.md §6.3–6.5; interface.md §5).
//!
//! Where a claim stands is read from the books at every turn; a signal says that something has changed, and nothing else.

mod moving;

use std::fmt;
use std::sync::Arc;

use books::load::row::LoadError;
use books::mdf::decide::Outcome;
use books::mdf::{Claim, MdfError, asked, submit};
use durable::outbox::OutboxError;
use durable::runs::{self, RunError, Target};
use durable::{Context, Interrupt, RunId, Workflow};
use program::calendar::Instant;
use program::mdf::Status;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::moving::{Debit, GiveUp, Look, TellEnd};
use crate::PayoutRun;
use crate::letters::{self, TellError};
use crate::payout::{WakeError, fitting};
use crate::steps;

/// Bytes of a signal's name at most, without a turn's number.
const SIGNAL_BYTES_MAX: usize = 100;
/// Looks that one run takes at most: a claim is decided long before.
const TURNS_MAX: u32 = 2_000;
/// The signal that a run waits for while accruals have to bring its claim's wallet back.
const ACCRUALS: &str = "accruals";

/// What a run is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimInput {
    /// The claim.
    pub claim: String,
    /// The round with which it was submitted: a rejected claim that is submitted again has another run.
    pub round: i64,
}

/// How a claim ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimEnd {
    /// `paid`, `failed`, `rejected`, `cancelled` or `expired`.
    pub status: String,
    /// `pay_…`, once there was one.
    pub payout: Option<String>,
}

/// Why a run can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The claim can't be named its run.
    #[error(transparent)]
    Claim(#[from] MdfError),
    /// The engine.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Another claim's run has the key.
    #[error("the run {0} belongs to another claim; choose another id for this one")]
    Taken(RunId),
}

/// Why the claim of a run that was ended can't be taken back.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The claim can't be found.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its hold can't be released.
    #[error(transparent)]
    Claim(#[from] MdfError),
    /// Its submitter can't be told.
    #[error(transparent)]
    Letter(#[from] OutboxError),
}

/// Starts the run of a claim that was submitted, in the transaction of its submission.
///
/// # Idempotency
/// The claim and its round: a repeat finds the run.
///
/// # Errors
/// [`StartError`].
pub async fn start(tx: &DatabaseTransaction, claim: &Claim, now: Instant) -> Result<Claim, StartError> {
    let input = ClaimInput { claim: claim.id.clone(), round: claim.round };
    let key = if claim.round == 1 { claim.id.clone() } else { format!("{} (round {})", claim.id, claim.round) };
    let started = runs::start_as::<MdfClaim>(tx, &fitting(key), &input, steps::at(now)).await?;
    if !started.same_input {
        return Err(StartError::Taken(started.run));
    }
    Ok(submit::set_workflow(tx, &claim.id, started.run.as_str()).await?)
}

/// Tells the run of a claim that a step was decided, in the transaction of the decision; and who submitted it, of a rejection: the claim may
/// be submitted again before its run has looked.
///
/// # Errors
/// The database failed.
pub async fn decided(tx: &DatabaseTransaction, outcome: &Outcome, now: Instant) -> Result<(), WakeError> {
    if outcome.claim.status == Status::Rejected {
        letters::post(tx, &moving::decided(&outcome.claim), now).await.map_err(TellError::from)?;
    }
    changed(tx, &outcome.claim, Some(&outcome.role), now).await
}

/// Tells the run of a claim that it has changed: `waited_for` is the role of the step that waited before, in the route. Where the route has
/// none, the run can have waited for accruals only.
///
/// # Idempotency
/// The claim and its change. A run that has ended, or that there never was, hears nothing.
///
/// # Errors
/// The database failed.
pub async fn changed(tx: &DatabaseTransaction, claim: &Claim, waited_for: Option<&str>, now: Instant) -> Result<(), WakeError> {
    let signal = match waited_for {
        Some(role) => signal_of(role),
        None if !asked::has_steps(tx, claim).await? => ACCRUALS.to_owned(),
        None => return Ok(()),
    };
    signalled(tx, claim, &signal, &format!("change {}", claim.revision), now).await
}

/// Makes the runs of a programme's claims look again that wait for accruals: a period of it is final. In a transaction after that.
///
/// # Idempotency
/// The claim and the period.
///
/// # Errors
/// The database failed.
pub(crate) async fn accrued(tx: &DatabaseTransaction, program: &str, period: &str, now: Instant) -> Result<(), WakeError> {
    for claim in asked::waiting_for_accruals(tx, program).await? {
        signalled(tx, &claim, ACCRUALS, &format!("period {period}"), now).await?;
    }
    Ok(())
}

async fn signalled(tx: &DatabaseTransaction, claim: &Claim, signal: &str, cause: &str, now: Instant) -> Result<(), WakeError> {
    let Some(run) = claim.workflow.as_deref().and_then(|run| run.parse::<RunId>().ok()) else { return Ok(()) };
    match runs::signal(tx, Target::Run(&run), signal, cause, &serde_json::Value::Bool(true), steps::at(now)).await {
        Ok(_) | Err(RunError::Ended { .. } | RunError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes back the claim of a run that an operator has ended at once, in the transaction of that: of one that has done nothing yet, no worker
/// undoes anything. A run that sees to no claim is as it is.
///
/// # Idempotency
/// The claim.
///
/// # Errors
/// The database failed.
pub async fn ended(tx: &DatabaseTransaction, run: &RunId, now: Instant) -> Result<(), EndError> {
    match books::mdf::of_workflow(tx, run.as_str()).await? {
        Some(claim) => moving::give_up(tx, &claim.id, run, now).await,
        None => Ok(()),
    }
}

/// The signal that a run waits for while a step waits.
fn signal_of(role: &str) -> String {
    let name = format!("decision/{role}");
    // A turn's number follows it within the engine's limit.
    if name.len() <= SIGNAL_BYTES_MAX { name } else { format!("decision/{}", hex::encode(Sha256::digest(role.as_bytes()))) }
}

/// The process.
pub struct MdfClaim {
    /// How payouts are pursued; its books and clock serve here, too.
    pub payouts: PayoutRun,
}

impl fmt::Debug for MdfClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MdfClaim").finish_non_exhaustive()
    }
}

impl Workflow for MdfClaim {
    const NAME: &'static str = "mdf_claim";
    type Input = ClaimInput;
    type Output = ClaimEnd;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: ClaimInput) -> Result<ClaimEnd, Interrupt> {
        let clock = || Arc::clone(&self.payouts.clock);
        ctx.on_failure("hold", GiveUp { claim: input.claim.clone(), run: ctx.run_id().clone(), clock: clock() })?;
        for turn in 1..=TURNS_MAX {
            let seen = ctx
                .tx_step(&format!("look at the claim #{turn}"), Look { claim: input.claim.clone(), run: ctx.run_id().clone(), clock: clock() })
                .await?;
            let signal = seen.waits_for.as_deref().map(signal_of).or_else(|| seen.waits_for_accruals.then(|| ACCRUALS.to_owned()));
            if let Some(signal) = signal {
                ctx.signal::<bool>(&format!("{signal} #{turn}"), seen.wake_at).await?;
                continue;
            }
            if seen.status != "approved" {
                return Ok(ClaimEnd { status: seen.status, payout: None });
            }
            let debit = Debit { claim: input.claim.clone(), run: ctx.run_id().clone(), limits: self.payouts.limits(), clock: clock() };
            // Where it changed since, it is asked about again.
            let Some(standing) = ctx.tx_step(&format!("debit the wallet #{turn}"), debit).await? else { continue };
            let paid = self.payouts.pursue(ctx, standing).await?;
            ctx.tx_step("tell the end", TellEnd { claim: input.claim, clock: clock() }).await?;
            return Ok(ClaimEnd { status: paid.status, payout: Some(paid.payout) });
        }
        Err(Interrupt::fail(format!("claim {} has not been decided after {TURNS_MAX} looks", input.claim)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_roles_have_signals_of_their_own_within_the_limit() {
        let (a, b) = ("x".repeat(128), format!("{}y", "x".repeat(127)));
        assert_eq!(signal_of("finance"), "decision/finance");
        assert!(signal_of(&a).len() <= SIGNAL_BYTES_MAX);
        assert_ne!(signal_of(&a), signal_of(&b));
    }
}
