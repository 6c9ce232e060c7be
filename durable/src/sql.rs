//! Statements in either database: written once with `?`, sent with `$1 …` to PostgreSQL.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

/// Runs a statement and returns how many rows it changed.
pub(crate) async fn execute<C: ConnectionTrait>(db: &C, text: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, DbErr> {
    let statement = statement(db.get_database_backend(), text, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// All rows of a query.
pub(crate) async fn rows<C: ConnectionTrait>(db: &C, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>, DbErr> {
    let statement = statement(db.get_database_backend(), text, values);
    db.query_all_raw(statement).await
}

/// The first row of a query, if any.
pub(crate) async fn row<C: ConnectionTrait>(db: &C, text: &str, values: impl IntoIterator<Item = Value>) -> Result<Option<QueryResult>, DbErr> {
    let statement = statement(db.get_database_backend(), text, values);
    db.query_one_raw(statement).await
}

/// `?, ?, …`: places for so many values.
pub(crate) fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn statement(backend: DbBackend, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(backend, numbered(backend, text), values)
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
