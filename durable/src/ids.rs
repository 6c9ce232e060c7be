//! Ids of our own: a prefix and a `UUIDv7`, so that they sort by time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::clock::Instant;

/// The id of a run: `wfr_` and a `UUIDv7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

/// Text that is no run's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no run; the id of a run starts with wfr_, see `workflow list`")]
pub struct NoRunId(String);

impl RunId {
    /// A new id.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self(prefixed("wfr_", now))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the database has stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = NoRunId;

    fn from_str(text: &str) -> Result<Self, NoRunId> {
        let wrong = || NoRunId(text.chars().take(60).collect());
        let id = text.strip_prefix("wfr_").ok_or_else(wrong)?;
        Uuid::try_parse(id).map_err(|_| wrong())?;
        Ok(Self(text.to_owned()))
    }
}

/// `prefix` and a `UUIDv7` of this instant.
pub(crate) fn prefixed(prefix: &str, now: Instant) -> String {
    let seconds = u64::try_from(now.0.div_euclid(1_000_000)).unwrap_or(0);
    let nanoseconds = u32::try_from(now.0.rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    format!("{prefix}{}", Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanoseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_read_back() {
        let (earlier, later) = (RunId::new(Instant(1_700_000_000_000_000)), RunId::new(Instant(1_700_000_000_001_000)));
        assert!(earlier < later);
        assert_eq!(earlier.as_str().parse::<RunId>().unwrap(), earlier);
        for wrong in ["", "wfr_", "pay_018bcfe5-6800-7000-8000-000000000000", "wfr_x"] {
            assert!(wrong.parse::<RunId>().is_err(), "{wrong}");
        }
    }
}
