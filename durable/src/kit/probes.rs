//! What the kit does at the points of an execution.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::probe::{Fate, Point, Probe};

/// Whether the worker has died since it was last asked.
pub(super) trait Mortal: Sync {
    fn has_died(&self) -> bool;
}

/// Never dies.
#[derive(Debug)]
pub(super) struct Undying;

impl Mortal for Undying {
    fn has_died(&self) -> bool {
        false
    }
}

/// A point's name in the kit: workflow, step, point.
fn place(point: Point, workflow: &str, step: &str) -> String {
    format!("{workflow}/{step} {}", point.as_str())
}

/// Counts the points and notes the steps.
#[derive(Debug, Default)]
pub(super) struct Counting {
    count: AtomicUsize,
    steps: Mutex<Vec<String>>,
}

impl Counting {
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(super) fn steps(&self) -> Vec<String> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Probe for Counting {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        self.count.fetch_add(1, Ordering::SeqCst);
        if point == Point::Body {
            let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            let step = format!("{workflow}/{step}");
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        Fate::GoOn
    }
}

impl Mortal for std::sync::Arc<Counting> {
    fn has_died(&self) -> bool {
        false
    }
}

/// Dies once, at a point by its number.
#[derive(Debug)]
pub(super) struct DyingAt {
    left: AtomicUsize,
    died: AtomicBool,
    place: Mutex<String>,
}

impl DyingAt {
    pub(super) fn new(at: usize) -> Self {
        Self { left: AtomicUsize::new(at + 1), died: AtomicBool::new(false), place: Mutex::default() }
    }

    pub(super) fn place(&self) -> String {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Probe for DyingAt {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left != Ok(1) {
            return Fate::GoOn;
        }
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place(point, workflow, step);
        self.died.store(true, Ordering::SeqCst);
        Fate::Die
    }
}

impl Mortal for DyingAt {
    fn has_died(&self) -> bool {
        self.died.swap(false, Ordering::SeqCst)
    }
}

/// Dies at each point the first time it comes there.
#[derive(Debug, Default)]
pub(super) struct DyingEverywhere {
    been: Mutex<HashSet<String>>,
    died: AtomicBool,
}

impl Probe for DyingEverywhere {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        let new = self.been.lock().unwrap_or_else(PoisonError::into_inner).insert(place(point, workflow, step));
        if !new {
            return Fate::GoOn;
        }
        self.died.store(true, Ordering::SeqCst);
        Fate::Die
    }
}

impl Mortal for DyingEverywhere {
    fn has_died(&self) -> bool {
        self.died.swap(false, Ordering::SeqCst)
    }
}

/// Runs the bodies of one step, or of all, twice.
#[derive(Debug)]
pub(super) struct Repeating(Option<String>);

impl Repeating {
    pub(super) fn one(step: &str) -> Self {
        Self(Some(step.to_owned()))
    }

    pub(super) fn all() -> Self {
        Self(None)
    }
}

impl Probe for Repeating {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        let this = self.0.as_ref().is_none_or(|wanted| *wanted == format!("{workflow}/{step}"));
        if point == Point::Body && this { Fate::Repeat } else { Fate::GoOn }
    }
}

/// Lets one step fail for good.
#[derive(Debug)]
pub(super) struct Failing(String);

impl Failing {
    pub(super) fn at(step: &str) -> Self {
        Self(step.to_owned())
    }
}

impl Probe for Failing {
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate {
        if point == Point::Body && self.0 == format!("{workflow}/{step}") { Fate::Fail } else { Fate::GoOn }
    }
}

/// Dies at the first write, and notes where: a replay writes nothing.
#[derive(Debug, Default)]
pub(super) struct Reading(Mutex<Option<String>>);

impl Reading {
    pub(super) fn wrote(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Probe for Reading {
    fn at(&self, point: Point, _workflow: &str, step: &str) -> Fate {
        if matches!(point, Point::Taken | Point::BeforeEnd | Point::AfterEnd) {
            return Fate::GoOn;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step.to_owned());
        Fate::Die
    }
}
