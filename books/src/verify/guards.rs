//! The database's own guards still stand: the triggers that refuse changes of what is final, and the keys that refuse duplicates
//! (reliability.md §1: where a constraint can hold an invariant, it does).

use std::collections::BTreeSet;

use sea_orm::DbBackend;

use super::finding::Invariant;
use super::scan::Scan;
use crate::load::row::{LoadError, rows};

/// Tables whose rows are refused changes, and the invariant that this holds.
const SEALED: [(&str, Invariant); 31] = [
    ("settlements", Invariant::FinalUnchanged),
    ("commission_lines", Invariant::FinalUnchanged),
    ("booked_credits", Invariant::FinalUnchanged),
    ("periods", Invariant::PeriodsInOrder),
    ("reviews", Invariant::NoOverlap),
    ("review_results", Invariant::NoOverlap),
    ("rankings", Invariant::LineAsAsked),
    ("ranking_places", Invariant::LineAsAsked),
    ("transactions", Invariant::PostingsBalance),
    ("postings", Invariant::PostingsBalance),
    ("lot_draws", Invariant::WalletAvailable),
    ("payouts", Invariant::EndStays),
    ("payout_events", Invariant::EndStays),
    ("payout_destinations", Invariant::OnePayout),
    ("inbound_events", Invariant::OneEffect),
    ("settlement_releases", Invariant::IntentFirst),
    ("settlement_holds", Invariant::IntentFirst),
    ("claims", Invariant::DecidedAsExecuted),
    ("claim_moves", Invariant::HoldEndsOnce),
    ("claim_rounds", Invariant::DecidedAsExecuted),
    ("claim_steps", Invariant::Entitled),
    ("claim_decisions", Invariant::Entitled),
    ("claim_proofs", Invariant::DecidedAsExecuted),
    ("decision_events", Invariant::OneEffect),
    ("campaigns", Invariant::WithinLimits),
    ("campaign_acts", Invariant::Entitled),
    ("bank_files", Invariant::OneFile),
    ("bank_file_payouts", Invariant::OneFile),
    ("users", Invariant::AuditChain),
    ("audit_log", Invariant::AuditChain),
    ("audit_seals", Invariant::AuditChain),
];

/// Tables with the columns of a key that refuses duplicates, sorted, and the invariant that this holds.
const KEYS: [(&str, &[&str], Invariant); 32] = [
    (
        "commission_lines",
        &["component", "from_partner", "item", "level", "part", "payee", "program", "role", "rule", "source", "source_id"],
        Invariant::LineAsAsked,
    ),
    ("bookings", &["invoice", "program"], Invariant::LineAsAsked),
    ("booked_credits", &["invoice", "item", "partner", "program", "role"], Invariant::LineAsAsked),
    ("booked_refunds", &["program", "refund"], Invariant::ReversalBounded),
    ("settlements", &["currency", "partner", "period", "program"], Invariant::OneSettlementAKey),
    ("periods", &["period", "program"], Invariant::PeriodsInOrder),
    ("transactions", &["id"], Invariant::PostingsBalance),
    ("postings", &["ordinal", "transaction_id"], Invariant::PostingsBalance),
    ("account_balances", &["account", "currency"], Invariant::CachedBalance),
    ("wallets", &["currency", "fund", "partner", "program"], Invariant::WalletAvailable),
    ("parent_links", &["effective_from", "partner", "program"], Invariant::NoOverlap),
    ("statuses", &["effective_from", "partner", "program"], Invariant::NoOverlap),
    ("tier_assignments", &["effective_from", "origin", "partner", "program", "tier"], Invariant::NoOverlap),
    ("rankings", &["program", "quarter", "ranking"], Invariant::LineAsAsked),
    ("ranking_places", &["partner", "program", "quarter", "ranking"], Invariant::LineAsAsked),
    ("payouts", &["id"], Invariant::OnePayout),
    ("payouts", &["idempotency_key"], Invariant::OnePayout),
    ("payouts", &["retried_from"], Invariant::OnePayout),
    ("payout_events", &["ordinal", "payout"], Invariant::EndStays),
    ("inbound_events", &["event", "provider"], Invariant::OneEffect),
    ("claims", &["id"], Invariant::HoldEndsOnce),
    ("claim_moves", &["posted"], Invariant::HoldEndsOnce),
    ("claim_steps", &["claim", "role", "round"], Invariant::Entitled),
    ("claim_decisions", &["claim", "ordinal", "round"], Invariant::Entitled),
    ("claim_decisions", &["claim", "person", "round"], Invariant::Entitled),
    ("claim_proofs", &["claim", "sha256"], Invariant::DecidedAsExecuted),
    ("bank_files", &["message_id"], Invariant::OneFile),
    ("bank_file_payouts", &["payout"], Invariant::OneFile),
    ("decision_events", &["event"], Invariant::OneEffect),
    ("decision_events", &["claim", "ordinal", "round"], Invariant::OneEffect),
    ("audit_seals", &["entry"], Invariant::AuditChain),
    ("settlement_holds", &["ordinal", "partner", "period", "program"], Invariant::IntentFirst),
];

/// Keys over some of a table's rows that refuse duplicates, by name, and the invariant that each holds.
const KEYS_OF_SOME: [(&str, Invariant); 9] = [
    ("payouts_live", Invariant::OnePayout),
    ("payouts_live_of_settlement", Invariant::OnePayout),
    ("payouts_first", Invariant::OnePayout),
    ("payouts_of_provider", Invariant::ReportedKnown),
    ("payout_events_of_inbound", Invariant::OneEffect),
    ("payout_destinations_in_force", Invariant::OnePayout),
    ("payout_destinations_waiting", Invariant::OnePayout),
    ("claim_moves_captured", Invariant::HoldEndsOnce),
    ("claim_steps_waiting", Invariant::Entitled),
];

/// Each refusing trigger with its table; PostgreSQL has one for updates and deletes (the bits of `tgtype`), SQLite one for each.
const TRIGGERS_OF_SQLITE: &str = "SELECT tbl_name, CASE WHEN sql LIKE '%BEFORE UPDATE%' THEN 'UPDATE' WHEN sql LIKE '%BEFORE DELETE%' THEN 'DELETE' ELSE '' END \
     FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%RAISE(ABORT%'";
const TRIGGERS_OF_POSTGRES: &str = "SELECT c.relname::text, e.event FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
     JOIN pg_proc f ON f.oid = t.tgfoid JOIN (VALUES (16, 'UPDATE'), (8, 'DELETE')) AS e(bit, event) ON (t.tgtype & e.bit) <> 0 \
     WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND (t.tgtype & 3) = 3 AND f.prosrc LIKE '%RAISE EXCEPTION%' \
       AND c.relnamespace = current_schema()::regnamespace";

const KEYS_OF_SQLITE: &str = "SELECT m.name, i.name, c.name FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c \
     WHERE m.type = 'table' AND i.\"unique\" = 1 AND i.partial = 0 ORDER BY 1, 2, 3";
const KEYS_OF_POSTGRES: &str = "SELECT c.relname::text, x.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
     JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = i.indexrelid \
     WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2, 3";

const KEYS_OF_SOME_OF_SQLITE: &str =
    "SELECT i.name FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.\"unique\" = 1 AND i.partial = 1";
const KEYS_OF_SOME_OF_POSTGRES: &str = "SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
     WHERE i.indisunique AND i.indisvalid AND i.indpred IS NOT NULL AND x.relnamespace = current_schema()::regnamespace";

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let is_postgres = scan.backend() == DbBackend::Postgres;
    let triggers = triggers(scan, if is_postgres { TRIGGERS_OF_POSTGRES } else { TRIGGERS_OF_SQLITE }).await?;
    for (table, invariant) in SEALED {
        for event in ["UPDATE", "DELETE"] {
            if !triggers.contains(&(table.to_owned(), event.to_owned())) {
                scan.add(invariant, &[("table", table)], format!("no trigger refuses {event} of what is final; restore it from the schema"));
            }
        }
    }
    let keys = keys(scan, if is_postgres { KEYS_OF_POSTGRES } else { KEYS_OF_SQLITE }).await?;
    for (table, columns, invariant) in KEYS {
        let wanted = (table.to_owned(), columns.iter().map(|&column| column.to_owned()).collect::<Vec<_>>());
        if !keys.contains(&wanted) {
            let what = format!("no key over {} refuses duplicates; restore it from the schema", columns.join(", "));
            scan.add(invariant, &[("table", table)], what);
        }
    }
    let query = if is_postgres { KEYS_OF_SOME_OF_POSTGRES } else { KEYS_OF_SOME_OF_SQLITE };
    let of_some: BTreeSet<String> = rows(scan.tx, query, Vec::new()).await?.iter().map(|row| row.string(0)).collect::<Result<_, _>>()?;
    for (key, invariant) in KEYS_OF_SOME.into_iter().filter(|(key, _)| !of_some.contains(*key)) {
        scan.add(invariant, &[("key", key)], "the key that refuses duplicates is gone; restore it from the schema");
    }
    Ok(())
}

async fn triggers(scan: &Scan<'_>, query: &str) -> Result<BTreeSet<(String, String)>, LoadError> {
    rows(scan.tx, query, Vec::new()).await?.iter().map(|row| Ok((row.string(0)?, row.string(1)?))).collect()
}

/// Each key as its table and its columns, sorted.
async fn keys(scan: &Scan<'_>, query: &str) -> Result<BTreeSet<(String, Vec<String>)>, LoadError> {
    let mut keys: BTreeSet<(String, Vec<String>)> = BTreeSet::new();
    let mut open: Option<(String, String, Vec<String>)> = None;
    for row in rows(scan.tx, query, Vec::new()).await? {
        let (table, index, column) = (row.string(0)?, row.string(1)?, row.string(2)?);
        match &mut open {
            Some((of, name, columns)) if *of == table && *name == index => columns.push(column),
            _ => {
                keys.extend(open.take().map(|(table, _, columns)| (table, columns)));
                open = Some((table, index, vec![column]));
            }
        }
    }
    keys.extend(open.map(|(table, _, columns)| (table, columns)));
    Ok(keys)
}
