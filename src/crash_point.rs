//! Named points at which a harness kills the service: it stands still there, says so, and waits for its SIGKILL.
//!
//! `TRIBUTARY_CRASH_POINT=?` writes each point that is passed, once; `TRIBUTARY_CRASH_POINT="payout/ask the provider body"` stands still
//! at that one. Without the variable nothing of this is there. For tests only: a service that stands still settles and pays nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use durable::probe::{Fate, NoProbe, Point, Probe};

/// The variable that names the point.
pub const VARIABLE: &str = "TRIBUTARY_CRASH_POINT";
/// What is written before the name of a point that is passed.
pub const PASSED: &str = "crash point passed: ";
/// What is written before the name of the point at which it stands still.
pub const STANDS: &str = "crash point reached: ";
/// Asks for all points to be written.
const ALL: &str = "?";

/// What the variable asks for.
#[must_use]
pub fn from_environment() -> Arc<dyn Probe> {
    match std::env::var(VARIABLE) {
        Ok(all) if all == ALL => Arc::new(Telling::default()),
        Ok(name) if !name.is_empty() => Arc::new(StandingAt { name }),
        Ok(_) | Err(_) => Arc::new(NoProbe),
    }
}

/// A point's name. Turns of a loop are one point, and so is a step for each of many periods: ` #n` is left out, `2026-04` is `*`.
fn name(point: Point, workflow: &str, step: &str) -> String {
    let step = step.split_once(" #").map_or(step, |(name, _)| name);
    let words = step.split(' ').map(|word| if word.contains(|c: char| c.is_ascii_digit()) { "*" } else { word });
    format!("{workflow}/{} {}", words.collect::<Vec<_>>().join(" "), point.as_str())
}

#[derive(Debug, Default)]
struct Telling(Mutex<BTreeSet<String>>);

impl Probe for Telling {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        let name = name(point, workflow, step);
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            say(PASSED, &name);
        }
        Fate::GoOn
    }
}

#[derive(Debug)]
struct StandingAt {
    name: String,
}

impl Probe for StandingAt {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        if name(point, workflow, step) == self.name {
            say(STANDS, &self.name);
            loop {
                std::thread::park();
            }
        }
        Fate::GoOn
    }
}

/// A line of its own on standard error; a harness that has gone reads nothing any more.
fn say(what: &str, name: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{what}{name}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_of_a_loop_are_one_point() {
        assert_eq!(name(Point::Body, "payout", "look it up #12"), "payout/look it up body");
        assert_eq!(name(Point::Body, "settlement_run", "pay 2026-04: find"), "settlement_run/pay * find body");
        assert_eq!(name(Point::AfterEnd, "payout", ""), "payout/ after-end");
    }
}
