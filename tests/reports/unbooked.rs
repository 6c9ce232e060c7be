//! `explain` of an invoice that no period booked says why, and what it would earn.

use serde_json::Value;

use crate::app::App;
use crate::world::{recorded, settled};

fn state(told: &Value) -> &str {
    told["programs"][0]["state"].as_str().expect("a programme")
}

fn an_invoice_that_earns_nothing_says_why(app: &App) {
    settled(app);
    let unpaid = app.json("explain --invoice INV-7 --json");
    assert!(unpaid["notes"][0].as_str().unwrap().starts_with("not paid"), "{unpaid:#}");
    assert_eq!(unpaid["programs"], serde_json::json!([]));
    let uncredited = app.json("explain --invoice INV-6 --json");
    assert!(uncredited["notes"][0].as_str().unwrap().starts_with("no item has a credit"), "{uncredited:#}");
    let looked: Vec<&str> = uncredited["uncredited"][0]["places"].as_array().unwrap().iter().map(|place| place["place"].as_str().unwrap()).collect();
    assert_eq!(looked, ["invoice", "customer"]);
    let history = app.json("explain --invoice INV-0 --json");
    assert_eq!(state(&history), "history");
    let says = history["programs"][0]["says"].to_string();
    assert!(says.contains("paid before 2026-04") && says.contains("earns nothing"), "{says}");
    let credit = &history["programs"][0]["items"][0]["credits"][0];
    assert_eq!((&credit["rules"], &credit["base"]), (&serde_json::json!([]), &Value::Null), "{credit:#}");
    let text = app.ok("explain --invoice INV-0").stdout_text();
    assert!(!text.contains("pays on") && !text.contains("on top of cash") && text.contains("as known now"), "{text}");
    let said = app.refused("explain --invoice INV-99");
    assert!(said.contains("invoice INV-99 is not recorded"), "{said}");
}

/// In an open period it is settled in memory: with the cap that earlier invoices leave, and without storing anything.
fn an_open_period_tells_what_it_would_earn(app: &App) {
    recorded(app);
    let before = app.access().dump();
    let told = app.json("explain --invoice INV-2 --json");
    assert_eq!(state(&told), "would_be_booked");
    assert_eq!(told["programs"][0]["period"], "2026-05");
    let credit = &told["programs"][0]["items"][0]["credits"][0];
    let amounts: Vec<String> =
        credit["lines"].as_array().unwrap().iter().map(|line| format!("{} {}", line["line"]["component"], line["line"]["amount"])).collect();
    let expected = ["\"base\" \"9600.00\"", "\"coop\" \"1600.00\"", "\"spiff\" \"1500.00\"", "\"override\" \"1600.00\""];
    assert_eq!(amounts, expected, "the cap leaves 50000.00 of the contract value");
    assert!(credit["lines"].as_array().unwrap().iter().all(|line| line["settlement"].is_null()), "nothing of it is final: {credit:#}");
    let text = app.ok("explain --invoice INV-2").stdout_text();
    assert!(text.contains("2026-05 is not final: this is what it would earn as things stand"), "{text}");
    // No cut-off is fixed yet, nor are its credits.
    assert!(text.contains("as known now") && !text.contains("cut-off"), "{text}");
    let program = &told["programs"][0];
    assert_eq!((&program["cutoff"], &program["credits_fixed_by"]), (&Value::Null, &Value::Null), "{program:#}");
    crate::database::assert_same(&before, &app.access().dump(), "explain");
}

fn what_is_missing_is_told_where_nothing_can_be_computed(app: &App) {
    recorded(app);
    app.import("invoices", "id,customer,deal,partner,currency,subtotal,paid_at\nEUR-1,c1,,beta,EUR,10.00,2026-05-02T10:00:00Z");
    let told = app.json("explain --invoice EUR-1 --json");
    assert_eq!(state(&told), "open");
    let says = told["programs"][0]["says"].to_string();
    assert!(says.contains("no exchange rate from EUR to USD"), "{says}");
}

fn late_and_held_invoices_say_so(app: &App) {
    settled(app);
    app.import("invoices", "id,customer,deal,partner,currency,subtotal,paid_at\nLATE,c1,,acme,USD,100.00,2026-04-29T10:00:00Z");
    let told = app.json("explain --invoice LATE --json");
    assert_eq!(
        (state(&told), &told["programs"][0]["period"], &told["programs"][0]["own_period"]),
        ("would_be_booked", &"2026-06".into(), &"2026-04".into())
    );
    app.settle("reseller", "2026-06");
    let told = app.json("explain --invoice LATE --json");
    assert_eq!(state(&told), "booked");
    assert!(told["programs"][0]["says"].to_string().contains("late: its own period is 2026-04"), "{told:#}");
    assert_eq!(told["agrees"], true);
}

on_both_databases!(
    an_invoice_that_earns_nothing_says_why,
    an_open_period_tells_what_it_would_earn,
    what_is_missing_is_told_where_nothing_can_be_computed,
    late_and_held_invoices_say_so,
);
