//! `settle`: makes periods final, or previews them.

use books::settlement::run::{self, Target};
use books::statements;
use clap::Args;
use program::calendar::Period;

use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// The programme
    #[arg(long)]
    program: String,
    /// One period, YYYY-MM; those before it must be final
    #[arg(long, value_parser = period, conflicts_with = "through", required_unless_present = "through")]
    period: Option<Period>,
    /// All open periods through this one, in order
    #[arg(long, value_parser = period)]
    through: Option<Period>,
    /// Compute only; nothing is stored
    #[arg(long)]
    preview: bool,
    /// Only this partner's settlements are printed
    #[arg(long, requires = "preview")]
    partner: Option<String>,
}

/// Reads a period argument.
pub(crate) fn period(text: &str) -> Result<Period, String> {
    text.parse().map_err(|error: program::calendar::CalendarError| error.to_string())
}

pub(crate) async fn run(at: &At, args: SettleArgs) -> Result<(), CliError> {
    let target = match (args.period, args.through) {
        (Some(period), _) => Target::Period(period),
        (None, Some(period)) => Target::Through(period),
        (None, None) => return Err(CliError::Input("name a period with --period or --through".into())),
    };
    let books = at.books().await?;
    let settlements = if args.preview { preview(at, &books, &args, target).await? } else { settle(at, &books, &args.program, target).await? };
    if at.json {
        let list: Vec<_> = settlements.iter().map(statements::StoredSettlement::json).collect();
        return output::json(&serde_json::json!({ "settlements": list }));
    }
    output::text(&statements::summary_table(&settlements, &output::table))
}

async fn settle(at: &At, books: &books::connection::Books, program: &str, target: Target) -> Result<Vec<statements::StoredSettlement>, CliError> {
    let tx = books.begin_read().await?;
    let open = run::open_periods(&tx, program, target, Some(at.now)).await?;
    tx.rollback().await?;
    for &period in &open {
        run::settle_period(books, program, period, at.now).await?;
    }
    let print = match target {
        Target::Period(period) => vec![period],
        Target::Through(_) => open,
    };
    let tx = books.begin_read().await?;
    let mut settlements = Vec::new();
    for period in print {
        settlements.extend(statements::of_period(&tx, program, period).await?);
    }
    tx.rollback().await?;
    Ok(settlements)
}

/// Computes in a transaction that is rolled back: a preview and the real thing are one way.
async fn preview(at: &At, books: &books::connection::Books, args: &SettleArgs, target: Target) -> Result<Vec<statements::StoredSettlement>, CliError> {
    let tx = books.begin_write().await?;
    let result = async {
        let open = run::open_periods(&tx, &args.program, target, None).await?;
        run::settle_within(&tx, &args.program, &open, at.now).await?;
        let print = match target {
            Target::Period(period) => vec![period],
            Target::Through(_) => open.clone(),
        };
        let mut settlements = Vec::new();
        for period in print {
            settlements.extend(statements::of_period(&tx, &args.program, period).await?);
        }
        for settlement in settlements.iter_mut().filter(|settlement| open.contains(&settlement.settlement.period)) {
            settlement.make_draft();
        }
        Ok::<_, CliError>(settlements)
    }
    .await;
    tx.rollback().await?;
    let mut settlements = result?;
    if let Some(partner) = &args.partner {
        settlements.retain(|settlement| &*settlement.settlement.partner == partner.as_str());
    }
    Ok(settlements)
}
