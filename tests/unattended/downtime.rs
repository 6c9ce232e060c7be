//! The service was down for long, or its clock goes back and forth: every slot runs once, in order, and no month is settled twice.

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::world::{self, World};

const HALF_A_YEAR: Facts = Facts { partners: 3, first: 1, last: 6 };
const ONE_MONTH: Facts = Facts { partners: 2, first: 2, last: 2 };
/// Twice a night: on the days of change in New York one of these hours is missing, or comes twice.
const NIGHTLY: &str = "schedule = \"0 30 1,2 * * *\"";

fn slots(world: &World, schedule: &str) -> Vec<String> {
    world.books.texts(&format!("SELECT slot FROM schedule_slots WHERE schedule = '{schedule}' AND state = 'started' ORDER BY slot"))
}

fn half_a_year_of_downtime_is_caught_up_in_order(engine: Engine) {
    let mut world = World::fresh(engine, HALF_A_YEAR, &["call-after"]);
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    let serving = world.serve("2026-07-01T06:00:01Z");
    world.until("everything is caught up", |_| world.all_is_done() && slots(&world, "certification_notices").len() == 162);
    serving.stop();
    world.assert_all_paid(Repeats::None);
    let months: Vec<String> = (2..=7).map(|month| format!("2026-{month:02}-01T06:00:00")).collect();
    assert_eq!(slots(&world, "settlement/p"), months, "a slot a month");
    assert!(slots(&world, "certification_notices").windows(2).all(|two| two[0] < two[1] && two[0][10..] == two[1][10..]), "a slot a day");
    assert_eq!(world.count("schedule_slots WHERE state <> 'started'"), 0, "none was missed");
    // One after the other: a month's run begins when that of the month before has ended.
    let early = "schedule_slots a JOIN schedule_slots b ON b.schedule = a.schedule AND b.slot > a.slot JOIN workflow_runs r ON r.id = a.run \
                 JOIN workflow_runs s ON s.id = b.run WHERE a.schedule = 'settlement/p' AND s.created_at < r.finished_at";
    assert_eq!(world.count(early), 0, "no month began before the one before had ended");
    assert_eq!(world.count("workflow_runs WHERE workflow = 'settlement_run'"), 6);
}

/// Another programme, whose only slot is at a moment: when it has run, the schedules before it were looked at after that moment.
fn until_looked_at(world: &World, name: &str, moment: &str, clock: &str) {
    let programme = ONE_MONTH.programme(&format!("schedule = \"{moment} *\"")).replace("id = \"p\"", &format!("id = \"{name}\""));
    world.app.apply(&programme);
    let serving = world.serve(clock);
    world.until("the clock has passed that moment", |_| slots(world, &format!("settlement/{name}")).len() == 1);
    serving.stop();
}

fn until_slot(world: &World, slot: &str, clock: &str) {
    let serving = world.serve(clock);
    world.until(slot, |_| slots(world, "settlement/p").last().is_some_and(|last| last == slot));
    serving.stop();
}

fn a_clock_that_goes_back_and_forth_doubles_and_skips_no_slot(engine: Engine) {
    let app = crate::app::App::fresh(engine);
    app.apply(&ONE_MONTH.programme(NIGHTLY).replace("\"UTC\"", "\"America/New_York\""));
    world::record_members(&app, ONE_MONTH);
    world::destine(&app, ONE_MONTH);
    let mut world = World::around(app, ONE_MONTH, &["call-after"]);
    world.set_plain_statements();
    world.know_schedules("2026-03-07T12:00:00Z");

    // In the night of 8 March there is no half past two: that slot comes when the clocks have gone forward.
    until_slot(&world, "2026-03-08T01:30:00", "2026-03-08T06:29:59Z");
    until_looked_at(&world, "r1", "3 0 6 8 3", "2026-03-08T06:00:01Z");
    assert_eq!(slots(&world, "settlement/p"), ["2026-03-08T01:30:00"], "the clock went back behind the slot, and it did not come again");
    until_slot(&world, "2026-03-08T02:30:00", "2026-03-08T06:59:59Z");
    until_looked_at(&world, "r2", "3 31 6 8 3", "2026-03-08T06:31:01Z");
    assert_eq!(slots(&world, "settlement/p").len(), 2);

    // In the night of 1 November there are two: the slot comes at the first.
    until_slot(&world, "2026-11-01T01:30:00", "2026-11-01T05:29:59Z");
    let count = slots(&world, "settlement/p").len();
    until_looked_at(&world, "r3", "3 30 6 1 11", "2026-11-01T06:30:01Z");
    until_looked_at(&world, "r4", "3 20 5 1 11", "2026-11-01T05:20:01Z");
    assert_eq!(slots(&world, "settlement/p").len(), count, "half past one came a second time, and its slot did not");
    until_slot(&world, "2026-11-01T02:30:00", "2026-11-01T07:29:59Z");

    let serving = world.serve("2026-11-01T07:31:00Z");
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
    let mut nights = Vec::new();
    let mut day = chrono::NaiveDate::from_ymd_opt(2026, 3, 8).expect("a day");
    while day <= chrono::NaiveDate::from_ymd_opt(2026, 11, 1).expect("a day") {
        nights.extend(["01:30:00", "02:30:00"].map(|time| format!("{day}T{time}")));
        day = day.succ_opt().expect("a day");
    }
    assert_eq!(slots(&world, "settlement/p"), nights, "two slots a night, in every night");
    assert_eq!(world.count("schedule_slots WHERE state <> 'started'"), 0, "none was missed");
    world.assert_paid_once(&ONE_MONTH.owed());
    world.assert_sound();
}

each_engine!(half_a_year_of_downtime_is_caught_up_in_order, a_clock_that_goes_back_and_forth_doubles_and_skips_no_slot);
