//! Doing it again changes nothing: settling, importing, looking.

use serde_json::Value;

use crate::app::App;
use crate::database::assert_same;
use crate::generated::{self, FILES, Size};
use crate::printed::{assert_balances_continue, assert_totals_equal_lines};

const MONTHS: [&str; 12] =
    ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06", "2025-07", "2025-08", "2025-09", "2025-10", "2025-11", "2025-12"];

fn year(app: &App) {
    generated::write(Size { partners: 12, invoices: 240 }, &app.path("")).expect("files can be written");
    app.ok("program apply program.toml --from 2000-01-01");
    for (kind, file) in FILES {
        app.ok(&format!("import {kind} {file}"));
    }
}

fn settlements(document: &Value) -> &Vec<Value> {
    document["settlements"].as_array().expect("settlements are a list")
}

fn settling_twice_gives_the_same_bytes(app: &App) {
    year(app);
    let made = app.settle("year", "2025-12");
    settlements(&made).iter().for_each(assert_totals_equal_lines);
    assert_balances_continue(&made);
    let books = app.access().dump();
    assert!(settlements(&app.settle("year", "2025-12")).is_empty(), "with nothing open none is printed");
    let mut shown = Vec::new();
    for month in MONTHS {
        let [first, second] = [(), ()].map(|()| app.ok(&format!("settle --program year --period {month} --json")).stdout);
        assert!(first == second, "{month} was printed twice and differs");
        let document: Value = serde_json::from_slice(&first).expect("settlements are JSON");
        shown.extend(settlements(&document).iter().cloned());
    }
    assert!(&shown == settlements(&made), "periods shown one by one are those that were made");
    assert!(shown.len() > 100, "only {} settlements were made", shown.len());
    assert_same(&books, &app.access().dump(), "settling again");
}

fn one_settlement_shown_is_that_of_its_run(app: &App) {
    year(app);
    for one in settlements(&app.settle("year", "2025-03")) {
        let words = ["partner", "period", "currency"].map(|field| one[field].as_str().expect("a text"));
        let shown = app.json(&format!("settlement show --program year --partner {} --period {} --currency {} --json", words[0], words[1], words[2]));
        assert_eq!(&shown, one);
    }
}

fn settling_month_by_month_gives_what_one_run_gives(app: &App) {
    year(app);
    let apart = app.copy();
    let at_once = app.settle("year", "2025-12");
    let mut one_by_one = Vec::new();
    for month in MONTHS {
        let made = apart.json(&format!("settle --program year --period {month} --json"));
        one_by_one.extend(settlements(&made).iter().cloned());
    }
    assert!(&one_by_one == settlements(&at_once), "twelve runs and one differ");
    apart.finish();
}

fn importing_again_changes_nothing(app: &App) {
    year(app);
    let before = app.access().dump();
    for (kind, file) in FILES {
        app.ok(&format!("import {kind} {file}"));
    }
    app.ok("program apply program.toml --from 2000-01-01");
    assert_same(&before, &app.access().dump(), "importing the same files again");
    app.settle("year", "2025-02");
    let settled = app.access().dump();
    for (kind, file) in FILES {
        app.ok(&format!("import {kind} {file}"));
    }
    assert_same(&settled, &app.access().dump(), "importing the same files after a settlement");
}

fn a_preview_is_what_will_be_and_changes_nothing(app: &App) {
    year(app);
    let before = app.access().dump();
    let mut previews = Vec::new();
    for month in &MONTHS[..3] {
        let preview = app.json(&format!("settle --program year --period {month} --preview --json"));
        previews.extend(settlements(&preview).iter().cloned());
    }
    let of_one = app.json("settle --program year --period 2025-02 --preview --partner p000000 --json");
    assert_same(&before, &app.access().dump(), "a preview");
    for preview in &previews {
        assert_eq!((&preview["status"], &preview["digest"]), (&Value::from("draft"), &Value::Null), "{preview}");
    }
    for one in settlements(&of_one) {
        assert_eq!(one["partner"], "p000000");
        assert!(previews.contains(one), "a preview of one partner is part of that of all");
    }
    assert!(!settlements(&of_one).is_empty());
    let mut made = app.settle("year", "2025-03");
    for settlement in made["settlements"].as_array_mut().expect("settlements are a list") {
        settlement["status"] = "draft".into();
        settlement["digest"] = Value::Null;
    }
    assert!(&previews == settlements(&made), "what was previewed is what was made");
}

/// Commands that only look, after three months were made.
fn looking_changes_nothing(app: &App) {
    year(app);
    app.settle("year", "2025-03");
    let before = app.access().dump();
    let new = app.write("partners", "csv", "id,name,program,tier,tier_since\nnew,New,year,gold,2025-01-01\n");
    for line in [
        "program check program.toml",
        "program plan program.toml",
        "settlement list",
        "settlement show --program year --partner p000000 --period 2025-02",
        "settle --program year --period 2025-04 --preview",
        "recertify --program year --as-of 2025-04-01 --preview --json",
        "explain --invoice i00000003 --json",
        "simulate --program program.toml --from 2025-01 --through 2025-03",
        "wallet show --partner p000000 --json",
        "verify --json",
        "export journal --format csv",
        "export journal --format beancount",
        "export journal --format hledger",
        "export accruals --as-of 2025-04-01",
        &format!("import partners {new} --dry-run"),
    ] {
        app.ok(line);
        assert_same(&before, &app.access().dump(), line);
    }
}

on_both_databases!(
    settling_twice_gives_the_same_bytes,
    one_settlement_shown_is_that_of_its_run,
    settling_month_by_month_gives_what_one_run_gives,
    importing_again_changes_nothing,
    a_preview_is_what_will_be_and_changes_nothing,
    looking_changes_nothing,
);
