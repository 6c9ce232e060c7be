//! Making a period final: freeze, rate each earner, finish each payee (architecture: "How a month becomes money").

pub mod ahead;
pub mod bounds;
pub mod bulk_insert;
pub mod error;
pub mod finish;
pub mod freeze;
pub mod grants;
pub mod lines;
pub mod ranks;
pub mod rate;
pub mod refunds;
pub mod run;
pub mod tiers;
pub mod workset;

pub use error::SettleError;
