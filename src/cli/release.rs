//! `settlement release`, `hold` and `unhold`.

use books::release::{self, Whose};
use clap::Args;
use program::calendar::Period;

use super::settle::period;
use super::{At, CliError, act, output};

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The programme
    #[arg(long)]
    program: String,
    /// The period, YYYY-MM; it must be final
    #[arg(long, value_parser = period)]
    period: Period,
    /// Who does it: a user with the role finance
    #[arg(long)]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// The programme
    #[arg(long)]
    program: String,
    /// The member
    #[arg(long)]
    partner: String,
    /// The period, YYYY-MM
    #[arg(long, value_parser = period)]
    period: Period,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who does it: a user with the role finance or ops
    #[arg(long)]
    by: String,
}

impl HoldArgs {
    fn whose(&self) -> Whose<'_> {
        Whose { program: &self.program, partner: &self.partner, period: self.period }
    }
}

pub(crate) async fn release(at: &At, args: ReleaseArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let done = release::release(&tx, &args.program, args.period, &args.by, at.now).await;
    let is_new = act::end(at, &books, tx, done).await?;
    let ReleaseArgs { program, period, .. } = &args;
    if at.json {
        return output::json(&serde_json::json!({ "program": program, "period": period.to_string(), "released": true, "unchanged": !is_new }));
    }
    output::text(&if is_new { format!("{program} {period} is released\n") } else { format!("{program} {period} was released before\n") })
}

pub(crate) async fn hold(at: &At, args: HoldArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let done = release::hold(&tx, args.whose(), &args.reason, &args.by, at.now).await;
    let is_new = act::end(at, &books, tx, done).await?;
    told(at, &args, true, if is_new { "is held" } else { "was held before" }, !is_new)
}

pub(crate) async fn unhold(at: &At, args: HoldArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let done = release::unhold(&tx, args.whose(), &args.reason, &args.by, at.now).await;
    act::end(at, &books, tx, done).await?;
    told(at, &args, false, "is not held any more", false)
}

fn told(at: &At, args: &HoldArgs, held: bool, what: &str, unchanged: bool) -> Result<(), CliError> {
    let HoldArgs { program, partner, period, .. } = args;
    if at.json {
        let period = period.to_string();
        return output::json(&serde_json::json!({ "program": program, "partner": partner, "period": period, "held": held, "unchanged": unchanged }));
    }
    output::text(&format!("the settlement of {partner} in {program} for {period} {what}\n"))
}
