//! Who moves the money: a payment provider, or a person.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use program::payout::Amount;

/// Moves money to partners, or tells somebody to.
///
/// Every adapter passes the same contract suite.
pub trait PayoutPort: Send + Sync {
    /// What it can do; it never changes while the process runs.
    fn capabilities(&self) -> Capabilities;

    /// Asks for the money to be moved.
    ///
    /// # Errors
    /// [`PortError`]; its [`PortError::certainty`] says whether the money may have moved.
    ///
    /// # Idempotency
    /// The key of the request, for as long as [`Capabilities::dedupe_window`]; a repeat must have the same bytes.
    fn request<'a>(&'a self, request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>>;

    /// What became of a payout that was asked for, or may have been.
    ///
    /// # Errors
    /// [`PortError`]. None of them says anything about the payout itself.
    fn look_up<'a>(&'a self, payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>>;

    /// As [`Self::look_up`], of a payout of this amount: what a provider has by another amount is no word about it.
    ///
    /// # Errors
    /// [`PortError`]; [`PortError::OtherAmount`] where the provider tells amounts.
    fn look_up_of<'a>(&'a self, payout: &'a str, _amount: Amount) -> BoxFuture<'a, Result<Word, PortError>> {
        self.look_up(payout)
    }
}

/// What a way of paying can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name in the configuration and in the books.
    pub adapter: &'static str,
    /// Who acts on a request.
    pub handling: Handling,
    /// Whether [`PayoutPort::look_up`] answers.
    pub looks_up: bool,
    /// How long the provider remembers a key, counted from the first request; `None`: it does not, so nothing is ever sent twice.
    pub dedupe_window: Option<Duration>,
    /// Whether the final word comes by a signed webhook.
    pub reports_by_webhook: bool,
    /// How often to look up what was accepted and has no final word; `None`: not at all.
    pub poll_every: Option<Duration>,
}

/// Who acts on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// The provider, at once or within its time.
    Provider,
    /// A person, who says the final word.
    Manual,
    /// A file for the bank, which a person uploads.
    Files,
}

/// A request as it was committed with its intent.
#[derive(Clone, PartialEq, Eq)]
pub struct PayoutRequest {
    /// Our id of the payout.
    pub payout: String,
    /// The key by which the provider knows a repeat.
    pub idempotency_key: String,
    /// Its bytes, sent as they are.
    pub body: Vec<u8>,
}

/// Without the bytes: they name the destination.
impl fmt::Debug for PayoutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayoutRequest")
            .field("payout", &self.payout)
            .field("idempotency_key", &self.idempotency_key)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The provider's word on a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It was taken and its end is not known yet.
    Accepted {
        /// The provider's id of it, if it gives one.
        provider_id: Option<String>,
    },
    /// The money has moved.
    Paid {
        /// The provider's id of it.
        provider_id: Option<String>,
    },
    /// The money has not moved, or has come back, and will not move.
    Failed {
        /// The provider's id of it.
        provider_id: Option<String>,
        /// Why, in the provider's words.
        reason: String,
    },
    /// A look-up found nothing: it was never received. No answer to a request.
    NotFound,
}

/// Whether the money may have moved when a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// No byte of the request left, or the provider said that it has not looked at it: it may be sent again, with the same key and bytes.
    NotTaken,
    /// The provider has said no for good.
    Refused,
    /// It may have moved: look it up or wait for the provider's word; no new key, no posting.
    Unknown,
    /// It can't be told by machine: nothing is sent again before a person has looked.
    Stopped,
}

/// Why there is no word of the provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Nothing left this machine: no address, no connection, an address that must not be spoken to.
    #[error("the provider was not reached, and nothing was sent: {reason}")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// Timeout, reset, 5xx or an answer that can't be read, after the request may have arrived.
    #[error("the provider may have acted: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The provider has refused it for good (4xx, as configured).
    #[error("the provider refused it with {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The provider's words.
        reason: String,
    },
    /// 409: the provider is at work on the same key, or has seen it: look it up.
    #[error("the provider answered 409, so it knows this payout already: {reason}")]
    Conflict {
        /// The provider's words.
        reason: String,
    },
    /// 422 and whatever else says that we and the provider don't understand each other: stop and alert.
    #[error("the provider answered {status}; nothing is sent again before somebody has looked at it: {reason}")]
    Stop {
        /// The HTTP status.
        status: u16,
        /// The provider's words.
        reason: String,
    },
    /// 429: later.
    #[error("the provider asks to wait: {reason}")]
    Throttled {
        /// How long, if it said so.
        retry_after: Option<Duration>,
        /// The provider's words.
        reason: String,
    },
    /// 3xx: a failure, never followed.
    #[error("the provider answered with a redirect ({status}), which is never followed; put its final address into payouts.url")]
    Redirected {
        /// The HTTP status.
        status: u16,
    },
    /// The provider knows the payout by another amount, such as from books that a backup has taken back.
    #[error("the provider has it with {told}, here it is {ours}: a person must compare the books of both")]
    OtherAmount {
        /// What the provider says.
        told: String,
        /// What is asked for here.
        ours: Amount,
    },
    /// This adapter can't do that.
    #[error("the adapter {adapter} can't {what}")]
    Unsupported {
        /// Its name.
        adapter: &'static str,
        /// What was asked of it.
        what: &'static str,
    },
    /// The request itself can't be put into the provider's words; nothing was sent.
    #[error("the payout can't be asked for: {reason}")]
    Unusable {
        /// Why.
        reason: String,
    },
}

impl PortError {
    /// Whether the money may have moved by the attempt that got this answer. It says nothing about attempts before: a payout that is unknown
    /// stays so when a repeat is not sent, throttled or refused.
    #[must_use]
    pub const fn certainty(&self) -> Certainty {
        match self {
            Self::NotSent { .. } | Self::Throttled { .. } => Certainty::NotTaken,
            Self::Refused { .. } | Self::Redirected { .. } => Certainty::Refused,
            Self::Unknown { .. } | Self::Conflict { .. } | Self::OtherAmount { .. } => Certainty::Unknown,
            Self::Stop { .. } | Self::Unsupported { .. } | Self::Unusable { .. } => Certainty::Stopped,
        }
    }

    /// How long the provider asked to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        if let Self::Throttled { retry_after, .. } = self { *retry_after } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_number_never_shows_in_full() {
        let request = PayoutRequest { payout: "pay_1".into(), idempotency_key: "k".into(), body: b"DE89370400440532013000".to_vec() };
        assert!(!format!("{request:?}").contains("DE89"));
    }

    #[test]
    fn only_what_surely_did_not_arrive_may_be_sent_again() {
        let reason = String::new;
        for (error, certainty) in [
            (PortError::NotSent { reason: reason() }, Certainty::NotTaken),
            (PortError::Throttled { retry_after: None, reason: reason() }, Certainty::NotTaken),
            (PortError::Unknown { reason: reason() }, Certainty::Unknown),
            (PortError::Conflict { reason: reason() }, Certainty::Unknown),
            (PortError::Refused { status: 400, reason: reason() }, Certainty::Refused),
            (PortError::Redirected { status: 307 }, Certainty::Refused),
            (PortError::Stop { status: 422, reason: reason() }, Certainty::Stopped),
        ] {
            assert_eq!(error.certainty(), certainty, "{error}");
        }
    }
}
