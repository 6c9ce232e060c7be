//! Takes a message: its mark and what it says in one transaction.

use program::calendar::Instant;
use sea_orm::{DatabaseConnection, DatabaseTransaction};
use serde_json::Value as Json;

use super::line::{Line, lines, undone, voided};
use super::{Answer, Fact, FactError, Message, ORIGIN, PARKED_MAX, Says, Source, reasons};
use crate::connection::{Books, begin_write};
use crate::gate;
use crate::load::row::{LoadError, execute, first_row};
use crate::record::within::{Few, Outcome, record_within};
use crate::record::{FactKind, Lacking};
use crate::users;

/// How often a transaction is tried where others stand in its way.
pub(super) const ATTEMPTS_MAX: usize = 4;
/// What the subject of a parked refund begins with, before its id.
pub(super) const REFUND: &str = "refunds/";
/// Bytes of an id at most, and of a type.
const ID_MAX: usize = 256;

/// Takes a message and records what it says. What waits for something is parked, visible, for [`super::parked::retry_due`].
///
/// # Idempotency
/// (source, event): a repeat changes nothing and is answered as the first time; one with another body is refused, but for Stripe's, where the
/// first one stands and the difference is logged.
///
/// # Errors
/// [`FactError`]; nothing is changed then.
pub async fn receive(books: &Books, message: &Message, now: Instant) -> Result<Answer, FactError> {
    let mut tried = 1;
    loop {
        let alone = Alone::begin(books).await?;
        let done = receive_in(&alone.tx, message, now).await;
        match alone.end(done).await {
            Err(error) if error.is_transient() && tried < ATTEMPTS_MAX => tried += 1,
            done => return done,
        }
    }
}

/// A transaction on a connection of its own, which the tables need in which facts are checked.
pub(super) struct Alone {
    db: DatabaseConnection,
    pub(super) tx: DatabaseTransaction,
}

impl Alone {
    pub(super) async fn begin(books: &Books) -> Result<Self, FactError> {
        let db = books.private().await?;
        let tx = begin_write(&db).await?;
        Ok(Self { db, tx })
    }

    /// Commits what went well and rolls back what did not.
    pub(super) async fn end<T>(self, done: Result<T, FactError>) -> Result<T, FactError> {
        let done = match done {
            Ok(done) => self.tx.commit().await.map(|()| done).map_err(FactError::from),
            Err(error) => {
                // It may have ended by itself; that it can't be rolled back would say nothing new.
                let _ = self.tx.rollback().await;
                Err(error)
            }
        };
        // What was committed stays so, and what failed says why, however the connection ends.
        let _ = self.db.close().await;
        done
    }
}

/// What became of what a message says.
#[derive(Debug)]
pub(super) enum Became {
    /// Recorded, under the number where it changed anything.
    Recorded(Option<i64>),
    /// There is nothing to record, and perhaps why.
    Nothing(Option<String>),
    /// Not yet, or not without a person.
    Waits(Option<Lacking>, String),
}

async fn receive_in(tx: &DatabaseTransaction, message: &Message, now: Instant) -> Result<Answer, FactError> {
    users::checked("the message's id", &message.event, ID_MAX)?;
    users::checked("the message's type", &message.what, ID_MAX)?;
    for name in message.payments.iter().flat_map(|(payment, invoice)| [payment, invoice]).chain(named(&message.says)) {
        users::checked("an id", name, ID_MAX)?;
    }
    let last_seq = gate::hold(tx).await?;
    if let Some(answer) = first_answer(tx, message).await? {
        return Ok(answer);
    }
    for (payment, invoice) in &message.payments {
        let insert = "INSERT INTO invoice_payments (payment, invoice, learnt_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        execute(tx, insert, vec![payment.as_str().into(), invoice.as_str().into(), now.0.into()]).await?;
    }
    let became = says(tx, message, now).await?;
    if matches!(became, Became::Waits(..)) && parked_count(tx).await? >= PARKED_MAX {
        return Err(FactError::Full);
    }
    mark(tx, message, &became, last_seq, now).await
}

/// The ids that a message names beside its rows.
fn named(says: &Says) -> Vec<&String> {
    match says {
        Says::Nothing | Says::Unclear(_) => Vec::new(),
        Says::Undone { refund } => vec![refund],
        Says::Facts { facts, .. } => {
            facts.iter().filter_map(|fact| fact.money.as_ref()).flat_map(|money| money.payments.iter().chain(&money.invoice)).collect()
        }
    }
}

/// How a message was answered that came before.
async fn first_answer(tx: &DatabaseTransaction, message: &Message) -> Result<Option<Answer>, FactError> {
    let query = "SELECT answer, body_digest FROM fact_events WHERE source = ? AND event = ?";
    let Some(row) = first_row(tx, query, vec![message.source.name().into(), message.event.as_str().into()]).await? else { return Ok(None) };
    if row.string(1)? != message.body_digest {
        match message.source {
            Source::Facts => return Err(FactError::OtherBody(message.event.clone())),
            // An event of Stripe's never changes under its id: refused, it would come again for days, and the endpoint be shut in the end.
            Source::Stripe => tracing::warn!(id = message.event, what = message.what, "facts.repeated_otherwise"),
        }
    }
    Ok(Some(Answer::named(&row.string(0)?)?))
}

async fn parked_count(tx: &DatabaseTransaction) -> Result<i64, LoadError> {
    let row = first_row(tx, "SELECT COUNT(*) FROM fact_events WHERE state = 'parked'", vec![]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

async fn says(tx: &DatabaseTransaction, message: &Message, now: Instant) -> Result<Became, FactError> {
    match &message.says {
        Says::Nothing if message.payments.is_empty() => Ok(Became::Nothing(None)),
        Says::Nothing => Ok(Became::Recorded(None)),
        Says::Unclear(reason) => Ok(Became::Waits(None, reason.clone())),
        Says::Undone { refund } => {
            let known = first_row(tx, "SELECT 1 FROM refunds WHERE id = ?", vec![refund.as_str().into()]).await?;
            Ok(match known {
                Some(_) => {
                    Became::Waits(None, format!("refund {refund:?} is recorded and did not happen after all: void it, or adjust, then drop this"))
                }
                None => Became::Nothing(Some(format!("refund {refund:?} did not happen after all"))),
            })
        }
        Says::Facts { kind, facts } => facts_in(tx, Told { source: message.source, event: &message.event, kind: *kind, facts }, now).await,
    }
}

/// Facts of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) source: Source,
    pub(super) event: &'a str,
    pub(super) kind: FactKind,
    pub(super) facts: &'a [Fact],
}

/// Records what can be recorded.
///
/// # Errors
/// [`FactError::Refused`] where who told it can put it right.
pub(super) async fn facts_in(tx: &DatabaseTransaction, told: Told<'_>, now: Instant) -> Result<Became, FactError> {
    let text = match lines(tx, told.facts).await? {
        Line::Row(text) => text,
        Line::Nothing => return Ok(Became::Nothing(Some("nothing of it concerns an invoice's subtotal, or it was undone".into()))),
        Line::Waits(lacking, reason) => return Ok(Became::Waits(Some(lacking), reason)),
        Line::Wrong(reason) => return Ok(Became::Waits(None, reason)),
    };
    if told.source == Source::Stripe
        && let Some(reason) = voided(tx, told.kind, &text).await?
    {
        return Ok(Became::Waits(None, reason));
    }
    let origin = format!("{ORIGIN}{}/{}", told.source.name(), told.event);
    match record_within(tx, Few { kind: told.kind, lines: &text, origin: &origin }, now).await? {
        Outcome::Recorded(seq) => Ok(Became::Recorded(seq)),
        Outcome::Refused(errors, Some(lacking)) => Ok(Became::Waits(Some(lacking), reasons(&errors))),
        // Stripe can't put it right; a person can, here.
        Outcome::Refused(errors, None) if told.source == Source::Stripe => Ok(Became::Waits(None, reasons(&errors))),
        Outcome::Refused(errors, None) => Err(FactError::Refused(errors)),
    }
}

/// What a parked refund is known by to those that name it.
fn subject_of(facts: &[Fact]) -> String {
    let row = facts.first().and_then(|fact| serde_json::from_str::<Json>(&fact.row).ok());
    let id = row.as_ref().and_then(|row| row.get("id")).and_then(Json::as_str).filter(|id| users::checked("the id", id, ID_MAX).is_ok());
    id.map(|id| format!("{REFUND}{id}")).unwrap_or_default()
}

/// Marks that a message came, and what became of it.
async fn mark(tx: &DatabaseTransaction, message: &Message, became: &Became, last_seq: i64, now: Instant) -> Result<Answer, FactError> {
    let (answer, reason, lacking, seq) = match became {
        Became::Recorded(seq) => (Answer::Recorded, None, None, *seq),
        Became::Nothing(reason) => (Answer::Ignored, reason.clone(), None, None),
        Became::Waits(lacking, reason) => (Answer::Parked, Some(reason.clone()), lacking.as_ref(), None),
    };
    let is_parked = answer == Answer::Parked;
    let told = match &message.says {
        Says::Facts { kind, facts } if is_parked => Some((kind.name(), serde_json::to_string(facts).unwrap_or_default())),
        Says::Facts { .. } | Says::Nothing | Says::Undone { .. } | Says::Unclear(_) => None,
    };
    let subject = match &message.says {
        Says::Undone { refund } => undone(refund),
        Says::Facts { kind: FactKind::Refunds, facts } if is_parked => subject_of(facts),
        Says::Facts { .. } | Says::Nothing | Says::Unclear(_) => String::new(),
    };
    let key = |index: usize| lacking.and_then(|lacking| lacking.keys.get(index).cloned());
    let insert = "INSERT INTO fact_events (source, event, what, body_digest, subject, state, answer, kind, facts, reason, waits_for, waits_key, waits_key2, \
                  tried_seq, seq, received_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values = vec![
        message.source.name().into(),
        message.event.as_str().into(),
        message.what.as_str().into(),
        message.body_digest.as_str().into(),
        subject.into(),
        answer.name().into(),
        answer.name().into(),
        told.as_ref().map(|(kind, _)| *kind).into(),
        told.as_ref().map(|(_, facts)| facts.as_str()).into(),
        reason.into(),
        lacking.map(|lacking| lacking.what.as_str()).into(),
        key(0).into(),
        key(1).into(),
        is_parked.then_some(last_seq).into(),
        seq.into(),
        now.0.into(),
        (!is_parked).then_some(now.0).into(),
    ];
    execute(tx, insert, values).await?;
    Ok(answer)
}
