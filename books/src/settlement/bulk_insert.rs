//! Inserts many rows a statement.

use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use crate::load::row::LoadError;

/// Values of one statement stay well under SQLite's limit of 32 766.
const VALUES_AT_ONCE: usize = 4_000;

/// What a column has by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByDefault {
    /// 0
    Zero,
    /// ''
    Empty,
    /// NULL, of a column of numbers
    NoNumber,
    /// NULL, of a column of text
    NoText,
}

impl ByDefault {
    fn value(self) -> Value {
        match self {
            Self::Zero => 0_i64.into(),
            Self::Empty => "".into(),
            Self::NoNumber => None::<i64>.into(),
            Self::NoText => None::<String>.into(),
        }
    }
}

/// How a column of a statement's rows gets its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// By the schema's default.
    Default,
    /// One value for all rows.
    Shared,
    /// A value a row.
    Each,
}

/// Inserts rows, many a statement; while the database works on one statement, the next is made.
///
/// Nothing else may be asked of the transaction between the first [`push`](Self::push) and [`finish`](Self::finish).
///
/// Binding a value costs about as much as storing it: a column in which all rows of a statement agree is bound once, and left out where the
/// schema puts the same there by default.
pub struct RowWriter<'a> {
    tx: &'a DatabaseTransaction,
    table: &'a str,
    columns: &'a [&'a str],
    defaults: &'a [(&'a str, ByDefault)],
    /// Columns with one value in all rows, beside `columns`.
    fixed: Vec<(&'a str, Value)>,
    at_once: usize,
    values: Vec<Value>,
    rows: usize,
    running: Option<BoxFuture<'a, Result<u64, LoadError>>>,
}

impl<'a> RowWriter<'a> {
    /// Into some columns of a table, some of which have a default in the schema.
    #[must_use]
    pub fn new(tx: &'a DatabaseTransaction, table: &'a str, columns: &'a [&'a str], defaults: &'a [(&'a str, ByDefault)]) -> Self {
        let at_once = (VALUES_AT_ONCE / columns.len().max(1)).max(1);
        Self { tx, table, columns, defaults, fixed: Vec::new(), at_once, values: Vec::new(), rows: 0, running: None }
    }

    /// Also gives a column one value in all rows.
    #[must_use]
    pub fn with(mut self, column: &'a str, value: impl Into<Value>) -> Self {
        self.fixed.push((column, value.into()));
        self
    }

    /// How each column of the rows at hand is bound.
    fn binding(&self) -> Vec<Binding> {
        let width = self.columns.len();
        let of = |(place, column): (usize, &&str)| {
            let mut values = self.values.iter().skip(place).step_by(width);
            let first = values.next();
            if values.any(|value| Some(value) != first) {
                return Binding::Each;
            }
            let default = self.defaults.iter().find(|(name, _)| name == column).map(|(_, default)| default.value());
            if default.as_ref() == first { Binding::Default } else { Binding::Shared }
        };
        self.columns.iter().enumerate().map(of).collect()
    }

    /// Takes a row.
    ///
    /// # Errors
    /// The database failed on a row taken before.
    pub async fn push(&mut self, row: impl IntoIterator<Item = Value>) -> Result<(), LoadError> {
        self.values.extend(row);
        self.rows += 1;
        if self.rows >= self.at_once { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), LoadError> {
        if let Some(running) = self.running.take() {
            running.await?;
        }
        let backend = ConnectionTrait::get_database_backend(self.tx);
        let binding = self.binding();
        let fixed: Vec<&str> = self.fixed.iter().map(|(column, _)| *column).collect();
        let text = insertion(backend, self.table, &fixed, self.columns, &binding, self.rows);
        let all = std::mem::replace(&mut self.values, Vec::with_capacity(self.at_once * self.columns.len()));
        let width = self.columns.len();
        let shared: Vec<Value> =
            all.iter().take(width).zip(&binding).filter(|(_, binding)| **binding == Binding::Shared).map(|(value, _)| value.clone()).collect();
        let mut values: Vec<Value> =
            all.into_iter().zip(binding.iter().cycle()).filter(|(_, binding)| **binding == Binding::Each).map(|(value, _)| value).collect();
        values.extend(self.fixed.iter().map(|(_, value)| value.clone()).chain(shared));
        self.rows = 0;
        let tx = self.tx;
        let mut statement: BoxFuture<'a, _> = Box::pin(async move {
            let statement = Statement::from_sql_and_values(backend, text, values);
            Ok(tx.execute_raw(statement).await?.rows_affected())
        });
        // The first poll hands the statement to the database; the result is awaited before the next.
        match futures::poll!(&mut statement) {
            std::task::Poll::Ready(result) => {
                result?;
            }
            std::task::Poll::Pending => self.running = Some(statement),
        }
        Ok(())
    }

    /// Waits for what was taken.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finish(mut self) -> Result<(), LoadError> {
        if self.rows > 0 {
            self.send().await?;
        }
        if let Some(running) = self.running.take() {
            running.await?;
        }
        Ok(())
    }
}

/// Inserts rows, many a statement.
///
/// # Errors
/// The database failed.
pub async fn insert_rows(tx: &DatabaseTransaction, table: &str, columns: &[&str], all: Vec<Vec<Value>>) -> Result<(), LoadError> {
    let mut writer = RowWriter::new(tx, table, columns, &[]);
    for row in all {
        writer.push(row).await?;
    }
    writer.finish().await
}

/// `INSERT` whose parameters are the rows' own values in order, then the shared ones, which are named by their number.
fn insertion(backend: DbBackend, table: &str, fixed: &[&str], columns: &[&str], binding: &[Binding], rows: usize) -> String {
    let of = |wanted: Binding| columns.iter().zip(binding).filter(move |(_, binding)| **binding == wanted).map(|(column, _)| *column);
    let (shared, each): (Vec<&str>, Vec<&str>) = (fixed.iter().copied().chain(of(Binding::Shared)).collect(), of(Binding::Each).collect());
    let postgres = backend == DbBackend::Postgres;
    // A failure ends the transaction anyway, so SQLite need not be able to take back one statement of it.
    let insert = if postgres { "INSERT" } else { "INSERT OR FAIL" };
    let mut text = format!("{insert} INTO {table} ({}) VALUES ", [shared.as_slice(), each.as_slice()].concat().join(", "));
    let all = rows * each.len();
    let head = (1..=shared.len()).map(|number| format!("${}", all + number)).collect::<Vec<_>>().join(", ");
    let mut next = 0;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { "), (" });
        text.push_str(&head);
        for place in 0..each.len() {
            if place > 0 || !shared.is_empty() {
                text.push_str(", ");
            }
            next += 1;
            if postgres {
                text.push_str(&format!("${next}"));
            } else {
                text.push('?');
            }
        }
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_rows_share_is_bound_once() {
        let (columns, binding) = (["a", "b", "c", "d"], [Binding::Each, Binding::Shared, Binding::Default, Binding::Each]);
        assert_eq!(insertion(DbBackend::Sqlite, "t", &[], &columns, &binding, 2), "INSERT OR FAIL INTO t (b, a, d) VALUES ($5, ?, ?), ($5, ?, ?)");
        assert_eq!(
            insertion(DbBackend::Postgres, "t", &["z"], &columns, &binding, 2),
            "INSERT INTO t (z, b, a, d) VALUES ($5, $6, $1, $2), ($5, $6, $3, $4)"
        );
        let each = [Binding::Each; 4];
        assert_eq!(insertion(DbBackend::Sqlite, "t", &[], &columns, &each, 1), "INSERT OR FAIL INTO t (a, b, c, d) VALUES (?, ?, ?, ?)");
    }
}
