//! Providers' own messages: recorded with their effect in one transaction, once each (reliability.md §3.7, §3.14; invariants 19 and 25).

use program::calendar::Instant;
use program::payout::{PayoutId, Word};
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::PayoutError;
use super::hear::{Said, provider_says};
use super::record::{self, Source};
use crate::audit::{self, Act};
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::users;

/// Characters of a message's type that are shown.
const TYPE_SHOWN: usize = 100;

/// A message of a provider whose signature was found right.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The adapter that it is for.
    pub provider: &'a str,
    /// The provider's id of the message (`webhook-id`).
    pub event: &'a str,
    /// The SHA-256 of its body.
    pub body_digest: &'a str,
    /// The payout that it names, as it names it.
    pub payout: &'a str,
    /// What it says; `None`: something of a type that is not known here, which `reason` names.
    pub word: Option<Word>,
    /// What the provider calls the payout.
    pub provider_id: Option<&'a str>,
    /// Why it failed.
    pub reason: Option<&'a str>,
}

/// What a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `applied` or `parked`: what is answered, the first time and every other; `ignored` of older messages.
    pub text: String,
    /// Whether it was recorded before.
    pub is_repeat: bool,
    /// Whether the body differs from the first one under this id.
    pub is_other_body: bool,
}

/// Records a message and does what it says. One about a payout that is not there is parked, visible, for [`retry_parked`]; one of a type that
/// is not known here is parked for a person.
///
/// # Idempotency
/// (provider, event): a repeat does nothing and answers as the first time.
///
/// # Errors
/// An id can't be taken, or the database failed.
pub async fn record(tx: &DatabaseTransaction, message: &Message<'_>, now: Instant) -> Result<Answer, PayoutError> {
    users::checked("the adapter", message.provider, 128)?;
    users::checked("the message's id", message.event, 256)?;
    let payout = known(tx, message.payout).await?;
    let text = match (message.word, &payout) {
        (None, _) | (Some(_), None) => "parked",
        (Some(_), Some(_)) => "applied",
    };
    if !insert(tx, message, text, now).await? {
        return first_answer(tx, message).await;
    }
    if let (Some(word), Some(payout)) = (message.word, payout) {
        apply(tx, message, &payout, word, now).await?;
    } else {
        let subject = format!("payout/{}", message.payout.chars().take(128).collect::<String>());
        let detail = json!({ "provider": message.provider, "event": message.event });
        audit::write(tx, &Act { by: None, act: "payout.message_parked", subject: &subject, detail }, now).await?;
    }
    Ok(Answer { text: text.to_owned(), is_repeat: false, is_other_body: false })
}

async fn known(tx: &DatabaseTransaction, payout: &str) -> Result<Option<PayoutId>, LoadError> {
    let Ok(id) = payout.parse::<PayoutId>() else { return Ok(None) };
    Ok(record::find(tx, &id).await?.map(|payout| payout.id))
}

/// As `parked` first: what is applied is so with its effect.
async fn insert(tx: &DatabaseTransaction, message: &Message<'_>, text: &str, now: Instant) -> Result<bool, PayoutError> {
    let insert = "INSERT INTO inbound_events (provider, event, body_digest, payout, word, provider_id, told_reason, state, effect, answer, received_at) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, event) DO NOTHING";
    let cut = |text: &str, most| text.chars().filter(|c| !c.is_control()).take(most).collect::<String>();
    let effect = match message.word {
        Some(_) => "no such payout".to_owned(),
        None => format!("of a type that is not known here: {}", cut(message.reason.unwrap_or_default(), TYPE_SHOWN)),
    };
    let values = vec![
        message.provider.into(),
        message.event.into(),
        cut(message.body_digest, 128).into(),
        cut(message.payout, 128).into(),
        message.word.map_or("", Word::name).into(),
        message.provider_id.map(|id| cut(id, 128)).into(),
        message.reason.map(|reason| cut(reason, users::TEXT_MAX)).into(),
        "parked".into(),
        effect.into(),
        text.into(),
        now.0.into(),
    ];
    Ok(execute(tx, insert, values).await? > 0)
}

async fn first_answer(tx: &DatabaseTransaction, message: &Message<'_>) -> Result<Answer, PayoutError> {
    let query = "SELECT answer, body_digest FROM inbound_events WHERE provider = ? AND event = ?";
    let row = first_row(tx, query, vec![message.provider.into(), message.event.into()]).await?;
    let row = row.ok_or(LoadError::Corrupt { value: message.event.into(), what: "a recorded message" })?;
    Ok(Answer { text: row.string(0)?, is_repeat: true, is_other_body: row.string(1)? != message.body_digest })
}

async fn apply(tx: &DatabaseTransaction, message: &Message<'_>, payout: &PayoutId, word: Word, now: Instant) -> Result<(), PayoutError> {
    let said = Said {
        word,
        source: Source::Webhook,
        provider: message.provider,
        provider_id: message.provider_id,
        reason: message.reason,
        event: Some(message.event),
        by: None,
    };
    let (_, ruling) = provider_says(tx, payout, &said, now).await?;
    let update = "UPDATE inbound_events SET state = 'applied', effect = ?, applied_at = ? WHERE provider = ? AND event = ?";
    execute(tx, update, vec![ruling.name().into(), now.0.into(), message.provider.into(), message.event.into()]).await?;
    Ok(())
}

/// The payouts of parked messages that are there now, those that [`retry_parked`] with the same limit takes.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn parked_payouts(tx: &DatabaseTransaction, limit: u16) -> Result<Vec<PayoutId>, PayoutError> {
    let query = "SELECT i.payout FROM inbound_events i JOIN payouts p ON p.id = i.payout WHERE i.state = 'parked' AND i.word <> '' \
                 ORDER BY i.received_at, i.event LIMIT ?";
    let mut found = Vec::new();
    for row in rows(tx, query, vec![i64::from(limit).into()]).await? {
        found.push(row.string(0)?.parse()?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Looks again at parked messages, oldest first, at most `limit`: those whose payout is there now are applied. How many were.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn retry_parked(tx: &DatabaseTransaction, limit: u16, now: Instant) -> Result<usize, PayoutError> {
    let query = "SELECT i.provider, i.event, i.body_digest, i.payout, i.word, i.provider_id, i.told_reason FROM inbound_events i \
                 JOIN payouts p ON p.id = i.payout WHERE i.state = 'parked' AND i.word <> '' ORDER BY i.received_at, i.event LIMIT ?";
    let mut applied = 0;
    for row in rows(tx, query, vec![i64::from(limit).into()]).await? {
        let (provider, event, digest, payout) = (row.string(0)?, row.string(1)?, row.string(2)?, row.string(3)?);
        let take = "UPDATE inbound_events SET retries = retries + 1 WHERE provider = ? AND event = ? AND state = 'parked'";
        if execute(tx, take, vec![provider.as_str().into(), event.as_str().into()]).await? == 0 {
            continue;
        }
        let (provider_id, reason) = (row.string_or_null(5)?, row.string_or_null(6)?);
        let text = row.string(4)?;
        let word = Word::named(&text).ok_or(LoadError::Corrupt { value: text, what: "a provider's word" })?;
        let message = Message {
            provider: &provider,
            event: &event,
            body_digest: &digest,
            payout: &payout,
            word: Some(word),
            provider_id: provider_id.as_deref(),
            reason: reason.as_deref(),
        };
        apply(tx, &message, &payout.parse()?, word, now).await?;
        applied += 1;
    }
    Ok(applied)
}
