//! Payouts by a provider of the user's, told by signed requests (interface.md §5).

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::money::Currency;
use program::payout::Amount;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::Value as Json;
use workflows::ports::{Capabilities, Handling, PayoutPort, PayoutRequest, PortError, Word};

use super::outbound::{Answer, Bounds, Outbound, OutboundError};
use super::standard_webhooks::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use crate::clock;
use crate::config::{Provider, Refusal};

/// The adapter's name in the configuration and in the books.
pub const WEBHOOK: &str = "webhook";
/// The header by which the provider knows a repeat.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// An answer is a few fields.
const ANSWER_MAX_BYTES: usize = 64 << 10;
/// Characters of the provider's words that are kept.
const REASON_MAX: usize = 500;
/// The longest id of the provider.
const PROVIDER_ID_MAX_BYTES: usize = 128;
/// No provider makes us wait longer.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// A provider.
#[derive(Debug)]
pub struct WebhookPayouts {
    outbound: Outbound,
    provider: Provider,
    reports_by_webhook: bool,
}

/// What a provider says of a payout.
#[derive(Debug, Deserialize)]
struct Said {
    status: Status,
    #[serde(default)]
    provider_id: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    /// In major units, as text; anything else is another convention than ours, and not compared.
    #[serde(default)]
    amount: Option<Json>,
    #[serde(default)]
    currency: Option<Json>,
}

/// What a request asks for, as far as an answer is compared with it.
#[derive(Deserialize)]
struct Asked {
    data: AskedData,
}

#[derive(Deserialize)]
struct AskedData {
    amount: String,
    currency: String,
}

/// The amount of a request's bytes.
fn amount_of(body: &[u8]) -> Option<Amount> {
    let AskedData { amount, currency } = serde_json::from_slice::<Asked>(body).ok()?.data;
    let currency: Currency = currency.parse().ok()?;
    Some(Amount { minor: currency.parse_minor(&amount).ok()?, currency })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Accepted,
    Paid,
    Failed,
}

impl WebhookPayouts {
    /// A provider as configured; `reports_by_webhook` where its word can come in by a webhook that has a key.
    ///
    /// # Errors
    /// [`OutboundError::Client`].
    pub fn new(provider: Provider, reports_by_webhook: bool) -> Result<Self, OutboundError> {
        let bounds = Bounds { allow_loopback: provider.allow_loopback, timeout: provider.timeout, answer_max_bytes: ANSWER_MAX_BYTES };
        Ok(Self { outbound: Outbound::new(bounds)?, provider, reports_by_webhook })
    }

    async fn ask(&self, request: &PayoutRequest) -> Result<Word, PortError> {
        let mut headers = self.signed(&request.payout, &request.body)?;
        headers.insert(IDEMPOTENCY_HEADER, value(&request.idempotency_key)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.outbound.send(Method::POST, &self.provider.url, headers, request.body.clone()).await.map_err(|error| port_error(&error))?;
        match answer.status {
            200 | 202 => word(&answer, amount_of(&request.body)),
            _ => Err(self.refusal(&answer)),
        }
    }

    async fn find(&self, payout: &str, amount: Option<Amount>) -> Result<Word, PortError> {
        let headers = self.signed(payout, b"")?;
        let answer = self.outbound.send(Method::GET, &self.page_of(payout)?, headers, Vec::new()).await.map_err(|error| port_error(&error))?;
        match answer.status {
            200 | 202 => word(&answer, amount),
            404 => Ok(Word::NotFound),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// The payout's id is the message's: a repeat of the request is a repeat of the message. The time is that of the attempt.
    fn signed(&self, payout: &str, body: &[u8]) -> Result<HeaderMap, PortError> {
        let now_s = clock::wall_seconds();
        let signature = self.provider.keys.sign(payout, now_s, body).map_err(|error| PortError::Unusable { reason: error.to_string() })?;
        let mut headers = HeaderMap::new();
        for (name, text) in [(ID_HEADER, payout), (TIMESTAMP_HEADER, &now_s.to_string()), (SIGNATURE_HEADER, &signature)] {
            headers.insert(HeaderName::from_static(name), value(text)?);
        }
        Ok(headers)
    }

    /// `{url}/{payout id}`; the id was signed before, so it holds nothing that a path would take for something else.
    fn page_of(&self, payout: &str) -> Result<Url, PortError> {
        let mut url = self.provider.url.clone();
        let mut segments = url.path_segments_mut().map_err(|()| PortError::Unusable { reason: "payouts.url takes no path".into() })?;
        segments.pop_if_empty().push(payout);
        drop(segments);
        Ok(url)
    }

    /// What an answer other than 200 and 202 means.
    fn refusal(&self, answer: &Answer) -> PortError {
        let (status, reason) = (answer.status, reason_of(answer));
        match status {
            300..=399 => PortError::Redirected { status },
            409 => PortError::Conflict { reason },
            429 => PortError::Throttled { retry_after: retry_after(&answer.headers, clock::wall_seconds()), reason },
            // They say that we don't know who is who, where to ask, or how: it would be so with the next payout, too.
            401 | 403 | 404 | 405 | 415 | 422 => PortError::Stop { status, reason },
            // The provider, or something before it, gave up waiting.
            408 | 425 => PortError::Unknown { reason: format!("it answered {status}: {reason}") },
            400..=499 if self.provider.refusal == Refusal::Failed => PortError::Refused { status, reason },
            _ => PortError::Unknown { reason: format!("it answered {status}: {reason}") },
        }
    }
}

impl PayoutPort for WebhookPayouts {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            adapter: WEBHOOK,
            handling: Handling::Provider,
            looks_up: true,
            dedupe_window: self.provider.dedupe_window,
            reports_by_webhook: self.reports_by_webhook,
            poll_every: self.provider.poll_every,
        }
    }

    fn request<'a>(&'a self, request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>> {
        self.ask(request).boxed()
    }

    fn look_up<'a>(&'a self, payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>> {
        self.find(payout, None).boxed()
    }

    fn look_up_of<'a>(&'a self, payout: &'a str, amount: Amount) -> BoxFuture<'a, Result<Word, PortError>> {
        self.find(payout, Some(amount)).boxed()
    }
}

fn value(text: &str) -> Result<HeaderValue, PortError> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let value = is_plain.then(|| HeaderValue::from_str(text).ok()).flatten();
    value.ok_or_else(|| PortError::Unusable { reason: format!("{text:?} can't be a header") })
}

fn port_error(error: &OutboundError) -> PortError {
    match error {
        OutboundError::Client(_) | OutboundError::Refused { .. } | OutboundError::NotConnected { .. } => {
            PortError::NotSent { reason: error.to_string() }
        }
        OutboundError::NoAnswer { .. } => PortError::Unknown { reason: error.to_string() },
    }
}

/// An answer that can't be read says nothing: the money may have moved. One about another amount is not about what was asked for.
fn word(answer: &Answer, ours: Option<Amount>) -> Result<Word, PortError> {
    let unreadable = |reason: String| PortError::Unknown { reason: format!("its answer {} can't be read: {reason}", answer.status) };
    // A list would be read as the fields in their order.
    if answer.body.trim_ascii_start().first() != Some(&b'{') {
        return Err(unreadable("it is no JSON object".into()));
    }
    let said: Said = serde_json::from_slice(&answer.body).map_err(|error| unreadable(error.to_string()))?;
    let provider_id = said.provider_id;
    if provider_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > PROVIDER_ID_MAX_BYTES || id.chars().any(char::is_control)) {
        return Err(unreadable(format!("provider_id is not 1 to {PROVIDER_ID_MAX_BYTES} bytes of plain text")));
    }
    let (figure, currency) = (said.amount.as_ref().and_then(Json::as_str), said.currency.as_ref().and_then(Json::as_str));
    if let Some(ours) = ours.filter(|ours| !ours.agrees(figure, currency)) {
        let told = plain(&format!("{} {}", figure.unwrap_or("its amount"), currency.unwrap_or_default()));
        return Err(PortError::OtherAmount { told, ours });
    }
    let given = || said.reason.as_deref().filter(|reason| !reason.trim().is_empty()).map_or("the provider gave no reason".into(), plain);
    Ok(match said.status {
        Status::Accepted => Word::Accepted { provider_id },
        Status::Paid => Word::Paid { provider_id },
        Status::Failed => Word::Failed { provider_id, reason: given() },
    })
}

/// What a refusal says: its `reason`, a problem document's `detail` or `title`, or its first words.
fn reason_of(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Words {
        reason: Option<String>,
        detail: Option<String>,
        title: Option<String>,
    }
    let words: Option<Words> = serde_json::from_slice(&answer.body).ok();
    let chosen = words.and_then(|words| words.reason.or(words.detail).or(words.title));
    let text = chosen.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    if text.trim().is_empty() { "no reason given".into() } else { plain(&text) }
}

/// Text of the provider's: one line, not too long.
fn plain(text: &str) -> String {
    text.trim().chars().take(REASON_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Seconds, or a date.
///
/// # Source
/// RFC 9110 §10.2.3.
fn retry_after(headers: &HeaderMap, now_s: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = |date: chrono::DateTime<_>| u64::try_from(date.timestamp().saturating_sub(now_s)).unwrap_or(0);
    let wait_s = text.parse().ok().or_else(|| chrono::DateTime::parse_from_rfc2822(text).ok().map(until))?;
    Some(Duration::from_secs(wait_s).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn words_are_read_and_what_is_no_word_is_unknown() {
        let id = Some("tr_1".to_owned());
        for (body, word_) in [
            (r#"{"status":"accepted"}"#, Word::Accepted { provider_id: None }),
            (r#"{"status":"accepted","provider_id":"tr_1","reason":null,"more":1}"#, Word::Accepted { provider_id: id.clone() }),
            (r#"{"status":"paid","provider_id":"tr_1"}"#, Word::Paid { provider_id: id.clone() }),
            (
                r#"{"status":"failed","provider_id":"tr_1","reason":"no such\naccount"}"#,
                Word::Failed { provider_id: id, reason: "no such account".into() },
            ),
            (r#"{"status":"failed"}"#, Word::Failed { provider_id: None, reason: "the provider gave no reason".into() }),
        ] {
            assert_eq!(word(&answer(200, body), None), Ok(word_), "{body}");
        }
        for body in [
            "",
            "OK",
            "{}",
            r#"{"status":"PAID"}"#,
            r#"{"status":"done"}"#,
            r#"["paid"]"#,
            r#"{"status":"paid","provider_id":7}"#,
            r#"{"status":"paid","provider_id":""}"#,
        ] {
            assert!(matches!(word(&answer(200, body), None), Err(PortError::Unknown { .. })), "{body}");
        }
    }

    #[test]
    fn another_amount_is_no_word() {
        let ours = amount_of(br#"{"data":{"amount":"240.00","currency":"USD","payout":"p"},"type":"payout.requested"}"#);
        assert_eq!(ours.map(|ours| ours.to_string()).as_deref(), Some("240.00 USD"));
        let said = |more: &str| word(&answer(200, &format!(r#"{{"status":"paid"{more}}}"#)), ours);
        for agrees in ["", r#","amount":"240.00","currency":"USD""#, r#","amount":"240.00""#, r#","amount":24000,"currency":"USD""#] {
            assert_eq!(said(agrees), Ok(Word::Paid { provider_id: None }), "{agrees}");
        }
        for differs in [r#","amount":"100.00","currency":"USD""#, r#","amount":"100.00""#, r#","currency":"EUR""#] {
            let error = said(differs).expect_err(differs);
            assert!(matches!(error, PortError::OtherAmount { .. }) && error.certainty() == workflows::ports::Certainty::Unknown, "{error}");
        }
    }

    #[test]
    fn waiting_is_told_in_seconds_or_by_date_and_bounded() {
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a header"))]);
            retry_after(&headers, 784_111_777).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("99999999999"), Some(86_400));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!((wait("soon"), wait("-1")), (None, None));
    }

    #[test]
    fn reasons_come_from_where_providers_put_them() {
        for (body, reason) in [
            (r#"{"reason":"closed account"}"#, "closed account"),
            (r#"{"type":"about:blank","title":"Bad Request","detail":"no IBAN"}"#, "no IBAN"),
            ("<h1>Bad\r\nGateway</h1>", "<h1>Bad  Gateway</h1>"),
            ("", "no reason given"),
        ] {
            assert_eq!(reason_of(&answer(400, body)), reason);
        }
        assert_eq!(reason_of(&answer(400, &"x".repeat(9_000))).len(), REASON_MAX);
    }
}
