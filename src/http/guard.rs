//! What every request goes through: an id, a limit on its time, a net under panics, a line in the log, a count.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use tracing::Instrument as _;

use super::Shared;
use super::metrics::{REQUEST_SECONDS, REQUESTS};
use super::problem::Problem;

/// The header with the id of a request, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over.
const REQUEST_ID_MAX_BYTES: usize = 64;

pub(super) async fn guard(State(service): State<Shared>, request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(own_id);
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("http.request", id, method, route);
    let begun = Instant::now();
    let answered = tokio::time::timeout(service.request_limit, AssertUnwindSafe(next.run(request)).catch_unwind()).instrument(span.clone()).await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            span.in_scope(|| tracing::error!("http.panicked"));
            Problem::Broken.into_response()
        }
        Err(_) => Problem::TooSlow.into_response(),
    };
    let (took, status) = (begun.elapsed(), response.status().as_u16());
    span.in_scope(|| tracing::debug!(status, took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "http.answered"));
    metrics::counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status.to_string()).increment(1);
    metrics::histogram!(REQUEST_SECONDS, "route" => route).record(took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// An id that somebody before us gave, if it is one.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(&REQUEST_ID)?.to_str().ok()?;
    let is_id = (1..=REQUEST_ID_MAX_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_id.then(|| id.to_owned())
}

fn own_id() -> String {
    crate::ids::new("req")
}

/// Names that others make up would each be counted.
fn method_name(method: &Method) -> &'static str {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];
    let names = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}
