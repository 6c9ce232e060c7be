//! The mistakes of a programme file, each at its place, with the line that it is in.

use miette::Diagnostic;
use program::file::{FileError, FileErrors};

/// Characters of a line that are shown around a mistake.
const SHOWN_MAX: usize = 100;
/// Characters of a reason: it may repeat what the file holds.
const REASON_MAX: usize = 300;

/// A head, and each mistake as `file:line:column: reason` with its line and what to write instead.
pub(super) fn shown(errors: &FileErrors, text: &str) -> String {
    let mut out = format!("error: {errors}");
    for error in errors.errors() {
        let FileError { file, line, column, reason, help, .. } = error;
        out.push_str(&format!("\n{file}:{line}:{column}: {}", cut(reason, REASON_MAX)));
        if let Some(source) = text.lines().nth(line.saturating_sub(1)) {
            let length = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.len());
            let meant = text_of(source, *column, length);
            out.push_str(&place(source, *line, *column, meant));
        }
        if let Some(help) = help {
            out.push_str(&format!("\n  help: {}", cut(help, REASON_MAX)));
        }
    }
    out
}

/// How many characters of a line a span of bytes covers.
fn text_of(source: &str, column: usize, bytes: usize) -> usize {
    let mut left = bytes;
    let covered = source.chars().skip(column.saturating_sub(1)).take_while(|c| {
        let is_in = left > 0;
        left = left.saturating_sub(c.len_utf8());
        is_in
    });
    covered.count().max(1)
}

/// The line, cut around the mistake if it is long, and marks below it.
fn place(source: &str, line: usize, column: usize, length: usize) -> String {
    let at = column.saturating_sub(1);
    let count = source.chars().count();
    let first = if count <= SHOWN_MAX { 0 } else { at.saturating_sub(SHOWN_MAX / 2) };
    let mut shown: String = source.chars().skip(first).take(SHOWN_MAX).map(|c| if c == '\t' { ' ' } else { c }).collect();
    if first + SHOWN_MAX < count {
        shown.push('…');
    }
    let before = if first > 0 { "…" } else { "" };
    let space = at - first + before.chars().count();
    let marks = "^".repeat(length.clamp(1, (SHOWN_MAX - (at - first).min(SHOWN_MAX)).max(1)));
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    format!("\n  {number} | {before}{shown}\n  {gutter} | {}{marks}", " ".repeat(space))
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}
