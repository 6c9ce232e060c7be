//! The steps of a payout in the books: each commits with its journal row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use books::instance;
use books::payouts::hear::{self, Said};
use books::payouts::intend::{self, Names, Purpose};
use books::payouts::limits::Limits;
use books::payouts::record::{self, Source};
use books::payouts::request::{self, Again};
use books::payouts::{PayoutError, destinations};
use books::release::Whose;
use durable::{Clock, Instant, Outcome, RunId, StepError, TxStep};
use program::money::Currency;
use program::payout::{HeldFor, Payout, PayoutId, State, Word};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use super::asking::{ANSWER, Heard, TOO_LATE, may_repeat};
use super::{PayoutInput, id_of, id_of_payment};
use crate::letters::{self, Letter};
use crate::steps;

/// Where a payout stands, as the process goes by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// `pay_…`.
    pub(super) payout: String,
    /// Its status.
    pub(super) status: String,
    /// Why it stands so.
    pub(super) reason: Option<String>,
    /// When it was looked at.
    pub(super) at: Instant,
    /// When what holds it is over by itself, where that is known.
    pub(super) free_at: Option<Instant>,
}

/// Where a payout stands after a step; people are told of one that has failed with that.
async fn standing(tx: &DatabaseTransaction, payout: &Payout, at: program::calendar::Instant) -> Result<Standing, StepError> {
    standing_by(tx, payout, at, &Limits::default()).await
}

/// As [`standing`], with what holds payouts in this deployment.
async fn standing_by(tx: &DatabaseTransaction, payout: &Payout, at: program::calendar::Instant, limits: &Limits) -> Result<Standing, StepError> {
    letters::tell_if_failed(tx, payout, at).await.map_err(|error| StepError::caused_by(&error))?;
    let free_at = if payout.state == State::Held(HeldFor::CoolingOff) {
        let usable = destinations::in_force(tx, &payout.partner, payout.currency).await.map_err(|error| StepError::caused_by(&error))?;
        usable.map(|usable| steps::at(usable.free_at(limits.cooling_off_us)))
    } else {
        None
    };
    let reason = payout.state.reason().map(str::to_owned);
    Ok(Standing { payout: payout.id.to_string(), status: payout.state.name().into(), reason, at: steps::at(at), free_at })
}

fn told(error: &PayoutError) -> StepError {
    if error.is_input() { StepError::park(error.to_string()) } else { StepError::caused_by(error) }
}

/// Posts the notice of a hold, once a reason.
async fn tell_if_held(tx: &DatabaseTransaction, payout: &Payout, told: Option<&str>, now: program::calendar::Instant) -> Result<(), StepError> {
    let State::Held(reason) = payout.state else { return Ok(()) };
    // What the vendor has paused for a moment is no news for a partner.
    if reason == HeldFor::Paused || told == Some(reason.name()) {
        return Ok(());
    }
    letters::post_in_step(tx, &Letter::PayoutHeld { payout: payout.id.to_string(), reason: reason.name().into() }, now).await
}

/// Makes the payout, or finds the one that was made.
pub(super) struct Intend {
    pub(super) input: PayoutInput,
    pub(super) run: RunId,
    pub(super) limits: Limits,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Intend {
    type Out = Standing;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Standing, StepError> {
        let wrong = |error: &dyn std::error::Error| StepError::fail(error.to_string());
        let id = id_of_payment(tx, &format!("settlement {}", self.input.payment()), &self.run).await.map_err(|error| StepError::caused_by(&error))?;
        let period = self.input.period.parse().map_err(|error: program::calendar::CalendarError| wrong(&error))?;
        let currency: Currency = self.input.currency.parse().map_err(|error: program::money::MoneyError| wrong(&error))?;
        let whose = Whose { program: &self.input.program, partner: &self.input.partner, period };
        let names = Names { id: &id, key: id.as_str(), workflow: Some(self.run.as_str()) };
        let now = steps::now(&self.clock);
        made(tx, Purpose::Settlement { whose, currency }, names, now, &self.limits).await
    }
}

/// Makes a payout, or finds the one that was made, and tells the partner where it is held.
pub(crate) async fn made(
    tx: &DatabaseTransaction,
    purpose: Purpose<'_>,
    names: Names<'_>,
    now: program::calendar::Instant,
    limits: &Limits,
) -> Result<Standing, StepError> {
    let payout = intend::intend(tx, purpose, names, now, limits).await.map_err(|error| told(&error))?;
    tell_if_held(tx, &payout, None, now).await?;
    standing_by(tx, &payout, now, limits).await
}

/// Looks again at a held payout.
pub(super) struct LookAgain {
    pub(super) payout: String,
    pub(super) limits: Limits,
    pub(super) told: Option<String>,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for LookAgain {
    type Out = Standing;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Standing, StepError> {
        let now = steps::now(&self.clock);
        let payout = intend::reconsider(tx, &id_of(&self.payout)?, now, &self.limits).await.map_err(|error| told(&error))?;
        tell_if_held(tx, &payout, self.told.as_deref(), now).await?;
        standing_by(tx, &payout, now, &self.limits).await
    }
}

/// Moves the money into transit before the request leaves.
pub(super) struct Request {
    pub(super) payout: String,
    pub(super) adapter: &'static str,
    pub(super) limits: Limits,
    pub(super) unsent: Arc<AtomicBool>,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Request {
    type Out = Standing;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Standing, StepError> {
        let now = steps::now(&self.clock);
        let id = id_of(&self.payout)?;
        let was_requested = found(tx, &id).await?.state.is_in_transit();
        let confirmed = intend::confirm(tx, &id, now, &self.limits).await.map_err(|error| told(&error))?;
        tell_if_held(tx, &confirmed, None, now).await?;
        let payout = request::request(tx, &id, self.adapter, now).await.map_err(|error| told(&error))?;
        // Another may have requested it before; and books that come from a backup may have sent it, and have forgotten.
        let books = instance::find(tx).await.map_err(|error| StepError::caused_by(&error))?;
        self.unsent.store(!was_requested && books.is_none_or(|books| books.restored_at.is_none()), Ordering::SeqCst);
        standing_by(tx, &payout, now, &self.limits).await
    }
}

/// Counts another attempt before it leaves, if it may.
pub(super) struct SendAgain {
    pub(super) payout: String,
    /// Whether an attempt before may have arrived: then a repeat leaves only while the provider knows its key.
    pub(super) in_doubt: bool,
    pub(super) window: Option<Duration>,
    pub(super) unsent: Arc<AtomicBool>,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for SendAgain {
    type Out = (Standing, bool);

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(Standing, bool), StepError> {
        let (id, now) = (id_of(&self.payout)?, steps::now(&self.clock));
        let payout = found(tx, &id).await?;
        if self.in_doubt && payout.state.is_in_transit() && !may_repeat(&payout, self.window, now) {
            let payout = request::mark_unknown(tx, &id, TOO_LATE, now).await.map_err(|error| told(&error))?;
            return Ok((standing(tx, &payout, now).await?, false));
        }
        let again = request::again(tx, &id, now).await.map_err(|error| told(&error))?;
        let may_leave = match again {
            // A paused one asks again by itself, and finds the switch.
            Again::Send { .. } | Again::Paused => true,
            Again::No => false,
        };
        self.unsent.store(may_leave, Ordering::SeqCst);
        Ok((standing(tx, &found(tx, &id).await?, now).await?, may_leave))
    }
}

async fn found(tx: &DatabaseTransaction, id: &PayoutId) -> Result<Payout, StepError> {
    let payout = record::find(tx, id).await.map_err(|error| StepError::caused_by(&error))?;
    payout.ok_or_else(|| StepError::park(format!("there is no payout {id}")))
}

/// Notes what was heard of a payout, or looks where it stands.
pub(super) struct Note {
    pub(super) payout: String,
    pub(super) heard: Option<Outcome<Heard>>,
    pub(super) source: &'static str,
    pub(super) adapter: &'static str,
    pub(super) clock: Arc<dyn Clock>,
}

impl Note {
    pub(super) fn nothing(payout: &str, clock: &Arc<dyn Clock>) -> Self {
        Self { payout: payout.to_owned(), heard: None, source: ANSWER, adapter: "", clock: Arc::clone(clock) }
    }
}

impl TxStep<DatabaseTransaction> for Note {
    type Out = Standing;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Standing, StepError> {
        let (id, now) = (id_of(&self.payout)?, steps::now(&self.clock));
        let (word, provider_id, reason) = match &self.heard {
            Some(Outcome::Unknown { reason } | Outcome::Known(Heard::RepeatRefused { reason })) => {
                let payout = request::mark_unknown(tx, &id, reason, now).await.map_err(|error| told(&error))?;
                return standing(tx, &payout, now).await;
            }
            Some(Outcome::Known(Heard::Accepted { provider_id })) => (Some(Word::Accepted), provider_id.as_deref(), None),
            Some(Outcome::Known(Heard::Paid { provider_id })) => (Some(Word::Paid), provider_id.as_deref(), None),
            Some(Outcome::Known(Heard::Failed { provider_id, reason })) => (Some(Word::Failed), provider_id.as_deref(), Some(reason.as_str())),
            Some(Outcome::Known(Heard::NotFound)) => (Some(Word::NotFound), None, None),
            Some(Outcome::Known(Heard::NotTaken { .. } | Heard::Nothing)) | None => (None, None, None),
        };
        if let Some(word) = word {
            let source = if self.source == ANSWER { Source::Answer } else { Source::LookUp };
            let said = Said { word, source, provider: self.adapter, provider_id, reason, event: None, by: None };
            let (payout, _) = hear::provider_says(tx, &id, &said, now).await.map_err(|error| told(&error))?;
            return standing(tx, &payout, now).await;
        }
        standing(tx, &found(tx, &id).await?, now).await
    }
}

/// Posts the statement of what was paid.
pub(super) struct MailStatement {
    pub(super) input: PayoutInput,
    pub(super) clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for MailStatement {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        let PayoutInput { program, partner, period, currency, .. } = self.input.clone();
        letters::post_in_step(tx, &Letter::Statement { program, partner, period, currency }, steps::now(&self.clock)).await
    }
}
