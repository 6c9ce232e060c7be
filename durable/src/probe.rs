//! Named points of an execution at which a test, or a crash harness, may step in.

use std::fmt;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// The run was taken; nothing was done.
    Taken,
    /// A step's intent is about to be committed.
    BeforeIntent,
    /// A step's intent is committed.
    AfterIntent,
    /// The body of a step is about to run.
    Body,
    /// A step's result is about to be committed.
    BeforeResult,
    /// A step's result is committed.
    AfterResult,
    /// The run's waiting is about to be committed.
    BeforeWait,
    /// The run's waiting is committed.
    AfterWait,
    /// The run's end is about to be committed.
    BeforeEnd,
    /// The run's end is committed.
    AfterEnd,
}

impl Point {
    /// A stable name, for a harness.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::BeforeIntent => "before-intent",
            Self::AfterIntent => "after-intent",
            Self::Body => "body",
            Self::BeforeResult => "before-result",
            Self::AfterResult => "after-result",
            Self::BeforeWait => "before-wait",
            Self::AfterWait => "after-wait",
            Self::BeforeEnd => "before-end",
            Self::AfterEnd => "after-end",
        }
    }
}

/// What happens at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nothing special.
    GoOn,
    /// The worker dies here: nothing more is written by this execution.
    Die,
    /// At [`Point::Body`]: the body runs twice, as if its first answer was lost.
    Repeat,
    /// At [`Point::Body`]: the step fails for good without running.
    Fail,
}

/// Decides what happens at each point. One that kills its process is a crash harness.
pub trait Probe: Send + Sync + fmt::Debug {
    /// Called at each point of each execution; `step` is empty where there is none.
    fn at(&self, point: Point, workflow: &str, step: &str) -> Fate;
}

/// Lets everything happen.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn at(&self, _point: Point, _workflow: &str, _step: &str) -> Fate {
        Fate::GoOn
    }
}
