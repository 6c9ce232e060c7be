//! A quarter is reviewed: tiers are earned, kept or lost (domain.md §5.2).

use std::fmt;
use std::sync::Arc;

use books::review;
use durable::{Clock, Context, Interrupt, StepError, TxStep, Workflow};
use program::calendar::Date;
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
        let reviewed = reviewed.map_err(|error| steps::told(error.is_input(), &error))?;
        let changed = reviewed.iter().filter(|review| review.tier != review.new_tier).count();
        Ok(ReviewEnd { reviewed: reviewed.len(), changed })
    }
}
