//! Metrics that every programme calls a number: the same number is the same value, however it is written (domain.md §2.7).
//!
//! Rows take over the notation of what they repeat, so that comparing texts compares numbers.

use std::collections::BTreeMap;

use program::condition::MetricKind;
use program::exact::Exact;
use sea_orm::ConnectionTrait;

use super::check::same_row;
use super::error::RecordError;
use super::stage::Stage;
use crate::sql;

/// Rows looked at together.
const ROWS_AT_ONCE: i64 = 500;

/// Rows that repeat an earlier one of the file, first of its fact in `{stage}_doubled`, take over its notation.
pub(crate) async fn as_in_file<C: ConnectionTrait>(db: &C, stage: &Stage) -> Result<(), RecordError> {
    let name = stage.name;
    let same = stage.kind.identity.iter().map(|field| format!("s.{field} = d.{field}")).collect::<Vec<_>>().join(" AND ");
    let other = format!("{name}_doubled d JOIN {name} m ON m.n = d.first JOIN {name} s ON {same} AND s.bad = 0 AND s.n <> d.first");
    take_over(db, stage, &other).await
}

/// Rows that repeat what the books have take over its notation.
pub(crate) async fn as_in_books<C: ConnectionTrait>(db: &C, stage: &Stage) -> Result<(), RecordError> {
    let other = stage.kind.tables.iter().map(|table| format!("{} s JOIN {} m ON {}", stage.name, table.name, same_row(table)));
    for other in other {
        take_over(db, stage, &other).await?;
    }
    Ok(())
}

/// Of joined rows, staged ones `s` take over the value of `m` where it is the same number.
async fn take_over<C: ConnectionTrait>(db: &C, stage: &Stage, joined: &str) -> Result<(), RecordError> {
    if stage.kind.name != "metrics" {
        return Ok(());
    }
    let page = format!("SELECT s.n, s.metric, s.value, m.value FROM {joined} WHERE s.value <> m.value AND s.n > ? ORDER BY s.n LIMIT {ROWS_AT_ONCE}");
    let mut numbers = None;
    let mut after = 0_i64;
    loop {
        let rows = sql::rows(db, &page, [after.into()]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let numbers = match &mut numbers {
            Some(numbers) => numbers,
            none @ None => none.insert(declared_numbers(db).await?),
        };
        for row in rows {
            after = row.try_get_by_index(0)?;
            let (metric, given, other): (String, String, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?);
            if numbers.get(&metric) == Some(&true) && is_same(&given, &other) {
                sql::execute(db, &format!("UPDATE {} SET value = ? WHERE n = ?", stage.name), [other.into(), after.into()]).await?;
            }
        }
    }
}

fn is_same(given: &str, other: &str) -> bool {
    matches!((given.parse::<Exact>(), other.parse::<Exact>()), (Ok(given), Ok(other)) if given == other)
}

/// The declared metrics, and whether all versions of all programmes that declare one call it a number.
async fn declared_numbers<C: ConnectionTrait>(db: &C) -> Result<BTreeMap<String, bool>, RecordError> {
    let mut numbers: BTreeMap<String, bool> = BTreeMap::new();
    for row in sql::rows(db, "SELECT program, number, source FROM program_versions ORDER BY program, number", []).await? {
        let (program, number, source): (String, i64, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let version = program::file::load(&program, &source)
            .map_err(|errors| RecordError::Corrupt(format!("version {number} of programme {program}, which can't be read: {errors}")))?;
        for (metric, kind) in version.metrics {
            let is_number = kind == MetricKind::Number;
            numbers.entry(metric).and_modify(|all| *all &= is_number).or_insert(is_number);
        }
    }
    Ok(numbers)
}
