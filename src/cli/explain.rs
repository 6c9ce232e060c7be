//! `explain`: every line of an invoice, and why a rule did not pay.

use std::process::ExitCode;

use books::explain::{self, ExplainError, Explanation};
use clap::Args;

use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The invoice
    #[arg(long)]
    invoice: String,
}

pub(crate) async fn run(at: &At, args: ExplainArgs) -> Result<ExitCode, CliError> {
    let told = tell(at, &args.invoice).await?;
    if at.json {
        let document = serde_json::to_value(&told).map_err(|error| CliError::Failed(format!("the explanation can't be written: {error}")))?;
        output::json(&document)?;
    } else {
        output::text(&explain::text::text(&told))?;
    }
    if told.agrees {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: what is posted of {} is not what comes out when it is computed again", args.invoice);
    Ok(ExitCode::FAILURE)
}

/// Reads first; only what no period booked yet needs a preview, which takes the write lock and is rolled back.
async fn tell(at: &At, invoice: &str) -> Result<Explanation, CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let told = explain::explain(&tx, invoice, at.now, false).await;
    tx.rollback().await?;
    let told = told.map_err(failed)?;
    if !told.awaits_preview {
        return Ok(told);
    }
    let tx = books.begin_write().await?;
    let told = explain::explain(&tx, invoice, at.now, true).await;
    tx.rollback().await?;
    told.map_err(failed)
}

fn failed(error: ExplainError) -> CliError {
    match error {
        ExplainError::Load(error) => error.into(),
        ExplainError::Settle(error) => error.into(),
        unknown @ ExplainError::Unknown { .. } => CliError::Input(unknown.to_string()),
    }
}
