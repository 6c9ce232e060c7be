//! The journal as one JSON document: `{"transactions": [ … ]}`, written transaction by transaction.

use std::io::{self, Write};

use super::journal::{Entry, Journal, Outline};

/// JSON, and whether a transaction was written before.
#[derive(Debug, Default)]
pub struct Json {
    begun: bool,
}

impl Journal for Json {
    fn begin(&mut self, _outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\"transactions\": [")
    }

    fn entry(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        let postings: Vec<serde_json::Value> = entry
            .sides
            .iter()
            .map(|side| serde_json::json!({ "account": side.account, "currency": side.currency.code(), "amount": side.amount() }))
            .collect();
        let transaction = serde_json::json!({
            "id": entry.id, "program": entry.program, "kind": entry.kind, "date": entry.dated_on,
            "recorded_at": entry.recorded_at.to_string(), "description": entry.description, "postings": postings,
        });
        write!(out, "{}{transaction}", if self.begun { ",\n" } else { "\n" })?;
        self.begun = true;
        Ok(())
    }

    fn end(&mut self, _outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if self.begun { b"\n]}\n" } else { b"]}\n" })
    }
}
