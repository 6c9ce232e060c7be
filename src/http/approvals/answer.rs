//! Answers of the page of approvals, with the headers that keep them from being framed, cached, sniffed or told to others.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use books::mdf::Proof;
use reqwest::Url;
use serde_json::Value as Json;

use crate::approvals::Approvals;
use crate::approvals::pages::Page;
use crate::http::problem::Problem;

/// Kinds of proofs that are named as what they are; all others are only bytes.
const KINDS: [&str; 5] = ["application/pdf", "image/png", "image/jpeg", "text/csv", "text/plain"];

/// On every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Answers about a claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) desk: &'a Approvals,
    pub(super) claim: &'a str,
}

pub(super) fn with_headers(mut response: Response, policy: &str) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

impl Answer<'_> {
    pub(super) fn page(&self, status: StatusCode, page: Page, data: Json) -> Response {
        let html = match self.desk.pages().render(page, &self.place(), data) {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(claim = self.claim, %error, "approval.page_not_made");
                return Problem::Broken.into_response();
            }
        };
        let html = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html);
        with_headers((status, html).into_response(), self.desk.pages().policy())
    }

    /// To the claim's page, which shows how it stands; loading it again sends no form again.
    pub(super) fn back_to_claim(&self) -> Response {
        let to = [(header::LOCATION, self.place())];
        with_headers((StatusCode::SEE_OTHER, to, Body::empty()).into_response(), self.desk.pages().policy())
    }

    pub(super) fn with_cookie(&self, mut response: Response, name: &str, value: &str, lasts_s: i64) -> Response {
        let secure = if self.desk.public_url().is_some_and(|url| url.scheme() == "https") { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path={}; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}", place(self.desk.public_url(), None));
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn place(&self) -> String {
        place(self.desk.public_url(), Some(self.claim))
    }
}

/// The path of the page of a claim, or of all of them, under the path by which others reach the service.
fn place(public_url: Option<&Url>, claim: Option<&str>) -> String {
    const ALL: &str = "/approvals";
    let Some(mut url) = public_url.cloned().or_else(|| Url::parse("http://localhost").ok()) else { return ALL.into() };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("approvals").extend(claim);
    }
    url.path().to_owned()
}

/// A proof as a download.
pub(super) fn file(proof: &Proof, bytes: Vec<u8>) -> Response {
    let kind = KINDS.iter().find(|kind| **kind == proof.media_type).copied().unwrap_or("application/octet-stream");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition(&proof.name))];
    (headers, bytes).into_response()
}

/// A name for whoever keeps the file: never a path, never a second header, never turned around.
///
/// # Source
/// RFC 6266, RFC 8187.
fn disposition(name: &str) -> String {
    let turns = |c: char| matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let unsafe_in_names = |c: char| c.is_control() || turns(c) || "/\\:*?\"<>|%;".contains(c);
    let name: String = name.chars().take(150).map(|c| if unsafe_in_names(c) { '_' } else { c }).collect();
    let name = name.trim_start_matches('.').trim();
    let name = if name.is_empty() { "proof" } else { name };
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_under_the_public_address() {
        let url: Url = "https://partners.example.com/tributary/".parse().expect("a URL");
        assert_eq!(place(Some(&url), Some("../a b?\"<")), "/tributary/approvals/..%2Fa%20b%3F%22%3C");
        assert_eq!(place(Some(&url), None), "/tributary/approvals");
        assert_eq!(place(None, Some("CL-1")), "/approvals/CL-1");
    }

    #[test]
    fn names_of_files_do_nothing() {
        for (name, plain) in [
            ("invoice.pdf", "invoice.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a\"; filename=\"b.exe\r\nSet-Cookie: x=y", "a__ filename=_b.exe__Set-Cookie_ x=y"),
            ("gp\u{202E}fdp.exe", "gp_fdp.exe"),
            ("...", "proof"),
            ("ümlaut.csv", "_mlaut.csv"),
        ] {
            let header = disposition(name);
            assert!(header.starts_with(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''")), "{header}");
            assert!(HeaderValue::from_str(&header).is_ok());
        }
        assert!(disposition("ümlaut.csv").ends_with("UTF-8''%C3%BCmlaut.csv"));
    }
}
