//! A payout: money asked of a provider for one settlement or claim (domain.md §4.7, §6.4; interface.md §5).

pub mod amount;
pub mod destination;
pub mod id;
pub mod moves;
pub mod record;
pub mod request;
pub mod settlement_state;
pub mod state;

pub use amount::Amount;
pub use destination::{Account, Destination, DestinationError};
pub use id::{NotAPayoutId, PayoutId};
pub use moves::Move;
pub use record::Payout;
pub use request::Request;
pub use settlement_state::SettlementState;
pub use state::{HeldFor, Illegal, Ruling, State, Word};

/// What a payout pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The cash of a settlement.
    Settlement,
    /// A claim against a co-op wallet.
    MdfClaim,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settlement => "settlement",
            Self::MdfClaim => "mdf_claim",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Settlement, Self::MdfClaim].into_iter().find(|kind| kind.name() == name)
    }
}
