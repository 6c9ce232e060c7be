//! The living parts of the service: a supervisor over the host of runs, the scheduler, the outbox and the upkeep, and the desk that
//! commands partners. Actors hold no truth that the database does not: one that panics is started again and goes on from there.

mod outbox;
mod partners;
mod runs;
mod scheduler;
mod supervisor;
mod upkeep;

use std::fmt;
use std::sync::Arc;

use books::connection::Books;
use durable::{Clock, Engine};
use program::calendar::Instant;
use tokio_util::sync::CancellationToken;

pub use partners::{Desk, DeskError};
pub use supervisor::{Service, SuperviseError};

use crate::letters::Postman;

/// What all actors work with.
#[derive(Clone)]
pub struct Shared {
    /// The books.
    pub books: Books,
    /// The engine.
    pub engine: Engine,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who writes and hands over letters.
    pub postman: Arc<Postman>,
    /// Runs at work at the same time.
    pub workers: usize,
    /// Ends the service.
    pub stop: CancellationToken,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl Shared {
    /// What time it is, for the books.
    pub(crate) fn now(&self) -> Instant {
        Instant(self.clock.now().0)
    }
}

/// An error with its causes, for the log.
fn causes(error: &dyn std::error::Error) -> String {
    crate::cli::with_causes(error)
}
