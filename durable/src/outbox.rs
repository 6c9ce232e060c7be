//! Messages that leave after the commit of what they tell. They are put with it, claimed under a lease, and sent by the product.

use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect};
use serde::Serialize;
use serde_json::Value;

use crate::clock::Instant;
use crate::entities::message;
use crate::ids;
use crate::json::{self, JsonError, NAME_BYTES_MAX, bounded};
use crate::sql;

/// The most messages that one listing returns.
pub const LIST_MAX: u64 = 1_000;

/// What can't be done with a message.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// A topic or key is empty or too long.
    #[error("the outbox's {what} {value:?} must have 1 to {NAME_BYTES_MAX} bytes")]
    Name {
        /// What it is.
        what: &'static str,
        /// Its beginning.
        value: String,
    },
    /// The body does not fit.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The key was used for another body.
    #[error("the outbox has a message {key:?} of topic {topic:?} with another body")]
    OtherBody {
        /// The topic.
        topic: String,
        /// The key.
        key: String,
    },
    /// The message is not held under this epoch, or not in a state that allows it.
    #[error("message {0} is held by somebody else, or has gone another way")]
    NotHeld(String),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
}

/// A message to send. Whoever holds it sends it with `id` as its lasting identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `msg_…`: the same on every attempt.
    pub id: String,
    /// Who sends it.
    pub topic: String,
    /// Unique in its topic.
    pub key: String,
    /// What is to be sent.
    pub body: Value,
    /// Which attempt this is.
    pub attempt: i64,
    /// What each word about it compares.
    pub epoch: i64,
    /// When it was put.
    pub created_at: Instant,
}

/// Puts a message and returns its id.
///
/// # Errors
/// [`OutboxError::Name`], [`OutboxError::Json`], [`OutboxError::OtherBody`], [`OutboxError::Database`].
///
/// # Idempotency
/// By (topic, key): a repeat with the same body returns the message that is there.
pub async fn put<T: Serialize + Sync>(tx: &DatabaseTransaction, topic: &str, key: &str, body: &T, now: Instant) -> Result<String, OutboxError> {
    for (what, value) in [("topic", topic), ("key", key)] {
        if value.is_empty() || value.len() > NAME_BYTES_MAX {
            return Err(OutboxError::Name { what, value: value.chars().take(40).collect() });
        }
    }
    let body = json::write("the message's body", body)?;
    let id = ids::prefixed("msg_", now);
    let insert = "INSERT INTO outbox (id, topic, key, body, status, next_at, created_at) VALUES (?, ?, ?, ?, 'pending', ?, ?) \
                  ON CONFLICT (topic, key) DO NOTHING";
    let values = [id.as_str().into(), topic.into(), key.into(), body.as_str().into(), now.0.into(), now.0.into()];
    if sql::execute(tx, insert, values).await? == 1 {
        return Ok(id);
    }
    let there = sql::row(tx, "SELECT id, body FROM outbox WHERE topic = ? AND key = ?", [topic.into(), key.into()]).await?;
    let there = there.ok_or_else(|| OutboxError::NotHeld(key.to_owned()))?;
    if there.try_get_by_index::<String>(1)? != body {
        return Err(OutboxError::OtherBody { topic: topic.to_owned(), key: key.to_owned() });
    }
    Ok(there.try_get_by_index(0)?)
}

/// Takes messages of a topic that are due, or whose sender has gone silent past its lease; the attempt is counted by this. One that was
/// taken `attempts_max` times already is parked instead.
///
/// # Errors
/// [`OutboxError::Json`], [`OutboxError::Database`].
pub async fn claim(
    tx: &DatabaseTransaction,
    topic: &str,
    owner: &str,
    lease: Duration,
    attempts_max: u32,
    most: u32,
    now: Instant,
) -> Result<Vec<Message>, OutboxError> {
    let postgres = tx.get_database_backend() == DbBackend::Postgres;
    let clock = clock(tx.get_database_backend(), now);
    let lock = if postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let exhausted = format!(
        "UPDATE outbox SET status = 'parked', owner = NULL, lease_until = NULL, ended_at = ?, \
         error = COALESCE(error, 'its sender ended each time before it had an answer') \
         WHERE topic = ? AND status = 'sending' AND lease_until < {clock} AND attempts >= ?"
    );
    sql::execute(tx, &exhausted, [now.0.into(), topic.into(), i64::from(attempts_max).into()]).await?;
    let take = format!(
        "WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE topic = ? AND ((status = 'pending' AND next_at <= ?) \
             OR (status = 'sending' AND lease_until < {clock})) ORDER BY id LIMIT ?{lock}) \
         UPDATE outbox SET status = 'sending', owner = ?, lease_until = {clock} + ?, epoch = epoch + 1, attempts = attempts + 1, next_at = NULL \
         WHERE id IN (SELECT id FROM due) RETURNING id, topic, key, body, attempts, epoch, created_at"
    );
    let lease = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 2);
    let values = [topic.into(), now.0.into(), i64::from(most).into(), owner.into(), lease.into()];
    let mut taken = sql::rows(tx, &take, values).await?.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    taken.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(taken)
}

/// Gives back at once what a process of the same name held when it ended, and says how much that was: the other words of that process
/// are refused from here on. What was taken `attempts_max` times already is parked instead.
///
/// # Errors
/// [`OutboxError::Database`].
///
/// # Idempotency
/// Only what the owner holds is given back. Called by a new process, before it takes anything itself.
pub async fn take_over(tx: &DatabaseTransaction, topic: &str, owner: &str, attempts_max: u32, now: Instant) -> Result<u64, OutboxError> {
    let exhausted = "UPDATE outbox SET status = 'parked', owner = NULL, lease_until = NULL, ended_at = ?, epoch = epoch + 1, \
                     error = COALESCE(error, 'its sender ended each time before it had an answer') \
                     WHERE topic = ? AND status = 'sending' AND owner = ? AND attempts >= ?";
    sql::execute(tx, exhausted, [now.0.into(), topic.into(), owner.into(), i64::from(attempts_max).into()]).await?;
    let give_back = "UPDATE outbox SET status = 'pending', owner = NULL, lease_until = NULL, next_at = ?, epoch = epoch + 1 \
                     WHERE topic = ? AND status = 'sending' AND owner = ?";
    Ok(sql::execute(tx, give_back, [now.0.into(), topic.into(), owner.into()]).await?)
}

fn message(row: &QueryResult) -> Result<Message, OutboxError> {
    let body: String = row.try_get_by_index(3)?;
    Ok(Message {
        id: row.try_get_by_index(0)?,
        topic: row.try_get_by_index(1)?,
        key: row.try_get_by_index(2)?,
        body: json::read("the message's body", &body)?,
        attempt: row.try_get_by_index(4)?,
        epoch: row.try_get_by_index(5)?,
        created_at: Instant(row.try_get_by_index(6)?),
    })
}

/// Whether the message is still its sender's to send: asked directly before it leaves, for a process that was stopped in between goes on
/// where it stood.
///
/// # Errors
/// The database failed.
pub async fn is_held<C: ConnectionTrait>(db: &C, message: &Message, now: Instant) -> Result<bool, DbErr> {
    let clock = clock(db.get_database_backend(), now);
    let query = format!("SELECT 1 FROM outbox WHERE id = ? AND epoch = ? AND status = 'sending' AND lease_until >= {clock}");
    Ok(sql::row(db, &query, [message.id.as_str().into(), message.epoch.into()]).await?.is_some())
}

/// Leases are by the database's clock on PostgreSQL, by the caller's on SQLite.
fn clock(backend: DbBackend, now: Instant) -> String {
    if backend == DbBackend::Postgres { "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)".to_owned() } else { now.0.to_string() }
}

/// The message has left.
///
/// # Errors
/// [`OutboxError::NotHeld`], [`OutboxError::Database`].
pub async fn sent(tx: &DatabaseTransaction, message: &Message, now: Instant) -> Result<(), OutboxError> {
    word(tx, message, "sent", None, None, Some(now)).await
}

/// It is tried again later.
///
/// # Errors
/// [`OutboxError::NotHeld`], [`OutboxError::Database`].
pub async fn retry_later(tx: &DatabaseTransaction, message: &Message, error: &str, next_at: Instant) -> Result<(), OutboxError> {
    word(tx, message, "pending", Some(error), Some(next_at), None).await
}

/// Somebody has to look at it.
///
/// # Errors
/// [`OutboxError::NotHeld`], [`OutboxError::Database`].
pub async fn park(tx: &DatabaseTransaction, message: &Message, error: &str, now: Instant) -> Result<(), OutboxError> {
    word(tx, message, "parked", Some(error), None, Some(now)).await
}

/// The other side has refused it for good.
///
/// # Errors
/// [`OutboxError::NotHeld`], [`OutboxError::Database`].
pub async fn bounced(tx: &DatabaseTransaction, message: &Message, error: &str, now: Instant) -> Result<(), OutboxError> {
    word(tx, message, "bounced", Some(error), None, Some(now)).await
}

/// A message that had left came back later.
///
/// # Errors
/// [`OutboxError::NotHeld`]: it has not left; [`OutboxError::Database`].
pub async fn came_back(tx: &DatabaseTransaction, id: &str, error: &str, now: Instant) -> Result<(), OutboxError> {
    let text = "UPDATE outbox SET status = 'bounced', error = ?, ended_at = ? WHERE id = ? AND status IN ('sent', 'bounced')";
    one(sql::execute(tx, text, [bounded(error).into(), now.0.into(), id.into()]).await?, id)
}

/// An operator lets a parked or bounced message be tried again, its attempts beginning anew.
///
/// # Errors
/// [`OutboxError::NotHeld`]: it is neither parked nor bounced; [`OutboxError::Database`].
pub async fn again(tx: &DatabaseTransaction, id: &str, now: Instant) -> Result<(), OutboxError> {
    let text = "UPDATE outbox SET status = 'pending', attempts = 0, next_at = ?, ended_at = NULL, epoch = epoch + 1 \
                WHERE id = ? AND status IN ('parked', 'bounced')";
    one(sql::execute(tx, text, [now.0.into(), id.into()]).await?, id)
}

async fn word(
    tx: &DatabaseTransaction,
    message: &Message,
    status: &str,
    error: Option<&str>,
    next_at: Option<Instant>,
    ended_at: Option<Instant>,
) -> Result<(), OutboxError> {
    let text = "UPDATE outbox SET status = ?, owner = NULL, lease_until = NULL, error = ?, next_at = ?, ended_at = ? \
                WHERE id = ? AND epoch = ? AND status = 'sending'";
    let values = [
        status.into(),
        error.map(bounded).into(),
        next_at.map(|at| at.0).into(),
        ended_at.map(|at| at.0).into(),
        message.id.as_str().into(),
        message.epoch.into(),
    ];
    one(sql::execute(tx, text, values).await?, &message.id)
}

fn one(changed: u64, id: &str) -> Result<(), OutboxError> {
    if changed == 1 { Ok(()) } else { Err(OutboxError::NotHeld(id.to_owned())) }
}

/// A message, if there is one of the id.
///
/// # Errors
/// [`OutboxError::Database`].
pub async fn find<C: ConnectionTrait>(db: &C, id: &str) -> Result<Option<message::Model>, OutboxError> {
    Ok(message::Entity::find_by_id(id).one(db).await?)
}

/// The messages of a status, oldest first, after an id.
///
/// # Errors
/// [`OutboxError::Database`].
pub async fn list<C: ConnectionTrait>(db: &C, status: Option<&str>, after: Option<&str>, limit: u64) -> Result<Vec<message::Model>, OutboxError> {
    let mut query = message::Entity::find().order_by_asc(message::Column::Id).limit(limit.min(LIST_MAX));
    if let Some(status) = status {
        query = query.filter(message::Column::Status.eq(status));
    }
    if let Some(after) = after {
        query = query.filter(message::Column::Id.gt(after));
    }
    Ok(query.all(db).await?)
}

/// How many messages were parked and how many have bounced. It reads the whole outbox: ask seldom.
///
/// # Errors
/// The database failed.
pub async fn given_up<C: ConnectionTrait>(db: &C) -> Result<[(&'static str, i64); 2], DbErr> {
    let mut counts = [("parked", 0), ("bounced", 0)];
    let query = "SELECT status, COUNT(*) FROM outbox WHERE status IN ('parked', 'bounced') GROUP BY status";
    for row in sql::rows(db, query, []).await? {
        let (status, count): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        counts.iter_mut().filter(|(known, _)| *known == status).for_each(|(_, known)| *known = count);
    }
    Ok(counts)
}

/// Whether a message of a topic may be due: one that is pending, or whose sender may have gone silent. Takes no lock, and reads nothing
/// of what was sent.
///
/// # Errors
/// The database failed.
pub async fn is_due<C: ConnectionTrait>(db: &C, topic: &str, now: Instant) -> Result<bool, DbErr> {
    Ok(sql::row(db, IS_DUE, [topic.into(), now.0.into(), topic.into()]).await?.is_some())
}

/// In two parts, each of which has an index of its own; for both in one condition there is none.
const IS_DUE: &str = "SELECT 1 FROM outbox WHERE topic = ? AND status = 'pending' AND next_at <= ? \
                      UNION ALL SELECT 1 FROM outbox WHERE topic = ? AND status = 'sending' LIMIT 1";

#[cfg(test)]
mod tests {
    use migrations::{Migrator, MigratorTrait as _};
    use sea_orm::{ConnectOptions, Database};

    use super::*;

    #[tokio::test]
    async fn what_was_sent_is_not_read_to_find_what_is_due() {
        let mut options = ConnectOptions::new("sqlite::memory:");
        let db = Box::pin(Database::connect(options.max_connections(1).to_owned())).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        let plan = sql::rows(&db, &format!("EXPLAIN QUERY PLAN {IS_DUE}"), ["mail".into(), 1.into(), "mail".into()]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.try_get_by_index(3).unwrap()).collect();
        let read: Vec<&str> = plan.iter().map(String::as_str).filter(|step| step.contains("outbox")).collect();
        assert_eq!(read.len(), 2, "{plan:?}");
        assert!(read[0].contains("INDEX outbox_due (topic=? AND next_at<?)"), "{plan:?}");
        assert!(read[1].contains("INDEX outbox_sending (topic=?)"), "{plan:?}");
    }
}
