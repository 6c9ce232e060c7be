//! `settlement release`, `hold` and `unhold`.

use books::release::{self, Hold, TooLate, Whose};
use clap::Args;
use durable::RunId;
use program::calendar::Period;
use serde_json::json;

use super::settle::period;
use super::{At, CliError, act, output, wake};
use crate::ids;

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
    let ReleaseArgs { program, period, by } = &args;
    let (is_new, started) = act::transact(at, &books, async |tx| {
        let is_new = release::release(tx, program, *period, by, at.now).await?;
        Ok((is_new, wake::start_due(tx, program, *period, None, at.now).await?))
    })
    .await?;
    if at.json {
        let period = period.to_string();
        let document = json!({ "program": program, "period": period, "released": true, "unchanged": !is_new, "started": started });
        return output::json(&document);
    }
    let what = if is_new { "is released" } else { "was released before" };
    output::text(&format!("{program} {period} {what}{}\n", told_of(&started)))
}

fn told_of(started: &[RunId]) -> String {
    match started.len() {
        0 => String::new(),
        1 => "; a payout is started".to_owned(),
        count => format!("; {count} payouts are started"),
    }
}

pub(crate) async fn hold(at: &At, args: HoldArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let done = release::hold(&tx, args.whose(), &args.reason, &args.by, at.now).await;
    let Hold { is_new, too_late } = act::end(at, &books, tx, done).await?;
    let what = if is_new { "is held" } else { "was held before" };
    let HoldArgs { program, partner, period, .. } = &args;
    if at.json {
        let late = |one: &TooLate| json!({ "payout": one.payout, "currency": one.currency.code(), "status": one.status });
        let too_late: Vec<_> = too_late.iter().map(late).collect();
        let period = period.to_string();
        let document = json!({ "program": program, "partner": partner, "period": period, "held": true, "unchanged": !is_new, "too_late": too_late });
        return output::json(&document);
    }
    let mut text = format!("the settlement of {partner} in {program} for {period} {what}\n");
    for TooLate { payout, currency, status } in &too_late {
        text.push_str(&format!("not held: in {currency}, whose payout {payout} is {status}\n"));
    }
    output::text(&text)
}

pub(crate) async fn unhold(at: &At, args: HoldArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let whose = args.whose();
    let started = act::transact(at, &books, async |tx| {
        release::unhold(tx, whose, &args.reason, &args.by, at.now).await?;
        wake::held_of(tx, whose, &ids::new("unheld"), at.now).await?;
        wake::start_due(tx, whose.program, whose.period, Some(whose.partner), at.now).await
    })
    .await?;
    let HoldArgs { program, partner, period, .. } = &args;
    if at.json {
        let period = period.to_string();
        return output::json(&json!({ "program": program, "partner": partner, "period": period, "held": false, "unchanged": false }));
    }
    let what = format!("is not held any more{}", told_of(&started));
    output::text(&format!("the settlement of {partner} in {program} for {period} {what}\n"))
}
