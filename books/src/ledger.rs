//! The double-entry ledger: transactions that sum to zero per currency (domain.md §7).

use std::collections::BTreeMap;

use program::calendar::{Date, Instant};
use program::line::Text;
use program::money::Currency;
use sea_orm::{DatabaseTransaction, Value};

use crate::load::row::{LoadError, execute};
use crate::settlement::bulk_insert::insert_rows;

/// One side of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: String,
    /// Its currency.
    pub currency: Currency,
    /// Debit above zero, credit below, minor units.
    pub amount_minor: i64,
}

/// A transaction; its postings sum to zero per currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, made of what it posts.
    pub id: String,
    /// The programme.
    pub program: Text,
    /// What it posts.
    pub kind: &'static str,
    /// Its date.
    pub dated_on: Date,
    /// For people.
    pub description: String,
    /// Its postings.
    pub postings: Vec<Posting>,
}

/// Posts transactions and moves the cached balances with them.
///
/// # Idempotency
/// A transaction's id: the database refuses a second one.
///
/// # Errors
/// The database failed.
pub async fn post(tx: &DatabaseTransaction, transactions: &[Transaction], now: Instant) -> Result<(), LoadError> {
    let (mut heads, mut rows): (Vec<Vec<Value>>, Vec<Vec<Value>>) = (Vec::new(), Vec::new());
    let mut moved: BTreeMap<(&str, Currency), i64> = BTreeMap::new();
    for transaction in transactions {
        heads.push(vec![
            transaction.id.as_str().into(),
            (&*transaction.program).into(),
            transaction.kind.into(),
            transaction.dated_on.to_string().into(),
            now.0.into(),
            transaction.description.as_str().into(),
        ]);
        for (ordinal, posting) in (0_i64..).zip(&transaction.postings) {
            rows.push(vec![
                transaction.id.as_str().into(),
                ordinal.into(),
                posting.account.as_str().into(),
                posting.currency.code().into(),
                posting.amount_minor.into(),
            ]);
            *moved.entry((&posting.account, posting.currency)).or_insert(0) += posting.amount_minor;
        }
    }
    insert_rows(tx, "transactions", &["id", "program", "kind", "dated_on", "recorded_at", "description"], heads).await?;
    insert_rows(tx, "postings", &["transaction_id", "ordinal", "account", "currency", "amount_minor"], rows).await?;
    let moved: Vec<((&str, Currency), i64)> = moved.into_iter().collect();
    for chunk in moved.chunks(1_000) {
        let places = crate::sql::places(chunk.len(), 3);
        let text = format!(
            "INSERT INTO account_balances (account, currency, balance_minor) VALUES {places} \
             ON CONFLICT (account, currency) DO UPDATE SET balance_minor = account_balances.balance_minor + excluded.balance_minor"
        );
        let values = chunk.iter().flat_map(|((account, currency), amount)| [(*account).into(), currency.code().into(), (*amount).into()]).collect();
        execute(tx, &text, values).await?;
    }
    Ok(())
}
