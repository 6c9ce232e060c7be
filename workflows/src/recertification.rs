//! A quarter is reviewed: tiers are earned, kept or lost (domain.md §5.2).

use std::fmt;
use std::sync::Arc;

use books::load::row::LoadError;
use books::review;
use durable::schedules::{self, OpenSlot, ScheduleError, Slot};
use durable::{Clock, Context, Interrupt, StepError, TxStep, Workflow};
use program::calendar::{Date, Period};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{payout, steps};

/// What a run is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewInput {
    /// The programme.
    pub program: String,
    /// The day of the review.
    pub as_of: Date,
}

impl ReviewInput {
    /// The key of the run.
    #[must_use]
    pub fn key(&self) -> String {
        payout::fitting(format!("{}/{}", self.program, self.as_of))
    }
}

/// The id of the schedule of a programme's reviews.
#[must_use]
pub fn schedule(program: &str) -> String {
    format!("recertification/{program}")
}

/// A review that a schedule asks for, and that has to be made before a month becomes final: afterwards it would be refused, and the month be
/// rated by the tiers before it (domain.md §5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{program} {period} can't become final before the review of {as_of}: {open}; {}", self.advice())]
pub struct ReviewFirst {
    /// The programme.
    pub program: String,
    /// The month.
    pub period: Period,
    /// The day of the review.
    pub as_of: Date,
    /// Its slot.
    pub open: OpenSlot,
}

impl ReviewFirst {
    fn advice(&self) -> String {
        let (program, as_of, schedule) = (&self.program, self.as_of, &self.open.schedule);
        match &self.open.run {
            Some(run) => format!("see `workflow show {}`: mend what it waits for and retry it, or cancel it", run.id),
            None => format!("let the service make it, or make it by `recertify --program {program} --as-of {as_of}`, or `schedule pause {schedule}`"),
        }
    }
}

/// The first review that has to be made before a month becomes final. What is before the last review that was made, by whomever, is not:
/// reviews are made in order. Nor is one that is missed because its schedule is paused, or whose run was cancelled.
///
/// # Errors
/// The database failed.
pub async fn first_before(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Option<ReviewFirst>, ReviewsError> {
    let made = review::last(tx, program).await?.and_then(|day| day.and_hms_opt(23, 59, 59)).map(Slot);
    let open = schedules::first_open(tx, &schedule(program), made, |slot, _| slot.0.date() <= period.last_day()).await?;
    Ok(open.map(|open| ReviewFirst { program: program.to_owned(), period, as_of: open.slot.0.date(), open }))
}

/// Why nobody can say which reviews are to be made.
#[derive(Debug, thiserror::Error)]
pub enum ReviewsError {
    /// The reviews can't be read.
    #[error(transparent)]
    Made(#[from] LoadError),
    /// Their schedule can't be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// What a review came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewEnd {
    /// Members that were reviewed.
    pub reviewed: usize,
    /// Those whose tier changed.
    pub changed: usize,
}

/// The process.
pub struct Recertification {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Recertification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recertification").finish_non_exhaustive()
    }
}

impl Workflow for Recertification {
    const NAME: &'static str = "recertification";
    type Input = ReviewInput;
    type Output = ReviewEnd;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: ReviewInput) -> Result<ReviewEnd, Interrupt> {
        ctx.tx_step("review", Review { input, clock: Arc::clone(&self.clock) }).await
    }
}

struct Review {
    input: ReviewInput,
    clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Review {
    type Out = ReviewEnd;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<ReviewEnd, StepError> {
        let now = steps::now(&self.clock);
        let reviewed = review::review(tx, &self.input.program, self.input.as_of, now).await;
        let reviewed = reviewed.map_err(|error| {
            // Nobody has to see to what nobody can mend, and no month waits for it.
            if error.is_too_late() { StepError::fail(error.to_string()) } else { steps::told(error.is_input(), &error) }
        })?;
        let changed = reviewed.iter().filter(|review| review.tier != review.new_tier).count();
        Ok(ReviewEnd { reviewed: reviewed.len(), changed })
    }
}
