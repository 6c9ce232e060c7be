//! What only merged rows can show: checks over the groups that a recording touched, in its transaction.

mod circle;
mod credits;
mod history;
mod invoices;
mod items;
pub(crate) mod members;
mod metrics;
mod refunds;
mod usage;
mod voidables;
pub(crate) mod voiding;

use sea_orm::{DatabaseTransaction, DbErr, QueryResult, Value};

use super::blame::{Blame, blame};
use super::error::{Findings, RecordError};
use super::stage::Stage;
use crate::load::row::LoadError;
use crate::sql;

/// Rows of one kind that were just merged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merged<'a> {
    pub(crate) tx: &'a DatabaseTransaction,
    pub(crate) stage: &'a Stage,
    /// The recording that brought them.
    pub(crate) seq: i64,
}

impl Merged<'_> {
    /// The staging table.
    fn staged(&self) -> &'static str {
        self.stage.name
    }

    async fn rows(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>, DbErr> {
        sql::rows(self.tx, text, values).await
    }

    /// Adds an error for each row of `from`; `select` begins with the line.
    async fn blame(
        &self,
        findings: &mut Findings,
        column: &'static str,
        (select, from): (&str, &str),
        reason: impl Fn(&QueryResult) -> Result<String, DbErr>,
    ) -> Result<bool, DbErr> {
        blame(self.tx, findings, Blame { column, select, from, order: "1", values: Vec::new() }, reason).await
    }
}

/// Looks at what a recording merged.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    match merged.stage.kind.name {
        "partners" | "memberships" => members::check(merged, findings).await,
        "tiers" => history::check_tiers(merged, "effective_from", findings).await,
        "parents" => history::check_parents(merged, findings).await,
        "statuses" => history::check_open(merged, history::NEW, "s.effective_from", "effective_from", findings).await,
        "invoices" => invoices::check(merged, findings).await,
        "invoice_items" => items::check(merged, findings).await,
        "credits" => credits::check(merged, findings).await,
        "refunds" => refunds::check(merged, findings).await,
        "metrics" => metrics::check(merged, findings).await,
        _ => Ok(()),
    }
}

/// A text of a row.
fn text(row: &QueryResult, index: usize) -> Result<String, DbErr> {
    row.try_get_by_index(index)
}

/// What a loader says, as recording says it.
fn of_load(error: LoadError) -> RecordError {
    match error {
        LoadError::Database(error) => RecordError::Database(error),
        other @ (LoadError::Corrupt { .. } | LoadError::BalanceTooLarge { .. } | LoadError::NoProgram(_) | LoadError::Version { .. }) => {
            RecordError::Corrupt(other.to_string())
        }
    }
}
