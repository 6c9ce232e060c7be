//! Reads columns of a row into the program's types, naming what can't be read.

use futures::StreamExt;
use program::calendar::{Date, Instant, Period, parse_date};
use program::line::Text;
use program::money::{Currency, Rate};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, StreamTrait, Value};

use crate::sql;

/// A database that fails, or that holds what the product never wrote.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// A stored value can't be read.
    #[error("the database holds {value:?} where {what} is expected; it was changed by something else than tributary")]
    Corrupt {
        /// The value.
        value: String,
        /// What is expected.
        what: &'static str,
    },
    /// The programme is not recorded.
    #[error("programme {0} is not recorded; record a version with `program apply FILE`")]
    NoProgram(String),
    /// A balance would leave the range of its column.
    #[error("{what} in {currency} would come to more than 9,223,372,036,854,775,807 minor units; nothing of it was posted")]
    BalanceTooLarge {
        /// Whose.
        what: String,
        /// The currency.
        currency: Currency,
    },
    /// A stored programme file no longer loads.
    #[error("version {number} of programme {program} can't be read: {reason}")]
    Version {
        /// The programme.
        program: String,
        /// The version.
        number: i64,
        /// Why.
        reason: String,
    },
}

/// A row, read column by column.
#[derive(Debug)]
pub struct Row(QueryResult);

impl Row {
    /// A number.
    ///
    /// # Errors
    /// The column is no number.
    pub fn int(&self, column: usize) -> Result<i64, LoadError> {
        Ok(self.0.try_get_by_index(column)?)
    }

    /// A number or nothing.
    ///
    /// # Errors
    /// The column is no number.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, LoadError> {
        Ok(self.0.try_get_by_index(column)?)
    }

    /// Text.
    ///
    /// # Errors
    /// The column is no text.
    pub fn string(&self, column: usize) -> Result<String, LoadError> {
        Ok(self.0.try_get_by_index(column)?)
    }

    /// Text or nothing.
    ///
    /// # Errors
    /// The column is no text.
    pub fn string_or_null(&self, column: usize) -> Result<Option<String>, LoadError> {
        Ok(self.0.try_get_by_index(column)?)
    }

    /// Shared text.
    ///
    /// # Errors
    /// The column is no text.
    pub fn text(&self, column: usize) -> Result<Text, LoadError> {
        Ok(self.string(column)?.into())
    }

    /// Shared text or nothing.
    ///
    /// # Errors
    /// The column is no text.
    pub fn text_or_null(&self, column: usize) -> Result<Option<Text>, LoadError> {
        Ok(self.string_or_null(column)?.map(Into::into))
    }

    /// Shared text; "" stands for absent.
    ///
    /// # Errors
    /// The column is no text.
    pub fn text_or_empty(&self, column: usize) -> Result<Option<Text>, LoadError> {
        Ok(Some(self.string(column)?).filter(|text| !text.is_empty()).map(Into::into))
    }

    /// A date.
    ///
    /// # Errors
    /// The column is no date.
    pub fn date(&self, column: usize) -> Result<Date, LoadError> {
        let text = self.string(column)?;
        parse_date(&text).map_err(|_| LoadError::Corrupt { value: text, what: "a date" })
    }

    /// A date or nothing.
    ///
    /// # Errors
    /// The column is no date.
    pub fn date_or_null(&self, column: usize) -> Result<Option<Date>, LoadError> {
        self.string_or_null(column)?.map(|text| parse_date(&text).map_err(|_| LoadError::Corrupt { value: text, what: "a date" })).transpose()
    }

    /// A period.
    ///
    /// # Errors
    /// The column is no period.
    pub fn period(&self, column: usize) -> Result<Period, LoadError> {
        let text = self.string(column)?;
        text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "a period" })
    }

    /// An instant.
    ///
    /// # Errors
    /// The column is no number.
    pub fn instant(&self, column: usize) -> Result<Instant, LoadError> {
        Ok(Instant(self.int(column)?))
    }

    /// A currency.
    ///
    /// # Errors
    /// The column is no currency.
    pub fn currency(&self, column: usize) -> Result<Currency, LoadError> {
        let text = self.string(column)?;
        text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "a currency" })
    }

    /// A rate or share.
    ///
    /// # Errors
    /// The column is no rate.
    pub fn rate(&self, column: usize) -> Result<Rate, LoadError> {
        let text = self.string(column)?;
        text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "a rate" })
    }

    /// A rate or nothing.
    ///
    /// # Errors
    /// The column is no rate.
    pub fn rate_or_null(&self, column: usize) -> Result<Option<Rate>, LoadError> {
        self.string_or_null(column)?.map(|text| text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "a rate" })).transpose()
    }
}

/// All rows of a query with `?` placeholders.
///
/// # Errors
/// The database failed.
pub async fn rows(tx: &DatabaseTransaction, text: &str, values: Vec<Value>) -> Result<Vec<Row>, LoadError> {
    let statement = sql::statement(ConnectionTrait::get_database_backend(tx), text, values);
    Ok(tx.query_all_raw(statement).await?.into_iter().map(Row).collect())
}

/// Hands on each row of a query with `?` placeholders as it comes, so that a large result is never held whole.
///
/// # Errors
/// The database failed, or `each` did.
pub async fn each_row<E: From<LoadError> + Send>(
    tx: &DatabaseTransaction,
    text: &str,
    values: Vec<Value>,
    mut each: impl FnMut(Row) -> Result<(), E> + Send,
) -> Result<(), E> {
    let statement = sql::statement(ConnectionTrait::get_database_backend(tx), text, values);
    let mut stream = tx.stream_raw(statement).await.map_err(LoadError::from)?;
    while let Some(row) = stream.next().await {
        each(Row(row.map_err(LoadError::from)?))?;
    }
    Ok(())
}

/// What parts the fields of a packed row: a control character, which no id or text that is taken holds.
const FIELD_END: char = '\u{1f}';

/// One text column that holds several columns, absent ones empty: a row of many columns costs the driver several allocations each.
#[must_use]
pub fn packed(backend: sea_orm::DbBackend, columns: &[&str]) -> String {
    let end = match backend {
        sea_orm::DbBackend::Postgres => "chr(31)",
        sea_orm::DbBackend::Sqlite | sea_orm::DbBackend::MySql | _ => "char(31)",
    };
    let fields: Vec<String> = columns.iter().map(|column| format!("COALESCE(CAST({column} AS TEXT), '')")).collect();
    fields.join(&format!(" || {end} || "))
}

/// The fields of a packed row, in order.
#[derive(Debug)]
pub struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    /// Of a packed text.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self(text.split(FIELD_END))
    }

    /// The next field as text.
    ///
    /// # Errors
    /// There is none.
    pub fn text(&mut self) -> Result<&'a str, LoadError> {
        self.0.next().ok_or(LoadError::Corrupt { value: String::new(), what: "another field of a packed row" })
    }

    /// The next field; "" stands for absent.
    ///
    /// # Errors
    /// There is none.
    pub fn optional(&mut self) -> Result<Option<Text>, LoadError> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()).map(Into::into))
    }

    /// The next field; `None` if it is "".
    ///
    /// # Errors
    /// There is none.
    pub fn optional_str(&mut self) -> Result<Option<&'a str>, LoadError> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    /// The next field, a date.
    ///
    /// # Errors
    /// There is none, or it is no date.
    pub fn date(&mut self) -> Result<Date, LoadError> {
        let text = self.text()?;
        parse_date(text).map_err(|_| LoadError::Corrupt { value: text.to_owned(), what: "a date" })
    }

    /// The next field, a date; "" stands for absent.
    ///
    /// # Errors
    /// There is none, or it is no date.
    pub fn optional_date(&mut self) -> Result<Option<Date>, LoadError> {
        let text = self.optional_str()?;
        text.map(|text| parse_date(text).map_err(|_| LoadError::Corrupt { value: text.to_owned(), what: "a date" })).transpose()
    }

    /// The next field, read as `T`.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn parse<T: std::str::FromStr>(&mut self, what: &'static str) -> Result<T, LoadError> {
        let text = self.text()?;
        text.parse().map_err(|_| LoadError::Corrupt { value: text.to_owned(), what })
    }

    /// The next field, read as `T`; "" stands for absent.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn parse_optional<T: std::str::FromStr>(&mut self, what: &'static str) -> Result<Option<T>, LoadError> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| LoadError::Corrupt { value: text.to_owned(), what })
    }
}

/// The first row of a query with `?` placeholders.
///
/// # Errors
/// The database failed.
pub async fn first_row(tx: &DatabaseTransaction, text: &str, values: Vec<Value>) -> Result<Option<Row>, LoadError> {
    let statement = sql::statement(ConnectionTrait::get_database_backend(tx), text, values);
    Ok(tx.query_one_raw(statement).await?.map(Row))
}

/// Runs a statement with `?` placeholders; the number of rows that it changed.
///
/// # Errors
/// The database failed.
pub async fn execute(tx: &DatabaseTransaction, text: &str, values: Vec<Value>) -> Result<u64, LoadError> {
    let statement = sql::statement(ConnectionTrait::get_database_backend(tx), text, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}
