//! `settle` where a service is alive: the settlement's run does the work, the command starts it and waits.

use std::time::Duration;

use books::connection::Books;
use books::settlement::run::{self, Target};
use durable::nodes::live_nodes;
use durable::runs::{self, RunView};
use durable::{RunId, RunStatus};
use program::calendar::Period;
use tokio::time::{Instant as Monotonic, sleep};
use workflows::SettlementRun;
use workflows::again::start_anew;
use workflows::settlement_run::SettlementInput;

use super::{At, CliError, act};

/// How often the run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks between two at who is alive.
const LOOKS_PER_NODES: u32 = 10;

/// How the wait has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Waited {
    /// The periods are final.
    Done,
    /// Nobody is there to do it, or the run was cancelled: the command does it itself, which a second runner does no harm to.
    Alone(String),
}

/// Whether a service is alive on the database.
pub(super) async fn is_served(at: &At, books: &Books) -> Result<bool, CliError> {
    let tx = books.begin_read().await?;
    let nodes = live_nodes(&tx, durable::Instant(at.now.0)).await;
    tx.rollback().await?;
    Ok(!nodes?.is_empty())
}

/// Starts the run of a period, or finds it, and waits until it has ended.
///
/// # Idempotency
/// The run's key: a period is settled by one run, whoever starts it; by its successor where that was cancelled or has failed.
///
/// # Errors
/// The run has stopped with an error, or the wait was too long; it goes on in the service all the same.
pub(super) async fn settle(at: &At, books: &Books, program: &str, period: Period, limit: Duration) -> Result<Waited, CliError> {
    let input = SettlementInput { program: program.to_owned(), period: period.to_string() };
    let started =
        act::transact(at, books, async |tx| Ok(start_anew::<SettlementRun>(tx, &input.key(), &input, durable::Instant(at.now.0)).await?)).await?;
    let id = started.run;
    eprintln!("{} {id}; waiting for it", if started.fresh { "the service settles in run" } else { "the service has a run for it:" });
    let until = Monotonic::now() + limit;
    let mut looks = 0;
    loop {
        let view = look(books, &id).await?;
        match view.run.status {
            RunStatus::Done => return Ok(Waited::Done),
            RunStatus::Cancelled => return Ok(Waited::Alone(format!("run {id} was cancelled"))),
            RunStatus::Parked | RunStatus::NeedsReview | RunStatus::Paused | RunStatus::Failed => {
                return Err(stopped(at, books, program, period, &view).await?);
            }
            RunStatus::Ready | RunStatus::Running | RunStatus::Waiting => {}
        }
        if Monotonic::now() >= until {
            let waited = limit.as_secs();
            return Err(CliError::Failed(format!("run {id} has not ended after {waited} s; it goes on, see `workflow show {id}`")));
        }
        looks += 1;
        if looks % LOOKS_PER_NODES == 0 && view.run.status != RunStatus::Running && !is_served_now(at, books, looks).await? {
            return Ok(Waited::Alone("the service has stopped".to_owned()));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// As [`is_served`], some looks later by this command's clock.
async fn is_served_now(at: &At, books: &Books, looks: u32) -> Result<bool, CliError> {
    let passed_us = i64::try_from((LOOK_EVERY * looks).as_micros()).unwrap_or(i64::MAX);
    let tx = books.begin_read().await?;
    let nodes = live_nodes(&tx, durable::Instant(at.now.0.saturating_add(passed_us))).await;
    tx.rollback().await?;
    Ok(!nodes?.is_empty())
}

async fn look(books: &Books, id: &RunId) -> Result<RunView, CliError> {
    let tx = books.begin_read().await?;
    let found = runs::show(&tx, id).await;
    tx.rollback().await?;
    Ok(found?)
}

/// Those of some periods, in order, that are final by now.
pub(super) async fn made_final(books: &Books, program: &str, open: &[Period]) -> Result<Vec<Period>, CliError> {
    let Some(&last) = open.last() else { return Ok(Vec::new()) };
    let tx = books.begin_read().await?;
    let still = run::open_periods(&tx, program, Target::Through(last), None).await;
    tx.rollback().await?;
    let first = still?.first().copied();
    Ok(open.iter().copied().take_while(|period| first.is_none_or(|first| *period < first)).collect())
}

/// Why a run has stopped. Where facts are missing, a computation that stores nothing lists all of them, and the input is at fault.
async fn stopped(at: &At, books: &Books, program: &str, period: Period, view: &RunView) -> Result<CliError, CliError> {
    let run = &view.run;
    let is_paused = run.status == RunStatus::Paused;
    let act = if is_paused { "resume" } else { "retry" };
    let then = format!("mend the cause, then `workflow {act} {} --by … --reason …`", run.id);
    let missing = if is_paused { None } else { missing_facts(at, books, program, period).await? };
    if let Some(reasons) = missing {
        return Ok(CliError::Input(format!("{reasons}\nrun {} is {}: {then}", run.id, run.status)));
    }
    let why = run.error.clone().unwrap_or_else(|| "no reason is recorded".to_owned());
    Ok(CliError::Failed(format!("run {} is {}: {why}\n{then}", run.id, run.status)))
}

async fn missing_facts(at: &At, books: &Books, program: &str, period: Period) -> Result<Option<String>, CliError> {
    let tx = books.begin_write().await?;
    let computed = async {
        let open = run::open_periods(&tx, program, Target::Through(period), Some(at.now)).await?;
        run::settle_within(&tx, program, &open, at.now).await
    }
    .await;
    tx.rollback().await?;
    match computed.map_err(CliError::from) {
        Err(CliError::Input(reasons)) => Ok(Some(reasons)),
        Err(CliError::Failed(_) | CliError::Places(_)) | Ok(()) => Ok(None),
    }
}
