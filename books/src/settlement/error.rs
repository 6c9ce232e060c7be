//! Why a period can't be settled.

use program::calendar::Period;

use crate::connection::is_outage;
use crate::load::row::LoadError;

/// Why a period can't be settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Facts are missing or wrong; nothing was posted and the period stays open.
    #[error("{program} {period} can't be settled; nothing was posted:\n{}", .reasons.join("\n"))]
    Data {
        /// The programme.
        program: String,
        /// The period.
        period: Period,
        /// All that is wrong.
        reasons: Vec<String>,
    },
    /// The period is before the programme's first.
    #[error("{program} begins with {first}; {period} is history and earns nothing")]
    BeforeFirst {
        /// The programme.
        program: String,
        /// Its first period.
        first: Period,
        /// The period asked for.
        period: Period,
    },
    /// An earlier period is open.
    #[error("{program} {open} is still open and comes before {period}; make it final first, or use --through {period}")]
    OutOfOrder {
        /// The programme.
        program: String,
        /// The first open period.
        open: Period,
        /// The period asked for.
        period: Period,
    },
    /// The month is not over.
    #[error("{period} is not over in {program}'s time zone; use --preview to see it as it stands")]
    NotOver {
        /// The programme.
        program: String,
        /// The period asked for.
        period: Period,
    },
    /// Too many periods at once.
    #[error("{period} is more than {most} periods after {open}; check the period")]
    TooFar {
        /// The first open period.
        open: Period,
        /// The period asked for.
        period: Period,
        /// The most at once.
        most: usize,
    },
    /// Another run froze the period and has opened it again.
    #[error("{program} {period} was opened again meanwhile, since facts were missing; settle it again")]
    Reopened {
        /// The programme.
        program: String,
        /// The period.
        period: Period,
    },
    /// Some settlements of the period are not final.
    #[error("{program} {period} can't be closed: {count} of its settlements are not final yet, first that of {payee}")]
    Unfinished {
        /// The programme.
        program: String,
        /// The period.
        period: Period,
        /// The first payee.
        payee: String,
        /// How many there are.
        count: usize,
    },
    /// A digest could not be taken.
    #[error("the digest of a settlement could not be taken: {0}")]
    Digest(#[from] std::io::Error),
    /// An amount does not fit.
    #[error(transparent)]
    Overflow(#[from] program::exact::Overflow),
    /// The sums of a settlement do not fit.
    #[error(
        "the lines of {partner} in {currency} add up to more than 9,223,372,036,854,775,807 minor units; look for absurd amounts among its invoices"
    )]
    SumTooLarge {
        /// The payee.
        partner: String,
        /// The currency.
        currency: program::money::Currency,
    },
}

impl From<sea_orm::DbErr> for SettleError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}

impl SettleError {
    /// Whether the database itself is at fault in a way that may pass, or that concerns everybody: it is locked, gone or full.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Load(LoadError::Database(error)) if is_outage(error))
    }

    /// Whether the caller's input or the recorded facts are at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Data { .. }
                | Self::BeforeFirst { .. }
                | Self::OutOfOrder { .. }
                | Self::NotOver { .. }
                | Self::TooFar { .. }
                | Self::SumTooLarge { .. }
                | Self::Load(LoadError::NoProgram(_))
        )
    }
}
