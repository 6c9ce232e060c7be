//! A month becomes money: its period and the open ones before it are rated, made final payee by payee, closed, and what they owe is paid.

use std::fmt;
use std::sync::Arc;

use books::connection::Books;
use books::payouts::due::{self, Due};
use books::settlement::SettleError;
use books::settlement::run::{self, Parked, Target};
use books::statements;
use durable::{Clock, Context, Interrupt, Outcome, StepError, TxStep, Workflow};
use program::calendar::Period;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::letters::{self, Letter};
use crate::payout::{self, PayoutInput, PayoutRun};
use crate::ports::Partners;
use crate::{mdf_claim, recertification, steps};

/// Payouts that one step starts, and letters that one step posts.
const AT_ONCE: usize = 500;
/// Steps of one kind that a period needs at most: half a million settlements.
const ROUNDS_MAX: usize = 1_000;

/// What a run is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementInput {
    /// The programme.
    pub program: String,
    /// The last period to make final, `YYYY-MM`; the open ones before it come first.
    pub period: String,
}

impl SettlementInput {
    /// The key of the run: a period is settled by one run, whoever starts it.
    #[must_use]
    pub fn key(&self) -> String {
        payout::fitting(format!("{}/{}", self.program, self.period))
    }
}

/// What a run has made final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The periods that were open, in order.
    pub periods: Vec<String>,
    /// Payouts that were started.
    pub payouts: usize,
}

/// The process.
pub struct SettlementRun {
    /// The books.
    pub books: Books,
    /// Who finishes payees.
    pub partners: Arc<dyn Partners>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for SettlementRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettlementRun").finish_non_exhaustive()
    }
}

impl Workflow for SettlementRun {
    const NAME: &'static str = "settlement_run";
    type Input = SettlementInput;
    type Output = Settled;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: SettlementInput) -> Result<Settled, Interrupt> {
        let open = ctx.tx_step("find open periods", OpenPeriods { input: input.clone(), clock: Arc::clone(&self.clock) }).await?;
        let mut payouts = 0;
        for period in &open {
            self.rate(ctx, &input.program, period).await?;
            let parked = self.finish(ctx, &format!("finish {period}"), &input.program, period).await?;
            if !parked.is_empty() {
                // What is final is paid; the period stays open until the rest is repaired.
                payouts += self.pay(ctx, "pay what is final of", &input.program, period).await?;
                self.repair(ctx, &input.program, period).await?;
            }
            self.close(ctx, &input.program, period).await?;
            payouts += self.pay(ctx, "pay", &input.program, period).await?;
            self.tell_carried(ctx, &input.program, period).await?;
        }
        if open.is_empty() {
            // It was made final by a command; what it owes is paid and told all the same.
            payouts += self.pay(ctx, "pay", &input.program, &input.period).await?;
            self.tell_carried(ctx, &input.program, &input.period).await?;
        }
        Ok(Settled { periods: open, payouts })
    }
}

impl SettlementRun {
    async fn rate<C: Context>(&self, ctx: &C, program: &str, period: &str) -> Result<(), Interrupt> {
        let call = |_key| async {
            let parsed = parsed(period)?;
            let rated = run::rate_period(&self.books, program, parsed, steps::now(&self.clock)).await;
            rated.map(Outcome::Known).map_err(|error| steps::told(error.is_input(), &error))
        };
        ctx.step(&format!("rate {period}"), call).await.map(|_: Outcome<()>| ())
    }

    /// Commands each payee's partner to make its settlements final; those that can't be are named.
    async fn finish<C: Context>(&self, ctx: &C, name: &str, program: &str, period: &str) -> Result<Vec<String>, Interrupt> {
        let call = |_key| async { Ok(Outcome::Known(self.finish_now(program, period).await?.iter().map(said).collect())) };
        match ctx.step(name, call).await? {
            Outcome::Known(parked) => Ok(parked),
            Outcome::Unknown { reason } => Err(Interrupt::fail(reason)),
        }
    }

    async fn finish_now(&self, program: &str, period: &str) -> Result<Vec<Parked>, StepError> {
        let period = parsed(period)?;
        let tx = self.books.begin_read().await?;
        let payees = run::unfinished(&tx, program, period).await.map_err(|error| StepError::caused_by(&error))?;
        tx.rollback().await?;
        let mut parked = self.partners.finish(program, period, payees).await.map_err(|error| steps::told(false, &error))?;
        parked.sort_by(|a, b| a.payee.cmp(&b.payee));
        // A result has its size; whoever looks needs some names, not all.
        parked.truncate(100);
        Ok(parked)
    }

    /// Parks the run until those that could not be made final can.
    async fn repair<C: Context>(&self, ctx: &C, program: &str, period: &str) -> Result<(), Interrupt> {
        let call = |_key| async {
            let parked = self.finish_now(program, period).await?;
            if parked.is_empty() {
                return Ok(Outcome::Known(()));
            }
            let reasons: Vec<String> = parked.iter().map(said).collect();
            Err(StepError::park(format!("these settlements of {period} can't be made final; mend the cause and retry: {}", reasons.join("; "))))
        };
        ctx.step(&format!("repair {period}"), call).await.map(|_: Outcome<()>| ())
    }

    async fn close<C: Context>(&self, ctx: &C, program: &str, period: &str) -> Result<(), Interrupt> {
        let call = |_key| async {
            let closed = run::close_period(&self.books, program, parsed(period)?, steps::now(&self.clock)).await;
            closed.map(Outcome::Known).map_err(|error| steps::told(error.is_input(), &error))
        };
        ctx.step(&format!("close {period}"), call).await.map(|_: Outcome<()>| ())
    }

    /// Starts a payout for each settlement that is due; they go on by themselves.
    async fn pay<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, what: &str, program: &str, period: &str) -> Result<usize, Interrupt> {
        let mut count = 0;
        let mut after = None;
        for round in 1..=ROUNDS_MAX {
            let find = DuePayouts { program: program.into(), period: period.into(), after: after.clone() };
            let due = ctx.tx_step(&format!("{what} {period}: find #{round}"), find).await?;
            let Some(last) = due.last() else { break };
            after = Some((last.partner.clone(), last.currency.clone()));
            count += due.len();
            let children = due.into_iter().map(|input| (input.key(), input)).collect();
            ctx.start_children::<PayoutRun>(&format!("{what} {period}: start #{round}"), children).await?;
        }
        Ok(count)
    }

    /// Tells the partners whose balance is carried forward; and the runs of claims that wait for accruals.
    async fn tell_carried<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, program: &str, period: &str) -> Result<(), Interrupt> {
        let mut after = None;
        for round in 1..=ROUNDS_MAX {
            let clock = Arc::clone(&self.clock);
            let tell = TellCarried { program: program.into(), period: period.into(), after, clock };
            after = ctx.tx_step(&format!("tell what {period} carries forward #{round}"), tell).await?;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }
}

fn said(parked: &Parked) -> String {
    format!("{}: {}", parked.payee, parked.reason)
}

fn parsed(period: &str) -> Result<Period, StepError> {
    period.parse().map_err(|error: program::calendar::CalendarError| StepError::fail(error.to_string()))
}

struct OpenPeriods {
    input: SettlementInput,
    clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for OpenPeriods {
    type Out = Vec<String>;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Vec<String>, StepError> {
        let target = Target::Through(parsed(&self.input.period)?);
        let open = match run::open_periods(tx, &self.input.program, target, Some(steps::now(&self.clock))).await {
            // A schedule that begins before its programme does has nothing to settle yet, and must not stop there.
            Err(SettleError::BeforeFirst { .. }) => Vec::new(),
            open => open.map_err(|error| steps::told(error.is_input(), &error))?,
        };
        if let Some(last) = open.last() {
            let review = recertification::first_before(tx, &self.input.program, *last).await.map_err(|error| StepError::caused_by(&error))?;
            if let Some(review) = review {
                // One that is being made is waited for; one that is not for a person to see to.
                return Err(StepError::retry(review.to_string()));
            }
        }
        Ok(open.iter().map(ToString::to_string).collect())
    }
}

struct DuePayouts {
    program: String,
    period: String,
    after: Option<(String, String)>,
}

impl TxStep<DatabaseTransaction> for DuePayouts {
    type Out = Vec<PayoutInput>;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Vec<PayoutInput>, StepError> {
        let due = due::due(tx, &self.program, parsed(&self.period)?).await.map_err(|error| StepError::caused_by(&error))?;
        let is_next = |due: &&Due| self.after.as_ref().is_none_or(|(partner, currency)| (&*due.partner, due.currency.code()) > (partner, currency));
        Ok(due.iter().filter(is_next).take(AT_ONCE).map(PayoutInput::of).collect())
    }
}

struct TellCarried {
    program: String,
    period: String,
    after: Option<(String, String)>,
    clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for TellCarried {
    type Out = Option<(String, String)>;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Self::Out, StepError> {
        let now = steps::now(&self.clock);
        if self.after.is_none() {
            // What was accrued may be what claims wait for.
            mdf_claim::accrued(tx, &self.program, &self.period, now).await.map_err(|error| StepError::caused_by(&error))?;
        }
        let after = self.after.as_ref().map(|(partner, currency)| (partner.as_str(), currency.as_str()));
        let carried = statements::carried_forward(tx, &self.program, parsed(&self.period)?, after, AT_ONCE).await;
        let carried = carried.map_err(|error| StepError::caused_by(&error))?;
        for (partner, currency) in &carried {
            let letter = Letter::CarriedForward {
                program: self.program.clone(),
                partner: partner.clone(),
                period: self.period.clone(),
                currency: currency.clone(),
            };
            letters::post_in_step(tx, &letter, now).await?;
        }
        Ok(if carried.len() < AT_ONCE { None } else { carried.into_iter().next_back() })
    }
}
