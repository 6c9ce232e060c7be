//! Payouts that a person ends while a service is about to send them, and payouts that come back when their run has long ended: money is in
//! one place, and everybody concerned is told once.

use std::process::Command;

use serde_json::Value;
use tributary::crash_point::VARIABLE;

use crate::app::Engine;
use crate::claims::{THEN, at_then, json, letters_to, until_waiting, wallet, world};
use crate::crash_points::{lines, stands_at};
use crate::process;
use crate::seeded::Seeded;
use crate::world::{RUNTIME, World};

const SERVED: &str = "2026-05-04T09:00:00Z";
/// When people act while the service is up, or stands still.
const ACTED: &str = "2026-05-04T09:00:30Z";
/// Claims whose payouts somebody ends while the service goes on to send them.
const RACED: usize = 12;

fn payout_of(world: &World, claim: &str) -> Option<String> {
    world.books.texts(&format!("SELECT id FROM payouts WHERE reference = '{claim}'")).pop()
}

fn requests(world: &World, payout: &str) -> usize {
    world.provider_journal().iter().filter(|event| event["event"] == "request" && event.to_string().contains(payout)).count()
}

fn withdrawal(world: &World, payout: &str) -> Command {
    let mut command = world.app.command(&format!("payout withdraw {payout} --by fin2 --reason not-any-more"));
    command.env("TRIBUTARY_CLOCK__START", ACTED);
    command
}

fn withdraw(world: &World, payout: &str) -> process::Finished {
    process::run(&mut withdrawal(world, payout))
}

/// What became of a claim whose payout somebody tried to end: one of both, whole.
fn assert_one_of_both(world: &World, claim: &str, withdrawn: &process::Finished) {
    let payout = payout_of(world, claim).expect("a payout");
    let status = world.books.texts(&format!("SELECT status FROM claims WHERE id = '{claim}'"));
    match withdrawn.status.code() {
        Some(0) => {
            assert_eq!(requests(world, &payout), 0, "{claim} was taken back, and the provider has its request");
            assert_eq!(status, ["failed"], "{claim}");
        }
        Some(2) => {
            assert!(withdrawn.stderr.contains("may have left") || withdrawn.stderr.contains("is paid"), "{claim}: {}", withdrawn.stderr);
            assert!(requests(world, &payout) >= 1, "{claim} was not taken back, and the provider has no request");
            assert_eq!(status, ["paid"], "{claim}");
        }
        other => panic!("{claim}: {other:?} {}", withdrawn.stderr),
    }
}

/// People end payouts while the service, which was paused, begins to send them.
fn a_payout_is_sent_or_taken_back(engine: Engine) {
    let world = world(engine);
    let claims: Vec<String> = (0..RACED).map(|number| format!("CL-{number:02}")).collect();
    for claim in &claims {
        world.ok_at(THEN, &format!("mdf claim submit --id {claim} --campaign webinar --receipts 2000.00 --by sue"));
        world.ok_at(THEN, &format!("mdf claim approve {claim} --by jo"));
    }
    world.ok_at(THEN, "payout pause --by fin --reason careful");
    let serving = world.serve(SERVED);
    let held = i64::try_from(RACED).expect("a count");
    world.until("every payout waits", |_| world.count("payouts WHERE kind = 'mdf_claim' AND status = 'held'") == held);
    // One is taken back for sure, and of one for sure it is too late.
    let payouts: Vec<String> = claims.iter().map(|claim| payout_of(&world, claim).expect("a payout")).collect();
    let first = withdraw(&world, &payouts[0]);
    assert_eq!(first.status.code(), Some(0), "{}", first.stderr);
    let mut order: Vec<usize> = (1..RACED - 1).collect();
    Seeded::new(7).shuffle(&mut order);
    let mut outcomes: Vec<(usize, process::Finished)> = std::thread::scope(|scope| {
        world.ok_at(ACTED, "payout resume --by fin --reason well");
        world.until("the service has begun", |_| world.count("payouts WHERE kind = 'mdf_claim' AND status NOT IN ('held', 'failed')") > 0);
        let lanes: Vec<_> = (0..3)
            .map(|lane| {
                let mine: Vec<_> = order.iter().skip(lane).step_by(3).map(|at| (*at, withdrawal(&world, &payouts[*at]))).collect();
                scope.spawn(move || mine.into_iter().map(|(at, mut command)| (at, process::run(&mut command))).collect::<Vec<_>>())
            })
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("a lane ends")).collect()
    });
    world.until("the last is paid", |books| books.texts(&format!("SELECT status FROM claims WHERE id = '{}'", claims[RACED - 1])) == ["paid"]);
    outcomes.push((0, first));
    outcomes.push((RACED - 1, withdraw(&world, &payouts[RACED - 1])));
    world.until("nothing is left to do", |_| world.is_at_rest());
    for (at, withdrawn) in &outcomes {
        assert_one_of_both(&world, &claims[*at], withdrawn);
    }
    let taken_back = outcomes.iter().filter(|(_, withdrawn)| withdrawn.status.success()).count();
    eprintln!("{engine:?}: {taken_back} of {RACED} were taken back");
    let paid = i64::try_from(RACED - taken_back).expect("a count");
    assert_eq!(wallet(&world)["balance"], format!("{}.00", 40_000 - 1_000 * paid));
    assert_eq!(world.count("outbox WHERE key LIKE 'claim_failed/%/sue'"), held - paid, "who submitted them is told of each");
    serving.stop();
    world.app.assert_verified();
}

/// A service stands still at each point between the debit and the provider: before its request is committed the payout can be taken back,
/// after that it can't.
fn the_commit_of_the_request_is_the_line(engine: Engine) {
    for (point, may) in [
        ("mdf_claim/debit the wallet after-result", true),
        ("mdf_claim/request after-result", false),
        ("mdf_claim/ask the provider after-intent", false),
    ] {
        let mut world = world(engine);
        world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 2000.00 --by sue");
        world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
        world.set(VARIABLE, point);
        let before = lines(&world.log()).len();
        let serving = world.begin_serving(SERVED);
        let reached = stands_at(&world.log(), before, || world.is_at_rest());
        assert!(reached, "{point} is not reached");
        let withdrawn = withdraw(&world, &payout_of(&world, "CL-1").expect("a payout"));
        assert_eq!(withdrawn.status.code(), Some(if may { 0 } else { 2 }), "{point}: {}", withdrawn.stderr);
        serving.kill();
        world.set(VARIABLE, "");
        let serving = world.serve("2026-05-04T10:00:00Z");
        world.until("nothing is left to do", |_| world.is_at_rest());
        serving.stop();
        assert_one_of_both(&world, "CL-1", &withdrawn);
        world.app.assert_verified();
    }
}

/// A payout that can't be sent is ended: the partner, who submitted the claim and finance are told, and its run ends.
fn a_held_payout_is_ended_and_everybody_is_told(engine: Engine) {
    let mut world = world(engine);
    world.set("TRIBUTARY_PAYOUTS__MAX_PER_PAYOUT", "500.00");
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 2000.00 --by sue");
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
    let serving = world.serve(SERVED);
    world.until("its payout waits", |_| world.count("payouts WHERE status = 'held' AND reason = 'cap'") == 1);
    assert_eq!(wallet(&world)["balance"], "39000.00");
    let payout = payout_of(&world, "CL-1").expect("a payout");
    let refused = at_then(&world, &format!("payout withdraw {payout} --by jo --reason no"));
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    let withdrawn = withdraw(&world, &payout);
    assert_eq!(withdrawn.stdout_text(), format!("{payout} is failed: not-any-more\n"), "{}", withdrawn.stderr);
    world.until("nothing is left to do", |_| world.is_at_rest());
    assert_eq!(wallet(&world)["balance"], "40000.00");
    let run = json(&world, "workflow show mdf_claim/CL-1 --json");
    assert_eq!(run["status"], "done", "{run}");
    for who in ["acme", "sue", "fin", "fin2"] {
        let told = letters_to(&world, who).into_iter().filter(|letter| letter["subject"] == "Claim CL-1 could not be paid").collect::<Vec<_>>();
        assert_eq!(told.len(), 1, "{who}");
        assert!(told[0]["text"].as_str().is_some_and(|text| text.contains("not-any-more")), "{}", told[0]);
    }
    assert_eq!(requests(&world, &payout), 0);
    serving.stop();
    world.app.assert_verified();
}

/// Books that come from a backup have forgotten what was sent after it: the provider is asked before a payout is taken back. (What the books
/// of PostgreSQL say of it is a test of `it`: they are not copied while somebody has them open.)
#[test]
fn what_was_sent_before_a_restore_is_not_taken_back() {
    let world = world(Engine::Sqlite);
    // The first start makes the books those of this place.
    world.serve("2026-05-03T09:00:00Z").stop();
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 2000.00 --by sue");
    world.ok_at(THEN, "mdf claim submit --id CL-2 --campaign webinar --receipts 4000.00 --by sue");
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
    let backup = world.app.copy();
    let serving = world.serve(SERVED);
    world.until("it is paid", |_| world.count("payouts WHERE status = 'paid'") == 1);
    serving.stop();
    let sent = payout_of(&world, "CL-1").expect("a payout");

    let world = world.instead(backup);
    world.ok_at(ACTED, "restore --generation");
    let at_once = |line: &str| process::run(&mut world.command(line, ACTED));
    world.ok_at(ACTED, "payout pause --by fin --reason careful");
    world.ok_at(ACTED, "mdf claim approve CL-2 --by jo");
    let serving = world.serve("2026-05-04T10:00:00Z");
    world.until("both wait", |_| world.count("payouts WHERE status = 'held'") == 2);
    let (known, unknown) = (payout_of(&world, "CL-1").expect("a payout"), payout_of(&world, "CL-2").expect("a payout"));
    assert_eq!(known, sent, "one payment has one id in every generation");
    let early = at_once(&format!("payout withdraw {unknown} --by fin2 --reason no"));
    assert!(early.status.code() == Some(2) && early.stderr.contains("payout reconcile"), "{}", early.stderr);
    let reconciled = at_once("payout reconcile");
    assert!(reconciled.status.success(), "{}{}", reconciled.stdout_text(), reconciled.stderr);
    let refused = at_once(&format!("payout withdraw {known} --by fin2 --reason no"));
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("the provider knows it"), "{}", refused.stderr);
    let withdrawn = at_once(&format!("payout withdraw {unknown} --by fin2 --reason no"));
    assert_eq!(withdrawn.status.code(), Some(0), "{}", withdrawn.stderr);
    world.ok_at(ACTED, "payout resume --by fin --reason well");
    world.until("what was sent is paid here, too", |books| books.texts("SELECT status FROM claims ORDER BY id") == ["paid", "failed"]);
    world.until("nothing is left to do", |_| world.is_at_rest());
    assert_eq!((requests(&world, &known), requests(&world, &unknown)), (1, 0), "nothing is sent twice, and nothing that was taken back");
    serving.stop();
    world.app.assert_verified();
}

fn failed_letters(world: &World, who: &str, subject: &str) -> Vec<Value> {
    letters_to(world, who).into_iter().filter(|letter| letter["subject"].as_str().is_some_and(|text| text.contains(subject))).collect()
}

/// A bank sends money back when everybody thinks that it was paid: the runs have ended, and people are told all the same.
fn money_that_comes_back_is_told(engine: Engine) {
    let world = world(engine);
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 2000.00 --by sue");
    let serving = world.serve(SERVED);
    until_waiting(&world, "CL-1", "channel_manager");
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
    world.ok_at(THEN, "settlement release --program p --period 2026-04 --by fin");
    world.until("both are paid", |_| world.count("payouts WHERE status = 'paid'") == 2);
    world.until("nothing is left to do", |_| world.is_at_rest());
    let runs = world.books.texts("SELECT DISTINCT status FROM workflow_runs WHERE workflow IN ('mdf_claim', 'payout')");
    assert_eq!(runs, ["done"]);
    for payout in world.books.texts("SELECT id FROM payouts ORDER BY id") {
        RUNTIME.block_on(world.provider.settle(&payout, false));
        // Said again by the provider, and by its look-up: nobody is told twice.
        RUNTIME.block_on(world.provider.settle(&payout, false));
    }
    world.until("both have failed", |_| world.count("payouts WHERE status = 'failed'") == 2);
    world.until("nothing is left to do", |_| world.is_at_rest());
    assert_eq!(wallet(&world)["balance"], "40000.00");
    for who in ["acme", "sue", "fin", "fin2"] {
        assert_eq!(failed_letters(&world, who, "Claim CL-1 could not be paid").len(), 1, "{who}");
    }
    let settlement = "The payout of 240000.00 USD for p/2026-04/acme/USD failed";
    for (who, says) in [("acme", "it is owed to you still"), ("fin", "tributary payout retry pay_"), ("fin2", "tributary payout retry pay_")] {
        let told = failed_letters(&world, who, settlement);
        assert_eq!(told.len(), 1, "{who}: {:?}", letters_to(&world, who));
        assert!(told[0]["text"].as_str().is_some_and(|text| text.contains(says)), "{}", told[0]);
    }
    assert!(failed_letters(&world, "sue", settlement).is_empty(), "it is not hers");
    // Finance pays the settlement again, as its letter says.
    let failed = world.books.texts("SELECT id FROM payouts WHERE kind = 'settlement'").concat();
    world.ok_at(ACTED, &format!("payout retry {failed} --by fin"));
    world.until("it is paid again", |_| world.count("payouts WHERE status = 'paid'") == 1);
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
    world.app.assert_verified();
}

each_engine!(
    a_payout_is_sent_or_taken_back,
    the_commit_of_the_request_is_the_line,
    a_held_payout_is_ended_and_everybody_is_told,
    money_that_comes_back_is_told,
);
