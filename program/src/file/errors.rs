//! What is wrong with a file: every finding with its place.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// Findings listed of one file; a file with more is of another kind.
const LISTED_MAX: usize = 100;

/// Everything that is wrong with a programme file, in order of place.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{name} is not a valid programme file: {}", Counted(*count))]
#[diagnostic(code(programme::file))]
pub struct FileErrors {
    name: Arc<str>,
    count: usize,
    #[source_code]
    source_code: NamedSource<Arc<str>>,
    #[related]
    errors: Vec<FileError>,
}

/// One thing that is wrong with a programme file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct FileError {
    /// The file.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
    /// What to write instead, where that is known.
    #[help]
    pub help: Option<String>,
    #[label("here")]
    span: SourceSpan,
}

impl FileErrors {
    /// Each of them, in order of place; never empty, at most 100.
    #[must_use]
    pub fn errors(&self) -> &[FileError] {
        &self.errors
    }
}

struct Counted(usize);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 error"),
            many => write!(f, "{many} errors"),
        }
    }
}

/// A finding before its line is known.
#[derive(Debug)]
struct Finding {
    span: Range<usize>,
    reason: String,
    help: Option<String>,
}

/// What was found while a file is read.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    text: &'t str,
    found: Vec<Finding>,
}

impl<'t> Findings<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// The file's text.
    pub(super) const fn text(&self) -> &'t str {
        self.text
    }

    pub(super) fn add(&mut self, span: Range<usize>, reason: impl Into<String>) {
        self.found.push(Finding { span, reason: reason.into(), help: None });
    }

    pub(super) fn add_with_help(&mut self, span: Range<usize>, reason: impl Into<String>, help: impl Into<String>) {
        self.found.push(Finding { span, reason: reason.into(), help: Some(help.into()) });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The line of a byte, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
    }

    /// Orders what was found and gives it lines and columns.
    pub(super) fn into_errors(mut self, name: &str) -> FileErrors {
        self.found.sort_by_key(|finding| (finding.span.start, finding.span.end));
        self.found.dedup_by(|later, earlier| later.span == earlier.span && later.reason == earlier.reason);
        let count = self.found.len();
        self.found.truncate(LISTED_MAX);
        let file: Arc<str> = name.into();
        let text: Arc<str> = self.text.into();
        let errors = self.found.into_iter().map(|finding| finding.located(&file, &text)).collect();
        FileErrors { name: file.clone(), count, source_code: NamedSource::new(name, text).with_language("TOML"), errors }
    }
}

impl Finding {
    fn located(self, file: &Arc<str>, text: &str) -> FileError {
        let start = floor_boundary(text, self.span.start);
        let end = floor_boundary(text, self.span.end).max(start);
        let (line, column) = place_of(text, start);
        FileError { file: file.clone(), line, column, reason: self.reason, help: self.help, span: (start, end - start).into() }
    }
}

/// The line of a byte and the character in it, from 1.
pub(super) fn place_of(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..floor_boundary(text, offset)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.bytes().filter(|b| *b == b'\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// The last character boundary at or before a byte.
fn floor_boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
