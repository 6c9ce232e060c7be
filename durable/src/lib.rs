//! Durable execution inside the database, free of any product's domain.
//!
//! A [`workflow::Workflow`] is an async function over a [`context::Context`] that journals each named step. The [`engine::Engine`] takes
//! runs under a lease, drives them, and after a crash drives them again: finished steps return what was journaled.
//!
//! | module | subject |
//! |---|---|
//! | [`context`] | what a workflow may do |
//! | [`workflow`] | what a workflow is, and which ones this binary knows |
//! | [`runs`], [`operate`] | start, signal, list, show, sweep; pause, resume, retry, cancel |
//! | [`nodes`] | who is alive on a database |
//! | [`engine`], [`host`] | take runs and drive them; a plain host on tokio |
//! | [`schedules`], [`outbox`] | cron slots; messages that leave after their commit |
//! | [`verify`] | what must always hold of these tables |
//! | `kit` | crash, repeat and fail every step of a workflow (feature `kit`) |

pub mod clock;
pub mod context;
pub mod database;
pub mod engine;
pub mod entities;
pub mod host;
pub mod ids;
pub mod json;
#[cfg(feature = "kit")]
pub mod kit;
pub mod nodes;
pub mod operate;
pub mod outbox;
pub mod probe;
pub mod retry;
pub mod runs;
pub mod schedules;
mod sql;
pub mod status;
pub mod verify;
pub mod workflow;

pub use clock::{Clock, Instant, SystemClock};
pub use context::{ChildEnd, Context, Failure, IdempotencyKey, Interrupt, Outcome, StepError, StepOptions, StillHeld, TxStep};
pub use database::{Database, is_transient};
pub use engine::{Claimed, Drive, Engine, EngineError, Options};
pub use ids::RunId;
pub use retry::RetryPolicy;
pub use status::RunStatus;
pub use workflow::{Registry, Workflow};
