//! Our HTTP service on a real socket, with books that are a list in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use books::facts::{Answer as Told, Message};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::clock;
use tributary::http::facts::{FactWebhooks, InboundFacts, NotTaken};
use tributary::http::metrics::Metrics;
use tributary::http::payouts::{Answer, InboundPayouts, PayoutEvent, PayoutWebhooks, RecordError};
use tributary::http::{self, Readiness, ServeError, Service, Stopped};

use crate::provider::CALLBACK_SECRET;

/// What came in, and what becomes of the next.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) events: Mutex<BTreeMap<String, PayoutEvent>>,
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) is_down: AtomicBool,
    pub(crate) hangs: AtomicBool,
    /// Let go of what hangs.
    pub(crate) go_on: Notify,
    pub(crate) has_come: Notify,
}

impl InboundPayouts for Inbox {
    fn record<'a>(&'a self, event: &'a PayoutEvent) -> BoxFuture<'a, Result<Answer, RecordError>> {
        async move {
            self.calls.lock().expect("no panic before").push(event.id.clone());
            self.has_come.notify_one();
            if self.hangs.load(Ordering::SeqCst) {
                self.go_on.notified().await;
            }
            if self.is_down.load(Ordering::SeqCst) {
                return Err(RecordError::Unavailable("the disk is full".into()));
            }
            assert_ne!(event.payout, "pay_panic");
            let mut events = self.events.lock().expect("no panic before");
            let known = events.entry(event.id.clone()).or_insert_with(|| event.clone());
            if known.body != event.body {
                return Err(RecordError::OtherBody(event.id.clone()));
            }
            Ok(if event.payout.starts_with("pay_") { Answer::Recorded } else { Answer::Parked })
        }
        .boxed()
    }
}

/// Facts have tests of their own, with real books.
struct NoFacts;

impl InboundFacts for NoFacts {
    fn record<'a>(&'a self, _message: &'a Message) -> BoxFuture<'a, Result<Told, NotTaken>> {
        async { Err(NotTaken::Unavailable("there are no books".into())) }.boxed()
    }
}

#[derive(Default)]
pub(crate) struct Ready(pub(crate) AtomicBool);

impl Readiness for Ready {
    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        async { if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err("the database is away".into()) } }.boxed()
    }
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) ready: Arc<Ready>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<Stopped, ServeError>>,
}

pub(crate) async fn start() -> Running {
    start_with(Duration::from_secs(20), Duration::from_secs(20), true).await
}

pub(crate) async fn start_with(request_limit: Duration, shutdown_limit: Duration, has_key: bool) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (inbox, ready) = (Arc::new(Inbox::default()), Arc::new(Ready::default()));
    let payouts = has_key.then(|| PayoutWebhooks {
        keys: SigningKeys::parse(CALLBACK_SECRET).expect("a key"),
        tolerance: Duration::from_mins(5),
        now_s: clock::wall_seconds,
        inbound: inbox.clone(),
    });
    let facts = FactWebhooks {
        keys: None,
        stripe: None,
        stripe_test_mode: false,
        tolerance: Duration::from_mins(5),
        now_s: clock::wall_seconds,
        inbound: Arc::new(NoFacts),
    };
    let metrics = Metrics::start().expect("nobody else counts");
    let service = Service { readiness: ready.clone(), metrics, payouts, facts, approvals: None, decisions: None, request_limit, shutdown_limit };
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(http::serve(listener, service, async {
        let _ = stopped.await;
    }));
    Running { address, inbox, ready, stop, served }
}

impl Running {
    pub(crate) async fn stop(self) -> Stopped {
        self.stop.send(()).expect("it runs");
        self.served.await.expect("it does not panic").expect("it ends well")
    }

    /// Asks and stops at once; the answer to be waited for, and the end.
    pub(crate) fn begin_stop(self) -> JoinHandle<Result<Stopped, ServeError>> {
        self.stop.send(()).expect("it runs");
        self.served
    }

    pub(crate) async fn ask(&self, method: &str, page: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        ask(self.address, method, page, headers, body).await
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// One request on a connection of its own, byte by byte: no client puts anything right on the way.
pub(crate) async fn ask(address: SocketAddr, method: &str, page: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut head = format!("{method} {page} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(format!("{head}\r\n").as_bytes()).await.expect("it reads");
    // Where the answer comes before the whole body was read, the rest may have nowhere to go.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    parse(&answer)
}

pub(crate) fn parse(answer: &[u8]) -> Response {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Response { status, head: head.to_owned(), body: body.to_owned() }
}
