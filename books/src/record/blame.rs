//! Queries whose rows are errors.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::error::{Findings, ImportError};
use super::stage::line_number;
use crate::sql;

/// A query that finds what is wrong.
#[derive(Debug)]
pub(crate) struct Blame<'a> {
    /// The column to blame; "" for the whole row.
    pub(crate) column: &'static str,
    /// What is selected of rows `s`: the line first.
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
    let max = findings.max();
    let text = format!("SELECT {}, s.place AS place_in_line {} ORDER BY {} LIMIT {max}", query.select, query.from, query.order);
    let rows = sql::rows(db, &text, query.values.clone()).await?;
    for row in &rows {
        let place: Option<String> = row.try_get("", "place_in_line")?;
        findings.push(ImportError {
            line: line_number(row.try_get_by_index(0)?),
            column: column_at(place.as_deref(), query.column),
            reason: reason(row)?,
        });
    }
    if rows.len() == max {
        let all = sql::row(db, &format!("SELECT COUNT(*) FROM (SELECT {} {}) AS everything", query.select, query.from), query.values).await?;
        let all: i64 = all.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        findings.count_more(line_number(all).saturating_sub(u64::try_from(max).unwrap_or(u64::MAX)));
    }
    Ok(!rows.is_empty())
}

/// A column as an error names it: after the JSON path of the row where that is not a whole line, which is all of the place where it
/// does not end with ".".
pub(crate) fn column_at(place: Option<&str>, column: &str) -> Option<String> {
    match place {
        None | Some("") => Some(column.to_owned()).filter(|column| !column.is_empty()),
        Some(path) if path.ends_with('.') => Some(format!("{path}{column}")),
        Some(path) => Some(path.to_owned()),
    }
}
