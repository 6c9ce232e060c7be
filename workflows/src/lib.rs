//! The processes of a partner programme, one file each: a month is settled, a quarter reviewed, a settlement or a claim paid.
//!
//! They see the world through [`ports`], the database through `books`, and the engine through its context alone.

pub mod again;
pub mod certification_notices;
pub mod letters;
pub mod lot_expiry;
pub mod mdf_claim;
pub mod payout;
pub mod ports;
pub mod recertification;
pub mod settlement_run;
mod steps;

pub use certification_notices::CertificationNotices;
pub use lot_expiry::LotExpiry;
pub use mdf_claim::MdfClaim;
pub use payout::PayoutRun;
pub use recertification::Recertification;
pub use settlement_run::SettlementRun;
