//! What all webhooks are read by: a bounded body, and headers of which there is one each.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::problem::Problem;
use crate::adapters::standard_webhooks::{ID_HEADER, Rejected, SIGNATURE_HEADER, Signed, SigningKeys, TIMESTAMP_HEADER};

/// A message of a few fields is no longer.
const SHORT_MAX_BYTES: usize = 64 << 10;

/// The whole body, if it is not longer than what is taken.
pub(super) async fn read(body: Body, most_bytes: usize) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, most_bytes).collect().await;
    whole
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| if error.is::<LengthLimitError>() { Problem::TooLarge { most_bytes } } else { Problem::Incomplete })
}

/// The id and the bytes of a short message that was signed with one of the keys around `now_s`.
pub(super) async fn believed(keys: &SigningKeys, tolerance: Duration, now_s: i64, request: Request) -> Result<(String, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let body = read(body, SHORT_MAX_BYTES).await?;
    let signed = signed(&parts.headers)?;
    keys.verify(signed, &body, now_s, tolerance).map_err(Problem::NotSigned)?;
    Ok((signed.id.to_owned(), body))
}

/// A header's text, where there is exactly one of it: of two, somebody else might believe the other.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
}

/// The three headers of Standard Webhooks.
pub(super) fn signed(headers: &HeaderMap) -> Result<Signed<'_>, Problem> {
    let only = |name, rejected| only(headers, name).ok_or(Problem::NotSigned(rejected));
    Ok(Signed {
        id: only(ID_HEADER, Rejected::Id)?,
        timestamp: only(TIMESTAMP_HEADER, Rejected::Timestamp)?,
        signature: only(SIGNATURE_HEADER, Rejected::Signature)?,
    })
}
