//! What the statement of a paid claim shows (domain.md §6.4). Texts alone: amounts are exact decimals, days ISO 8601.

use serde::Serialize;

use crate::statement::plain;

/// The number of the form that templates read.
pub const FORMAT: u32 = 1;

/// Somebody or something with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// An approval that counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The role in the route.
    pub role: String,
    /// Who, by name.
    pub by: String,
    /// The day in the programme's zone.
    pub on: String,
    /// What was approved.
    pub amount: String,
}

/// A proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: String,
}

/// The statement of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimStatement {
    /// [`FORMAT`].
    pub format: u32,
    /// The claim.
    pub claim: String,
    /// The campaign.
    pub campaign: Named,
    /// The programme.
    pub program: Named,
    /// Who is paid.
    pub partner: Named,
    /// ISO 4217.
    pub currency: String,
    /// The receipts.
    pub receipts: String,
    /// What was asked for.
    pub asked: String,
    /// What is paid.
    pub amount: String,
    /// What the wallet has afterwards, as it stands.
    pub wallet_balance: String,
    /// The day of its submission.
    pub submitted_on: String,
    /// The day on which the payout ended.
    pub paid_on: String,
    /// The payout.
    pub payout: String,
    /// The end of the account's number.
    pub account_ends_in: String,
    /// The approvals of the round that was executed, in order.
    pub approvals: Vec<Approval>,
    /// The proofs.
    pub proofs: Vec<Proof>,
    /// The digest of the claim as it was executed.
    pub digest: String,
}

impl Named {
    fn plain(&self) -> Self {
        Self { id: plain(&self.id), name: plain(&self.name) }
    }
}

impl ClaimStatement {
    /// The statement with texts that a page can show: control characters become spaces, and marks that turn the reading direction go, so that no
    /// name turns the figures beside it.
    #[must_use]
    pub fn plain(&self) -> Self {
        // Each field is named, so that a new one is thought of.
        let Self {
            format,
            claim,
            campaign,
            program,
            partner,
            currency,
            receipts,
            asked,
            amount,
            wallet_balance,
            submitted_on,
            paid_on,
            payout,
            account_ends_in,
            approvals,
            proofs,
            digest,
        } = self;
        let approval =
            |Approval { role, by, on, amount }: &Approval| Approval { role: plain(role), by: plain(by), on: plain(on), amount: plain(amount) };
        let proof = |Proof { name, sha256 }: &Proof| Proof { name: plain(name), sha256: plain(sha256) };
        Self {
            format: *format,
            claim: plain(claim),
            campaign: campaign.plain(),
            program: program.plain(),
            partner: partner.plain(),
            currency: plain(currency),
            receipts: plain(receipts),
            asked: plain(asked),
            amount: plain(amount),
            wallet_balance: plain(wallet_balance),
            submitted_on: plain(submitted_on),
            paid_on: plain(paid_on),
            payout: plain(payout),
            account_ends_in: plain(account_ends_in),
            approvals: approvals.iter().map(approval).collect(),
            proofs: proofs.iter().map(proof).collect(),
            digest: plain(digest),
        }
    }
}
