//! Why a payout can't be made or moved.

use program::calendar::Period;
use program::payout::{Illegal, NotAPayoutId};

use crate::load::row::LoadError;
use crate::mdf::MdfError;
use crate::users::PersonError;

/// Why a payout can't be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum PayoutError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The person may not.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// Text that is no payout's id.
    #[error(transparent)]
    Id(#[from] NotAPayoutId),
    /// There is no such payout.
    #[error("payout {0} is not there; see `payout list`")]
    NoPayout(String),
    /// The payout stands where it can't do this.
    #[error("payout {payout}: {illegal}")]
    Illegal {
        /// The payout.
        payout: String,
        /// What it can't do.
        #[source]
        illegal: Illegal,
    },
    /// There is no such settlement, or nothing of it is to be paid.
    #[error("{partner} has no settlement in {currency} in {program} for {period} that is to be paid out")]
    NothingToPay {
        /// The programme.
        program: String,
        /// The member.
        partner: String,
        /// The period.
        period: Period,
        /// The currency.
        currency: String,
    },
    /// The period is not released.
    #[error("{program} {period} is not released; finance does it with `settlement release`")]
    NotReleased {
        /// The programme.
        program: String,
        /// The period.
        period: Period,
    },
    /// An earlier payout failed.
    #[error("payout {failed} of {reference} failed; make the next one with `payout retry {failed}`")]
    FailedBefore {
        /// The settlement or claim.
        reference: String,
        /// The payout.
        failed: String,
    },
    /// An id or key is another payout's.
    #[error("the payout id {id} or the idempotency key {key:?} belongs to another payout; make new ones")]
    Taken {
        /// The id.
        id: String,
        /// The key.
        key: String,
    },
    /// A failed claim's money went back to the wallet.
    #[error("payout {0} paid a claim, whose money went back to the wallet; submit the claim anew")]
    ClaimRetry(String),
    /// What a settlement owes stays owed.
    #[error("payout {0} pays a settlement, which stays owed; keep it from being paid with `settlement hold`")]
    NotOfClaim(String),
    /// The request of a payout may have left.
    #[error("payout {payout} is {state}: its request may have left, and only the word of who pays it ends it")]
    MayHaveLeft {
        /// The payout.
        payout: String,
        /// Where it stands.
        state: &'static str,
    },
    /// The books come from a backup, and a payout may have been sent after it.
    #[error("the database was restored from a backup, and payout {payout} may have been sent after it: {why}")]
    MaybeSent {
        /// The payout.
        payout: String,
        /// What is known.
        why: String,
    },
    /// Only what finance pays itself is marked by hand.
    #[error("payout {payout} was given to {provider}, whose word ends it; only what the adapters manual and pain001 pay is marked by hand")]
    NotByHand {
        /// The payout.
        payout: String,
        /// The adapter.
        provider: String,
    },
    /// A provider that was asked to pay it may yet.
    #[error("payout {payout} can't be marked failed: {why}")]
    MayHaveArrived {
        /// The payout.
        payout: String,
        /// What is known.
        why: String,
    },
    /// The bank was told nothing of a payout.
    #[error("payout {0} is in no file for the bank, so the bank has not paid it; write the file with `export pain001`")]
    InNoFile(String),
    /// All payouts are paused.
    #[error("all payouts are paused: {0}; no file is written before `payout resume`")]
    Paused(String),
    /// There is no such file.
    #[error("bank file {0} is not there; `payout show` names the file of a payout")]
    NoBankFile(String),
    /// The id of a file is taken.
    #[error("the bank file's id {0} is taken; make a new one")]
    BankFileTaken(String),
    /// A file's bytes can't be made.
    #[error("the file for the bank can't be made")]
    BankFile(#[from] std::io::Error),
    /// There is no such destination.
    #[error("destination {0} is not there; see `payout destination list`")]
    NoDestination(String),
    /// The destination is approved or superseded.
    #[error("destination {id} can't be approved: {why}")]
    NotWaiting {
        /// The destination.
        id: String,
        /// Why not.
        why: &'static str,
    },
    /// The one who added a destination can't approve it.
    #[error("{by} added destination {id}; another person approves it")]
    SamePerson {
        /// The destination.
        id: String,
        /// Who.
        by: String,
    },
    /// A destination's id is taken.
    #[error("the destination id {0} is taken; make a new one")]
    DestinationTaken(String),
    /// Its file is kept and was never written down: who writes it next would have it paid.
    #[error("payout {payout} is in bank file {file}, which was not written to its directory yet; run `export pain001`, and do not upload that file")]
    FileUnwritten {
        /// Which.
        payout: String,
        /// The file.
        file: String,
    },
    /// The wallet of a claim can't take its money back.
    #[error("the money of claim {claim} can't go back: {why}")]
    Wallet {
        /// The claim.
        claim: String,
        /// Why not.
        why: String,
    },
    /// The claim of a payout can't go where its payout goes.
    #[error(transparent)]
    Claim(Box<MdfError>),
    /// There is no such exception.
    #[error("there is nothing {0} to be looked at; see `payout list`")]
    NoException(String),
    /// A restored database may send nothing yet.
    #[error("the database was restored from a backup and what was sent after it is not known here; `payout reconcile` lifts the pause")]
    NotReconciled,
    /// Somebody else changed the payout at the same time.
    #[error("payout {0} was changed at the same time; try again")]
    Changed(String),
}

impl PayoutError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Load(error) => matches!(error, LoadError::NoProgram(_)),
            Self::Person(error) => error.is_input(),
            Self::Wallet { .. } | Self::Claim(_) | Self::Changed(_) | Self::BankFile(_) => false,
            Self::Id(_)
            | Self::NoPayout(_)
            | Self::Illegal { .. }
            | Self::NothingToPay { .. }
            | Self::NotReleased { .. }
            | Self::FailedBefore { .. }
            | Self::Taken { .. }
            | Self::ClaimRetry(_)
            | Self::NotOfClaim(_)
            | Self::MayHaveLeft { .. }
            | Self::MaybeSent { .. }
            | Self::FileUnwritten { .. }
            | Self::NotByHand { .. }
            | Self::MayHaveArrived { .. }
            | Self::InNoFile(_)
            | Self::Paused(_)
            | Self::NoBankFile(_)
            | Self::BankFileTaken(_)
            | Self::NoDestination(_)
            | Self::NotWaiting { .. }
            | Self::SamePerson { .. }
            | Self::DestinationTaken(_)
            | Self::NoException(_)
            | Self::NotReconciled => true,
        }
    }
}

impl From<sea_orm::DbErr> for PayoutError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}

impl From<MdfError> for PayoutError {
    fn from(error: MdfError) -> Self {
        if let MdfError::Load(error) = error { Self::Load(error) } else { Self::Claim(Box::new(error)) }
    }
}
