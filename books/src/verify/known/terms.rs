//! A programme's versions and periods.

use std::collections::BTreeMap;

use program::calendar::{Date, Period, days_after};
use program::programme::Programme;
use sea_orm::DatabaseTransaction;

use crate::load::row::{LoadError, rows};

/// A recorded version.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) number: i64,
    effective_from: Date,
    seq: i64,
    pub(crate) says: Programme,
}

/// A period that was frozen.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) cutoff: i64,
    /// Whether its lines are stored.
    pub(crate) is_rated: bool,
}

/// A programme as recorded.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) program: String,
    versions: Vec<Version>,
    periods: BTreeMap<String, Made>,
}

impl Terms {
    /// Loads a programme's versions and periods.
    pub(crate) async fn load(tx: &DatabaseTransaction, program: &str) -> Result<Self, LoadError> {
        let mut versions = Vec::new();
        let query = "SELECT number, effective_from, seq, source FROM program_versions WHERE program = ? ORDER BY effective_from, number";
        for row in rows(tx, query, vec![program.into()]).await? {
            let (number, source) = (row.int(0)?, row.string(3)?);
            let unreadable = |reason: program::file::FileErrors| LoadError::Version { program: program.into(), number, reason: reason.to_string() };
            let says = program::file::load(program, &source).map_err(unreadable)?;
            versions.push(Version { number, effective_from: row.date(1)?, seq: row.int(2)?, says });
        }
        let mut periods = BTreeMap::new();
        for row in rows(tx, "SELECT period, cutoff, stage FROM periods WHERE program = ?", vec![program.into()]).await? {
            let is_rated = ["rated", "final"].contains(&row.string(2)?.as_str());
            periods.insert(row.string(0)?, Made { cutoff: row.int(1)?, is_rated });
        }
        if versions.is_empty() { Err(LoadError::NoProgram(program.into())) } else { Ok(Self { program: program.into(), versions, periods }) }
    }

    /// The version in force on a day as known at a cut-off; days before the first have the first.
    pub(crate) fn on(&self, day: Date, cutoff: i64) -> &Version {
        let known = || self.versions.iter().filter(|version| version.seq <= cutoff);
        known().rfind(|version| version.effective_from <= day).or_else(|| known().next()).unwrap_or(&self.versions[0])
    }

    /// A version by its number.
    pub(crate) fn version(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// All versions.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter()
    }

    /// What all versions share.
    pub(crate) fn constant(&self) -> &Programme {
        &self.versions[0].says
    }

    /// The cut-off of a period; one that is not there knows everything.
    pub(crate) fn cutoff(&self, period: &str) -> i64 {
        self.periods.get(period).map_or(i64::MAX, |made| made.cutoff)
    }

    /// The last period whose lines are stored.
    pub(crate) fn last_rated(&self) -> Option<(&str, &Made)> {
        self.periods.iter().rev().find(|(_, made)| made.is_rated).map(|(period, made)| (period.as_str(), made))
    }

    /// The period of the eligible date of an invoice paid on a day (domain.md §2.3).
    pub(crate) fn own_period(&self, paid_on: Date, cutoff: i64) -> Period {
        Period::of(days_after(paid_on, self.on(paid_on, cutoff).says.settlement.hold_days))
    }
}
