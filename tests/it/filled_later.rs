//! What is filled later counts from then on: nothing that is posted changes, and nothing that counts as filled is moved (domain.md §2.7).

use serde_json::Value;

use crate::app::App;

fn programme(id: &str) -> String {
    format!(
        r#"[program]
id = "{id}"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "silver"
name = "Silver"
threshold = "0"
rate = "8%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"

[hierarchy]
levels = ["10%"]

[settlement]
first_period = "2026-04"
"#
    )
}

fn begun(app: &App) {
    app.apply(&programme("t"));
    app.apply(&programme("u"));
    app.import(
        "partners",
        "id,name,program,tier,tier_since
        p1,One,t,gold,2026-01-01
        p2,Two,t,silver,2026-01-01",
    );
    app.import("memberships", "partner,program,tier,tier_since\np1,u,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
}

fn filled(app: &App, kind: &str, rows: &str) -> Value {
    let file = app.write(kind, "csv", &format!("{rows}\n"));
    app.json(&format!("import {kind} {file} --json"))["filled"].clone()
}

fn refused(app: &App, kind: &str, rows: &str, column: &str, words: &[&str]) {
    let file = app.write(kind, "csv", &format!("{rows}\n"));
    for dry_run in ["", " --dry-run"] {
        let said = app.refused(&format!("import {kind} {file}{dry_run}"));
        let place = format!("{file}:2: column {column}: ");
        assert!(said.lines().any(|line| line.contains(&place) && words.iter().all(|word| line.contains(word))), "{place}… {words:?}\n{said}");
    }
}

/// Sums of a refund's reversals by payee and item, minor units.
fn reversed(app: &App, program: &str, refund: &str) -> Vec<String> {
    app.access().texts(&format!(
        "SELECT payee || ' ' || item || ' ' || CAST(SUM(amount_minor) AS TEXT) FROM commission_lines
          WHERE program = '{program}' AND source = 'refund' AND source_id = '{refund}' GROUP BY payee, item ORDER BY payee, item"
    ))
}

/// A refund keeps the spread that it was booked with; a programme that books it later takes the item that was filled.
fn an_item_filled_after_the_refund_was_booked(app: &App) {
    begun(app);
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI1,c1,USD,300.00,2026-04-10T10:00:00Z");
    app.import("invoice_items", "invoice,item,amount\nI1,1,100.00\nI1,2,200.00");
    app.import(
        "credits",
        "id,partner,role,share,program,invoice,item
        K1,p1,sourced,50%,,I1,1
        K2,p2,sourced,1,,I1,2
        K3,p1,sourced,50%,u,I1,1",
    );
    app.import("refunds", "id,invoice,amount,refunded_at\nr1,I1,90.00,2026-04-20T10:00:00Z");
    app.settle("t", "2026-04");
    assert_eq!(reversed(app, "t", "r1"), ["p1 1 -180", "p2 2 -480"]);
    assert_eq!(filled(app, "refunds", "id,invoice,item,amount,refunded_at\nr1,I1,1,90.00,2026-04-20T10:00:00Z"), 1);
    app.assert_verified();
    app.import("refunds", "id,invoice,amount,refunded_at\nr2,I1,210.00,2026-05-20T10:00:00Z");
    app.settle("t", "2026-05");
    app.settle("u", "2026-05");
    assert_eq!(reversed(app, "t", "r2"), ["p1 1 -420", "p2 2 -1120"], "the rest of each item comes back");
    assert_eq!(reversed(app, "u", "r1"), ["p1 1 -540"]);
    assert_eq!(reversed(app, "u", "r2"), ["p1 1 -60"]);
    app.ok("explain --invoice I1");
}

/// As recorded the item must bear the refund, and what was booked must leave enough for the others.
fn an_item_filled_that_can_not_bear_the_refund(app: &App) {
    begun(app);
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nI1,c1,p1,USD,300.00,2026-04-10T10:00:00Z");
    app.import("invoice_items", "invoice,item,amount\nI1,1,100.00\nI1,2,200.00");
    app.import("refunds", "id,invoice,amount,refunded_at\nr1,I1,150.00,2026-04-20T10:00:00Z");
    app.settle("t", "2026-04");
    refused(app, "refunds", "id,invoice,item,amount,refunded_at\nr1,I1,1,150.00,2026-04-20T10:00:00Z", "amount", &["item 1"]);
    assert_eq!(filled(app, "refunds", "id,invoice,item,amount,refunded_at\nr1,I1,2,150.00,2026-04-20T10:00:00Z"), 1);
    let all_of_item_1 = "id,invoice,item,amount,refunded_at\nr2,I1,1,100.00,2026-05-20T10:00:00Z";
    refused(app, "refunds", all_of_item_1, "amount", &["item 1"]);
    app.settle("t", "2026-05");
}

on_both_databases!(an_item_filled_after_the_refund_was_booked, an_item_filled_that_can_not_bear_the_refund);
