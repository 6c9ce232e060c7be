//! Facts that others tell by webhook reach the books.

use std::sync::Arc;

use books::connection::Books;
use books::facts::{self, Answer, FactError, Message};
use durable::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::Instant;
use tokio::sync::Semaphore;

use crate::http::facts::{InboundFacts, NotTaken};

/// Messages that are recorded at the same time: each has a connection of its own, and they wait for each other in the books anyway.
const AT_ONCE: usize = 2;

/// Writes facts down.
pub struct Facts {
    books: Books,
    clock: Arc<dyn Clock>,
    turns: Semaphore,
}

impl Facts {
    /// Over these books.
    #[must_use]
    pub fn new(books: Books, clock: Arc<dyn Clock>) -> Self {
        Self { books, clock, turns: Semaphore::new(AT_ONCE) }
    }
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").finish_non_exhaustive()
    }
}

impl InboundFacts for Facts {
    fn record<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Answer, NotTaken>> {
        async move {
            let _turn = self.turns.acquire().await.map_err(|_| NotTaken::Unavailable("the service is stopping".into()))?;
            let now = Instant(self.clock.now().0);
            facts::receive(&self.books, message, now).await.map_err(|error| match error {
                FactError::OtherBody(_) => NotTaken::OtherBody,
                FactError::Refused(_) | FactError::Person(_) => NotTaken::Refused(error.to_string()),
                FactError::Full => NotTaken::Full,
                FactError::NotParked(_) | FactError::Record(_) | FactError::Load(_) => NotTaken::Unavailable(crate::cli::with_causes(&error)),
            })
        }
        .boxed()
    }
}
