//! Signed messages with decisions: each has its effect once, and is answered as the first time (reliability.md §3.7, §3.14; invariant 25).

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;

use super::decide::Outcome;
use crate::load::row::{LoadError, execute, first_row};

/// A message with a decision whose signature was found right.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// `webhook-id`, the same for every repeat.
    pub id: &'a str,
    /// The SHA-256 of its body.
    pub body_digest: &'a str,
    /// The claim that it names, as it names it.
    pub claim: &'a str,
    /// Who decides, as it says.
    pub person: &'a str,
}

/// What a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whether the decision counted.
    pub is_decided: bool,
    /// What was answered.
    pub answer: String,
    /// The digest of the body that came first.
    pub body_digest: String,
}

/// What a message came to, if it came before.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &DatabaseTransaction, id: &str) -> Result<Option<Kept>, LoadError> {
    let row = first_row(tx, "SELECT outcome, answer, body_digest FROM decision_events WHERE event = ?", vec![id.into()]).await?;
    row.map(|row| Ok(Kept { is_decided: row.string(0)? == "decided", answer: row.string(1)?, body_digest: row.string(2)? })).transpose()
}

/// Keeps what a message came to, in the transaction of its effect; `decided` is the decision, if it counted. `false`: the same id was kept
/// meanwhile, so the caller must take its effect back and look again.
///
/// # Errors
/// The database failed.
pub async fn keep(tx: &DatabaseTransaction, event: Event<'_>, decided: Option<&Outcome>, answer: &str, now: Instant) -> Result<bool, LoadError> {
    let insert = "INSERT INTO decision_events (event, body_digest, claim, person, outcome, round, ordinal, answer, received_at) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event) DO NOTHING";
    let values = vec![
        event.id.into(),
        event.body_digest.into(),
        event.claim.into(),
        event.person.into(),
        if decided.is_some() { "decided" } else { "refused" }.into(),
        decided.map(|outcome| outcome.round).into(),
        decided.map(|outcome| outcome.ordinal).into(),
        answer.into(),
        now.0.into(),
    ];
    Ok(execute(tx, insert, values).await? > 0)
}
