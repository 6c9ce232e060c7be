//! The body of a signed message, and whether its sender is believed.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::problem::Problem;
use crate::adapters::standard_webhooks::{ID_HEADER, Rejected, SIGNATURE_HEADER, Signed, SigningKeys, TIMESTAMP_HEADER};

/// A message is a few fields.
const BODY_MAX_BYTES: usize = 64 << 10;

/// The id and the bytes of a message that was signed with one of the keys around `now_s`.
pub(super) async fn believed(keys: &SigningKeys, tolerance: Duration, now_s: i64, request: Request) -> Result<(String, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let signed = signed(&parts.headers)?;
    keys.verify(signed, &body, now_s, tolerance).map_err(Problem::NotSigned)?;
    Ok((signed.id.to_owned(), body))
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, BODY_MAX_BYTES).collect().await;
    whole
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| if error.is::<LengthLimitError>() { Problem::TooLarge { most_bytes: BODY_MAX_BYTES } } else { Problem::Incomplete })
}

/// The three headers, each exactly once: of two, somebody else might believe the other.
fn signed(headers: &HeaderMap) -> Result<Signed<'_>, Problem> {
    let only = |name, rejected| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
        value.ok_or(Problem::NotSigned(rejected))
    };
    Ok(Signed {
        id: only(ID_HEADER, Rejected::Id)?,
        timestamp: only(TIMESTAMP_HEADER, Rejected::Timestamp)?,
        signature: only(SIGNATURE_HEADER, Rejected::Signature)?,
    })
}
