//! The canonical JSON of a settlement, written apart from the code that settles (domain.md §4.7; RFC 8785).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// A JSON value as settlements and claims hold them: no fractions, no booleans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<&'static str, Json>),
}

impl Json {
    /// Text, or null where there is none.
    pub(crate) fn optional(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    /// Text, or null where it is empty, as keys have it.
    pub(crate) fn unless_empty(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.to_owned()) }
    }

    /// Appends the canonical form: names sorted, no spaces. All names here are ASCII, where bytes sort as UTF-16 does.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(text, out),
            Self::List(values) => {
                let mut before = '[';
                for value in values {
                    out.push(before);
                    before = ',';
                    value.write(out);
                }
                out.push_str(if values.is_empty() { "[]" } else { "]" });
            }
            Self::Object(fields) => {
                let mut before = '{';
                for (name, value) in fields {
                    out.push(before);
                    before = ',';
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// The SHA-256 of its canonical form.
    pub(crate) fn digest(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        format!("sha256:{}", Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// The digest of a settlement whose lines come one by one. The names of a settlement in their order: `currency format lines partner
/// period program totals`.
#[derive(Debug)]
pub(crate) struct SettlementHash {
    hash: Sha256,
    is_first: bool,
}

impl SettlementHash {
    pub(crate) fn begin(currency: &str) -> Self {
        let mut head = String::from("{\"currency\":");
        write_text(currency, &mut head);
        head.push_str(",\"format\":1,\"lines\":[");
        Self { hash: Sha256::new_with_prefix(head), is_first: true }
    }

    pub(crate) fn line(&mut self, line: &Json) {
        let mut text = String::new();
        if !self.is_first {
            text.push(',');
        }
        self.is_first = false;
        line.write(&mut text);
        self.hash.update(text);
    }

    pub(crate) fn end(mut self, partner: &str, period: &str, program: &str, totals: &Json) -> String {
        let mut tail = String::from("]");
        for (name, text) in [("partner", partner), ("period", period), ("program", program)] {
            tail.push(',');
            write_text(name, &mut tail);
            tail.push(':');
            write_text(text, &mut tail);
        }
        tail.push_str(",\"totals\":");
        totals.write(&mut tail);
        tail.push('}');
        self.hash.update(tail);
        self.hash.finalize().iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_the_rfc_says() {
        let mut out = String::new();
        Json::Text("€$\u{f}\nA'B\"\\\"/\u{7f}".into()).write(&mut out);
        assert_eq!(out, "\"€$\\u000f\\nA'B\\\"\\\\\\\"/\u{7f}\"");
    }

    #[test]
    fn names_are_sorted_and_nothing_is_spaced() {
        let mut out = String::new();
        Json::Object(BTreeMap::from([("rate", Json::Null), ("amount", Json::Text("1.00".into())), ("level", Json::Number(-2))])).write(&mut out);
        assert_eq!(out, r#"{"amount":"1.00","level":-2,"rate":null}"#);
    }

    #[test]
    fn a_settlement_hashes_as_its_whole_document() {
        let mut hash = SettlementHash::begin("USD");
        for level in 0..2 {
            hash.line(&Json::Object(BTreeMap::from([("level", Json::Number(level))])));
        }
        let totals = Json::Object(BTreeMap::from([("net", Json::Text("0.00".into()))]));
        let whole = r#"{"currency":"USD","format":1,"lines":[{"level":0},{"level":1}],"partner":"a","period":"2026-04","program":"p","totals":{"net":"0.00"}}"#;
        let expected = Sha256::digest(whole).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!(hash.end("a", "2026-04", "p", &totals), expected);
    }
}
