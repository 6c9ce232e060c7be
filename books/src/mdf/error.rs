//! Why a campaign or claim can't be made or moved.

use program::calendar::Date;
use program::mdf::{AskedError, IllegalMove, Refusal};

use crate::connection;
use crate::load::row::LoadError;
use crate::users::PersonError;

/// Why a campaign or claim can't be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum MdfError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The person may not.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// A decision that does not count.
    #[error("claim {claim}: {refusal}")]
    Refused {
        /// The claim.
        claim: String,
        /// Why not.
        #[source]
        refusal: Refusal,
    },
    /// The claim stands where it can't do this.
    #[error("claim {claim}: {illegal}")]
    Illegal {
        /// The claim.
        claim: String,
        /// What it can't do.
        #[source]
        illegal: IllegalMove,
    },
    /// There is no such campaign.
    #[error("campaign {0} is not there; see `mdf campaign list`")]
    NoCampaign(String),
    /// There is no such claim.
    #[error("claim {0} is not there; see `mdf claim list`")]
    NoClaim(String),
    /// The id belongs to another campaign or claim.
    #[error("the id {0} is taken by another one that says something else; choose a new id")]
    Taken(String),
    /// The partner is not in the programme.
    #[error("{partner} is not a member of {program}")]
    NoMember {
        /// The partner.
        partner: String,
        /// The programme.
        program: String,
    },
    /// The programme takes no claims.
    #[error("{program} takes no claims on {day}: its version of that day has no [mdf] section")]
    NoClaims {
        /// The programme.
        program: String,
        /// The day.
        day: Date,
    },
    /// A campaign ends before it begins.
    #[error("the campaign ends on {through}, before it begins on {from}")]
    Dates {
        /// Its first day.
        from: Date,
        /// Its last day.
        through: Date,
    },
    /// A budget or share is out of range.
    #[error("{what} {text} can't be taken: {why}")]
    Figure {
        /// What it is.
        what: &'static str,
        /// As it was written.
        text: String,
        /// Why not.
        why: &'static str,
    },
    /// The campaign stands where it can't do this.
    #[error("campaign {campaign} is {status} and can't be {wanted}")]
    Campaign {
        /// The campaign.
        campaign: String,
        /// Where it stands.
        status: String,
        /// What was wanted.
        wanted: &'static str,
    },
    /// Who asks for a campaign does not approve it.
    #[error("{by} asked for campaign {campaign}; another person decides")]
    OwnCampaign {
        /// The campaign.
        campaign: String,
        /// Who.
        by: String,
    },
    /// Claims belong to an approved campaign.
    #[error("campaign {campaign} is {status}; claims belong to an approved one")]
    NotApproved {
        /// The campaign.
        campaign: String,
        /// Where it stands.
        status: String,
    },
    /// Claims are submitted while their campaign lasts.
    #[error("campaign {campaign} takes claims from {from} through {through}; today is {day} in the programme's zone")]
    OutsideCampaign {
        /// The campaign.
        campaign: String,
        /// Its first day.
        from: Date,
        /// Its last day.
        through: Date,
        /// The day.
        day: Date,
    },
    /// The amount can't be asked for.
    #[error("{shown}{error}")]
    Asked {
        /// What may be asked for at most, where that is the limit.
        shown: String,
        /// Why not.
        #[source]
        error: AskedError,
    },
    /// More than is left of the budget.
    #[error("{amount} {currency} is more than what is left of the budget of campaign {campaign}: {left}")]
    Budget {
        /// The campaign.
        campaign: String,
        /// What is asked for.
        amount: String,
        /// What is left.
        left: String,
        /// The currency.
        currency: String,
    },
    /// More than is available of the wallet.
    #[error("{amount} {currency} is more than what is available of the co-op wallet of {partner} in {program}: {available}")]
    Available {
        /// Whose wallet.
        partner: String,
        /// The programme.
        program: String,
        /// What is asked for.
        amount: String,
        /// What is available.
        available: String,
        /// The currency.
        currency: String,
    },
    /// No exchange rate for the route.
    #[error("the approvals of the claim depend on an exchange rate: {0}")]
    Rate(String),
    /// A proof can't be added any more.
    #[error("claim {claim} is {status}; proofs are added while it waits for its approvals or is rejected")]
    TooLate {
        /// The claim.
        claim: String,
        /// Where it stands.
        status: String,
    },
    /// A proof can't be taken.
    #[error("the proof {name:?} can't be taken: {why}")]
    Proof {
        /// Its name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// Somebody else changed it at the same time.
    #[error("{0} was changed at the same time; try again")]
    Changed(String),
}

impl MdfError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Load(error) => matches!(error, LoadError::NoProgram(_)),
            Self::Person(error) => error.is_input(),
            Self::Changed(_) => false,
            Self::Refused { .. }
            | Self::Illegal { .. }
            | Self::NoCampaign(_)
            | Self::NoClaim(_)
            | Self::Taken(_)
            | Self::NoMember { .. }
            | Self::NoClaims { .. }
            | Self::Dates { .. }
            | Self::Figure { .. }
            | Self::Campaign { .. }
            | Self::OwnCampaign { .. }
            | Self::NotApproved { .. }
            | Self::OutsideCampaign { .. }
            | Self::Asked { .. }
            | Self::Budget { .. }
            | Self::Available { .. }
            | Self::Rate(_)
            | Self::TooLate { .. }
            | Self::Proof { .. } => true,
        }
    }

    /// Whether the same act may succeed when it is tried again: it and another one waited for each other.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let Self::Load(LoadError::Database(error)) | Self::Person(PersonError::Load(LoadError::Database(error))) = self {
            return connection::is_transient(error);
        }
        matches!(self, Self::Changed(_))
    }

    /// Why a decision does not count, if that is it.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        if let Self::Refused { refusal, .. } = self { Some(refusal) } else { None }
    }
}

impl From<sea_orm::DbErr> for MdfError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}
