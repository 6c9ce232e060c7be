//! Wallets: the cached balance against the ledger and the lots, what was drawn of lots, and who took a wallet below zero (invariants 4
//! and 5; domain.md §6).

use super::finding::Invariant::{HoldEndsOnce, WalletAvailable};
use super::scan::Scan;
use crate::load::row::LoadError;

/// Co-op liabilities stand below zero in the ledger; what is held is in an account of its own. Ids may hold colons, so two members may
/// share an account's name: the transaction's programme tells them apart.
const OF_LEDGER: &str = "SELECT w.program, w.partner, w.currency, w.balance_minor, w.held_minor, \
       COALESCE(c.owed_minor, 0) + COALESCE(h.owed_minor, 0), COALESCE(h.owed_minor, 0) FROM wallets w \
     LEFT JOIN (SELECT t.program, p.account, p.currency, CAST(-SUM(p.amount_minor) AS BIGINT) AS owed_minor FROM postings p \
         JOIN transactions t ON t.id = p.transaction_id WHERE p.account LIKE '%:coop' GROUP BY t.program, p.account, p.currency) c \
       ON c.program = w.program AND c.account = 'partner:' || w.partner || ':' || w.program || ':coop' AND c.currency = w.currency \
     LEFT JOIN (SELECT t.program, p.account, p.currency, CAST(-SUM(p.amount_minor) AS BIGINT) AS owed_minor FROM postings p \
         JOIN transactions t ON t.id = p.transaction_id WHERE p.account LIKE '%:coop-held' GROUP BY t.program, p.account, p.currency) h \
       ON h.program = w.program AND h.account = 'partner:' || w.partner || ':' || w.program || ':coop-held' AND h.currency = w.currency \
     WHERE w.fund = 'coop' AND (w.balance_minor <> COALESCE(c.owed_minor, 0) + COALESCE(h.owed_minor, 0) \
       OR w.held_minor <> COALESCE(h.owed_minor, 0)) ORDER BY 1, 2, 3";
const NO_WALLET: &str = "SELECT DISTINCT l.program, l.payee, l.currency FROM commission_lines l \
     JOIN settlements s ON s.program = l.program AND s.partner = l.payee AND s.period = l.period AND s.currency = l.currency \
     WHERE l.fund IS NOT NULL AND NOT EXISTS \
       (SELECT 1 FROM wallets w WHERE w.program = l.program AND w.partner = l.payee AND w.fund = l.fund AND w.currency = l.currency) ORDER BY 1, 2, 3";

/// Co-op lines of settlements that are made, one sum a lot and one a wallet.
const COOP_LINES: &str = "SELECT l.program, l.payee AS partner, l.currency, l.invoice, l.item, l.role, l.source, l.amount_minor FROM commission_lines l \
     JOIN settlements s ON s.program = l.program AND s.partner = l.payee AND s.period = l.period AND s.currency = l.currency WHERE l.fund = 'coop'";

/// Lots of which more than all or less than nothing was drawn, and draws on lots that are not there.
fn overdrawn() -> String {
    format!(
        "SELECT d.program, d.partner, d.currency, d.invoice, d.item, d.role, d.drawn_minor, a.accrued_minor FROM \
           (SELECT program, partner, currency, invoice, item, role, CAST(SUM(amount_minor) AS BIGINT) AS drawn_minor FROM lot_draws \
            GROUP BY program, partner, currency, invoice, item, role) d LEFT JOIN \
           (SELECT program, partner, currency, invoice, item, role, CAST(SUM(amount_minor) AS BIGINT) AS accrued_minor FROM ({COOP_LINES}) c \
            WHERE c.source = 'invoice' GROUP BY program, partner, currency, invoice, item, role) a \
           ON a.program = d.program AND a.partner = d.partner AND a.currency = d.currency AND a.invoice = d.invoice AND a.item = d.item AND a.role = d.role \
         WHERE d.drawn_minor < 0 OR d.drawn_minor > COALESCE(a.accrued_minor, 0) ORDER BY 1, 2, 3, 4, 5, 6"
    )
}

/// Each wallet with what its co-op lines and draws come to: accrued, reversed, drawn in all, drawn for reversals, expired.
fn sums() -> String {
    format!(
        "SELECT w.program, w.partner, w.currency, w.balance_minor, w.held_minor, COALESCE(c.accrued_minor, 0) AS accrued_minor, \
           COALESCE(c.reversed_minor, 0) AS reversed_minor, COALESCE(d.drawn_minor, 0) AS drawn_minor, COALESCE(d.borne_minor, 0) AS borne_minor, \
           COALESCE(d.expired_minor, 0) AS expired_minor, COALESCE(d.held_minor, 0) AS holds_minor FROM wallets w LEFT JOIN \
           (SELECT program, partner, currency, CAST(SUM(CASE WHEN source = 'invoice' THEN amount_minor ELSE 0 END) AS BIGINT) AS accrued_minor, \
              CAST(SUM(CASE WHEN source = 'invoice' THEN 0 ELSE -amount_minor END) AS BIGINT) AS reversed_minor FROM ({COOP_LINES}) l \
            GROUP BY program, partner, currency) c ON c.program = w.program AND c.partner = w.partner AND c.currency = w.currency LEFT JOIN \
           (SELECT program, partner, currency, CAST(SUM(amount_minor) AS BIGINT) AS drawn_minor, \
              CAST(SUM(CASE WHEN kind IN ('reversal', 'restored', 'debt') THEN amount_minor ELSE 0 END) AS BIGINT) AS borne_minor, \
              CAST(SUM(CASE WHEN kind = 'expiry' THEN amount_minor ELSE 0 END) AS BIGINT) AS expired_minor, \
              CAST(SUM(CASE WHEN kind IN ('hold', 'release') THEN amount_minor ELSE 0 END) AS BIGINT) AS held_minor FROM lot_draws \
            GROUP BY program, partner, currency) d ON d.program = w.program AND d.partner = w.partner AND d.currency = w.currency WHERE w.fund = 'coop'"
    )
}

/// What is held and captured were holds on lots; what is captured is drawn and no longer held.
fn other_balance() -> String {
    format!(
        "SELECT program, partner, currency, balance_minor, accrued_minor - reversed_minor - expired_minor - (holds_minor - held_minor) FROM ({}) s \
         WHERE balance_minor <> accrued_minor - reversed_minor - expired_minor - (holds_minor - held_minor) ORDER BY 1, 2, 3",
        sums()
    )
}

/// Available is what is left of lots, or what no lot could bear of reversals, below zero: never both, and nothing else takes it there.
fn below_zero() -> String {
    format!(
        "SELECT program, partner, currency, balance_minor, held_minor, accrued_minor - drawn_minor, reversed_minor - borne_minor FROM ({}) s \
         WHERE held_minor < 0 OR reversed_minor < borne_minor OR (reversed_minor > borne_minor AND accrued_minor > drawn_minor) \
           OR balance_minor - held_minor <> accrued_minor - drawn_minor - (reversed_minor - borne_minor) ORDER BY 1, 2, 3",
        sums()
    )
}

/// Expiries by wallet and day, as lots bear them and as the ledger posts them: a day may have several transactions.
const DRAWN: &str = "SELECT program, partner, currency, dated_on, 'partner:' || partner || ':' || program || ':coop' AS account, \
       CAST(SUM(amount_minor) AS BIGINT) AS drawn_minor FROM lot_draws WHERE kind = 'expiry' GROUP BY program, partner, currency, dated_on";
const POSTED: &str = "SELECT t.program, p.account, p.currency, t.dated_on, CAST(SUM(p.amount_minor) AS BIGINT) AS posted_minor, MIN(t.id) AS id \
       FROM transactions t JOIN postings p ON p.transaction_id = t.id WHERE t.kind = 'expiry' AND p.account LIKE 'partner:%' \
       GROUP BY t.program, p.account, p.currency, t.dated_on";

fn expired_otherwise() -> String {
    format!(
        "SELECT d.program, d.partner, d.currency, d.dated_on, d.drawn_minor FROM ({DRAWN}) d LEFT JOIN ({POSTED}) e ON e.program = d.program \
           AND e.account = d.account AND e.currency = d.currency AND e.dated_on = d.dated_on \
         WHERE d.drawn_minor <> COALESCE(e.posted_minor, 0) ORDER BY 1, 2, 3, 4"
    )
}

fn expired_without_draws() -> String {
    format!(
        "SELECT e.id FROM ({POSTED}) e LEFT JOIN ({DRAWN}) d ON e.program = d.program AND e.account = d.account AND e.currency = d.currency \
           AND e.dated_on = d.dated_on WHERE d.drawn_minor IS NULL ORDER BY 1"
    )
}

/// Of each lot a hold is released in part or whole, never more.
const RELEASED_MORE: &str = "SELECT program, partner, currency, reference, invoice, item, role, CAST(SUM(amount_minor) AS BIGINT) FROM lot_draws \
     WHERE kind IN ('hold', 'release') GROUP BY program, partner, currency, reference, invoice, item, role HAVING SUM(amount_minor) < 0 ORDER BY 1, 2, 3, 4";
const WRONG_SIGN: &str = "SELECT no, program, partner, currency, kind, amount_minor FROM lot_draws \
     WHERE (kind IN ('hold', 'reversal', 'debt', 'expiry') AND amount_minor <= 0) OR (kind IN ('release', 'restored') AND amount_minor >= 0) ORDER BY 1";
const HELD_OTHERWISE: &str = "SELECT w.program, w.partner, w.currency, w.held_minor FROM wallets w WHERE w.fund = 'coop' AND w.held_minor > \
     COALESCE((SELECT SUM(d.amount_minor) FROM lot_draws d WHERE d.program = w.program AND d.partner = w.partner AND d.currency = w.currency \
       AND d.kind IN ('hold', 'release')), 0) ORDER BY 1, 2, 3";

const WALLET: [&str; 3] = ["program", "partner", "currency"];

fn and<'a>(more: &[&'a str]) -> Vec<&'a str> {
    WALLET.into_iter().chain(more.iter().copied()).collect()
}

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let ledger = and(&["balance_minor", "held_minor", "ledger_balance_minor", "ledger_held_minor"]);
    scan.offending(WalletAvailable, OF_LEDGER, &ledger, "the wallet is not what the ledger says").await?;
    scan.offending(WalletAvailable, NO_WALLET, &WALLET, "co-op lines without a wallet").await?;
    let lot = and(&["invoice", "item", "role", "drawn_minor", "accrued_minor"]);
    scan.offending(WalletAvailable, &overdrawn(), &lot, "more than all or less than nothing is drawn of the lot").await?;
    scan.offending(WalletAvailable, &other_balance(), &and(&["balance_minor", "lines_minor"]), "the balance is not what lines and draws come to")
        .await?;
    let sums = and(&["balance_minor", "held_minor", "left_of_lots_minor", "not_borne_minor"]);
    scan.offending(WalletAvailable, &below_zero(), &sums, "available is neither what is left of the lots nor what reversals took below zero").await?;
    let expired = and(&["dated_on", "drawn_minor"]);
    scan.offending(WalletAvailable, &expired_otherwise(), &expired, "the expiry of lots is not what the ledger posted").await?;
    scan.offending(WalletAvailable, &expired_without_draws(), &["transaction"], "an expiry that no lot bears").await?;
    let hold = and(&["reference", "invoice", "item", "role", "left_minor"]);
    scan.offending(HoldEndsOnce, RELEASED_MORE, &hold, "more is released than was held").await?;
    let draw = ["no", "program", "partner", "currency", "kind", "amount_minor"];
    scan.offending(HoldEndsOnce, WRONG_SIGN, &draw, "the draw goes the wrong way").await?;
    scan.offending(HoldEndsOnce, HELD_OTHERWISE, &and(&["held_minor"]), "more is held than there are holds").await
}
