//! `payout …`: what was asked to be paid, and how it ended.

use std::process::ExitCode;

use books::connection::Books;
use books::explain::text::inert;
use books::instance;
use books::payouts::bank_files::PAIN001;
use books::payouts::by_hand::{self, Ground, MANUAL, Mark};
use books::payouts::intend::{self, Names};
use books::payouts::withdraw::{self, Withdrawal};
use books::payouts::{PayoutError, bank_files, exceptions, record, retry, switch};
use clap::{Args, Subcommand};
use durable::runs;
use program::payout::{NotAPayoutId, Payout, PayoutId, State, Word};
use workflows::PayoutRun;
use workflows::payout::{PayoutInput, id_of_payment, is_sent_no_more, look_again_at_paused};
use workflows::ports::{PayoutPort as _, Word as Said};

use super::{At, CliError, act, destination, output, reconcile, wake};
use crate::config::Holds;
use crate::{ids, payout_limits};

/// The states that a listing may be narrowed to.
pub(super) const STATUSES: [&str; 6] = ["intended", "held", "requested", "unknown", "paid", "failed"];

#[derive(Debug, Args)]
pub(crate) struct PayoutArgs {
    #[command(subcommand)]
    command: PayoutCommand,
}

#[derive(Debug, Subcommand)]
enum PayoutCommand {
    /// All payouts, and what somebody must look at
    List {
        /// Only those that are intended, held, requested, unknown, paid or failed
        #[arg(long, value_parser = STATUSES)]
        status: Option<String>,
    },
    /// One payout with its history
    Show {
        /// The payout
        #[arg(value_parser = id)]
        id: PayoutId,
    },
    /// Say that finance has paid it (adapter manual), or the bank (pain001; it must be in a file)
    MarkPaid(MarkArgs),
    /// Say that it was not paid, or came back (adapters manual and pain001), or never arrived (webhook; the provider is asked)
    MarkFailed(MarkArgs),
    /// Stop all payouts
    Pause(SwitchArgs),
    /// Let payouts go on
    Resume(SwitchArgs),
    /// Let a held payout go over the caps
    Release {
        /// The payout
        #[arg(value_parser = id)]
        id: PayoutId,
        /// Who does it: a user with the role finance
        #[arg(long)]
        by: String,
    },
    /// End a claim's payout that waits, or was not asked for yet: its money is back in the wallet
    Withdraw {
        /// The payout
        #[arg(value_parser = id)]
        id: PayoutId,
        /// Who does it: a user with the role finance or ops
        #[arg(long)]
        by: String,
        /// Why: the partner and who submitted the claim are told
        #[arg(long)]
        reason: String,
    },
    /// Try again what failed, by a new payout with a key of its own; each failed payout is tried again once
    Retry {
        /// The payout that failed
        #[arg(value_parser = id)]
        id: PayoutId,
        /// Who does it: a user with the role finance or ops
        #[arg(long)]
        by: String,
    },
    /// Ask the provider about all payouts in transit, look again at its parked messages, and list what a person must look at
    ///
    /// Exits with 1 while something is open. Where the database was restored from a backup, a clean end lifts the pause that came with it.
    Reconcile,
    /// Say that something that `list` asks to look at was dealt with; it is not asked for again
    CloseException {
        /// As `list` names it: contradicted/… or parked/…
        id: String,
        /// Who does it: a user with the role finance
        #[arg(long)]
        by: String,
        /// How it was dealt with
        #[arg(long)]
        reason: String,
    },
    /// Where partners' money goes
    Destination(destination::DestinationArgs),
}

#[derive(Debug, Args)]
struct MarkArgs {
    /// The payout
    #[arg(value_parser = id)]
    id: PayoutId,
    /// Who does it: a user with the role finance
    #[arg(long)]
    by: String,
    /// Why, or by which transfer
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct SwitchArgs {
    /// Who does it: a user with the role finance or ops
    #[arg(long)]
    by: String,
    /// Why
    #[arg(long)]
    reason: String,
}

fn id(text: &str) -> Result<PayoutId, NotAPayoutId> {
    text.parse()
}

pub(crate) async fn run(at: &At, args: PayoutArgs) -> Result<ExitCode, CliError> {
    match args.command {
        PayoutCommand::List { status } => list(at, status.as_deref()).await,
        PayoutCommand::Show { id } => show(at, &id).await,
        PayoutCommand::MarkPaid(args) => mark(at, &args, Word::Paid).await,
        PayoutCommand::MarkFailed(args) => mark(at, &args, Word::Failed).await,
        PayoutCommand::Pause(args) => set(at, &args, true).await,
        PayoutCommand::Resume(args) => set(at, &args, false).await,
        PayoutCommand::Release { id, by } => release(at, &id, &by).await,
        PayoutCommand::Withdraw { id, by, reason } => take_back(at, &id, (&by, &reason)).await,
        PayoutCommand::Retry { id, by } => retry(at, &id, &by).await,
        PayoutCommand::Reconcile => {
            let is_clean = reconcile::run(at).await?;
            return Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        PayoutCommand::CloseException { id, by, reason } => close(at, &id, &by, &reason).await,
        PayoutCommand::Destination(args) => destination::run(at, args).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn list(at: &At, status: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async { Ok::<_, CliError>((record::list(&tx, status).await?, exceptions::open(&tx).await?, switch::look(&tx).await?)) }.await;
    tx.rollback().await?;
    let (payouts, exceptions, switch) = found?;
    let paused = switch.is_paused.then(|| serde_json::json!({ "by": switch.by, "reason": switch.reason, "at": switch.at.map(|at| at.to_string()) }));
    if at.json {
        let payouts: Vec<_> = payouts.iter().map(Payout::json).collect();
        return output::json(&serde_json::json!({ "payouts": payouts, "exceptions": exceptions, "paused": paused }));
    }
    let mut text = table(&payouts);
    for exception in &exceptions {
        let word = |name: &str| exception[name].as_str().unwrap_or_default().to_owned();
        let row = [word("id"), word("at"), word("what"), word("payout"), word("word"), word("event"), word("reason")];
        let shown: Vec<String> = row.iter().filter(|cell| !cell.is_empty()).map(|cell| inert(cell).into_owned()).collect();
        text.push_str(&format!("look at: {}\n", shown.join(", ")));
    }
    if switch.is_paused {
        let (by, reason) = (switch.by.unwrap_or_default(), switch.reason.unwrap_or_default());
        text.push_str(&format!("all payouts are paused by {}: {}\n", inert(&by), inert(&reason)));
    }
    output::text(&text)
}

fn table(payouts: &[Payout]) -> String {
    if payouts.is_empty() {
        return "no payouts\n".into();
    }
    let row = |payout: &Payout| {
        let amount = payout.currency.format_minor(payout.amount_minor);
        let words = [payout.id.as_str(), &payout.reference, &payout.partner, &amount, payout.currency.code(), payout.state.name()];
        words.into_iter().chain([payout.state.reason().unwrap_or_default()]).map(str::to_owned).collect()
    };
    let rows: Vec<Vec<String>> = payouts.iter().map(row).collect();
    let heads = ["payout", "reference", "partner", "amount", "currency", "status", "reason"];
    output::table(&heads, &[false, false, false, true, false, false, false], &rows)
}

async fn show(at: &At, id: &PayoutId) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async {
        let payout = record::find(&tx, id).await?.ok_or_else(|| PayoutError::NoPayout(id.to_string()))?;
        Ok::<_, PayoutError>((payout, record::history(&tx, id).await?, bank_files::of_payout(&tx, id).await?))
    }
    .await;
    tx.rollback().await?;
    let (payout, history, file) = found?;
    if at.json {
        let mut json = payout.json();
        json["file"] = file.map(|file| file.json()).into();
        json["events"] = history.into();
        return output::json(&json);
    }
    let cell = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let columns = ["at", "source", "word", "ruling", "status", "reason", "provider_id", "by"];
    let rows: Vec<Vec<String>> = history.iter().map(|event| columns.iter().map(|name| cell(event, name)).collect()).collect();
    let history = output::table(&["at", "source", "word", "ruling", "status", "reason", "provider's id", "by"], &[false; 8], &rows);
    let file = file.map(|file| format!("in the file {}, to be executed on {}\n", file.file_name(), file.execution_on)).unwrap_or_default();
    output::text(&format!("{}{file}\n{history}", table(std::slice::from_ref(&payout))))
}

async fn mark(at: &At, args: &MarkArgs, word: Word) -> Result<(), CliError> {
    let books = at.books().await?;
    let ground = if word == Word::Failed { ground(at, &books, args).await? } else { None };
    let said = Mark { word, by: &args.by, reason: &args.reason, ground };
    let marked = act::transact(at, &books, async |tx| {
        let marked = by_hand::mark(tx, &args.id, said, at.now).await?;
        wake::one(tx, &marked, &format!("marked {}", word.name()), at.now).await?;
        Ok(marked)
    });
    stands(at, &marked.await?)
}

/// Why finance may say that a payout failed which a provider was asked to pay: nothing of it leaves any more, and the provider, asked now,
/// does not know it; or it was paid, and its adapter is no longer configured. Of what people pay nobody has to be asked.
async fn ground(at: &At, books: &Books, args: &MarkArgs) -> Result<Option<Ground>, CliError> {
    let tx = books.begin_read().await?;
    let found = record::find(&tx, &args.id).await;
    tx.rollback().await?;
    let Some(payout) = found?.filter(|payout| matches!(payout.state, State::Unknown { .. } | State::Paid)) else { return Ok(None) };
    let adapter = payout.provider.as_deref().unwrap_or_default();
    if matches!(adapter, MANUAL | PAIN001) {
        return Ok(None);
    }
    let maybe = |why: String| CliError::from(PayoutError::MayHaveArrived { payout: args.id.to_string(), why });
    let provider = reconcile::provider(at.configuration()?)?;
    if payout.state == State::Paid {
        return Ok(provider.is_none_or(|port| port.capabilities().adapter != adapter).then_some(Ground::AdapterGone));
    }
    let Some(provider) = provider.filter(|port| port.capabilities().looks_up && port.capabilities().adapter == adapter) else {
        return Err(maybe(format!("the configuration does not name the adapter {adapter}, which was asked to pay it")));
    };
    if !is_sent_no_more(&payout, provider.capabilities().dedupe_window, at.now) {
        return Err(maybe("it may be sent again until payouts.dedupe_window is over".into()));
    }
    match provider.look_up(args.id.as_str()).await {
        Ok(Said::NotFound) => Ok(Some(Ground::NeverArrived { revision: payout.revision })),
        Ok(_) => Err(maybe("the provider knows it".into())),
        Err(error) => Err(maybe(format!("the provider can't be asked: {error}"))),
    }
}

async fn release(at: &At, id: &PayoutId, by: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let released = act::transact(at, &books, async |tx| {
        let released = intend::release(tx, id, by, at.now).await?;
        wake::one(tx, &released, &format!("released {}", released.revision), at.now).await?;
        Ok(released)
    });
    stands(at, &released.await?)
}

/// The run of the payout ends with it; nobody else has to do anything.
async fn take_back(at: &At, id: &PayoutId, (by, reason): (&str, &str)) -> Result<(), CliError> {
    let books = at.books().await?;
    let is_unknown_to_provider = is_unknown_to_provider(at, &books, id).await?;
    let said = Withdrawal { by, reason, is_unknown_to_provider };
    let withdrawn = act::transact(at, &books, async |tx| {
        let withdrawn = withdraw::withdraw(tx, id, said, at.now).await?;
        wake::one(tx, &withdrawn, "withdrawn", at.now).await?;
        Ok(withdrawn)
    });
    stands(at, &withdrawn.await?)
}

/// Whether the provider knows nothing of a payout that a restored database may have asked for after its backup was made. What people pay is
/// known to people; of books that were never restored nobody has to be asked: `false`.
async fn is_unknown_to_provider(at: &At, books: &Books, id: &PayoutId) -> Result<bool, CliError> {
    let tx = books.begin_read().await?;
    let instance = instance::find(&tx).await;
    tx.rollback().await?;
    if !instance?.is_some_and(|books| books.restored_at.is_some() && !books.awaits_reconciliation()) {
        return Ok(false);
    }
    let Some(provider) = reconcile::provider(at.configuration()?)?.filter(|provider| provider.capabilities().looks_up) else { return Ok(true) };
    let maybe = |why: String| PayoutError::MaybeSent { payout: id.to_string(), why };
    match provider.look_up(id.as_str()).await {
        Ok(Said::NotFound) => Ok(true),
        Ok(_) => Err(maybe("the provider knows it".into()).into()),
        Err(error) => Err(maybe(format!("the provider can't be asked: {error}")).into()),
    }
}

/// The run and its payout come with one commit: the run finds the payout made.
async fn retry(at: &At, id: &PayoutId, by: &str) -> Result<(), CliError> {
    let limits = payout_limits::limits(&Holds::load(at.config())?);
    let books = at.books().await?;
    let made = act::transact(at, &books, async |tx| {
        let failed = record::find(tx, id).await?.ok_or_else(|| PayoutError::NoPayout(id.to_string()))?;
        let Some(period) = failed.period else { return Err(PayoutError::ClaimRetry(id.to_string()).into()) };
        let input = PayoutInput {
            program: failed.program.to_string(),
            partner: failed.partner.to_string(),
            period: period.to_string(),
            currency: failed.currency.code().into(),
            retry_of: Some(id.to_string()),
        };
        let started = runs::start_as::<PayoutRun>(tx, &input.key(), &input, durable::Instant(at.now.0)).await?;
        let new =
            id_of_payment(tx, &format!("settlement {}", input.payment()), &started.run).await.map_err(|error| CliError::Failed(error.to_string()))?;
        let names = Names { id: &new, key: new.as_str(), workflow: Some(started.run.as_str()) };
        Ok(retry::retry(tx, id, names, by, at.now, &limits).await?)
    });
    stands(at, &made.await?)
}

async fn set(at: &At, args: &SwitchArgs, paused: bool) -> Result<(), CliError> {
    let books = at.books().await?;
    let is_new = act::transact(at, &books, async |tx| {
        let is_new = switch::set(tx, paused, &args.by, &args.reason, at.now).await?;
        if is_new && !paused {
            look_again_at_paused(tx, &ids::new("resumed"), at.now).await?;
        }
        Ok(is_new)
    })
    .await?;
    if at.json {
        return output::json(&serde_json::json!({ "paused": paused, "unchanged": !is_new }));
    }
    let what = match (paused, is_new) {
        (true, true) => "all payouts are paused",
        (true, false) => "payouts were paused before",
        (false, true) => "payouts go on",
        (false, false) => "payouts were not paused",
    };
    output::text(&format!("{what}\n"))
}

async fn close(at: &At, id: &str, by: &str, reason: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let is_new = act::transact(at, &books, async |tx| Ok(exceptions::close(tx, id, by, reason, at.now).await?)).await?;
    if at.json {
        return output::json(&serde_json::json!({ "id": id, "closed": true, "unchanged": !is_new }));
    }
    output::text(&format!("{} {}\n", inert(id), if is_new { "is closed" } else { "was closed before" }))
}

fn stands(at: &At, payout: &Payout) -> Result<(), CliError> {
    if at.json {
        return output::json(&payout.json());
    }
    let reason = payout.state.reason().filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}")).unwrap_or_default();
    output::text(&format!("{} is {}{}\n", payout.id, payout.state.name(), inert(&reason)))
}
