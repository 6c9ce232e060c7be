//! Partners are told of certificates that end soon: their tier may depend on them.

use std::fmt;
use std::sync::Arc;

use books::certifications;
use durable::{Clock, Context, Interrupt, StepError, TxStep, Workflow};
use program::calendar::Date;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::letters::{self, Letter};
use crate::{payout, steps};

/// How many days before its end a certificate is told of.
pub const NOTICE_DAYS: u32 = 30;
/// Letters that one step posts.
const AT_ONCE: u16 = 500;
/// Steps of one run at most.
const ROUNDS_MAX: usize = 1_000;

/// What a run is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticesInput {
    /// The day; certificates are not a programme's.
    pub day: Date,
}

impl NoticesInput {
    /// The key of the run.
    #[must_use]
    pub fn key(&self) -> String {
        payout::fitting(self.day.to_string())
    }
}

/// The process.
pub struct CertificationNotices {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for CertificationNotices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificationNotices").finish_non_exhaustive()
    }
}

impl Workflow for CertificationNotices {
    const NAME: &'static str = "certification_notices";
    type Input = NoticesInput;
    /// Certificates that were looked at.
    type Output = usize;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: NoticesInput) -> Result<usize, Interrupt> {
        let (mut after, mut count) = (String::new(), 0);
        for round in 1..=ROUNDS_MAX {
            let tell = Tell { day: input.day, after, clock: Arc::clone(&self.clock) };
            let (told, last) = ctx.tx_step(&format!("tell of what ends #{round}"), tell).await?;
            count += told;
            let Some(last) = last else { break };
            after = last;
        }
        Ok(count)
    }
}

struct Tell {
    day: Date,
    after: String,
    clock: Arc<dyn Clock>,
}

impl TxStep<DatabaseTransaction> for Tell {
    type Out = (usize, Option<String>);

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Self::Out, StepError> {
        let ending = certifications::expiring(tx, self.day, NOTICE_DAYS, &self.after, AT_ONCE).await;
        let ending = ending.map_err(|error| StepError::caused_by(&error))?;
        for certificate in ending.iter().filter(|certificate| certificate.email.is_some()) {
            let letter = Letter::CertificationExpiring { certification: certificate.id.clone() };
            letters::post_in_step(tx, &letter, steps::now(&self.clock)).await?;
        }
        let is_last = ending.len() < usize::from(AT_ONCE);
        Ok((ending.len(), if is_last { None } else { ending.into_iter().next_back().map(|certificate| certificate.id) }))
    }
}
