//! Payouts: which are due, admitting and holding them, what the ledger posts, what providers say of them (domain.md §4.7, §7;
//! interface.md §5; reliability.md §3.1–3.7).
//!
//! All functions act in the caller's transaction. The order of locks is: the switch, the payout, wallets, balances of accounts.

pub mod bank_files;
pub mod by_hand;
pub mod destinations;
pub mod due;
pub mod error;
pub mod exceptions;
pub mod hear;
pub mod inbound;
pub mod intend;
pub mod limits;
pub mod postings;
pub mod record;
pub mod request;
pub mod retry;
pub mod standing;
pub mod switch;
pub mod withdraw;

pub use error::PayoutError;
