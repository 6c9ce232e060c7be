//! What went wrong with a request, as RFC 9457 problem documents with stable codes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::adapters::standard_webhooks::Rejected;
use crate::adapters::stripe::signature::StripeRejected;

/// How long to wait before asking again what can't be answered now.
const RETRY_AFTER_S: u32 = 5;

/// Why a request is not answered as was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No such page.
    NotFound,
    /// The page is there, but not for this method.
    MethodNotAllowed,
    /// The body is too long.
    TooLarge {
        /// The most that is taken.
        most_bytes: usize,
    },
    /// The body did not come whole.
    Incomplete,
    /// The webhook is not configured.
    NoKey {
        /// The key of the configuration that it needs.
        key: &'static str,
    },
    /// The signature is missing or does not fit.
    NotSigned(Rejected),
    /// The body is not what it should be.
    Malformed(String),
    /// A message's id came with another body before.
    OtherBody,
    /// The signature of Stripe is missing or does not fit.
    NotSignedByStripe(StripeRejected),
    /// An event of Stripe's test mode, which is not taken.
    TestMode,
    /// What the body says can't be recorded, and why.
    Refused(String),
    /// Too many messages wait.
    Full,
    /// A decision does not count.
    NotDecided {
        /// A stable name of why.
        reason: String,
        /// Why, for people.
        detail: String,
    },
    /// The service can't work yet, or any more.
    NotReady(String),
    /// It could not be kept; it may come again.
    Unavailable,
    /// It took too long; it may have been done.
    TooSlow,
    /// A mistake of ours.
    Broken,
}

impl Problem {
    /// Its code, which stays.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooLarge { .. } => "too-large",
            Self::Incomplete => "incomplete-body",
            Self::NoKey { .. } => "webhook-not-configured",
            Self::NotSigned(_) | Self::NotSignedByStripe(_) => "signature-rejected",
            Self::TestMode => "test-mode",
            Self::Refused(_) => "fact-refused",
            Self::Full => "too-many-parked",
            Self::Malformed(_) => "malformed-body",
            Self::OtherBody => "repeated-with-other-body",
            Self::NotDecided { .. } => "decision-refused",
            Self::NotReady(_) => "not-ready",
            Self::Unavailable => "unavailable",
            Self::TooSlow => "too-slow",
            Self::Broken => "internal-error",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotSigned(_) | Self::NotSignedByStripe(_) => StatusCode::UNAUTHORIZED,
            Self::OtherBody | Self::TestMode | Self::Refused(_) | Self::NotDecided { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoKey { .. } | Self::NotReady(_) | Self::Unavailable | Self::TooSlow | Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::NotFound => "There is no such page",
            Self::MethodNotAllowed => "This page does not take this method",
            Self::TooLarge { .. } => "The body is too long",
            Self::Incomplete => "The body did not come whole",
            Self::NoKey { .. } => "This webhook is not configured",
            Self::NotSigned(_) | Self::NotSignedByStripe(_) => "The signature is not accepted",
            Self::TestMode => "This is an event of Stripe's test mode",
            Self::Refused(_) => "This can't be recorded",
            Self::Full => "Too many messages are parked; send it again",
            Self::Malformed(_) => "The body is not what it should be",
            Self::OtherBody => "This id came with another body before",
            Self::NotDecided { .. } => "The decision does not count",
            Self::NotReady(_) => "The service is not ready",
            Self::Unavailable => "It could not be kept; send it again",
            Self::TooSlow => "It took too long; send it again",
            Self::Broken => "Something is broken here",
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::TooLarge { most_bytes } => Some(format!("at most {most_bytes} bytes are taken")),
            Self::NoKey { key } => Some(format!("{key} is not set")),
            Self::NotSigned(rejected) => Some(rejected.to_string()),
            Self::NotSignedByStripe(rejected) => Some(rejected.to_string()),
            Self::TestMode => Some("webhooks.stripe_test_mode is not set".into()),
            Self::NotDecided { detail, .. } => Some(detail.clone()),
            Self::Malformed(reason) | Self::NotReady(reason) | Self::Refused(reason) => Some(reason.clone()),
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::Incomplete
            | Self::OtherBody
            | Self::Unavailable
            | Self::TooSlow
            | Self::Full
            | Self::Broken => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code());
        let mut document = json!({ "type": format!("urn:tributary:problem:{code}"), "title": self.title(), "status": status.as_u16(), "code": code });
        if let (Some(detail), Some(fields)) = (self.detail(), document.as_object_mut()) {
            fields.insert("detail".into(), detail.into());
        }
        if let (Self::NotDecided { reason, .. }, Some(fields)) = (&self, document.as_object_mut()) {
            fields.insert("reason".into(), reason.as_str().into());
        }
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }
}
