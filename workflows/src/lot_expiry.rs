//! Co-op lots that have ended expire, before their period is made final (domain.md §6.2).

use std::fmt;
use std::sync::Arc;

use books::wallet;
use durable::{Clock, Context, Interrupt, StepError, TxStep, Workflow};
use program::calendar::Date;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{payout, steps};

/// What a run is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryInput {
    /// The programme.
    pub program: String,
    /// The day by which lots must have ended.
    pub day: Date,
}

impl ExpiryInput {
    /// The key of the run.
    #[must_use]
    pub fn key(&self) -> String {
        payout::fitting(format!("{}/{}", self.program, self.day))
    }
}

/// The process.
pub struct LotExpiry {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for LotExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LotExpiry").finish_non_exhaustive()
    }
}

impl Workflow for LotExpiry {
    const NAME: &'static str = "lot_expiry";
    type Input = ExpiryInput;
    /// Wallets in which something expired.
    type Output = usize;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: ExpiryInput) -> Result<usize, Interrupt> {
        ctx.tx_step("expire lots", Expire { input, clock: Arc::clone(&self.clock) }).await
    }
}

struct Expire {
    input: ExpiryInput,
    clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Expire {
    type Out = usize;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<usize, StepError> {
        let expired = wallet::expire_until(tx, &self.input.program, self.input.day, steps::now(&self.clock)).await;
        expired.map_err(|error| StepError::caused_by(&error))
    }
}
