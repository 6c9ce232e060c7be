//! Rows of CSV (RFC 4180) whose text a spreadsheet never runs (reliability.md §3.11).

use std::io::{self, Write};

/// A cell.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Text of any origin: made inert.
    Text(&'a str),
    /// A number or date of ours, as it is.
    Plain(&'a str),
}

/// Writes one row with its line end.
///
/// # Errors
/// The writer fails.
pub fn write_row(out: &mut (impl Write + ?Sized), cells: &[Cell<'_>]) -> io::Result<()> {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        match cell {
            Cell::Plain(text) => quoted(out, "", text)?,
            Cell::Text(text) => quoted(out, if is_active(text) { "'" } else { "" }, text)?,
        }
    }
    out.write_all(b"\r\n")
}

/// Whether a spreadsheet may take the text for a formula.
#[must_use]
pub fn is_active(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

fn quoted(out: &mut (impl Write + ?Sized), before: &str, text: &str) -> io::Result<()> {
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        write!(out, "\"{before}{}\"", text.replace('"', "\"\""))
    } else {
        write!(out, "{before}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[Cell<'_>]) -> String {
        let mut out = Vec::new();
        write_row(&mut out, cells).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_inert_and_numbers_stay_numbers() {
        let table =
            [("=1+1", "'=1+1"), ("+49", "'+49"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"), ("\rx", "\"'\rx\""), ("a=b", "a=b"), ("", "")];
        for (text, cell) in table {
            assert_eq!(row(&[Cell::Text(text)]), format!("{cell}\r\n"));
        }
        assert_eq!(row(&[Cell::Plain("-12.50"), Cell::Plain("2026-04-30")]), "-12.50,2026-04-30\r\n");
    }

    #[test]
    fn what_needs_quotes_has_them() {
        let row = row(&[Cell::Text("a,b"), Cell::Text("say \"x\""), Cell::Text("two\nlines"), Cell::Text(" edge"), Cell::Text("=a,b")]);
        assert_eq!(row, "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\" edge\",\"'=a,b\"\r\n");
    }
}
