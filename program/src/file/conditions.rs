//! Conditions inside the file's strings: their errors are shown at their own place.

use std::collections::BTreeMap;
use std::ops::Range;

use super::errors::Findings;
use super::section::Field;
use crate::condition::{Condition, MetricKind, Scope};

/// Compiles a field's condition.
pub(super) fn condition(found: &mut Findings<'_>, field: &Field<'_>, scope: Scope, metrics: &BTreeMap<String, MetricKind>) -> Option<Condition> {
    let source = field.text(found)?;
    match Condition::parse(source, scope, metrics) {
        Ok(condition) => Some(condition),
        Err(error) => {
            let written = found.text().get(field.span.clone()).unwrap_or_default();
            let span = place(written, error.offset..error.offset + error.length);
            let span = field.span.start + span.start..field.span.start + span.end;
            let reason = format!("`{}`: {}", field.key, error.message);
            match error.help {
                Some(help) => found.add_with_help(span, reason, help),
                None => found.add(span, reason),
            }
            None
        }
    }
}

/// Where bytes of a string's value stand in the string as written, quotes and escapes included.
fn place(written: &str, value: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (None, None);
    for (at, bytes_before) in steps(written) {
        if start.is_none() && bytes_before >= value.start {
            start = Some(at);
        }
        if end.is_none() && bytes_before >= value.end {
            end = Some(at);
        }
    }
    let start = start.unwrap_or(written.len());
    start..end.unwrap_or(written.len()).max(start)
}

/// Each place of a written string at which a character of its value begins (and the value's end), with the bytes of the value before it.
fn steps(written: &str) -> Vec<(usize, usize)> {
    let quote = if written.starts_with('\'') { '\'' } else { '"' };
    let fence = if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
    let mut at = fence;
    // A line break right after an opening triple quote is not part of the value.
    if fence == 3 {
        at += written.get(at..).map_or(0, |rest| if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) });
    }
    let close = written.len().saturating_sub(fence);
    let (mut value_bytes, mut steps) = (0, Vec::new());
    while at < close {
        let Some(rest) = written.get(at..close) else { break };
        let Some(first) = rest.chars().next() else { break };
        let (width, decoded) = if first == '\\' && quote == '"' { escape(rest) } else { (first.len_utf8(), first.len_utf8()) };
        if decoded > 0 {
            steps.push((at, value_bytes));
        }
        at += width;
        value_bytes += decoded;
    }
    steps.push((close, value_bytes));
    steps
}

/// The length of an escape as written, and of what it stands for.
fn escape(rest: &str) -> (usize, usize) {
    let hex = |digits: usize| {
        let code = rest.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match rest.as_bytes().get(1) {
        Some(b'x') => hex(2),
        Some(b'u') => hex(4),
        Some(b'U') => hex(8),
        // A backslash at a line's end swallows all space up to the next text.
        Some(b' ' | b'\t' | b'\r' | b'\n') => {
            let blank = rest.get(1..).map_or(0, |after| after.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len());
            (1 + blank, 0)
        }
        Some(_) => (2, 1),
        None => (1, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_is_written() {
        let table = [
            (r#""abc""#, 1..2, "b"),
            (r"'abc'", 0..3, "abc"),
            (r#""a\"bc""#, 2..3, "b"),
            (r#""a\u00e9bc""#, 3..4, "b"),
            (r#""a\"\"bc""#, 1..3, r#"\"\""#),
            ("\"\"\"\nabc\"\"\"", 1..2, "b"),
            ("'''\r\nabc'''", 0..1, "a"),
            ("\"\"\"ab\\\n   cd\"\"\"", 2..4, "cd"),
            (r#""äöü""#, 2..4, "ö"),
        ];
        for (written, value, shown) in table {
            assert_eq!(&written[place(written, value)], shown, "{written}");
        }
        assert_eq!(place(r#""abc""#, 3..3), 4..4);
    }
}
