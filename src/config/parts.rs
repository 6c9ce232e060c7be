//! Parts that are read alone: whoever gives a command need not know all that the service does, nor its secrets.

use std::path::Path;

use super::layers::Layers;
use super::payouts::{self, Account};
use super::{ConfigErrors, Database, Files, Holds, Pain001, Statements, checked, environment, found, written};

/// Reads what `read` asks for; of the files that hold a value, those of keys under `private` alone are opened.
fn part<T>(file: Option<&Path>, private: Option<&str>, read: impl FnOnce(&mut Layers) -> Option<T>) -> Result<T, ConfigErrors> {
    let mut layers = written(found(file).as_deref(), environment());
    if let Some(prefix) = private {
        layers.open_files(prefix);
    }
    let part = read(&mut layers);
    checked(layers, part)
}

impl Database {
    /// Reads `[database]` alone, as [`super::Config::load`] would.
    ///
    /// # Errors
    /// [`ConfigErrors`] with what is wrong with `[database]`, or with the way in which anything is written.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        part(file, Some("database."), super::database)
    }
}

impl Files {
    /// Reads `[files]` alone, as [`super::Config::load`] would.
    ///
    /// # Errors
    /// As [`Database::load`], of `[files]`.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        part(file, None, super::files)
    }
}

impl Statements {
    /// Reads `[statements]` alone, as [`super::Config::load`] would.
    ///
    /// # Errors
    /// As [`Database::load`], of `[statements]`.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        part(file, None, super::statements)
    }
}

impl Holds {
    /// Reads of `[payouts]` what holds payouts alone, as [`super::Config::load`] would.
    ///
    /// # Errors
    /// As [`Database::load`], of these keys.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        part(file, None, payouts::holds)
    }
}

impl Pain001 {
    /// Reads the account that pays alone, as [`super::Config::load`] would; `None` where another adapter pays.
    ///
    /// # Errors
    /// As [`Database::load`], of `payouts.adapter` and `[payouts.pain001]`.
    pub fn load(file: Option<&Path>) -> Result<Option<Self>, ConfigErrors> {
        Ok(match part(file, None, payouts::account)? {
            Account::Bank(account) => Some(account),
            Account::None => None,
        })
    }
}
