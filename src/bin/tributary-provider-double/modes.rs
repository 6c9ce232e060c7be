//! What becomes of a request.

use std::collections::VecDeque;
use std::str::FromStr;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Pays and says so.
    Pay,
    /// Takes it; `/control/settle` ends it.
    Accept,
    /// Takes it and says that it failed.
    Fail,
    /// Pays and says nothing while the asker waits.
    PayThenHang,
    /// Pays and closes the connection.
    PayThenDrop,
    /// Pays and answers 500.
    PayThenError,
    /// Pays and answers what is no JSON.
    PayThenGarbage,
    /// Does nothing while the asker waits.
    Hang,
    /// Does nothing and closes the connection.
    Drop,
    /// Pays and says so by webhook, before it answers.
    CallEarly,
    /// Answers, pays, and says so by webhook.
    CallAfter,
    /// The same webhook twice.
    CallTwice,
    /// The same, after a while.
    CallLate,
    /// Pays, and the money comes back.
    Bounce,
    /// The same, but its words come in the wrong order.
    BounceReversed,
    /// Answers a look-up with what was so when it came, some seconds later; a request as `pay`.
    Slow,
    /// Does nothing and answers this.
    Status(u16),
}

/// A mode, for so many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    mode: Mode,
    times: u32,
}

/// What becomes of the next requests; the last mode stays.
#[derive(Debug)]
pub(crate) struct Plan {
    ahead: VecDeque<Planned>,
}

impl Plan {
    pub(crate) fn of(modes: Vec<Planned>) -> Self {
        Self { ahead: modes.into() }
    }

    pub(crate) fn next(&mut self) -> Mode {
        let count = self.ahead.len();
        let Some(first) = self.ahead.front_mut() else { return Mode::Pay };
        let mode = first.mode;
        first.times = first.times.saturating_sub(1);
        if first.times == 0 && count > 1 {
            self.ahead.pop_front();
        }
        mode
    }
}

impl FromStr for Planned {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mode, times) = text.split_once('*').unwrap_or((text, "1"));
        let times = times.parse().ok().filter(|times| *times > 0).ok_or_else(|| format!("{times:?} is not how often"))?;
        Ok(Self { mode: mode.parse()?, times })
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "pay" => Self::Pay,
            "accept" => Self::Accept,
            "fail" => Self::Fail,
            "pay-then-hang" => Self::PayThenHang,
            "pay-then-drop" => Self::PayThenDrop,
            "pay-then-error" => Self::PayThenError,
            "pay-then-garbage" => Self::PayThenGarbage,
            "hang" => Self::Hang,
            "drop" => Self::Drop,
            "call-early" => Self::CallEarly,
            "call-after" => Self::CallAfter,
            "call-twice" => Self::CallTwice,
            "call-late" => Self::CallLate,
            "bounce" => Self::Bounce,
            "bounce-reversed" => Self::BounceReversed,
            "slow" => Self::Slow,
            other => {
                let status = other.strip_prefix("status-").and_then(|status| status.parse().ok()).filter(|status| (200..600).contains(status));
                Self::Status(status.ok_or_else(|| format!("{other:?} is no mode"))?)
            }
        })
    }
}
