//! `settle`: makes periods final, or previews them.

use std::time::Duration;

use books::connection::Books;
use books::settlement::run::{self, Target};
use books::statements;
use clap::{ArgGroup, Args};
use program::calendar::Period;
use workflows::recertification;

use super::settle_run::{self, Waited};
use super::{At, CliError, output};
use crate::ops::OpsError;
use crate::schedules;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("periods").required(true).args(["period", "through"]))]
pub(crate) struct SettleArgs {
    /// The programme
    #[arg(long)]
    program: String,
    /// One period, YYYY-MM; those before it must be final
    #[arg(long, value_parser = period)]
    period: Option<Period>,
    /// All open periods through this one, in order
    #[arg(long, value_parser = period)]
    through: Option<Period>,
    /// Compute only; nothing is stored
    #[arg(long)]
    preview: bool,
    /// How long to wait for a service that is alive on the database and does the work: 90s, 10m, 2h. Without one, the command does it itself
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    wait: Duration,
    /// Only this partner's settlements are printed
    #[arg(long, requires = "preview")]
    partner: Option<String>,
}

/// Reads a period argument.
pub(crate) fn period(text: &str) -> Result<Period, String> {
    text.parse().map_err(|error: program::calendar::CalendarError| error.to_string())
}

/// Reads a length of time.
fn time(text: &str) -> Result<Duration, String> {
    let seconds = program::file::seconds(text);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{text:?} is no length of time; write a whole number with s, m, h or d, like 10m"))
}

pub(crate) async fn run(at: &At, args: SettleArgs) -> Result<(), CliError> {
    let target = match (args.period, args.through) {
        (Some(period), _) => Target::Period(period),
        (None, Some(period)) => Target::Through(period),
        (None, None) => return Err(CliError::Input("name a period with --period or --through".into())),
    };
    let books = at.books().await?;
    if let Some(partner) = &args.partner {
        let tx = books.begin_read().await?;
        let known = books::programs::is_partner(&tx, partner).await;
        tx.rollback().await?;
        if !known? {
            return Err(CliError::Input(format!("partner {partner} is not recorded")));
        }
    }
    if args.preview {
        return preview(at, &books, &args, target).await;
    }
    let tx = books.begin_read().await?;
    let open = run::open_periods(&tx, &args.program, target, Some(at.now)).await?;
    tx.rollback().await?;
    if let Some(last) = open.last() {
        review_first(at, &books, &args.program, *last).await?;
    }
    if settle_run::is_served(at, &books).await? {
        let (Target::Period(period) | Target::Through(period)) = target;
        match settle_run::settle(at, &books, &args.program, period, args.wait).await {
            Ok(Waited::Done) => return finished(at, &books, &args, &shown(target, &open)).await,
            Ok(Waited::Alone(why)) => eprintln!("{why}; settling here"),
            Err(error) => {
                let made = settle_run::made_final(&books, &args.program, &open).await?;
                return failed(at, &books, &args, &open, &made, error).await;
            }
        }
    }
    let mut made = Vec::new();
    let settled = run::settle_periods(&books, &args.program, &open, at.now, |period| made.push(period)).await;
    match settled {
        Ok(()) => finished(at, &books, &args, &shown(target, &open)).await,
        Err(error) => failed(at, &books, &args, &open, &made, error.into()).await,
    }
}

/// Refuses a month whose tiers come from a review that a schedule asks for and that is not made yet. Where no service was ever started
/// there is no such schedule.
async fn review_first(at: &At, books: &Books, program: &str, last: Period) -> Result<(), CliError> {
    let tx = books.begin_write().await?;
    let first = async {
        // As a service would find them now, whatever was applied since there was one; nothing of it is kept.
        schedules::record(&tx, at.now).await.map_err(OpsError::from)?;
        recertification::first_before(&tx, program, last).await.map_err(OpsError::from)
    }
    .await;
    tx.rollback().await?;
    first?.map_or(Ok(()), |review| Err(CliError::Input(review.to_string())))
}

/// What is final stays final, so it is printed before the failure is told.
async fn failed(at: &At, books: &Books, args: &SettleArgs, open: &[Period], made: &[Period], error: CliError) -> Result<(), CliError> {
    if at.json || !made.is_empty() {
        let failed = open.get(made.len()).map(ToString::to_string);
        let told = serde_json::json!({ "period": failed, "message": error.text() });
        let tx = books.begin_read().await?;
        let printed = print(at, &tx, args, made, &[], Some(&told)).await;
        tx.rollback().await?;
        printed?;
    }
    Err(error)
}

async fn finished(at: &At, books: &Books, args: &SettleArgs, periods: &[Period]) -> Result<(), CliError> {
    let tx = books.begin_read().await?;
    let printed = print(at, &tx, args, periods, &[], None).await;
    tx.rollback().await?;
    printed
}

/// A period asked for by name is printed even if it was final before.
fn shown(target: Target, open: &[Period]) -> Vec<Period> {
    match target {
        Target::Period(period) => vec![period],
        Target::Through(_) => open.to_vec(),
    }
}

/// Computes in a transaction that is rolled back: a preview and the real thing are one way.
async fn preview(at: &At, books: &Books, args: &SettleArgs, target: Target) -> Result<(), CliError> {
    let tx = books.begin_write().await?;
    let result = async {
        let open = run::open_periods(&tx, &args.program, target, None).await?;
        run::settle_within(&tx, &args.program, &open, at.now).await?;
        print(at, &tx, args, &shown(target, &open), &open, None).await
    }
    .await;
    tx.rollback().await?;
    result
}

/// Prints settlements period by period, and in JSON what ended the run early; those of `drafts` were computed only. Lines are read where
/// JSON shows them, a few partners at a time.
async fn print(
    at: &At,
    tx: &sea_orm::DatabaseTransaction,
    args: &SettleArgs,
    periods: &[Period],
    drafts: &[Period],
    error: Option<&serde_json::Value>,
) -> Result<(), CliError> {
    let mut list = output::JsonList::new("settlements");
    let mut all = Vec::new();
    for &period in periods {
        let mut found = statements::list(tx, Some(&args.program), Some(period), args.partner.as_deref()).await?;
        if drafts.contains(&period) {
            found.iter_mut().for_each(statements::StoredSettlement::make_draft);
        }
        if !at.json {
            all.extend(found);
            continue;
        }
        while !found.is_empty() {
            let rest = found.split_off(found.len().min(PARTNERS_AT_ONCE));
            for settlement in statements::with_lines(tx, &args.program, period, found).await? {
                list.push(&settlement.json())?;
            }
            found = rest;
        }
    }
    if at.json { list.finish(error) } else { output::text(&statements::summary_table(&all, &output::table)) }
}

/// Settlements whose lines are held at once while printing.
const PARTNERS_AT_ONCE: usize = 100;
