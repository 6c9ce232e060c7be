//! The ledger as a journal: read from one snapshot as a stream, written posting by posting (domain.md §7).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use futures::TryStreamExt;
use program::calendar::{Date, Instant};
use program::exact::Overflow;
use program::money::Currency;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, StreamTrait, Value};

use super::ExportError;
use super::accounts::to_journal;
use super::beancount::Beancount;
use super::cells::{Cell, write_row};
use super::hledger::Hledger;
use super::json::Json;
use crate::load::row::{LoadError, Row, rows};
use crate::sql;

/// The programs that a journal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A row a posting, with the ledger's own account names.
    Csv,
    /// Beancount.
    Beancount,
    /// Hledger.
    Hledger,
    /// One JSON document, with the ledger's own account names.
    Json,
}

/// Which transactions.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of one programme only.
    pub program: Option<String>,
    /// From this day on. What was there before is one opening transaction, so that balances are those of the books.
    pub from: Option<Date>,
    /// Up to and including this day.
    pub through: Option<Date>,
}

/// One side of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The account's name in the ledger.
    pub account: String,
    /// Its name in a journal.
    pub shown: String,
    /// The currency.
    pub currency: Currency,
    /// The amount, minor units; debit above zero.
    pub amount_minor: i64,
}

impl Side {
    /// The amount as text.
    #[must_use]
    pub fn amount(&self) -> String {
        self.currency.format_minor(self.amount_minor)
    }
}

/// A transaction of the ledger.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// The programme.
    pub program: String,
    /// What it posts.
    pub kind: String,
    /// Its date.
    pub dated_on: String,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// For people.
    pub description: String,
    /// Its postings.
    pub sides: Vec<Side>,
}

/// An account as far as the selection goes.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    /// The day before which nothing is posted to it.
    pub opened_on: Option<Date>,
    /// Per currency: the balance before the selection's first day, and at its end, minor units.
    pub balances: BTreeMap<Currency, (i64, i64)>,
}

/// What a journal is about, known before its first transaction.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// The accounts by their journal names.
    pub holdings: BTreeMap<String, Holding>,
    /// Their currencies.
    pub currencies: BTreeSet<Currency>,
    /// The first day of any account.
    pub first_on: Option<Date>,
    /// The day of the balance assertions: the one after the last transaction.
    pub asserted_on: Option<Date>,
}

/// A way to write journals.
pub trait Journal {
    /// What stands before the transactions, the opening balances included.
    ///
    /// # Errors
    /// The writer fails.
    fn begin(&mut self, outline: &Outline, out: &mut dyn Write) -> io::Result<()>;

    /// A transaction.
    ///
    /// # Errors
    /// The writer fails.
    fn entry(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()>;

    /// What stands after them: the balances.
    ///
    /// # Errors
    /// The writer fails.
    fn end(&mut self, outline: &Outline, out: &mut dyn Write) -> io::Result<()>;
}

/// Writes the journal of a selection. Memory grows with the accounts, not with the transactions.
///
/// # Errors
/// The database or the writer failed, or the ledger holds an account that it should not.
pub async fn export(tx: &DatabaseTransaction, selection: &Selection, format: Format, out: &mut (dyn Write + Send)) -> Result<(), ExportError> {
    let outline = outline(tx, selection).await?;
    let mut journal: Box<dyn Journal + Send> = match format {
        Format::Csv => Box::new(Csv),
        Format::Beancount => Box::new(Beancount),
        Format::Hledger => Box::new(Hledger),
        Format::Json => Box::<Json>::default(),
    };
    journal.begin(&outline, out)?;
    let (condition, values) = condition(selection, true);
    let query = format!(
        "SELECT t.id, t.program, t.kind, t.dated_on, t.recorded_at, t.description, p.account, p.currency, p.amount_minor \
         FROM transactions t JOIN postings p ON p.transaction_id = t.id WHERE {condition} ORDER BY t.dated_on, t.id, p.ordinal"
    );
    let statement = sql::statement(ConnectionTrait::get_database_backend(tx), &query, values);
    let mut found = tx.stream_raw(statement).await?;
    let mut open: Option<Entry> = None;
    while let Some(row) = found.try_next().await? {
        let id: String = row.try_get_by_index(0)?;
        if let Some(entry) = open.take_if(|entry| entry.id != id) {
            journal.entry(&entry, out)?;
        }
        let entry = match &mut open {
            Some(entry) => entry,
            None => open.insert(entry_of(&row, id)?),
        };
        let side = side_of(&row, &entry.program)?;
        entry.sides.push(side);
    }
    if let Some(entry) = open {
        journal.entry(&entry, out)?;
    }
    journal.end(&outline, out)?;
    out.flush()?;
    Ok(())
}

fn entry_of(row: &QueryResult, id: String) -> Result<Entry, ExportError> {
    Ok(Entry {
        id,
        program: row.try_get_by_index(1)?,
        kind: row.try_get_by_index(2)?,
        dated_on: row.try_get_by_index(3)?,
        recorded_at: Instant(row.try_get_by_index(4)?),
        description: row.try_get_by_index(5)?,
        sides: Vec::new(),
    })
}

fn side_of(row: &QueryResult, program: &str) -> Result<Side, ExportError> {
    let account: String = row.try_get_by_index(6)?;
    let code: String = row.try_get_by_index(7)?;
    let currency = code.parse().map_err(|_| LoadError::Corrupt { value: code, what: "a currency" })?;
    Ok(Side { shown: to_journal(&account, program)?, account, currency, amount_minor: row.try_get_by_index(8)? })
}

/// The condition over `transactions t` that selects.
fn condition(selection: &Selection, from_first_day: bool) -> (String, Vec<Value>) {
    let mut conditions = vec!["1 = 1"];
    let mut values: Vec<Value> = Vec::new();
    if let Some(program) = &selection.program {
        conditions.push("t.program = ?");
        values.push(program.as_str().into());
    }
    if let Some(from) = selection.from.filter(|_| from_first_day) {
        conditions.push("t.dated_on >= ?");
        values.push(from.to_string().into());
    }
    if let Some(through) = selection.through {
        conditions.push("t.dated_on <= ?");
        values.push(through.to_string().into());
    }
    (conditions.join(" AND "), values)
}

async fn outline(tx: &DatabaseTransaction, selection: &Selection) -> Result<Outline, ExportError> {
    let (condition, mut values) = condition(selection, false);
    let query = format!(
        "SELECT p.account, p.currency, t.program, MIN(t.dated_on), MAX(t.dated_on), \
         CAST(COALESCE(SUM(CASE WHEN t.dated_on < ? THEN p.amount_minor END), 0) AS BIGINT), CAST(SUM(p.amount_minor) AS BIGINT) \
         FROM transactions t JOIN postings p ON p.transaction_id = t.id WHERE {condition} GROUP BY p.account, p.currency, t.program"
    );
    let from = selection.from.map_or_else(|| "0000-01-01".to_owned(), |from| from.to_string());
    values.insert(0, from.into());
    let mut outline = Outline::default();
    for row in rows(tx, &query, values).await? {
        outline.count(&row, selection.from)?;
    }
    outline.first_on = outline.holdings.values().filter_map(|holding| holding.opened_on).min();
    outline.asserted_on = outline.asserted_on.and_then(|last| last.succ_opt());
    Ok(outline)
}

impl Outline {
    fn count(&mut self, row: &Row, from: Option<Date>) -> Result<(), ExportError> {
        let (account, currency, program) = (row.string(0)?, row.currency(1)?, row.string(2)?);
        let (first_on, last_on, before_minor, after_minor) = (row.date(3)?, row.date(4)?, row.int(5)?, row.int(6)?);
        let eve = from.and_then(|from| from.pred_opt());
        let only_before = from.is_some_and(|from| last_on < from);
        if only_before && before_minor == 0 {
            return Ok(());
        }
        let opened_on = eve.filter(|eve| first_on <= *eve).unwrap_or(first_on);
        let ended_on = eve.filter(|eve| last_on <= *eve).unwrap_or(last_on);
        let holding = self.holdings.entry(to_journal(&account, &program)?).or_default();
        holding.opened_on = Some(holding.opened_on.map_or(opened_on, |known| known.min(opened_on)));
        let balance = holding.balances.entry(currency).or_insert((0, 0));
        balance.0 = balance.0.checked_add(before_minor).ok_or(Overflow)?;
        balance.1 = balance.1.checked_add(after_minor).ok_or(Overflow)?;
        self.currencies.insert(currency);
        self.asserted_on = self.asserted_on.max(Some(ended_on));
        Ok(())
    }

    /// The accounts, currencies and amounts of the opening transaction; none where nothing was there before.
    pub fn opening(&self) -> impl Iterator<Item = (&str, Currency, i64)> {
        self.holdings
            .iter()
            .flat_map(|(name, holding)| holding.balances.iter().map(move |(currency, (before, _))| (name.as_str(), *currency, *before)))
            .filter(|(_, _, before)| *before != 0)
    }

    /// The accounts, currencies and balances at the end.
    pub fn closing(&self) -> impl Iterator<Item = (&str, Currency, i64)> {
        self.holdings.iter().flat_map(|(name, holding)| holding.balances.iter().map(move |(currency, (_, after))| (name.as_str(), *currency, *after)))
    }
}

/// A row a posting.
struct Csv;

impl Journal for Csv {
    fn begin(&mut self, _outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        let heads = ["date", "transaction", "kind", "program", "description", "account", "currency", "amount", "recorded_at"];
        write_row(out, &heads.map(Cell::Plain))
    }

    fn entry(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        let recorded_at = entry.recorded_at.to_string();
        for side in &entry.sides {
            let amount = side.amount();
            let cells = [
                Cell::Plain(&entry.dated_on),
                Cell::Text(&entry.id),
                Cell::Text(&entry.kind),
                Cell::Text(&entry.program),
                Cell::Text(&entry.description),
                Cell::Text(&side.account),
                Cell::Plain(side.currency.code()),
                Cell::Plain(&amount),
                Cell::Plain(&recorded_at),
            ];
            write_row(out, &cells)?;
        }
        Ok(())
    }

    fn end(&mut self, _outline: &Outline, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
