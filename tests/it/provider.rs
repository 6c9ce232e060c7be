//! The provider double, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tributary::adapters::outbound::{Bounds, Outbound};
use tributary::adapters::payout_webhook::WebhookPayouts;
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::config::{Provider, Refusal};

use crate::library::RUNTIME;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Double {
    child: Child,
    pub(crate) url: String,
    _output: BufReader<ChildStdout>,
    _directory: TempDir,
}

impl Double {
    /// One that accepts requests, and pays when it is told to.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-provider-double"));
        command.args(["--until-input-closes", "--mode", "accept", "--journal"]).arg(directory.path().join("provider.jsonl"));
        command.env("TRIBUTARY_PROVIDER_SECRET", SECRET).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the double starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut said = String::new();
        output.read_line(&mut said).expect("its output can be read");
        let url = said.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it says where: {said:?}")).to_owned();
        Self { child, url, _output: output, _directory: directory }
    }

    /// Our adapter to it.
    pub(crate) fn adapter(&self) -> WebhookPayouts {
        let provider = Provider {
            url: self.url.parse().expect("a URL"),
            keys: SigningKeys::parse(SECRET).expect("a key"),
            allow_loopback: true,
            timeout: TIMEOUT,
            dedupe_window: Some(Duration::from_hours(24)),
            poll_every: None,
            refusal: Refusal::Failed,
        };
        WebhookPayouts::new(provider, false).expect("an adapter")
    }

    /// Ends a payout that was accepted.
    pub(crate) fn settle(&self, payout: &str, paid: bool) {
        let url = format!("{}/control/settle", self.url.trim_end_matches("/payouts")).parse().expect("a URL");
        let bounds = Bounds { allow_loopback: true, timeout: TIMEOUT, answer_max_bytes: 1 << 16 };
        let headers = FromIterator::from_iter([(reqwest::header::CONTENT_TYPE, "application/json".parse().expect("a header"))]);
        let body = json!({ "payout": payout, "paid": paid }).to_string().into_bytes();
        let answer =
            RUNTIME.block_on(async { Outbound::new(bounds).expect("a client").send("POST".parse().expect("a method"), &url, headers, body).await });
        assert_eq!(answer.expect("it answers").status, 204);
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.kill();
    }
}
