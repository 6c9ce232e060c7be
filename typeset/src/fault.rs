//! What is wrong with a template, and where.

use std::fmt;

use typst::diag::SourceDiagnostic;
use typst::syntax::{DiagSpan, FileId};
use typst::{World, WorldExt};

/// One thing wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// The file, as it was given.
    pub file: String,
    /// The line, from 1; `None` when the fault is nowhere in particular.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub hints: Vec<String>,
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

/// Turns typst's spans into lines; `shown` names a file as the user knows it.
pub(crate) fn faults(world: &dyn World, shown: impl Fn(FileId) -> String, diagnostics: &[SourceDiagnostic]) -> Vec<TemplateFault> {
    diagnostics.iter().map(|diagnostic| fault(world, &shown, diagnostic)).collect()
}

fn fault(world: &dyn World, shown: &impl Fn(FileId) -> String, diagnostic: &SourceDiagnostic) -> TemplateFault {
    // What goes wrong inside typst has no place of its own; then the nearest caller in the template has.
    let callers = diagnostic.trace.iter().map(|point| DiagSpan::from(point.span));
    let place = std::iter::once(diagnostic.span).chain(callers).find_map(|span| place_of(world, span));
    let (file, line, column) = match place {
        Some((id, line, column)) => (shown(id), Some(line), Some(column)),
        None => (shown(world.main()), None, None),
    };
    let hints = diagnostic.hints.iter().map(|hint| hint.v.to_string()).collect();
    TemplateFault { file, line, column, message: diagnostic.message.to_string(), hints }
}

fn place_of(world: &dyn World, span: DiagSpan) -> Option<(FileId, usize, usize)> {
    let id = span.id()?;
    let start = world.range(span)?.start;
    let (line, column) = world.source(id).ok()?.lines().byte_to_line_column(start)?;
    Some((id, line + 1, column + 1))
}
