//! `verify`: checks every invariant of the books.

use std::process::ExitCode;

use clap::Args;

use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {}

pub(crate) async fn run(at: &At, _args: VerifyArgs) -> Result<ExitCode, CliError> {
    let books = at.books().await?;
    let report = crate::verify::verify(&books, at.now).await?;
    if at.json {
        output::json(&report.json())?;
    } else {
        output::text(&report.text())?;
    }
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
