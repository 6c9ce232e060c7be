//! JSON lines: one object a line, values taken exactly as they are written.

use std::fmt;
use std::io::{self, BufRead, Read};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::csv::skip_byte_order_mark;

/// The longest line.
const LINE_MAX_BYTES: u64 = 1 << 20;

/// Reads lines one by one.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: R,
    /// The line read last, counted from 1.
    line: u64,
    buffer: Vec<u8>,
}

/// A line's text, or why it can't be taken.
pub(crate) type Line<'a> = Result<&'a str, &'static str>;

impl<R: BufRead> LineReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: 0, buffer: Vec::new() }
    }

    /// The next line that is not blank, with its number.
    ///
    /// # Errors
    /// What reading says.
    pub(crate) fn read(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        if self.line == 0 {
            skip_byte_order_mark(&mut self.input)?;
        }
        loop {
            self.buffer.clear();
            let read = (&mut self.input).take(LINE_MAX_BYTES + 1).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if !self.buffer.ends_with(b"\n") && u64::try_from(self.buffer.len()).unwrap_or(u64::MAX) > LINE_MAX_BYTES {
                self.skip_line()?;
                return Ok(Some((self.line, Err("the line is longer than 1 MiB"))));
            }
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some((self.line, std::str::from_utf8(&self.buffer).map_err(|_| "the line is not UTF-8"))));
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, ended) = match buffer.iter().position(|&byte| byte == b'\n') {
                Some(index) => (index + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            if ended {
                return Ok(());
            }
        }
    }
}

/// The members of an object, in order, repeated names included.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    members.push((name, map.next_value::<&'de RawValue>()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// What the parser says, without its own place: it counts from where it began, not in the file.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())).map_or_else(|| text.clone(), str::to_owned)
}

/// The members of a line's object.
///
/// # Errors
/// Why it is none.
pub(crate) fn object(text: &str) -> Result<Members<'_>, String> {
    serde_json::from_str(text.trim_end())
        .map_err(|error| format!("the line is no JSON object: {} (byte {} of the line)", said(&error), error.column()))
}

/// A value as a CSV cell would hold it: text as it is, a number as it is written, `true`, `false`; nothing for null and "".
///
/// # Errors
/// Why it can't be one.
pub(crate) fn scalar(value: &RawValue) -> Result<Option<String>, String> {
    let text = value.get();
    match text.bytes().next() {
        Some(b'"') => {
            let text: String = serde_json::from_str(text).map_err(|error| format!("the text can't be read: {}", said(&error)))?;
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') => Err("a text, a number, true, false or null is expected".into()),
        _ => Ok(Some(text.to_owned())),
    }
}

/// The elements of an array; none for null.
///
/// # Errors
/// Why it is none.
pub(crate) fn array(value: &RawValue) -> Result<Vec<Members<'_>>, String> {
    let all: Option<Vec<Members<'_>>> =
        serde_json::from_str(value.get()).map_err(|error| format!("an array of objects is expected: {}", said(&error)))?;
    Ok(all.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let members = object(r#"{"a": 12345678901234.567, "b": "x", "c": null, "d": true, "a": 1e2}"#).unwrap();
        let cells: Vec<_> = members.0.iter().map(|(name, value)| (name.as_str(), scalar(value).unwrap())).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(cells, [("a", text("12345678901234.567")), ("b", text("x")), ("c", None), ("d", text("true")), ("a", text("1e2"))]);
    }

    #[test]
    fn long_lines_are_refused_and_passed_over() {
        let text = format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(1 << 21));
        let mut reader = LineReader::new(text.as_bytes());
        assert!(reader.read().unwrap().unwrap().1.is_err());
        assert_eq!(reader.read().unwrap().unwrap(), (2, Ok("{}\n")));
        assert!(reader.read().unwrap().is_none());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "{", "{} {}", "1", "{\"a\":}", "\u{0}"] {
            assert!(object(text).is_err(), "{text:?}");
        }
    }
}
