//! Claims against co-op wallets: what may be asked, who decides it in which order, and what a decision binds to (domain.md §6.3–6.5).

pub mod asked;
pub mod changes;
pub mod decision;
pub mod digest;
pub mod moment;
pub mod statement;
pub mod status;

pub use asked::{AskedError, asked_minor, route};
pub use changes::Change;
pub use decision::{Decided, Decider, Refusal, Shown, StepOfRoute, Verdict, decide};
pub use digest::{Claim, Document};
pub use moment::noted_at;
pub use status::{IllegalMove, Status};
