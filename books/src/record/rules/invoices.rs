//! Invoices keep to the currency of their deals (domain.md §3.5).

use super::{Merged, text};
use crate::record::error::{Findings, RecordError};
use crate::record::stage::LOOKED_AT;

/// That an invoice's currency is its deal's, and that of its items' deals.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    // A staged row that names no deal brings none.
    let from =
        format!("FROM {} s JOIN deals d ON d.id = s.deal WHERE s.deal IS NOT NULL AND {LOOKED_AT} AND d.currency <> s.currency", merged.staged());
    merged
        .blame(findings, "currency", ("s.line, s.currency, s.deal, d.currency", &from), |row| {
            Ok(format!(
                "the invoice is in {}, its deal {:?} in {}; an invoice's currency must be its deal's",
                text(row, 1)?,
                text(row, 2)?,
                text(row, 3)?
            ))
        })
        .await?;
    Ok(())
}
