//! Who does a partner's work: one command to a partner at a time, partners side by side.

use books::settlement::SettleError;
use books::settlement::run::Parked;
use futures::future::BoxFuture;
use program::calendar::Period;
use program::line::Text;

/// Takes commands to partners.
pub trait Partners: Send + Sync {
    /// Makes the settlements of some payees of a rated period final, each as a command to its partner; those that can't be made come back
    /// with the reason.
    ///
    /// # Idempotency
    /// (program, partner, period, currency).
    ///
    /// # Errors
    /// What concerns all of them.
    fn finish<'a>(&'a self, program: &'a str, period: Period, payees: Vec<Text>) -> BoxFuture<'a, Result<Vec<Parked>, SettleError>>;
}
