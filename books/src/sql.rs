//! Statements in either database: written once with `?`, sent with `$1 …` to PostgreSQL.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

/// A statement whose `?` stand for `values`, in order.
///
/// The text is ours and fixed: a `?` in it is always a place for a value, never part of a literal.
#[must_use]
pub fn statement(backend: DbBackend, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(backend, numbered(backend, text), values)
}

/// Runs a statement and returns how many rows it changed.
///
/// # Errors
/// What the database says.
pub async fn execute<C: ConnectionTrait>(db: &C, text: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, DbErr> {
    let statement = statement(db.get_database_backend(), text, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// All rows of a query.
///
/// # Errors
/// What the database says.
pub async fn rows<C: ConnectionTrait>(db: &C, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>, DbErr> {
    let statement = statement(db.get_database_backend(), text, values);
    db.query_all_raw(statement).await
}

/// The first row of a query, if any.
///
/// # Errors
/// What the database says.
pub async fn row<C: ConnectionTrait>(db: &C, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Option<QueryResult>, DbErr> {
    let statement = statement(db.get_database_backend(), text, values);
    db.query_one_raw(statement).await
}

/// `(?, ?), (?, ?) …`: the places of a multi-row insertion.
#[must_use]
pub fn places(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row.as_str(); rows].join(", ")
}

/// The condition that two expressions of 64 bits add up to one: SQLite would make an approximation of what does not fit, in silence.
#[must_use]
pub fn sum_fits(before: &str, added: &str) -> String {
    let largest = i64::MAX;
    format!("CASE WHEN {added} >= 0 THEN {before} <= {largest} - {added} ELSE {before} >= -{largest} - {added} END")
}

fn numbered(backend: DbBackend, text: &str) -> String {
    if backend != DbBackend::Postgres {
        return text.to_owned();
    }
    let mut numbered = String::with_capacity(text.len() + 16);
    let mut pieces = text.split('?');
    numbered.push_str(pieces.next().unwrap_or_default());
    for (index, piece) in pieces.enumerate() {
        numbered.push('$');
        numbered.push_str(&(index + 1).to_string());
        numbered.push_str(piece);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_for_postgres_only() {
        let text = "UPDATE t SET a = ? WHERE b = ?";
        assert_eq!(numbered(DbBackend::Postgres, text), "UPDATE t SET a = $1 WHERE b = $2");
        assert_eq!(numbered(DbBackend::Sqlite, text), text);
    }

    #[test]
    fn places_of_rows() {
        assert_eq!(places(2, 3), "(?, ?, ?), (?, ?, ?)");
    }
}
