//! The double-entry ledger: transactions that sum to zero per currency (domain.md §7).

use std::collections::BTreeMap;

use program::calendar::{Date, Instant};
use program::line::Text;
use program::money::Currency;
use sea_orm::{DatabaseTransaction, Value};

use crate::load::row::{LoadError, execute, first_row};
use crate::settlement::bulk_insert::insert_rows;
use crate::sql::sum_fits;

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
/// The database failed, or a balance would not fit.
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
            let sum = moved.entry((&posting.account, posting.currency)).or_insert(0);
            *sum = sum.checked_add(posting.amount_minor).ok_or_else(|| too_large(&posting.account, posting.currency))?;
        }
    }
    insert_rows(tx, "transactions", &["id", "program", "kind", "dated_on", "recorded_at", "description"], heads).await?;
    insert_rows(tx, "postings", &["transaction_id", "ordinal", "account", "currency", "amount_minor"], rows).await?;
    let moved: Vec<((&str, Currency), i64)> = moved.into_iter().collect();
    for chunk in moved.chunks(1_000) {
        let places = crate::sql::places(chunk.len(), 3);
        let text = format!(
            "INSERT INTO account_balances (account, currency, balance_minor) VALUES {places} \
             ON CONFLICT (account, currency) DO UPDATE SET balance_minor = account_balances.balance_minor + excluded.balance_minor WHERE {}",
            sum_fits("account_balances.balance_minor", "excluded.balance_minor")
        );
        let values = chunk.iter().flat_map(|((account, currency), amount)| [(*account).into(), currency.code().into(), (*amount).into()]).collect();
        if execute(tx, &text, values).await? != u64::try_from(chunk.len()).unwrap_or(u64::MAX) {
            return Err(unmoved(tx, chunk).await?);
        }
    }
    Ok(())
}

/// Of accounts that were to be moved together, the first whose balance has no room for it.
async fn unmoved(tx: &DatabaseTransaction, accounts: &[((&str, Currency), i64)]) -> Result<LoadError, LoadError> {
    for ((account, currency), amount_minor) in accounts {
        let query = "SELECT balance_minor FROM account_balances WHERE account = ? AND currency = ?";
        let balance = first_row(tx, query, vec![(*account).into(), currency.code().into()]).await?;
        if balance.map(|row| row.int(0)).transpose()?.is_some_and(|balance_minor| balance_minor.checked_add(*amount_minor).is_none()) {
            return Ok(too_large(account, *currency));
        }
    }
    Ok(LoadError::Corrupt { value: "fewer accounts than were posted to".into(), what: "the balances of the ledger" })
}

fn too_large(account: &str, currency: Currency) -> LoadError {
    LoadError::BalanceTooLarge { what: format!("account {account}"), currency }
}
