//! Rows of a file, checked one by one, as they are staged.

use std::io::{self, BufRead};

use program::money::Currency;
use sea_orm::Value;

use super::csv::{CsvReader, Record};
use super::error::{Findings, ImportError};
use super::jsonl::{self, LineReader, Members};
use super::kinds::invoice_items;
use super::nearest::nearest;
use super::shape::{Cell, short};
use super::table::{Kind, Need};

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header line.
    Csv,
    /// An object a line.
    Jsonl,
}

/// A row that could be read: its cells in the order of the kind's columns.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    kind: &'static Kind,
    line: u64,
    cells: Vec<Option<Cell>>,
    /// Fields whose cells could not be taken; they are empty.
    unread: Vec<&'static str>,
    /// Whether anything was wrong with it.
    bad: bool,
    /// Before a column's name in errors.
    prefix: &'a str,
    findings: &'a mut Findings,
}

impl Row<'_> {
    /// A field's text, if it has any.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        match self.cell(field) {
            Some(Cell::Text(text)) => Some(text),
            Some(Cell::Int(_)) | None => None,
        }
    }

    fn cell(&self, field: &str) -> Option<&Cell> {
        let index = self.kind.columns.iter().position(|column| column.field == field)?;
        self.cells[index].as_ref()
    }

    /// Whether a field is filled.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.cell(field).is_some()
    }

    /// Whether it is known what all of some fields hold.
    pub(crate) fn knows(&self, fields: &[&str]) -> bool {
        !fields.iter().any(|field| self.unread.contains(field))
    }

    /// Notes that the row is wrong.
    pub(crate) fn wrong(&mut self, column: &str, reason: impl Into<String>) {
        self.bad = true;
        let column = Some(format!("{}{column}", self.prefix));
        self.findings.push(ImportError { line: self.line, column, reason: reason.into() });
    }

    /// Appends it as the staging table has it.
    fn stage(self, n: i64, into: &mut Staged) {
        into.rows += 1;
        let line = i64::try_from(self.line).unwrap_or(i64::MAX);
        let place = Some(self.prefix.to_owned()).filter(|prefix| !prefix.is_empty());
        into.values.extend([Value::from(n), Value::from(line), Value::String(place), Value::from(i64::from(self.bad))]);
        for (column, cell) in self.kind.columns.iter().zip(self.cells) {
            into.values.push(match cell {
                Some(Cell::Text(text)) => Value::String(Some(text)),
                Some(Cell::Int(number)) => Value::BigInt(Some(number)),
                None if column.shape.is_int() => Value::BigInt(None),
                None => Value::String(None),
            });
        }
    }
}

/// Rows ready to be staged.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    /// The values of all rows, one after the other.
    pub(crate) values: Vec<Value>,
    /// How many rows.
    pub(crate) rows: usize,
}

/// Reads the rows of a file.
#[derive(Debug)]
pub(crate) struct RowReader<R> {
    kind: &'static Kind,
    source: Source<R>,
    /// Rows read, items included: the number of the next one.
    pub(crate) read: i64,
}

#[derive(Debug)]
enum Source<R> {
    Csv { reader: CsvReader<R>, record: Record, header: Option<Vec<usize>> },
    Jsonl(LineReader<R>),
}

impl<R: BufRead> RowReader<R> {
    pub(crate) fn new(kind: &'static Kind, format: Format, input: R) -> Self {
        let source = match format {
            Format::Csv => Source::Csv { reader: CsvReader::new(input), record: Record::default(), header: None },
            Format::Jsonl => Source::Jsonl(LineReader::new(input)),
        };
        Self { kind, source, read: 0 }
    }

    /// Reads the next row, and its items, if it carries any; false at the end.
    ///
    /// # Errors
    /// What reading says; what is wrong with rows goes to `findings`.
    pub(crate) fn next(&mut self, rows: &mut Staged, items: &mut Staged, findings: &mut Findings) -> io::Result<bool> {
        let kind = self.kind;
        match &mut self.source {
            Source::Csv { reader, record, header } => {
                if header.is_none() {
                    *header = Some(read_header(kind, reader, record, findings)?);
                }
                let columns = header.as_deref().unwrap_or_default();
                if columns.is_empty() || !reader.read(record)? {
                    return Ok(false);
                }
                self.read += 1;
                match csv_cells(kind, columns, record, findings) {
                    Some(cells) => checked(kind, record.line, cells, "", findings).stage(self.read, rows),
                    None => unread(kind, record.line, None, "", findings).stage(self.read, rows),
                }
            }
            Source::Jsonl(reader) => {
                let Some((line, text)) = reader.read()? else { return Ok(false) };
                match text.map_err(str::to_owned).and_then(jsonl::object) {
                    Ok(members) => json_row(kind, line, members, &mut self.read, rows, items, findings),
                    Err(reason) => {
                        self.read += 1;
                        findings.push(ImportError { line, column: None, reason });
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Which column of the kind each field of a record is; nothing when the header is wrong.
fn read_header<R: BufRead>(kind: &'static Kind, reader: &mut CsvReader<R>, record: &mut Record, findings: &mut Findings) -> io::Result<Vec<usize>> {
    if !reader.read(record)? {
        findings.add(1, None, "the file is empty; its first line names the columns");
        return Ok(Vec::new());
    }
    let mut columns: Vec<usize> = Vec::with_capacity(record.len());
    let mut wrong = |reason: String| findings.push(ImportError { line: record.line, column: None, reason });
    if let Some((_, reason)) = record.fault {
        wrong(format!("the header can't be read: {reason}"));
        return Ok(Vec::new());
    }
    let mut complete = true;
    for index in 0..record.len() {
        let name = String::from_utf8_lossy(record.field(index));
        match kind.column(&name) {
            Some(column) if columns.contains(&column) => {
                wrong(format!("column {name} stands twice in the header"));
                complete = false;
            }
            Some(column) => columns.push(column),
            None => {
                wrong(unknown_column(kind, &name));
                complete = false;
            }
        }
    }
    for (index, column) in kind.columns.iter().enumerate() {
        if column.need == Need::Required && !columns.contains(&index) {
            wrong(format!("the required column {} is missing", column.name));
            complete = false;
        }
    }
    Ok(if complete { columns } else { Vec::new() })
}

fn unknown_column(kind: &'static Kind, name: &str) -> String {
    let nearest = nearest(name, kind.columns.iter().map(|column| column.name));
    format!("{} has no column {:?}; the nearest is {nearest:?}", kind.name, short(name))
}

/// The texts of a record in the order of the kind's columns; nothing when they can't be told apart.
fn csv_cells(kind: &'static Kind, columns: &[usize], record: &Record, findings: &mut Findings) -> Option<Vec<Option<String>>> {
    if let Some((field, reason)) = record.fault {
        let column = columns.get(field).map(|&column| kind.columns[column].name);
        findings.add(record.line, column, reason);
        return None;
    }
    if record.len() != columns.len() {
        let (few_or_many, where_) = surplus(kind, columns, record.len());
        let reason = format!("the line has {} fields, {few_or_many}: the header names {}; {where_}", record.len(), columns.len());
        findings.add(record.line, None, reason);
        return None;
    }
    let mut cells = vec![None; kind.columns.len()];
    for (index, &column) in columns.iter().enumerate() {
        match std::str::from_utf8(record.field(index)) {
            Ok("") => {}
            Ok(text) => cells[column] = Some(text.to_owned()),
            Err(_) => {
                findings.add(record.line, kind.columns[column].name, "the value is not UTF-8");
                return None;
            }
        }
    }
    Some(cells)
}

/// Whether a line has too few fields or too many, and which columns are missing or after which it goes on.
fn surplus(kind: &'static Kind, columns: &[usize], fields: usize) -> (&'static str, String) {
    let names: Vec<&str> = columns.iter().map(|&column| kind.columns[column].name).collect();
    match (names.get(fields..), names.last()) {
        (Some([missing]), _) => ("too few", format!("column {missing} is missing")),
        (Some(missing), _) => ("too few", format!("columns {} are missing", missing.join(", "))),
        (None, last) => ("too many", format!("there is more after column {}", last.copied().unwrap_or_default())),
    }
}

/// The member of an invoice that holds its items.
const ITEMS: &str = "items";

fn json_row(kind: &'static Kind, line: u64, members: Members<'_>, read: &mut i64, rows: &mut Staged, items: &mut Staged, findings: &mut Findings) {
    *read += 1;
    let carries_items = kind.name == "invoices";
    let (nested, members): (Vec<_>, Vec<_>) = members.0.into_iter().partition(|(name, _)| carries_items && name == ITEMS);
    let Some(cells) = json_cells(kind, line, "", members, findings) else { return };
    let invoice = cells[0].clone();
    checked(kind, line, cells, "", findings).stage(*read, rows);
    if nested.len() > 1 {
        findings.push(ImportError { line, column: Some(ITEMS.into()), reason: "the name stands twice in the object".into() });
        return;
    }
    for (_, value) in nested {
        match jsonl::array(value) {
            Ok(all) => {
                for (index, members) in all.into_iter().enumerate() {
                    *read += 1;
                    json_item(line, index, members, invoice.clone(), *read, items, findings);
                }
            }
            Err(reason) => findings.push(ImportError { line, column: Some(ITEMS.into()), reason }),
        }
    }
}

fn json_item(line: u64, index: usize, members: Members<'_>, invoice: Option<String>, n: i64, items: &mut Staged, findings: &mut Findings) {
    let kind = &invoice_items::KIND;
    let prefix = format!("{ITEMS}[{index}].");
    if let Some((name, _)) = members.0.iter().find(|(name, _)| name == "invoice") {
        findings.push(ImportError {
            line,
            column: Some(format!("{prefix}{name}")),
            reason: "the invoice that carries the item is its invoice".into(),
        });
        unread(kind, line, invoice, &prefix, findings).stage(n, items);
        return;
    }
    let Some(mut cells) = json_cells(kind, line, &prefix, members.0, findings) else {
        unread(kind, line, invoice, &prefix, findings).stage(n, items);
        return;
    };
    // Without an id the invoice has its own error.
    if invoice.is_some() {
        cells[0] = invoice;
        checked(kind, line, cells, &prefix, findings).stage(n, items);
    }
}

/// A row that can't be read, so that what needs all rows of a group knows that one is missing.
fn unread<'a>(kind: &'static Kind, line: u64, first: Option<String>, prefix: &'a str, findings: &'a mut Findings) -> Row<'a> {
    let mut cells = vec![None; kind.columns.len()];
    cells[0] = first.map(Cell::Text);
    Row { kind, line, cells, unread: kind.columns.iter().map(|column| column.field).collect(), bad: true, prefix, findings }
}

fn json_cells(
    kind: &'static Kind,
    line: u64,
    prefix: &str,
    members: Vec<(String, &serde_json::value::RawValue)>,
    findings: &mut Findings,
) -> Option<Vec<Option<String>>> {
    let mut cells = vec![None; kind.columns.len()];
    let mut seen = vec![false; kind.columns.len()];
    let mut complete = true;
    for (name, value) in members {
        let mut wrong = |reason: String| {
            complete = false;
            findings.push(ImportError { line, column: Some(format!("{prefix}{}", short(&name))), reason });
        };
        match kind.column(&name) {
            None => wrong(unknown_column(kind, &name)),
            Some(column) if seen[column] => wrong("the name stands twice in the object".into()),
            Some(column) => {
                seen[column] = true;
                match jsonl::scalar(value) {
                    Ok(cell) => cells[column] = cell,
                    Err(reason) => wrong(reason),
                }
            }
        }
    }
    complete.then_some(cells)
}

/// Reads the cells of a row and looks at what the kind asks of a row by itself.
fn checked<'a>(kind: &'static Kind, line: u64, texts: Vec<Option<String>>, prefix: &'a str, findings: &'a mut Findings) -> Row<'a> {
    let currency = kind.column("currency").and_then(|column| texts[column].as_deref()).and_then(|code| code.parse::<Currency>().ok());
    let mut row = Row { kind, line, cells: Vec::with_capacity(texts.len()), unread: Vec::new(), bad: false, prefix, findings };
    for (column, text) in kind.columns.iter().zip(texts) {
        let cell = match (text, column.need) {
            (Some(text), _) => column.shape.read(text, currency),
            (None, Need::Default(text)) => column.shape.read(text.to_owned(), currency),
            (None, Need::Optional) => Ok(None),
            (None, Need::Required) => Err("the value is missing".into()),
        };
        let cell = cell.unwrap_or_else(|reason| {
            row.wrong(column.name, reason);
            row.unread.push(column.field);
            None
        });
        // An amount whose currency can't be read stays empty, and the row is bad for its currency's sake.
        row.cells.push(cell);
    }
    (kind.check)(&mut row);
    row
}

/// A kind whose rows need no look beyond their cells.
pub(crate) fn nothing_more(_row: &mut Row<'_>) {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::FactKind;

    /// Reads everything; what is wrong is counted.
    fn read(kind: FactKind, format: Format, bytes: &[u8]) -> (usize, bool) {
        let mut reader = RowReader::new(kind.kind(), format, bytes);
        let (mut rows, mut items, mut findings) = (Staged::default(), Staged::default(), Findings::new(1000));
        while reader.next(&mut rows, &mut items, &mut findings).unwrap() {}
        assert_eq!(rows.values.len(), rows.rows * (kind.kind().columns.len() + 4));
        (rows.rows, findings.is_empty())
    }

    /// Pieces of which hostile files are made.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let known = [
            "id",
            "customer",
            "currency",
            "subtotal",
            "kind",
            "invoice",
            "item",
            "amount",
            "items",
            "USD",
            "JPY",
            "1.00",
            "-1",
            "1e9",
            "true",
            "null",
            "2024-01-31",
            "2024-01-31T00:00:00Z",
            ",",
            "\"",
            "\n",
            "\r\n",
            "\r",
            "{",
            "}",
            "[",
            "]",
            ":",
            "\\u0000",
            "\\ud800",
            "\0",
            "\u{feff}",
            "\u{202e}",
            "id,customer,currency,subtotal\n",
            "{\"id\":\"a\",\"customer\":\"c\",\"currency\":\"USD\",\"subtotal\":1,\"items\":[{",
        ];
        prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 0..8)]
    }

    proptest! {
        #[test]
        fn hostile_files_are_read_to_their_end(pieces in prop::collection::vec(piece(), 0..60), kind in 0..FactKind::ALL.len(), csv in any::<bool>()) {
            let format = if csv { Format::Csv } else { Format::Jsonl };
            read(FactKind::ALL[kind], format, &pieces.concat());
        }

        #[test]
        fn both_formats_read_the_same(name in "\\PC{1,12}", on in prop::option::of("20[0-9]{2}-0[1-9]-1[0-9]"), id in "[a-zA-Z0-9/ -]{1,20}") {
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let csv = format!("name,activated_on,id\n{},{},{}\n", quoted(&name), on.clone().unwrap_or_default(), quoted(&id));
            let json = serde_json::json!({ "id": id, "name": name, "activated_on": on }).to_string();
            let mut all = Vec::new();
            for (format, text) in [(Format::Csv, csv), (Format::Jsonl, json)] {
                let mut reader = RowReader::new(FactKind::Customers.kind(), format, text.as_bytes());
                let (mut rows, mut items, mut findings) = (Staged::default(), Staged::default(), Findings::new(1000));
                while reader.next(&mut rows, &mut items, &mut findings).unwrap() {}
                prop_assert!(findings.is_empty());
                // The line differs: CSV has a header.
                rows.values.remove(1);
                all.push(rows.values);
            }
            prop_assert_eq!(&all[0], &all[1]);
        }
    }

    #[test]
    fn wrong_rows_are_kept_for_further_checks() {
        let (rows, right) = read(FactKind::Customers, Format::Csv, b"id,name,activated_on\nc1,X,yesterday\n,Y,\n");
        assert_eq!((rows, right), (2, false));
    }
}
