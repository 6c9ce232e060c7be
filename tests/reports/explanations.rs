//! `explain` tells where every line comes from and why a rule did not pay, and sees when something posted is not what comes out again.

use serde_json::Value;

use crate::app::App;
use crate::world::settled;

fn explained(app: &App, invoice: &str) -> (Value, String) {
    let text = app.ok(&format!("explain --invoice {invoice}")).stdout_text();
    (app.json(&format!("explain --invoice {invoice} --json")), text)
}

/// The explanation of a credit, found by partner and role.
fn credit<'a>(told: &'a Value, partner: &str, role: &str) -> &'a Value {
    let credits = told["programs"][0]["items"][0]["credits"].as_array().expect("credits");
    credits.iter().find(|credit| credit["partner"] == partner && credit["role"] == role).expect("the credit")
}

fn rule<'a>(credit: &'a Value, id: &str) -> &'a Value {
    credit["rules"].as_array().expect("rules").iter().find(|rule| rule["rule"] == id).expect("the rule")
}

#[track_caller]
fn assert_refused(credit: &Value, id: &str, codes: &[&str], text: &str) {
    let rule = rule(credit, id);
    let reasons = rule["reasons"].as_array().expect("reasons");
    assert_eq!(reasons.iter().map(|reason| reason["code"].as_str().unwrap()).collect::<Vec<_>>(), codes, "{rule:#}");
    assert!(reasons.iter().any(|reason| reason["text"].as_str().unwrap().contains(text)), "{text}: {rule:#}");
    assert_eq!(rule["pays"], false);
}

#[track_caller]
fn assert_tells(text: &str, expected: &[&str]) {
    for line in expected {
        assert!(text.contains(line), "it should tell {line:?}:\n{text}");
    }
}

fn what_paid_is_told_with_its_evidence(app: &App) {
    settled(app);
    let (told, text) = explained(app, "INV-1");
    assert_eq!(told["agrees"], true);
    let program = &told["programs"][0];
    assert_eq!((&program["state"], &program["period"], &program["version"]["number"]), (&"booked".into(), &"2026-04".into(), &1.into()));
    let acme = credit(&told, "acme", "sourced");
    assert_eq!(acme["place"], "deal");
    assert_eq!((&acme["tier"]["earned"], &acme["tier"]["effective"], &acme["tier"]["origin"]), (&"gold".into(), &"gold".into(), &"hand".into()));
    assert_eq!(acme["tier"]["certifications"][0]["holders"], serde_json::json!(["ann"]));
    assert_eq!((&acme["base"]["rate"], &acme["base"]["source"]), (&"0.12".into(), &"tier:gold".into()));
    let facts = &rule(acme, "new-logo")["condition"]["facts"];
    assert_eq!((&facts[0]["fact"], &facts[0]["value"], &facts[1]["value"]), (&"new_logo".into(), &"true".into(), &"150000".into()));
    assert_eq!(acme["chain"]["layers"][0]["amount"], "2000.00");
    assert_tells(
        &text,
        &[
            "booked in 2026-04, which is final",
            "acme (its plain column) – it wins",
            "base       12% from tier:gold",
            "rates:oem 4% does not fit: `motion == \"oem\"` is false (motion = \"\")",
            "spiff      new-logo (3%) pays on 100000.00",
            "`new_logo and contract_value > 100k` is true (new_logo = true, contract_value = 150000)",
            "100000.00 × 12% × 1 = 12000.00",
            "50.00 USD × 1 = 50.00",
            "level 1: top (active, bronze): 2% of 100000.00 is 2000.00",
            "−(round(12000.00 × 1000.00 / 100000.00) − 0.00) = -120.00",
            "takes 1000.00 of the whole invoice, 1000.00 so far",
        ],
    );
}

fn why_a_rule_did_not_pay_is_told(app: &App) {
    settled(app);
    let (told, text) = explained(app, "INV-2");
    let acme = credit(&told, "acme", "sourced");
    let spiff = rule(acme, "new-logo");
    assert_eq!((&spiff["pays"], &spiff["base"]), (&true.into(), &"50000.00".into()));
    assert!(spiff["base_from"].as_str().unwrap().contains("100000.00 was used before: 50000.00 is left"), "{spiff:#}");
    assert_refused(acme, "happy", &["condition_unknown"], "csat is missing");
    assert_refused(acme, "first", &["already_posted"], "INV-1");
    assert_refused(acme, "big-month", &["condition_false"], "monthly_referred_revenue = 79000");
    assert!(acme["ranks"][0]["reason"].as_str().unwrap().contains("2026-Q1 was not ranked"), "{acme:#}");
    assert_tells(&text, &["first (50.00 USD) does not pay", "posted for deal D-1 with invoice INV-1", "is unknown (csat is missing)"]);

    let (told, text) = explained(app, "INV-3");
    let beta = credit(&told, "beta", "sourced");
    assert_refused(beta, "new-logo", &["no_deal", "condition_false"], "under no deal");
    assert_refused(beta, "first", &["no_deal"], "under no deal");
    assert_eq!((&beta["tier"]["earned"], &beta["tier"]["effective"]), (&"gold".into(), &"bronze".into()));
    assert_eq!(beta["coop"], "none: tier bronze has no co-op rate");
    assert_eq!(beta["chain"]["reason"]["code"], "no_parent");
    let helper = credit(&told, "beta", "helper");
    assert_eq!(helper["place"], "invoice");
    assert_refused(helper, "happy", &["role", "condition_unknown"], "role helper carries no extras");
    assert_tells(
        &text,
        &[
            "asks for 1 × sales, held by nobody; not valid that day: bob (expired 2026-03-01)",
            "so bronze counts",
            "1000.05 × 5% × 1 = 50.0025 → 50.00 (half away from zero)",
            "1000.05 × 1% × 0.5 = 5.00025 → 5.00 (half away from zero)",
            "role helper has no tier rate, so only an entry that names the role pays it",
        ],
    );
}

/// What a settlement says and what its invoices explain are the same lines.
fn explained_lines_are_those_of_the_settlements(app: &App) {
    settled(app);
    let mut explained_lines: Vec<String> = Vec::new();
    for invoice in ["INV-1", "INV-2", "INV-3", "INV-4", "INV-5"] {
        let (told, _) = explained(app, invoice);
        for credit in told["programs"][0]["items"].as_array().unwrap().iter().flat_map(|item| item["credits"].as_array().unwrap()) {
            let lines = credit["lines"].as_array().unwrap().iter().chain(credit["reversals"].as_array().unwrap());
            explained_lines.extend(lines.map(|line| format!("{} {} {}", line["payee"], line["period"], line["line"])));
        }
    }
    let mut settled_lines: Vec<String> = Vec::new();
    for period in ["2026-04", "2026-05"] {
        let made = app.json(&format!("settle --program reseller --period {period} --json"));
        for settlement in made["settlements"].as_array().unwrap() {
            let of = |line: &Value| format!("{} {} {}", settlement["partner"], settlement["period"], line);
            settled_lines.extend(settlement["lines"].as_array().unwrap().iter().map(of));
        }
    }
    explained_lines.sort();
    settled_lines.sort();
    assert!(settled_lines.len() > 15, "{settled_lines:#?}");
    assert_eq!(explained_lines, settled_lines);
}

/// Amounts, lines that are gone, lines too many, credits: each is told with both sides, and the command fails.
fn what_does_not_come_out_again_is_told(app: &App) {
    settled(app);
    let breaks = [
        (
            "UPDATE commission_lines SET amount_minor = amount_minor + 1 WHERE source_id = 'INV-1' AND component = 'base'",
            "is posted otherwise",
            "INV-1",
        ),
        ("UPDATE commission_lines SET rate = '0.13' WHERE source_id = 'INV-1' AND component = 'base'", "is posted otherwise", "INV-1"),
        (
            "UPDATE commission_lines SET rule = 'ghost' WHERE source_id = 'INV-1' AND component = 'spiff' AND rule = 'first'",
            "comes out, and is not posted",
            "INV-1",
        ),
        (
            "UPDATE commission_lines SET amount_minor = amount_minor - 1 WHERE source_id = 'R-1' AND role = 'sourced'",
            "refund R-1: base of beta",
            "INV-3",
        ),
        ("UPDATE booked_credits SET share = '0.4' WHERE invoice = 'INV-3' AND role = 'helper'", "credits that were fixed", "INV-3"),
    ];
    for (damage, expected, invoice) in breaks {
        let damaged = app.copy();
        let damaged_access = damaged.access();
        damaged_access.behind_the_triggers(|access| assert_eq!(access.execute(damage), 1, "{damage}"));
        let finished = damaged.run(&format!("explain --invoice {invoice}"));
        assert_eq!(finished.status.code(), Some(1), "{damage}\n{}", finished.stdout_text());
        assert_tells(&finished.stdout_text(), &["DIFFERENCES", expected, "recomputed"]);
        let finished = damaged.run(&format!("explain --invoice {invoice} --json"));
        let told: Value = serde_json::from_slice(&finished.stdout).expect("one JSON document");
        assert_eq!((finished.status.code(), &told["agrees"]), (Some(1), &false.into()), "{damage}");
        let differences = told["programs"][0]["differences"].as_array().unwrap();
        assert!(differences.iter().any(|difference| difference["what"].as_str().unwrap().contains(expected)), "{differences:#?}");
    }
    assert_eq!(explained(app, "INV-1").0["agrees"], true);
}

on_both_databases!(
    what_paid_is_told_with_its_evidence,
    why_a_rule_did_not_pay_is_told,
    explained_lines_are_those_of_the_settlements,
    what_does_not_come_out_again_is_told,
);
