//! How checks read: the snapshot, and the report that they fill.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Value};
use serde_json::{Map, Value as Json};

use super::finding::{Invariant, Report, row};
use crate::load::row::{LoadError, Row, each_row, rows};

/// A snapshot and what was found in it.
pub(crate) struct Scan<'a> {
    pub(crate) tx: &'a DatabaseTransaction,
    pub(crate) report: Report,
    programs: Vec<String>,
}

/// Whatever names a programme: one that lost its row in `programs` is still looked at.
const PROGRAMS: &str = "SELECT id FROM programs UNION SELECT program FROM program_versions UNION SELECT program FROM periods \
     UNION SELECT program FROM bookings UNION SELECT program FROM commission_lines UNION SELECT program FROM settlements ORDER BY 1";

impl<'a> Scan<'a> {
    pub(crate) async fn of(tx: &'a DatabaseTransaction) -> Result<Self, LoadError> {
        let programs = rows(tx, PROGRAMS, Vec::new()).await?.iter().map(|row| row.string(0)).collect::<Result<_, _>>()?;
        Ok(Self { tx, report: Report::default(), programs })
    }

    pub(crate) fn backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self.tx)
    }

    /// A stored value that a check could not read offends its invariant and ends that check alone.
    pub(crate) fn tolerate(&mut self, invariant: Invariant, checked: Result<(), LoadError>) -> Result<(), LoadError> {
        match checked {
            Err(unreadable @ (LoadError::Corrupt { .. } | LoadError::NoProgram(_) | LoadError::Version { .. })) => {
                self.add(invariant, &[], format!("{unreadable}; what comes after it was not checked"));
                Ok(())
            }
            result => result,
        }
    }

    /// Takes an offending row.
    pub(crate) fn add(&mut self, invariant: Invariant, keys: &[(&str, &str)], what: impl Into<String>) {
        self.report.add(invariant, row(keys, what));
    }

    /// Every row of a query offends: its columns are named by `keys`.
    pub(crate) async fn offending(&mut self, invariant: Invariant, query: &str, keys: &[&str], what: &str) -> Result<(), LoadError> {
        self.offending_with(invariant, (query, Vec::new()), keys, what).await
    }

    /// As [`Scan::offending`], with values for the query's places.
    pub(crate) async fn offending_with(
        &mut self,
        invariant: Invariant,
        (query, values): (&str, Vec<Value>),
        keys: &[&str],
        what: &str,
    ) -> Result<(), LoadError> {
        let Self { tx, report, .. } = self;
        each_row(tx, query, values, |found| {
            let mut offender = Map::new();
            for (column, key) in keys.iter().enumerate() {
                offender.insert((*key).to_owned(), cell(&found, column)?);
            }
            offender.insert("what".into(), Json::from(what));
            report.add(invariant, offender);
            Ok::<(), LoadError>(())
        })
        .await
    }

    /// The ids of all programmes that anything names.
    pub(crate) fn programs(&self) -> Vec<String> {
        self.programs.clone()
    }
}

/// A number or text as it is stored.
fn cell(row: &Row, column: usize) -> Result<Json, LoadError> {
    match row.int_or_null(column) {
        Ok(number) => Ok(Json::from(number)),
        Err(_) => Ok(Json::from(row.string_or_null(column)?)),
    }
}
