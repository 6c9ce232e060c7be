//! Waiting for a condition, with a limit.

use std::time::{Duration, Instant};

/// Long enough for anything that these tests wait for, on a machine that has other things to do.
pub(crate) const LONG: Duration = Duration::from_mins(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until there is something; fails after the limit with what `told` says then.
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>, told: impl FnOnce() -> String) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}\n{}", told());
        pause(PAUSE);
    }
}

/// The one place where time is let pass: between two looks, and up to the moment of a kill.
#[allow(clippy::disallowed_methods, reason = "this is the pause between two looks at a condition")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
