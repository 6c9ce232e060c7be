//! Comma-separated values as RFC 4180 has them, read strictly and in bounded memory.

use std::io::{self, BufRead};

use super::shape::FIELD_MAX_BYTES;

/// The most fields of a record; every kind has far fewer columns.
const FIELDS_MAX: usize = 256;

/// Reads records one by one.
#[derive(Debug)]
pub(crate) struct CsvReader<R> {
    input: R,
    /// The line that comes next, counted from 1.
    line: u64,
    at_start: bool,
}

/// A record, used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The line on which it begins.
    pub(crate) line: u64,
    /// What is wrong with it: the field's index and why.
    pub(crate) fault: Option<(usize, &'static str)>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field's bytes.
    pub(crate) fn field(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    fn clear(&mut self, line: u64) {
        self.line = line;
        self.fault = None;
        self.text.clear();
        self.ends.clear();
    }

    fn blame(&mut self, reason: &'static str) {
        self.fault.get_or_insert((self.ends.len(), reason));
    }

    fn push(&mut self, byte: u8) {
        let start = self.ends.last().copied().unwrap_or(0);
        if self.text.len() - start < FIELD_MAX_BYTES {
            self.text.push(byte);
        } else {
            self.blame("the field is longer than 64 KiB; is a closing quote missing?");
        }
    }

    fn end_field(&mut self) {
        if self.ends.len() < FIELDS_MAX {
            self.ends.push(self.text.len());
        } else {
            self.blame("the line has more than 256 fields");
        }
    }
}

/// Where in a field the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or half of a doubled quote.
    Quote,
    /// After a carriage return that should end the line.
    Return,
}

impl<R: BufRead> CsvReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: 1, at_start: true }
    }

    /// Reads the next record, passing over empty lines; false at the end.
    ///
    /// # Errors
    /// What reading says; what is wrong with a record is its `fault`.
    pub(crate) fn read(&mut self, record: &mut Record) -> io::Result<bool> {
        if self.at_start {
            self.at_start = false;
            skip_byte_order_mark(&mut self.input)?;
        }
        loop {
            record.clear(self.line);
            if !self.read_line(record)? {
                return Ok(false);
            }
            if record.len() > 1 || !record.text.is_empty() || record.fault.is_some() {
                return Ok(true);
            }
        }
    }

    fn read_line(&mut self, record: &mut Record) -> io::Result<bool> {
        let mut at = At::Start;
        let mut any = false;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                if any {
                    end_of_file(at, record);
                }
                return Ok(any);
            }
            any = true;
            let (used, ended) = scan(buffer, &mut at, record, &mut self.line);
            self.input.consume(used);
            if ended {
                return Ok(true);
            }
        }
    }
}

/// Takes bytes until the record or the buffer ends: how many, and whether the record did.
fn scan(buffer: &[u8], at: &mut At, record: &mut Record, line: &mut u64) -> (usize, bool) {
    for (index, &byte) in buffer.iter().enumerate() {
        if byte == b'\n' {
            *line += 1;
        }
        *at = match (*at, byte) {
            (At::Quoted, b'"') => At::Quote,
            // A doubled quote stands for one.
            (At::Quoted, _) | (At::Quote, b'"') => {
                record.push(byte);
                At::Quoted
            }
            (_, b'\n') => {
                record.end_field();
                return (index + 1, true);
            }
            (At::Return, _) => {
                record.blame("a carriage return is not followed by a line feed; quote the field that holds it");
                At::Plain
            }
            (At::Start | At::Plain | At::Quote, b',') => {
                record.end_field();
                At::Start
            }
            (At::Start | At::Plain | At::Quote, b'\r') => At::Return,
            (At::Start, b'"') => At::Quoted,
            (At::Plain, b'"') => {
                record.blame("a quote stands inside a field; quote the whole field and double the quotes in it");
                At::Plain
            }
            (At::Quote, _) => {
                record.blame("text follows a closing quote; double the quotes inside a quoted field");
                At::Plain
            }
            (At::Start | At::Plain, _) => {
                record.push(byte);
                At::Plain
            }
        };
    }
    (buffer.len(), false)
}

fn end_of_file(at: At, record: &mut Record) {
    if at == At::Quoted {
        record.blame("a quote is opened and never closed");
    }
    record.end_field();
}

/// Passes over a UTF-8 byte order mark.
pub(crate) fn skip_byte_order_mark(input: &mut impl BufRead) -> io::Result<()> {
    const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
    // A buffered reader gives at least one byte; a mark cut in two by a tiny first read is not worth a buffer of our own.
    if input.fill_buf()?.starts_with(&MARK) {
        input.consume(MARK.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<(u64, Vec<String>, Option<&'static str>)> {
        let mut reader = CsvReader::new(text.as_bytes());
        let mut record = Record::default();
        let mut all = Vec::new();
        while reader.read(&mut record).unwrap() {
            let fields = (0..record.len()).map(|i| String::from_utf8(record.field(i).to_vec()).unwrap()).collect();
            all.push((record.line, fields, record.fault.map(|(_, reason)| reason)));
        }
        all
    }

    fn fields(text: &str) -> Vec<Vec<String>> {
        records(text).into_iter().map(|(_, fields, _)| fields).collect()
    }

    #[test]
    fn reads_what_rfc_4180_writes() {
        assert_eq!(fields("a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n"), [vec!["a", "b"], vec!["1", "x, \"y\"\nz"]]);
        assert_eq!(fields("\u{feff}a\n\n\r\nb"), [vec!["a"], vec!["b"]]);
        assert_eq!(fields(",\n"), [vec!["", ""]]);
        assert_eq!(fields("\"\",x"), [vec!["", "x"]]);
        assert!(fields("").is_empty());
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let lines: Vec<u64> = records("a\n\"x\ny\"\n\nb\n").into_iter().map(|(line, _, _)| line).collect();
        assert_eq!(lines, [1, 2, 5]);
    }

    #[test]
    fn refuses_what_it_forbids() {
        for (text, word) in [("a\"b,c\n", "inside"), ("\"a\"b\n", "follows"), ("\"a\nb", "never closed"), ("a\rb\n", "carriage")] {
            let fault = records(text)[0].2.unwrap();
            assert!(fault.contains(word), "{text:?}: {fault}");
        }
        let long = format!("x,{}\n1,2\n", "y".repeat(FIELD_MAX_BYTES + 1));
        let all = records(&long);
        assert!(all[0].2.unwrap().contains("64 KiB"));
        assert_eq!(all[1].1, ["1", "2"]);
    }
}
