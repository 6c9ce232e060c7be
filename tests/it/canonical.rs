//! The digest of a settlement, recomputed apart from the product: SHA-256 over the canonical JSON (RFC 8785) without `digest` and
//! `status`.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and the hexadecimal digest of the settlement.
pub(crate) fn digest(settlement: &Value) -> String {
    let mut bare = settlement.clone();
    let fields = bare.as_object_mut().expect("a settlement is an object");
    fields.shift_remove("digest");
    fields.shift_remove("status");
    let mut text = String::new();
    write(&bare, &mut text);
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(text.as_bytes()) {
        write!(digest, "{byte:02x}").expect("a string can be written");
    }
    digest
}

/// Settlements hold integers, texts and null: numbers need no rule of their own, and serde's escapes are those of RFC 8785.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_by_key(|name| name.encode_utf16().collect::<Vec<u16>>());
            out.push('{');
            for (index, name) in names.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(&fields[name], out);
            }
            out.push('}');
        }
        Value::Number(number) => {
            assert!(number.is_i64(), "a settlement holds no number but integers: {number}");
            out.push_str(&number.to_string());
        }
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}
