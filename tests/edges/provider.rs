//! The provider double, in a process of its own, and our adapter to it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tributary::adapters::outbound::{Bounds, Outbound};
use tributary::adapters::payout_webhook::WebhookPayouts;
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::config::{Provider, Refusal};
use workflows::ports::PayoutRequest;

use crate::child::Process;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
pub(crate) const CALLBACK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrsc";

/// Longer than anything takes that does not hang.
const PATIENT: Duration = Duration::from_secs(20);
/// Long enough for a request to arrive.
const HASTY: Duration = Duration::from_secs(2);

pub(crate) struct Double {
    process: Option<Process>,
    directory: TempDir,
    arguments: Vec<String>,
}

impl Double {
    /// What becomes of the requests, in order.
    pub(crate) fn start(modes: &[&str]) -> Self {
        Self::start_with(modes, &[])
    }

    pub(crate) fn start_with(modes: &[&str], more: &[&str]) -> Self {
        let mut arguments: Vec<String> = modes.iter().flat_map(|mode| ["--mode", mode]).map(str::to_owned).collect();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let mut double = Self { process: None, directory: tempfile::tempdir().expect("a directory"), arguments };
        double.restart();
        double
    }

    /// Kills it, and starts it on the same journal.
    pub(crate) fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-provider-double"));
        command.arg("--until-input-closes").arg("--journal").arg(self.journal()).args(&self.arguments);
        command.env("TRIBUTARY_PROVIDER_SECRET", SECRET).env("TRIBUTARY_PROVIDER_CALLBACK_SECRET", CALLBACK_SECRET);
        self.process = Some(Process::start(&mut command));
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.path().join("provider.jsonl")
    }

    pub(crate) fn url(&self) -> String {
        let said = &self.process.as_ref().expect("it runs").said;
        said.strip_prefix("listening on ").expect("it says where").to_owned()
    }

    /// Our adapter to it; a hasty one gives up early.
    pub(crate) fn adapter(&self, refusal: Refusal, is_hasty: bool) -> WebhookPayouts {
        adapter(&self.url(), SECRET, refusal, if is_hasty { HASTY } else { PATIENT })
    }

    /// What its books say: requests, and the payouts by key.
    pub(crate) async fn ledger(&self) -> Value {
        let (_, body) = self.control("GET", "ledger", &Value::Null).await;
        serde_json::from_slice(&body).expect("JSON")
    }

    pub(crate) async fn control(&self, method: &str, page: &str, body: &Value) -> (u16, Vec<u8>) {
        let bounds = Bounds { allow_loopback: true, timeout: PATIENT, answer_max_bytes: 1 << 20 };
        let url = format!("{}/control/{page}", self.url().trim_end_matches("/payouts")).parse().expect("a URL");
        let json = "application/json".parse().expect("a header");
        let headers = FromIterator::from_iter([(reqwest::header::CONTENT_TYPE, json)]);
        let method = method.parse().expect("a method");
        let answer = Outbound::new(bounds).expect("a client").send(method, &url, headers, body.to_string().into_bytes()).await;
        let answer = answer.expect("it answers");
        (answer.status, answer.body)
    }

    /// Changes what becomes of requests and look-ups.
    pub(crate) async fn plan(&self, requests: &[&str], look_ups: &[&str]) {
        let (status, body) = self.control("PUT", "plan", &json!({ "requests": requests, "look_ups": look_ups })).await;
        assert_eq!(status, 204, "{}", String::from_utf8_lossy(&body));
    }

    pub(crate) async fn settle(&self, payout: &str, paid: bool) {
        let (status, body) = self.control("POST", "settle", &json!({ "payout": payout, "paid": paid })).await;
        assert_eq!(status, 204, "{}", String::from_utf8_lossy(&body));
    }

    /// How often money moved for a payout, and how much.
    pub(crate) async fn effects(&self, payout: &str) -> (u64, String) {
        let ledger = self.ledger().await;
        let entries = ledger["payouts"].as_array().expect("a list").iter().filter(|entry| entry["payout"] == payout);
        let moved: Vec<&Value> = entries.filter(|entry| entry["effects"] != 0).collect();
        let count = moved.iter().map(|entry| entry["effects"].as_u64().expect("a number")).sum();
        (count, moved.first().map(|entry| entry["amount"].as_str().expect("text").to_owned()).unwrap_or_default())
    }
}

pub(crate) fn adapter(url: &str, secret: &str, refusal: Refusal, timeout: Duration) -> WebhookPayouts {
    let provider = Provider {
        url: url.parse().expect("a URL"),
        keys: SigningKeys::parse(secret).expect("a key"),
        allow_loopback: true,
        timeout,
        dedupe_window: Some(Duration::from_hours(24)),
        poll_every: None,
        refusal,
    };
    WebhookPayouts::new(provider, true).expect("an adapter")
}

/// A request for 25,000.00 under the payout's own key.
pub(crate) fn request(payout: &str) -> PayoutRequest {
    request_of(payout, "25000.00")
}

pub(crate) fn request_of(payout: &str, amount: &str) -> PayoutRequest {
    let body = json!({
        "type": "payout.requested",
        "timestamp": "2026-05-01T06:00:00Z",
        "data": {
            "payout": payout, "kind": "settlement", "reference": "reseller/acme/2026-04/USD", "partner": "acme", "amount": amount, "currency": "USD",
            // An account, since a bank knows no tokens.
            "destination": { "bic": "COBADEFFXXX", "iban": "DE89370400440532013000", "name": "Acme" },
        },
    });
    let body = serde_json::to_vec(&body).expect("JSON");
    PayoutRequest { payout: payout.into(), idempotency_key: format!("wfr_1/request {payout}"), body }
}
