//! Payouts that somebody in finance makes by hand: `payout mark-paid` and `mark-failed` are the final word.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use workflows::ports::{Capabilities, Handling, PayoutPort, PayoutRequest, PortError, Word};

/// Asks nobody: the payout waits in the list of those requested.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManualPayouts;

impl PayoutPort for ManualPayouts {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            adapter: "manual",
            handling: Handling::Manual,
            looks_up: false,
            dedupe_window: None,
            reports_by_webhook: false,
            poll_every: None,
        }
    }

    fn request<'a>(&'a self, _request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>> {
        async { Ok(Word::Accepted { provider_id: None }) }.boxed()
    }

    fn look_up<'a>(&'a self, _payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>> {
        async { Err(PortError::Unsupported { adapter: "manual", what: "look a payout up: ask who pays" }) }.boxed()
    }
}
