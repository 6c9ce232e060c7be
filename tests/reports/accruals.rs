//! `export accruals`: what is earned and not yet paid, whether settled, open, held or late.

use serde_json::Value;

use crate::app::App;
use crate::world::{recorded, settled};

/// The amounts of a member as of a day: payable, carried, unsettled, co-op, co-op unsettled, total.
fn owed(app: &App, as_of: &str, partner: &str) -> Vec<String> {
    let report = app.json(&format!("export accruals --as-of {as_of} --json"));
    let found = report["accruals"].as_array().unwrap().iter().find(|owed| owed["partner"] == partner && owed["currency"] == "USD");
    let Some(found) = found else { return Vec::new() };
    ["payable", "carried_forward", "unsettled", "coop", "coop_unsettled", "total"].map(|name| found[name].as_str().unwrap().to_owned()).to_vec()
}

/// The same day gives the same total before and after its period is made final; only the columns move.
fn making_a_period_final_moves_what_is_owed_between_columns(app: &App) {
    recorded(app);
    let before = app.access().dump();
    assert_eq!(owed(app, "2026-04-30", "acme"), ["0.00", "0.00", "15050.00", "0.00", "2000.00", "17050.00"]);
    crate::database::assert_same(&before, &app.access().dump(), "export accruals");
    app.settle("reseller", "2026-04");
    assert_eq!(owed(app, "2026-04-30", "acme"), ["15050.00", "0.00", "0.00", "2000.00", "0.00", "17050.00"]);
    app.settle("reseller", "2026-05");
    assert_eq!(owed(app, "2026-04-30", "acme"), ["15050.00", "0.00", "0.00", "2000.00", "0.00", "17050.00"], "a look back changes nothing");
}

/// A refund counts on its own day, though its reversals carry the paid date.
fn within_a_month_what_was_earned_by_the_day_counts(app: &App) {
    settled(app);
    assert_eq!(owed(app, "2026-04-19", "acme"), Vec::<String>::new());
    assert_eq!(owed(app, "2026-04-20", "acme"), ["0.00", "0.00", "15050.00", "0.00", "2000.00", "17050.00"]);
    assert_eq!(owed(app, "2026-05-02", "acme"), ["15050.00", "0.00", "0.00", "2000.00", "0.00", "17050.00"]);
    let refunded = owed(app, "2026-05-03", "acme");
    assert_eq!(refunded[2], "-150.50", "{refunded:?}");
    assert_eq!(refunded[4], "-20.00", "{refunded:?}");
}

/// beta's April is 55.00 and is paid out; its May is negative in dollars and is carried on.
fn what_is_carried_forward_is_told(app: &App) {
    settled(app);
    assert_eq!(owed(app, "2026-05-31", "beta"), ["27.50", "-27.50", "0.00", "0.00", "0.00", "27.50"]);
}

/// What ended by the day has left the fund, posted or not.
fn expired_funds_are_owed_no_more(app: &App) {
    settled(app);
    assert_eq!(owed(app, "2026-06-19", "acme")[3..], ["3580.00", "0.00", "29579.50"].map(str::to_owned), "lots end the day after");
    let open = owed(app, "2026-06-20", "acme");
    assert_eq!((open[3].as_str(), open[4].as_str()), ("3580.00", "-1980.00"));
    app.settle("reseller", "2026-06");
    let posted = owed(app, "2026-06-20", "acme");
    assert_eq!((posted[3].as_str(), posted[4].as_str()), ("1600.00", "0.00"));
    assert_eq!(open[5], posted[5]);
}

fn late_facts_are_owed_as_of_their_day(app: &App) {
    settled(app);
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nLATE,c1,beta,USD,100.00,2026-04-29T10:00:00Z");
    assert_eq!(owed(app, "2026-04-30", "beta")[2], "5.00");
    app.settle("reseller", "2026-06");
    assert_eq!(owed(app, "2026-04-30", "beta")[2], "5.00", "booked in June, earned in April");
}

fn the_forms_tell_the_same(app: &App) {
    settled(app);
    let report: Value = app.json("export accruals --as-of 2026-05-31 --json");
    let csv = app.ok("export accruals --as-of 2026-05-31 --format csv").stdout_text();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), report["accruals"].as_array().unwrap().len());
    for (row, owed) in rows.iter().zip(report["accruals"].as_array().unwrap()) {
        for (name, cell) in header.iter().zip(row) {
            let inert = owed[name].as_str().map(|text| if text.starts_with('=') { format!("'{text}") } else { text.to_owned() });
            assert_eq!(cell, inert.unwrap_or_else(|| report["as_of"].as_str().unwrap().to_owned()), "{name}");
        }
    }
    assert!(csv.contains(",'=Beta,"), "{csv}");
    let text = app.ok("export accruals --as-of 2026-05-31").stdout_text();
    assert!(text.contains("reseller   total"), "{text}");
    assert_eq!(app.ok("export accruals --as-of 2026-03-31").stdout_text(), "nothing is owed as of 2026-03-31\n");
    assert!(app.refused("export accruals --as-of 2026-05-31 --program other").contains("programme other is not recorded"));
}

on_both_databases!(
    making_a_period_final_moves_what_is_owed_between_columns,
    within_a_month_what_was_earned_by_the_day_counts,
    what_is_carried_forward_is_told,
    expired_funds_are_owed_no_more,
    late_facts_are_owed_as_of_their_day,
    the_forms_tell_the_same,
);
