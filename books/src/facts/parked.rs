//! Messages that wait: what for, tried again when that is there, by hand, or dropped by a person.

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

use super::receive::{ATTEMPTS_MAX, Alone, Became, Told, facts_in};
use super::{Fact, FactError, INVOICE_OF, PAYMENT, ROOM, Source, reasons};
use crate::audit::{self, Act};
use crate::connection::Books;
use crate::gate;
use crate::load::row::{LoadError, Row, execute, first_row, rows};
use crate::record::FactKind;
use crate::users::{self, ADMIN, FINANCE, OPS};

/// Messages of one listing at most.
const LISTED_MAX: u32 = 10_000;
/// Who may try again or drop.
const MAY: [&str; 3] = [OPS, FINANCE, ADMIN];

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// `SOURCE/EVENT`.
    pub id: String,
    /// Its type, in the sender's words.
    pub what: String,
    /// Why it waits.
    pub reason: String,
    /// What for; `None`: for a person.
    pub waits_for: Option<String>,
    /// How often it was tried again.
    pub tries: i64,
    /// When it came.
    pub received_at: Instant,
    /// The rows that it tells.
    pub rows: Vec<Json>,
}

impl Parked {
    /// The JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        json!({
            "id": self.id, "type": self.what, "reason": self.reason, "waits_for": self.waits_for, "tries": self.tries,
            "received_at": self.received_at.to_string(), "rows": self.rows,
        })
    }
}

/// Messages that wait, in the order in which they came.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn list(tx: &DatabaseTransaction) -> Result<Vec<Parked>, LoadError> {
    let query = format!(
        "SELECT source, event, what, reason, waits_for, waits_key, waits_key2, tries, received_at, facts FROM fact_events WHERE state = 'parked' \
         ORDER BY no LIMIT {LISTED_MAX}"
    );
    rows(tx, &query, vec![]).await?.iter().map(parked).collect()
}

/// How many messages wait.
///
/// # Errors
/// The database failed.
pub async fn count(tx: &DatabaseTransaction) -> Result<i64, LoadError> {
    first_row(tx, "SELECT COUNT(*) FROM fact_events WHERE state = 'parked'", vec![]).await?.map_or(Ok(0), |row| row.int(0))
}

fn parked(row: &Row) -> Result<Parked, LoadError> {
    let keys: Vec<String> = [row.string_or_null(5)?, row.string_or_null(6)?].into_iter().flatten().collect();
    let told = row.string_or_null(9)?.map(|text| facts_of(&text)).transpose()?.unwrap_or_default();
    Ok(Parked {
        id: format!("{}/{}", row.string(0)?, row.string(1)?),
        what: row.string(2)?,
        reason: row.string_or_null(3)?.unwrap_or_default(),
        waits_for: row.string_or_null(4)?.map(|what| format!("{what} {}", keys.join(" "))),
        tries: row.int(7)?,
        received_at: row.instant(8)?,
        rows: told.iter().map(|fact| serde_json::from_str(&fact.row).unwrap_or(Json::Null)).collect(),
    })
}

fn facts_of(text: &str) -> Result<Vec<Fact>, LoadError> {
    serde_json::from_str(text).map_err(|_| LoadError::Corrupt { value: text.chars().take(200).collect(), what: "facts of a parked message" })
}

/// Tries again, in the order in which they came, messages whose wait may be over, at most `limit`. How many are parked no longer.
///
/// # Idempotency
/// Each in a transaction of its own, with the change of its state: what is recorded is parked no more.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn retry_due(books: &Books, limit: u16, now: Instant) -> Result<usize, FactError> {
    let (mut tried, mut ended) = (0, 0);
    // What one records may be what the next waits for.
    while tried < limit {
        let due = due(books, limit - tried).await?;
        if due.is_empty() {
            break;
        }
        let mut failed = None;
        for no in due {
            tried += 1;
            match retry_alone(books, no, now).await {
                Ok(still) => ended += usize::from(still.is_none()),
                // The others need not wait for what is wrong with this one.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(ended)
}

async fn retry_alone(books: &Books, no: i64, now: Instant) -> Result<Option<String>, FactError> {
    let mut tried = 1;
    loop {
        let alone = Alone::begin(books).await?;
        let done = retry_in(&alone.tx, no, now).await;
        match alone.end(done).await {
            Err(error) if error.is_transient() && tried < ATTEMPTS_MAX => tried += 1,
            done => return done,
        }
    }
}

/// The messages for whom something has come.
async fn due(books: &Books, limit: u16) -> Result<Vec<i64>, FactError> {
    let tx = books.begin_read().await?;
    let found = due_in(&tx, limit).await;
    tx.rollback().await?;
    Ok(found?)
}

async fn due_in(tx: &DatabaseTransaction, limit: u16) -> Result<Vec<i64>, LoadError> {
    if first_row(tx, "SELECT 1 FROM fact_events WHERE state = 'parked' AND waits_for IS NOT NULL LIMIT 1", vec![]).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for row in rows(tx, &due_query(), vec![i64::from(limit).into()]).await? {
        found.push(row.int(0)?);
    }
    Ok(found)
}

/// That a message `g` waits for the refund of `f`: what wins a chargeback makes room for it, and they can come together only.
const WINS: &str = "g.state = 'parked' AND g.waits_for = 'refunds.id' AND f.subject = 'refunds/' || g.waits_key";
/// Of them at most.
const WINS_MAX: u32 = 20;

/// For each thing that can be waited for, the messages that wait for one that is there now.
fn due_query() -> String {
    let mut branches = vec![
        branch(INVOICE_OF, "SELECT 1 FROM invoice_payments t WHERE t.payment = f.waits_key OR t.payment = f.waits_key2"),
        branch(PAYMENT, "SELECT 1 FROM invoices t WHERE t.id = f.waits_key AND t.paid_at IS NOT NULL"),
        branch(ROOM, "SELECT 1 FROM refunds t WHERE t.invoice = f.waits_key AND t.seq > f.tried_seq"),
        // Whichever invoice it was of: voids are rare, and what is tried in vain waits on.
        branch(ROOM, "SELECT 1 FROM voids t WHERE t.kind = 'refunds' AND t.seq > f.tried_seq"),
        branch(ROOM, &format!("SELECT SUM(g.no) FROM fact_events g WHERE {WINS} HAVING SUM(g.no) <> f.tried_with")),
    ];
    for (what, table, fields) in FactKind::references() {
        let same: Vec<String> = fields.iter().zip(["waits_key", "waits_key2"]).map(|(field, key)| format!("t.{field} = f.{key}")).collect();
        branches.push(branch(&what, &format!("SELECT 1 FROM {table} t WHERE {}", same.join(" AND "))));
    }
    format!("SELECT d.no FROM ({}) d ORDER BY d.no LIMIT ?", branches.join(" UNION ALL "))
}

fn branch(what: &str, there: &str) -> String {
    format!("SELECT f.no FROM fact_events f WHERE f.state = 'parked' AND f.waits_for = '{what}' AND EXISTS ({there})")
}

/// A message as it is parked.
struct Waiting {
    no: i64,
    source: Source,
    event: String,
    kind: FactKind,
    facts: Vec<Fact>,
}

/// Tries a message again; why it still waits, if it does.
async fn retry_in(tx: &DatabaseTransaction, no: i64, now: Instant) -> Result<Option<String>, FactError> {
    let last_seq = gate::hold(tx).await?;
    let query = "SELECT no, source, event, kind, facts, reason FROM fact_events WHERE no = ? AND state = 'parked'";
    let Some(row) = first_row(tx, query, vec![no.into()]).await? else { return Ok(None) };
    let Some(waiting) = waiting(&row)? else { return Ok(row.string_or_null(5)?) };
    let mut became = record(tx, &waiting, &waiting.facts, now).await?;
    let (mut ended, mut tried_with) = (vec![no], 0);
    if matches!(&became, Became::Waits(Some(lacking), _) if lacking.what == ROOM) {
        let wins = wins(tx, no).await?;
        tried_with = wins.iter().map(|win| win.no).sum();
        let together: Vec<Fact> = waiting.facts.iter().chain(wins.iter().flat_map(|win| &win.facts)).cloned().collect();
        if !wins.is_empty()
            && let recorded @ Became::Recorded(_) = record(tx, &waiting, &together, now).await?
        {
            became = recorded;
            ended.extend(wins.iter().map(|win| win.no));
        }
    }
    match became {
        Became::Recorded(seq) => end(tx, &ended, "recorded", seq, now).await,
        Became::Nothing(_) => end(tx, &ended, "ignored", None, now).await,
        Became::Waits(lacking, reason) => {
            let key = |index: usize| lacking.as_ref().and_then(|lacking| lacking.keys.get(index).cloned());
            let update = "UPDATE fact_events SET reason = ?, waits_for = ?, waits_key = ?, waits_key2 = ?, tried_seq = ?, tried_with = ?, \
                          tries = tries + 1 WHERE no = ?";
            let what = lacking.as_ref().map(|lacking| lacking.what.as_str());
            let values = vec![reason.as_str().into(), what.into(), key(0).into(), key(1).into(), last_seq.into(), tried_with.into(), no.into()];
            execute(tx, update, values).await?;
            Ok(Some(reason))
        }
    }
}

/// A parked message; nothing where it is for a person alone.
fn waiting(row: &Row) -> Result<Option<Waiting>, LoadError> {
    let (Some(kind), Some(facts)) = (row.string_or_null(3)?, row.string_or_null(4)?) else { return Ok(None) };
    let kind = kind.parse().map_err(|_| LoadError::Corrupt { value: kind, what: "a kind of facts" })?;
    let source = if row.string(1)? == Source::Stripe.name() { Source::Stripe } else { Source::Facts };
    Ok(Some(Waiting { no: row.int(0)?, source, event: row.string(2)?, kind, facts: facts_of(&facts)? }))
}

/// What wins the chargeback of a message, and waits for it.
async fn wins(tx: &DatabaseTransaction, no: i64) -> Result<Vec<Waiting>, LoadError> {
    let query = format!(
        "SELECT g.no, g.source, g.event, g.kind, g.facts FROM fact_events f JOIN fact_events g ON {WINS} AND g.kind = 'refunds' WHERE f.no = ? \
         ORDER BY g.no LIMIT {WINS_MAX}"
    );
    let all = rows(tx, &query, vec![no.into()]).await?.iter().map(waiting).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

async fn record(tx: &DatabaseTransaction, waiting: &Waiting, facts: &[Fact], now: Instant) -> Result<Became, FactError> {
    match facts_in(tx, Told { source: waiting.source, event: &waiting.event, kind: waiting.kind, facts }, now).await {
        // Whoever told it has long had an answer: a person must look.
        Err(FactError::Refused(errors)) => Ok(Became::Waits(None, reasons(&errors))),
        other => other,
    }
}

async fn end(tx: &DatabaseTransaction, ended: &[i64], state: &str, seq: Option<i64>, now: Instant) -> Result<Option<String>, FactError> {
    for no in ended {
        let update = "UPDATE fact_events SET state = ?, seq = ?, ended_at = ?, tries = tries + 1 WHERE no = ?";
        execute(tx, update, vec![state.into(), seq.into(), now.0.into(), (*no).into()]).await?;
    }
    Ok(None)
}

/// Tries a message again for a person, whatever it waits for; why it still waits, if it does.
///
/// # Errors
/// The person may not, or nothing is parked under the id.
pub async fn retry(books: &Books, id: &str, by: &str, now: Instant) -> Result<Option<String>, FactError> {
    let alone = Alone::begin(books).await?;
    let done = retry_by(&alone.tx, id, by, now).await;
    alone.end(done).await
}

async fn retry_by(tx: &DatabaseTransaction, id: &str, by: &str, now: Instant) -> Result<Option<String>, FactError> {
    users::entitled(tx, by, &MAY).await?;
    let no = number(tx, id).await?;
    let still = retry_in(tx, no, now).await?;
    let detail = json!({ "still_waits": still });
    audit::write(tx, &Act { by: Some(by), act: "fact.retried", subject: &format!("fact/{id}"), detail }, now).await?;
    Ok(still)
}

/// Drops a message: it is never recorded.
///
/// # Errors
/// The person may not, the reason can't be taken, or nothing is parked under the id.
pub async fn drop_it(tx: &DatabaseTransaction, id: &str, by: &str, reason: &str, now: Instant) -> Result<(), FactError> {
    users::entitled(tx, by, &MAY).await?;
    users::checked("the reason", reason, users::TEXT_MAX)?;
    gate::hold(tx).await?;
    let no = number(tx, id).await?;
    let update = "UPDATE fact_events SET state = 'dropped', dropped_by = ?, dropped_reason = ?, ended_at = ? WHERE no = ? AND state = 'parked'";
    execute(tx, update, vec![by.into(), reason.into(), now.0.into(), no.into()]).await?;
    let detail = json!({ "reason": reason });
    audit::write(tx, &Act { by: Some(by), act: "fact.dropped", subject: &format!("fact/{id}"), detail }, now).await?;
    Ok(())
}

async fn number(tx: &DatabaseTransaction, id: &str) -> Result<i64, FactError> {
    let unknown = || FactError::NotParked(id.chars().take(200).collect());
    let (source, event) = id.split_once('/').ok_or_else(unknown)?;
    let query = "SELECT no FROM fact_events WHERE source = ? AND event = ? AND state = 'parked'";
    let row = first_row(tx, query, vec![source.into(), event.into()]).await?.ok_or_else(unknown)?;
    Ok(row.int(0)?)
}
