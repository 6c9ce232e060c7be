//! The outbox: letters leave when what caused them is committed, each with one identity for all its attempts.

use std::time::Duration;

use books::connection::Books;
use durable::Instant;
use durable::outbox::{self, Message, OutboxError};
use durable::probe::Point;
use futures::StreamExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use sea_orm::DatabaseTransaction;
use workflows::letters;

use super::{Shared, causes};
use crate::letters::Sent;

/// How often it looks for letters.
const EVERY: Duration = Duration::from_millis(500);
/// Letters that are taken at once.
const TAKEN_MAX: u32 = 16;
/// Letters on their way at the same time.
const SIDE_BY_SIDE: usize = 4;
/// How long a letter stays with a sender that has gone silent.
const LEASE: Duration = Duration::from_mins(2);
/// Attempts before a letter is parked: with the waits between them, one and a half to two days.
const ATTEMPTS_MAX: u32 = 20;
/// The wait after the first attempt; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// Sends the letters of one topic: those of another never wait behind them.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) topic: &'static str,
}

/// Look for letters.
#[derive(Debug)]
pub(super) struct Look;

impl Actor for Outbox {
    type Msg = Look;
    type State = Shared;
    type Arguments = Shared;

    async fn pre_start(&self, myself: ActorRef<Look>, shared: Shared) -> Result<Shared, ActorProcessingErr> {
        myself.cast(Look)?;
        Ok(shared)
    }

    async fn handle(&self, myself: ActorRef<Look>, _look: Look, shared: &mut Shared) -> Result<(), ActorProcessingErr> {
        let taken = match take(shared, self.topic).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(topic = self.topic, error = causes(&error), "outbox.not_read");
                Vec::new()
            }
        };
        let is_more = taken.len() >= usize::try_from(TAKEN_MAX)?;
        let shared = &*shared;
        futures::stream::iter(taken).for_each_concurrent(SIDE_BY_SIDE, |message| send(shared, message)).await;
        if !shared.stop.is_cancelled() {
            myself.send_after(if is_more { Duration::ZERO } else { EVERY }, || Look);
        }
        Ok(())
    }
}

async fn take(shared: &Shared, topic: &'static str) -> Result<Vec<Message>, OutboxError> {
    let now = shared.clock.now();
    if shared.stop.is_cancelled() || !is_due(shared, topic, now).await? || awaits_reconciliation(shared).await? {
        return Ok(Vec::new());
    }
    let owner = shared.engine.options().node.clone();
    in_write(&shared.books, |tx| {
        let owner = owner.clone();
        Box::pin(async move { outbox::claim(tx, topic, &owner, LEASE, ATTEMPTS_MAX, TAKEN_MAX, now).await })
    })
    .await
}

/// Whether the books are a restored backup of which nothing may be sent yet. What can't be read is not sent either.
async fn awaits_reconciliation(shared: &Shared) -> Result<bool, OutboxError> {
    let tx = shared.books.begin_read().await?;
    let awaits = books::instance::awaits_reconciliation(&tx).await;
    tx.rollback().await?;
    Ok(awaits.unwrap_or(true))
}

/// Takes up at once the letters that the process before this one, of the same name, was sending when it ended.
///
/// # Errors
/// The database failed.
pub(super) async fn take_over(shared: &Shared) -> Result<u64, OutboxError> {
    let (owner, now) = (shared.engine.options().node.clone(), shared.clock.now());
    in_write(&shared.books, |tx| {
        let owner = owner.clone();
        Box::pin(async move {
            let mut count = 0;
            for topic in letters::TOPICS {
                count += outbox::take_over(tx, topic, &owner, ATTEMPTS_MAX, now).await?;
            }
            Ok(count)
        })
    })
    .await
}

/// Whether there may be something to send; looking takes no lock.
async fn is_due(shared: &Shared, topic: &str, now: Instant) -> Result<bool, OutboxError> {
    Ok(outbox::is_due(shared.books.read(), topic, now).await?)
}

async fn send(shared: &Shared, message: Message) {
    // What was taken and not begun is taken over at the next start: a stop has time for what is on its way.
    if shared.stop.is_cancelled() {
        return;
    }
    passes(shared, &message, Point::Taken);
    let sent = shared.postman.send(&shared.books, &message, shared.now(), async || may_leave(shared, &message).await).await;
    passes(shared, &message, Point::BeforeResult);
    let now = shared.clock.now();
    let (id, key, attempt) = (message.id.clone(), message.key.clone(), message.attempt);
    let noted = in_write(&shared.books, |tx| {
        let (message, sent) = (message.clone(), sent.clone());
        Box::pin(async move {
            match sent {
                Sent::Delivered => outbox::sent(tx, &message, now).await,
                Sent::Bounced { reason } => outbox::bounced(tx, &message, &reason, now).await,
                Sent::Never { reason } => outbox::park(tx, &message, &reason, now).await,
                Sent::Later { reason } if message.attempt >= i64::from(ATTEMPTS_MAX) => outbox::park(tx, &message, &reason, now).await,
                Sent::Later { reason } => outbox::retry_later(tx, &message, &reason, now.plus(wait(message.attempt, &message.id))).await,
            }
        })
    })
    .await;
    passes(shared, &message, Point::AfterResult);
    match noted {
        Ok(()) => tracing::info!(letter = key, id, attempt, outcome = sent.name(), "letter.sent"),
        Err(error) => tracing::error!(letter = key, id, error = causes(&error), "letter.not_noted"),
    }
}

/// Whether a letter is certainly ours to send still; what can't be read is not sent either.
async fn may_leave(shared: &Shared, message: &Message) -> bool {
    let is_ours = async || shared.engine.lease_is_fresh() && outbox::is_held(shared.books.read(), message, shared.clock.now()).await.unwrap_or(false);
    // Asked of the database first, and of the clock again after it.
    is_ours().await && shared.engine.lease_is_fresh()
}

/// A letter's way has the names of a step's.
fn passes(shared: &Shared, message: &Message, point: Point) {
    shared.engine.options().probe.at(point, "outbox", &message.topic);
}

/// Twice as long after each attempt, less up to a quarter, by the letter, so that many don't come back at once.
fn wait(attempt: i64, id: &str) -> Duration {
    let doubled = u32::try_from(attempt.clamp(1, 16) - 1).unwrap_or(0);
    let wait = FIRST_WAIT.saturating_mul(1 << doubled).min(LONGEST_WAIT);
    let share = u32::from(id.bytes().fold(0_u8, u8::wrapping_add));
    wait.saturating_sub(wait / 1024 * share)
}

async fn in_write<T, F>(books: &Books, work: F) -> Result<T, OutboxError>
where
    F: for<'a> Fn(&'a DatabaseTransaction) -> futures::future::BoxFuture<'a, Result<T, OutboxError>> + Send,
    T: Send,
{
    let tx = books.begin_write().await?;
    match work(&tx).await {
        Ok(done) => {
            tx.commit().await?;
            Ok(done)
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_tried_for_one_and_a_half_to_two_days() {
        let sum = |id: &str| (1..i64::from(ATTEMPTS_MAX)).map(|attempt| wait(attempt, id)).sum::<Duration>();
        // The ends of the share that depends on the letter.
        for share in [0_u8, 255] {
            let tried = sum(&char::from(share).to_string());
            assert!((Duration::from_hours(35)..=Duration::from_hours(48)).contains(&tried), "{share}: {tried:?}");
        }
        assert_eq!((wait(1, ""), wait(2, ""), wait(19, "")), (FIRST_WAIT, FIRST_WAIT * 2, LONGEST_WAIT));
    }
}
