//! Payouts by files for the bank, through the binary: what was requested is in one file, once, whatever happens between.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use program::payout::{Destination, State};
use serde_json::{Value, json};
use tributary::adapters::payout_pain001::Pain001Payouts;

use crate::app::App;
use crate::bank_file_checker::{Read, read, refused_by_schema};
use crate::broken_books::three_months;
use crate::hosted::{Hosted, until};
use crate::library::{act, balances, day, destination, id, intend, of, people, request};
use crate::process::{self, Finished};
use crate::seeded::Seeded;

pub(crate) const IBAN: &str = "DE89370400440532013000";
const OTHER_IBAN: &str = "NO9386011117947";
/// Kills of one test.
const KILLS: u32 = 10;
const DEBTOR_IBAN: &str = "GB29NWBK60161331926819";

/// A bank account of a partner in US dollars that is usable at once.
pub(crate) fn account(app: &App, id: &str, partner: &str, name: &str, iban: &str) {
    let destination = Destination::bank(name, iban, "COBADEFFXXX").expect("a destination");
    let new = books::payouts::destinations::New { id, partner, currency: "USD".parse().expect("a currency"), destination: &destination };
    act(app, async |tx| {
        books::payouts::destinations::add(tx, new, "op", day(-3)).await?;
        books::payouts::destinations::approve(tx, id, "fin", 0, day(-3)).await
    })
    .expect("a destination is approved");
}

/// Three months, people, and a bank account of acme, whose name no bank could write as it is.
pub(crate) fn ready(app: &App) {
    three_months(app);
    people(app);
    account(app, "D1", "acme", "Müller & Söhne „Süd“", IBAN);
}

/// Payouts of acme that were requested, and wait for their file.
pub(crate) fn requested(app: &App, months: &[&str]) {
    for (number, month) in (1..).zip(months) {
        intend(app, of("acme", month), number);
        assert_eq!(request(app, number, "pain001").state, State::Requested);
    }
}

/// A command under the configuration of the adapter; files go to `out`.
fn configured(app: &App, line: &str) -> Command {
    let mut command = app.command(line);
    command.env("TRIBUTARY_PAYOUTS__ADAPTER", "pain001").env("TRIBUTARY_PAYOUTS__PAIN001__DEBTOR_NAME", "Vendor Ægir Ltd");
    command.env("TRIBUTARY_PAYOUTS__PAIN001__DEBTOR_IBAN", DEBTOR_IBAN).env("TRIBUTARY_PAYOUTS__PAIN001__DEBTOR_BIC", "NWBKGB2L");
    command.env("TRIBUTARY_PAYOUTS__PAIN001__DIRECTORY", app.path("out")).env("TRIBUTARY_PAYOUTS__DESTINATION_COOLING_OFF", "0s");
    command
}

fn export(app: &App) -> Finished {
    process::run(&mut configured(app, "export pain001 --by fin"))
}

fn exported(app: &App, line: &str) -> (Option<i32>, Value) {
    let finished = process::run(&mut configured(app, line));
    let document = serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr));
    (finished.status.code(), document)
}

pub(crate) fn export_json(app: &App) -> (Option<i32>, Value) {
    exported(app, "export pain001 --by fin --json")
}

fn files(app: &App) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(app.path("out")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// A file that the schema and a bank's own reading take.
fn valid(file: &Path) -> Read {
    assert_eq!(refused_by_schema(file), "");
    read(&fs::read_to_string(file).expect("a file")).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", file.display()))
}

fn refused(app: &App, line: &str) -> String {
    let before = app.access().dump();
    let finished = process::run(&mut configured(app, line));
    assert_eq!(finished.status.code(), Some(2), "{line}: {}{}", finished.stdout_text(), finished.stderr);
    crate::database::assert_same(&before, &app.access().dump(), line);
    finished.stderr
}

/// From the settlement to the bank's word, with a service at work.
fn what_is_settled_is_paid_by_a_file(app: &App) {
    ready(app);
    destination(app, "D2", "top", "tok_top_0001");
    let hosted = Hosted::start(app, Arc::new(Pain001Payouts));
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let payout = |partner: &str| -> Value {
        let list = app.json("payout list --json");
        list["payouts"].as_array().expect("a list").iter().find(|payout| payout["partner"] == partner).cloned().unwrap_or(Value::Null)
    };
    until("acme's payout must be requested", || payout("acme")["status"] == "requested");
    let acme = payout("acme");
    let (id, run) = (acme["id"].as_str().expect("an id").to_owned(), acme["workflow"].as_str().expect("a run").to_owned());
    assert_eq!((&acme["provider"], &app.json(&format!("payout show {id} --json"))["file"]), (&"pain001".into(), &Value::Null));
    let said = app.refused(&format!("payout mark-paid {id} --by fin --reason hurry"));
    assert!(said.contains("no file for the bank"), "{said}");

    let (code, document) = export_json(app);
    assert_eq!((code, &document["left_out"]), (Some(0), &json!([])), "{document}");
    let [made] = &document["files"].as_array().expect("a list")[..] else { panic!("one file: {document}") };
    let [file] = &files(app)[..] else { panic!("one file") };
    assert_eq!(made["path"].as_str().map(Path::new), Some(file.as_path()));
    let told = valid(file);
    // The clock of the tests stands on a Friday.
    let [payment] = &told.payments[..] else { panic!("one payment: {told:?}") };
    assert_eq!((payment.amount.as_str(), payment.currency.as_str(), payment.execution_on.as_str()), ("150.00", "USD", "2027-01-18"));
    assert_eq!((payment.name.as_str(), payment.iban.as_str(), payment.bic.as_str()), ("Mueller + Soehne 'Sued'", IBAN, "COBADEFFXXX"));
    assert_eq!((payment.reference.as_str(), told.control_sum.as_str()), ("p/2026-04/acme/USD", "150.00"));
    assert_eq!(program::bank_file::payout_of(&payment.end_to_end).expect("ours").as_str(), id);
    assert_eq!(told.debtor_ibans.into_iter().collect::<Vec<_>>(), [DEBTOR_IBAN]);
    let shown = app.json(&format!("payout show {id} --json"))["file"].clone();
    assert_eq!((&shown["id"], &shown["message_id"], &shown["sha256"]), (&made["id"], &told.message.as_str().into(), &made["sha256"]));
    assert!(app.ok(&format!("payout show {id}")).stdout_text().contains(file.file_name().and_then(|name| name.to_str()).expect("a name")));

    let again = export(app);
    assert_eq!((again.status.code(), again.stdout_text().as_str(), files(app).len()), (Some(0), "nothing is new\n", 1), "{}", again.stderr);
    let owed = balances(app, "acme")[0];
    app.refused(&format!("payout mark-paid {id} --by op --reason statement-7"));
    app.ok(&format!("payout mark-paid {id} --by fin --reason statement-7"));
    assert_eq!(balances(app, "acme"), [owed, 0, -15_000]);
    until("its run must end", || app.json(&format!("workflow show {run} --json"))["status"] == "done");
    hosted.stop();
    let log = app
        .access()
        .texts("SELECT act || ' ' || COALESCE(actor, '') FROM audit_log WHERE act LIKE 'bank_file.%' OR act = 'payout.filed' ORDER BY no");
    assert_eq!(log, ["payout.filed fin", "bank_file.made fin", "bank_file.written fin"]);
    let detail = app.access().texts("SELECT detail FROM audit_log").concat();
    assert!(!detail.contains(IBAN) && !detail.contains(DEBTOR_IBAN), "accounts are not told");
    app.assert_verified();

    // The bank sends it back: another payout, another file.
    app.ok(&format!("payout mark-failed {id} --by fin --reason returned"));
    assert_eq!(balances(app, "acme"), [owed - 15_000, 0, 0]);
}

/// What no file can pay is held before it is requested, and goes on by itself with an account.
fn what_no_file_can_pay_is_held_until_there_is_an_account(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    let hosted = Hosted::start(app, Arc::new(Pain001Payouts));
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let acme = || -> Value {
        let list = app.json("payout list --json");
        list["payouts"].as_array().expect("a list").iter().find(|payout| payout["partner"] == "acme").cloned().unwrap_or(Value::Null)
    };
    until("it must be held", || acme()["status"] == "held");
    assert_eq!(acme()["reason"], "no_account");
    assert_eq!((export_json(app).1, balances(app, "acme")[1]), (json!({ "files": [], "left_out": [] }), 0));
    let letters = app.json("mail list --json");
    assert!(letters["mails"].as_array().expect("a list").iter().any(|mail| mail["body"]["reason"] == "no_account"), "{letters}");
    let line = format!("payout destination add --partner acme --currency USD --name Acme --iban {IBAN} --bic COBADEFFXXX --by op --json");
    let added = app.json(&line)["id"].as_str().expect("an id").to_owned();
    assert!(process::run(&mut configured(app, &format!("payout destination approve {added} --by fin"))).status.success());
    until("it must be requested", || acme()["status"] == "requested");
    hosted.stop();
    assert_eq!(export_json(app).1["files"][0]["payouts"], 1);
}

/// Admitted while another adapter paid: the request itself holds it, and nothing moves.
fn a_token_of_another_adapter_is_held_at_the_request(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    assert_eq!(intend(app, of("acme", "2026-04"), 1).state, State::Intended);
    let held = request(app, 1, "pain001");
    assert_eq!((held.state.reason(), held.requested_at, balances(app, "acme")[1]), (Some("no_account"), None, 0));
}

/// A file that is committed and not written down: the same command writes the same bytes, and no second file.
fn a_crash_before_the_file_is_written_is_mended_by_the_same_bytes(app: &App) {
    ready(app);
    requested(app, &["2026-04", "2026-05"]);
    fs::write(app.path("out"), "no directory").expect("a file");
    let failed = export(app);
    assert_eq!(failed.status.code(), Some(1), "{}", failed.stdout_text());
    assert!(failed.stderr.contains("writes it again"), "{}", failed.stderr);
    assert_eq!(app.access().number("SELECT COUNT(*) FROM bank_files WHERE written_at IS NULL"), 1);
    let content = app.access().texts("SELECT content FROM bank_files").concat();
    app.assert_verified();
    fs::remove_file(app.path("out")).expect("a file");
    let (code, document) = export_json(app);
    assert_eq!((code, &document["files"][0]["how"], document["files"].as_array().map(Vec::len)), (Some(0), &"mended".into(), Some(1)), "{document}");
    let [file] = &files(app)[..] else { panic!("one file: {:?}", files(app)) };
    assert_eq!(fs::read_to_string(file).expect("a file"), content);
    assert_eq!(valid(file).payments.len(), 2);
    assert_eq!(export_json(app).1["files"], json!([]));

    // Killed after the file was there, before that was noted.
    app.access().behind_the_triggers(|books| assert_eq!(books.execute("UPDATE bank_files SET written_at = NULL"), 1));
    assert_eq!(export_json(app).1["files"][0]["how"], "mended");
    assert_eq!((files(app).len(), fs::read_to_string(file).expect("a file")), (1, content.clone()));
    // Somebody has lost it, or has put something else there.
    let id = document["files"][0]["id"].as_str().expect("an id").to_owned();
    fs::remove_file(file).expect("a file");
    let (code, again) = exported(app, &format!("export pain001 --by fin2 --again {id} --json"));
    assert_eq!((code, &again["files"][0]["how"], fs::read_to_string(file).expect("a file")), (Some(0), &"again".into(), content.clone()));
    fs::write(file, "something else").expect("a file");
    let other = process::run(&mut configured(app, &format!("export pain001 --by fin --again {id}")));
    assert_eq!(other.status.code(), Some(1), "{}", other.stderr);
    assert_eq!(fs::read_to_string(file).expect("a file"), "something else");
    assert_eq!(app.access().number("SELECT COUNT(*) FROM bank_files"), 1);
}

fn only_finance_writes_files_and_only_while_payouts_go_on(app: &App) {
    ready(app);
    requested(app, &["2026-04"]);
    app.ok("user add --id insider --email insider@example.com --role finance --partner acme");
    for (who, said) in [("op", "finance"), ("nobody", "not recorded"), ("insider", "belongs to acme")] {
        let told = refused(app, &format!("export pain001 --by {who}"));
        assert!(told.contains(said), "{told}");
    }
    let unconfigured = app.refused("export pain001 --by fin");
    assert!(unconfigured.contains("payouts.adapter"), "{unconfigured}");
    refused(app, "export pain001 --by fin --again bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b");
    app.ok("payout pause --by op --reason drill");
    let told = refused(app, "export pain001 --by fin");
    assert!(told.contains("paused: drill"), "{told}");
    app.ok("payout resume --by op --reason over");
    assert_eq!(export_json(app).1["files"][0]["payouts"], 1);
    assert_eq!(export_json(app).1["files"], json!([]));
}

/// What is held meanwhile, and what names an account that another one has replaced, is left out and said, every time.
fn what_can_not_be_in_a_file_is_left_out_loudly(app: &App) {
    ready(app);
    requested(app, &["2026-04", "2026-05"]);
    // As a hold that came at the same moment as the request.
    let hold = "INSERT INTO settlement_holds (program, partner, period, ordinal, act, reason, by_user, at) \
                VALUES ('p', 'acme', '2026-05', 1, 'hold', 'dispute', 'op', 0)";
    assert_eq!(app.access().execute(hold), 1);
    for _ in 0..2 {
        let (code, document) = export_json(app);
        assert_eq!((code, &document["left_out"][0]["payout"]), (Some(1), &id(2).as_str().into()), "{document}");
        assert!(document["left_out"][0]["reason"].as_str().is_some_and(|reason| reason.contains("by_hand")), "{document}");
    }
    assert_eq!(app.access().texts("SELECT payout FROM bank_file_payouts"), [id(1).as_str()]);
    app.ok("settlement unhold --program p --partner acme --period 2026-05 --reason cleared --by fin");
    account(app, "D2", "acme", "Acme", OTHER_IBAN);
    let finished = export(app);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
    assert!(finished.stdout_text().contains("another destination has taken the place"), "{}", finished.stdout_text());
    // Failed by finance, it is tried again to the new account.
    app.ok(&format!("payout mark-failed {} --by fin --reason moved", id(2)));
    let failed = id(2);
    let names = books::payouts::intend::Names { id: &id(3), key: "key-3", workflow: None };
    act(app, async |tx| books::payouts::retry::retry(tx, &failed, names, "fin", day(0), &books::payouts::limits::Limits::default()).await)
        .expect("a retry");
    request(app, 3, "pain001");
    let (code, document) = export_json(app);
    assert_eq!((code, &document["left_out"]), (Some(0), &json!([])), "{document}");
    let last = document["files"][0]["path"].as_str().expect("a path").to_owned();
    assert_eq!(valid(Path::new(&last)).payments[0].iban, OTHER_IBAN);
}

/// A claim's payout that failed is not tried again: what to do with one that no file can pay is said by its kind.
fn what_a_claim_s_payout_comes_to_is_said(app: &App) {
    use crate::claims::{approve, pay, submit, wallet, world};
    world(app);
    account(app, "D2", "acme", "Acme", IBAN);
    for (number, claim) in [(1, "CL-1"), (2, "CL-2")] {
        submit(app, claim, 1_000_000);
        approve(app, claim, "jo");
        pay(app, claim, number);
        assert_eq!(request(app, number, "pain001").state, State::Requested);
    }
    account(app, "D3", "acme", "Acme", OTHER_IBAN);
    let reason = || export_json(app).1["left_out"][0]["reason"].as_str().expect("a reason").to_owned();
    let moved = reason();
    assert!(moved.contains("another destination") && moved.contains("mark-failed") && moved.contains("a new claim is needed"), "{moved}");
    assert!(!moved.contains("retry"), "{moved}");
    app.import("statuses", "partner,program,status,effective_from\nacme,p,suspended,2027-01-02");
    let held = reason();
    assert!(held.contains("suspended") && held.contains("active again") && held.contains("a new claim is needed"), "{held}");
    app.ok(&format!("payout mark-failed {} --by fin --reason moved", id(1)));
    assert_eq!(crate::claims::found(app, "CL-1").status.name(), "failed");
    assert_eq!(wallet(app), (3_500_000, 0));
}

/// Several at once: every payout is in one file.
fn many_at_once_put_each_payout_into_one_file(app: &App) {
    ready(app);
    requested(app, &["2026-04", "2026-05", "2026-06"]);
    let children: Vec<_> = (0..4).map(|_| configured(app, "export pain001 --by fin --json").stdout(std::process::Stdio::piped()).spawn()).collect();
    for child in children {
        let done = child.expect("the binary can be run").wait_with_output().expect("it ends");
        assert!(done.status.success(), "{done:?}");
    }
    let told: Vec<Read> = files(app).iter().map(|file| valid(file)).collect();
    let paid: Vec<&str> = told.iter().flat_map(|file| &file.payments).map(|payment| payment.end_to_end.as_str()).collect();
    assert_eq!((paid.len(), paid.iter().collect::<BTreeSet<_>>().len()), (3, 3), "{told:?}");
    // The constraints alone refuse a second file of a payout.
    let second = "INSERT INTO bank_file_payouts (file, ordinal, payout) SELECT file, 99, payout FROM bank_file_payouts";
    assert!(app.access().try_execute(second).is_err());
}

/// After a restore the file may be newer than the backup: finance's word is enough until the reconciliation, and nothing is written.
fn a_restored_database_writes_no_file_before_it_is_reconciled(app: &App) {
    ready(app);
    requested(app, &["2026-04", "2026-05"]);
    app.ok("restore --generation");
    let told = refused(app, "export pain001 --by fin");
    assert!(told.contains("restored"), "{told}");
    let open = process::run(&mut configured(app, "payout reconcile --json"));
    assert_eq!(open.status.code(), Some(1));
    assert!(open.stdout_text().contains("a file for the bank pays it"), "{}", open.stdout_text());
    app.ok(&format!("payout mark-paid {} --by fin --reason statement-7", id(1)));
    app.ok(&format!("payout mark-failed {} --by fin --reason never-uploaded", id(2)));
    assert_eq!(process::run(&mut configured(app, "payout reconcile")).status.code(), Some(0));
    assert_eq!(export_json(app).1["files"], json!([]));
}

/// Killed at any moment, and run again: every payout is in one file, and what is on the disk is what was committed.
fn a_killed_export_is_ended_by_the_next(app: &App) {
    ready(app);
    requested(app, &["2026-04", "2026-05", "2026-06"]);
    let timed = || {
        let copy = app.copy();
        let begun = Instant::now();
        assert_eq!(export_json(&copy).0, Some(0));
        begun.elapsed()
    };
    let (mut whole, mut random, mut counted) = (timed().min(timed()).min(timed()), Seeded::new(7), 0);
    for _ in 0..KILLS {
        let app = app.copy();
        let moment = whole * u32::try_from(random.between(2, 60)).expect("a percentage fits") / 100;
        let killed = process::kill_after(&mut configured(&app, "export pain001 --by fin"), moment);
        let counts = killed.was_killed() && app.access().number("SELECT COUNT(*) FROM bank_files WHERE written_at IS NOT NULL") == 0;
        counted += u32::from(counts);
        // The machine got faster than it was when the export was measured.
        whole = if counts { whole } else { whole / 2 };
        assert_eq!(export(&app).status.code(), Some(0));
        assert_eq!(export(&app).stdout_text(), "nothing is new\n");
        let committed = app.access().texts("SELECT content FROM bank_files");
        let drafts = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".draft-"));
        let written: Vec<PathBuf> = files(&app).into_iter().filter(|file| !drafts(file)).collect();
        assert_eq!((committed.len(), written.len(), valid(&written[0]).payments.len()), (1, 1, 3));
        assert_eq!(fs::read_to_string(&written[0]).expect("a file"), committed[0]);
        app.finish();
    }
    assert!(counted * 5 >= KILLS * 4, "only {counted} of {KILLS} kills met work in flight; an export takes {whole:?}");
}

on_both_databases!(
    a_killed_export_is_ended_by_the_next,
    what_is_settled_is_paid_by_a_file,
    what_no_file_can_pay_is_held_until_there_is_an_account,
    a_token_of_another_adapter_is_held_at_the_request,
    a_crash_before_the_file_is_written_is_mended_by_the_same_bytes,
    only_finance_writes_files_and_only_while_payouts_go_on,
    what_can_not_be_in_a_file_is_left_out_loudly,
    what_a_claim_s_payout_comes_to_is_said,
    many_at_once_put_each_payout_into_one_file,
    a_restored_database_writes_no_file_before_it_is_reconciled,
);
