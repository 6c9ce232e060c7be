//! Reads payouts and stores what moves them, each change with its event, its postings and its line in the audit log.

use entities::payout::{self, Payouts};
use program::calendar::{Date, Instant, Period};
use program::payout::{Kind, Move, Payout, PayoutId};
use sea_orm::{DatabaseTransaction, EntityTrait, QuerySelect};
use serde_json::{Value as Json, json};

use super::{PayoutError, postings};
use crate::audit::{self, Act};
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::mdf;

/// Payouts that one listing gives at most.
pub const LISTED_MAX: u64 = 10_000;

/// Where an event of a payout comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The product.
    Ours,
    /// The provider's answer to a request.
    Answer,
    /// The provider's own message.
    Webhook,
    /// The provider's answer to a question.
    LookUp,
    /// A person.
    Person,
}

impl Source {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Answer => "answer",
            Self::Webhook => "webhook",
            Self::LookUp => "look_up",
            Self::Person => "person",
        }
    }
}

/// What happened to a payout, for its history.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Where it comes from.
    pub source: Source,
    /// What was said or done.
    pub word: &'a str,
    /// What it did: `moved`, `confirmed`, `stale`, `contradicted`.
    pub ruling: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
    /// The adapter.
    pub provider: Option<&'a str>,
    /// What the provider calls the payout.
    pub provider_id: Option<&'a str>,
    /// The id of the provider's message.
    pub event: Option<&'a str>,
    /// Who.
    pub by: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// Something that the product did.
    #[must_use]
    pub fn ours(word: &'a str, reason: Option<&'a str>) -> Self {
        Self { source: Source::Ours, word, ruling: "moved", reason, provider: None, provider_id: None, event: None, by: None }
    }

    /// Something that a person did.
    #[must_use]
    pub fn person(word: &'a str, reason: Option<&'a str>, by: &'a str) -> Self {
        Self { source: Source::Person, by: Some(by), ..Self::ours(word, reason) }
    }
}

fn read(row: payout::Model) -> Result<Payout, LoadError> {
    let id = row.id.clone();
    Payout::try_from(row).map_err(|_| LoadError::Corrupt { value: id, what: "a payout" })
}

/// A payout, if there is one of the id.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn find(tx: &DatabaseTransaction, id: &PayoutId) -> Result<Option<Payout>, LoadError> {
    payout::Entity::find_by_id(id.as_str()).one(tx).await?.map(read).transpose()
}

/// The payout that a run sees to, with its status, while it has not ended.
///
/// # Errors
/// The database failed.
pub async fn open_of_run(tx: &DatabaseTransaction, run: &str) -> Result<Option<(String, String)>, LoadError> {
    let query = "SELECT id, status FROM payouts WHERE workflow = ? AND status NOT IN ('paid', 'failed')";
    first_row(tx, query, vec![run.into()]).await?.map(|row| Ok((row.string(0)?, row.string(1)?))).transpose()
}

/// A payout that nobody else changes until the caller's transaction ends.
///
/// # Errors
/// The database failed or holds what can't be read.
pub(super) async fn lock(tx: &DatabaseTransaction, id: &PayoutId) -> Result<Option<Payout>, LoadError> {
    payout::Entity::find_by_id(id.as_str()).locked().one(tx).await?.map(read).transpose()
}

/// As [`lock`], where there must be one.
///
/// # Errors
/// [`PayoutError::NoPayout`].
pub(super) async fn locked(tx: &DatabaseTransaction, id: &PayoutId) -> Result<Payout, PayoutError> {
    lock(tx, id).await?.ok_or_else(|| PayoutError::NoPayout(id.to_string()))
}

/// The latest payouts in order of their intents, of one status if it is named; at most [`LISTED_MAX`], the export has all.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn list(tx: &DatabaseTransaction, status: Option<&str>) -> Result<Vec<Payout>, LoadError> {
    let found = payout::Entity::find().in_status(status).latest_first().limit(LISTED_MAX).all(tx).await?;
    found.into_iter().rev().map(read).collect()
}

/// How many payouts are in each status that is not an end.
///
/// # Errors
/// The database failed.
pub async fn counts(tx: &DatabaseTransaction) -> Result<[(&'static str, i64); 4], LoadError> {
    let mut counts = [("intended", 0), ("held", 0), ("requested", 0), ("unknown", 0)];
    let query = "SELECT status, COUNT(*) FROM payouts WHERE status IN ('intended', 'held', 'requested', 'unknown') GROUP BY status";
    for row in rows(tx, query, vec![]).await? {
        let (status, count) = (row.string(0)?, row.int(1)?);
        counts.iter_mut().filter(|(known, _)| *known == status).for_each(|(_, known)| *known = count);
    }
    Ok(counts)
}

/// Payouts of a status by id, after one: for whoever must see all of them, however many.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn page(tx: &DatabaseTransaction, status: &str, after: Option<&PayoutId>, most: u64) -> Result<Vec<Payout>, LoadError> {
    let found = payout::Entity::find().in_status(Some(status)).after(after).limit(most).all(tx).await?;
    found.into_iter().map(read).collect()
}

/// The payouts of a member's settlements of a period, in every currency.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_settlements(tx: &DatabaseTransaction, program: &str, partner: &str, period: Period) -> Result<Vec<Payout>, LoadError> {
    let query = "SELECT id FROM payouts WHERE kind = 'settlement' AND program = ? AND partner = ? AND period = ? ORDER BY id";
    let mut found = Vec::new();
    for row in rows(tx, query, vec![program.into(), partner.into(), period.to_string().into()]).await? {
        let id = row.string(0)?;
        let id: PayoutId = id.parse().map_err(|_| LoadError::Corrupt { value: id, what: "a payout's id" })?;
        found.extend(lock(tx, &id).await?);
    }
    Ok(found)
}

/// The live payout of a settlement or claim: one that has not failed.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn live(tx: &DatabaseTransaction, kind: Kind, reference: &str) -> Result<Option<Payout>, LoadError> {
    payout::Entity::find().paying(kind, reference).live().one(tx).await?.map(read).transpose()
}

/// The last payout of a settlement or claim that failed, if all did.
///
/// # Errors
/// The database failed or holds what can't be read.
pub(super) async fn last_failed(tx: &DatabaseTransaction, kind: Kind, reference: &str) -> Result<Option<Payout>, LoadError> {
    payout::Entity::find().paying(kind, reference).latest_first().one(tx).await?.map(read).transpose()
}

/// The try after a failed payout.
///
/// # Errors
/// The database failed or holds what can't be read.
pub(super) async fn retry_of(tx: &DatabaseTransaction, failed: &PayoutId) -> Result<Option<Payout>, LoadError> {
    payout::Entity::find().retrying(failed).one(tx).await?.map(read).transpose()
}

/// Stores a new payout; `false`: its id, its key or its settlement or claim has one already.
///
/// # Errors
/// The database failed.
pub(super) async fn insert(tx: &DatabaseTransaction, payout: &Payout, event: &Event<'_>, now: Instant) -> Result<bool, PayoutError> {
    let insert = "INSERT INTO payouts (id, kind, reference, program, partner, period, amount_minor, currency, status, reason, destination, \
                  destination_digest, idempotency_key, request, request_digest, retried_from, workflow, counted_on, intended_at, revision) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let values = vec![
        payout.id.as_str().into(),
        payout.kind.name().into(),
        (&*payout.reference).into(),
        (&*payout.program).into(),
        (&*payout.partner).into(),
        payout.period.map(|period| period.to_string()).into(),
        payout.amount_minor.into(),
        payout.currency.code().into(),
        payout.state.name().into(),
        payout.state.reason().into(),
        payout.destination.as_deref().into(),
        payout.destination_digest.as_deref().into(),
        (&*payout.idempotency_key).into(),
        payout.request.as_deref().into(),
        payout.request.as_deref().map(program::payout::request::body_digest).into(),
        payout.retried_from.as_ref().map(PayoutId::as_str).into(),
        payout.workflow.as_deref().into(),
        payout.counted_on.map(|day| day.to_string()).into(),
        payout.intended_at.0.into(),
        payout.revision.into(),
    ];
    if execute(tx, insert, values).await? == 0 {
        return Ok(false);
    }
    tell(tx, None, payout, event, now).await?;
    Ok(true)
}

/// Stores a change of a payout with its event, its claim, its postings and its line in the audit log.
///
/// # Errors
/// Somebody else changed it, or the database failed.
pub(super) async fn store(
    tx: &DatabaseTransaction,
    before: &Payout,
    mut after: Payout,
    event: &Event<'_>,
    now: Instant,
) -> Result<Payout, PayoutError> {
    after.revision = before.revision + 1;
    let update = "UPDATE payouts SET status = ?, reason = ?, destination = ?, destination_digest = ?, request = ?, request_digest = ?, attempts = ?, \
                  provider = ?, provider_id = ?, counted_on = ?, released_by = ?, requested_at = ?, ended_at = ?, revision = ? \
                  WHERE id = ? AND revision = ?";
    let values = vec![
        after.state.name().into(),
        after.state.reason().into(),
        after.destination.as_deref().into(),
        after.destination_digest.as_deref().into(),
        after.request.as_deref().into(),
        after.request.as_deref().map(program::payout::request::body_digest).into(),
        after.attempts.into(),
        after.provider.as_deref().into(),
        after.provider_id.as_deref().into(),
        after.counted_on.map(|day| day.to_string()).into(),
        after.released_by.as_deref().into(),
        after.requested_at.map(|at| at.0).into(),
        after.ended_at.map(|at| at.0).into(),
        after.revision.into(),
        after.id.as_str().into(),
        before.revision.into(),
    ];
    if execute(tx, update, values).await? == 0 {
        return Err(PayoutError::Changed(after.id.to_string()));
    }
    if before.state != after.state {
        mdf::end::follow(tx, &after, now).await?;
    }
    postings::post(tx, before, &after, now).await?;
    tell(tx, Some(before), &after, event, now).await?;
    Ok(after)
}

/// Writes the event, and what moves money or contradicts itself into the audit log.
async fn tell(tx: &DatabaseTransaction, before: Option<&Payout>, after: &Payout, event: &Event<'_>, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO payout_events (payout, ordinal, at, source, word, ruling, status_before, status_after, reason, provider, provider_id, \
                  event, by_user) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let status_before = before.map(|before| before.state.name());
    let values = vec![
        after.id.as_str().into(),
        after.revision.into(),
        now.0.into(),
        event.source.name().into(),
        event.word.into(),
        event.ruling.into(),
        status_before.into(),
        after.state.name().into(),
        event.reason.into(),
        event.provider.into(),
        event.provider_id.into(),
        event.event.into(),
        event.by.into(),
    ];
    execute(tx, insert, values).await?;
    let has_moved = before.is_none_or(|before| before.state != after.state);
    if !has_moved && event.by.is_none() && event.ruling != "contradicted" {
        return Ok(());
    }
    let act = if event.ruling == "contradicted" { "payout.contradicted".to_owned() } else { format!("payout.{}", event.word) };
    let moves: Vec<&str> = before.map(|before| Move::between(&before.state, &after.state)).unwrap_or_default().iter().map(|one| one.name()).collect();
    let detail = json!({
        "reference": &*after.reference, "partner": &*after.partner, "program": &*after.program,
        "amount": after.currency.format_minor(after.amount_minor), "currency": after.currency.code(), "from": status_before,
        "to": after.state.name(), "reason": event.reason, "source": event.source.name(), "word": event.word,
        "destination_digest": after.destination_digest.as_deref(), "postings": moves,
    });
    audit::write(tx, &Act { by: event.by, act: &act, subject: &format!("payout/{}", after.id), detail }, now).await
}

/// What was last said or done of a payout, as it stands.
///
/// # Errors
/// The database failed.
pub(super) async fn last_word(tx: &DatabaseTransaction, payout: &Payout) -> Result<Option<String>, LoadError> {
    let query = "SELECT word FROM payout_events WHERE payout = ? AND ordinal = ?";
    first_row(tx, query, vec![payout.id.as_str().into(), payout.revision.into()]).await?.map(|row| row.string(0)).transpose()
}

/// The history of a payout, oldest first.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn history(tx: &DatabaseTransaction, id: &PayoutId) -> Result<Vec<Json>, LoadError> {
    let query = "SELECT at, source, word, ruling, status_after, reason, provider_id, by_user FROM payout_events WHERE payout = ? ORDER BY ordinal";
    let mut events = Vec::new();
    for row in rows(tx, query, vec![id.as_str().into()]).await? {
        events.push(json!({
            "at": row.instant(0)?.to_string(), "source": row.string(1)?, "word": row.string(2)?, "ruling": row.string(3)?, "status": row.string(4)?,
            "reason": row.string_or_null(5)?, "provider_id": row.string_or_null(6)?, "by": row.string_or_null(7)?,
        }));
    }
    Ok(events)
}

/// The date of an instant in a programme's zone.
///
/// # Errors
/// The programme is not recorded, or the database failed.
pub(super) async fn day_in(tx: &DatabaseTransaction, program: &str, now: Instant) -> Result<Date, LoadError> {
    let found = rows(tx, "SELECT timezone FROM programs WHERE id = ?", vec![program.into()]).await?;
    let name = found.first().ok_or_else(|| LoadError::NoProgram(program.to_owned()))?.string(0)?;
    let zone: chrono_tz::Tz = name.parse().map_err(|_| LoadError::Corrupt { value: name, what: "a time zone" })?;
    Ok(now.date_in(zone))
}
