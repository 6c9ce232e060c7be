//! A decision that came from outside, by the page or by a signed message: taken in one transaction with the word to the claim's run.

use books::mdf::decide::{Outcome, Say, Via, decide};
use books::mdf::{self, MdfError};
use program::calendar::Instant;
use program::mdf::{Refusal, Verdict};
use program::money::MoneyError;
use sea_orm::{DatabaseTransaction, DbErr};
use workflows::mdf_claim;
use workflows::payout::WakeError;

/// A decision as it came.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The claim.
    pub claim: &'a str,
    /// Whose decision it is: an id.
    pub by: &'a str,
    /// Whether it is an approval.
    pub is_approval: bool,
    /// A lower amount, as it was written.
    pub amount: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
    /// The digest of the claim as the person saw it.
    pub digest: &'a str,
    /// By which way it came.
    pub via: Via,
}

impl<'a> Wanted<'a> {
    /// As the books take it.
    #[must_use]
    pub const fn say(&self, verdict: Verdict) -> Say<'a> {
        Say { claim: self.claim, verdict, digest: Some(self.digest), reason: self.reason, via: self.via }
    }
}

/// Why a decision did not count.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// The books say no, or can't be reached.
    #[error(transparent)]
    Books(#[from] MdfError),
    /// The amount is none.
    #[error("the amount can't be read: {0}")]
    Amount(#[from] MoneyError),
    /// A rejection lowers nothing.
    #[error("a rejection has no amount")]
    AmountOfRejection,
    /// Another step waits than the one that the page showed.
    #[error("the claim has gone on to another step since it was shown; look at it again")]
    OtherStep,
    /// The claim's run, or who submitted it, can't be told.
    #[error(transparent)]
    Run(#[from] WakeError),
}

impl NotDecided {
    /// A stable name of a decision that can't count as it is; `None`: the machine is at fault, and it may be tried again.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Books(error) => match error.refusal() {
                Some(refusal) => Some(name(refusal)),
                None if !error.is_input() => None,
                None if matches!(error, MdfError::NoClaim(_)) => Some("no-such-claim"),
                None if matches!(error, MdfError::Person(books::users::PersonError::Unknown(_))) => Some("no-such-person"),
                None => Some("reason-or-text"),
            },
            Self::Amount(_) | Self::AmountOfRejection => Some("amount"),
            Self::OtherStep => Some("other-step"),
            Self::Run(_) => None,
        }
    }

    /// Whether the same decision may count when it is tried again at once.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Books(error) if error.is_transient())
    }
}

impl From<DbErr> for NotDecided {
    fn from(error: DbErr) -> Self {
        Self::Books(error.into())
    }
}

/// The stable name of a refusal.
const fn name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotWaiting { .. } => "not-waiting",
        Refusal::Disabled { .. } => "disabled",
        Refusal::Submitter { .. } => "submitter",
        Refusal::WalletShort { .. } => "wallet-short",
        Refusal::OfPartner { .. } => "beneficiary",
        Refusal::SamePerson { .. } => "same-person",
        Refusal::OutOfOrder { .. } => "out-of-order",
        Refusal::NotAsked { .. } => "not-asked",
        Refusal::AfterDeadline { .. } => "after-deadline",
        Refusal::Stale { .. } => "stale",
        Refusal::Raised { .. } => "raised",
        Refusal::Nothing => "amount",
    }
}

/// What a decision says, in the claim's currency.
///
/// # Errors
/// The amount can't be read, or there is no such claim.
pub async fn verdict(tx: &DatabaseTransaction, wanted: &Wanted<'_>) -> Result<Verdict, NotDecided> {
    match (wanted.is_approval, wanted.amount.map(str::trim).filter(|amount| !amount.is_empty())) {
        (true, None) => Ok(Verdict::Approve { amount_minor: None }),
        (true, Some(text)) => {
            let claim = mdf::find(tx, wanted.claim).await.map_err(MdfError::from)?;
            let claim = claim.ok_or_else(|| MdfError::NoClaim(wanted.claim.chars().take(60).collect()))?;
            Ok(Verdict::Approve { amount_minor: Some(claim.currency.parse_minor(text)?) })
        }
        (false, None) => Ok(Verdict::Reject),
        (false, Some(_)) => Err(NotDecided::AmountOfRejection),
    }
}

/// Decides in the caller's transaction and tells the claim's run; on an error the caller takes it back.
///
/// # Errors
/// [`NotDecided`].
pub async fn decide_in(tx: &DatabaseTransaction, wanted: &Wanted<'_>, verdict: Verdict, now: Instant) -> Result<Outcome, NotDecided> {
    let outcome = decide(tx, wanted.say(verdict), wanted.by, now).await?;
    mdf_claim::decided(tx, &outcome, now).await?;
    Ok(outcome)
}
