//! The service is killed with SIGKILL at any moment while claims are submitted again, decided, taken back, debited, paid or refused, told,
//! reminded of, passed on and given up; people say their words while it is up, while it dies, and while it is down.
//!
//! As in the kills of a settlement, a kill counts only if a run was in a worker's hands or a letter was on its way. `TRIBUTARY_KILLS` sets how
//! many must count on each database; a test fails if fewer than four in five do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::app::{App, Engine};
use crate::claim_facts::{Claimed, claims};
use crate::claim_world::{Day, Play, run_all, submitted};
use crate::outcome::Repeats;
use crate::seeded::Seeded;
use crate::shots::Shots;
use crate::wait;

/// Two of each fate.
const CLAIMS: u32 = 24;
/// Services side by side.
const LANES: u64 = 4;
const KILLS_IN_SHORT: u64 = 20;
/// Kills of one world, of which most are on its first day.
const KILLS_OF_A_WORLD: u64 = 12;
/// How long a service may find nothing to do.
const PATIENCE: Duration = Duration::from_secs(2);
/// What becomes of the requests; one in nine is refused.
const MODES: [&str; 9] = ["pay", "call-after", "call-early", "pay-then-drop", "pay-then-error", "drop", "status-500", "fail", "pay-then-garbage"];
/// Every end that a claim can have.
const ENDS: [&str; 6] = ["awaiting_approval", "cancelled", "expired", "failed", "paid", "rejected"];

fn kills() -> u64 {
    std::env::var("TRIBUTARY_KILLS").ok().map_or(KILLS_IN_SHORT, |kills| kills.parse().expect("TRIBUTARY_KILLS is a number"))
}

#[derive(Debug, Default)]
struct Tally {
    shots: Shots,
    met: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.shots.add(other.shots);
        for (status, count) in &other.met {
            *self.met.entry(status).or_default() += count;
        }
    }
}

fn kills_leave_every_claim_where_it_belongs(engine: Engine) {
    let claims = claims(CLAIMS);
    let facts = submitted(engine, &claims);
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let claims = &claims;
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let (facts, wanted) = (facts.copy(), kills() / LANES + u64::from(lane < kills() % LANES));
                scope.spawn(move || under_fire(lane, &facts, claims, wanted))
            })
            .collect();
        for lane in lanes {
            all.add(&lane.join().expect("a lane ends well"));
        }
    });
    eprintln!("{engine:?}: {} of {} kills met work in flight; claims ended {:?}", all.shots.counted, all.shots.sent, all.met);
    all.shots.assert_met_work(kills());
    assert!(ENDS.iter().all(|end| all.met.contains_key(end)), "every end was met: {:?}", all.met);
}

/// So many kills that count, over as many worlds as that takes.
fn under_fire(lane: u64, facts: &App, claims: &[Claimed], wanted: u64) -> Tally {
    let mut random = Seeded::new(0x00c1_a135_0000 + lane);
    let mut tally = Tally::default();
    // Each world meets one kill at least.
    for _ in 0..wanted {
        if tally.shots.are_enough(wanted) {
            break;
        }
        let kills = (wanted - tally.shots.counted).min(KILLS_OF_A_WORLD);
        let met = one_world(lane, facts.copy(), claims, kills, &mut tally.shots, &mut random);
        tally.add(&Tally { met, ..Tally::default() });
    }
    tally
}

/// Kills a service so often, the last three times on the days on which nobody acts any more; how many claims came to which end.
fn one_world(lane: u64, facts: App, claims: &[Claimed], kills: u64, shots: &mut Shots, random: &mut Seeded) -> BTreeMap<&'static str, usize> {
    let mut modes: Vec<&str> = MODES.iter().cycle().copied().take(60).collect();
    random.shuffle(&mut modes);
    // The last one stays.
    modes.push("call-after");
    let mut play = Play::begin(facts, claims, &modes);
    for day in Day::ALL {
        play.day = day;
        let kills_today = if day == Day::First { kills.saturating_sub(3).max(1) } else { 1 };
        let mut counted = 0;
        for _ in 0..kills_today * 2 {
            if counted >= kills_today || play.day_is_over() {
                break;
            }
            if let Some(met_work) = kill_once(lane, &mut play, *shots, random) {
                shots.note(met_work);
                counted += u64::from(met_work);
            }
        }
        finish_day(&mut play);
    }
    play.assert_ended(Repeats::OfOneLetter)
}

/// Some words while nobody serves, some while the service is up and dies; whether it died with work in flight. Where there is nothing to do,
/// it is not killed.
fn kill_once(lane: u64, play: &mut Play, shots: Shots, random: &mut Seeded) -> Option<bool> {
    let (before, beside) = (random.index(3), random.index(3));
    let deeds = play.next_deeds(before, |ready| random.index(ready));
    play.act_alone(deeds);
    let beside = play.next_deeds(beside, |ready| random.index(ready));
    let serving = play.serve();
    let commands: Vec<_> = beside.into_iter().map(|(claim, deed)| play.command(claim, deed)).collect();
    let (acts, moment) = (commands.len(), shots.moment(random, 120));
    let acting = std::thread::spawn(move || run_all(commands));
    let world = &play.world;
    let patience = Instant::now() + PATIENCE;
    let look = || if world.in_flight() > 0 { Some(true) } else { (Instant::now() > patience).then_some(false) };
    if !wait::until("there is work", wait::LONG, look, String::new) {
        acting.join().expect("whoever acts has acted");
        serving.stop();
        return None;
    }
    wait::pause(moment);
    serving.kill();
    let (runs, letters) = (world.runs_held(), world.letters_held());
    acting.join().expect("whoever acts has acted");
    eprintln!(
        "lane {lane}, start {} ({:?}): SIGKILL after {moment:?} beside {acts} acts, {runs} runs and {letters} letters in flight",
        play.starts, play.day
    );
    world.retry_worn_out();
    Some(runs + letters > 0)
}

/// Lets a day come to its end. What waits for a later look gets it by a restart with a later clock.
pub(crate) fn finish_day(play: &mut Play) {
    let mut rounds = 0;
    while !play.day_is_over() {
        let deeds = play.next_deeds(usize::MAX, |_| 0);
        play.act_alone(deeds);
        let serving = play.serve();
        rounds += 1;
        for _ in 0..30 {
            let deeds = play.next_deeds(2, |_| 0);
            play.act(deeds);
            if play.day_is_over() {
                break;
            }
            wait::pause(Duration::from_millis(100));
            play.world.retry_worn_out();
        }
        serving.stop();
        play.world.until_some("the day ends within 24 starts", Duration::ZERO, || (rounds < 24 || play.day_is_over()).then_some(()));
    }
}

each_engine!(kills_leave_every_claim_where_it_belongs);
