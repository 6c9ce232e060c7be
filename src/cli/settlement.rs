//! `settlement list` and `settlement show`.

use books::statements;
use clap::{Args, Subcommand};
use program::calendar::Period;

use super::settle::period;
use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct SettlementArgs {
    #[command(subcommand)]
    command: SettlementCommand,
}

#[derive(Debug, Subcommand)]
enum SettlementCommand {
    /// All settlements, or those of a programme, period or partner
    List {
        #[arg(long)]
        program: Option<String>,
        #[arg(long, value_parser = period)]
        period: Option<Period>,
        #[arg(long)]
        partner: Option<String>,
    },
    /// One settlement
    Show {
        #[arg(long)]
        program: String,
        #[arg(long)]
        partner: String,
        #[arg(long, value_parser = period)]
        period: Period,
        /// Which currency, if the member has settlements in several
        #[arg(long)]
        currency: Option<String>,
    },
}

pub(crate) async fn run(at: &At, args: SettlementArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    match args.command {
        SettlementCommand::List { program, period, partner } => {
            let found = statements::list(&tx, program.as_deref(), period, partner.as_deref()).await?;
            tx.rollback().await?;
            if at.json {
                let list: Vec<_> = found.iter().map(statements::StoredSettlement::head_json).collect();
                return output::json(&serde_json::json!({ "settlements": list }));
            }
            output::text(&statements::summary_table(&found, &output::table))
        }
        SettlementCommand::Show { program, partner, period, currency } => {
            let found: Vec<_> = statements::of_partner(&tx, &program, &partner, period).await?;
            tx.rollback().await?;
            let found: Vec<_> = found.into_iter().filter(|s| currency.as_deref().is_none_or(|c| s.settlement.currency.code() == c)).collect();
            let [settlement] = found.as_slice() else {
                let currencies: Vec<&str> = found.iter().map(|s| s.settlement.currency.code()).collect();
                return Err(CliError::Input(if currencies.is_empty() {
                    format!("{partner} has no settlement in {program} for {period}")
                } else {
                    format!("{partner} has settlements in {} for {period}; name one with --currency", currencies.join(", "))
                }));
            };
            if at.json {
                return output::json(&settlement.json());
            }
            output::text(&statements::lines_table(settlement, &output::table))
        }
    }
}
