//! What is wrong with a configuration: every finding with its place.

use std::fmt;

/// Findings that are listed; a configuration with more is something else.
const LISTED_MAX: usize = 100;

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration can't be used: {}{}", Counted(problems.len()), Listed(problems))]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
    /// What to do instead, where that is known.
    pub help: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Neither: it is missing.
    Nowhere,
    /// A file.
    File {
        /// Its name.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The character in it, from 1.
        column: usize,
    },
    /// An environment variable.
    Variable(String),
}

impl ConfigErrors {
    /// `None` where nothing was found.
    pub(super) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        (!problems.is_empty()).then_some(Self { problems })
    }

    /// A part is missing though nothing was found wrong with it: a default that is not there.
    pub(super) fn unexplained() -> Self {
        let reason = "a default is missing from the built-in configuration".to_owned();
        Self { problems: vec![Problem { place: Place::Nowhere, reason, help: None }] }
    }

    /// Each of them, what is missing first, then those of the file in its order; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("missing"),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

struct Counted(usize);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("1 error") } else { write!(f, "{} errors", self.0) }
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.0.iter().take(LISTED_MAX) {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}
