//! SeaORM entities of the engine's tables: one file a table.
//!
//! What is written on the way of a step goes through SQL beside its use; what is looked up, listed or verified goes through here.

pub mod event;
pub mod message;
pub mod run;
pub mod schedule;
pub mod signal;
pub mod slot;
pub mod step;
