//! `export`.

use std::process::ExitCode;

use clap::Args;

use super::{At, CliError};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {}

pub(crate) async fn run(_at: &At, _args: ExportArgs) -> Result<ExitCode, CliError> {
    Err(CliError::Failed("not built yet".into()))
}
