//! `wallet show`: balance, lots and history agree with each other and with the ledger.

use serde_json::Value;

use crate::app::App;
use crate::world::settled;

fn minor(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

fn wallet(app: &App, partner: &str) -> Value {
    let shown = app.json(&format!("wallet show --partner {partner} --json"));
    assert_eq!(shown["wallets"].as_array().unwrap().len(), 1, "{shown:#}");
    shown["wallets"][0].clone()
}

fn kinds(wallet: &Value) -> Vec<String> {
    wallet["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moved| format!("{} {} {}", moved["date"], moved["kind"], moved["amount"]).replace('"', ""))
        .collect()
}

/// Ended lots are not available before their expiry is posted; the clock stands in January 2027.
fn a_wallet_tells_what_moved_it(app: &App) {
    settled(app);
    let shown = wallet(app, "acme");
    assert_eq!(kinds(&shown), ["2026-04-30 accrual 2000.00", "2026-05-31 accrual 1600.00", "2026-05-31 reversal -20.00"],);
    assert_eq!(
        (&shown["balance"], &shown["held"], &shown["ended"], &shown["available"]),
        (&"3580.00".into(), &"0.00".into(), &"3580.00".into(), &"0.00".into())
    );
    let lots: Vec<String> = shown["lots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| format!("{} {} {}", lot["ends_on"], lot["amount"], lot["remaining"]).replace('"', ""))
        .collect();
    assert_eq!(lots, ["2026-06-20 2000.00 1980.00", "2026-07-12 1600.00 1600.00"]);
    app.settle("reseller", "2026-07");
    let shown = wallet(app, "acme");
    assert_eq!(kinds(&shown)[3..], ["2026-06-20 expiry -1980.00", "2026-07-12 expiry -1600.00"]);
    assert_eq!((&shown["balance"], &shown["available"]), (&"0.00".into(), &"0.00".into()));
    let ledger = app.access().number("SELECT CAST(-SUM(amount_minor) AS BIGINT) FROM postings WHERE account = 'partner:acme:reseller:coop'");
    assert_eq!(ledger, minor(&shown["balance"]));
    let text = app.ok("wallet show --partner acme").stdout_text();
    assert!(text.starts_with("coop of acme in reseller, USD\n") && text.contains("2026-06-20  expiry"), "{text}");
}

/// A reversal of what is spent or gone makes the wallet negative; the next accrual first fills that.
fn a_negative_wallet_is_filled_first(app: &App) {
    settled(app);
    app.settle("reseller", "2026-07");
    app.import("refunds", "id,invoice,amount,refunded_at\nR-3,INV-2,40000.00,2026-08-03T10:00:00Z");
    app.settle("reseller", "2026-08");
    assert_eq!(wallet(app, "acme")["balance"], "-800.00");
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nNEXT,c1,acme,USD,50000.00,2026-09-20T10:00:00Z");
    app.settle("reseller", "2026-09");
    let shown = wallet(app, "acme");
    let moved = kinds(&shown);
    assert!(moved.ends_with(&["2026-09-30 accrual 1000.00".into(), "2026-09-30 debt_fill -800.00".into()]), "{moved:#?}");
    assert_eq!(shown["balance"], "200.00");
    assert_eq!(shown["history"].as_array().unwrap().last().unwrap()["balance"], "200.00", "a debt fill moves the lot alone");
    assert_eq!(shown["lots"].as_array().unwrap().last().unwrap()["remaining"], "200.00");
}

fn who_has_no_wallet_is_told_apart_from_who_is_unknown(app: &App) {
    settled(app);
    assert!(app.ok("wallet show --partner beta").stdout_text().contains("beta has no wallet"));
    assert_eq!(app.json("wallet show --partner beta --json")["wallets"], serde_json::json!([]));
    assert!(app.refused("wallet show --partner nobody").contains("partner nobody is not recorded"));
    assert!(app.refused("wallet show --partner acme --program other").contains("programme other is not recorded"));
}

on_both_databases!(a_wallet_tells_what_moved_it, a_negative_wallet_is_filled_first, who_has_no_wallet_is_told_apart_from_who_is_unknown);
