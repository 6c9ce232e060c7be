//! Printing: a document or tables on standard output.

use std::io::{self, Write};

use books::explain::text::inert;

use super::CliError;

/// Prints one JSON document.
pub(crate) fn json(document: &serde_json::Value) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document).map_err(io::Error::from).and_then(|()| out.write_all(b"\n")).or_else(closed)
}

/// Prints `{"NAME": [ … ]}` element by element, so that a long list is never held whole.
pub(crate) struct JsonList {
    out: io::BufWriter<io::Stdout>,
    name: &'static str,
    count: usize,
}

impl JsonList {
    /// An empty list.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { out: io::BufWriter::new(io::stdout()), name, count: 0 }
    }

    /// Prints the next element.
    pub(crate) fn push(&mut self, element: &serde_json::Value) -> Result<(), CliError> {
        let head = if self.count == 0 { format!("{{\"{}\": [\n", self.name) } else { ",\n".to_owned() };
        self.count += 1;
        let written = self.out.write_all(head.as_bytes());
        written.and_then(|()| serde_json::to_writer(&mut self.out, element).map_err(io::Error::from)).or_else(closed)
    }

    /// Prints the end, and beside the list why it is not longer.
    pub(crate) fn finish(mut self, error: Option<&serde_json::Value>) -> Result<(), CliError> {
        let head = if self.count == 0 { format!("{{\"{}\": [", self.name) } else { "\n".to_owned() };
        let tail = error.map_or_else(|| "]}\n".to_owned(), |error| format!("],\n\"error\": {error}}}\n"));
        self.out.write_all(head.as_bytes()).and_then(|()| self.out.write_all(tail.as_bytes())).and_then(|()| self.out.flush()).or_else(closed)
    }
}

/// Prints text.
pub(crate) fn text(text: &str) -> Result<(), CliError> {
    io::stdout().lock().write_all(text.as_bytes()).or_else(closed)
}

/// A reader that closed the pipe has seen enough.
#[allow(clippy::needless_pass_by_value, reason = "used as a function in or_else")]
fn closed(error: io::Error) -> Result<(), CliError> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(CliError::Failed(format!("standard output: {error}"))) }
}

/// How wide the terminal is, where standard output is one.
pub(crate) fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// Columns of a progress bar that leaves room for so many beside it, where the terminal of standard error has them.
pub(crate) fn bar_width(beside: usize) -> usize {
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
    width.saturating_sub(beside).clamp(4, 40)
}

/// A table: columns padded, numbers to the right where `right` says so, no cell with characters that a terminal would obey.
pub(crate) fn table(heads: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let inert = |row: &Vec<String>| row.iter().map(|cell| inert(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(inert).collect();
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = heads.iter().map(|head| width(head)).collect();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .enumerate()
            .map(|(column, cell)| {
                let space = " ".repeat(widths[column] - width(cell));
                if right[column] { format!("{space}{cell}") } else { format!("{cell}{space}") }
            })
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut out = line(&mut heads.iter().copied());
    for row in &rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}
