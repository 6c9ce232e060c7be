//! What it answers.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use program::calendar::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tributary::adapters::payout_webhook::IDEMPOTENCY_HEADER;
use tributary::adapters::standard_webhooks::{ID_HEADER, SIGNATURE_HEADER, Signed, SigningKeys, TIMESTAMP_HEADER};
use tributary::clock;

use crate::book::{Asked, Book, Entry};
use crate::calls::{Call, Caller};
use crate::journal::Event;
use crate::line::{Lines, Scissors};
use crate::modes::{Mode, Plan, Planned};

const TOLERANCE: Duration = Duration::from_mins(5);
/// Longer than anybody waits.
const HANG: Duration = Duration::from_hours(1);
/// How long a slow look-up takes.
const SLOW: Duration = Duration::from_secs(6);
const RETURNED: &str = "returned by the bank";

pub(crate) struct Provider {
    keys: SigningKeys,
    state: Mutex<Books>,
    caller: Option<Caller>,
    late: Duration,
}

struct Books {
    book: Book,
    requests: Plan,
    look_ups: Plan,
    looked_up: LookedUp,
}

/// How often it was asked where a payout stands.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct LookedUp {
    begun: u64,
    answered_slowly: u64,
}

type Shared = Arc<Provider>;

impl Provider {
    pub(crate) fn new(keys: SigningKeys, book: Book, caller: Option<Caller>, requests: Plan, late: Duration) -> Self {
        Self { keys, state: Mutex::new(Books { book, requests, look_ups: Plan::of(Vec::new()), looked_up: LookedUp::default() }), caller, late }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn believes(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let signed = Signed { id: text(ID_HEADER), timestamp: text(TIMESTAMP_HEADER), signature: text(SIGNATURE_HEADER) };
        self.keys.verify(signed, body, clock::wall_seconds(), TOLERANCE).is_ok()
    }
}

pub(crate) async fn serve(listener: TcpListener, provider: Provider) -> io::Result<()> {
    let router = Router::new()
        .route("/payouts", post(request))
        .route("/payouts/{payout}", get(look_up))
        .route("/control/ledger", get(ledger))
        .route("/control/plan", put(plan))
        .route("/control/settle", post(settle))
        .with_state(Arc::new(provider));
    axum::serve(Lines(listener), router.into_make_service_with_connect_info::<Scissors>()).await
}

async fn request(State(provider): State<Shared>, ConnectInfo(scissors): ConnectInfo<Scissors>, headers: HeaderMap, body: Bytes) -> Response {
    if !provider.believes(&headers, &body) {
        return refused(StatusCode::UNAUTHORIZED, "the signature does not fit");
    }
    let Some(asked) = asked(&headers, &body) else { return refused(StatusCode::BAD_REQUEST, "no payout.requested with an Idempotency-Key") };
    match begin(&provider, &asked) {
        Ok(Begun::Mode(mode)) => act(&provider, &scissors, &asked, mode).await,
        Ok(Begun::OtherBody) => refused(StatusCode::UNPROCESSABLE_ENTITY, "this key came with another body before"),
        Err(error) => broken(&error),
    }
}

enum Begun {
    Mode(Mode),
    OtherBody,
}

/// The request and what it does to the books are on disk when this returns.
fn begin(provider: &Provider, asked: &Asked) -> io::Result<Begun> {
    let mut books = provider.books();
    books.book.note(asked)?;
    let Ok(is_known) = books.book.knows(asked) else { return Ok(Begun::OtherBody) };
    let mode = books.requests.next();
    if is_known || matches!(mode, Mode::Hang | Mode::Drop | Mode::Status(_)) {
        return Ok(Begun::Mode(mode));
    }
    books.book.take(asked)?;
    match mode {
        Mode::Fail => books.book.fail(&asked.key, "the account is closed")?,
        Mode::Bounce | Mode::BounceReversed => {
            books.book.pay(&asked.key)?;
            books.book.fail(&asked.key, RETURNED)?;
        }
        Mode::Accept | Mode::Hang | Mode::Drop | Mode::Status(_) => {}
        Mode::Pay
        | Mode::Slow
        | Mode::PayThenHang
        | Mode::PayThenDrop
        | Mode::PayThenError
        | Mode::PayThenGarbage
        | Mode::CallEarly
        | Mode::CallAfter
        | Mode::CallTwice
        | Mode::CallLate => books.book.pay(&asked.key)?,
    }
    Ok(Begun::Mode(mode))
}

async fn act(provider: &Shared, scissors: &Scissors, asked: &Asked, mode: Mode) -> Response {
    let entry = provider.books().book.of_payout(&asked.payout).cloned();
    let word = |provider: &Shared| provider.books().book.of_payout(&asked.payout).map_or_else(nothing, state_of);
    match mode {
        Mode::Pay | Mode::Slow | Mode::Fail | Mode::Accept => word(provider),
        Mode::PayThenHang | Mode::Hang => {
            tokio::time::sleep(HANG).await;
            word(provider)
        }
        Mode::PayThenDrop | Mode::Drop => {
            scissors.cut();
            word(provider)
        }
        Mode::PayThenError => refused(StatusCode::INTERNAL_SERVER_ERROR, "something broke"),
        Mode::PayThenGarbage => (StatusCode::OK, "<html>paid, I think</html>").into_response(),
        Mode::Status(status) => faulty(status),
        Mode::CallEarly | Mode::CallAfter | Mode::CallTwice | Mode::CallLate | Mode::Bounce | Mode::BounceReversed => {
            let Some(entry) = entry else { return word(provider) };
            call(provider, &entry, mode).await;
            let accepted = json!({ "status": "accepted", "provider_id": entry.provider_id, "amount": entry.amount, "currency": entry.currency });
            (StatusCode::ACCEPTED, Json(accepted)).into_response()
        }
    }
}

/// Sends our word as the mode says; only the early one is sent before this returns.
async fn call(provider: &Shared, entry: &Entry, mode: Mode) {
    let paid = Call::new("payout.paid", &entry.payout, &entry.provider_id, None);
    let failed = Call::new("payout.failed", &entry.payout, &entry.provider_id, Some(RETURNED));
    if let (Mode::CallEarly, Some(caller)) = (mode, &provider.caller) {
        let status = caller.attempt(&paid).await;
        note_call(provider, &paid, status);
        if status.is_some_and(|status| status < 300) {
            return;
        }
    }
    let delay = if mode == Mode::CallLate { provider.late } else { Duration::ZERO };
    let calls = if mode == Mode::CallTwice {
        vec![paid.clone(), paid]
    } else if mode == Mode::Bounce {
        vec![paid, failed]
    } else if mode == Mode::BounceReversed {
        vec![failed, paid]
    } else {
        vec![paid]
    };
    call_later(provider, delay, calls);
}

fn call_later(provider: &Shared, delay: Duration, calls: Vec<Call>) {
    let provider = provider.clone();
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        for call in calls {
            if let Some(caller) = &provider.caller {
                let status = caller.insist(&call).await;
                note_call(&provider, &call, status);
            }
        }
    });
}

fn note_call(provider: &Provider, call: &Call, status: Option<u16>) {
    let event = Event::Called { id: call.id.clone(), r#type: call.r#type.into(), payout: call.payout.clone(), status };
    if let Err(error) = provider.books().book.record(event) {
        eprintln!("error: {error}");
    }
}

async fn look_up(
    State(provider): State<Shared>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    Path(payout): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !provider.believes(&headers, b"") {
        return refused(StatusCode::UNAUTHORIZED, "the signature does not fit");
    }
    let (mode, known) = {
        let mut books = provider.books();
        books.looked_up.begun += 1;
        (books.look_ups.next(), books.book.of_payout(&payout).cloned())
    };
    if mode == Mode::Slow {
        tokio::time::sleep(SLOW).await;
        provider.books().looked_up.answered_slowly += 1;
        return known.as_ref().map_or_else(nothing, state_of);
    }
    if let Mode::Status(status) = mode {
        return faulty(status);
    }
    if mode == Mode::Hang {
        tokio::time::sleep(HANG).await;
    }
    if mode == Mode::Drop {
        scissors.cut();
    }
    provider.books().book.of_payout(&payout).map_or_else(nothing, state_of)
}

async fn ledger(State(provider): State<Shared>) -> Response {
    let books = provider.books();
    Json(json!({ "requests": books.book.requests, "payouts": books.book.entries(), "looked_up": books.looked_up })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPlan {
    #[serde(default)]
    requests: Vec<String>,
    #[serde(default)]
    look_ups: Vec<String>,
}

async fn plan(State(provider): State<Shared>, Json(plan): Json<NewPlan>) -> Response {
    let read = |modes: &[String]| modes.iter().map(|mode| mode.parse()).collect::<Result<Vec<Planned>, String>>();
    match (read(&plan.requests), read(&plan.look_ups)) {
        (Ok(requests), Ok(look_ups)) => {
            let mut books = provider.books();
            (books.requests, books.look_ups) = (Plan::of(requests), Plan::of(look_ups));
            StatusCode::NO_CONTENT.into_response()
        }
        (Err(reason), _) | (_, Err(reason)) => refused(StatusCode::BAD_REQUEST, &reason),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    payout: String,
    paid: bool,
    #[serde(default = "once")]
    calls: usize,
}

const fn once() -> usize {
    1
}

/// Ends a payout that was accepted, or brings the money back, and says so as often as asked.
async fn settle(State(provider): State<Shared>, Json(settle): Json<Settle>) -> Response {
    let Some(entry) = provider.books().book.of_payout(&settle.payout).cloned() else { return nothing() };
    let done = if settle.paid { provider.books().book.pay(&entry.key) } else { provider.books().book.fail(&entry.key, RETURNED) };
    if let Err(error) = done {
        return broken(&error);
    }
    let (r#type, reason) = if settle.paid { ("payout.paid", None) } else { ("payout.failed", Some(RETURNED)) };
    let call = Call::new(r#type, &entry.payout, &entry.provider_id, reason);
    call_later(&provider, Duration::ZERO, vec![call; settle.calls.min(100)]);
    StatusCode::NO_CONTENT.into_response()
}

fn asked(headers: &HeaderMap, body: &[u8]) -> Option<Asked> {
    let key = headers.get(IDEMPOTENCY_HEADER)?.to_str().ok()?.to_owned();
    let event: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| event["data"][name].as_str().map(str::to_owned);
    let (payout, amount, currency) = (text("payout")?, text("amount")?, text("currency")?);
    let at = Instant(clock::wall_seconds().saturating_mul(1_000_000)).to_string();
    (event["type"] == "payout.requested").then(|| Asked { at, key, payout, amount, currency, body_digest: hex::encode(Sha256::digest(body)) })
}

fn state_of(entry: &Entry) -> Response {
    let status = if entry.status == "accepted" { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, Json(json!({ "status": entry.status, "provider_id": entry.provider_id, "reason": entry.reason, "amount": entry.amount, "currency": entry.currency }))).into_response()
}

fn nothing() -> Response {
    refused(StatusCode::NOT_FOUND, "no such payout")
}

fn faulty(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = refused(status, "as the plan says");
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    if status.is_redirection() {
        response.headers_mut().insert(header::LOCATION, header::HeaderValue::from_static("/elsewhere"));
    }
    response
}

fn refused(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "reason": reason }))).into_response()
}

fn broken(error: &io::Error) -> Response {
    eprintln!("error: {error}");
    refused(StatusCode::INTERNAL_SERVER_ERROR, "the books can't be written")
}
