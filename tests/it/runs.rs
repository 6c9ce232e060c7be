//! Runs, schedules and letters by command: who may, what it does, what is shown and what the audit log tells.

use std::sync::Arc;

use durable::outbox;
use serde_json::{Value, json};
use tributary::adapters::payout_manual::ManualPayouts;
use workflows::letters::{Letter, TOPIC};

use crate::app::App;
use crate::broken_books::PROGRAMME;
use crate::hosted::{Hosted, until};
use crate::library::{act, day, destination, people};

/// Three months of a programme whose payments finance releases, with people and a destination for acme.
fn unreleased(app: &App) {
    app.apply(&PROGRAMME.replace("minimum_payout = \"50.00\"", "release = \"manual\"\nschedule = \"0 0 6 1 * *\""));
    app.import(
        "partners",
        "id,name,email?,program,tier,tier_since\nacme,Acme,acme@example.com,p,gold,2026-01-01\nbeta,Beta,,p,base,2026-01-01"
            .replace("email?", "email")
            .as_str(),
    );
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at
         A1,c1,acme,USD,1000.00,2026-04-10T10:00:00Z
         B1,c1,beta,USD,90.00,2026-04-11T10:00:00Z
         A2,c1,acme,USD,2000.00,2026-05-10T10:00:00Z",
    );
    app.settle("p", "2026-05");
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
}

fn runs(app: &App, more: &str) -> Vec<Value> {
    app.json(&format!("workflow list --json {more}"))["runs"].as_array().expect("a list").clone()
}

fn id_of(run: &Value) -> String {
    run["id"].as_str().expect("an id").to_owned()
}

fn acts(app: &App, like: &str) -> Vec<String> {
    app.access().texts(&format!("SELECT act || ' ' || COALESCE(actor, '-') FROM audit_log WHERE act LIKE '{like}' ORDER BY no"))
}

fn runs_are_listed_shown_and_acted_on(app: &App) {
    unreleased(app);
    assert!(runs(app, "").is_empty());
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let all = runs(app, "--workflow payout --status ready");
    assert_eq!((all.len(), &all[0]["waiting_for"]), (2, &Value::Null));
    assert!(runs(app, "--workflow settlement_run").is_empty());
    assert_eq!(runs(app, &format!("--limit 1 --after {}", id_of(&all[0]))), all[1..]);
    let acme = all.iter().find(|run| run["key"] == "p/2026-04/acme/USD").expect("acme's run");
    let run = id_of(acme);

    let shown = app.json(&format!("workflow show {run} --json"));
    for (name, value) in
        [("id", json!(run)), ("workflow", json!("payout")), ("key", json!("p/2026-04/acme/USD")), ("status", json!("ready")), ("steps", json!([]))]
    {
        assert_eq!(shown[name], value, "{name}");
    }
    assert!(shown["wake_at"].is_string(), "{shown}");
    assert_eq!(app.json("workflow show payout/p/2026-04/acme/USD --json"), shown);

    for (line, why) in [
        (format!("workflow pause {run} --by nobody --reason drill"), "nobody"),
        (format!("workflow pause {run} --by fin --reason drill"), "ops"),
        (format!("workflow pause {run} --by op"), "--reason"),
        (format!("workflow resume {run} --by op --reason drill"), "ready"),
        (format!("workflow retry {run} --by op --reason drill"), "ready"),
        ("workflow show wfr_none".to_owned(), "wfr_none"),
        ("workflow show payout/p/2026-04/nobody/USD".to_owned(), "nobody"),
        ("workflow cancel wfr_0190b6a2-7c3d-7e4f-8a5b-000000000001 --by op --reason x".to_owned(), "workflow list"),
        ("workflow list --status asleep".to_owned(), "asleep"),
    ] {
        let said = app.refused(&line);
        assert!(said.contains(why), "{line}: {said}");
    }
    app.ok(&format!("workflow pause {run} --by op --reason drill"));
    let paused = runs(app, "--status paused");
    assert_eq!((paused.len(), &paused[0]["error"]), (1, &"drill".into()));
    app.ok("user add --id root --email root@example.com --role admin");
    assert_eq!(app.json(&format!("workflow resume {run} --by root --reason over --json"))["status"], "ready");
    let text = app.ok(&format!("workflow show {run}")).stdout_text();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for word in ["pause", "by op", "drill", "resume", "by root", "p/2026-04/acme/USD"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let cancel = format!("workflow cancel {run} --by op --reason wrong --json");
    assert!(app.refused(&cancel).contains("settlement hold"), "what is due is not orphaned");
    app.ok("settlement hold --program p --partner acme --period 2026-04 --reason dispute --by fin");
    assert_eq!(app.json(&cancel)["status"], "cancelled");
    app.refused(&format!("workflow retry {run} --by op --reason again"));
    assert_eq!(acts(app, "workflow.%"), ["workflow.paused op", "workflow.resumed root", "workflow.cancelled op"]);
}

fn what_is_due_starts_with_the_act(app: &App) {
    unreleased(app);
    app.ok("settlement hold --program p --partner beta --period 2026-04 --reason dispute --by fin");
    let released = app.json("settlement release --program p --period 2026-04 --by fin --json");
    assert_eq!(
        (released["unchanged"].as_bool(), released["started"].as_array().map(Vec::len)),
        (Some(false), Some(2)),
        "what is held waits, visibly"
    );
    let again = app.json("settlement release --program p --period 2026-04 --by fin2 --json");
    assert_eq!((again["unchanged"].as_bool(), &again["started"]), (Some(true), &json!([])));
    app.refused("settlement release --program p --period 2026-05 --by op");
    assert_eq!(runs(app, "").len(), 2, "what is refused starts nothing");
    app.ok("settlement unhold --program p --partner beta --period 2026-04 --reason settled --by fin");
    let mut keys: Vec<String> = runs(app, "").iter().filter_map(|run| run["key"].as_str().map(str::to_owned)).collect();
    keys.sort();
    assert_eq!(keys, ["p/2026-04/acme/USD", "p/2026-04/beta/USD"]);
}

/// A service at work hears of each act at once: its clock stands still, so nothing else wakes a run.
fn acts_wake_the_runs_that_they_concern(app: &App) {
    unreleased(app);
    let hosted = Hosted::start(app, Arc::new(ManualPayouts));
    let payout = |partner: &str| -> Value {
        let list = app.json("payout list --json");
        let mut of = list["payouts"].as_array().expect("a list").iter().filter(|payout| payout["partner"] == partner);
        of.next_back().cloned().unwrap_or(Value::Null)
    };
    let stands = |partner: &str, status: &str, reason: Option<&str>| {
        until(&format!("the payout of {partner} must be {status} {reason:?}"), || {
            let payout = payout(partner);
            payout["status"] == status && reason.is_none_or(|reason| payout["reason"] == reason)
        });
    };
    app.ok("payout pause --by op --reason drill");
    app.ok("settlement release --program p --period 2026-04 --by fin");
    stands("acme", "held", Some("paused"));
    stands("beta", "held", Some("no_destination"));
    app.ok("payout resume --by op --reason over");
    stands("acme", "requested", None);

    // A second person and the cooling-off time of the configuration.
    let added = app.json("payout destination add --partner beta --currency USD --name Beta --token tok_beta_0001 --by op --json");
    let file = app.write("short", "toml", "[payouts]\ndestination_cooling_off = \"1h\"\nmax_per_payout = \"100\"\n");
    let added = added["id"].as_str().expect("an id");
    let approved = app.json(&format!("payout destination approve {added} --by fin --config {file} --json"));
    assert_eq!(approved["usable_from"], "2027-01-15T13:00:00Z");
    stands("beta", "held", Some("cooling_off"));

    let first = payout("acme");
    let id = first["id"].as_str().expect("an id").to_owned();
    app.refused(&format!("payout retry {id} --by fin"));
    app.ok(&format!("payout mark-paid {id} --by fin --reason transfer-1"));
    let run = first["workflow"].as_str().expect("a run").to_owned();
    until("the run must end", || app.json(&format!("workflow show {run} --json"))["status"] == "done");
    let letters = app.json("mail list --json");
    let statement = letters["mails"].as_array().expect("a list").iter().find(|mail| mail["letter"] == "statement").cloned().expect("a statement");
    assert_eq!((&statement["status"], &statement["body"]["partner"]), (&"pending".into(), &"acme".into()));
    let timeline = app.ok(&format!("workflow show {run}")).stdout_text();
    assert!(timeline.contains("mail statement") && timeline.contains("request #"), "{timeline}");

    // The bank sends it back: another payout, held by the caps of the configuration, until finance lets it go.
    app.ok(&format!("payout mark-failed {id} --by fin --reason returned"));
    let retried = app.json(&format!("payout retry {id} --by fin --config {file} --json"));
    assert_eq!((&retried["status"], &retried["reason"]), (&"held".into(), &"cap".into()));
    assert_eq!(app.json(&format!("payout retry {id} --by fin2 --json"))["id"], retried["id"], "it is retried once");
    let second = retried["id"].as_str().expect("an id");
    assert_ne!(retried["workflow"], first["workflow"]);
    assert_eq!(app.json(&format!("payout release {second} --by fin --json"))["status"], "intended");
    until("the second payout must be requested", || app.json(&format!("payout show {second} --json"))["status"] == "requested");
    app.ok(&format!("payout mark-paid {second} --by fin --reason transfer-2"));
    until("both must be told of", || runs(app, "--workflow payout --status done").len() == 2);
    hosted.stop();
}

fn letters_are_listed_and_sent_again(app: &App) {
    unreleased(app);
    assert_eq!(app.json("mail list --json")["mails"], json!([]));
    // Another destination than the one in force: its owner hears of it once.
    let line = "payout destination add --partner acme --currency USD --name Acme --token tok_acme_0002 --by op";
    let added = app.json(&format!("{line} --json"));
    app.ok(line);
    app.ok(&format!("payout destination approve {} --by fin", added["id"].as_str().expect("an id")));
    let listed = app.json("mail list --status pending --json");
    let mails = listed["mails"].as_array().expect("a list");
    assert_eq!((mails.len(), &mails[0]["letter"], &mails[0]["body"]["destination"]), (1, &"destination_changed".into(), &added["id"]));
    let id = id_of(&mails[0]);
    let said = app.refused(&format!("mail retry {id} --by op"));
    assert!(said.contains("pending"), "{said}");
    act(app, async |tx| {
        let now = durable::Instant(day(0).0);
        outbox::put(tx, "other", "not-a-letter", &json!({}), now).await?;
        let message = outbox::claim(tx, TOPIC, "test", std::time::Duration::from_secs(30), 5, 1, now).await?.remove(0);
        outbox::bounced(tx, &message, "550 no such user", now).await
    })
    .expect("a letter bounces");
    let bounced = app.json("mail list --json");
    let bounced = bounced["mails"].as_array().expect("a list");
    assert_eq!(
        (bounced.len(), &bounced[0]["status"], &bounced[0]["error"], &bounced[0]["attempts"]),
        (1, &"bounced".into(), &"550 no such user".into(), &1.into())
    );
    let text = app.ok("mail list --status bounced").stdout_text();
    assert!(text.contains("550 no such user") && text.contains("bounced"), "{text}");
    for (line, why) in [(format!("mail retry {id} --by nobody"), "nobody"), ("mail retry msg_none --by op".to_owned(), "msg_none")] {
        let said = app.refused(&line);
        assert!(said.contains(why), "{line}: {said}");
    }
    app.ok(&format!("mail retry {id} --by fin"));
    assert_eq!(app.json("mail list --json")["mails"][0]["status"], "pending");
    assert_eq!(acts(app, "mail.%"), ["mail.retried fin"]);
    let key = Letter::DestinationChanged { destination: added["id"].as_str().expect("an id").into() }.key();
    assert_eq!(app.access().texts("SELECT key FROM outbox WHERE topic = 'mail'"), [key]);
}

fn schedules_are_listed_paused_and_run(app: &App) {
    unreleased(app);
    let line = |id: &str| -> Value {
        let all = app.json("schedule list --json");
        all["schedules"].as_array().expect("a list").iter().find(|line| line["id"] == id).cloned().unwrap_or_else(|| panic!("{id} is not in {all}"))
    };
    let planned = line("settlement/p");
    let expected = json!({ "id": "settlement/p", "expression": "0 0 6 1 * *", "zone": "UTC", "change": null, "workflow": "settlement_run",
        "paused": null, "next_slot": "2027-02-01T06:00:00", "next_at": "2027-02-01T06:00:00Z", "waits_for": null, "last_slot": null, "last_state": null, "last_run": null, "recorded": false });
    assert_eq!(planned, expected);
    assert_eq!(line("certification_notices")["next_slot"], "2027-01-16T08:00:00");
    for (refused, why) in [
        ("schedule pause settlement/p --by op", "--reason"),
        ("schedule pause settlement/p --by fin --reason audit", "ops"),
        ("schedule pause settlement/none --by op --reason audit", "settlement/none"),
        ("schedule resume settlement/none --by op", "settlement/none"),
        ("schedule run backup --by op", "backup"),
        ("schedule run settlement/p --slot 2026-05-02T06:00:00 --by op", "no slot"),
        ("schedule run settlement/p --slot yesterday --by op", "local time"),
    ] {
        let said = app.refused(refused);
        assert!(said.contains(why), "{refused}: {said}");
    }
    app.ok("schedule pause settlement/p --by op --reason audit");
    assert_eq!(line("settlement/p")["paused"], "by op: audit");
    assert_eq!(line("settlement/p")["recorded"], true);
    assert!(app.ok("schedule list").stdout_text().contains("paused by op: audit"));
    assert_eq!(app.json("schedule resume settlement/p --by op --json")["missed"], 0);
    let ran = app.json("schedule run settlement/p --slot 2026-07-01T06:00:00 --by op --json");
    let run = app.json(&format!("workflow show {} --json", ran["run"].as_str().expect("a run")));
    assert_eq!((&run["key"], &run["input"]), (&"p/2026-06".into(), &json!({ "program": "p", "period": "2026-06" })));
    let again = app.json("schedule run settlement/p --slot 2026-07-01T06:00:00 --by op --json");
    assert_eq!(again["run"], ran["run"], "a slot runs once");
    let last = line("settlement/p");
    assert_eq!((&last["last_slot"], &last["last_state"], &last["last_run"]), (&"2026-07-01T06:00:00".into(), &"started".into(), &ran["run"]));
    app.ok("schedule run certification_notices --by op");
    assert_eq!(runs(app, "--workflow certification_notices")[0]["key"], "2027-01-15");
    let text = app.ok("schedule list").stdout_text();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(acts(app, "schedule.%"), ["schedule.paused op", "schedule.resumed op", "schedule.run op", "schedule.run op", "schedule.run op"]);
}

/// Where a service is alive, `settle` starts the run and waits; where it has gone, it does the work itself.
fn a_live_service_settles(app: &App) {
    app.apply(&PROGRAMME.replace("rate = \"3%\"", "amount = \"500.00\""));
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import("deals", "id,customer,partner,contract_value,currency,signed_on,new_logo\nD1,c1,acme,5000.00,EUR,2026-04-02,true");
    app.import(
        "invoices",
        "id,customer,deal,partner,currency,subtotal,paid_at
         A1,c1,,acme,USD,1000.00,2026-04-10T10:00:00Z
         E1,c1,D1,,EUR,100.00,2026-05-20T10:00:00Z
         A9,c1,,acme,USD,10.00,2026-06-12T10:00:00Z",
    );
    people(app);
    let hosted = Hosted::start(app, Arc::new(ManualPayouts));
    // May lacks a rate: the run parks, and the command prints what is final and lists what is missing, as it does by itself.
    let missing = app.run("settle --program p --through 2026-05 --wait 1m --json");
    assert_eq!(missing.status.code(), Some(2), "{}", missing.stderr);
    assert!(missing.stderr.contains("nothing of 2026-05 was posted") && missing.stderr.contains("workflow retry"), "{}", missing.stderr);
    let printed: Value = serde_json::from_slice(&missing.stdout).expect("one JSON document");
    assert_eq!((&printed["settlements"][0]["period"], &printed["error"]["period"]), (&"2026-04".into(), &"2026-05".into()), "{printed:#}");
    let run = runs(app, "--workflow settlement_run --status parked");
    assert_eq!((run.len(), &run[0]["key"]), (1, &"p/2026-05".into()));
    app.import("fx", "date,from,to,rate\n2026-05-19,EUR,USD,1.25");
    app.ok(&format!("workflow retry {} --by op --reason rates", id_of(&run[0])));
    let made = app.json("settle --program p --period 2026-05 --wait 1m --json");
    assert_eq!(
        made["settlements"].as_array().map(|made| made.iter().all(|one| one["period"] == "2026-05" && one["status"] != "draft")),
        Some(true),
        "{made:#}"
    );
    assert!(runs(app, "--workflow payout").iter().any(|run| run["key"] == "p/2026-04/acme/USD"), "what is due is paid");
    let again = app.json("settle --program p --period 2026-05 --json");
    assert_eq!(again["settlements"].as_array().map(Vec::len), made["settlements"].as_array().map(Vec::len), "printed again");
    app.refused("settle --program p --period 2026-07 --wait soon");
    let early = app.run("settle --program p --period 2026-07");
    assert_eq!(early.status.code(), Some(2), "{}", early.stderr);
    assert!(runs(app, "--workflow settlement_run").len() == 1, "what is out of order starts nothing");
    hosted.stop();
    app.settle("p", "2026-06");
    assert_eq!(runs(app, "--workflow settlement_run").len(), 1, "without a service no run is started");
}

on_both_databases!(
    runs_are_listed_shown_and_acted_on,
    what_is_due_starts_with_the_act,
    acts_wake_the_runs_that_they_concern,
    letters_are_listed_and_sent_again,
    schedules_are_listed_paused_and_run,
    a_live_service_settles,
);
