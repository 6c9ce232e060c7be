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
    /// The payout of a settlement failed, or came back.
    PayoutFailed(PayoutFailed),
    /// A settlement under the minimum.
    CarriedForward(CarriedForward),
    /// A certification ends soon.
    CertificationExpiring(CertificationExpiring),
    /// To the old contact: money is about to go elsewhere.
    DestinationChanged(DestinationChanged),
    /// To an approver: a claim waits.
    ApprovalAsked(ApprovalAsked),
    /// To somebody who signs in to the page of approvals.
    ApprovalCode(ApprovalCode),
    /// To who submitted a claim.
    ClaimDecided(ClaimDecided),
    /// The payout of a claim failed.
    ClaimFailed(ClaimFailed),
    /// A claim is paid, with its statement attached.
    ClaimStatement(ClaimStatement),
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
    /// Why: `no_destination`, `no_account`, `cooling_off`, `cap`, `paused`, `suspended`, `by_hand`.
    pub reason: String,
}

/// Of [`Letter::PayoutFailed`].
#[derive(Debug, Clone, Serialize)]
pub struct PayoutFailed {
    /// Whose mail it is.
    pub name: String,
    /// The partner's name.
    pub partner: String,
    /// What it would have paid.
    pub reference: String,
    /// The payout.
    pub payout: String,
    /// How much.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Why.
    pub reason: String,
    /// Whether it is for finance, which can pay it again.
    pub to_finance: bool,
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

/// Of [`Letter::ApprovalAsked`].
#[derive(Debug, Clone, Serialize)]
pub struct ApprovalAsked {
    /// The approver's name.
    pub name: String,
    /// The role that is asked.
    pub role: String,
    /// The claim.
    pub claim: String,
    /// The partner's name.
    pub partner: String,
    /// The campaign's name.
    pub campaign: String,
    /// The receipts.
    pub receipts: String,
    /// What was asked for at first.
    pub asked: String,
    /// What is asked for now.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// How many proofs there are, in words.
    pub proofs: String,
    /// The deadline; "" without one.
    pub due_at: String,
    /// Where the claim can be looked at; "" where the service has no address of its own.
    pub link: String,
    /// The command that approves it, where there is no link.
    pub approve: String,
    /// The command that rejects it, where there is no link.
    pub reject: String,
    /// Whether it came here after another role's deadline.
    pub escalated: bool,
    /// Which reminder it is; 0: none.
    pub reminder: i64,
}

/// Of [`Letter::ApprovalCode`].
#[derive(Debug, Clone, Serialize)]
pub struct ApprovalCode {
    /// The approver's name.
    pub name: String,
    /// The claim.
    pub claim: String,
    /// The code.
    pub code: String,
    /// Until when it is good.
    pub expires_at: String,
}

/// Of [`Letter::ClaimDecided`].
#[derive(Debug, Clone, Serialize)]
pub struct ClaimDecided {
    /// The name of who submitted it.
    pub name: String,
    /// The claim.
    pub claim: String,
    /// The partner's name.
    pub partner: String,
    /// The campaign's name.
    pub campaign: String,
    /// What was asked for.
    pub asked: String,
    /// What it came to.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// `approved`, `rejected`, `cancelled` or `expired`.
    pub status: String,
    /// Why, where it was not approved.
    pub reason: String,
}

/// Of [`Letter::ClaimFailed`].
#[derive(Debug, Clone, Serialize)]
pub struct ClaimFailed {
    /// Whose mail it is.
    pub name: String,
    /// The claim.
    pub claim: String,
    /// The partner's name.
    pub partner: String,
    /// The campaign's name.
    pub campaign: String,
    /// How much.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Why.
    pub reason: String,
}

/// Of [`Letter::ClaimStatement`].
#[derive(Debug, Clone, Serialize)]
pub struct ClaimStatement {
    /// The partner's name.
    pub partner: String,
    /// The programme's name.
    pub program: String,
    /// The claim.
    pub claim: String,
    /// The campaign's name.
    pub campaign: String,
    /// The receipts.
    pub receipts: String,
    /// What is paid.
    pub amount: String,
    /// What the wallet has.
    pub wallet_balance: String,
    /// ISO 4217.
    pub currency: String,
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
            Self::PayoutFailed(_) => "payout_failed",
            Self::CarriedForward(_) => "carried_forward",
            Self::CertificationExpiring(_) => "certification_expiring",
            Self::DestinationChanged(_) => "destination_changed",
            Self::ApprovalAsked(_) => "approval_asked",
            Self::ApprovalCode(_) => "approval_code",
            Self::ClaimDecided(_) => "claim_decided",
            Self::ClaimFailed(_) => "claim_failed",
            Self::ClaimStatement(_) => "claim_statement",
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
            Self::PayoutFailed(PayoutFailed {
                name: text("Jo"),
                partner: text("Acme"),
                reference: text("reseller/2026-04/acme/USD"),
                payout: text("pay_0190b6a2-7c3d-7e4f-8a5b-000000000001"),
                amount: text("15000.00"),
                currency: text("USD"),
                reason: text("account closed"),
                to_finance: true,
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
            Self::ApprovalAsked(ApprovalAsked {
                name: text("Jo"),
                role: text("channel_manager"),
                claim: text("CL-1"),
                partner: text("Acme"),
                campaign: text("Webinar"),
                receipts: text("50000.00"),
                asked: text("25000.00"),
                amount: text("20000.00"),
                currency: text("USD"),
                proofs: text("2 files"),
                due_at: text("2026-05-03T06:00:00Z"),
                link: text("https://partners.example.com/approvals/CL-1"),
                approve: text("tributary mdf claim approve CL-1 --by jo"),
                reject: text("tributary mdf claim reject CL-1 --by jo --reason WHY"),
                escalated: true,
                reminder: 1,
            }),
            Self::ApprovalCode(ApprovalCode {
                name: text("Jo"),
                claim: text("CL-1"),
                code: text("12345678"),
                expires_at: text("2026-05-01T06:10:00Z"),
            }),
            Self::ClaimDecided(ClaimDecided {
                name: text("Sue"),
                claim: text("CL-1"),
                partner: text("Acme"),
                campaign: text("Webinar"),
                asked: text("25000.00"),
                amount: text("20000.00"),
                currency: text("USD"),
                status: text("rejected"),
                reason: text("the invoice is missing"),
            }),
            Self::ClaimFailed(ClaimFailed {
                name: text("Acme"),
                claim: text("CL-1"),
                partner: text("Acme"),
                campaign: text("Webinar"),
                amount: text("20000.00"),
                currency: text("USD"),
                reason: text("account closed"),
            }),
            Self::ClaimStatement(ClaimStatement {
                partner: text("Acme"),
                program: text("Reseller programme"),
                claim: text("CL-1"),
                campaign: text("Webinar"),
                receipts: text("50000.00"),
                amount: text("20000.00"),
                wallet_balance: text("20000.00"),
                currency: text("USD"),
            }),
            Self::Notice(Notice { subject: text("payouts are paused"), lines: vec![text("jo has paused all payouts.")] }),
        ]
    }
}
