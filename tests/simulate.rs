//! `simulate` says what another programme would have changed, nothing where it is the same, and leaves the books as they are, on SQLite and
//! PostgreSQL.

#![cfg(test)]
#![allow(dead_code, reason = "the modules are those of the end-to-end tests, which use more of them")]

#[path = "it/app.rs"]
#[macro_use]
mod app;
#[path = "it/database.rs"]
mod database;
#[path = "it/postgres.rs"]
mod postgres;
#[path = "it/process.rs"]
mod process;

use std::path::Path;

use serde_json::{Value, json};

use crate::app::App;
use crate::database::assert_same;

const PROGRAM: &str = r#"
[program]
id = "p"
name = "P"
currency = "USD"
timezone = "UTC"
[[tiers]]
id = "bronze"
name = "Bronze"
threshold = "0"
rate = "5%"
[[tiers]]
id = "silver"
name = "Silver"
threshold = "1k"
rate = "8%"
coop_rate = "2%"
[settlement]
first_period = "2026-01"
"#;

/// January at 5 %, then silver by review; February at 8 % and a refund of January's; an invoice of March, which is open.
fn two_months_and_an_open_one(app: &App) {
    app.apply(PROGRAM);
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,bronze,2026-01-01\nb,B,p,bronze,2026-01-01");
    app.import("customers", "id,name,referred_by\nc,C,a");
    app.import(
        "invoices",
        "id,customer,currency,subtotal,paid_at
         I1,c,USD,1000.00,2026-01-10T10:00:00Z
         I2,c,USD,2000.00,2026-02-10T10:00:00Z
         I3,c,USD,1000.00,2026-03-05T10:00:00Z",
    );
    app.import("refunds", "id,invoice,amount,refunded_at\nR1,I1,500.00,2026-02-20T10:00:00Z");
    app.settle("p", "2026-01");
    app.ok("recertify --program p --as-of 2026-02-01");
    app.settle("p", "2026-02");
}

/// Simulates a programme and asserts that nothing of the books changed.
fn simulated(app: &App, programme: &str, range: &str) -> Value {
    let file = app.write("other", "toml", programme);
    let before = app.access().dump();
    let document = app.json(&format!("simulate --program {file} {range} --json"));
    assert_same(&before, &app.access().dump(), "simulate");
    document
}

fn of_partner<'a>(document: &'a Value, partner: &str) -> &'a Value {
    let partners = document["partners"].as_array().expect("a list");
    partners.iter().find(|one| one["partner"] == partner).unwrap_or_else(|| panic!("no {partner} in {document}"))
}

fn a_higher_threshold_costs_the_months_after_the_review(app: &App) {
    two_months_and_an_open_one(app);
    let higher = PROGRAM.replace("1k", "5k");
    let february = simulated(app, &higher, "--from 2026-02 --through 2026-02");
    let expected = json!({
        "partner": "a", "currency": "USD",
        "cash": { "before": "135.00", "after": "75.00", "difference": "-60.00" },
        "coop": { "before": "40.00", "after": "0.00", "difference": "-40.00" },
        "tier": { "before": "silver", "after": "bronze" },
    });
    assert_eq!(of_partner(&february, "a"), &expected);
    assert_eq!(february["not_final"], json!([]));
    let both = simulated(app, &higher, "--from 2026-01 --through 2026-02");
    assert_eq!(of_partner(&both, "a")["cash"], json!({ "before": "185.00", "after": "125.00", "difference": "-60.00" }));
    assert_eq!(both["totals"][0]["cash"]["difference"], "-60.00");
}

/// A tier that was assigned before the range stands; rates of the new programme hold from its first day.
fn an_open_month_is_a_preview_on_both_sides(app: &App) {
    two_months_and_an_open_one(app);
    let same_rates = simulated(app, &PROGRAM.replace("1k", "5k"), "--from 2026-03 --through 2026-03");
    assert_eq!(same_rates["not_final"], json!(["2026-03"]));
    assert_eq!(of_partner(&same_rates, "a")["cash"], json!({ "before": "80.00", "after": "80.00", "difference": "0.00" }));
    let higher_rate = simulated(app, &PROGRAM.replace("8%", "10%"), "--from 2026-03 --through 2026-03");
    assert_eq!(of_partner(&higher_rate, "a")["cash"], json!({ "before": "80.00", "after": "100.00", "difference": "20.00" }));
}

/// Who earned nothing and would get another tier is named too.
fn another_first_tier_shows_without_any_money(app: &App) {
    two_months_and_an_open_one(app);
    let zero = PROGRAM.replace("threshold = \"1k\"", "threshold = \"0\"");
    let document = simulated(app, &zero, "--from 2026-02 --through 2026-02");
    assert_eq!(of_partner(&document, "b")["tier"], json!({ "before": "bronze", "after": "silver" }));
    assert_eq!(of_partner(&document, "b")["cash"]["difference"], "0.00");
}

fn what_can_not_be_simulated_is_refused_and_changes_nothing(app: &App) {
    two_months_and_an_open_one(app);
    let cases = [
        (PROGRAM.to_owned(), "--from 2026-02 --through 2026-01", "before"),
        (PROGRAM.to_owned(), "--from 2025-12 --through 2026-01", "2026-01"),
        (PROGRAM.replace("\"USD\"", "\"EUR\""), "--from 2026-01 --through 2026-02", "currency"),
        (PROGRAM.replace("id = \"p\"", "id = \"q\""), "--from 2026-01 --through 2026-02", "not recorded"),
        (PROGRAM.replace("rate = \"5%\"", "rate = 5"), "--from 2026-01 --through 2026-02", "rate"),
    ];
    for (programme, range, reason) in cases {
        let file = app.write("other", "toml", &programme);
        let said = app.refused(&format!("simulate --program {file} {range}"));
        assert!(said.contains(reason), "{reason}: {said}");
    }
}

/// The world has several programmes, reviews on odd days, late facts, refunds, rankings and wallets.
fn the_programme_in_force_differs_in_nothing(app: &App, world: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worlds").join(world);
    let script = std::fs::read_to_string(folder.join("script.txt")).expect("a world has a script");
    for line in script.lines().filter(|line| !line.trim().is_empty()) {
        let command = line.split(" > ").next().unwrap_or(line);
        let finished = process::run(app.command(command).current_dir(&folder));
        assert_eq!(finished.status.code(), Some(0), "{line}\n{}", finished.stderr);
    }
    let mut compared = 0;
    for program in app.access().texts("SELECT id FROM programs ORDER BY id") {
        let periods = app.access().texts(&format!("SELECT period FROM periods WHERE program = '{program}' ORDER BY period"));
        let in_force = format!("FROM program_versions WHERE program = '{program}' ORDER BY effective_from DESC, number DESC LIMIT 1");
        let (source, since) =
            (app.access().texts(&format!("SELECT source {in_force}")), app.access().texts(&format!("SELECT effective_from {in_force}")));
        let Some(last) = periods.last() else { continue };
        for first in periods.iter().filter(|first| format!("{first}-01") >= since[0]) {
            let document = simulated(app, &source[0], &format!("--from {first} --through {last}"));
            for partner in document["partners"].as_array().expect("a list") {
                for figures in [&partner["cash"], &partner["coop"], &partner["tier"]] {
                    assert_eq!(figures["before"], figures["after"], "{world} {program} from {first}: {partner}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 20, "only {compared} figures were compared");
}

fn the_programme_in_force_differs_in_nothing_of_a_world(app: &App) {
    the_programme_in_force_differs_in_nothing(app, "tiny-900001");
}

fn nor_with_refunds_and_a_currency_of_three_decimals(app: &App) {
    the_programme_in_force_differs_in_nothing(app, "tiny-900027");
}

fn nor_with_invoices_that_two_programmes_share(app: &App) {
    the_programme_in_force_differs_in_nothing(app, "tiny-900104");
}

on_both_databases!(
    a_higher_threshold_costs_the_months_after_the_review,
    an_open_month_is_a_preview_on_both_sides,
    another_first_tier_shows_without_any_money,
    what_can_not_be_simulated_is_refused_and_changes_nothing,
    the_programme_in_force_differs_in_nothing_of_a_world,
    nor_with_refunds_and_a_currency_of_three_decimals,
    nor_with_invoices_that_two_programmes_share,
);
