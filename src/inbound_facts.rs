//! Facts that others tell by webhook reach the books.

use std::sync::Arc;

use books::connection::Books;
use books::facts::{self, Answer, FactError, Message};
use durable::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::Instant;

use crate::http::facts::{InboundFacts, NotTaken};

/// Writes facts down.
pub struct Facts {
    /// The books.
    pub books: Books,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").finish_non_exhaustive()
    }
}

impl InboundFacts for Facts {
    fn record<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Answer, NotTaken>> {
        let now = Instant(self.clock.now().0);
        async move {
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
