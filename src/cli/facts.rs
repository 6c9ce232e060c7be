//! `facts …`: what came by webhook and could not be recorded yet.

use std::process::ExitCode;

use books::audit::seal;
use books::facts::parked::{self, Parked};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::{At, CliError, act, output, timeline};

#[derive(Debug, Args)]
pub(crate) struct FactsArgs {
    #[command(subcommand)]
    command: FactsCommand,
}

#[derive(Debug, Subcommand)]
enum FactsCommand {
    /// Messages that wait, in the order in which they came, and what for
    Parked,
    /// Try messages again now; a running service does so by itself when what they wait for is there
    Retry {
        /// The messages: SOURCE/EVENT
        #[arg(required = true)]
        ids: Vec<String>,
        /// Who does it: a user with the role ops, finance or admin
        #[arg(long)]
        by: String,
    },
    /// Drop messages: what they say is never recorded
    Drop {
        /// The messages: SOURCE/EVENT
        #[arg(required = true)]
        ids: Vec<String>,
        /// Who does it: a user with the role ops, finance or admin
        #[arg(long)]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(at: &At, args: FactsArgs) -> Result<ExitCode, CliError> {
    match args.command {
        FactsCommand::Parked => list(at).await.map(|()| ExitCode::SUCCESS),
        FactsCommand::Retry { ids, by } => retry(at, &ids, &by).await,
        FactsCommand::Drop { ids, by, reason } => drop_all(at, &ids, &by, &reason).await.map(|()| ExitCode::SUCCESS),
    }
}

async fn list(at: &At) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = parked::list(&tx).await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&json!({ "parked": found.iter().map(Parked::json).collect::<Vec<_>>() }));
    }
    if found.is_empty() {
        return output::text("nothing is parked\n");
    }
    let row = |message: &Parked| {
        let waits_for = message.waits_for.clone().unwrap_or_else(|| "a person".into());
        let (came, tries) = (timeline::time(&message.received_at.to_string()), message.tries.to_string());
        vec![message.id.clone(), message.what.clone(), came, tries, waits_for, message.reason.clone()]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    output::text(&output::table(&["message", "type", "came", "tries", "waits for", "reason"], &[false, false, false, true, false, false], &rows))
}

/// Ends with 1 where any still waits.
async fn retry(at: &At, ids: &[String], by: &str) -> Result<ExitCode, CliError> {
    let books = at.books().await?;
    let mut retried = Vec::with_capacity(ids.len());
    for id in ids {
        let still = parked::retry(&books, id, by, at.now).await;
        seal::seal_all(&books, at.now).await?;
        retried.push((id, still?));
    }
    let code = if retried.iter().any(|(_, still)| still.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if at.json {
        let shown: Vec<Json> = retried.iter().map(|(id, still)| json!({ "id": id, "parked": still.is_some(), "reason": still })).collect();
        output::json(&json!({ "retried": shown }))?;
        return Ok(code);
    }
    for (id, still) in retried {
        let text = still.map_or_else(|| format!("{id} is parked no longer\n"), |reason| format!("{id} still waits: {reason}\n"));
        output::text(&text)?;
    }
    Ok(code)
}

async fn drop_all(at: &At, ids: &[String], by: &str, reason: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    act::transact(at, &books, async |tx| {
        for id in ids {
            parked::drop_it(tx, id, by, reason, at.now).await?;
        }
        Ok::<(), CliError>(())
    })
    .await?;
    if at.json {
        return output::json(&json!({ "dropped": ids }));
    }
    ids.iter().try_for_each(|id| output::text(&format!("{id} is dropped\n")))
}
