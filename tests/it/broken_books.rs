//! `tributary verify` sees what should never be: each invariant of ledger, commission, settlements and histories is broken on purpose, past
//! the application and its triggers and constraints, and is named.

use serde_json::Value;

use crate::app::App;
use crate::database::Access;

/// Three months with everything that the invariants are about: base, spiff, overrides, co-op, a refund, an adjustment, carried balances.
pub(crate) fn three_months(app: &App) {
    app.apply(PROGRAMME);
    app.import(
        "partners",
        "id,name,program,tier,tier_since,parent
         top,Top,p,gold,2026-01-01,
         acme,Acme,p,gold,2026-01-01,top
         beta,Beta,p,base,2026-01-01,top",
    );
    app.import("customers", "id,name\nc1,Customer");
    app.import("deals", "id,customer,partner,contract_value,currency,signed_on,new_logo\nD1,c1,acme,5000.00,USD,2026-04-02,true");
    app.import(
        "invoices",
        "id,customer,deal,partner,currency,subtotal,paid_at
         A1,c1,D1,,USD,1000.00,2026-04-10T10:00:00Z
         A2,c1,D1,,USD,2000.00,2026-05-10T10:00:00Z
         A3,c1,D1,,USD,3000.00,2026-06-10T10:00:00Z
         B1,c1,,beta,USD,90.00,2026-04-11T10:00:00Z
         B2,c1,,beta,USD,80.00,2026-05-11T10:00:00Z
         E1,c1,,acme,EUR,500.00,2026-05-12T10:00:00Z",
    );
    app.import("refunds", "id,invoice,amount,refunded_at\nR1,A1,400.00,2026-05-20T10:00:00Z");
    app.import("adjustments", "id,partner,amount,currency,adjusted_on,reason,approved_by\nJ1,beta,7.00,USD,2026-06-15,late delivery,jo");
    app.settle("p", "2026-06");
}

pub(crate) const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Verified"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"
coop_rate = "2%"

[[rules]]
id = "spiff"
kind = "spiff"
rate = "3%"

[hierarchy]
levels = ["2%"]

[settlement]
first_period = "2026-04"
minimum_payout = "50.00"
"#;

/// What breaks which invariant. Each begins from the same sound books.
const BREAKS: [(&str, &str, &[&str]); 33] = [
    (
        "ledger.1",
        "a posting of another amount",
        &["UPDATE postings SET amount_minor = amount_minor + 1 WHERE ordinal = (SELECT MIN(ordinal) FROM postings)"],
    ),
    ("ledger.1", "a posting that is gone", &["DELETE FROM postings WHERE ordinal = (SELECT MAX(ordinal) FROM postings)"]),
    (
        "ledger.2",
        "a transaction in another currency than its accounts",
        &["UPDATE postings SET currency = 'JPY' WHERE transaction_id = (SELECT MIN(transaction_id) FROM postings)"],
    ),
    (
        "ledger.3",
        "a cached balance of another amount",
        &["UPDATE account_balances SET balance_minor = balance_minor + 1 WHERE account LIKE 'expense:%'"],
    ),
    ("ledger.3", "a cached balance that is gone", &["DELETE FROM account_balances WHERE account LIKE 'expense:%'"]),
    ("ledger.4", "more held than there is", &["UPDATE wallets SET held_minor = balance_minor + 1 WHERE partner = 'acme' AND currency = 'USD'"]),
    (
        "ledger.4",
        "a wallet of another balance",
        &["UPDATE wallets SET balance_minor = balance_minor + 100 WHERE partner = 'acme' AND currency = 'USD'"],
    ),
    (
        "commission.6",
        "a base line that is gone",
        &["DELETE FROM commission_lines WHERE source = 'invoice' AND source_id = 'A2' AND component = 'base'"],
    ),
    (
        "commission.6",
        "an override line that is gone",
        &["DELETE FROM commission_lines WHERE source = 'invoice' AND source_id = 'A2' AND component = 'override'"],
    ),
    (
        "commission.6",
        "an invoice that nothing booked",
        &[
            "DELETE FROM commission_lines WHERE invoice = 'B2'",
            "DELETE FROM booked_credits WHERE invoice = 'B2'",
            "DELETE FROM bookings WHERE invoice = 'B2'",
        ],
    ),
    ("commission.6", "a booked invoice that is gone", &["DELETE FROM invoices WHERE id = 'B2'"]),
    ("commission.6", "a booked invoice with a spiff that is gone", &["DELETE FROM invoices WHERE id = 'A2'"]),
    ("commission.6", "all invoices gone", &["DELETE FROM invoices"]),
    ("durability.29", "a booked invoice that is gone", &["DELETE FROM invoices WHERE id = 'B2'"]),
    ("durability.29", "a programme that is gone", &["DELETE FROM programs"]),
    ("durability.29", "a customer that is gone", &["DELETE FROM customers"]),
    ("commission.6", "a booked invoice that was never paid", &["UPDATE invoices SET paid_at = NULL WHERE id = 'B2'"]),
    ("commission.6", "a booked invoice with a spiff that was never paid", &["UPDATE invoices SET paid_at = NULL WHERE id = 'A2'"]),
    (
        "commission.8",
        "a refund booked before its date",
        &["UPDATE refunds SET refunded_at = refunded_at + CAST(400 AS BIGINT) * 86400 * 1000000 WHERE id = 'R1'"],
    ),
    (
        "commission.7",
        "a line of another amount",
        &["UPDATE commission_lines SET amount_minor = amount_minor + 1 WHERE source_id = 'A2' AND component = 'base'"],
    ),
    ("commission.7", "a line of another rate", &["UPDATE commission_lines SET rate = '0.13' WHERE source_id = 'A2' AND component = 'base'"]),
    (
        "commission.7",
        "a reversal of another amount",
        &["UPDATE commission_lines SET amount_minor = amount_minor - 1 WHERE source = 'refund' AND component = 'base'"],
    ),
    (
        "commission.8",
        "a reversal of more than its line",
        &["UPDATE commission_lines SET amount_minor = amount_minor * 10 WHERE source = 'refund' AND component = 'base'"],
    ),
    ("commission.9", "lines without a settlement", &["DELETE FROM settlements WHERE partner = 'beta' AND period = '2026-06'"]),
    (
        "settlement.10",
        "another digest",
        &[
            "UPDATE settlements SET digest = 'sha256:0000000000000000000000000000000000000000000000000000000000000000' WHERE partner = 'acme' AND period = '2026-04'",
        ],
    ),
    ("settlement.10", "a line's tier that was changed", &["UPDATE commission_lines SET tier = 'base' WHERE source_id = 'A2' AND component = 'base'"]),
    (
        "settlement.10",
        "a settlement that is a draft again",
        &["UPDATE settlements SET status = 'draft' WHERE partner = 'acme' AND period = '2026-04'"],
    ),
    (
        "settlement.12",
        "cash lines of another sum",
        &["UPDATE settlements SET cash_lines_minor = cash_lines_minor + 1 WHERE partner = 'acme' AND period = '2026-05' AND currency = 'USD'"],
    ),
    (
        "settlement.12",
        "referred revenue of another sum",
        &["UPDATE settlements SET referred_revenue_minor = 0 WHERE partner = 'acme' AND period = '2026-05' AND currency = 'USD'"],
    ),
    (
        "settlement.12",
        "co-op credit of another sum",
        &["UPDATE settlements SET coop_credit_minor = 0 WHERE partner = 'acme' AND period = '2026-05' AND currency = 'USD'"],
    ),
    (
        "settlement.13",
        "an opening balance that nothing carried",
        &["UPDATE settlements SET opening_balance_minor = opening_balance_minor + 1 WHERE partner = 'beta' AND period = '2026-05'"],
    ),
    ("settlement.14", "a period that was left out", &["DELETE FROM periods WHERE period = '2026-05'"]),
    (
        "settlement.14",
        "a period before one that is final still closing",
        &["UPDATE periods SET status = 'closing', stage = 'frozen' WHERE period = '2026-05'"],
    ),
];

/// Copies of rows that a key refuses, with the key taken away first: the table, its key's name on `PostgreSQL`, the copied columns changed.
const DUPLICATES: [(&str, &str, &str); 3] = [
    ("commission.9", "commission_lines", "commission_lines_pkey"),
    ("settlement.11", "settlements", "settlements_pkey"),
    ("time.23", "parent_links", "parent_links_pkey"),
];

/// The invariants that `verify --json` finds broken, each with the number of its rows.
pub(crate) fn broken(app: &App) -> Vec<(String, usize)> {
    let finished = app.run("verify --json");
    let said: Value =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}\n{}{}", finished.stdout_text(), finished.stderr));
    let checks = said["checks"].as_array().expect("checks are a list");
    let rows = |check: &Value| check["rows"].as_array().map_or(0, Vec::len);
    let broken: Vec<(String, usize)> = checks
        .iter()
        .filter(|check| rows(check) > 0)
        .map(|check| (check["invariant"].as_str().unwrap_or_default().to_owned(), rows(check)))
        .collect();
    assert_eq!(said["ok"], broken.is_empty(), "{said}");
    assert_eq!(finished.status.code(), Some(i32::from(!broken.is_empty())), "{said}");
    broken
}

pub(crate) fn assert_named(app: &App, invariant: &str, what: &str) {
    let found = broken(app);
    assert!(found.iter().any(|(name, _)| name == invariant), "{what} breaks {invariant}; verify found {found:?}");
}

/// What breaks a ranking of a quarter.
const RANKINGS: [(&str, &str, &[&str]); 9] = [
    ("commission.6", "a ranking of another rate", &["UPDATE rankings SET rate = '0.5'"]),
    ("commission.6", "a ranking that more win", &["UPDATE rankings SET top = '1'"]),
    ("commission.6", "a ranking by another version", &["UPDATE rankings SET version = 2"]),
    ("commission.6", "a ranking that pays a lump sum", &["UPDATE rankings SET applies = 'ranked_quarter'"]),
    ("commission.6", "a winner that did not win", &["UPDATE ranking_places SET winner = 1 WHERE partner = 'beta'"]),
    ("commission.6", "a winner of less revenue", &["UPDATE ranking_places SET revenue = '1' WHERE partner = 'acme'"]),
    ("commission.6", "a place that is gone", &["DELETE FROM ranking_places WHERE partner = 'beta'"]),
    ("commission.6", "places of no ranking", &["DELETE FROM rankings"]),
    ("commission.6", "a ranking that is gone", &["DELETE FROM ranking_places", "DELETE FROM rankings"]),
];

/// A quarter in which acme is ranked before beta.
fn a_ranked_quarter(app: &App) {
    app.apply(&PROGRAMME.replace("[settlement]", "[[rankings]]\nid = \"top\"\ntop = \"50%\"\nrate = \"1%\"\n\n[settlement]"));
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01\nbeta,Beta,p,base,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at
         A1,c1,acme,USD,1000.00,2026-04-10T10:00:00Z
         B1,c1,beta,USD,90.00,2026-04-11T10:00:00Z
         A2,c1,acme,USD,100.00,2026-07-10T10:00:00Z",
    );
    app.settle("p", "2026-07");
}

fn verify_names_a_broken_ranking(app: &App) {
    a_ranked_quarter(app);
    assert_breaks(app, &RANKINGS);
}

fn verify_names_what_is_broken(app: &App) {
    three_months(app);
    assert_breaks(app, &BREAKS);
}

/// Each begins from the same sound books.
fn assert_breaks(app: &App, breaks: &[(&str, &str, &[&str])]) {
    assert_eq!(broken(app), []);
    for &(invariant, what, statements) in breaks {
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| {
            for &statement in statements {
                assert!(books.execute(statement) > 0, "{what}: {statement} changes nothing");
            }
        });
        assert_named(&copy, invariant, what);
    }
}

fn verify_names_what_is_there_twice(app: &App) {
    three_months(app);
    for (invariant, table, key) in DUPLICATES {
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| repeat_rows(books, table, key));
        assert_named(&copy, invariant, table);
    }
}

/// What a ranking says is final with its quarter: the database itself refuses to change it.
fn a_ranking_of_a_final_quarter_never_changes(app: &App) {
    a_ranked_quarter(app);
    let books = app.access();
    for table in ["rankings", "ranking_places"] {
        assert!(books.number(&format!("SELECT COUNT(*) FROM {table}")) > 0, "{table} has rows");
        for statement in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET program = program")] {
            let refused = books.try_execute(&statement).expect_err(&statement).to_string();
            assert!(refused.contains("a ranking of a final quarter never changes"), "{statement}: {refused}");
        }
    }
}

/// On the last second of the year 9999 it is the year 10000 in Tokyo already; nothing has to be booked by then.
fn the_year_10000_is_not_due(app: &App) {
    app.apply(&PROGRAMME.replace("\"UTC\"", "\"Asia/Tokyo\""));
    app.import("partners", "id,name,program,tier,tier_since\nbeta,Beta,p,base,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at
         B1,c1,beta,USD,90.00,2026-04-11T10:00:00Z
         FF,c1,beta,USD,5.00,9999-12-31T23:59:59Z",
    );
    app.settle("p", "2026-05");
    app.apply(&PROGRAMME.replace("id = \"p\"", "id = \"q\"").replace("first_period", "hold_days = 30\nfirst_period"));
    app.import("memberships", "partner,program,tier,tier_since\nbeta,q,base,2026-01-01");
    app.import("credits", "id,partner,role,program,invoice\nK1,beta,sourced,q,FF");
    app.settle("q", "2026-05");
    app.assert_verified();
}

/// Takes a table's key away and writes one of its rows again.
pub(crate) fn repeat_rows(books: &Access, table: &str, key: &str) {
    if books.is_sqlite() {
        for statement in [
            format!("CREATE TABLE keyless AS SELECT * FROM {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE keyless RENAME TO {table}"),
        ] {
            books.execute(&statement);
        }
    } else {
        books.execute(&format!("ALTER TABLE {table} DROP CONSTRAINT {key} CASCADE"));
    }
    assert_eq!(books.execute(&format!("INSERT INTO {table} SELECT * FROM {table} LIMIT 1")), 1);
}

fn verify_shows_its_checks_when_all_is_well(app: &App) {
    three_months(app);
    let said = app.json("verify --json");
    let names: Vec<&str> = said["checks"].as_array().expect("checks are a list").iter().filter_map(|check| check["invariant"].as_str()).collect();
    for (invariant, _, _) in BREAKS {
        assert!(names.contains(&invariant), "{invariant} is not among {names:?}");
    }
    assert!(said["checks"].as_array().is_some_and(|checks| checks.iter().all(|check| check["name"].as_str().is_some_and(|name| !name.is_empty()))));
}

on_both_databases!(
    verify_names_what_is_broken,
    verify_names_a_broken_ranking,
    verify_names_what_is_there_twice,
    verify_shows_its_checks_when_all_is_well,
    a_ranking_of_a_final_quarter_never_changes,
    the_year_10000_is_not_due,
);
