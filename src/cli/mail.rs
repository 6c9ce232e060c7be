//! `mail …`: letters that leave through the outbox.

use clap::{Args, Subcommand};
use durable::entities::message;
use durable::outbox;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};
use workflows::letters::TOPICS;

use super::{At, CliError, act, output, timeline};
use crate::ops;

/// Letters of one listing at most.
const LISTED_MAX: usize = 10_000;
/// Messages that are read at once.
const PAGE: u64 = 1_000;
/// The states that a listing may be narrowed to.
const STATUSES: [&str; 5] = ["pending", "sending", "sent", "parked", "bounced"];

#[derive(Debug, Args)]
pub(crate) struct MailArgs {
    #[command(subcommand)]
    command: MailCommand,
}

#[derive(Debug, Subcommand)]
enum MailCommand {
    /// Letters, oldest first, with their attempts and what the mail server said
    List {
        /// Only those that are pending, sending, sent, parked (given up) or bounced (refused for good)
        #[arg(long, value_parser = STATUSES)]
        status: Option<String>,
    },
    /// Send a letter again that was given up or has bounced
    Retry {
        /// The letter
        id: String,
        /// Who does it: a user with the role ops, finance or admin
        #[arg(long)]
        by: String,
    },
}

pub(crate) async fn run(at: &At, args: MailArgs) -> Result<(), CliError> {
    match args.command {
        MailCommand::List { status } => list(at, status.as_deref()).await,
        MailCommand::Retry { id, by } => retry(at, &id, &by).await,
    }
}

async fn list(at: &At, status: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = letters(&tx, status).await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&json!({ "mails": found.iter().map(shown).collect::<Vec<_>>() }));
    }
    if found.is_empty() {
        return output::text("no mail\n");
    }
    let row = |message: &message::Model| {
        let (what, _) = message.key.split_once('/').unwrap_or((&message.key, ""));
        let about = message.key.strip_prefix(what).unwrap_or_default().trim_start_matches('/');
        let next = message.next_at.or(message.ended_at).map(|at| timeline::time(&durable::Instant(at).to_string())).unwrap_or_default();
        let error = message.error.clone().unwrap_or_default();
        let words = [&message.id, &message.status, what, about, &message.attempts.to_string(), &next, &error];
        words.into_iter().map(str::to_owned).collect()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let heads = ["mail", "status", "letter", "about", "attempts", "next or ended", "error"];
    output::text(&output::table(&heads, &[false, false, false, false, true, false, false], &rows))
}

/// Page by page, the letters alone.
async fn letters(tx: &DatabaseTransaction, status: Option<&str>) -> Result<Vec<message::Model>, CliError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    while found.len() < LISTED_MAX {
        let page = outbox::list(tx, status, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        found.extend(page.into_iter().filter(|message| TOPICS.contains(&message.topic.as_str())));
    }
    found.truncate(LISTED_MAX);
    Ok(found)
}

fn shown(message: &message::Model) -> Json {
    let at = |at: Option<i64>| at.map(|at| durable::Instant(at).to_string());
    let body: Json = serde_json::from_str(&message.body).unwrap_or(Json::Null);
    json!({
        "id": message.id, "letter": body["letter"], "key": message.key, "status": message.status, "attempts": message.attempts,
        "error": message.error, "next_at": at(message.next_at), "created_at": at(Some(message.created_at)), "ended_at": at(message.ended_at),
        "body": body,
    })
}

async fn retry(at: &At, id: &str, by: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    act::transact(at, &books, async |tx| Ok(ops::retry_mail(tx, id, by, at.now).await?)).await?;
    if at.json {
        return output::json(&json!({ "id": id, "status": "pending" }));
    }
    output::text(&format!("{id} is sent again\n"))
}
