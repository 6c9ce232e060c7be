//! Our HTTP service, over real sockets: what is believed, what is refused and how, and how it stops.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::clock;
use tributary::http::Stopped;
use tributary::http::payouts::Said;

use crate::provider::{CALLBACK_SECRET, SECRET};
use crate::service::{Response, Running, ask, parse, start, start_with};

fn word(r#type: &str, payout: &str) -> String {
    json!({ "type": r#type, "timestamp": "2026-05-01T06:00:00.123456789Z", "data": { "payout": payout, "provider_id": "tr_1", "reason": "closed\naccount" } }).to_string()
}

/// Signed as a provider does.
async fn post(running: &Running, id: &str, body: &str) -> Response {
    post_signed(running, id, body, CALLBACK_SECRET, 0).await
}

async fn post_signed(running: &Running, id: &str, body: &str, secret: &str, off_s: i64) -> Response {
    let now_s = clock::wall_seconds() + off_s;
    let signature = SigningKeys::parse(secret).expect("a key").sign(id, now_s, body.as_bytes()).expect("it signs");
    let headers = [("webhook-id", id), ("webhook-timestamp", &now_s.to_string()), ("webhook-signature", &signature)];
    running.ask("POST", "/webhooks/payouts", &headers, body.as_bytes()).await
}

fn is_problem(response: &Response, status: u16, code: &str) -> bool {
    let document = response.json();
    response.status == status
        && response.header("content-type") == Some("application/problem+json")
        && document["code"] == code
        && document["status"] == status
        && document["type"] == format!("urn:tributary:problem:{code}")
        && document["title"].is_string()
}

#[tokio::test]
async fn it_says_how_it_is() {
    let running = start().await;
    assert_eq!((running.ask("GET", "/healthz", &[], b"").await.status), 200);
    let response = running.ask("GET", "/readyz", &[], b"").await;
    assert!(is_problem(&response, 503, "not-ready") && response.json()["detail"] == "the database is away", "{response:?}");
    assert!(response.header("retry-after").is_some());
    running.ready.0.store(true, Ordering::SeqCst);
    assert_eq!(running.ask("GET", "/readyz", &[], b"").await.status, 200);
    let metrics = running.ask("GET", "/metrics", &[], b"").await;
    assert!(metrics.body.contains(r#"tributary_http_requests_total{method="GET",route="/healthz",status="200"}"#), "{}", metrics.body);
    assert!(metrics.body.contains("tributary_http_request_seconds_bucket"), "{}", metrics.body);
    assert_eq!(running.stop().await, Stopped { cut: 0 });
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let running = start().await;
    for page in [
        "/",
        "/approvals",
        "/approvals/CL-1",
        "/approvals/CL-1/proofs/sha256:0",
        "/webhooks",
        "/webhooks/payouts/x",
        "/control/ledger",
        "/%2e%2e/etc/passwd",
    ] {
        let response = running.ask("GET", page, &[], b"").await;
        assert!(is_problem(&response, 404, "not-found"), "{page}: {response:?}");
    }
    for (method, page, allowed) in [
        ("GET", "/webhooks/payouts", "POST"),
        ("GET", "/webhooks/decisions", "POST"),
        ("GET", "/approvals/CL-1/code", "POST"),
        ("GET", "/approvals/CL-1/session", "POST"),
        ("GET", "/approvals/CL-1/decision", "POST"),
        ("POST", "/approvals/CL-1", "GET,HEAD"),
        ("POST", "/approvals/CL-1/proofs/sha256:0", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
        ("MADE-UP", "/metrics", "GET,HEAD"),
    ] {
        let response = running.ask(method, page, &[], b"").await;
        assert!(is_problem(&response, 405, "method-not-allowed"), "{method} {page}: {response:?}");
        assert_eq!(response.header("allow"), Some(allowed), "{response:?}");
    }
}

#[tokio::test]
async fn requests_have_ids() {
    let running = start().await;
    let given = running.ask("GET", "/healthz", &[("x-request-id", "abc-1")], b"").await;
    assert_eq!(given.header("x-request-id"), Some("abc-1"));
    for refused in ["", "a b", "<script>", &"x".repeat(65)] {
        let response = running.ask("GET", "/nowhere", &[("x-request-id", refused)], b"").await;
        assert!(response.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{response:?}");
    }
}

#[tokio::test]
async fn a_provider_s_word_is_kept_once() {
    let running = start().await;
    for _ in 0..3 {
        let response = post(&running, "evt_1", &word("payout.paid", "pay_1")).await;
        assert_eq!((response.status, response.json()), (200, json!({ "status": "recorded" })), "{response:?}");
    }
    assert_eq!(post(&running, "evt_2", &word("payout.failed", "pay_1")).await.status, 200);
    assert_eq!(post(&running, "evt_3", &word("payout.paid", "unknown")).await.json(), json!({ "status": "parked" }));
    assert_eq!(post(&running, "evt_4", &word("payout.reviewed", "pay_1")).await.status, 200);
    let other = post(&running, "evt_1", &word("payout.failed", "pay_1")).await;
    assert!(is_problem(&other, 422, "repeated-with-other-body"), "{other:?}");
    let events = running.inbox.events.lock().expect("no panic before");
    assert_eq!(events.len(), 4);
    let first = &events["evt_1"];
    assert_eq!((&*first.payout, first.provider_id.as_deref(), &first.said), ("pay_1", Some("tr_1"), &Said::Paid));
    assert_eq!(first.at.expect("it says when").to_string(), "2026-05-01T06:00:00.123456Z");
    assert_eq!(first.body, word("payout.paid", "pay_1").into_bytes());
    assert_eq!(events["evt_2"].said, Said::Failed { reason: "closed account".into() });
    assert_eq!(events["evt_4"].said, Said::Other { r#type: "payout.reviewed".into() });
}

#[tokio::test]
async fn what_is_not_signed_is_not_believed() {
    let running = start().await;
    let body = word("payout.paid", "pay_1");
    let is_refused = |response: &Response| is_problem(response, 401, "signature-rejected");
    assert!(is_refused(&running.ask("POST", "/webhooks/payouts", &[], body.as_bytes()).await));
    assert!(is_refused(&post_signed(&running, "evt_1", &body, SECRET, 0).await), "another key");
    for off_s in [-310, 310] {
        assert!(is_refused(&post_signed(&running, "evt_1", &body, CALLBACK_SECRET, off_s).await), "{off_s} s off");
    }
    let now_s = clock::wall_seconds().to_string();
    let signature = SigningKeys::parse(CALLBACK_SECRET).expect("a key").sign("evt_1", clock::wall_seconds(), body.as_bytes()).expect("it signs");
    let (id, time, by) = (("webhook-id", "evt_1"), ("webhook-timestamp", &*now_s), ("webhook-signature", &*signature));
    for headers in [
        &[id, time][..],
        &[id, by],
        &[time, by],
        &[("webhook-id", "evt_2"), time, by],
        &[id, time, ("webhook-signature", "v1,")],
        // Of two, somebody else might believe the other one.
        &[id, ("webhook-id", "evt_2"), time, by],
        &[id, time, by, by],
    ] {
        let response = running.ask("POST", "/webhooks/payouts", headers, body.as_bytes()).await;
        assert!(is_refused(&response), "{headers:?}: {response:?}");
    }
    let spaced = body.replace(':', ": ");
    assert!(is_refused(&running.ask("POST", "/webhooks/payouts", &[id, time, by], spaced.as_bytes()).await), "the bytes count, not their meaning");
    assert!(running.inbox.calls.lock().expect("no panic before").is_empty());
}

#[tokio::test]
async fn what_is_signed_but_no_word_is_refused_with_its_reason() {
    let running = start().await;
    let control = json!({ "type": "payout.paid", "data": { "payout": "pay\n1" } }).to_string();
    for body in [
        "",
        "null",
        "[]",
        "{",
        r#"["payout.paid",null,["pay_1"]]"#,
        r#"{"type":"payout.paid","data":["pay_1"]}"#,
        r#"{"type":"payout.paid","type":"payout.failed","data":{"payout":"pay_1"}}"#,
        r#"{"type":"payout.paid"}"#,
        r#"{"type":"payout.paid","data":{"payout":7}}"#,
        r#"{"type":"payout.paid","data":{"payout":""}}"#,
        r#"{"type":"payout.paid","timestamp":"yesterday","data":{"payout":"pay_1"}}"#,
        &control,
        &"[".repeat(60_000),
    ] {
        let response = post(&running, "evt_1", body).await;
        assert!(is_problem(&response, 400, "malformed-body") && response.json()["detail"].is_string(), "{body}: {response:?}");
    }
    assert!(running.inbox.calls.lock().expect("no panic before").is_empty());
}

#[tokio::test]
async fn bodies_are_bounded() {
    let running = start().await;
    let response = post(&running, "evt_1", &"x".repeat(200_000)).await;
    assert!(is_problem(&response, 413, "too-large"), "{response:?}");
}

#[tokio::test]
async fn what_can_t_be_kept_is_to_come_again() {
    let running = start().await;
    running.inbox.is_down.store(true, Ordering::SeqCst);
    let response = post(&running, "evt_1", &word("payout.paid", "pay_1")).await;
    assert!(is_problem(&response, 503, "unavailable") && response.header("retry-after").is_some(), "{response:?}");
    assert!(!response.body.contains("disk"), "others need not know why: {response:?}");
    running.inbox.is_down.store(false, Ordering::SeqCst);
    assert_eq!(post(&running, "evt_1", &word("payout.paid", "pay_1")).await.status, 200);
}

#[tokio::test]
async fn without_a_key_nothing_is_believed() {
    let running = start_with(Duration::from_secs(20), Duration::from_secs(20), false).await;
    let response = post(&running, "evt_1", &word("payout.paid", "pay_1")).await;
    assert!(is_problem(&response, 503, "webhook-not-configured"), "{response:?}");
    for page in ["/webhooks/facts", "/webhooks/stripe"] {
        let response = running.ask("POST", page, &[], b"{}").await;
        assert!(is_problem(&response, 503, "webhook-not-configured"), "{page}: {response:?}");
    }
}

#[tokio::test]
async fn a_panic_and_a_hang_are_problems_and_the_service_goes_on() {
    let running = start_with(Duration::from_millis(300), Duration::from_secs(20), true).await;
    let response = post(&running, "evt_1", &word("payout.paid", "pay_panic")).await;
    assert!(is_problem(&response, 500, "internal-error"), "{response:?}");
    running.inbox.hangs.store(true, Ordering::SeqCst);
    let response = post(&running, "evt_2", &word("payout.paid", "pay_1")).await;
    assert!(is_problem(&response, 503, "too-slow"), "{response:?}");
    running.inbox.hangs.store(false, Ordering::SeqCst);
    assert_eq!(running.ask("GET", "/healthz", &[], b"").await.status, 200);
}

/// A request that hangs, and the stop that meets it.
async fn hanging(shutdown_limit: Duration) -> (Running, tokio::task::JoinHandle<Vec<u8>>) {
    let running = start_with(Duration::from_mins(1), shutdown_limit, true).await;
    running.inbox.hangs.store(true, Ordering::SeqCst);
    let body = word("payout.paid", "pay_1");
    let now_s = clock::wall_seconds();
    let signature = SigningKeys::parse(CALLBACK_SECRET).expect("a key").sign("evt_1", now_s, body.as_bytes()).expect("it signs");
    let request = format!(
        "POST /webhooks/payouts HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nwebhook-id: evt_1\r\nwebhook-timestamp: {now_s}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(running.address).await.expect("it listens");
    let asked = tokio::spawn(async move {
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    });
    running.inbox.has_come.notified().await;
    (running, asked)
}

#[tokio::test]
async fn a_stop_waits_for_what_is_at_work_and_takes_nothing_new() {
    let (running, asked) = hanging(Duration::from_mins(1)).await;
    let (address, inbox) = (running.address, running.inbox.clone());
    let idle = TcpStream::connect(address).await.expect("it listens");
    let ended = running.begin_stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!ended.is_finished(), "somebody is still at work");
    inbox.go_on.notify_one();
    assert_eq!(parse(&asked.await.expect("it is answered")).status, 200);
    let stopped = ended.await.expect("no panic").expect("it ends well");
    assert!(stopped.cut == 0, "{stopped:?}");
    drop(idle);
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_its_limit() {
    let (running, asked) = hanging(Duration::from_millis(200)).await;
    assert_eq!(running.stop().await, Stopped { cut: 1 });
    assert!(asked.await.expect("it ends").is_empty(), "cut without an answer: the provider sends it again");
}

#[tokio::test]
async fn nonsense_on_the_wire_ends_that_connection_alone() {
    let running = start().await;
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01"[..], b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n\r\nx y z\r\n\r\n"] {
        let mut stream = TcpStream::connect(running.address).await.expect("it listens");
        stream.write_all(nonsense).await.expect("it reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    }
    let long = "x".repeat(100_000);
    let mut stream = TcpStream::connect(running.address).await.expect("it listens");
    let _ = stream.write_all(format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(ask(running.address, "GET", "/healthz", &[], b"").await.status, 200);
}
