//! `workflow …`: runs, what they did, and what ops do to them.

use clap::{Args, Subcommand};
use durable::runs::{self, Filter, RunLine};
use durable::{RunId, RunStatus};
use sea_orm::DatabaseTransaction;

use super::{At, CliError, act, output, timeline};
use crate::ops::{self, Actor, RunAct};

#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
    #[command(subcommand)]
    command: WorkflowCommand,
}

#[derive(Debug, Subcommand)]
enum WorkflowCommand {
    /// Runs, oldest first: what each waits for, or why it has stopped
    List(ListArgs),
    /// The timeline of a run: every step, attempt, error and signal, and who did what
    Show {
        /// The run: its id, or WORKFLOW/KEY
        run: String,
    },
    /// Stop a run until it is resumed; a worker that holds it stops within a second
    Pause(ActArgs),
    /// Let a paused run go on
    Resume(ActArgs),
    /// Let a run that is parked, needs review or has failed go on from the step that failed
    Retry(ActArgs),
    /// End a run; what it has registered to be undone is undone first
    Cancel(ActArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those that are ready, running, waiting, paused, parked, `needs_review`, done, failed or cancelled
    #[arg(long, value_parser = status)]
    status: Option<RunStatus>,
    /// Only runs of this workflow, such as `settlement_run` or payout
    #[arg(long)]
    workflow: Option<String>,
    /// Only runs after this id: the last of the listing before
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// At most so many, up to 1000
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    limit: u64,
}

#[derive(Debug, Args)]
struct ActArgs {
    /// The run: its id, or WORKFLOW/KEY
    run: String,
    /// Who does it: a user with the role ops or admin
    #[arg(long)]
    by: String,
    /// Why
    #[arg(long)]
    reason: String,
}

fn status(text: &str) -> Result<RunStatus, durable::status::NoStatus> {
    text.parse()
}

pub(crate) async fn run(at: &At, args: WorkflowArgs) -> Result<(), CliError> {
    match args.command {
        WorkflowCommand::List(args) => list(at, args).await,
        WorkflowCommand::Show { run } => show(at, &run).await,
        WorkflowCommand::Pause(args) => operate(at, &args, RunAct::Pause).await,
        WorkflowCommand::Resume(args) => operate(at, &args, RunAct::Resume).await,
        WorkflowCommand::Retry(args) => operate(at, &args, RunAct::Retry).await,
        WorkflowCommand::Cancel(args) => operate(at, &args, RunAct::Cancel).await,
    }
}

async fn list(at: &At, args: ListArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let limit = args.limit;
    let filter = Filter { status: args.status, workflow: args.workflow, after: args.after, limit: Some(limit) };
    let found = runs::list(&tx, &filter).await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&serde_json::json!({ "runs": found }));
    }
    if found.is_empty() {
        return output::text("no runs\n");
    }
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let mut text = output::table(&["run", "status", "workflow", "key", "started", "waits for, or why"], &[false; 6], &rows);
    if let Some(last) = found.last().filter(|_| u64::try_from(found.len()).is_ok_and(|count| count >= limit)) {
        text.push_str(&format!("there may be more: --after {}\n", last.id));
    }
    output::text(&text)
}

fn row(run: &RunLine) -> Vec<String> {
    let started = timeline::time(&run.created_at);
    let why = match (&run.error, &run.waiting_for, &run.wake_at) {
        (Some(error), ..) => error.lines().next().unwrap_or_default().chars().take(120).collect(),
        (None, Some(waits), Some(wake_at)) => format!("{waits}, until {}", timeline::time(wake_at)),
        (None, Some(waits), None) => waits.clone(),
        (None, None, _) => String::new(),
    };
    let state = if run.cancelling { "cancelling".to_owned() } else { run.status.to_string() };
    vec![run.id.clone(), state, run.workflow.clone(), run.key.clone(), started, why]
}

/// The run that an id or WORKFLOW/KEY names.
async fn named(tx: &DatabaseTransaction, run: &str) -> Result<RunId, CliError> {
    if let Some((workflow, key)) = run.split_once('/') {
        let found = runs::find(tx, workflow, key).await?;
        return found.ok_or_else(|| CliError::Input(format!("there is no run of {workflow} with the key {key}; see `workflow list`")));
    }
    run.parse().map_err(|error: durable::ids::NoRunId| CliError::Input(error.to_string()))
}

async fn show(at: &At, run: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async { Ok::<_, CliError>(runs::show(&tx, &named(&tx, run).await?).await?) }.await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&serde_json::to_value(&found).map_err(|error| CliError::Failed(error.to_string()))?);
    }
    output::text(&timeline::text(&found, output::terminal_width().unwrap_or(timeline::WIDTH)))
}

async fn operate(at: &At, args: &ActArgs, act: RunAct) -> Result<(), CliError> {
    let books = at.books().await?;
    let (id, status) = act::transact(at, &books, async |tx| {
        let id = named(tx, &args.run).await?;
        let who = Actor { by: &args.by, reason: &args.reason, now: at.now };
        let status = ops::run(tx, &id, act, who).await?;
        Ok((id, status))
    })
    .await?;
    if at.json {
        let cancelling = act == RunAct::Cancel && status != RunStatus::Cancelled;
        return output::json(&serde_json::json!({ "id": id, "status": status, "cancelling": cancelling }));
    }
    output::text(&match act {
        RunAct::Pause => format!("{id} is paused\n"),
        RunAct::Resume => format!("{id} goes on\n"),
        RunAct::Retry => format!("{id} goes on from the step that failed\n"),
        RunAct::Cancel if status == RunStatus::Cancelled => format!("{id} is cancelled\n"),
        RunAct::Cancel => format!("{id} is cancelled when what it did is undone; see `workflow show {id}`\n"),
    })
}
