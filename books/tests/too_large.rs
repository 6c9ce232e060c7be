//! Balances that have no room for what is posted are told by the posting itself and stay as they were (domain.md §2.1).

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::Cursor;

use books::connection::Books;
use books::ledger::{Posting, Transaction, post};
use books::load::row::LoadError;
use books::programs;
use books::record::{FactKind, Format, Input, record};
use books::settlement::SettleError;
use books::sql;
use books::wallet::{Movement, WalletKey, accrue};
use migrations::{Migrator, MigratorTrait};
use program::calendar::{Instant, parse_date};
use program::money::Currency;

const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"

[settlement]
first_period = "2026-04"
"#;

/// Books with one member.
async fn begun(directory: &tempfile::TempDir) -> Books {
    let books = Books::open(&format!("sqlite://{}/books.db", directory.path().display())).await.unwrap();
    Migrator::up(books.write(), None).await.unwrap();
    let tx = books.begin_write().await.unwrap();
    let programme = program::file::load("p.toml", PROGRAMME).unwrap();
    programs::apply(&tx, &programme, PROGRAMME, None, Instant(0)).await.unwrap();
    tx.commit().await.unwrap();
    let reader = Cursor::new("id,name,program,tier,tier_since\na,A,p,base,2026-01-01\n");
    let input = Input { kind: FactKind::Partners, format: Format::Csv, origin: "partners.csv".into(), reader, dry_run: false };
    record(&books, input, Instant(0), |_| ()).await.unwrap();
    books
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

/// A transaction that moves an amount from one account to the other.
fn moving(id: i64, amount_minor: i64) -> Transaction {
    let side = |account: &str, amount_minor| Posting { account: account.into(), currency: usd(), amount_minor };
    Transaction {
        id: format!("test/{id}"),
        program: "p".into(),
        kind: "settlement",
        dated_on: parse_date("2026-04-30").unwrap(),
        description: "a test".into(),
        postings: vec![side("expense:p:base", amount_minor), side("partner:a:p:payable", -amount_minor)],
    }
}

async fn text(books: &Books, query: &str) -> Vec<String> {
    let rows = sql::rows(books.read(), query, []).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

#[tokio::test]
async fn a_ledger_balance_up_to_the_last_unit() {
    let directory = tempfile::tempdir().unwrap();
    let books = begun(&directory).await;
    let steps = [(i64::MAX - 1, true), (2, false), (1, true), (1, false), (-i64::MAX, true), (-i64::MAX, true), (-1, false)];
    for (id, (amount_minor, fits)) in (0..).zip(steps) {
        let tx = books.begin_write().await.unwrap();
        match post(&tx, &[moving(id, amount_minor)], Instant(0)).await {
            Ok(()) => {
                assert!(fits, "{amount_minor}");
                tx.commit().await.unwrap();
            }
            Err(LoadError::BalanceTooLarge { what, currency }) => {
                assert_eq!((fits, what.starts_with("account "), currency), (false, true, usd()), "{amount_minor}: {what}");
                tx.rollback().await.unwrap();
            }
            Err(other) => panic!("{amount_minor}: {other}"),
        }
    }
    let balances =
        text(&books, "SELECT account || ' ' || balance_minor || ' ' || TYPEOF(balance_minor) FROM account_balances ORDER BY account").await;
    assert_eq!(balances, [format!("expense:p:base {} integer", -i64::MAX), format!("partner:a:p:payable {} integer", i64::MAX)]);
}

#[tokio::test]
async fn a_wallet_up_to_the_last_unit() {
    let directory = tempfile::tempdir().unwrap();
    let books = begun(&directory).await;
    let key = WalletKey { program: "p".into(), partner: "a".into(), currency: usd() };
    for (credit_minor, fits) in [(i64::MAX - 1, true), (2, false), (1, true), (1, false)] {
        let tx = books.begin_write().await.unwrap();
        let movement = Movement { key: key.clone(), credit_minor, only_accruals: true };
        match accrue(&tx, &[movement], "2026-04".parse().unwrap()).await {
            Ok(()) => {
                assert!(fits, "{credit_minor}");
                tx.commit().await.unwrap();
            }
            Err(SettleError::Load(LoadError::BalanceTooLarge { what, .. })) => {
                assert!(!fits && what == "the co-op wallet of a", "{credit_minor}: {what}");
                tx.rollback().await.unwrap();
            }
            Err(other) => panic!("{credit_minor}: {other}"),
        }
    }
    let balances = text(&books, "SELECT CAST(balance_minor AS TEXT) || ' ' || TYPEOF(balance_minor) FROM wallets").await;
    assert_eq!(balances, [format!("{} integer", i64::MAX)]);
}
