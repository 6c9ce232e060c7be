//! Parts of the journal stand on their own: opened with the balances before, asserted at their end, in every currency's decimals.

use std::process::Command;

use crate::app::App;
use crate::process;
use crate::world::settled;

fn exported(app: &App, format: &str, more: &str) -> (String, String) {
    let text = app.ok(&format!("export journal --format {format} {more}")).stdout_text();
    let file = app.write("journal", format, &text);
    (app.path(&file).display().to_string(), text)
}

#[track_caller]
fn accepted(program: &str, arguments: &[&str]) -> String {
    let finished = process::run(Command::new(program).args(arguments));
    assert!(finished.status.success(), "{program} {arguments:?} refuses\n{}{}", finished.stdout_text(), finished.stderr);
    finished.stdout_text()
}

fn every_part_is_accepted(app: &App) {
    settled(app);
    app.settle("reseller", "2026-07");
    for more in [
        "",
        "--from 2026-05-01",
        "--through 2026-04-30",
        "--from 2026-05-01 --through 2026-06-30",
        "--program reseller --from 2026-06-01",
        "--from 2027-01-01",
        "--through 2026-03-31",
    ] {
        accepted("bean-check", &[&exported(app, "beancount", more).0]);
        accepted("hledger", &["-f", &exported(app, "hledger", more).0, "check", "--strict"]);
    }
}

/// A part from a day on ends with the balances of the books, not with the movements since.
fn a_part_has_the_balances_of_the_books(app: &App) {
    settled(app);
    for format in ["beancount", "hledger"] {
        let asserted = |more: &str| {
            let (_, text) = exported(app, format, more);
            let mark = if format == "beancount" { " balance " } else { " = " };
            let mut lines: Vec<String> = text.lines().filter(|line| line.contains(mark)).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let whole = asserted("");
        assert!(whole.len() >= 8, "{whole:#?}");
        let part = asserted("--from 2026-05-01");
        assert!(whole.iter().all(|line| part.contains(line)), "{whole:#?}\n{part:#?}");
        let (_, text) = exported(app, format, "--from 2026-05-01");
        assert!(text.contains("2026-04-30 * ") && text.contains("opening balances"), "{text}");
    }
}

fn assertions_are_dated_the_day_after_and_are_exact(app: &App) {
    settled(app);
    let (file, text) = exported(app, "beancount", "");
    assert!(text.lines().filter(|line| line.contains(" balance ")).all(|line| line.starts_with("2026-06-01 ")), "{text}");
    for broken in [text.replacen("~ 0 USD", "~ 0 EUR", 1), text.replacen("Payable  -5", "Payable  -6", 1)] {
        assert_ne!(broken, text);
        let broken = app.write("broken", "beancount", &broken);
        let finished = process::run(Command::new("bean-check").arg(app.path(&broken)));
        assert!(!finished.status.success(), "bean-check takes a wrong balance");
    }
    accepted("bean-check", &[&file]);
}

fn decimals_are_those_of_the_currency(app: &App) {
    settled(app);
    let (file, text) = exported(app, "hledger", "");
    for declared in ["commodity 1000. JPY", "commodity 1000.000 KWD", "commodity 1000.00 USD"] {
        assert!(text.contains(declared), "{text}");
    }
    let balances = accepted("hledger", &["-f", &file, "balance", "--flat", "--no-total", "Liabilities:Partners:Beta"]);
    assert!(balances.contains("-50 JPY") && balances.contains("-0.500 KWD"), "{balances}");
    let (_, text) = exported(app, "beancount", "");
    assert!(text.contains("  -50 JPY") && text.contains("  -0.500 KWD"), "{text}");
    let (_, text) = exported(app, "csv", "");
    assert!(text.contains(",JPY,-50,") && text.contains(",KWD,-0.500,"), "{text}");
}

/// `hledger` finds a transaction by its tag, and the names are those of the documentation.
fn transactions_carry_their_id(app: &App) {
    settled(app);
    let (file, text) = exported(app, "hledger", "");
    let found = accepted("hledger", &["-f", &file, "print", "tag:transaction=settlement/reseller/2026-04/acme/USD"]);
    assert!(found.contains("Liabilities:Partners:Acme:Reseller:Payable") && found.contains("Expenses:Reseller:Spiff"), "{found}");
    assert!(text.contains("recorded_at:2027-01-15T12:00:00Z"), "{text}");
    let (_, text) = exported(app, "beancount", "");
    assert!(
        text.contains("  transaction: \"settlement/reseller/2026-04/acme/USD\"\n") && text.contains("  recorded_at: \"2027-01-15T12:00:00Z\"\n"),
        "{text}"
    );
}

fn what_makes_no_sense_is_refused(app: &App) {
    settled(app);
    assert!(app.refused("export journal --format csv --program other").contains("programme other is not recorded"));
    assert!(app.refused("export journal --format csv --from 2026-05-02 --through 2026-05-01").contains("before"));
    assert!(app.refused("export journal --format csv --json").contains("--json"));
    assert!(app.refused("export journal --format excel").contains("excel"));
}

on_both_databases!(
    every_part_is_accepted,
    a_part_has_the_balances_of_the_books,
    assertions_are_dated_the_day_after_and_are_exact,
    decimals_are_those_of_the_currency,
    transactions_carry_their_id,
    what_makes_no_sense_is_refused,
);
