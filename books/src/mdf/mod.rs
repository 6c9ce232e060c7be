//! Campaigns and claims: who asks for what, what is held of wallets and budgets, who approves it in which order, and how it ends
//! (domain.md §6.3–6.5, §7; interface.md §5; reliability.md §1.20–1.22, §3.4).
//!
//! All functions act in the caller's transaction. The order of locks is: the partner (shared), the payout, the claim, the campaign, the
//! recordings, wallets, balances of accounts. A claim's status follows its payout from its capture on, whoever moves that.

pub mod asked;
pub mod campaigns;
pub mod deadline;
pub mod decide;
pub mod end;
mod error;
pub mod events;
mod funds;
pub mod proofs;
mod record;
pub mod restart;
pub mod show;
pub mod sign_in;
pub mod statement;
pub mod submit;
mod terms;
mod versions;

pub use error::MdfError;
pub use record::{Claim, Proof, Step, asked_in_round, find, list, of_workflow, proofs, steps};
