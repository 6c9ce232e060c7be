//! `explain`.

use std::process::ExitCode;

use clap::Args;

use super::{At, CliError};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {}

pub(crate) async fn run(_at: &At, _args: ExplainArgs) -> Result<ExitCode, CliError> {
    Err(CliError::Failed("not built yet".into()))
}
