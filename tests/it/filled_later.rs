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

/// The rate of a link that `partners` brought with a date of its own reaches it though the row that fills it leaves the date out.
fn an_override_rate_reaches_the_recorded_link(app: &App) {
    begun(app);
    let header = "id,name,program,tier,tier_since,parent,parent_since,override_rate";
    app.import("partners", &format!("{header}\np3,Three,t,silver,2026-01-01,p1,2026-02-01,"));
    assert_eq!(filled(app, "partners", &format!("{header}\np3,Three,t,silver,2026-01-01,p1,,9%")), 1);
    let rate = |partner: &str, program: &str| {
        app.access()
            .texts(&format!("SELECT effective_from || ' ' || override_rate FROM parent_links WHERE partner = '{partner}' AND program = '{program}'"))
    };
    assert_eq!(rate("p3", "t"), ["2026-02-01 0.09"]);
    app.import("memberships", "partner,program,tier,tier_since,parent,parent_since\np2,u,silver,2026-01-01,p1,2026-03-01");
    assert_eq!(filled(app, "memberships", "partner,program,tier,tier_since,parent,override_rate\np2,u,silver,2026-01-01,p1,4%"), 1);
    assert_eq!(rate("p2", "u"), ["2026-03-01 0.04"]);
    app.import("partners", "id,name,program,tier,tier_since,parent\np4,Four,t,silver,2026-01-01,p1");
    app.import("parents", "partner,parent,effective_from,override_rate\np4,p1,2026-01-01,5%");
    let seven = "id,name,program,tier,tier_since,parent,override_rate\np4,Four,t,silver,2026-01-01,p1,7%";
    refused(app, "partners", seven, "override_rate", &["0.07", "0.05"]);
    app.import("partners", &seven.replace("7%", "5%"));
}

/// A date of the parent can't be filled in where the parent holds from the tier's date already.
fn a_parent_keeps_its_date(app: &App) {
    begun(app);
    app.import("partners", "id,name,program,tier,tier_since,parent\np3,Three,t,silver,2026-01-01,p1");
    let header = "id,name,program,tier,tier_since,parent,parent_since";
    refused(app, "partners", &format!("{header}\np3,Three,t,silver,2026-01-01,p1,2026-02-01"), "parent_since", &["2026-01-01", "`parents`"]);
    app.import("partners", &format!("{header}\np3,Three,t,silver,2026-01-01,p1,2026-01-01"));
}

/// What stands for a value where it is left out counts as filled: a credit's home programme, a freeze of all members.
fn what_stands_for_a_value_is_not_filled(app: &App) {
    begun(app);
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI1,c1,USD,300.00,2026-04-10T10:00:00Z");
    app.import("credits", "id,partner,role,program,invoice\nK1,p1,sourced,,I1");
    app.settle("t", "2026-04");
    refused(app, "credits", "id,partner,role,program,invoice\nK1,p1,sourced,u,I1", "program", &["\"u\"", "\"t\""]);
    let file = app.write("credits", "csv", "id,partner,role,program,invoice\nK1,p1,sourced,t,I1\n");
    assert_eq!(app.json(&format!("import credits {file} --json"))["unchanged"], 1);
    app.import("credits", "id,partner,role,program,customer\nK3,p1,sourced,u,c1");
    refused(app, "credits", "id,partner,role,customer\nK3,p1,sourced,c1", "program", &["\"u\"", "\"t\""]);
    let freeze = "id,program,partner,what,from,through,reason\nF1,t,,promotion,2026-06-01,2026-06-30,audit";
    app.import("freezes", freeze);
    refused(app, "freezes", &freeze.replace("t,,", "t,p1,"), "partner", &["p1"]);
    assert_eq!(filled(app, "freezes", freeze), 0);
}

/// A first tier, parent and status that were voided come anew with the row of their membership, and nothing else contradicts it.
fn first_facts_are_voided_and_recorded_anew(app: &App) {
    begun(app);
    let header = "id,name,program,tier,tier_since,parent,parent_since,override_rate,status";
    let wrong = format!("{header}\np3,Three,t,silver,2026-01-01,p1,,2%,suspended");
    app.import("partners", &wrong);
    app.import(
        "voids",
        "kind,id,reason,approved_by\ntiers,p3/t/2026-01-01,typo,jo\nparents,p3/t/2026-01-01,typo,jo\nstatuses,p3/t/0001-01-01,typo,jo",
    );
    let right = format!("{header}\np3,Three,t,gold,2026-02-01,p2,2026-03-01,3%,active");
    assert_eq!(filled(app, "partners", &right), 1);
    refused(app, "partners", &wrong, "tier", &["\"silver\"", "\"gold\""]);
    let read = |query: &str| app.access().texts(query);
    assert_eq!(read("SELECT tier || ' ' || effective_from FROM tier_assignments WHERE partner = 'p3'"), ["gold 2026-02-01"]);
    assert_eq!(read("SELECT parent || ' ' || effective_from || ' ' || override_rate FROM parent_links WHERE partner = 'p3'"), ["p2 2026-03-01 0.03"]);
    assert_eq!(read("SELECT status FROM statuses WHERE partner = 'p3'"), ["active"]);
    // A link without a date of its own keeps the date of the tier that was voided.
    app.import("partners", "id,name,program,tier,tier_since,parent\np4,Four,t,silver,2026-01-01,p1");
    app.import("voids", "kind,id,reason,approved_by\ntiers,p4/t/2026-01-01,typo,jo");
    assert_eq!(filled(app, "partners", "id,name,program,tier,tier_since,parent,override_rate\np4,Four,t,silver,2026-02-01,p1,6%"), 1);
    assert_eq!(read("SELECT effective_from || ' ' || override_rate FROM parent_links WHERE partner = 'p4'"), ["2026-01-01 0.06"]);
    // What came anew is voided and comes anew once more.
    app.import("voids", "kind,id,reason,approved_by\ntiers,p4/t/2026-02-01,typo again,jo");
    assert_eq!(filled(app, "partners", "id,name,program,tier,tier_since\np4,Four,t,gold,2026-01-01"), 1);
    let none = app.write("partners", "csv", "id,name,program,tier,tier_since\np4,Four,t,golden,2026-01-01\n");
    app.refused(&format!("import partners {none}"));
    app.settle("t", "2026-05");
}

on_both_databases!(
    an_item_filled_after_the_refund_was_booked,
    an_item_filled_that_can_not_bear_the_refund,
    an_override_rate_reaches_the_recorded_link,
    a_parent_keeps_its_date,
    what_stands_for_a_value_is_not_filled,
    first_facts_are_voided_and_recorded_anew,
);
