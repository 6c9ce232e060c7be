//! Who tells: signs as Standard Webhooks and as Stripe, and sends byte by byte.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::clock;

use crate::told::Row;

pub(crate) const FACTS_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
pub(crate) const STRIPE_SECRET: &str = "whsec_0123456789abcdef0123456789abcdef";

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn said(&self) -> (u16, &str) {
        (self.status, self.body["status"].as_str().or(self.body["code"].as_str()).unwrap_or_default())
    }
}

pub(crate) fn post(port: u16, page: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("POST {page} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(format!("{head}\r\n").as_bytes()).expect("it reads");
    // Where the answer comes before the whole body was read, the rest may have nowhere to go.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, body: serde_json::from_str(body).expect("JSON") }
}

/// The status and the text of a page.
pub(crate) fn get(port: u16, page: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let head = format!("GET {page} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// A fact, rightly signed.
pub(crate) fn fact(port: u16, row: &Row) -> Reply {
    fact_body(port, &row.id, &row.body())
}

/// The status of the answer, if there is one: the service may have just been killed.
pub(crate) fn try_fact(port: u16, row: &Row) -> Option<u16> {
    let (body, now_s) = (row.body(), clock::wall_seconds());
    let signature = SigningKeys::parse(FACTS_SECRET).expect("a key").sign(&row.id, now_s, body.as_bytes()).expect("it signs");
    let request = format!(
        "POST /webhooks/facts HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\nwebhook-id: {}\r\nwebhook-timestamp: {now_s}\r\n\
         webhook-signature: {signature}\r\n\r\n{body}",
        body.len(),
        row.id
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

pub(crate) fn fact_body(port: u16, id: &str, body: &str) -> Reply {
    let now_s = clock::wall_seconds();
    let signature = SigningKeys::parse(FACTS_SECRET).expect("a key").sign(id, now_s, body.as_bytes()).expect("it signs");
    let headers = [("webhook-id", id), ("webhook-timestamp", &now_s.to_string()), ("webhook-signature", &signature)];
    post(port, "/webhooks/facts", &headers, body.as_bytes())
}

/// An event, rightly signed.
pub(crate) fn event(port: u16, body: &str) -> Reply {
    let signature = stripe_signature(STRIPE_SECRET, clock::wall_seconds(), body);
    post(port, "/webhooks/stripe", &[("stripe-signature", &signature)], body.as_bytes())
}

pub(crate) fn stripe_signature(secret: &str, now_s: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("keys of any length are taken");
    mac.update(format!("{now_s}.{body}").as_bytes());
    format!("t={now_s},v1={}", hex::encode(mac.finalize().into_bytes()))
}
