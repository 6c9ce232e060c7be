//! The database alone refuses duplicates and changes of what is final, whatever the application does.

use crate::app::App;
use crate::broken_books::three_months;

/// Rows without a key of their own: the same may be written twice.
const WITHOUT_KEY: [&str; 3] = ["voids", "lot_draws", "audit_log"];

/// What is final after a settlement.
const FINAL: [(&str, &str); 10] = [
    ("settlements", "net_minor = net_minor + 1"),
    ("settlements", "status = 'draft'"),
    ("commission_lines", "amount_minor = amount_minor + 1"),
    ("booked_credits", "share = '0.5'"),
    ("periods", "status = 'closing'"),
    ("transactions", "dated_on = '2026-01-01'"),
    ("postings", "amount_minor = 0"),
    ("lot_draws", "amount_minor = 0"),
    ("audit_log", "detail = '{}'"),
    ("audit_seals", "sealed_at = 0"),
];

fn no_row_can_be_written_twice(app: &App) {
    three_months(app);
    let books = app.access();
    let mut tried = 0;
    for table in books.tables() {
        if WITHOUT_KEY.contains(&table.as_str()) || books.number(&format!("SELECT COUNT(*) FROM {table}")) == 0 {
            continue;
        }
        let columns = books.columns(&table).into_iter().filter(|column| column.trim_matches('"') != "no").collect::<Vec<_>>().join(", ");
        let repeated = books.try_execute(&format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}"));
        assert!(repeated.is_err(), "{table} took each of its rows twice");
        tried += 1;
    }
    assert!(tried >= 15, "only {tried} tables had rows to repeat");
}

fn nothing_final_can_be_changed_or_deleted(app: &App) {
    three_months(app);
    let books = app.access();
    for (table, change) in FINAL {
        assert!(books.number(&format!("SELECT COUNT(*) FROM {table}")) > 0, "{table} has rows");
        assert!(books.try_execute(&format!("UPDATE {table} SET {change}")).is_err(), "{table}: {change} was taken");
        assert!(books.try_execute(&format!("DELETE FROM {table}")).is_err(), "{table} can be emptied");
    }
}

/// What is refused of a paid payout, a message, a destination and people, whatever the application does.
const OF_PAYOUTS: [(&str, &str); 20] = [
    ("payouts", "status = 'requested', ended_at = NULL, revision = revision + 1"),
    ("payouts", "amount_minor = amount_minor + 1, revision = revision + 1"),
    ("payouts", "idempotency_key = 'other', revision = revision + 1"),
    ("payouts", "request = request || ' ', revision = revision + 1"),
    ("payouts", "request = NULL, request_digest = NULL, destination = NULL, destination_digest = NULL, revision = revision + 1"),
    ("payouts", "destination_digest = 'sha256:0', revision = revision + 1"),
    ("payouts", "requested_at = requested_at + 1, revision = revision + 1"),
    ("payouts", "partner = 'beta', revision = revision + 1"),
    ("payouts", "attempts = 0, revision = revision + 1"),
    ("payouts", "provider = 'other'"),
    ("payout_events", "word = 'failed'"),
    ("inbound_events", "answer = 'other'"),
    ("inbound_events", "state = 'parked', applied_at = NULL"),
    ("payout_destinations", "account = '{}'"),
    ("payout_destinations", "usable_from = usable_from + 1"),
    ("payout_destinations", "partner = 'beta'"),
    ("settlement_releases", "released_by = 'fin2'"),
    ("settlement_holds", "act = 'unhold'"),
    ("users", "id = 'other'"),
    ("users", "added_at = 0"),
];

fn what_was_sent_and_how_it_ended_never_changes(app: &App) {
    crate::broken_payouts::paid(app);
    let books = app.access();
    for (table, change) in OF_PAYOUTS {
        assert!(books.number(&format!("SELECT COUNT(*) FROM {table}")) > 0, "{table} has rows");
        assert!(books.try_execute(&format!("UPDATE {table} SET {change}")).is_err(), "{table}: {change} was taken");
        assert!(books.try_execute(&format!("DELETE FROM {table}")).is_err(), "{table} can be emptied");
    }
    let mut tried = 0;
    for table in books.tables() {
        if WITHOUT_KEY.contains(&table.as_str()) || books.number(&format!("SELECT COUNT(*) FROM {table}")) == 0 {
            continue;
        }
        let columns = books.columns(&table).into_iter().filter(|column| column.trim_matches('"') != "no").collect::<Vec<_>>().join(", ");
        assert!(
            books.try_execute(&format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}")).is_err(),
            "{table} took each of its rows twice"
        );
        tried += 1;
    }
    assert!(tried >= 24, "only {tried} tables had rows to repeat");
}

on_both_databases!(no_row_can_be_written_twice, nothing_final_can_be_changed_or_deleted, what_was_sent_and_how_it_ended_never_changes);
