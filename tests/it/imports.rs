//! What importing does: once, all or nothing, in any order, from either format, filled later, voided and recorded anew.

use serde_json::Value;

use crate::app::App;
use crate::database::assert_same;

const PROGRAMME: &str = r#"[program]
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

fn begun(app: &App) {
    app.apply(PROGRAMME);
    // A child may stand before its parent, and its parent's parent after both.
    app.import(
        "partners",
        "id,name,program,tier,tier_since,parent,status
        child,Child,p,base,2026-01-01,mid,
        top,Top,p,base,2026-01-01,,
        mid,Mid,p,base,2026-02-01,top,suspended",
    );
    app.import("customers", "id,name\nc1,Customer");
}

fn counts(printed: &Value) -> [u64; 5] {
    ["read", "new", "filled", "updated", "unchanged"].map(|name| printed[name].as_u64().expect("a count"))
}

fn import(app: &App, kind: &str, rows: &str) -> [u64; 5] {
    let file = app.write(kind, "csv", rows);
    counts(&app.json(&format!("import {kind} {file} --json")))
}

fn members_begin_with_their_histories(app: &App) {
    begun(app);
    let links = app.access().texts("SELECT partner || ' ' || parent || ' ' || effective_from FROM parent_links ORDER BY partner");
    assert_eq!(links, ["child mid 2026-01-01", "mid top 2026-02-01"]);
    let statuses = app.access().texts("SELECT partner || ' ' || status || ' ' || effective_from FROM statuses ORDER BY partner");
    assert_eq!(statuses, ["child active 0001-01-01", "mid suspended 0001-01-01", "top active 0001-01-01"]);
    assert_eq!(import(app, "tiers", "partner,tier,effective_from\nmid,base,2026-02-01\n"), [1, 0, 0, 0, 1], "the first tier shares the key");
}

fn a_fact_is_recorded_once_and_filled_once(app: &App) {
    begun(app);
    let seq = || app.access().number("SELECT seq FROM gate");
    let unpaid = "id,customer,currency,subtotal,paid_at\nI1,c1,USD,10.00,\nI2,c1,USD,20,2026-04-02T00:00:00+02:00\n";
    assert_eq!(import(app, "invoices", unpaid), [2, 2, 0, 0, 0]);
    let after_first = seq();
    let before = app.access().dump();
    assert_eq!(import(app, "invoices", unpaid), [2, 0, 0, 0, 2]);
    // The same instants and amounts, written otherwise, are the same; what is left out never differs.
    assert_eq!(import(app, "invoices", "subtotal,id,currency,customer,paid_at\n20.00,I2,USD,c1,2026-04-01T22:00:00Z\n"), [1, 0, 0, 0, 1]);
    assert_eq!(import(app, "invoices", "id,customer,currency,subtotal\nI2,c1,USD,20\n"), [1, 0, 0, 0, 1]);
    assert_same(&before, &app.access().dump(), "what was recorded before");
    assert_eq!(import(app, "invoices", "id,customer,currency,subtotal,paid_at,product\nI1,c1,USD,10,2026-04-03T00:00:00Z,E5\n"), [1, 0, 1, 0, 0]);
    assert_eq!(seq(), after_first + 1);
    let fills = app.access().texts("SELECT kind || ' ' || id || ' ' || field || ' ' || seq FROM fills ORDER BY field");
    assert_eq!(fills, [format!("invoices I1 paid_at {}", seq()), format!("invoices I1 product {}", seq())]);
    assert_eq!(app.access().number("SELECT filled FROM invoices WHERE id = 'I1'"), seq());
}

fn rows_of_one_file_may_repeat_and_fill_each_other(app: &App) {
    begun(app);
    let rows = "id,name,activated_on,churned_on\nc2,Old,,\nc2,New,2026-01-01,\nc2,New,,2026-06-01\n";
    assert_eq!(import(app, "customers", rows), [3, 1, 0, 0, 2]);
    let row = app.access().texts("SELECT name || ' ' || activated_on || ' ' || churned_on FROM customers WHERE id = 'c2'");
    assert_eq!(row, ["New 2026-01-01 2026-06-01"]);
}

fn names_and_addresses_may_change(app: &App) {
    begun(app);
    let rows = "id,name,email,program,tier,tier_since\ntop,Topmost,a@b.example,p,base,2026-01-01\n";
    assert_eq!(import(app, "partners", rows), [1, 0, 0, 1, 0]);
    assert_eq!(import(app, "partners", &rows.replace("a@b.example", "")), [1, 0, 0, 0, 1]);
    assert_eq!(app.access().texts("SELECT name || ' ' || email FROM partners WHERE id = 'top'"), ["Topmost a@b.example"]);
}

fn a_parent_may_be_filled_in_later(app: &App) {
    begun(app);
    let row = |parent: &str, rate: &str| format!("id,name,program,tier,tier_since,parent,override_rate\nnew,New,p,base,2026-01-01,{parent},{rate}\n");
    assert_eq!(import(app, "partners", &row("", "")), [1, 1, 0, 0, 0]);
    assert_eq!(import(app, "partners", &row("top", "")), [1, 0, 1, 0, 0]);
    assert_eq!(import(app, "partners", &row("top", "2%")), [1, 0, 1, 0, 0]);
    assert_eq!(import(app, "partners", &row("top", "0.02")), [1, 0, 0, 0, 1]);
    let link = app.access().texts("SELECT parent || ' ' || effective_from || ' ' || override_rate FROM parent_links WHERE partner = 'new'");
    assert_eq!(link, ["top 2026-01-01 0.02"]);
    assert_eq!(import(app, "parents", "partner,parent,effective_from\nnew,,2026-05-01\n"), [1, 1, 0, 0, 0]);
    assert_eq!(import(app, "parents", "partner,effective_from\nnew,2026-05-01\n"), [1, 0, 0, 0, 1]);
}

fn invoices_may_carry_their_items_in_json_lines(app: &App) {
    begun(app);
    let lines = r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3.50, "items": [{"item": "a", "amount": 1.5, "product": "E5"}, {"item": "b", "amount": "2"}]}
{"id": "J2", "customer": "c1", "currency": "KWD", "subtotal": "1.005", "paid_at": null, "items": [{"item": "a", "amount": 1.005}]}
{"id": "J3", "customer": "c1", "currency": "JPY", "subtotal": 100, "items": []}
"#;
    let file = app.write("invoices", "jsonl", lines);
    assert_eq!(counts(&app.json(&format!("import invoices {file} --json"))), [6, 6, 0, 0, 0]);
    assert_eq!(counts(&app.json(&format!("import invoices {file} --json"))), [6, 0, 0, 0, 6]);
    let items = app.access().texts("SELECT invoice || ' ' || item || ' ' || amount_minor FROM invoice_items ORDER BY invoice, item");
    assert_eq!(items, ["J1 a 150", "J1 b 200", "J2 a 1005"]);
    assert_eq!(import(app, "invoice_items", "invoice,item,amount\nJ2,a,1.005\n"), [1, 0, 0, 0, 1]);
}

fn a_file_with_one_wrong_row_changes_nothing(app: &App) {
    begun(app);
    let rows: String = (0..2000).map(|number| format!("I{number},c1,USD,1.00\n")).collect();
    let file = app.write("invoices", "csv", &format!("id,customer,currency,subtotal\n{rows}last,c9,USD,1.00\n"));
    let said = app.refused(&format!("import invoices {file}"));
    assert!(said.contains(&format!("{file}:2002: column customer: \"c9\"")), "{said}");
}

fn what_was_wrong_is_voided_and_recorded_anew(app: &App) {
    begun(app);
    let wrong = "id,customer,currency,subtotal,paid_at\nI1,c1,USD,10.00,2026-04-03T00:00:00Z\n";
    import(app, "invoices", wrong);
    import(app, "invoice_items", "invoice,item,amount\nI1,a,4\nI1,b,6\n");
    import(app, "credits", "id,partner,role,invoice,item\nK1,top,sourced,I1,a\n");
    import(
        app,
        "refunds",
        "id,invoice,amount,refunded_at,kind,of\nR2,I1,1,2026-04-05T00:00:00Z,chargeback_won,R1\nR1,I1,1,2026-04-04T00:00:00Z,chargeback,\n",
    );
    // In any order: what refers goes first.
    let all = "kind,id,reason,approved_by\ninvoices,I1,typo,jo\ncredits,K1,typo,jo\nrefunds,R1,typo,jo\nrefunds,R2,typo,jo\n";
    assert_eq!(import(app, "voids", all), [4, 4, 0, 0, 0]);
    assert_eq!(import(app, "voids", all), [4, 0, 0, 0, 4]);
    assert_eq!(app.access().number("SELECT COUNT(*) FROM invoices") + app.access().number("SELECT COUNT(*) FROM invoice_items"), 0);
    let body = app.access().texts("SELECT body FROM voids WHERE kind = 'invoices'");
    let body: Value = serde_json::from_str(&body[0]).expect("the history is JSON");
    assert_eq!((&body["subtotal_minor"], &body["invoice_items"][1]["amount_minor"]), (&1000.into(), &600.into()), "{body}");
    assert_eq!(import(app, "invoices", &wrong.replace("10.00", "11.00")), [1, 1, 0, 0, 0]);
    // The old voiding says nothing of the new fact.
    assert_eq!(import(app, "voids", all), [4, 0, 0, 0, 4]);
    assert_eq!(app.access().number("SELECT COUNT(*) FROM invoices"), 1);
}

fn what_a_period_used_is_not_voided(app: &App) {
    begun(app);
    import(app, "invoices", "id,customer,partner,currency,subtotal,paid_at\nI1,c1,top,USD,10.00,2026-04-03T00:00:00Z\nI2,c1,top,USD,10.00,\n");
    import(app, "fx", "date,from,to,rate\n2026-04-01,EUR,USD,1.1\n2026-04-01,USD,EUR,0.9\n");
    import(app, "adjustments", "id,partner,amount,currency,adjusted_on,reason,approved_by\nA1,top,1,USD,2026-04-01,r,jo\n");
    app.settle("p", "2026-04");
    for (kind, id) in [("invoices", "I1"), ("fx", "2026-04-01/EUR/USD"), ("adjustments", "A1"), ("tiers", "top/p/2026-01-01")] {
        let file = app.write("voids", "csv", &format!("kind,id,reason,approved_by\n{kind},{id},r,jo\n"));
        let said = app.refused(&format!("import voids {file}"));
        assert!(said.contains(&format!("{file}:2: column id: ")) && said.contains("2026-04"), "{kind} {id}\n{said}");
    }
    // Never paid, to no programme's currency, or recorded after the period was frozen: not used.
    import(app, "adjustments", "id,partner,amount,currency,adjusted_on,reason,approved_by\nA2,top,1,USD,2026-04-01,r,jo\n");
    let free = "kind,id,reason,approved_by\ninvoices,I2,r,jo\nfx,2026-04-01/USD/EUR,r,jo\nadjustments,A2,r,jo\n";
    assert_eq!(import(app, "voids", free), [3, 3, 0, 0, 0]);
}

on_both_databases!(
    members_begin_with_their_histories,
    a_fact_is_recorded_once_and_filled_once,
    rows_of_one_file_may_repeat_and_fill_each_other,
    names_and_addresses_may_change,
    a_parent_may_be_filled_in_later,
    invoices_may_carry_their_items_in_json_lines,
    a_file_with_one_wrong_row_changes_nothing,
    what_was_wrong_is_voided_and_recorded_anew,
    what_a_period_used_is_not_voided,
);
