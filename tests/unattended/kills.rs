//! The service is killed with SIGKILL, again and again and at any moment, while half a year is settled, paid and told at once; at the end
//! every payment was made once and every letter is there.
//!
//! Four services run side by side, each on a database of its own, with providers that hang, drop and fail after paying. A kill is sent to
//! the process group of the shipped binary and is logged with what was in flight; it counts only if a run was in a worker's hands or a letter
//! was on its way when the process died. `TRIBUTARY_KILLS` sets how many must count on each database; a test fails if fewer than four in five do.

use std::time::Duration;

use crate::app::{App, Engine};
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::seeded::Seeded;
use crate::shots::Shots;
use crate::wait;
use crate::world::{self, MONTHLY, World};

const FACTS: Facts = Facts { partners: 12, first: 1, last: 6 };
/// Services side by side.
const LANES: u64 = 4;
const KILLS_IN_SHORT: u64 = 100;
/// A world is killed this often before it may come to its end.
const KILLS_OF_A_WORLD: u64 = 25;
/// What is looked at more often than the provider misbehaves in ways that take long.
const QUICK: [&str; 11] = [
    "pay",
    "call-after",
    "call-early",
    "call-twice",
    "call-late",
    "pay-then-drop",
    "pay-then-error",
    "pay-then-garbage",
    "drop",
    "status-500",
    "status-409",
];
const SLOW: [&str; 3] = ["pay-then-hang", "hang", "status-429"];

fn kills() -> u64 {
    std::env::var("TRIBUTARY_KILLS").ok().map_or(KILLS_IN_SHORT, |kills| kills.parse().expect("TRIBUTARY_KILLS is a number"))
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    shots: Shots,
    /// Runs that were parked because their worker died too often, and that an operator retried.
    retried: u64,
}

fn kills_lose_and_repeat_nothing(engine: Engine) {
    let facts = world::recorded(engine, FACTS, MONTHLY);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let (facts, wanted) = (facts.copy(), kills() / LANES + u64::from(lane < kills() % LANES));
                scope.spawn(move || under_fire(lane, &facts, wanted))
            })
            .collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane ends well")).collect()
    });
    let mut shots = Shots::default();
    for tally in &tallies {
        shots.add(tally.shots);
    }
    let retried: u64 = tallies.iter().map(|tally| tally.retried).sum();
    let Shots { sent, counted } = shots;
    eprintln!("{engine:?}: {counted} of {sent} kills met work in flight; {retried} runs were parked for workers that died too often, and retried");
    shots.assert_met_work(kills());
}

/// So many kills that count, over as many worlds as that takes.
fn under_fire(lane: u64, facts: &App, wanted: u64) -> Tally {
    let mut random = Seeded::new(0x00d1_e5a9_0000 + lane);
    let mut tally = Tally::default();
    while !tally.shots.are_enough(wanted) {
        let modes = modes(&mut random);
        let mut world = World::around(facts.copy(), FACTS, &modes.iter().map(String::as_str).collect::<Vec<_>>());
        world.set("TRIBUTARY_PAYOUTS__TIMEOUT", "1s");
        world.set_plain_statements();
        world.know_schedules("2026-01-20T00:00:00Z");
        let mut starts = 0;
        for _ in 0..KILLS_OF_A_WORLD {
            if tally.shots.are_enough(wanted) {
                break;
            }
            let serving = world.serve(&clock(starts));
            starts += 1;
            let moment = aimed(&world, tally.shots, &mut random);
            if is_done(&world) {
                serving.stop();
                break;
            }
            wait::pause(moment);
            serving.kill();
            let (runs, letters) = (world.runs_held(), world.letters_held());
            let counts = runs + letters > 0;
            eprintln!(
                "lane {lane}, start {starts}: SIGKILL after {moment:?}, {runs} runs and {letters} letters in flight{}",
                if counts { "" } else { ": does not count" }
            );
            tally.shots.note(counts);
            tally.retried += world.retry_worn_out();
        }
        tally.retried += finish(&world, starts);
        world.assert_all_paid(Repeats::OfOneLetter);
    }
    tally
}

/// Waits for what this kill is aimed at, and says how long after it comes: some at runs, some at letters on their way, some at nothing.
fn aimed(world: &World, shots: Shots, random: &mut Seeded) -> Duration {
    let aim = if shots.miss_too_often() { 1 } else { random.between(1, 100) };
    let has_letters = || world.count("outbox WHERE status IN ('pending', 'sending')") > 0;
    if aim <= 55 {
        world.until_some("there is work, or none is left", wait::LONG, || (world.in_flight() > 0 || is_done(world)).then_some(()));
    } else if aim <= 85 && has_letters() {
        world.until_some("a letter is on its way, or none is left", wait::LONG, || (world.letters_held() > 0 || !has_letters()).then_some(()));
        return Duration::from_millis(random.between(0, 10));
    }
    shots.moment(random, 150)
}

/// Lets it come to its end; how many runs an operator had to retry. What waits for a later look gets it by a restart with a later clock.
pub(crate) fn finish(world: &World, mut starts: u32) -> u64 {
    let (mut rounds, mut retried) = (0, 0);
    while !is_done(world) {
        let serving = world.serve(&clock(starts));
        (starts, rounds) = (starts + 1, rounds + 1);
        for _ in 0..50 {
            if is_done(world) {
                break;
            }
            wait::pause(Duration::from_millis(100));
            retried += world.retry_worn_out();
        }
        serving.stop();
        world.until_some("it comes to its end within 24 starts", Duration::ZERO, || (rounds < 24 || is_done(world)).then_some(()));
    }
    retried
}

fn is_done(world: &World) -> bool {
    world.all_is_done()
}

/// Each start is five minutes after the one before: what waits for a time gets it.
pub(crate) fn clock(starts: u32) -> String {
    let minutes = 5 * starts;
    format!("2026-07-01T{:02}:{:02}:10Z", 6 + minutes / 60, minutes % 60)
}

/// More than there are payouts, so that what is asked again meets the next.
fn modes(random: &mut Seeded) -> Vec<String> {
    let mut modes: Vec<String> = (0..90).map(|_| (if random.chance(94) { *random.pick(&QUICK) } else { *random.pick(&SLOW) }).to_owned()).collect();
    modes.push("call-after".into());
    modes
}

each_engine!(kills_lose_and_repeat_nothing);
