//! Every invoice of example worlds is explained without a difference, and the reasons given agree with the lines that are there.

use std::path::PathBuf;

use serde_json::Value;

use crate::app::App;
use crate::process;

/// Worlds with shares, cuts, differential chains, spiffs of every kind, late bonuses, holds and chargebacks between them.
const WORLDS: [&str; 4] = ["tiny-900074", "tiny-900087", "tiny-900119", "tiny-900348"];

fn play(app: &App, world: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/worlds").join(world);
    let script = std::fs::read_to_string(folder.join("script.txt")).expect("the world has a script");
    for line in script.lines() {
        let line = line.split(" > ").next().unwrap_or(line);
        let finished = process::run(app.command(line).current_dir(&folder));
        assert!(finished.status.success(), "{world}: {line}\n{}", finished.stderr);
    }
}

/// Whether the credited partner has a line by a rule from the booking period.
fn has_line(credit: &Value, period: &Value, component: &Value, rule: &Value) -> bool {
    let mut lines = credit["lines"].as_array().expect("lines").iter();
    lines.any(|line| {
        line["period"] == *period && line["line"]["component"] == *component && line["line"]["rule"] == *rule && line["line"]["level"] == 0
    })
}

fn assert_reasons_agree(world: &str, invoice: &str, program: &Value, credit: &Value) {
    let period = &program["period"];
    for rule in credit["rules"].as_array().expect("rules") {
        let pays = has_line(credit, period, &rule["kind"], &rule["rule"]);
        assert_eq!(rule["pays"], pays, "{world} {invoice}: {rule:#}");
        assert_eq!(rule["reasons"].as_array().map(Vec::is_empty), Some(pays), "what does not pay has a reason: {rule:#}");
    }
    for layer in credit["chain"]["layers"].as_array().expect("layers") {
        let got = credit["lines"].as_array().expect("lines").iter().find(|line| {
            line["line"]["component"] == "override"
                && line["payee"] == layer["partner"]
                && line["line"]["level"] == layer["level"]
                && line["period"] == *period
        });
        assert_eq!(got.map_or(&Value::Null, |line| &line["line"]["amount"]), &layer["amount"], "{world} {invoice}: {layer:#}");
        let told = !layer["reason"].is_null() || !layer["amount"].is_null() || !credit["chain"]["reason"].is_null();
        assert!(told, "{world} {invoice}: {layer:#}");
    }
}

fn every_invoice_of_a_world_is_explained(app: &App) {
    for world in WORLDS {
        let app = app.copy();
        play(&app, world);
        let mut explained = 0;
        for invoice in app.access().texts("SELECT id FROM invoices ORDER BY id") {
            let told = app.json(&format!("explain --invoice {invoice} --json"));
            assert_eq!(told["agrees"], true, "{world} {invoice}");
            for program in told["programs"].as_array().expect("programmes") {
                if program["state"] != "booked" && program["state"] != "would_be_booked" {
                    continue;
                }
                for credit in program["items"].as_array().expect("items").iter().flat_map(|item| item["credits"].as_array().expect("credits")) {
                    assert_reasons_agree(world, &invoice, program, credit);
                    explained += 1;
                }
            }
        }
        assert!(explained > 10, "{world}: {explained} credits");
    }
}

on_both_databases!(every_invoice_of_a_world_is_explained);
