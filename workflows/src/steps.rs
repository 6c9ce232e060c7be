//! What the steps of all processes share: the time, and how an error of the books becomes a word to the engine.

use std::error::Error;
use std::sync::Arc;

use durable::{Clock, StepError};
use program::calendar::Instant;

/// What time it is, for the books.
pub(crate) fn now(clock: &Arc<dyn Clock>) -> Instant {
    Instant(clock.now().0)
}

/// An instant of the books, for the engine.
pub(crate) const fn at(instant: Instant) -> durable::Instant {
    durable::Instant(instant.0)
}

/// What the books refuse for what they hold stays refused until somebody has looked at it; the machine's own faults are tried again.
pub(crate) fn told<E: Error + 'static>(is_input: bool, error: &E) -> StepError {
    if is_input { StepError::park(error.to_string()) } else { StepError::caused_by(error) }
}
