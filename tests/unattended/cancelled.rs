//! A settlement's run that was cancelled before it did anything: whoever settles the month after that has it paid and told, too.

use crate::app::Engine;
use crate::facts::Facts;
use crate::outcome::Repeats;
use crate::world::World;

const FACTS: Facts = Facts { partners: 2, first: 1, last: 1 };

fn a_month_whose_run_was_cancelled_is_paid_when_it_is_settled(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    world.ok_at("2026-02-01T06:00:00Z", "schedule run settlement/p --slot 2026-02-01T06:00:00 --by op");
    world.ok_at("2026-02-01T06:00:00Z", "workflow cancel settlement_run/p/2026-01 --by op --reason mistake");
    let serving = world.serve("2026-02-01T06:00:01Z");
    world.ok_at("2026-02-01T06:00:05Z", "settle --program p --through 2026-01");
    world.until_all_is_done();
    serving.stop();
    let runs = world.books.texts("SELECT key || ' ' || status FROM workflow_runs WHERE workflow = 'settlement_run' ORDER BY key");
    assert_eq!(runs, ["p/2026-01 cancelled", "p/2026-01 (again 1) done"]);
    world.assert_all_paid(Repeats::None);
}

/// As the command does alone, where it has waited for a run that was cancelled meanwhile.
fn a_month_that_a_command_made_final_after_its_run_was_cancelled_is_paid(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    world.ok_at("2026-02-01T06:00:00Z", "schedule run settlement/p --slot 2026-02-01T06:00:00 --by op");
    world.ok_at("2026-02-01T06:00:00Z", "workflow cancel settlement_run/p/2026-01 --by op --reason mistake");
    world.ok_at("2026-02-01T06:00:10Z", "settle --program p --through 2026-01");
    let serving = world.serve("2026-02-01T06:00:20Z");
    world.until("a successor is started", |_| world.count("workflow_runs WHERE workflow = 'settlement_run'") == 2);
    world.until_all_is_done();
    serving.stop();
    world.assert_all_paid(Repeats::None);
}

/// Begun by hand and cancelled before the slot was due, and once more at the slot: whoever asks next starts a successor.
fn a_slot_does_what_a_cancelled_run_has_not(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    world.ok_at("2026-02-01T00:05:00Z", "schedule run settlement/p --by op");
    world.ok_at("2026-02-01T00:06:00Z", "workflow cancel settlement_run/p/2026-01 --by op --reason mistake");
    let at_six = || world.ok_at("2026-02-01T06:00:00Z", "schedule run settlement/p --slot 2026-02-01T06:00:00 --by op").stdout_text();
    let first = at_six();
    assert_eq!(at_six(), first, "a slot has one run");
    let run = world.books.texts("SELECT id FROM workflow_runs WHERE key = 'p/2026-01 (again 1)'").remove(0);
    world.ok_at("2026-02-01T06:00:00Z", &format!("workflow cancel {run} --by op --reason mistake"));
    assert_ne!(at_six(), first);
    let runs = || world.books.texts("SELECT key || ' ' || status FROM workflow_runs WHERE workflow = 'settlement_run' ORDER BY key");
    assert_eq!(runs(), ["p/2026-01 cancelled", "p/2026-01 (again 1) cancelled", "p/2026-01 (again 2) ready"]);
    let serving = world.serve("2026-02-01T06:00:01Z");
    world.until_all_is_done();
    serving.stop();
    let of_slot = "SELECT r.key FROM schedule_slots s JOIN workflow_runs r ON r.id = s.run WHERE s.schedule = 'settlement/p' AND s.slot = '2026-02-01T06:00:00'";
    assert_eq!(world.books.texts(of_slot), ["p/2026-01 (again 2)"]);
    world.assert_all_paid(Repeats::None);
}

/// The same, and nobody asks but the slot itself.
fn a_slot_that_falls_due_starts_a_successor(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &["pay"]);
    world.set_plain_statements();
    world.know_schedules("2026-01-20T00:00:00Z");
    world.ok_at("2026-02-01T00:05:00Z", "schedule run settlement/p --by op");
    world.ok_at("2026-02-01T00:06:00Z", "workflow cancel settlement_run/p/2026-01 --by op --reason mistake");
    let serving = world.serve("2026-02-01T06:00:01Z");
    world.until_all_is_done();
    serving.stop();
    let runs = world.books.texts("SELECT key || ' ' || status FROM workflow_runs WHERE workflow = 'settlement_run' ORDER BY key");
    assert_eq!(runs, ["p/2026-01 cancelled", "p/2026-01 (again 1) done"]);
    world.assert_all_paid(Repeats::None);
}

each_engine!(
    a_month_whose_run_was_cancelled_is_paid_when_it_is_settled,
    a_month_that_a_command_made_final_after_its_run_was_cancelled_is_paid,
    a_slot_does_what_a_cancelled_run_has_not,
    a_slot_that_falls_due_starts_a_successor,
);
