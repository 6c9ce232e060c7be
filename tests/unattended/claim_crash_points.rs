//! The service is killed with SIGKILL at every named point of the way of a claim and of its letters, once each; which points there are is said
//! by a service that is not killed.

use std::sync::Mutex;

use tributary::crash_point::VARIABLE;

use crate::app::{App, Engine};
use crate::claim_facts::{Claimed, Fate, claims};
use crate::claim_kills::finish_day;
use crate::claim_world::{Day, Play, submitted};
use crate::crash_points::{lines, named_by, stands_at};
use crate::outcome::Repeats;

/// Two of each fate.
const CLAIMS: u32 = 24;
/// Worlds side by side.
const LANES: usize = 4;
/// Kills of one world.
const KILLS_OF_A_WORLD: usize = 8;
const MODES: [&str; 6] = ["pay-then-drop", "call-after", "status-429", "pay", "fail", "pay-then-error"];
/// Steps of a payout that are a settlement's, too, and that take a provider that keeps us waiting: they are killed there.
const ELSEWHERE: [&str; 5] = ["look it up", "look again", "note what was found", "see where it stands", "send again"];
/// Points that can't be missing; the list that the service gives is longer.
const AMONG: [&str; 8] = [
    "mdf_claim/ taken",
    "mdf_claim/look at the claim after-result",
    "mdf_claim/debit the wallet before-result",
    "mdf_claim/debit the wallet after-result",
    "mdf_claim/ask the provider after-intent",
    "mdf_claim/tell the end after-result",
    "mdf_claim/undo hold after-result",
    "outbox/mail before-result",
];

fn a_kill_at_any_point_of_a_claim_loses_and_repeats_nothing(engine: Engine) {
    let claims = claims(CLAIMS);
    let facts = submitted(engine, &claims);
    let points = named(&facts, &claims);
    for point in AMONG {
        assert!(points.iter().any(|one| one == point), "{point} is none of {points:#?}");
    }
    let count = points.len();
    let left = Mutex::new(points);
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            let (facts, claims, left, missed) = (facts.copy(), &claims, &left, &missed);
            scope.spawn(move || {
                let next = || left.lock().expect("the list is whole").pop();
                while let Some(first) = next() {
                    let mut rest = (1..KILLS_OF_A_WORLD).map_while(|_| next());
                    for point in kill_along(&facts, claims, std::iter::once(first).chain(&mut rest)) {
                        // A world that is nearly done passes few points: what it did not come to gets a fresh one, once.
                        missed.lock().expect("the list is whole").extend(kill_along(&facts, claims, std::iter::once(point)));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("the lanes have ended");
    eprintln!("{engine:?}: killed at {} of {count} points", count - missed.len());
    assert!(missed.is_empty(), "never reached: {missed:#?}");
}

fn begin(facts: &App, claims: &[Claimed]) -> Play {
    Play::begin(facts.copy(), claims, &MODES.repeat(20))
}

/// The points of claims and of letters that a service passes which nobody kills.
fn named(facts: &App, claims: &[Claimed]) -> Vec<String> {
    let mut play = begin(facts, claims);
    play.world.set(VARIABLE, "?");
    come_to_its_end(&mut play, Repeats::None);
    let points = named_by(&play.world.log());
    let is_here = |point: &String| match point.strip_prefix("mdf_claim/") {
        Some(step) => !ELSEWHERE.iter().any(|other| step.starts_with(other)),
        None => point.starts_with("outbox/"),
    };
    points.into_iter().filter(is_here).collect()
}

/// Kills a service of one world at each point, on the first day; gives those that it did not come to.
fn kill_along(facts: &App, claims: &[Claimed], points: impl Iterator<Item = String>) -> Vec<String> {
    let mut play = begin(facts, claims);
    let mut missed = Vec::new();
    for point in points {
        if play.day_is_over() || !kill_at(&mut play, &point) {
            missed.push(point);
        }
    }
    play.world.set(VARIABLE, "");
    come_to_its_end(&mut play, Repeats::OfOneLetter);
    missed
}

/// The fates of claims that come to a point.
fn come_to(point: &str) -> &'static [Fate] {
    if point.contains("undo") {
        &[Fate::RunEnded]
    } else if point.contains("decision/channel_manager") {
        &[Fate::Again]
    } else if point.contains("decision/finance") {
        &[Fate::Waiting, Fate::Cancelled, Fate::RejectedLate]
    } else {
        &[Fate::Approved, Fate::ApprovedByTwo, Fate::Lowered]
    }
}

/// Starts the service with a point at which it stands still, when people have brought a claim on its way there, and kills it there.
fn kill_at(play: &mut Play, point: &str) -> bool {
    let undoes = point.contains("undo");
    if undoes && play.starts == 0 {
        // A run that has done nothing undoes nothing.
        let serving = play.serve();
        play.world.until("every run has begun", |_| play.world.count("workflow_runs WHERE status <> 'waiting'") == 0);
        serving.stop();
    }
    play.world.set(VARIABLE, point);
    // Two words bring a claim to its payout, or an operator to its run; one leaves it waiting.
    for _ in 0..if point.contains("decision/") { 1 } else { 2 } {
        let deeds = play.next_deeds_of(|fate| come_to(point).contains(&fate), 1, |_| 0);
        play.act_alone(deeds);
    }
    let log = play.world.log();
    let before = lines(&log).len();
    let serving = play.begin_serving();
    let reached = stands_at(&log, before, || play.day_is_over());
    serving.kill();
    play.world.retry_worn_out();
    eprintln!("start {}: {}SIGKILL at {point}", play.starts, if reached { "" } else { "not reached, " });
    reached
}

fn come_to_its_end(play: &mut Play, repeats: Repeats) {
    for day in Day::ALL {
        play.day = day;
        finish_day(play);
    }
    play.assert_ended(repeats);
}

each_engine!(a_kill_at_any_point_of_a_claim_loses_and_repeats_nothing);
