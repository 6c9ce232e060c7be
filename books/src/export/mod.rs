//! The books in the formats of other programs, read-only.

pub mod accounts;
pub mod accruals;
pub mod beancount;
pub mod cells;
pub mod earnings;
pub mod hledger;
pub mod journal;
pub mod json;
pub mod payouts;

/// What ends an export early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] crate::load::row::LoadError),
    /// A preview of what is not settled yet failed.
    #[error(transparent)]
    Settle(#[from] crate::settlement::SettleError),
    /// An account of the ledger has no place in a journal.
    #[error(transparent)]
    Account(#[from] accounts::UnknownAccount),
    /// The reader went away or the disk is full.
    #[error("the export can't be written: {0}")]
    Write(#[from] std::io::Error),
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] program::exact::Overflow),
}

impl From<sea_orm::DbErr> for ExportError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}
