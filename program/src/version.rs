//! The versions of a programme and which of them holds on a day (domain.md §2.5).

use crate::calendar::Date;
use crate::programme::Programme;

/// A recorded version.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number, from 1 on.
    pub number: i64,
    /// From this day on.
    pub effective_from: Date,
    /// What it says.
    pub programme: Programme,
}

/// A programme's versions.
#[derive(Debug, Clone)]
pub struct Versions(Vec<Version>);

/// A programme without a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the programme has no version; record one with `program apply`")]
pub struct NoVersion;

impl Versions {
    /// Puts versions in order: by effective date, of one day by number.
    ///
    /// # Errors
    /// [`NoVersion`] when there are none.
    pub fn new(mut versions: Vec<Version>) -> Result<Self, NoVersion> {
        if versions.is_empty() {
            return Err(NoVersion);
        }
        versions.sort_by_key(|version| (version.effective_from, version.number));
        Ok(Self(versions))
    }

    /// The version in force on a day. Before the first it is the first: history has no version of its own.
    #[must_use]
    pub fn on(&self, day: Date) -> &Version {
        let known = self.0.partition_point(|version| version.effective_from <= day);
        &self.0[known.saturating_sub(1)]
    }

    /// What all versions share (id, currency, zone, first period, tiers' ids), by the first of them.
    #[must_use]
    pub fn constant(&self) -> &Programme {
        &self.0[0].programme
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.0.iter()
    }
}
