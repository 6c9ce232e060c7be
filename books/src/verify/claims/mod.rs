//! Claims: what they hold and capture, who approved them, and that what was approved is what was executed (invariants 5 and 20–22;
//! domain.md §6).

mod approvals;
mod digests;
mod holds;

use super::finding::Invariant;
use super::scan::Scan;
use crate::load::row::LoadError;

/// A query, what its columns are called, and what is wrong with its rows.
type Rule = (Invariant, &'static str, &'static [&'static str], &'static str);

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (invariant, query, keys, what) in holds::RULES.into_iter().chain(approvals::RULES) {
        scan.offending(invariant, query, keys, what).await?;
    }
    digests::check(scan).await
}
