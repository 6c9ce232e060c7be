//! Queries whose rows are errors.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::error::{ERRORS_MAX, Findings, ImportError};
use super::stage::line_number;
use crate::sql;

/// A query that finds what is wrong.
#[derive(Debug)]
pub(crate) struct Blame<'a> {
    /// The column to blame; "" for the whole row.
    pub(crate) column: &'static str,
    /// What is selected: the line first.
    pub(crate) select: &'a str,
    /// `FROM … WHERE …`.
    pub(crate) from: &'a str,
    /// In which order.
    pub(crate) order: &'a str,
    /// What its `?` stand for.
    pub(crate) values: Vec<Value>,
}

/// Adds an error for each row, keeping few and counting all; says whether there was any.
pub(crate) async fn blame<C: ConnectionTrait>(
    db: &C,
    findings: &mut Findings,
    query: Blame<'_>,
    reason: impl Fn(&QueryResult) -> Result<String, DbErr>,
) -> Result<bool, DbErr> {
    let text = format!("SELECT {} {} ORDER BY {} LIMIT {ERRORS_MAX}", query.select, query.from, query.order);
    let rows = sql::rows(db, &text, query.values.clone()).await?;
    for row in &rows {
        let column = Some(query.column.to_owned()).filter(|column| !column.is_empty());
        findings.push(ImportError { line: line_number(row.try_get_by_index(0)?), column, reason: reason(row)? });
    }
    if rows.len() == ERRORS_MAX {
        let all = sql::row(db, &format!("SELECT COUNT(*) FROM (SELECT {} {}) AS everything", query.select, query.from), query.values).await?;
        let all: i64 = all.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        findings.count_more(line_number(all).saturating_sub(u64::try_from(ERRORS_MAX).unwrap_or(u64::MAX)));
    }
    Ok(!rows.is_empty())
}
