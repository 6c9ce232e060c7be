//! The database alone refuses duplicates and changes of what is final, whatever the application does.

use crate::app::App;
use crate::broken_books::three_months;

/// Rows without a key of their own: the same may be written twice.
const WITHOUT_KEY: [&str; 2] = ["voids", "lot_draws"];

/// What is final after a settlement.
const FINAL: [(&str, &str); 8] = [
    ("settlements", "net_minor = net_minor + 1"),
    ("settlements", "status = 'draft'"),
    ("commission_lines", "amount_minor = amount_minor + 1"),
    ("booked_credits", "share = '0.5'"),
    ("periods", "status = 'closing'"),
    ("transactions", "dated_on = '2026-01-01'"),
    ("postings", "amount_minor = 0"),
    ("lot_draws", "amount_minor = 0"),
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

on_both_databases!(no_row_can_be_written_twice, nothing_final_can_be_changed_or_deleted);
