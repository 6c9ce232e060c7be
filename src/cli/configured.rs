//! The configuration, for commands that must do as the service does.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::config::{Config, ConfigErrors, Files};

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration that the service has; else tributary.toml in the working directory, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads `[files]` of it alone, under the environment.
    pub(crate) fn files(&self) -> Result<Files, CliError> {
        Ok(Files::load(self.config.as_deref())?)
    }

    /// Reads it, under the environment.
    pub(crate) fn load(&self) -> Result<Config, CliError> {
        Ok(Config::load(self.config.as_deref())?)
    }
}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Input(errors.to_string())
    }
}
