//! `payout reconcile` against a provider in another process, and what a restored backup may do before it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use books::payouts::inbound::{self, Message};
use books::payouts::limits::Limits;
use books::payouts::{record, request as requests};
use program::calendar::Instant;
use program::payout::Word;
use serde_json::Value;
use tributary::adapters::payout_manual::ManualPayouts;
use tributary::instance::{self, InstanceError};
use workflows::ports::{PayoutPort as _, PayoutRequest};

use crate::app::{App, Engine};
use crate::broken_books::three_months;
use crate::hosted::{Hosted, until};
use crate::library::{RUNTIME, act, balances, day, destination, id, intend, of, open, people, request, try_intend};
use crate::process::{self, Finished};
use crate::provider::{Double, SECRET};

fn ready(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
}

/// A command under the configuration of the provider.
fn configured(app: &App, double: &Double, line: &str) -> Command {
    let mut command = app.command(line);
    command.env("TRIBUTARY_PAYOUTS__ADAPTER", "webhook").env("TRIBUTARY_PAYOUTS__URL", &double.url).env("TRIBUTARY_PAYOUTS__SECRET", SECRET);
    command.env("TRIBUTARY_PAYOUTS__ALLOW_LOOPBACK", "true").env("TRIBUTARY_PAYOUTS__TIMEOUT", "5s");
    command
}

fn reconcile(app: &App, double: &Double) -> (Option<i32>, Value) {
    let finished = process::run(&mut configured(app, double, "payout reconcile --json"));
    let document = serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr));
    (finished.status.code(), document)
}

fn status(app: &App, payout: &str) -> String {
    app.json(&format!("payout show {payout} --json"))["status"].as_str().expect("a status").to_owned()
}

fn reconciliation_asks_and_lists_what_is_open(app: &App) {
    ready(app);
    let mut double = Double::start();
    let hosted = Hosted::start(app, Arc::new(double.adapter()));
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let paid_by = |partner: &str| -> (String, String) {
        let list = app.json("payout list --json");
        let found = list["payouts"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["partner"] == partner && one["reference"].as_str().is_some_and(|text| text.contains("2026-04")));
        found.map(|one| (one["id"].as_str().expect("an id").to_owned(), one["workflow"].as_str().unwrap_or_default().to_owned())).unwrap_or_default()
    };
    until("acme's payout must be accepted", || {
        let (payout, _) = paid_by("acme");
        !payout.is_empty() && app.json(&format!("payout show {payout} --json"))["status"] == "requested"
    });
    let (payout, run) = paid_by("acme");
    // The provider has it: nothing is open, nothing changes.
    until("the provider must have it", || reconcile(app, &double).1["open"] == serde_json::json!([]));
    assert_eq!(status(app, &payout), "requested");
    double.settle(&payout, true);
    let (code, found) = reconcile(app, &double);
    assert_eq!((code, &found["changed"][0]["payout"], &found["changed"][0]["to"]), (Some(0), &payout.as_str().into(), &"paid".into()), "{found}");
    until("its run must end", || app.json(&format!("workflow show {run} --json"))["status"] == "done");
    assert_eq!(reconcile(app, &double).1["changed"], serde_json::json!([]));
    hosted.stop();

    // What the provider never got is no exception: it leaves again with the same key.
    intend(app, of("acme", "2026-05"), 2);
    request(app, 2, "webhook");
    let books = balances(app, "acme");
    let (code, found) = reconcile(app, &double);
    assert_eq!((code, found["looked_up"].as_u64(), balances(app, "acme")), (Some(0), Some(1), books), "{found}");
    // What finance pays itself, and what was given to another adapter, takes a person.
    let without = app.run("payout reconcile");
    assert_eq!(without.status.code(), Some(1), "{}", without.stdout_text());
    assert!(without.stdout_text().contains(id(2).as_str()), "{}", without.stdout_text());
    // A message about a payout that nobody knows stays open until somebody has dealt with it.
    let unknown = id(77).to_string();
    let message =
        Message { provider: "webhook", event: "ev 1", body_digest: "d", payout: &unknown, word: Some(Word::Paid), provider_id: None, reason: None };
    act(app, async |tx| inbound::record(tx, &message, day(0)).await).expect("a message is recorded");
    let (code, found) = reconcile(app, &double);
    assert_eq!((code, &found["open"][0]["what"], &found["reconciled"]), (Some(1), &"parked".into(), &false.into()), "{found}");
    let exception = found["open"][0]["id"].as_str().expect("an id").to_owned();
    let close = |by: &str, exception: &str| {
        let mut command = app.command("payout close-exception --reason told");
        process::run(command.args(["--by", by, exception]))
    };
    let refused = |finished: &Finished| finished.status.code() == Some(2);
    assert!(refused(&close("op", &exception)) && refused(&close("fin", "parked/webhook/none")));
    assert!(close("fin", &exception).status.success() && close("fin2", &exception).status.success());
    assert_eq!(app.access().texts("SELECT closed_by FROM closed_exceptions"), ["fin"]);
    assert_eq!(app.json("payout list --json")["exceptions"], serde_json::json!([]));
    assert_eq!(reconcile(app, &double).0, Some(0));
    // A provider that does not answer leaves all open.
    double.kill();
    let (code, found) = reconcile(app, &double);
    assert_eq!((code, found["open"].as_array().map(Vec::len)), (Some(1), Some(1)), "{found}");
}

/// What the provider never received, and is sent no more, is ended by finance after the provider was asked, and paid by another payout.
fn what_never_arrived_is_ended_by_finance(app: &App) {
    ready(app);
    let double = Double::start();
    let lost = |number: u64, month: &str, asked: Instant| {
        try_intend(app, of("acme", month), number, asked, &Limits::default()).expect("a payout");
        act(app, async |tx| {
            requests::request(tx, &id(number), "webhook", asked).await?;
            requests::mark_unknown(tx, &id(number), "the connection was closed", asked).await
        })
        .expect("it is unknown");
    };
    let owed = balances(app, "acme");
    lost(1, "2026-04", day(-2));
    let mark = |number: u64, by: &str| {
        let mut command = configured(app, &double, "payout mark-failed --reason lost");
        process::run(command.arg(id(number).as_str()).args(["--by", by]))
    };
    // Within the window it may leave again by itself.
    lost(2, "2026-05", day(0));
    let said = mark(2, "fin");
    assert!(said.status.code() == Some(2) && said.stderr.contains("dedupe_window"), "{}", said.stderr);

    let (code, found) = reconcile(app, &double);
    let open = found["open"].as_array().expect("a list");
    assert_eq!((code, open.len(), &open[0]["payout"]), (Some(1), 1, &id(1).as_str().into()), "{found}");
    assert!(open[0]["reason"].as_str().is_some_and(|reason| reason.contains("mark-failed")), "{found}");
    assert_eq!(mark(1, "op").status.code(), Some(2), "it takes finance");
    let unasked = app.run(&format!("payout mark-failed {} --by fin --reason lost", id(1)));
    assert_eq!(unasked.status.code(), Some(2), "nobody was asked: {}", unasked.stderr);
    assert_eq!(status(app, id(1).as_str()), "unknown");
    let marked = mark(1, "fin");
    assert!(marked.status.success(), "{}", marked.stderr);
    assert_eq!(status(app, id(1).as_str()), "failed");
    assert_eq!(reconcile(app, &double).0, Some(0));
    let retried = process::run(&mut configured(app, &double, &format!("payout retry {} --by fin", id(1))));
    assert!(retried.status.success(), "{}", retried.stderr);

    // What the provider knows is ended by its word alone.
    lost(3, "2026-06", day(-2));
    let body = act(app, async |tx| record::find(tx, &id(3)).await).expect("a look").and_then(|payout| payout.request).expect("bytes");
    let request = PayoutRequest { payout: id(3).to_string(), idempotency_key: "key-3".into(), body: body.as_bytes().to_vec() };
    RUNTIME.block_on(double.adapter().request(&request)).expect("it is taken");
    let said = mark(3, "fin");
    assert!(said.status.code() == Some(2) && said.stderr.contains("knows it"), "{}", said.stderr);
    assert_eq!(balances(app, "acme")[2], owed[2], "nothing was paid");
    app.assert_verified();
}

/// A restored database may make a payout under the id of one that the provider has paid with another amount.
fn what_was_paid_with_another_amount_is_not_taken_for_paid(app: &App) {
    ready(app);
    let double = Double::start();
    let payout = intend(app, of("acme", "2026-04"), 1);
    let body = payout.request.as_deref().expect("bytes").replace("\"150.00\"", "\"100.00\"");
    let before = PayoutRequest { payout: id(1).to_string(), idempotency_key: "key-1".into(), body: body.into_bytes() };
    RUNTIME.block_on(double.adapter().request(&before)).expect("it is taken");
    double.settle(id(1).as_str(), true);
    request(app, 1, "webhook");
    let books = balances(app, "acme");
    let (code, found) = reconcile(app, &double);
    assert_eq!((code, found["changed"].as_array().map(Vec::len)), (Some(1), Some(0)), "{found}");
    let reason = found["open"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("100.00 USD") && reason.contains("150.00 USD"), "{reason}");
    assert_eq!((status(app, id(1).as_str()).as_str(), balances(app, "acme")), ("requested", books));
}

/// What an adapter has paid that is no longer configured may come back, and finance says so; while it is configured, its own word counts.
fn what_comes_back_after_a_change_of_adapter_is_marked(app: &App) {
    ready(app);
    let double = Double::start();
    intend(app, of("acme", "2026-04"), 1);
    request(app, 1, "webhook");
    let line = format!("payout mark-failed {} --by fin --reason returned", id(1));
    app.refused(&line);
    let paid = Message {
        provider: "webhook",
        event: "ev1",
        body_digest: "d",
        payout: &id(1).to_string(),
        word: Some(Word::Paid),
        provider_id: None,
        reason: None,
    };
    act(app, async |tx| inbound::record(tx, &paid, day(0)).await).expect("a message is recorded");
    let said = process::run(&mut configured(app, &double, &line));
    assert!(said.status.code() == Some(2) && said.stderr.contains("webhook"), "{}", said.stderr);
    assert_eq!(status(app, id(1).as_str()), "paid");
    app.ok(&line);
    assert_eq!((status(app, id(1).as_str()).as_str(), &balances(app, "acme")[1..]), ("failed", &[0, 0][..]));
    app.assert_verified();
}

/// In place: payouts are paused, nobody resumes them by hand, and a clean reconciliation lifts that.
fn a_new_generation_sends_nothing_before_it_is_reconciled(app: &App) {
    ready(app);
    intend(app, of("acme", "2026-04"), 1);
    request(app, 1, "manual");
    let restored = app.json("restore --generation --json");
    assert_eq!((&restored["generation"], &restored["payouts_paused"]), (&2.into(), &true.into()));
    let paused = app.json("payout list --json")["paused"].clone();
    assert_eq!((&paused["by"], &paused["reason"]), (&Value::Null, &"restored from a backup; run `payout reconcile`".into()));
    let said = app.refused("payout resume --by fin --reason hurry");
    assert!(said.contains("payout reconcile"), "{said}");
    assert_eq!(intend(app, of("acme", "2026-05"), 2).state.reason(), Some("paused"));
    // What finance has paid is known to finance alone.
    let open = app.run("payout reconcile --json");
    assert_eq!(open.status.code(), Some(1), "{}", open.stdout_text());
    app.ok(&format!("payout mark-paid {} --by fin --reason transfer-1", id(1)));
    let clean = app.json("payout reconcile --json");
    assert_eq!((&clean["reconciled"], &clean["pause_lifted"]), (&true.into(), &true.into()));
    assert_eq!(app.json("payout list --json")["paused"], Value::Null);
    assert_eq!(app.json("payout reconcile --json")["pause_lifted"], false);

    // A person's pause beside it outlasts the reconciliation.
    app.ok("restore --generation");
    app.ok("payout pause --by op --reason drill");
    assert_eq!(app.json("payout reconcile --json")["pause_lifted"], false);
    assert_eq!(app.json("payout list --json")["paused"]["by"], "op");
    app.ok("payout resume --by op --reason over");
    let acts = app.access().texts("SELECT act FROM audit_log WHERE act LIKE 'database.%' ORDER BY no");
    assert_eq!(acts, ["database.restored", "database.reconciled", "database.restored", "database.reconciled"]);

    let hosted = Hosted::start(app, Arc::new(ManualPayouts));
    let alive = app.run("restore --generation");
    assert_eq!(alive.status.code(), Some(2), "{}", alive.stderr);
    assert!(alive.stderr.contains("alive"), "{}", alive.stderr);
    hosted.stop();
}

/// What a service does when it starts; no connection stays open on a file that is exchanged.
fn check(app: &App) -> Result<i64, InstanceError> {
    RUNTIME.block_on(async {
        let books = open(&app.url()).await;
        let found = instance::check(&books, &app.url(), day(0)).await.map(|instance| instance.generation);
        books.read().clone().close().await.expect("the database closes");
        books.write().clone().close().await.expect("the database closes");
        found
    })
}

#[test]
fn a_backup_comes_in_place_as_a_new_generation() {
    let app = App::fresh(Engine::Sqlite);
    ready(&app);
    assert_eq!(check(&app).expect("the first start"), 1);
    let backup = app.path("backup.db");
    app.access().execute(&format!("VACUUM INTO '{}'", backup.display()));
    intend(&app, of("acme", "2026-04"), 1);

    // A plain copy over the file is recognised, whichever way it comes.
    let kept = app.path("kept.db");
    app.access().execute(&format!("VACUUM INTO '{}'", kept.display()));
    for (line, why) in [
        ("restore backup.db", "--replace"),
        ("restore books.db --replace", "itself"),
        ("restore none.db --replace", "none.db"),
        ("restore", "FILE"),
        ("restore backup.db --generation", "--generation"),
    ] {
        let said = app.refused(line);
        assert!(said.contains(why), "{line}: {said}");
    }
    let text = app.write("notes", "db", "not a database, and longer than a head");
    let said = app.refused(&format!("restore {text} --replace"));
    assert!(said.contains("no SQLite file"), "{said}");
    let mut damaged = std::fs::read(&backup).expect("it is read");
    let length = damaged.len();
    for left in [length / 2, 5_000, 200] {
        damaged.truncate(left);
        let damaged = app.write_bytes("damaged", "db", &damaged);
        let said = app.refused(&format!("restore {damaged} --replace"));
        assert!(said.contains(&format!("{damaged} is no backup")) && !said.contains(".restoring"), "{left} bytes: {said}");
    }
    assert_eq!(app.access().number("SELECT COUNT(*) FROM payouts"), 1, "what is refused changes nothing");
    let leftovers = |app: &App| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(app.path("")).expect("a directory").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.to_string_lossy().contains(".restoring")).collect()
    };
    assert!(leftovers(&app).is_empty());

    let hosted = Hosted::start(&app, Arc::new(ManualPayouts));
    assert!(app.run("restore backup.db --replace").stderr.contains("alive"));
    hosted.stop();
    let reader = app.access();
    assert_eq!(reader.number("SELECT COUNT(*) FROM payouts"), 1);
    assert!(app.run("restore backup.db --replace").stderr.contains("another process"));
    drop(reader);

    let restored = app.json("restore backup.db --replace --json");
    assert_eq!(restored["generation"], 2);
    assert!(leftovers(&app).is_empty());
    assert_eq!(app.access().number("SELECT COUNT(*) FROM payouts"), 0, "the backup is older than the payout");
    assert_eq!(app.access().number("SELECT paused FROM payout_switch"), 1);
    assert_eq!(check(&app).expect("the service may start"), 2);
    let aside = PathBuf::from(restored["replaced"].as_str().expect("a place"));
    assert!(aside.exists(), "{}", aside.display());
    app.assert_verified();
    app.ok("payout reconcile");
    assert_eq!(app.access().number("SELECT paused FROM payout_switch"), 0);

    // The backup again, copied by hand: an older generation, which no service starts on, until it is marked.
    let copied = App::fresh(Engine::Sqlite);
    std::fs::copy(&kept, copied.path("books.db")).expect("a copy");
    std::fs::copy(app.path("books.db.instance"), copied.path("books.db.instance")).expect("a copy");
    let found = check(&copied);
    assert!(matches!(found, Err(InstanceError::Generation { wanted: 2, found: 1, .. })), "{found:?}");
    std::fs::remove_file(copied.path("books.db.instance")).expect("it is there");
    assert!(matches!(check(&copied), Err(InstanceError::Copied { .. })));
    copied.ok("restore --generation");
    assert_eq!(check(&copied).expect("the service may start"), 2);
    copied.finish();
    app.finish();
}

#[test]
fn a_backup_comes_where_nothing_is() {
    let app = App::fresh(Engine::Sqlite);
    ready(&app);
    app.access().execute(&format!("VACUUM INTO '{}'", app.path("backup.db").display()));
    let other = App::fresh(Engine::Sqlite);
    let said = other.ok(&format!("restore {}", app.path("backup.db").display())).stdout_text();
    assert!(said.contains("generation 2") && said.contains("payout reconcile"), "{said}");
    assert_eq!(other.json("settlement list --json"), app.json("settlement list --json"));
    assert_eq!(check(&other).expect("the service may start"), 2);
    other.finish();
    let postgres = App::fresh(Engine::Postgres);
    assert!(postgres.run(&format!("restore {}", app.path("backup.db").display())).stderr.contains("--generation"));
}

on_both_databases!(
    reconciliation_asks_and_lists_what_is_open,
    what_never_arrived_is_ended_by_finance,
    what_was_paid_with_another_amount_is_not_taken_for_paid,
    what_comes_back_after_a_change_of_adapter_is_marked,
    a_new_generation_sends_nothing_before_it_is_reconciled,
);
