//! Caps and cooling-off are the service's: what a command has admitted by the configuration of its own directory is looked at again by the
//! run before a request is made, and every payout is seen, however many there are.

use std::sync::Arc;

use books::payouts::limits::{Cap, Limits};
use books::payouts::{intend, record};
use program::payout::{HeldFor, State};
use tributary::adapters::payout_manual::ManualPayouts;

use crate::app::App;
use crate::broken_books::three_months;
use crate::hosted::{Hosted, until};
use crate::library::{RUNTIME, act, day, destination, hear, id, intend as made, of, open, people, request, said};

/// A service with caps, and a directory without.
fn a_command_admits_nothing_that_the_service_holds(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let hosted = Hosted::start(app, Arc::new(ManualPayouts));
    let payouts = |status: &str| app.access().texts(&format!("SELECT id FROM payouts WHERE partner = 'acme' AND status = '{status}' ORDER BY id"));
    until("acme's payout must be requested", || payouts("requested").len() == 1);
    hosted.stop();
    let first = payouts("requested").remove(0);
    app.ok(&format!("payout mark-failed {first} --by fin --reason returned"));
    let retried = app.json(&format!("payout retry {first} --by fin --json"));
    assert_eq!(retried["status"], "intended", "nothing holds it in this directory");
    let hosted =
        Hosted::start_with(app, Arc::new(ManualPayouts), Limits { payout: Cap::of_any("1".parse().expect("a figure")), ..Limits::default() });
    let second = retried["id"].as_str().expect("an id");
    until("the service must hold it", || app.json(&format!("payout show {second} --json"))["status"] == "held");
    hosted.stop();
    let shown = app.json(&format!("payout show {second} --json"));
    assert_eq!((&shown["reason"], &shown["attempts"]), (&"cap".into(), &0.into()));
}

/// The longer of the two times holds, on the day of the approval and before a request.
fn cooling_off_is_the_longer_of_two(app: &App) {
    three_months(app);
    people(app);
    // Approved three days before, for use at once.
    destination(app, "D1", "acme", "tok_acme_0001");
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let limits = |days: i64| Limits { cooling_off_us: days * 86_400_000_000, ..Limits::default() };
    made(app, of("acme", "2026-04"), 1);
    let confirm = |limits: &Limits, at: i64| act(app, async |tx| intend::confirm(tx, &id(1), day(at), limits).await).expect("it is looked at").state;
    assert_eq!(confirm(&limits(3), 0), State::Intended);
    assert_eq!(confirm(&limits(4), 0), State::Held(HeldFor::CoolingOff));
    let again = act(app, async |tx| intend::reconsider(tx, &id(1), day(1), &limits(4)).await).expect("it is looked at");
    assert_eq!(again.state, State::Intended, "the fourth day is over");
    request(app, 1, "manual");
    assert_eq!(confirm(&limits(30), 1).name(), "requested", "what was requested is not held any more");
    hear(app, 1, said(program::payout::Word::Accepted, record::Source::Answer));
}

/// Pages have all, in order of ids, and nothing twice.
fn every_payout_of_a_status_is_on_a_page(app: &App) {
    three_months(app);
    people(app);
    for (number, month) in [(3, "2026-04"), (2, "2026-05"), (1, "2026-06")] {
        app.ok(&format!("settlement release --program p --period {month} --by fin"));
        made(app, of("acme", month), number);
    }
    let seen = RUNTIME.block_on(async {
        let books = open(&app.url()).await;
        let tx = books.begin_read().await.expect("a snapshot");
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = record::page(&tx, "held", after.as_ref(), 2).await.expect("payouts can be read");
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 2);
            after = Some(last.id.clone());
            seen.extend(page.into_iter().map(|payout| payout.id));
        }
        tx.rollback().await.expect("a snapshot ends");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
        seen
    });
    assert_eq!(seen, [id(1), id(2), id(3)]);
}

/// The oldest of more than are listed at once is woken, too.
fn more_held_payouts_than_are_listed_are_all_woken(app: &App) {
    three_months(app);
    people(app);
    let hosted = Hosted::start(app, Arc::new(ManualPayouts));
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let held = || app.access().number("SELECT COUNT(*) FROM payouts WHERE partner = 'acme' AND status = 'held'");
    until("acme's payout must be held", || held() == 1);
    hosted.stop();
    app.access().behind_the_triggers(|books| {
        let digits = (0..5).map(|place| format!("(SELECT 0 AS d{place} {})", (1..10).map(|d| format!("UNION ALL SELECT {d}")).collect::<Vec<_>>().join(" ")));
        let tables: Vec<String> = digits.enumerate().map(|(place, table)| format!("{table} t{place}")).collect();
        let number = "(d0 + 10 * d1 + 100 * d2 + 1000 * d3 + 10000 * d4)";
        let text = format!("CAST(1000000 + {number} AS TEXT)");
        books.execute(&format!(
            "INSERT INTO payouts (id, kind, reference, program, partner, amount_minor, currency, status, reason, idempotency_key, attempts, intended_at, revision) \
             SELECT 'pay_ffffffff-7c3d-7e4f-8a5b-00000' || {text}, 'mdf_claim', 'claim ' || {text}, 'p', 'top', 1, 'USD', 'held', 'no_destination', \
               'key ' || {text}, 0, 1900000000000000, 1 FROM {} WHERE {number} BETWEEN 1 AND 10001",
            tables.join(", ")
        ));
    });
    let unread = || app.access().number("SELECT COUNT(*) FROM run_signals WHERE name = 'look again'");
    let before = unread();
    app.ok("payout pause --by op --reason drill");
    app.ok("payout resume --by op --reason over");
    assert_eq!(unread(), before + 1, "the run of the oldest is told");
}

on_both_databases!(a_command_admits_nothing_that_the_service_holds, cooling_off_is_the_longer_of_two, every_payout_of_a_status_is_on_a_page,);

mod more_held_payouts_than_are_listed_are_all_woken {
    use crate::app::{App, Engine};

    // The rows are made up, so that nothing is verified at the end.
    #[test]
    fn on_sqlite() {
        super::more_held_payouts_than_are_listed_are_all_woken(&App::fresh(Engine::Sqlite));
    }

    #[test]
    fn on_postgres() {
        super::more_held_payouts_than_are_listed_are_all_woken(&App::fresh(Engine::Postgres));
    }
}
