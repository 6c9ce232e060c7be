//! The one home of the clock.

use program::calendar::Instant;

/// Where the clock of a command starts, for tests: an RFC 3339 instant.
pub const START_VARIABLE: &str = "TRIBUTARY_CLOCK__START";

/// What time it is, or where the environment says the clock starts.
///
/// # Errors
/// The variable is set but is not an instant.
pub fn now() -> Result<Instant, String> {
    match std::env::var(START_VARIABLE) {
        Ok(text) => text.parse().map_err(|error| format!("{START_VARIABLE}: {error}")),
        Err(_) => Ok(Instant(wall_clock_us())),
    }
}

/// Seconds since 1970 by the machine's clock, wherever that of the command starts: what a signature is dated with and checked against.
#[must_use]
pub fn wall_seconds() -> i64 {
    wall_clock_us().div_euclid(1_000_000)
}

/// A clock that runs on from where it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// How far it is ahead of the machine's.
    ahead_us: i64,
}

impl From<Option<Instant>> for Running {
    /// From an instant, or the machine's own.
    fn from(start: Option<Instant>) -> Self {
        Self { ahead_us: start.map_or(0, |start| start.0.saturating_sub(wall_clock_us())) }
    }
}

impl durable::Clock for Running {
    fn now(&self) -> durable::Instant {
        durable::Instant(wall_clock_us().saturating_add(self.ahead_us))
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock's one home")]
fn wall_clock_us() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
