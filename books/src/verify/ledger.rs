//! The double-entry ledger: transactions that balance, currencies, cached balances (invariants 1–3; domain.md §7).

use super::finding::Invariant::{CachedBalance, PostingCurrency, PostingsBalance};
use super::scan::Scan;
use crate::load::row::LoadError;

const UNBALANCED: &str = "SELECT transaction_id, currency, CAST(SUM(amount_minor) AS BIGINT) FROM postings \
     GROUP BY transaction_id, currency HAVING SUM(amount_minor) <> 0 ORDER BY 1, 2";
const WITHOUT_POSTINGS: &str = "SELECT t.id FROM transactions t WHERE NOT EXISTS (SELECT 1 FROM postings p WHERE p.transaction_id = t.id) ORDER BY 1";
const WITHOUT_TRANSACTION: &str = "SELECT DISTINCT p.transaction_id FROM postings p \
     WHERE NOT EXISTS (SELECT 1 FROM transactions t WHERE t.id = p.transaction_id) ORDER BY 1";

const STRANGE_CURRENCY: &str = "SELECT p.transaction_id, p.ordinal, p.account, p.currency FROM postings p \
     WHERE NOT EXISTS (SELECT 1 FROM account_balances b WHERE b.account = p.account AND b.currency = p.currency) ORDER BY 1, 2";
const OTHER_CURRENCY: &str = "SELECT p.transaction_id, p.ordinal, p.account, p.currency FROM settlements s \
     JOIN postings p ON p.transaction_id = 'settlement/' || s.program || '/' || s.period || '/' || s.partner || '/' || s.currency \
     WHERE p.currency <> s.currency ORDER BY 1, 2";

const OTHER_BALANCE: &str = "SELECT b.account, b.currency, b.balance_minor, s.posted_minor FROM account_balances b LEFT JOIN \
       (SELECT account, currency, CAST(SUM(amount_minor) AS BIGINT) AS posted_minor FROM postings GROUP BY account, currency) s \
       ON s.account = b.account AND s.currency = b.currency \
     WHERE b.balance_minor <> COALESCE(s.posted_minor, 0) ORDER BY 1, 2";
const NO_BALANCE: &str = "SELECT s.account, s.currency, s.posted_minor FROM \
       (SELECT account, currency, CAST(SUM(amount_minor) AS BIGINT) AS posted_minor FROM postings GROUP BY account, currency) s \
     WHERE NOT EXISTS (SELECT 1 FROM account_balances b WHERE b.account = s.account AND b.currency = s.currency) ORDER BY 1, 2";

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    scan.offending(PostingsBalance, UNBALANCED, &["transaction", "currency", "sum_minor"], "the postings do not sum to zero").await?;
    scan.offending(PostingsBalance, WITHOUT_POSTINGS, &["transaction"], "the transaction has no postings").await?;
    scan.offending(PostingsBalance, WITHOUT_TRANSACTION, &["transaction"], "postings of a transaction that is not there").await?;
    let posting = ["transaction", "ordinal", "account", "currency"];
    scan.offending(PostingCurrency, STRANGE_CURRENCY, &posting, "the account is not kept in this currency").await?;
    scan.offending(PostingCurrency, OTHER_CURRENCY, &posting, "the settlement is in another currency").await?;
    let balance = ["account", "currency", "balance_minor", "posted_minor"];
    scan.offending(CachedBalance, OTHER_BALANCE, &balance, "the cached balance is not the sum of the postings").await?;
    scan.offending(CachedBalance, NO_BALANCE, &["account", "currency", "posted_minor"], "the account has postings and no cached balance").await
}
