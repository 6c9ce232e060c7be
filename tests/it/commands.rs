//! What the commands say to people: for whom, from when, what became of it, and where a mistake is.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::App;
use crate::broken_books::{PROGRAMME, three_months};
use crate::process;

#[track_caller]
fn assert_says(text: &str, expected: &[&str]) {
    for words in expected {
        assert!(text.contains(words), "it should say {words:?}:\n{text}");
    }
}

/// What `program plan` says of the programme with one text replaced: as text, and its changes as JSON.
fn planned(app: &App, text: &str, instead: &str) -> (String, Value) {
    assert!(PROGRAMME.contains(text), "{text}");
    let file = app.write("plan", "toml", &PROGRAMME.replacen(text, instead, 1));
    (app.ok(&format!("program plan {file}")).stdout_text(), app.json(&format!("program plan {file} --json"))["changes"].clone())
}

fn a_plan_says_whom_each_change_touches(app: &App) {
    three_months(app);
    let (text, changes) = planned(app, "rate = \"5%\"", "rate = \"6%\"");
    assert_says(&text, &["tiers.base.rate", "1 active member: beta"]);
    assert_eq!(changes[0]["touches"], json!({ "whom": "effectively in base", "count": 1, "partners": ["beta"] }), "{changes:#}");

    let entry = "[[rates]]\nid = \"acme-2026\"\nrate = \"13%\"\npartner = \"acme\"\n\n[settlement]";
    let (text, changes) = planned(app, "[settlement]", entry);
    assert_says(&text, &["rates.acme-2026", "1 active member: acme"]);
    assert_eq!(changes[0]["touches"]["partners"], json!(["acme"]), "{changes:#}");

    let (text, changes) = planned(app, "threshold = \"500k\"", "threshold = \"600k\"");
    assert_says(&text, &["tiers.gold.threshold", "3 active members: acme, beta, top"]);
    assert_eq!(changes[0]["touches"]["partners"], json!(["acme", "beta", "top"]), "{changes:#}");

    let (_, changes) = planned(app, "[settlement]", "[[rates]]\nid = \"g\"\nrate = \"13%\"\ntiers = [\"gold\"]\n\n[settlement]");
    assert_eq!(changes[0]["touches"]["partners"], json!(["acme", "top"]), "{changes:#}");
}

/// What `program` says of the programme with another base rate: as text, and as JSON.
fn of_rate(app: &App, command: &str, rate: &str, from: &str) -> (String, Value) {
    let file = app.write("version", "toml", &PROGRAMME.replacen("rate = \"5%\"", &format!("rate = \"{rate}\""), 1));
    let line = format!("program {command} {file}{from}");
    (app.ok(&line).stdout_text(), app.json(&format!("{line} --json")))
}

fn a_version_says_which_later_one_takes_over(app: &App) {
    three_months(app);
    of_rate(app, "apply", "6%", " --from 2026-09-01");
    let taken = "in force from 2026-07-01 until 2026-09-01, when version 2 takes over";
    let (text, json) = of_rate(app, "plan", "7%", "");
    assert_says(&text, &[taken]);
    assert_eq!((&json["effective_from"], &json["until"], &json["next_version"]), (&json!("2026-07-01"), &json!("2026-09-01"), &json!(2)));
    let (text, json) = of_rate(app, "plan", "7%", " --from 2026-10-01");
    assert_says(&text, &["in force from 2026-10-01\n"]);
    assert_eq!((&json["until"], &json["next_version"]), (&Value::Null, &Value::Null));
    assert_eq!(json["changes"][0]["old"], "0.06", "{json:#}");
    let file = app.write("version", "toml", &PROGRAMME.replacen("5%", "7%", 1));
    assert_says(&app.refused(&format!("program plan {file} --from 2026-06-30")), &["first open period is 2026-07"]);
    let (text, json) = of_rate(app, "apply", "7%", "");
    assert_says(&text, &["version 3 recorded", taken]);
    assert_eq!((&json["unchanged"], &json["until"]), (&json!(true), &json!("2026-09-01")));
}

fn a_version_in_force_is_not_recorded_again(app: &App) {
    three_months(app);
    let (text, json) = of_rate(app, "apply", "5%", "");
    assert_says(&text, &["version 1 is recorded already, in force from 2000-01-01\n"]);
    assert_eq!((&json["version"], &json["unchanged"]), (&json!(1), &json!(true)));
    // Named, the day is meant; and where another follows, the text would hold again only from here on.
    assert_eq!(of_rate(app, "apply", "5%", " --from 2026-08-01").1["version"], 2);
    of_rate(app, "apply", "6%", " --from 2026-09-01");
    app.settle("p", "2026-07");
    app.settle("p", "2026-09");
    assert_eq!(
        of_rate(app, "apply", "6%", "").1,
        json!({ "program": "p", "version": 3, "effective_from": "2026-09-01", "until": null, "next_version": null, "unchanged": true })
    );
    assert_eq!(app.access().number("SELECT COUNT(*) FROM program_versions"), 3);
}

fn what_is_booked_is_said_to_be_corrected_not_voided(app: &App) {
    three_months(app);
    for (kind, id) in [("invoices", "B2"), ("refunds", "R1")] {
        let file = app.write("voids", "csv", &format!("kind,id,reason,approved_by\n{kind},{id},wrong,jo\n"));
        let said = app.refused(&format!("import voids {file}"));
        assert_says(&said, &["booking of the", "correct it by a refund or an adjustment"]);
        assert!(!said.contains("void that first"), "{said}");
    }
}

fn a_database_that_is_made_is_named(app: &App) {
    let line = "--database sqlite://typo.db settlement list";
    assert_eq!(app.ok(line).stderr, "made a new, empty database typo.db\n");
    assert_eq!(app.ok(line).stderr, "", "it is there now");
}

fn a_reversal_is_shown_with_its_invoice(app: &App) {
    three_months(app);
    assert_says(&app.ok("settlement show --program p --partner acme --period 2026-05 --currency USD").stdout_text(), &["R1 of A1"]);
    let file = app.write("customers", "csv", "id,name\nc9,One\n");
    assert_says(&app.ok(&format!("import customers {file}")).stdout_text(), &["customers: 1 row read, 1 new"]);
}

/// The exit code and standard error of a command whose reader is gone before it begins.
fn into_a_closed_pipe(app: &App, line: &str) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let mut command = app.command(line);
    let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().expect("the binary can be started");
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn a_reader_that_is_gone_is_no_error(app: &App) {
    three_months(app);
    app.import("fx", "date,from,to,rate\n2026-05-12,EUR,USD,1.1");
    for line in [
        "settlement list --json",
        "settlement show --program p --partner acme --period 2026-04 --json",
        "explain --invoice A1 --json",
        "export accruals --as-of 2026-06-30 --json",
        "export journal --json",
        "recertify --program p --as-of 2026-07-01 --preview --json",
        "settle --program p --period 2026-04 --json",
        "settlement list",
    ] {
        assert_eq!(into_a_closed_pipe(app, line), (Some(0), String::new()), "{line}");
    }
}

fn control_characters_do_not_reach_a_terminal(app: &App) {
    three_months(app);
    let old = app.copy();
    old.access().behind_the_triggers(|access| {
        assert_eq!(access.execute("UPDATE invoices SET product = 'x\u{1b}[31m\ny' WHERE id = 'A1'"), 1);
        assert!(access.execute("UPDATE commission_lines SET rate_source = 'y\u{1b}[2J\u{202e}' WHERE source_id = 'A1'") > 0);
    });
    for line in ["explain --invoice A1", "settlement show --program p --partner acme --period 2026-04"] {
        let text = old.run(line).stdout_text();
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.contains("\\u{1b}["), "{line}\n{text:?}");
    }
}

fn what_is_not_there_is_named(app: &App) {
    three_months(app);
    for (line, words) in [
        ("settlement show --program p --partner acme --period 2026-05 --currency XYZ", ["acme", "EUR, USD"]),
        ("settlement show --program p --partner acme --period 2026-05 --currency GBP", ["acme", "EUR, USD"]),
        ("settlement show --program zz --partner acme --period 2026-05", ["zz", "programme"]),
        ("settlement show --program p --partner nobody --period 2026-05", ["nobody", "not recorded"]),
        ("settlement show --program p --partner acme --period 2026-08", ["acme", "2026-08"]),
        ("settlement list --program zz", ["zz", "programme"]),
        ("settlement list --partner zz", ["zz", "not recorded"]),
    ] {
        let finished = app.run(line);
        assert_eq!((finished.status.code(), finished.stdout_text().as_str()), (Some(2), ""), "{line}");
        assert_says(&finished.stderr, &words);
    }
    let small = app.json("settlement show --program p --partner acme --period 2026-05 --currency usd --json");
    assert_eq!(small["currency"], "USD");
}

fn a_settlement_is_shown_so_that_its_lines_add_up(app: &App) {
    three_months(app);
    let shown = |partner: &str, period: &str| {
        let text = app.ok(&format!("settlement show --program p --partner {partner} --period {period} --currency USD")).stdout_text();
        (text, app.json(&format!("settlement show --program p --partner {partner} --period {period} --currency USD --json")))
    };
    let (text, document) = shown("acme", "2026-04");
    let totals = &document["totals"];
    let [cash, coop] = ["cash_lines", "coop_credit"].map(|name| totals[name].as_str().expect("an amount").to_owned());
    assert_says(&text, &["currency", "12%", "co-op credits", "in no cash figure"]);
    for (head, amount) in [("total commission", cash), ("total co-op credits", coop)] {
        let row = text.lines().find(|row| row.starts_with(head)).unwrap_or_else(|| panic!("a row {head:?}\n{text}"));
        assert!(row.ends_with(&amount), "{amount}: {row}");
    }
    let (text, _) = shown("top", "2026-04");
    let overrides: Vec<&str> = text.lines().filter(|row| row.contains("override")).collect();
    assert!(overrides.iter().any(|row| row.contains("acme")) && overrides.iter().any(|row| row.contains("beta")), "{text}");
    let (text, _) = shown("beta", "2026-06");
    assert_says(&text, &["adjustment", "J1: late delivery"]);
}

fn wrong_rows_are_in_the_document(app: &App) {
    three_months(app);
    let rows = "id,customer,partner,currency,subtotal,paid_at\nX1,c1,nobody,USD,1.00,\nX2,c1,beta,USD,much,\n";
    let file = app.write("wrong", "csv", rows);
    let finished = app.run(&format!("import invoices {file} --json"));
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    let document: Value = serde_json::from_slice(&finished.stdout).expect("one JSON document");
    assert_eq!((&document["kind"], &document["file"], &document["total_errors"]), (&json!("invoices"), &json!(file), &json!(2)));
    let errors = document["errors"].as_array().expect("errors");
    let places: Vec<(&Value, &Value)> = errors.iter().map(|error| (&error["line"], &error["column"])).collect();
    assert_eq!(places, [(&json!(2), &json!("partner")), (&json!(3), &json!("subtotal"))], "{document:#}");
    assert!(errors.iter().all(|error| error["file"] == json!(file) && !error["message"].as_str().unwrap_or_default().is_empty()), "{document:#}");
    // An editor jumps to a line that begins with its place.
    let said = finished.stderr;
    assert_eq!(said.lines().filter(|line| line.starts_with(&format!("{file}:"))).count(), 2, "{said}");
    assert!(said.lines().last().is_some_and(|line| line.starts_with("error: ") && line.contains("nothing was recorded")), "{said}");

    let finished = app.run("import invoices missing.csv --json");
    let document: Value = serde_json::from_slice(&finished.stdout).expect("one JSON document");
    assert_eq!((finished.status.code(), &document["errors"][0]["file"]), (Some(2), &json!("missing.csv")));
}

fn mistakes_in_a_programme_are_shown_once_and_short(app: &App) {
    let said_of = |text: &str, instead: &str| {
        assert!(PROGRAMME.contains(text), "{text}");
        let file = app.write("wrong", "toml", &PROGRAMME.replacen(text, instead, 1));
        let finished = app.run(&format!("program check {file}"));
        assert_eq!(finished.status.code(), Some(2), "{instead}");
        (file, finished.stderr)
    };
    let (file, said) = said_of("rate = \"5%\"", "rate = \"twelve\"");
    assert!(said.starts_with(&format!("error: {file} is not a valid programme file: 1 error\n{file}:")), "{said}");
    assert!(!said.contains("programme::file") && !said.lines().any(|line| line.trim() == "Error:"), "{said}");
    assert_says(&said, &["rate = \"twelve\"", "^"]);

    let (_, said) = said_of("rate = \"5%\"", &format!("rate = \"{}\"", "9".repeat(300_000)));
    assert!(said.len() < 2_000, "{} bytes", said.len());

    for (condition, help) in [
        ("product not in [\\\"a\\\"]", "not product in"),
        ("new_logo AND amount > 3", "`and`"),
        ("new_logo or NOT registered", "`not`"),
        ("amount > 3 Or new_logo", "`or`"),
    ] {
        let (_, said) = said_of("kind = \"spiff\"", &format!("kind = \"spiff\"\nwhen = \"{condition}\""));
        assert_says(&said, &["help: ", help]);
        assert!(!said.contains("is text, not a condition"), "{said}");
    }
}

fn a_database_that_refuses_is_told_at_once(app: &App) {
    let began = Instant::now();
    let finished = app.run("--database postgres://nobody@127.0.0.1:1/none settlement list");
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
    assert_says(&finished.stderr, &["none on 127.0.0.1:1", "refused"]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

fn every_option_has_a_text(app: &App) {
    for command in [
        "demo",
        "program check",
        "program apply",
        "program plan",
        "import",
        "settle",
        "settlement list",
        "settlement show",
        "recertify",
        "simulate",
        "explain",
        "wallet show",
        "verify",
        "export journal",
        "export accruals",
    ] {
        // The short help has an option and its text on one line, unless the text stands on the next one.
        let help = app.ok(&format!("{command} -h")).stdout_text();
        let lines: Vec<&str> = help.lines().collect();
        for (place, line) in
            lines.iter().enumerate().filter(|(_, line)| line.starts_with("  -") || line.starts_with("      --") || line.starts_with("  <"))
        {
            let beside = line.trim_start().split("  ").filter(|part| !part.trim().is_empty()).count() > 1;
            let below = lines.get(place + 1).is_some_and(|next| next.starts_with("          ") && !next.trim_start().starts_with('-'));
            assert!(beside || below, "{command}: {line}\n{help}");
        }
        assert!(!help.contains("For which program\n"), "{help}");
    }
    assert!(!app.ok("demo -h").stdout_text().contains("--database"));
}

fn a_simulation_names_its_sides(app: &App) {
    three_months(app);
    let file = app.write("other", "toml", &PROGRAMME.replace("rate = \"5%\"", "rate = \"6%\""));
    let text = app.ok(&format!("simulate --program {file} --from 2026-05 --through 2026-12")).stdout_text();
    let head = text.lines().find(|line| line.starts_with("partner")).expect("a head");
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["partner", "currency", "now", "then", "difference", "co-op", "difference", "tier"]);
    assert_says(&text, &["not final", "2026-07 … 2026-12 (6 months)"]);
}

fn settings_come_from_the_environment(app: &App) {
    three_months(app);
    let show = "settlement show --program p --partner acme --period 2026-04";
    let run = |line: &str, variables: &[(&str, &str)]| process::run(app.command(line).envs(variables.iter().copied()));
    let refused = |variables: &[(&str, &str)], word: &str| {
        let finished = run(&format!("{show} --pdf a.pdf"), variables);
        assert_eq!(finished.status.code(), Some(2), "{variables:?} {}", finished.stderr);
        assert_says(&finished.stderr, &[word]);
    };
    refused(&[("TRIBUTARY_STATEMENTS__TEMPLATE", "none.typ")], "none.typ");
    refused(&[("TRIBUTARY_STATEMENTS__FONTS", "/none/a:/none/b")], "/none/a");
    refused(&[("TRIBUTARY_STATEMENTS__SYSTEM_FONTS", "perhaps")], "TRIBUTARY_STATEMENTS__SYSTEM_FONTS");
    // What only a PDF needs does not stand in the way of anything else.
    assert_eq!(run(show, &[("TRIBUTARY_STATEMENTS__TEMPLATE", "none.typ")]).status.code(), Some(0));
    for (line, variables) in [
        (format!("{show} --pdf a.pdf --system-fonts"), vec![]),
        (format!("{show} --pdf a.pdf"), vec![("TRIBUTARY_STATEMENTS__SYSTEM_FONTS", "true"), ("TRIBUTARY_STATEMENTS__FONTS", "")]),
    ] {
        assert_eq!(run(&line, &variables).status.code(), Some(0), "{line}");
    }

    let url = app.url();
    let mut command = app.command("settlement list --json");
    let finished = process::run(command.env_remove("TRIBUTARY_DATABASE_URL").env("TRIBUTARY_DATABASE__URL", &url));
    assert_eq!(finished.stdout, app.ok("settlement list --json").stdout);
    // The shorter name, which came first, goes before.
    let finished = process::run(app.command("settlement list --json").env("TRIBUTARY_DATABASE__URL", "mysql://x/y"));
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
}

fn commands_work_on_the_database_of_the_configuration(app: &App) {
    three_months(app);
    std::fs::write(app.path("address"), format!("{}\n", app.url())).expect("a file");
    let by_value = app.write("by-value", "toml", &format!("[database]\nurl = \"{}\"\n[statements]\ntemplate = \"none.typ\"\n", app.url()));
    // What a command does not need is not asked of it, such as the provider's secret.
    let by_file = app.write("by-file", "toml", "[database]\nurl_file = \"address\"\n[payouts]\nsecret_file = \"none\"\n");
    let listed = app.ok("settlement list --json").stdout;
    let run = |line: &str| process::run(app.command(line).env_remove("TRIBUTARY_DATABASE_URL"));
    for file in [&by_value, &by_file] {
        let finished = run(&format!("settlement list --json --config {file}"));
        assert_eq!((finished.status.code(), &finished.stdout), (Some(0), &listed), "{}", finished.stderr);
    }
    let finished = run(&format!("settlement show --program p --partner acme --period 2026-04 --pdf a.pdf --config {by_value}"));
    assert_eq!(finished.status.code(), Some(2), "the configuration's template is used\n{}", finished.stderr);
    assert_says(&finished.stderr, &["none.typ"]);
    std::fs::rename(app.path(&by_file), app.path("tributary.toml")).expect("a file");
    assert_eq!(run("settlement list --json").stdout, listed);
    assert_eq!(run("payout reconcile").status.code(), Some(2), "what needs the secret says so");
    // What a command names goes before, and an empty name is none.
    let finished = process::run(&mut app.command("settlement list --json --database sqlite://other.db"));
    assert_eq!(finished.stdout_text().trim_end(), "{\n  \"settlements\": []\n}", "{}", finished.stderr);
    let finished = process::run(app.command("settlement list --json").env("TRIBUTARY_DATABASE_URL", ""));
    assert_eq!(finished.stdout, listed, "{}", finished.stderr);
    std::fs::write(app.path("tributary.toml"), "[database]\nurll = \"x\"\n").expect("a file");
    let finished = run("settlement list");
    assert_eq!(finished.status.code(), Some(2));
    assert_says(&finished.stderr, &["tributary.toml:2:1: unknown key `database.urll`"]);
}

fn a_pdf_that_can_not_be_written_is_told_once(app: &App) {
    three_months(app);
    let finished = app.run("settlement show --program p --partner acme --period 2026-04 --pdf none/x.pdf");
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    assert_eq!(finished.stderr.matches("No such file").count(), 1, "{}", finished.stderr);
}

on_both_databases!(
    a_version_says_which_later_one_takes_over,
    a_version_in_force_is_not_recorded_again,
    what_is_booked_is_said_to_be_corrected_not_voided,
    a_database_that_is_made_is_named,
    a_reversal_is_shown_with_its_invoice,
    a_plan_says_whom_each_change_touches,
    a_reader_that_is_gone_is_no_error,
    control_characters_do_not_reach_a_terminal,
    what_is_not_there_is_named,
    a_settlement_is_shown_so_that_its_lines_add_up,
    wrong_rows_are_in_the_document,
    mistakes_in_a_programme_are_shown_once_and_short,
    a_database_that_refuses_is_told_at_once,
    every_option_has_a_text,
    a_simulation_names_its_sides,
    settings_come_from_the_environment,
    commands_work_on_the_database_of_the_configuration,
    a_pdf_that_can_not_be_written_is_told_once,
);
