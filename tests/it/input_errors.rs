//! Wrong programme files, wrong command lines and facts that come too late are refused: exit code 2, a message that names the place and
//! the reason, and a database that is as it was.

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

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"

[[rules]]
id = "spiff"
kind = "spiff"
rate = "3%"
when = "new_logo and contract_value > 100k"
from = 2026-04-01
through = 2026-06-30

[settlement]
first_period = "2026-04"
"#;

/// A text of the programme, what stands there instead, the line of the mistake and a word of the reason.
const MISTAKES: [(&str, &str, u32, &str); 23] = [
    ("name = \"Programme\"", "name = \"Programme\"\ncolour = \"red\"", 4, "colour"),
    ("[settlement]", "[settlements]", 27, "settlements"),
    ("rate = \"5%\"", "ratee = \"5%\"", 11, "ratee"),
    ("rate = \"12%\"", "rate = 0.12", 17, "0.12"),
    ("rate = \"12%\"", "rate = \"12.34567%\"", 17, "12.34567%"),
    ("rate = \"12%\"", "rate = \"twelve\"", 17, "twelve"),
    ("rate = \"12%\"", "rate = \"-12%\"", 17, "-12%"),
    ("currency = \"USD\"", "currency = \"USX\"", 4, "USX"),
    ("timezone = \"UTC\"", "timezone = \"Mars/Base\"", 5, "Mars/Base"),
    ("id = \"gold\"", "id = \"base\"", 14, "base"),
    ("threshold = \"0\"", "threshold = \"600k\"", 16, "500k"),
    ("threshold = \"500k\"", "threshold = \"500kk\"", 16, "500kk"),
    ("kind = \"spiff\"", "kind = \"spif\"", 21, "spif"),
    ("rate = \"3%\"", "rate = \"3%\"\namount = \"5.00\"", 23, "amount"),
    ("contract_value > 100k", "contract_valu > 100k", 23, "contract_value"),
    ("contract_value > 100k", "contract_value > \"much\"", 23, "contract_value"),
    ("contract_value > 100k", "contract_value >", 23, ""),
    ("new_logo and", "new_logo > 3 and", 23, "new_logo"),
    ("from = 2026-04-01", "from = \"2026-04-01\"", 24, "from"),
    ("through = 2026-06-30", "through = 2026-03-31", 25, "2026-03-31"),
    ("first_period = \"2026-04\"", "first_period = \"2026-13\"", 28, "2026-13"),
    ("id = \"p\"", "id = \"p", 2, ""),
    ("id = \"p\"", "id = \"p:q\"", 2, "separates"),
];

fn mistakes_in_a_programme_name_their_place(app: &App) {
    for (text, instead, line, reason) in MISTAKES {
        assert!(PROGRAMME.contains(text), "{text}");
        let file = app.write("wrong", "toml", &PROGRAMME.replacen(text, instead, 1));
        for command in ["program check", "program apply"] {
            let said = app.refused(&format!("{command} {file}"));
            assert!(said.contains(&format!("{file}:{line}:")), "{instead}: line {line} is not named\n{said}");
            assert!(said.contains(reason), "{instead}: {reason:?} is not named\n{said}");
        }
    }
}

fn what_nests_too_deeply_names_its_place(app: &App) {
    let (dotted, open, close) = (".a".repeat(300), "(".repeat(65), ")".repeat(65));
    for (text, instead, place, reason) in [
        ("[settlement]", format!("[settlement{dotted}]"), "27:1", "nested too deeply"),
        ("rate = \"12%\"", format!("rate = {}{}", "[".repeat(300), "]".repeat(300)), "17:88", "nested too deeply"),
        ("when = \"new_logo", format!("when = \"{open}new_logo{close}"), "23:74", "nested deeper than 64"),
    ] {
        let file = app.write("deep", "toml", &PROGRAMME.replacen(text, &instead, 1));
        for command in ["program check", "program plan", "program apply"] {
            let said = app.refused(&format!("{command} {file}"));
            assert!(said.contains(&format!("{file}:{place}:")) && said.contains(reason), "{place} {reason}\n{said}");
        }
    }
}

fn a_missing_key_is_named(app: &App) {
    for key in [
        "id = \"p\"",
        "currency = \"USD\"",
        "timezone = \"UTC\"",
        "rate = \"12%\"",
        "threshold = \"500k\"",
        "kind = \"spiff\"",
        "first_period = \"2026-04\"",
    ] {
        let file = app.write("wrong", "toml", &PROGRAMME.replacen(key, "", 1));
        let said = app.refused(&format!("program apply {file}"));
        let name = key.split(' ').next().expect("a key");
        assert!(said.contains(&file) && said.contains(name), "without {key}\n{said}");
    }
}

fn settled_april(app: &App) {
    app.apply(PROGRAMME);
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01\nbeta,Beta,p,base,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA1,c1,acme,USD,100.00,2026-04-10T10:00:00Z");
    app.settle("p", "2026-04");
}

/// Command lines, and a word that what is said about each must hold.
const USAGE: [(&str, &str); 33] = [
    ("", ""),
    ("settel --program p --period 2026-05", "settel"),
    ("settle", "--program"),
    ("settle --program p", "--period"),
    ("settle --program p", "--through"),
    ("settle --program p --period 2026-05 --through 2026-06", "--through"),
    ("settle --program p --period 2026-13", "2026-13"),
    ("settle --program p --period may", "may"),
    ("settle --program nobodys --period 2026-05", "nobodys"),
    ("settle --program p --period 2026-06", "2026-05"),
    ("settle --program p --period 2026-03", "2026-04"),
    ("settle --program p --period 2027-01", "2027-01"),
    ("settle --program p --through 2027-01", "2027-01"),
    ("settle --program p --period 2026-05 --partner acme", "--preview"),
    ("settle --program p --period 2026-05 --preview --partner nobody", "nobody"),
    ("import", "import"),
    ("import parners partners-2.csv", "parners"),
    ("import partners", "FILE"),
    ("import partners missing.csv", "missing.csv"),
    ("import partners program-1.toml", "program-1.toml"),
    ("program apply missing.toml", "missing.toml"),
    ("program apply program-1.toml --from soon", "soon"),
    ("recertify --program p --as-of yesterday", "yesterday"),
    ("recertify --program nobodys --as-of 2026-07-01", "nobodys"),
    ("settlement show --program p --partner nobody --period 2026-04", "nobody"),
    ("explain --invoice nothing", "nothing"),
    ("wallet show --partner nobody", "nobody"),
    ("export journal --format xml", "xml"),
    ("--database mysql://localhost/x settlement list", "mysql"),
    ("--database sqlite: settlement list", "names no file"),
    ("--database sqlite:// import partners partners-2.csv", "names no file"),
    ("--database sqlite::memory: settlement list", "names no file"),
    ("--database sqlite://x.db?mode=memory import partners partners-2.csv", "names no file"),
];

fn wrong_command_lines_exit_with_two(app: &App) {
    settled_april(app);
    let before = app.access().dump();
    let mut wrong = Vec::new();
    for (line, word) in USAGE {
        let finished = app.run(line);
        if finished.status.code() != Some(2) || finished.stderr.trim().is_empty() || !finished.stderr.contains(word) {
            wrong.push(format!("tributary {line}\n  {:?}, {word:?} must be named: {}", finished.status, finished.stderr));
        }
    }
    assert!(wrong.is_empty(), "not refused as they should be:\n{}", wrong.join("\n"));
    assert_same(&before, &app.access().dump(), "a wrong command line");
}

/// What reaches back into a final period is refused by its name; the first open one may be changed.
fn facts_that_reach_into_a_final_period_are_refused(app: &App) {
    settled_april(app);
    let version = app.write("version", "toml", &PROGRAMME.replace("12%", "13%"));
    let said = app.refused(&format!("program apply {version} --from 2026-04-30"));
    assert!(said.contains("2026-04"), "the period is not named\n{said}");
    for (kind, header, row) in [
        ("tiers", "partner,tier,effective_from", "acme,base,2026-04-30"),
        ("parents", "partner,parent,effective_from", "acme,beta,2026-04-30"),
        ("statuses", "partner,status,effective_from", "acme,suspended,2026-04-30"),
    ] {
        let file = app.write(kind, "csv", &format!("{header}\n{row}\n"));
        let said = app.refused(&format!("import {kind} {file}"));
        assert!(said.contains("2026-04") && said.contains(&format!("{file}:2")), "{kind}\n{said}");
        app.import(kind, &format!("{header}\n{}", row.replace("2026-04-30", "2026-05-01")));
    }
    app.ok(&format!("program apply {version} --from 2026-05-01"));
}

/// A version keeps what the books are kept in.
fn a_version_keeps_its_foundations(app: &App) {
    settled_april(app);
    for (text, instead, named) in [
        ("currency = \"USD\"", "currency = \"EUR\"", "currency"),
        ("timezone = \"UTC\"", "timezone = \"Europe/Berlin\"", "timezone"),
        ("first_period = \"2026-04\"", "first_period = \"2026-05\"", "first_period"),
        ("id = \"gold\"", "id = \"golden\"", "gold"),
    ] {
        let file = app.write("version", "toml", &PROGRAMME.replacen(text, instead, 1));
        let said = app.refused(&format!("program apply {file} --from 2026-06-01"));
        assert!(said.contains(named), "{instead}: {named} is not named\n{said}");
        let place = format!("\n{file}:");
        assert!(said.contains(&place), "the file and the line are not named\n{said}");
        let planned = app.refused(&format!("program plan {file}"));
        assert!(planned.contains(&place), "the plan does not name the file and the line\n{planned}");
    }
}

/// The first version holds from the first period on, at the latest.
fn a_first_version_is_in_force_from_its_first_period(app: &App) {
    let file = app.write("program", "toml", PROGRAMME);
    app.ok("settlement list");
    let said = app.refused(&format!("program apply {file} --from 2026-06-01"));
    assert!(said.contains("2026-04-01") && said.contains("--from"), "{said}");
    app.ok(&format!("program apply {file} --from 2026-04-01"));
}

/// A day before the first period is in no period that could be final.
fn a_review_before_the_first_period_is_refused_as_such(app: &App) {
    settled_april(app);
    let said = app.refused("recertify --program p --as-of 2020-04-15");
    assert!(said.contains("before 2026-04, the first period"), "{said}");
}

/// A flat amount in another currency needs a rate: its lack is an error that names the pair and the day, and nothing is posted.
fn a_missing_exchange_rate_leaves_the_period_open(app: &App) {
    app.apply(&PROGRAMME.replace("rate = \"3%\"\nwhen = \"new_logo and contract_value > 100k\"", "amount = \"500.00\""));
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import("deals", "id,customer,partner,contract_value,currency,signed_on,new_logo\nD1,c1,acme,5000.00,EUR,2026-04-02,true");
    app.import("invoices", "id,customer,deal,currency,subtotal,paid_at\nE1,c1,D1,EUR,100.00,2026-04-10T10:00:00Z");
    app.import("fx", "date,from,to,rate\n2026-04-02,EUR,USD,1.1");
    let failed = app.run("settle --program p --through 2026-04 --json");
    assert!(matches!(failed.status.code(), Some(1 | 2)), "{:?} {}", failed.status, failed.stdout_text());
    for word in ["EUR", "USD", "2026-04-10"] {
        assert!(failed.stderr.contains(word), "{word} is not named\n{}", failed.stderr);
    }
    assert_eq!(app.access().number("SELECT COUNT(*) FROM settlements") + app.access().number("SELECT COUNT(*) FROM postings"), 0);
    app.assert_verified();
    app.import("fx", "date,from,to,rate\n2026-04-09,EUR,USD,1.25");
    let made = app.settle("p", "2026-04");
    let flat = &made["settlements"][0]["lines"][1];
    assert_eq!((&flat["component"], &flat["amount"]), (&"spiff".into(), &"400.00".into()), "{made}");
}

/// April is made final before May turns out to lack an exchange rate: what is final is printed, and what is not is said.
fn what_was_made_final_before_a_failure_is_printed(app: &App) {
    app.apply(&PROGRAMME.replace("rate = \"3%\"\nwhen = \"new_logo and contract_value > 100k\"", "amount = \"500.00\""));
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import("deals", "id,customer,partner,contract_value,currency,signed_on,new_logo\nD1,c1,acme,5000.00,EUR,2026-04-02,true");
    app.import("fx", "date,from,to,rate\n2026-04-02,EUR,USD,1.1");
    app.import(
        "invoices",
        "id,customer,deal,partner,currency,subtotal,paid_at
         A1,c1,,acme,USD,100.00,2026-04-10T10:00:00Z
         E1,c1,D1,,EUR,100.00,2026-05-20T10:00:00Z",
    );
    let failed = app.run("settle --program p --through 2026-06 --json");
    assert_eq!(failed.status.code(), Some(2), "{}", failed.stderr);
    assert!(failed.stderr.contains("nothing of 2026-05 was posted"), "{}", failed.stderr);
    let printed: serde_json::Value = serde_json::from_slice(&failed.stdout).expect("one JSON document");
    let made: Vec<_> = printed["settlements"].as_array().expect("a list").iter().map(|one| &one["period"]).collect();
    assert_eq!(made, ["2026-04"], "{printed:#}");
    assert_eq!(printed["error"]["period"], "2026-05");
    assert!(printed["error"]["message"].as_str().is_some_and(|message| message.contains("EUR")), "{printed:#}");
    let failed = app.run("settle --program p --through 2026-06");
    assert!(failed.stdout_text().is_empty() && failed.stderr.contains("nothing of 2026-05 was posted"), "{}", failed.stdout_text());
}

on_both_databases!(
    what_was_made_final_before_a_failure_is_printed,
    mistakes_in_a_programme_name_their_place,
    what_nests_too_deeply_names_its_place,
    a_missing_key_is_named,
    wrong_command_lines_exit_with_two,
    facts_that_reach_into_a_final_period_are_refused,
    a_version_keeps_its_foundations,
    a_first_version_is_in_force_from_its_first_period,
    a_review_before_the_first_period_is_refused_as_such,
    a_missing_exchange_rate_leaves_the_period_open,
);
