//! Where partners' money goes: added by one person, approved by another, usable after a cooling-off time (reliability.md §3.5).

use program::calendar::Instant;
use program::money::Currency;
use program::payout::Destination;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

use super::PayoutError;
use crate::audit::{self, Act};
use crate::load::row::{LoadError, Row, execute, first_row, rows};
use crate::mdf::restart::{self, BegunAnew};
use crate::users::{self, FINANCE, OPS, PARTNER, PersonError};

/// A destination as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: String,
    /// Whose.
    pub partner: String,
    /// In which currency.
    pub currency: Currency,
    /// Name and account.
    pub destination: Destination,
    /// Who added it.
    pub added_by: String,
    /// When.
    pub added_at: Instant,
    /// Who approved it, when, and from when on money may go there.
    pub approved: Option<(String, Instant, Instant)>,
    /// Since when another one is in its place.
    pub superseded_at: Option<Instant>,
}

/// A destination in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usable {
    /// Its id.
    pub id: String,
    /// Name and account.
    pub destination: Destination,
    /// From when on money may go there, as recorded.
    pub from: Instant,
    /// When it was approved.
    pub approved_at: Instant,
}

impl Usable {
    /// From when on money may go there where the cooling-off time is at least so many microseconds.
    #[must_use]
    pub fn free_at(&self, cooling_off_us: i64) -> Instant {
        Instant(self.from.0.max(self.approved_at.0.saturating_add(cooling_off_us)))
    }
}

impl Recorded {
    /// `waiting`, `approved` or `superseded`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match (&self.approved, self.superseded_at) {
            (_, Some(_)) => "superseded",
            (Some(_), None) => "approved",
            (None, None) => "waiting",
        }
    }

    /// Its JSON; of the account its end and its digest alone.
    #[must_use]
    pub fn json(&self) -> Json {
        let approved = self.approved.as_ref();
        json!({
            "id": self.id, "partner": self.partner, "currency": self.currency.code(), "name": self.destination.name(),
            "account": self.destination.masked(), "digest": self.destination.digest(), "status": self.status(), "added_by": self.added_by,
            "added_at": self.added_at.to_string(), "approved_by": approved.map(|(by, ..)| by), "approved_at": approved.map(|(_, at, _)| at.to_string()),
            "usable_from": approved.map(|(.., from)| from.to_string()), "superseded_at": self.superseded_at.map(|at| at.to_string()),
        })
    }
}

const COLUMNS: &str = "id, partner, currency, account, digest, added_by, added_at, approved_by, approved_at, usable_from, superseded_at";

fn read(row: &Row) -> Result<Recorded, LoadError> {
    let (id, account) = (row.string(0)?, row.string(3)?);
    // The text is an account's: an error must not show it.
    let destination = Destination::from_canonical(&account).filter(|one| row.string(4).is_ok_and(|digest| digest == one.digest()));
    let destination = destination.ok_or(LoadError::Corrupt { value: id.clone(), what: "a destination that fits its digest" })?;
    let approved = row.string_or_null(7)?.zip(row.int_or_null(8)?.map(Instant)).zip(row.int_or_null(9)?.map(Instant));
    Ok(Recorded {
        id,
        partner: row.string(1)?,
        currency: row.currency(2)?,
        destination,
        added_by: row.string(5)?,
        added_at: row.instant(6)?,
        approved: approved.map(|((by, at), from)| (by, at, from)),
        superseded_at: row.int_or_null(10)?.map(Instant),
    })
}

/// Names under which a destination is added.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// Its id, the caller's.
    pub id: &'a str,
    /// Whose.
    pub partner: &'a str,
    /// In which currency.
    pub currency: Currency,
    /// Name and account.
    pub destination: &'a Destination,
}

/// Adds a destination, which waits for another person. One that waited before it for the same partner and currency waits no longer; the
/// one in force stays so.
///
/// # Idempotency
/// The id. The same account added again by the same person while it waits gives the one that waits.
///
/// # Errors
/// The person may not, the partner is not recorded, or the id is taken.
pub async fn add(tx: &DatabaseTransaction, new: New<'_>, by: &str, now: Instant) -> Result<Recorded, PayoutError> {
    let person = users::entitled(tx, by, &[FINANCE, OPS, PARTNER]).await?;
    let is_own = person.partner.as_deref() == Some(new.partner);
    if !is_own && !person.has(FINANCE) && !person.has(OPS) {
        return Err(PersonError::NotEntitled { id: person.id, needed: format!("{FINANCE} or {OPS}, or to belong to {}", new.partner) }.into());
    }
    users::checked("the destination's id", new.id, 128)?;
    lock_partner(tx, new.partner).await?;
    if let Some(waiting) = waiting(tx, new.partner, new.currency).await? {
        if waiting.destination == *new.destination && waiting.added_by == by {
            return Ok(waiting);
        }
        supersede(tx, &waiting.id, now).await?;
    }
    let insert = "INSERT INTO payout_destinations (id, partner, currency, account, digest, added_by, added_at) VALUES (?, ?, ?, ?, ?, ?, ?) \
                  ON CONFLICT DO NOTHING";
    let digest = new.destination.digest();
    let values = vec![
        new.id.into(),
        new.partner.into(),
        new.currency.code().into(),
        new.destination.canonical().into(),
        digest.as_str().into(),
        by.into(),
        now.0.into(),
    ];
    if execute(tx, insert, values).await? == 0 {
        return Err(PayoutError::DestinationTaken(new.id.to_owned()));
    }
    tell(tx, by, "destination.added", &find(tx, new.id).await?, now).await?;
    find(tx, new.id).await
}

/// An approved destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The destination.
    pub recorded: Recorded,
    /// The one that was in force before: the partner is told at its old contact.
    pub before: Option<Recorded>,
    /// Whether this call approved it, so that the notice is sent once.
    pub is_new: bool,
    /// Claims whose approvals were about another destination and begin anew: their runs are to be told.
    pub begun_anew: Vec<BegunAnew>,
}

/// Approves a destination: money goes there after the cooling-off time, and no longer to the one in force before. The approvals of claims
/// that wait, or are not debited yet, were about the one before: they begin anew (domain.md §6.5).
///
/// # Units
/// `cooling_off_us`: microseconds.
///
/// # Idempotency
/// The id: the first approval stands.
///
/// # Errors
/// The person may not (finance, not who added it, not of the partner), or it does not wait.
pub async fn approve(tx: &DatabaseTransaction, id: &str, by: &str, cooling_off_us: i64, now: Instant) -> Result<Approved, PayoutError> {
    let found = find(tx, id).await?;
    lock_partner(tx, &found.partner).await?;
    let found = find(tx, id).await?;
    users::entitled_for(tx, by, &[FINANCE], &found.partner).await?;
    if found.superseded_at.is_some() {
        return Err(PayoutError::NotWaiting { id: id.into(), why: "another one is in its place" });
    }
    if found.approved.is_some() {
        return Ok(Approved { recorded: found, before: None, is_new: false, begun_anew: Vec::new() });
    }
    if found.added_by == by {
        return Err(PayoutError::SamePerson { id: id.into(), by: by.into() });
    }
    let before = approved(tx, &found.partner, found.currency).await?;
    if let Some(before) = &before {
        supersede(tx, &before.id, now).await?;
    }
    let from = now.0.saturating_add(cooling_off_us.max(0));
    let update = "UPDATE payout_destinations SET approved_by = ?, approved_at = ?, usable_from = ? WHERE id = ?";
    execute(tx, update, vec![by.into(), now.0.into(), from.into(), id.into()]).await?;
    let recorded = find(tx, id).await?;
    tell(tx, by, "destination.approved", &recorded, now).await?;
    let begun_anew = restart::destination_changed(tx, &recorded.partner, recorded.currency, now).await?;
    Ok(Approved { recorded, before, is_new: true, begun_anew })
}

/// Changes of one partner's destinations come one after the other.
async fn lock_partner(tx: &DatabaseTransaction, partner: &str) -> Result<(), PayoutError> {
    if execute(tx, "UPDATE partners SET filled = filled WHERE id = ?", vec![partner.into()]).await? == 0 {
        return Err(PersonError::NoPartner(partner.to_owned()).into());
    }
    Ok(())
}

async fn supersede(tx: &DatabaseTransaction, id: &str, now: Instant) -> Result<(), LoadError> {
    execute(tx, "UPDATE payout_destinations SET superseded_at = ? WHERE id = ?", vec![now.0.into(), id.into()]).await?;
    Ok(())
}

async fn tell(tx: &DatabaseTransaction, by: &str, act: &str, found: &Recorded, now: Instant) -> Result<(), LoadError> {
    let detail = json!({ "partner": found.partner, "currency": found.currency.code(), "digest": found.destination.digest() });
    audit::write(tx, &Act { by: Some(by), act, subject: &format!("destination/{}", found.id), detail }, now).await
}

/// A destination.
///
/// # Errors
/// [`PayoutError::NoDestination`], or the database failed.
pub async fn find(tx: &DatabaseTransaction, id: &str) -> Result<Recorded, PayoutError> {
    let row = first_row(tx, &format!("SELECT {COLUMNS} FROM payout_destinations WHERE id = ?"), vec![id.into()]).await?;
    let row = row.ok_or_else(|| PayoutError::NoDestination(id.chars().take(60).collect()))?;
    Ok(read(&row)?)
}

/// All destinations, by partner, currency and time.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn list(tx: &DatabaseTransaction) -> Result<Vec<Recorded>, LoadError> {
    let query = format!("SELECT {COLUMNS} FROM payout_destinations ORDER BY partner, currency, added_at, id");
    rows(tx, &query, vec![]).await?.iter().map(read).collect()
}

/// A partner's destination of a digest, the latest added.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_digest(tx: &DatabaseTransaction, partner: &str, currency: Currency, digest: &str) -> Result<Option<Recorded>, LoadError> {
    let query =
        format!("SELECT {COLUMNS} FROM payout_destinations WHERE partner = ? AND currency = ? AND digest = ? ORDER BY added_at DESC, id LIMIT 1");
    first_row(tx, &query, vec![partner.into(), currency.code().into(), digest.into()]).await?.as_ref().map(read).transpose()
}

async fn waiting(tx: &DatabaseTransaction, partner: &str, currency: Currency) -> Result<Option<Recorded>, LoadError> {
    let query =
        format!("SELECT {COLUMNS} FROM payout_destinations WHERE partner = ? AND currency = ? AND approved_at IS NULL AND superseded_at IS NULL");
    first_row(tx, &query, vec![partner.into(), currency.code().into()]).await?.as_ref().map(read).transpose()
}

async fn approved(tx: &DatabaseTransaction, partner: &str, currency: Currency) -> Result<Option<Recorded>, LoadError> {
    let query =
        format!("SELECT {COLUMNS} FROM payout_destinations WHERE partner = ? AND currency = ? AND approved_at IS NOT NULL AND superseded_at IS NULL");
    first_row(tx, &query, vec![partner.into(), currency.code().into()]).await?.as_ref().map(read).transpose()
}

/// The destination of a partner in a currency, cooling off or not.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn in_force(tx: &DatabaseTransaction, partner: &str, currency: Currency) -> Result<Option<Usable>, LoadError> {
    let found = approved(tx, partner, currency).await?;
    Ok(found
        .and_then(|found| found.approved.map(|(_, approved_at, from)| Usable { id: found.id, destination: found.destination, from, approved_at })))
}
