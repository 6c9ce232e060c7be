//! `verify`.

use std::process::ExitCode;

use clap::Args;

use super::{At, CliError};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {}

pub(crate) async fn run(_at: &At, _args: VerifyArgs) -> Result<ExitCode, CliError> {
    Err(CliError::Failed("not built yet".into()))
}
