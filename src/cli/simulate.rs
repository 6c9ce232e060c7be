//! `simulate`: history under another programme file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use books::simulate::{self, Difference, Earned, Request, SimulateError, Simulation};
use clap::Args;
use program::calendar::Period;
use program::line::Text;
use program::money::Currency;
use serde_json::{Value, json};

use super::program::load;
use super::settle::period;
use super::{At, CliError, output};

/// Settles months again as if another programme file had been in force from the first day of the first one (instead of every version that
/// began then or later), and prints what would differ for each partner.
///
/// Each month is computed from what was known at its own cut-off, reviews are made again on their days, and months that are not final are
/// previews on both sides. Nothing is kept. Other commands that write wait until it is done.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The other programme file
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The first month
    #[arg(long, value_name = "YYYY-MM", value_parser = period)]
    from: Period,
    /// The last month
    #[arg(long, value_name = "YYYY-MM", value_parser = period)]
    through: Period,
}

impl From<SimulateError> for CliError {
    fn from(error: SimulateError) -> Self {
        let text = error.to_string();
        match error {
            SimulateError::Backwards { .. } | SimulateError::Successor(_) => Self::Input(text),
            SimulateError::Settle(error) => error.into(),
            SimulateError::SettleAnew(error) if error.is_input() => Self::Input(text),
            SimulateError::ReviewAnew(review) => match Self::from(review) {
                Self::Input(_) => Self::Input(text),
                Self::Places(_) | Self::Failed(_) => Self::Failed(text),
            },
            SimulateError::SettleAnew(_) => Self::Failed(text),
        }
    }
}

pub(crate) async fn run(at: &At, args: SimulateArgs) -> Result<(), CliError> {
    let (programme, source) = load(&args.program)?;
    let books = at.books().await?;
    let request = Request { programme: &programme, source: &source, from: args.from, through: args.through, now: at.now };
    let simulation = simulate::simulate(&books, &request).await?;
    let totals = totals(&simulation)?;
    if at.json { output::json(&document(&simulation, &totals)) } else { output::text(&text(&simulation, &totals)) }
}

type Totals = BTreeMap<Currency, (Earned, Earned)>;

fn totals(simulation: &Simulation) -> Result<Totals, CliError> {
    let mut totals = Totals::new();
    for Difference { currency, before, after, .. } in &simulation.differences {
        let total = totals.entry(*currency).or_default();
        let too_much = |_| CliError::Failed(format!("the {currency} of the range add up to more than an amount can be"));
        *total = (total.0.plus(*before).map_err(too_much)?, total.1.plus(*after).map_err(too_much)?);
    }
    Ok(totals)
}

fn document(simulation: &Simulation, totals: &Totals) -> Value {
    let figures = |currency: Currency, before: i64, after: i64| {
        let text = |minor| currency.format_minor(minor);
        json!({ "before": text(before), "after": text(after), "difference": text(after - before) })
    };
    let both = |currency: Currency, before: &Earned, after: &Earned| {
        (figures(currency, before.cash_minor, after.cash_minor), figures(currency, before.coop_minor, after.coop_minor))
    };
    let partner = |difference: &Difference| {
        let (cash, coop) = both(difference.currency, &difference.before, &difference.after);
        let tier = json!({ "before": difference.tier_before.as_deref(), "after": difference.tier_after.as_deref() });
        json!({ "partner": &*difference.partner, "currency": difference.currency.code(), "cash": cash, "coop": coop, "tier": tier })
    };
    let total = |(currency, (before, after)): (&Currency, &(Earned, Earned))| {
        let (cash, coop) = both(*currency, before, after);
        json!({ "currency": currency.code(), "cash": cash, "coop": coop })
    };
    json!({
        "program": simulation.program, "from": simulation.from.to_string(), "through": simulation.through.to_string(),
        "not_final": simulation.open.iter().map(Period::to_string).collect::<Vec<_>>(),
        "partners": simulation.differences.iter().map(partner).collect::<Vec<_>>(),
        "totals": totals.iter().map(total).collect::<Vec<_>>(),
    })
}

const HEADS: [&str; 7] = ["partner", "currency", "now", "then", "difference", "co-op difference", "tier"];
const RIGHT: [bool; 7] = [false, false, true, true, true, true, false];

fn text(simulation: &Simulation, totals: &Totals) -> String {
    let Simulation { program, from, through, differences, open } = simulation;
    let mut rows: Vec<Vec<String>> = differences.iter().filter(|difference| difference.is_one()).map(row).collect();
    let same = differences.len() - rows.len();
    let all = totals.iter().map(|(currency, (before, after))| cells("all", *currency, before, after, String::new()));
    rows.extend(all);
    let head = format!(
        "programme {program}, {from} to {through}: {} of {} settled partners and currencies would differ\n\
         cash as it is now, and as it would be then\n\n",
        differences.len() - same,
        differences.len()
    );
    let open = match open.as_slice() {
        [] => String::new(),
        [first, .., last] if open.len() > 2 => format!("{first} … {last} ({} months)", open.len()),
        few => few.iter().map(Period::to_string).collect::<Vec<_>>().join(", "),
    };
    let open = if open.is_empty() { open } else { format!("\nnot final, so that both sides are previews: {open}\n") };
    head + &output::table(&HEADS, &RIGHT, &rows) + &open
}

fn row(difference: &Difference) -> Vec<String> {
    let Difference { partner, currency, before, after, tier_before, tier_after } = difference;
    let name = |tier: &Option<Text>| tier.as_deref().unwrap_or("–").to_owned();
    let tier = if tier_before == tier_after { name(tier_before) } else { format!("{} → {}", name(tier_before), name(tier_after)) };
    cells(partner, *currency, before, after, tier)
}

fn cells(partner: &str, currency: Currency, before: &Earned, after: &Earned, tier: String) -> Vec<String> {
    let text = |minor| currency.format_minor(minor);
    let signed = |minor: i64| if minor > 0 { format!("+{}", text(minor)) } else { text(minor) };
    vec![
        partner.to_owned(),
        currency.code().to_owned(),
        text(before.cash_minor),
        text(after.cash_minor),
        signed(after.cash_minor - before.cash_minor),
        signed(after.coop_minor - before.coop_minor),
        tier,
    ]
}
