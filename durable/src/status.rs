//! The states of a run and what may follow what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It can be taken now.
    Ready,
    /// A worker holds it.
    Running,
    /// For a time, a signal or another run.
    Waiting,
    /// Stopped by an operator.
    Paused,
    /// Stopped by an error that an operator has to look at.
    Parked,
    /// Stopped because code and journal differ, or no code knows it.
    NeedsReview,
    /// It returned its output.
    Done,
    /// It failed for good; what was registered is undone.
    Failed,
    /// Ended by an operator; what was registered is undone.
    Cancelled,
}

/// What an operator can do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Stop it.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Go on from the step that failed; its attempts begin anew.
    Retry,
    /// End it.
    Cancel,
}

impl Act {
    /// As an operator writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Text that is no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no status of a run; they are ready, running, waiting, paused, parked, needs_review, done, failed, cancelled")]
pub struct NoStatus(String);

impl RunStatus {
    /// Every one.
    pub const ALL: [Self; 9] =
        [Self::Ready, Self::Running, Self::Waiting, Self::Paused, Self::Parked, Self::NeedsReview, Self::Done, Self::Failed, Self::Cancelled];

    /// As it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Parked => "parked",
            Self::NeedsReview => "needs_review",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Whether an operator may do this to a run in this state.
    #[must_use]
    pub fn allows(self, act: Act) -> bool {
        match act {
            Act::Pause => matches!(self, Self::Ready | Self::Running | Self::Waiting),
            Act::Resume => self == Self::Paused,
            Act::Retry => matches!(self, Self::Parked | Self::NeedsReview | Self::Failed),
            Act::Cancel => !self.is_final(),
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| NoStatus(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back() {
        for status in RunStatus::ALL {
            assert_eq!(status.as_str().parse::<RunStatus>().unwrap(), status);
        }
        assert!("Ready".parse::<RunStatus>().is_err());
    }

    #[test]
    fn what_an_operator_may_do_in_each_state() {
        use Act::{Cancel, Pause, Resume, Retry};
        for (status, allowed) in [
            (RunStatus::Ready, vec![Pause, Cancel]),
            (RunStatus::Running, vec![Pause, Cancel]),
            (RunStatus::Waiting, vec![Pause, Cancel]),
            (RunStatus::Paused, vec![Resume, Cancel]),
            (RunStatus::Parked, vec![Retry, Cancel]),
            (RunStatus::NeedsReview, vec![Retry, Cancel]),
            (RunStatus::Done, vec![]),
            (RunStatus::Failed, vec![Retry]),
            (RunStatus::Cancelled, vec![]),
        ] {
            let found: Vec<Act> = [Pause, Resume, Retry, Cancel].into_iter().filter(|act| status.allows(*act)).collect();
            assert_eq!(found, allowed, "{status}");
        }
    }
}
