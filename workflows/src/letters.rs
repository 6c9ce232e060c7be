//! What is to be mailed: the message that leaves through the outbox when the change that causes it is committed.
//!
//! A letter names what it is about; its text, its attachment and its address are made from the books when it is sent.

use books::load::row::LoadError;
use books::users::{self, FINANCE};
use durable::StepError;
use durable::outbox::{self, OutboxError};
use program::calendar::Instant;
use program::payout::{Kind, Payout, State};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::steps;

/// The outbox's topic of letters.
pub const TOPIC: &str = "mail";
/// The topic of letters that are worth nothing minutes later: they have a sender of their own, and wait behind no others.
pub const URGENT: &str = "mail_now";
/// The topics of all letters.
pub const TOPICS: [&str; 2] = [TOPIC, URGENT];

/// A letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// The statement of a settlement that was paid.
    Statement {
        /// The programme.
        program: String,
        /// The member.
        partner: String,
        /// `YYYY-MM`.
        period: String,
        /// ISO 4217.
        currency: String,
    },
    /// A settlement has nothing to pay out: its balance is carried forward.
    CarriedForward {
        /// The programme.
        program: String,
        /// The member.
        partner: String,
        /// `YYYY-MM`.
        period: String,
        /// ISO 4217.
        currency: String,
    },
    /// A payout is held.
    PayoutHeld {
        /// `pay_…`.
        payout: String,
        /// Why, as its state names it.
        reason: String,
    },
    /// The payout of a settlement failed, or came back after it was paid.
    PayoutFailed {
        /// `pay_…`.
        payout: String,
        /// Somebody of finance; nobody: the partner's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
    },
    /// A certificate ends soon.
    CertificationExpiring {
        /// The certificate.
        certification: String,
    },
    /// Where a partner's money goes was changed: told to the address known before.
    DestinationChanged {
        /// The new destination.
        destination: String,
    },
    /// Somebody is asked to decide a step of a claim.
    ApprovalAsked {
        /// The claim.
        claim: String,
        /// Its round.
        round: i64,
        /// The step's place in it, 1 the first.
        step: i64,
        /// Whether the step came here after its deadline.
        escalated: bool,
        /// Who is asked.
        person: String,
    },
    /// The same, again.
    ApprovalReminder {
        /// The claim.
        claim: String,
        /// Its round.
        round: i64,
        /// The step's place in it.
        step: i64,
        /// Which reminder it is, 1 the first.
        number: i64,
        /// Who is asked.
        person: String,
    },
    /// To those who run the service: a step of a claim waits for somebody who is not there.
    NobodyToAsk {
        /// The claim.
        claim: String,
        /// Its round.
        round: i64,
        /// The step's place in it.
        step: i64,
        /// Whether the step came to another role after its deadline.
        escalated: bool,
        /// Who is told.
        person: String,
    },
    /// The code with which somebody signs in to the page of approvals; it is made when it is sent, so that it is stored nowhere.
    ApprovalCode {
        /// Which, as the books know it.
        code: String,
    },
    /// To the submitter: a claim was approved, rejected or cancelled, or has expired.
    ClaimDecided {
        /// The claim.
        claim: String,
        /// Its round.
        round: i64,
        /// What it has come to, as its status names it.
        status: String,
    },
    /// The payout of a claim failed: the wallet has its money back.
    ClaimFailed {
        /// The claim.
        claim: String,
        /// The submitter or somebody of finance; nobody: the partner's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
    },
    /// The statement of a claim that was paid.
    ClaimStatement {
        /// The claim.
        claim: String,
    },
}

impl Letter {
    /// Its key in the outbox: one letter a cause.
    #[must_use]
    pub fn key(&self) -> String {
        let key = match self {
            Self::Statement { program, partner, period, currency } => format!("statement/{program}/{period}/{partner}/{currency}"),
            Self::CarriedForward { program, partner, period, currency } => format!("carried_forward/{program}/{period}/{partner}/{currency}"),
            Self::PayoutHeld { payout, reason } => format!("payout_held/{payout}/{reason}"),
            Self::PayoutFailed { payout, person } => format!("payout_failed/{payout}/{}", person.as_deref().unwrap_or_default()),
            Self::CertificationExpiring { certification } => format!("certification/{certification}"),
            Self::DestinationChanged { destination } => format!("destination/{destination}"),
            Self::ApprovalAsked { claim, round, step, escalated, person } => {
                let escalated = if *escalated { "/escalated" } else { "" };
                format!("approval_asked/{claim}/{round}/{step}{escalated}/{person}")
            }
            Self::NobodyToAsk { claim, round, step, escalated, person } => {
                let escalated = if *escalated { "/escalated" } else { "" };
                format!("nobody_to_ask/{claim}/{round}/{step}{escalated}/{person}")
            }
            Self::ApprovalReminder { claim, round, step, number, person } => format!("approval_reminder/{claim}/{round}/{step}/{number}/{person}"),
            Self::ApprovalCode { code } => format!("approval_code/{code}"),
            Self::ClaimDecided { claim, round, status } => format!("claim_decided/{claim}/{round}/{status}"),
            Self::ClaimFailed { claim, person } => format!("claim_failed/{claim}/{}", person.as_deref().unwrap_or_default()),
            Self::ClaimStatement { claim } => format!("claim_statement/{claim}"),
        };
        crate::payout::fitting(key)
    }

    /// The outbox's topic that it leaves by.
    #[must_use]
    pub const fn topic(&self) -> &'static str {
        match self {
            Self::ApprovalCode { .. } => URGENT,
            Self::Statement { .. }
            | Self::CarriedForward { .. }
            | Self::PayoutHeld { .. }
            | Self::PayoutFailed { .. }
            | Self::CertificationExpiring { .. }
            | Self::DestinationChanged { .. }
            | Self::ApprovalAsked { .. }
            | Self::ApprovalReminder { .. }
            | Self::NobodyToAsk { .. }
            | Self::ClaimDecided { .. }
            | Self::ClaimFailed { .. }
            | Self::ClaimStatement { .. } => TOPIC,
        }
    }
}

/// Puts a letter into the outbox with the caller's change.
///
/// # Idempotency
/// [`Letter::key`]: it is mailed once.
///
/// # Errors
/// The database failed.
pub async fn post(tx: &DatabaseTransaction, letter: &Letter, now: Instant) -> Result<(), OutboxError> {
    outbox::put(tx, letter.topic(), &letter.key(), letter, steps::at(now)).await.map(|_| ())
}

/// Why people can't be told of a payout that failed.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// Who is to be told can't be read.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// A letter can't be put.
    #[error(transparent)]
    Letter(#[from] OutboxError),
}

/// Tells the partner, finance and who submitted the claim of a payout that has failed, in the transaction in which it did, whoever noted it
/// and however late. Of one that has not, nobody is told anything.
///
/// # Idempotency
/// The payout and the person: it fails once.
///
/// # Errors
/// The database failed.
pub async fn tell_if_failed(tx: &DatabaseTransaction, payout: &Payout, now: Instant) -> Result<(), TellError> {
    let State::Failed { .. } = payout.state else { return Ok(()) };
    let finance = users::with_role(tx, FINANCE, &payout.partner).await?;
    let mut people: Vec<Option<String>> = vec![None];
    if payout.kind == Kind::MdfClaim {
        // Payouts of claims that are not there are none of this product.
        let Some(claim) = books::mdf::find(tx, &payout.reference).await? else { return Ok(()) };
        people.push(Some(claim.submitted_by));
    }
    people.extend(finance.into_iter().map(Some));
    for person in people {
        let letter = match payout.kind {
            Kind::MdfClaim => Letter::ClaimFailed { claim: payout.reference.to_string(), person },
            Kind::Settlement => Letter::PayoutFailed { payout: payout.id.to_string(), person },
        };
        post(tx, &letter, now).await?;
    }
    Ok(())
}

pub(crate) async fn post_in_step(tx: &DatabaseTransaction, letter: &Letter, now: Instant) -> Result<(), StepError> {
    post(tx, letter, now).await.map_err(|error| StepError::caused_by(&error))
}
