//! What is wrong with a file of facts, each thing at its place.

use std::fmt;

use sea_orm::DbErr;

/// How many errors of a file are kept; the rest is counted.
pub const ERRORS_MAX: usize = 1000;
/// How many a dry run keeps: it lists every error (interface.md §2), as far as memory allows.
pub const DRY_RUN_ERRORS_MAX: usize = 200_000;

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImportError {
    /// The line, counted from 1.
    pub line: u64,
    /// The column, where one is to blame.
    pub column: Option<String>,
    /// Why, and what to do.
    pub reason: String,
}

/// What is wrong with a file: the first [`ERRORS_MAX`] errors (of a dry run [`DRY_RUN_ERRORS_MAX`]), and how many there are.
#[derive(Debug, Clone)]
pub struct ImportErrors {
    /// What errors call the file.
    pub file: String,
    /// The errors that are kept.
    pub errors: Vec<ImportError>,
    /// How many were found.
    pub total: u64,
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            match &error.column {
                Some(column) => writeln!(f, "{}:{}: column {column}: {}", self.file, error.line, error.reason)?,
                None => writeln!(f, "{}:{}: {}", self.file, error.line, error.reason)?,
            }
        }
        let shown = u64::try_from(self.errors.len()).unwrap_or(u64::MAX);
        if self.total > shown {
            writeln!(f, "{}: {} more errors", self.file, self.total - shown)?;
        }
        write!(f, "nothing was recorded")
    }
}

impl std::error::Error for ImportErrors {}

/// Facts that could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file is wrong; nothing was changed.
    #[error(transparent)]
    Input(#[from] ImportErrors),
    /// The file can't be read.
    #[error("the file can't be read to its end; nothing was recorded")]
    Read(#[source] std::io::Error),
    /// The database failed.
    #[error("the database failed; nothing was recorded")]
    Database(#[from] DbErr),
    /// The database holds what the product never wrote.
    #[error("the database holds {0}; it was changed by something else than tributary")]
    Corrupt(String),
    /// Reading the file stopped without a word.
    #[error("the reader of the file stopped; nothing was recorded")]
    Stopped,
}

/// Something that is not recorded yet, for want of which a row is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// What it is: a table and the fields that identify a row of it, or one of the words of [`crate::facts`].
    pub what: String,
    /// Which one: the values of those fields, in their order.
    pub keys: Vec<String>,
}

/// Collects errors, up to a bound.
#[derive(Debug)]
pub(crate) struct Findings {
    errors: Vec<ImportError>,
    total: u64,
    max: usize,
    /// How many errors would not be there if something more were recorded, and the first such thing.
    lacking_total: u64,
    lacking: Option<Lacking>,
}

impl Findings {
    /// Nothing found yet; at most `max` errors are kept.
    pub(crate) const fn new(max: usize) -> Self {
        Self { errors: Vec::new(), total: 0, max, lacking_total: 0, lacking: None }
    }

    /// How many errors are kept.
    pub(crate) const fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn add(&mut self, line: u64, column: impl Into<Option<&'static str>>, reason: impl Into<String>) {
        self.push(ImportError { line, column: column.into().map(str::to_owned), reason: reason.into() });
    }

    pub(crate) fn push(&mut self, error: ImportError) {
        self.total += 1;
        if self.errors.len() < self.max {
            self.errors.push(error);
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.lacking_total += others.lacking_total;
        self.lacking = self.lacking.take().or(others.lacking);
        let kept = u64::try_from(others.errors.len()).unwrap_or(u64::MAX);
        self.count_more(others.total.saturating_sub(kept));
        others.errors.into_iter().for_each(|error| self.push(error));
    }

    /// Counts errors that are not kept.
    pub(crate) fn count_more(&mut self, more: u64) {
        self.total += more;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many errors there are.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Notes that the errors after the first `before` are there because something is not recorded yet.
    pub(crate) fn for_want_of(&mut self, before: u64, lacking: Lacking) {
        self.lacking_total += self.total - before;
        self.lacking.get_or_insert(lacking);
    }

    /// What to wait for, where nothing else is wrong.
    pub(crate) fn only_lacking(&self) -> Option<&Lacking> {
        self.lacking.as_ref().filter(|_| self.lacking_total == self.total)
    }

    pub(crate) fn into_errors(self, file: &str) -> ImportErrors {
        let mut errors = self.errors;
        errors.sort();
        // Two checks may find the same.
        let kept = errors.len();
        errors.dedup();
        let total = self.total.saturating_sub(u64::try_from(kept - errors.len()).unwrap_or(0));
        ImportErrors { file: file.to_owned(), errors, total }
    }
}
