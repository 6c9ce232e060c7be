//! What is written to people.

use serde::Serialize;

/// A mail before it has words. Amounts are decimal texts, dates are ISO 8601.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Letter {
    /// A settlement, with its statement attached.
    Statement(Statement),
    /// A payout waits.
    PayoutHeld(PayoutHeld),
    /// A settlement under the minimum.
    CarriedForward(CarriedForward),
    /// A certification ends soon.
    CertificationExpiring(CertificationExpiring),
    /// To the old contact: money is about to go elsewhere.
    DestinationChanged(DestinationChanged),
    /// To those who run the service.
    Notice(Notice),
}

/// Of [`Letter::Statement`].
#[derive(Debug, Clone, Serialize)]
pub struct Statement {
    /// The partner's name.
    pub partner: String,
    /// The programme's name.
    pub program: String,
    /// `2026-04`.
    pub period: String,
    /// ISO 4217.
    pub currency: String,
    /// What was earned.
    pub net: String,
    /// What is paid.
    pub cash_payout: String,
    /// What waits for the next period.
    pub carried_forward: String,
    /// What went to the co-op wallet.
    pub coop_credit: String,
}

/// Of [`Letter::PayoutHeld`].
#[derive(Debug, Clone, Serialize)]
pub struct PayoutHeld {
    /// The partner's name.
    pub partner: String,
    /// What it pays.
    pub reference: String,
    /// How much.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Why: `no_destination`, `no_account`, `cooling_off`, `cap`, `paused`, `suspended`.
    pub reason: String,
}

/// Of [`Letter::CarriedForward`].
#[derive(Debug, Clone, Serialize)]
pub struct CarriedForward {
    /// The partner's name.
    pub partner: String,
    /// The programme's name.
    pub program: String,
    /// `2026-04`.
    pub period: String,
    /// How much.
    pub amount: String,
    /// The least that is paid.
    pub minimum: String,
    /// ISO 4217.
    pub currency: String,
}

/// Of [`Letter::CertificationExpiring`].
#[derive(Debug, Clone, Serialize)]
pub struct CertificationExpiring {
    /// The partner's name.
    pub partner: String,
    /// Which.
    pub certification: String,
    /// Whose.
    pub holder: String,
    /// Its last day.
    pub expires_on: String,
}

/// Of [`Letter::DestinationChanged`].
#[derive(Debug, Clone, Serialize)]
pub struct DestinationChanged {
    /// The partner's name.
    pub partner: String,
    /// ISO 4217.
    pub currency: String,
    /// The end of the new account's number, never all of it.
    pub ends_in: String,
    /// When it was asked for.
    pub requested_at: String,
    /// From when money goes there.
    pub effective_at: String,
}

/// Of [`Letter::Notice`].
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// What is the matter, in a few words.
    pub subject: String,
    /// What happened, and what to do.
    pub lines: Vec<String>,
}

impl Letter {
    /// The name of its templates.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        match self {
            Self::Statement(_) => "statement",
            Self::PayoutHeld(_) => "payout_held",
            Self::CarriedForward(_) => "carried_forward",
            Self::CertificationExpiring(_) => "certification_expiring",
            Self::DestinationChanged(_) => "destination_changed",
            Self::Notice(_) => "notice",
        }
    }

    /// One of each, with example names, to try templates with.
    #[must_use]
    pub fn examples() -> Vec<Self> {
        let text = str::to_owned;
        vec![
            Self::Statement(Statement {
                partner: text("Acme"),
                program: text("Reseller programme"),
                period: text("2026-04"),
                currency: text("USD"),
                net: text("15000.00"),
                cash_payout: text("15000.00"),
                carried_forward: text("0.00"),
                coop_credit: text("2000.00"),
            }),
            Self::PayoutHeld(PayoutHeld {
                partner: text("Acme"),
                reference: text("2026-04"),
                amount: text("15000.00"),
                currency: text("USD"),
                reason: text("no_destination"),
            }),
            Self::CarriedForward(CarriedForward {
                partner: text("Acme"),
                program: text("Reseller programme"),
                period: text("2026-04"),
                amount: text("12.50"),
                minimum: text("50.00"),
                currency: text("USD"),
            }),
            Self::CertificationExpiring(CertificationExpiring {
                partner: text("Acme"),
                certification: text("sales-professional"),
                holder: text("jo"),
                expires_on: text("2026-06-30"),
            }),
            Self::DestinationChanged(DestinationChanged {
                partner: text("Acme"),
                currency: text("EUR"),
                ends_in: text("3000"),
                requested_at: text("2026-05-01T06:00:00Z"),
                effective_at: text("2026-05-03T06:00:00Z"),
            }),
            Self::Notice(Notice { subject: text("payouts are paused"), lines: vec![text("jo has paused all payouts.")] }),
        ]
    }
}
