//! A claim's payout that was never asked for is ended by a person: its money is back where it came from (domain.md §6.4, §7).

use books::mdf::{campaigns, submit};
use books::payouts::record::Source;
use books::payouts::withdraw::{Withdrawal, withdraw};
use books::payouts::{PayoutError, switch};
use program::mdf::Status;
use program::payout::{HeldFor, Payout, State, Word};

use crate::app::App;
use crate::broken_books::assert_named;
use crate::claims::{approve, found, left, new_campaign, pay, submit as submitted, wallet, world};
use crate::database::assert_same;
use crate::library::{act, balances, day, hear, id, intend, of, request, said};

fn try_withdraw(app: &App, number: u64, by: &str, is_unknown_to_provider: bool) -> Result<Payout, PayoutError> {
    let said = Withdrawal { by, reason: "no account came", is_unknown_to_provider };
    act(app, async |tx| withdraw(tx, &id(number), said, day(0)).await)
}

fn letters(app: &App) -> Vec<String> {
    app.access().texts("SELECT key FROM outbox WHERE key LIKE 'claim_failed/%' ORDER BY key")
}

/// A claim of a partner whose money nobody knows where to send.
fn of_beta(app: &App) {
    act(app, async |tx| {
        campaigns::add(tx, campaigns::New { partner: "beta", ..new_campaign("booth", "900.00") }, "bob", day(0)).await?;
        campaigns::decide(tx, "booth", campaigns::Word::Approve, "fin", None, day(0)).await?;
        let new = submit::New { id: "CL-B", campaign: "booth", receipts_minor: 100_000, wanted_minor: None, proofs: &[] };
        submit::submit(tx, new, "bob", day(0)).await
    })
    .expect("a claim");
    approve(app, "CL-B", "jo");
}

fn a_held_payout_is_ended_and_its_money_is_back(app: &App) {
    world(app);
    of_beta(app);
    let wallet_of_beta = || app.access().number("SELECT balance_minor FROM wallets WHERE partner = 'beta' AND currency = 'USD'");
    let before = wallet_of_beta();
    assert_eq!(pay(app, "CL-B", 1).state, State::Held(HeldFor::NoDestination));
    assert_eq!((wallet_of_beta(), balances(app, "beta")[1]), (before - 50_000, -50_000));

    let at_rest = app.access().dump();
    for (by, why) in [("bob", "takes the role finance or ops"), ("jo", "takes the role finance or ops"), ("nobody", "is not recorded")] {
        let told = app.refused(&format!("payout withdraw {} --by {by} --reason gone", id(1)));
        assert!(told.contains(why), "{by}: {told}");
    }
    let told = app.refused("mdf claim cancel CL-B --by fin --reason gone");
    assert!(told.contains("payout withdraw"), "{told}");
    assert_same(&at_rest, &app.access().dump(), "what was refused");

    let shown = app.json(&format!("payout withdraw {} --by op --reason no-account --json", id(1)));
    assert_eq!((&shown["status"], &shown["reason"]), (&"failed".into(), &"no-account".into()), "{shown}");
    let claim = found(app, "CL-B");
    assert_eq!((claim.status, claim.reason.as_deref()), (Status::Failed, Some("no-account")));
    assert_eq!((wallet_of_beta(), balances(app, "beta")[1]), (before, 0));
    assert_eq!(app.access().number("SELECT committed_minor FROM campaigns WHERE id = 'booth'"), 0, "others may ask for it");
    let whose = ["", "bob", "al", "fin", "fin2"].map(|person| format!("claim_failed/CL-B/{person}"));
    let mut whose = whose.to_vec();
    whose.sort();
    assert_eq!(letters(app), whose, "the partner, who submitted it, and finance");
    let acts = app.access().texts("SELECT act || ' ' || COALESCE(actor, '-') FROM audit_log WHERE act LIKE 'payout.withdrawn%'");
    assert_eq!(acts, ["payout.withdrawn op"]);

    // The first reason stands, and nothing is told or posted twice.
    let ended = app.access().dump();
    app.ok(&format!("payout withdraw {} --by fin --reason another", id(1)));
    assert_same(&ended, &app.access().dump(), "withdrawing again");
    let copy = app.copy();
    copy.access().behind_the_triggers(|books| {
        books.execute("UPDATE payout_events SET source = 'ours' WHERE word = 'withdrawn'");
    });
    assert_named(&copy, "payout.17", "a payout that waited and was ended by nobody");
}

/// Nothing of an intended payout has left; what was requested may have.
fn the_line_is_the_request(app: &App) {
    world(app);
    let lots = left(app);
    submitted(app, "CL-1", 1_000_000);
    approve(app, "CL-1", "jo");
    assert_eq!(pay(app, "CL-1", 1).state, State::Intended);
    let payout = try_withdraw(app, 1, "fin", false).expect("it has not left");
    assert!(matches!(payout.state, State::Failed { .. }));
    assert_eq!((wallet(app), left(app)), ((4_000_000, 0), lots), "the same lots have it back");
    assert_eq!(request(app, 1, "webhook").state, payout.state, "and it never leaves");

    submitted(app, "CL-2", 1_000_000);
    approve(app, "CL-2", "jo");
    pay(app, "CL-2", 2);
    request(app, 2, "webhook");
    let at_rest = app.access().dump();
    let refused = try_withdraw(app, 2, "fin", true).expect_err("it may have left").to_string();
    assert_eq!(refused, format!("payout {} is requested: its request may have left, and only the word of who pays it ends it", id(2)));
    assert_same(&at_rest, &app.access().dump(), "what was refused");
    hear(app, 2, said(Word::Paid, Source::Answer));
    assert!(matches!(try_withdraw(app, 2, "fin", true), Err(PayoutError::Illegal { .. })), "it is paid");
    hear(app, 2, said(Word::Failed, Source::Answer));
    assert!(matches!(try_withdraw(app, 2, "fin", true), Err(PayoutError::Illegal { .. })), "it has ended another way");

    // What waits for a pause that somebody has set is ended all the same.
    act(app, async |tx| switch::set(tx, true, "fin", "careful", day(0)).await).expect("payouts pause");
    submitted(app, "CL-3", 1_000_000);
    approve(app, "CL-3", "jo");
    assert_eq!(pay(app, "CL-3", 3).state, State::Held(HeldFor::Paused));
    try_withdraw(app, 3, "op", false).expect("it has not left");
    assert_eq!(found(app, "CL-3").status, Status::Failed);
    act(app, async |tx| switch::set(tx, false, "fin", "well", day(0)).await).expect("payouts go on");
}

fn a_settlement_stays_owed(app: &App) {
    world(app);
    intend(app, of("acme", "2026-12"), 1);
    assert!(matches!(try_withdraw(app, 1, "fin", true), Err(PayoutError::NotOfClaim(_))));
    app.assert_verified();
}

/// Books that come from a backup may have sent what they have forgotten.
fn a_restored_database_asks_first(app: &App) {
    world(app);
    submitted(app, "CL-1", 1_000_000);
    approve(app, "CL-1", "jo");
    pay(app, "CL-1", 1);
    act(app, async |tx| books::instance::restored(tx, "dbi_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", 1, day(0)).await).expect("it is restored");
    assert!(matches!(try_withdraw(app, 1, "fin", true), Err(PayoutError::NotReconciled)));
    act(app, async |tx| books::instance::reconciled(tx, day(0)).await).expect("it is reconciled");
    assert!(matches!(try_withdraw(app, 1, "fin", false), Err(PayoutError::MaybeSent { .. })));
    try_withdraw(app, 1, "fin", true).expect("the provider does not know it");
    assert_eq!(found(app, "CL-1").status, Status::Failed);
}

/// The step of the schema that lets such payouts be, over books that have payouts, events of them and messages.
fn old_payouts_stay_as_they_were(app: &App) {
    world(app);
    submitted(app, "CL-1", 1_000_000);
    approve(app, "CL-1", "jo");
    pay(app, "CL-1", 1);
    request(app, 1, "webhook");
    hear(app, 1, said(Word::Failed, Source::Answer));
    submitted(app, "CL-2", 1_000_000);
    approve(app, "CL-2", "jo");
    pay(app, "CL-2", 2);
    intend(app, of("acme", "2026-12"), 3);
    request(app, 3, "webhook");
    hear(app, 3, said(Word::Paid, Source::Answer));
    let after = app.access().dump();
    // As the step found it.
    let books = app.access();
    books.behind_the_triggers(|books| {
        if !books.is_sqlite() {
            books.execute("ALTER TABLE payouts DROP CONSTRAINT payouts_fixed");
            books.execute("ALTER TABLE payouts ADD CHECK (status = 'held' OR (request IS NOT NULL AND counted_on IS NOT NULL))");
        }
        books.execute("DROP TABLE approval_links");
        books.execute("ALTER TABLE approval_codes DROP COLUMN from_mail");
        books.execute("DELETE FROM seaql_migrations WHERE version = 'm0011_withdrawals'");
    });
    let shown = app.json(&format!("payout show {} --json", id(2)));
    assert_eq!(shown["status"], "intended");
    let without_the_date = |dump: Vec<String>| dump.into_iter().filter(|line| !line.contains("m0011_withdrawals")).collect::<Vec<_>>();
    assert_same(&without_the_date(after), &without_the_date(app.access().dump()), "the step of the schema");
    if books.is_sqlite() {
        assert_eq!(app.access().texts("SELECT \"table\" FROM pragma_foreign_key_check"), [""; 0]);
    }
    let gone = app.access().try_execute("DELETE FROM payouts").expect_err("a payout is never deleted").to_string();
    assert!(gone.contains("what a payout is, what was sent and how it ended never changes"), "{gone}");
    let second = app.access().try_execute(&format!("UPDATE payouts SET counted_on = NULL, revision = revision + 1 WHERE id = '{}'", id(2)));
    assert!(second.is_err(), "an intended payout has a day");
    try_withdraw(app, 2, "fin", false).expect("it has not left");
}

on_both_databases!(
    a_held_payout_is_ended_and_its_money_is_back,
    the_line_is_the_request,
    a_settlement_stays_owed,
    a_restored_database_asks_first,
    old_payouts_stay_as_they_were,
);
