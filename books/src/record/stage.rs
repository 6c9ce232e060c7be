//! The temporary table in which rows are checked before they touch the books.

use program::money::Currency;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::blame::{Blame, blame};
use super::error::{Findings, RecordError};
use super::rows::Staged;
use super::shape::{FINEST_EXPONENT, Shape};
use super::table::{Kind, Table};
use crate::sql;

/// Rows that one statement inserts.
pub(crate) const STATEMENT_ROWS_MAX: usize = 500;

/// Rows of one kind, staged.
///
/// Beside the kind's fields a staged row has `n` (its number), `line`, `place` (the JSON path before its columns, where it is part of
/// a line), `bad` (1: wrong; a cell that is wrong is empty), `known0`, `known1` (1: the kind's first or
/// second table has it), `filled` and `renamed` (1: it fills something, or changes a label).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) kind: &'static Kind,
    pub(crate) name: &'static str,
}

/// Rows that the recording brought or filled, of staged rows `s`.
pub(crate) const AFFECTED: &str = "s.bad = 0 AND (s.known0 = 0 OR s.filled = 1)";

/// Rows of which something may be wrong besides what is known already: those of [`AFFECTED`], and those that are wrong.
pub(crate) const LOOKED_AT: &str = "(s.bad = 1 OR s.known0 = 0 OR s.filled = 1)";

/// A staged field, or a literal in quotes, as an expression over staged rows `alias`.
pub(crate) fn staged(alias: &str, field: &str) -> String {
    if field.starts_with('\'') { field.to_owned() } else { format!("{alias}.{field}") }
}

impl Stage {
    /// Makes the table.
    pub(crate) async fn create<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let postgres = db.get_database_backend() == DbBackend::Postgres;
        let (text, int) = if postgres { ("TEXT COLLATE \"C\"", "BIGINT") } else { ("TEXT", "INTEGER") };
        let fields: Vec<String> =
            self.kind.columns.iter().map(|column| format!("{} {}", column.field, if column.shape.is_int() { int } else { text })).collect();
        let invoice_currency = if self.amounts_of_invoices().is_some() { format!("currency {text}, ") } else { String::new() };
        let marks = ["known0", "known1", "filled", "renamed"].map(|mark| format!("{mark} {int} NOT NULL DEFAULT 0")).join(", ");
        let table = format!(
            "CREATE TEMPORARY TABLE {} (n {int} PRIMARY KEY, line {int} NOT NULL, place {text}, bad {int} NOT NULL, {}, {invoice_currency}{marks})",
            self.name,
            fields.join(", ")
        );
        db.execute_unprepared(&table).await?;
        Ok(())
    }

    /// Adds rows.
    pub(crate) async fn insert<C: ConnectionTrait>(&self, db: &C, rows: Staged) -> Result<(), DbErr> {
        let fields: Vec<&str> = ["n", "line", "place", "bad"].into_iter().chain(self.kind.columns.iter().map(|column| column.field)).collect();
        let mut values = rows.values;
        // An invoice may carry more items than one statement takes.
        while !values.is_empty() {
            let rest = values.split_off(values.len().min(STATEMENT_ROWS_MAX * fields.len()));
            let places = sql::places(values.len() / fields.len(), fields.len());
            let text = format!("INSERT INTO {} ({}) VALUES {places}", self.name, fields.join(", "));
            sql::execute(db, &text, std::mem::replace(&mut values, rest)).await?;
        }
        Ok(())
    }

    /// Makes it ready for checks: the home programme where none is given, and an index of what identifies a row.
    pub(crate) async fn complete<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let name = self.name;
        if let Some(partner) = self.kind.program_of {
            let home =
                format!("UPDATE {name} AS s SET program = (SELECT p.program FROM partners p WHERE p.id = s.{partner}) WHERE s.program IS NULL");
            sql::execute(db, &home, []).await?;
        }
        let index = format!("CREATE INDEX {name}_identity ON {name} ({})", self.kind.identity.join(", "));
        db.execute_unprepared(&index).await?;
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared(&format!("ANALYZE {name}")).await?;
        }
        Ok(())
    }

    /// Turns amounts in the currency of their invoice into its minor units. `invoices` are staged in the same file, if any.
    pub(crate) async fn settle_amounts<C: ConnectionTrait>(
        &self,
        db: &C,
        invoices: Option<&Stage>,
        findings: &mut Findings,
    ) -> Result<(), RecordError> {
        if self.amounts_of_invoices().is_none() {
            return Ok(());
        }
        let name = self.name;
        let recorded = "(SELECT i.currency FROM invoices i WHERE i.id = s.invoice)";
        let currency = match invoices {
            Some(invoices) => format!("COALESCE({recorded}, (SELECT MIN(i.currency) FROM {} i WHERE i.id = s.invoice))", invoices.name),
            None => recorded.to_owned(),
        };
        sql::execute(db, &format!("UPDATE {name} AS s SET currency = {currency}"), []).await?;
        for row in sql::rows(db, &format!("SELECT DISTINCT currency FROM {name} WHERE currency IS NOT NULL"), []).await? {
            let code: String = row.try_get_by_index(0)?;
            let currency: Currency = code.parse().map_err(|_| RecordError::Corrupt(format!("currency {code:?}")))?;
            self.settle_currency(db, currency, findings).await?;
        }
        Ok(())
    }

    async fn settle_currency<C: ConnectionTrait>(&self, db: &C, currency: Currency, findings: &mut Findings) -> Result<(), RecordError> {
        let name = self.name;
        let unit = 10_i64.pow(FINEST_EXPONENT - currency.exponent());
        let limit = program::money::AMOUNT_LIMIT_MINOR;
        let wrong = format!("s.currency = ? AND (s.amount_minor % {unit} <> 0 OR ABS(s.amount_minor / {unit}) >= {limit})");
        let from = format!("FROM {name} s WHERE {wrong}");
        let query = Blame { column: "amount", select: "s.line", from: &from, order: "s.n", values: vec![currency.code().into()] };
        let exponent = currency.exponent();
        blame(db, findings, query, |_| {
            Ok(format!("amounts in {currency}, the invoice's currency, have at most {exponent} decimals and are under 10^15 minor units"))
        })
        .await?;
        sql::execute(db, &format!("UPDATE {name} AS s SET bad = 1, amount_minor = NULL WHERE {wrong}"), [currency.code().into()]).await?;
        if unit > 1 {
            let scaled = format!("UPDATE {name} SET amount_minor = amount_minor / {unit} WHERE currency = ?");
            sql::execute(db, &scaled, [currency.code().into()]).await?;
        }
        Ok(())
    }

    fn amounts_of_invoices(&self) -> Option<&'static str> {
        self.kind.columns.iter().find(|column| matches!(column.shape, Shape::InvoiceAmount(_))).map(|column| column.field)
    }

    /// The staged field that goes to a table's field, if it feeds that table.
    pub(crate) fn feeds(&self, table: &str, field: &str) -> Option<&'static str> {
        let table: &Table = self.kind.tables.iter().find(|known| known.name == table)?;
        table.fields().find(|(ours, _)| *ours == field).map(|(_, staged)| staged)
    }

    /// How many staged rows are new, fill something, and only change a label.
    pub(crate) async fn counts<C: ConnectionTrait>(&self, db: &C) -> Result<[u64; 3], DbErr> {
        let when = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
        let [new, filled, updated] = [when("known0 = 0"), when("filled = 1"), when("filled = 0 AND renamed = 1")];
        let row = sql::row(db, &format!("SELECT {new}, {filled}, {updated} FROM {} WHERE bad = 0", self.name), []).await?;
        let mut counts = [0; 3];
        for (index, count) in counts.iter_mut().enumerate() {
            let found: Option<i64> = row.as_ref().map(|row| row.try_get_by_index(index)).transpose()?;
            *count = line_number(found.unwrap_or(0));
        }
        Ok(counts)
    }

    /// Whether any staged row satisfies a condition over `s`.
    pub(crate) async fn any<C: ConnectionTrait>(&self, db: &C, condition: &str) -> Result<bool, DbErr> {
        Ok(sql::row(db, &format!("SELECT 1 AS found FROM {} s WHERE {condition} LIMIT 1", self.name), []).await?.is_some())
    }
}

/// A line number as the books have it.
pub(crate) fn line_number(line: i64) -> u64 {
    u64::try_from(line).unwrap_or(0)
}
