//! `payout destination add`, `approve` and `list`.

use books::payouts::destinations::{self, New, Recorded};
use clap::{Args, Subcommand};
use program::money::Currency;
use program::payout::Destination;
use workflows::letters::{self, Letter};
use workflows::mdf_claim;

use super::{At, CliError, act, output, wake};
use crate::config::Holds;

#[derive(Debug, Args)]
pub(crate) struct DestinationArgs {
    #[command(subcommand)]
    command: DestinationCommand,
}

#[derive(Debug, Subcommand)]
enum DestinationCommand {
    /// Add an account of a partner; another person approves it
    Add(AddArgs),
    /// Approve one; money goes there after the cooling-off time
    Approve {
        /// The destination
        id: String,
        /// Who does it: a user with the role finance, not the one who added it
        #[arg(long)]
        by: String,
    },
    /// All destinations
    List,
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Whose
    #[arg(long)]
    partner: String,
    /// For payouts in this currency
    #[arg(long)]
    currency: String,
    /// Who holds the account
    #[arg(long)]
    name: String,
    /// The bank account
    #[arg(long, requires = "bic", conflicts_with = "token")]
    iban: Option<String>,
    /// Its bank
    #[arg(long, requires = "iban")]
    bic: Option<String>,
    /// What the provider calls the account
    #[arg(long)]
    token: Option<String>,
    /// Who does it: a user with the role finance or ops, or of the partner
    #[arg(long)]
    by: String,
}

pub(crate) async fn run(at: &At, args: DestinationArgs) -> Result<(), CliError> {
    match args.command {
        DestinationCommand::Add(args) => add(at, args).await,
        DestinationCommand::Approve { id, by } => approve(at, &id, &by).await,
        DestinationCommand::List => list(at).await,
    }
}

async fn add(at: &At, args: AddArgs) -> Result<(), CliError> {
    let currency: Currency =
        args.currency.to_ascii_uppercase().parse().map_err(|error: program::money::MoneyError| CliError::Input(error.to_string()))?;
    let destination = match (&args.iban, &args.bic, &args.token) {
        (Some(iban), Some(bic), None) => Destination::bank(&args.name, iban, bic),
        (None, None, Some(token)) => Destination::token(&args.name, token),
        _ => return Err(CliError::Input("name the account with --iban and --bic, or with --token".into())),
    };
    let destination = destination.map_err(|error| CliError::Input(error.to_string()))?;
    let books = at.books().await?;
    let id = crate::ids::new("dst");
    let new = New { id: &id, partner: &args.partner, currency, destination: &destination };
    let recorded = act::transact(at, &books, async |tx| {
        let recorded = destinations::add(tx, new, &args.by, at.now).await?;
        // Whoever gets the money today hears of it before another account can be used.
        if destinations::in_force(tx, &recorded.partner, recorded.currency).await?.is_some_and(|usable| usable.id != recorded.id) {
            letters::post(tx, &Letter::DestinationChanged { destination: recorded.id.clone() }, at.now).await?;
        }
        Ok(recorded)
    })
    .await?;
    if at.json {
        return output::json(&recorded.json());
    }
    output::text(&format!("{} waits: another person approves it with `payout destination approve {}`\n", recorded.id, recorded.id))
}

async fn approve(at: &At, id: &str, by: &str) -> Result<(), CliError> {
    let cooling_off = Holds::load(at.config())?.destination_cooling_off;
    let cooling_off_us = i64::try_from(cooling_off.as_micros()).unwrap_or(i64::MAX);
    let books = at.books().await?;
    let approved = act::transact(at, &books, async |tx| {
        let approved = destinations::approve(tx, id, by, cooling_off_us, at.now).await?;
        if approved.is_new && approved.before.is_some() {
            // It was told when it was added, unless no other was in force by then: a letter is posted once.
            letters::post(tx, &Letter::DestinationChanged { destination: id.to_owned() }, at.now).await?;
        }
        if approved.is_new {
            let Recorded { partner, currency, .. } = &approved.recorded;
            wake::held_in(tx, partner, *currency, &format!("destination {id}"), at.now).await?;
            for begun in &approved.begun_anew {
                mdf_claim::changed(tx, &begun.claim, begun.waited_for.as_deref(), at.now).await?;
            }
        }
        Ok(approved)
    })
    .await?;
    if at.json {
        return output::json(&approved.recorded.json());
    }
    let from = approved.recorded.approved.map(|(.., from)| from.to_string()).unwrap_or_default();
    output::text(&format!("{id} is approved; money may go there from {from} on\n"))
}

async fn list(at: &At) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = destinations::list(&tx).await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&serde_json::json!({ "destinations": found.iter().map(Recorded::json).collect::<Vec<_>>() }));
    }
    if found.is_empty() {
        return output::text("no destinations\n");
    }
    let row = |one: &Recorded| {
        let (approved_by, usable_from) = one.approved.as_ref().map(|(by, _, from)| (by.clone(), from.to_string())).unwrap_or_default();
        let words = [&one.id, &one.partner, one.currency.code(), one.destination.name(), &one.destination.masked(), one.status(), &one.added_by];
        words.into_iter().map(str::to_owned).chain([approved_by, usable_from]).collect()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let heads = ["destination", "partner", "currency", "name", "account", "status", "added by", "approved by", "usable from"];
    output::text(&output::table(&heads, &[false; 9], &rows))
}
