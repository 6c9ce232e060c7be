//! A payout with all that is known of it.

use serde_json::{Value as Json, json};

use super::{Amount, Kind, PayoutId, State};
use crate::calendar::{Date, Instant, Period};
use crate::line::Text;
use crate::money::Currency;

/// A payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Its id.
    pub id: PayoutId,
    /// What it pays.
    pub kind: Kind,
    /// The settlement or claim.
    pub reference: Text,
    /// The programme.
    pub program: Text,
    /// Whom.
    pub partner: Text,
    /// The settlement's period; `None` for claims.
    pub period: Option<Period>,
    /// How much, minor units.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Where it stands.
    pub state: State,
    /// The id of the destination that its request names.
    pub destination: Option<Text>,
    /// That destination's digest.
    pub destination_digest: Option<Text>,
    /// The key under which it is sent, and sent again.
    pub idempotency_key: Text,
    /// The exact body that is sent; `None` while it was never admitted.
    pub request: Option<Text>,
    /// How often it was, or was about to be, sent.
    pub attempts: i64,
    /// The adapter that it was given to.
    pub provider: Option<Text>,
    /// What the provider calls it.
    pub provider_id: Option<Text>,
    /// The failed payout that it is another try of.
    pub retried_from: Option<PayoutId>,
    /// The run that sees to it.
    pub workflow: Option<Text>,
    /// The day (UTC) whose caps it counts in.
    pub counted_on: Option<Date>,
    /// Who let it go over the caps.
    pub released_by: Option<Text>,
    /// When it was first intended.
    pub intended_at: Instant,
    /// When it was requested.
    pub requested_at: Option<Instant>,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// How often it was changed; also the number of its last event.
    pub revision: i64,
}

impl Payout {
    /// How much it pays.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        Amount { minor: self.amount_minor, currency: self.currency }
    }

    /// Its JSON: first what interface.md §5 names, then more. No account is shown, but its digest.
    #[must_use]
    pub fn json(&self) -> Json {
        let at = |at: Option<Instant>| at.map(|at| at.to_string());
        json!({
            "id": self.id.as_str(), "kind": self.kind.name(), "reference": &*self.reference, "partner": &*self.partner,
            "amount": self.currency.format_minor(self.amount_minor), "currency": self.currency.code(), "status": self.state.name(),
            "idempotency_key": &*self.idempotency_key, "attempts": self.attempts, "provider_id": self.provider_id.as_deref(),
            "reason": self.state.reason().filter(|reason| !reason.is_empty()), "workflow": self.workflow.as_deref(),
            "program": &*self.program, "period": self.period.map(|period| period.to_string()), "provider": self.provider.as_deref(),
            "destination": self.destination.as_deref(), "destination_digest": self.destination_digest.as_deref(),
            "retried_from": self.retried_from.as_ref().map(PayoutId::as_str), "released_by": self.released_by.as_deref(),
            "intended_at": self.intended_at.to_string(), "requested_at": at(self.requested_at), "ended_at": at(self.ended_at),
        })
    }
}
