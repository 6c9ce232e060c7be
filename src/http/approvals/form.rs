//! What browsers send: forms, cookies, and from where.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::Url;

/// The cookie of the browser that asked for a code.
pub(super) const ASKING: &str = "tributary_code";
/// The cookie of a session.
pub(super) const SESSION: &str = "tributary_approvals";

/// A form is a few fields.
const BODY_MAX_BYTES: usize = 16 << 10;
/// The name of what the link of a mail carries, in addresses and forms.
pub(super) const LINK: &str = crate::approvals::LINK;
/// Hexadecimal digits of a token.
const TOKEN_DIGITS: usize = 64;

/// The cookies that are ours and can be tokens.
#[derive(Debug)]
pub(super) struct Cookies(Vec<(String, String)>);

impl Cookies {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let ours = pairs.filter(|(name, value)| [ASKING, SESSION].contains(name) && is_token(value));
        Self(ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The only one of a name: of two, one may be somebody else's.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(one, _)| one == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the link of a mail carries, of an address; nothing else is told of it.
pub(super) fn link_of(uri: &Uri) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(name, value)| name == LINK && is_token(value)).map(|(_, value)| value.into_owned())
}

/// A form's fields.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, (StatusCode, &'static str)> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "It is no form of this page."));
        }
        let whole = Limited::new(body, BODY_MAX_BYTES).collect().await;
        let bytes = whole.map(http_body_util::Collected::to_bytes).map_err(|error| {
            if error.is::<LengthLimitError>() {
                (StatusCode::PAYLOAD_TOO_LARGE, "It is too long.")
            } else {
                (StatusCode::BAD_REQUEST, "It did not come whole.")
            }
        })?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    /// What the link of a mail carried, by which the form was come to.
    pub(super) fn link(&self) -> Option<String> {
        Some(self.get(LINK)).filter(|text| is_token(text)).map(str::to_owned)
    }

    /// A field; "" where it is absent, or there more than once.
    pub(super) fn get(&self, name: &str) -> &str {
        let mut values = self.0.iter().filter(|(one, _)| one == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none()).unwrap_or_default()
    }
}

/// Whether a form was sent from our own page, as far as the browser says.
///
/// `Sec-Fetch-Site` decides where it is there. Our pages send no referrer, for which browsers write the origin as `null`: that says nothing.
pub(super) fn is_from_here(headers: &HeaderMap, public_url: Option<&Url>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = text("origin").filter(|origin| *origin != "null") else { return true };
    match public_url {
        Some(url) => origin == url.origin().ascii_serialization(),
        None => text("host").is_some_and(|host| [format!("http://{host}"), format!("https://{host}")].contains(&origin.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn forms_of_other_sites_are_known() {
        let url: Url = "https://partners.example.com/t".parse().expect("a URL");
        let from_here = |pairs: &[(&'static str, &'static str)]| is_from_here(&headers(pairs), Some(&url));
        assert!(from_here(&[]));
        assert!(from_here(&[("origin", "https://partners.example.com")]));
        assert!(from_here(&[("origin", "null")]));
        assert!(from_here(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", "", "?"] {
            assert!(!from_here(&[("origin", "null"), ("sec-fetch-site", site)]), "{site}");
        }
        for origin in
            ["https://evil.example.com", "http://partners.example.com", "https://partners.example.com:8443", "https://partners.example.com.evil"]
        {
            assert!(!from_here(&[("origin", origin)]), "{origin}");
        }
        let own = |origin| is_from_here(&headers(&[("host", "127.0.0.1:8080"), ("origin", origin)]), None);
        assert!(own("http://127.0.0.1:8080") && !own("http://127.0.0.1:9090"));
    }

    #[test]
    fn only_one_token_of_a_name_is_taken() {
        let token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let cookie = |text: &str| Cookies::of(&[(header::COOKIE, HeaderValue::from_str(text).expect("a header"))].into_iter().collect());
        assert_eq!(cookie(&format!("a=b; {SESSION}={token}")).get(SESSION), Some(token));
        assert_eq!(cookie(&format!("{SESSION}={token}; {SESSION}={token}")).get(SESSION), None);
        assert_eq!(cookie(&format!("{SESSION}=short; {ASKING}={token}")).get(SESSION), None);
    }
}
