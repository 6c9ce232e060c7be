//! A settlement is paid: admitted or held, requested from the provider, pursued until its word is final, told to the partner
//! (domain.md §4.7; reliability.md §2, §3.1–3.2).

mod asking;
mod moving;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use books::connection::Books;
use books::instance;
use books::load::row::LoadError;
use books::payouts::due::Due;
use books::payouts::limits::Limits;
use books::payouts::{PayoutError, inbound, record};
use durable::runs::{self, RunError, Target};
use durable::{Clock, Context, Interrupt, Outcome, RunId, StepError, Workflow};
use program::payout::{Payout, PayoutId};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::asking::Heard;
pub use self::asking::is_sent_no_more;
use self::moving::{Intend, LookAgain, MailStatement, Note, Request, SendAgain};
pub(crate) use self::moving::{Standing, made};
use crate::letters::{self, TellError};
use crate::ports::{Handling, PayoutPort};
use crate::steps;

/// The signal that makes a payout's run look at it before its time.
pub const LOOK_AGAIN: &str = "look again";
/// Looks that one run takes before it parks; with the longest wait between most of them, more than five years.
const TURNS_MAX: u32 = 2_000;
/// The wait before the first look; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The wait after a repeat was refused: what was taken before it is known to whoever is asked by then.
const REFUSED_LOOK: Duration = Duration::from_secs(30);
/// The longest wait between two looks at a payout that waits for people, or for a provider that does not answer.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// Payouts that are read at once.
const PAGE: u64 = 1_000;
/// Bytes of a run's key at most.
const KEY_BYTES_MAX: usize = 128;

/// What a run is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutInput {
    /// The programme.
    pub program: String,
    /// The member.
    pub partner: String,
    /// `YYYY-MM`.
    pub period: String,
    /// ISO 4217.
    pub currency: String,
    /// The failed payout that this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
}

impl PayoutInput {
    /// Of a settlement that is due.
    #[must_use]
    pub fn of(due: &Due) -> Self {
        Self {
            program: due.program.to_string(),
            partner: due.partner.to_string(),
            period: due.period.to_string(),
            currency: due.currency.code().into(),
            retry_of: None,
        }
    }

    /// The key of the run: a settlement, or a retry of its payout, has one.
    #[must_use]
    pub fn key(&self) -> String {
        fitting(self.payment())
    }

    /// What names the payment once in these books.
    #[must_use]
    pub fn payment(&self) -> String {
        let reference = format!("{}/{}/{}/{}", self.program, self.period, self.partner, self.currency);
        self.retry_of.as_ref().map_or(reference, |failed| format!("retry of {failed}"))
    }
}

/// A key within the engine's limit: one that is longer keeps its beginning and gets its digest.
#[must_use]
pub fn fitting(key: String) -> String {
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    let digest = hex::encode(Sha256::digest(key.as_bytes()));
    let beginning = key.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 60).last().unwrap_or(0);
    format!("{}~{digest}", key.get(..beginning).unwrap_or_default())
}

/// Makes the run of a payout look at it now; `cause` names what has changed, once.
///
/// # Idempotency
/// (run, cause). A run that has ended, or that there never was, looks at nothing.
///
/// # Errors
/// The database failed.
pub async fn look_again(tx: &DatabaseTransaction, run: &str, cause: &str, now: program::calendar::Instant) -> Result<(), RunError> {
    let Ok(run) = run.parse::<RunId>() else { return Ok(()) };
    match runs::signal(tx, Target::Run(&run), LOOK_AGAIN, &fitting(cause.to_owned()), &serde_json::Value::Bool(true), steps::at(now)).await {
        Ok(_) | Err(RunError::Ended { .. } | RunError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Tells the run of a payout that somebody else has changed it, and people where it has failed; `cause` names what has changed, once. In
/// the transaction of the change.
///
/// # Idempotency
/// (run, cause), and that of [`letters::tell_if_failed`].
///
/// # Errors
/// The database failed.
pub async fn changed(tx: &DatabaseTransaction, payout: &Payout, cause: &str, now: program::calendar::Instant) -> Result<(), WakeError> {
    letters::tell_if_failed(tx, payout, now).await?;
    match payout.workflow.as_deref() {
        Some(run) => Ok(look_again(tx, run, cause, now).await?),
        None => Ok(()),
    }
}

/// Applies providers' parked messages whose payout is there by now, at most `limit`, and tells its runs and people. How many were.
///
/// # Idempotency
/// Each message is applied once.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn retry_parked(tx: &DatabaseTransaction, limit: u16, now: program::calendar::Instant) -> Result<usize, WakeError> {
    let waiting = inbound::parked_payouts(tx, limit).await?;
    let count = inbound::retry_parked(tx, limit, now).await?;
    for id in waiting {
        if let Some(payout) = record::find(tx, &id).await? {
            changed(tx, &payout, &format!("message {}", payout.revision), now).await?;
        }
    }
    Ok(count)
}

/// Makes the runs of all payouts that a pause has stopped look at them now: those that were held, and those whose requests it kept back.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn look_again_at_paused(tx: &DatabaseTransaction, cause: &str, now: program::calendar::Instant) -> Result<(), WakeError> {
    for status in ["held", "requested", "unknown"] {
        let mut after = None;
        loop {
            let page = record::page(tx, status, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for run in page.iter().filter_map(|payout| payout.workflow.as_deref()) {
                look_again(tx, run, cause, now).await?;
            }
        }
    }
    Ok(())
}

/// Makes the runs of payouts look at them now that were held for a suspension which is over.
///
/// # Idempotency
/// The payout and its hold.
///
/// # Errors
/// The database failed.
pub async fn look_again_at_suspended(tx: &DatabaseTransaction, free: &[Payout], now: program::calendar::Instant) -> Result<(), WakeError> {
    for payout in free {
        if let Some(run) = payout.workflow.as_deref() {
            look_again(tx, run, &format!("not suspended {}", payout.revision), now).await?;
        }
    }
    Ok(())
}

/// Why runs could not be woken.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// The payouts can't be read.
    #[error(transparent)]
    Payouts(#[from] LoadError),
    /// The runs can't be told.
    #[error(transparent)]
    Runs(#[from] RunError),
    /// People can't be told.
    #[error(transparent)]
    People(#[from] TellError),
    /// A message can't be applied.
    #[error(transparent)]
    Message(#[from] PayoutError),
}

/// The id of the payout of a settlement or claim, which is the key of its request, too: the same in every generation of these books, so
/// that a provider knows what it has paid after a backup was made. `what` names it; books without an identity go by the run.
///
/// # Errors
/// The database failed, or the run's id is not one of ours.
pub async fn id_of_payment(tx: &DatabaseTransaction, what: &str, run: &RunId) -> Result<PayoutId, IdError> {
    match instance::find(tx).await? {
        Some(books) => Ok(PayoutId::of(&books.database, what)),
        None => Ok(format!("pay_{}", run.as_str().trim_start_matches("wfr_")).parse()?),
    }
}

/// Why a payout has no id.
#[derive(Debug, thiserror::Error)]
pub enum IdError {
    /// The identity of the books can't be read.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// The run's id is not one of ours.
    #[error(transparent)]
    Run(#[from] program::payout::NotAPayoutId),
}

/// How a payout ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutEnd {
    /// `pay_…`.
    pub payout: String,
    /// `paid` or `failed`.
    pub status: String,
}

/// The process.
pub struct PayoutRun {
    /// The books.
    pub books: Books,
    /// Who moves the money.
    pub provider: Arc<dyn PayoutPort>,
    /// The caps.
    pub limits: Limits,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for PayoutRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayoutRun").finish_non_exhaustive()
    }
}

/// What one execution knows beside the journal.
struct Pursuit {
    /// Whether the request was committed by this very execution, so that no byte of it can have left before.
    unsent: Arc<AtomicBool>,
    /// Whether the request was given to the provider since it was last allowed to leave.
    asked: bool,
    /// Whether an attempt was made of which it is not known whether it arrived.
    in_doubt: bool,
    /// With what words a repeat was refused of which an attempt before may have arrived.
    refused: Option<String>,
    /// Looks in a row that changed nothing.
    idle: u32,
}

impl Workflow for PayoutRun {
    const NAME: &'static str = "payout";
    type Input = PayoutInput;
    type Output = PayoutEnd;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: PayoutInput) -> Result<PayoutEnd, Interrupt> {
        let intend = Intend { input: input.clone(), run: ctx.run_id().clone(), limits: self.limits(), clock: Arc::clone(&self.clock) };
        let seen = ctx.tx_step("intend", intend).await?;
        let end = self.pursue(ctx, seen).await?;
        if end.status == "paid" {
            ctx.tx_step("mail statement", MailStatement { input, clock: Arc::clone(&self.clock) }).await?;
        }
        Ok(end)
    }
}

impl PayoutRun {
    /// Pursues a payout that was made until the provider's word is final.
    pub(crate) async fn pursue<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, mut seen: Standing) -> Result<PayoutEnd, Interrupt> {
        let mut pursuit = Pursuit { unsent: Arc::new(AtomicBool::new(false)), asked: false, in_doubt: false, refused: None, idle: 0 };
        for turn in 1..=TURNS_MAX {
            let before = (seen.status.clone(), seen.reason.clone());
            seen = match seen.status.as_str() {
                "held" => self.wait_until_free(ctx, turn, seen, &pursuit).await?,
                "intended" => self.request(ctx, turn, &seen, &mut pursuit).await?,
                "requested" | "unknown" if !pursuit.asked => self.ask(ctx, turn, &seen, &mut pursuit).await?,
                "requested" | "unknown" => self.wait_for_word(ctx, turn, seen, &mut pursuit).await?,
                _ => return Ok(PayoutEnd { payout: seen.payout, status: seen.status }),
            };
            pursuit.idle = if before == (seen.status.clone(), seen.reason.clone()) { pursuit.idle + 1 } else { 0 };
        }
        // It may end yet: nothing fails for want of looks.
        let end = ctx.step("look whether it has ended after all", |_key| asking::ended(self, &seen.payout)).await?;
        match end {
            Outcome::Known(status) => Ok(PayoutEnd { payout: seen.payout, status }),
            Outcome::Unknown { reason } => Err(Interrupt::fail(reason)),
        }
    }

    /// The caps, and what the provider itself can't pay.
    pub(crate) fn limits(&self) -> Limits {
        Limits { accounts_only: self.provider.capabilities().handling == Handling::Files, ..self.limits.clone() }
    }

    /// A held payout waits for whoever can free it, and looks by itself ever more seldom.
    async fn wait_until_free<C: Context<Tx = DatabaseTransaction>>(
        &self,
        ctx: &C,
        turn: u32,
        seen: Standing,
        pursuit: &Pursuit,
    ) -> Result<Standing, Interrupt> {
        let deadline = seen.at.plus(wait(pursuit.idle));
        let deadline = seen.free_at.map_or(deadline, |free_at| deadline.min(free_at.max(seen.at)));
        ctx.signal::<bool>(&format!("{LOOK_AGAIN} #{turn}"), Some(deadline)).await?;
        let look = LookAgain { payout: seen.payout, limits: self.limits(), told: seen.reason, clock: Arc::clone(&self.clock) };
        ctx.tx_step(&format!("see whether it is free #{turn}"), look).await
    }

    /// The ledger moves the money into transit, and the intent is committed, before the first byte leaves.
    async fn request<C: Context<Tx = DatabaseTransaction>>(
        &self,
        ctx: &C,
        turn: u32,
        seen: &Standing,
        pursuit: &mut Pursuit,
    ) -> Result<Standing, Interrupt> {
        pursuit.asked = false;
        let request = Request {
            payout: seen.payout.clone(),
            adapter: self.provider.capabilities().adapter,
            limits: self.limits(),
            unsent: Arc::clone(&pursuit.unsent),
            clock: Arc::clone(&self.clock),
        };
        ctx.tx_step(&format!("request #{turn}"), request).await
    }

    async fn ask<C: Context<Tx = DatabaseTransaction>>(
        &self,
        ctx: &C,
        turn: u32,
        seen: &Standing,
        pursuit: &mut Pursuit,
    ) -> Result<Standing, Interrupt> {
        let (unsent, in_doubt) = (Arc::clone(&pursuit.unsent), pursuit.in_doubt);
        let held = ctx.still_held();
        let call = |_key| asking::ask(self, &seen.payout, in_doubt, Arc::clone(&unsent), &held);
        let heard = ctx.step(&format!("ask the provider #{turn}"), call).await?;
        pursuit.asked = true;
        pursuit.refused = if let Outcome::Known(Heard::RepeatRefused { reason }) = &heard { Some(reason.clone()) } else { None };
        // What was accepted has arrived, whatever is heard of it later.
        pursuit.in_doubt |=
            matches!(heard, Outcome::Unknown { .. } | Outcome::Known(Heard::Accepted { .. } | Heard::NotTaken { in_doubt: true, .. }));
        let seen = self.note(ctx, &format!("note the answer #{turn}"), seen, &heard, asking::ANSWER).await?;
        let Outcome::Known(Heard::NotTaken { after_ms, .. }) = heard else { return Ok(seen) };
        // This attempt surely has not arrived: it may leave again, later, with the same key and bytes.
        let wait = Duration::from_millis(after_ms.unwrap_or(0)).max(wait(pursuit.idle)).min(LONGEST_WAIT);
        ctx.signal::<bool>(&format!("{LOOK_AGAIN} #{turn}"), Some(seen.at.plus(wait))).await?;
        self.send_again(ctx, turn, seen, pursuit).await
    }

    /// Waits for the provider's own message, and asks it where it stands when none comes.
    async fn wait_for_word<C: Context<Tx = DatabaseTransaction>>(
        &self,
        ctx: &C,
        turn: u32,
        seen: Standing,
        pursuit: &mut Pursuit,
    ) -> Result<Standing, Interrupt> {
        let can = self.provider.capabilities();
        let pace = match can.poll_every {
            Some(every) if seen.status == "requested" => grown(every, pursuit.idle).max(wait(pursuit.idle.min(3))),
            Some(_) | None if pursuit.refused.is_some() => wait(pursuit.idle).max(REFUSED_LOOK),
            Some(_) | None => wait(pursuit.idle),
        };
        let told = ctx.signal::<bool>(&format!("{LOOK_AGAIN} #{turn}"), Some(seen.at.plus(pace))).await?;
        if told.is_some() {
            return ctx.tx_step(&format!("see where it stands #{turn}"), Note::nothing(&seen.payout, &self.clock)).await;
        }
        let mut heard = ctx.step(&format!("look it up #{turn}"), |_key| asking::look_up(self, &seen.payout)).await?;
        if heard == Outcome::Known(Heard::NotFound)
            && let Some(reason) = pursuit.refused.take()
        {
            // It refuses the payout, and some time later does not know of any: no attempt has arrived.
            heard = Outcome::Known(Heard::Failed { provider_id: None, reason });
        }
        let after = self.note(ctx, &format!("note what was found #{turn}"), &seen, &heard, asking::LOOK_UP).await?;
        if after.status == "unknown" && heard == Outcome::Known(Heard::NotFound) {
            return self.send_again(ctx, turn, after, pursuit).await;
        }
        Ok(after)
    }

    async fn send_again<C: Context<Tx = DatabaseTransaction>>(
        &self,
        ctx: &C,
        turn: u32,
        seen: Standing,
        pursuit: &mut Pursuit,
    ) -> Result<Standing, Interrupt> {
        let again = SendAgain {
            payout: seen.payout,
            in_doubt: pursuit.in_doubt,
            window: self.provider.capabilities().dedupe_window,
            unsent: Arc::clone(&pursuit.unsent),
            clock: Arc::clone(&self.clock),
        };
        let (seen, may_leave) = ctx.tx_step(&format!("send again #{turn}"), again).await?;
        pursuit.asked = !may_leave;
        Ok(seen)
    }

    async fn note<C: Context<Tx = DatabaseTransaction>>(
        &self,
        ctx: &C,
        name: &str,
        seen: &Standing,
        heard: &Outcome<Heard>,
        source: &'static str,
    ) -> Result<Standing, Interrupt> {
        let adapter = self.provider.capabilities().adapter;
        let note = Note { payout: seen.payout.clone(), heard: Some(heard.clone()), source, adapter, clock: Arc::clone(&self.clock) };
        ctx.tx_step(name, note).await
    }
}

/// The wait after so many looks that changed nothing.
fn wait(idle: u32) -> Duration {
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(idle.min(20))).min(LONGEST_WAIT)
}

/// The wait between two looks at what was accepted: half as long again after each that changed nothing, up to a day.
fn grown(every: Duration, idle: u32) -> Duration {
    let longest = LONGEST_WAIT.max(every);
    (0..idle.min(64)).fold(every, |pace, _| (pace + pace / 2).min(longest))
}

fn id_of(payout: &str) -> Result<PayoutId, StepError> {
    payout.parse().map_err(|error: program::payout::NotAPayoutId| StepError::fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_too_long_stay_different() {
        let (a, b) = ("ü".repeat(100), format!("{}x", "ü".repeat(99)));
        assert!(fitting(a.clone()).len() <= KEY_BYTES_MAX);
        assert_ne!(fitting(a), fitting(b));
        assert_eq!(fitting("short".into()), "short");
    }

    #[test]
    fn waits_grow_up_to_a_day() {
        assert_eq!(wait(0), FIRST_WAIT);
        assert_eq!(wait(3), FIRST_WAIT * 8);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
    }
}
