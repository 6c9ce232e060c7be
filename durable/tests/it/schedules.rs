//! Schedules against an oracle and against the clock.

use std::time::Duration;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};
use durable::runs::{self, NewRun};
use durable::schedules::{self, Behind, Plan, Rule, Slot, Starts};
use durable::{Instant, RunId};
use serde_json::json;

use crate::on_both;
use crate::support::Kind;
use crate::world::Place;

on_both!(
    downtime_is_caught_up_in_order,
    the_clock_back_and_forth,
    a_paused_schedule_misses_visibly,
    slots_by_hand,
    a_slot_is_not_spent_on_a_run_that_was_given_up,
    slots_go_in_turn,
    slots_wait_for_those_they_are_behind,
    what_waits_writes_nothing,
    another_rule_holds_after_what_is_due,
    a_rule_without_slots_fires_nothing,
    clocks_that_change_and_jump,
    passes_are_bounded,
);

/// Slot by slot over years, against another implementation of cron, and a naive look at every local time for the offsets' changes.
#[test]
fn slots_are_those_of_the_oracle() {
    let zones = ["America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca", "Europe/Berlin", "Asia/Kathmandu"];
    let expressions =
        ["0 30 2 * * *", "0 15 1 1 * *", "0 0 */6 * * *", "30 45 23 * * SUN", "0 0 9 15 1,4,7,10 *", "0 30 2 * * MON-FRI", "0 0 0 29 2 *"];
    let (from, through) = (instant("2021-01-01T00:00:00Z"), instant("2029-01-01T00:00:00Z"));
    for expression in expressions {
        // On plain local time, which knows no changes of an offset, the oracle says which slots there are.
        let oracle = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build().parse(expression).unwrap();
        let expected: Vec<NaiveDateTime> =
            oracle.iter_after(from.utc()).take_while(|time| *time < through.utc()).map(|time: DateTime<Utc>| time.naive_utc()).collect();
        for zone in zones {
            let rule = Rule::new(expression, zone).unwrap();
            let found: Vec<Slot> = rule.slots_after(Slot(from.utc().naive_utc())).take_while(|slot| slot.0 < through.utc().naive_utc()).collect();
            assert_eq!(found.iter().map(|slot| slot.0).collect::<Vec<_>>(), expected, "{expression} {zone}");
            let zone: Tz = zone.parse().unwrap();
            let mut before = Instant(i64::MIN);
            for slot in found {
                let due = rule.due_at(slot);
                assert_eq!(due, naive_due(zone, slot.0), "{expression} {zone} {slot}");
                assert!(due >= before, "{expression} {zone} {slot} is due before the slot before it");
                before = due;
            }
        }
    }
}

/// Where clocks are not moved, and the local time exists once, the oracle's own instants in the zone are ours.
#[test]
fn instants_are_those_of_the_oracle() {
    for (zone, expression) in [("America/New_York", "0 30 4 * * *"), ("Africa/Casablanca", "0 0 12 * * *"), ("Australia/Lord_Howe", "0 10 5 * * *")] {
        let tz: Tz = zone.parse().unwrap();
        let oracle = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build().parse(expression).unwrap();
        let from = tz.with_ymd_and_hms(2023, 1, 1, 0, 0, 0).unwrap();
        let rule = Rule::new(expression, zone).unwrap();
        let ours = rule.slots_after(Slot(from.naive_local())).map(|slot| rule.due_at(slot).utc());
        let theirs = oracle.iter_after(from).map(|time| time.with_timezone(&Utc));
        for (our, their) in ours.zip(theirs).take(1_500) {
            assert_eq!(our, their, "{zone} {expression}");
        }
    }
}

/// The first instant at which the wall clock shows this local time or, if it never does, a later one: found by looking at each minute.
fn naive_due(zone: Tz, local: NaiveDateTime) -> Instant {
    if let LocalResult::Single(at) = zone.from_local_datetime(&local) {
        return Instant(at.timestamp_micros());
    }
    let start = local.and_utc() - chrono::Duration::hours(16);
    let shown = |minute: i64| zone.from_utc_datetime(&(start + chrono::Duration::minutes(minute)).naive_utc()).naive_local();
    let first = (0..32 * 60).find(|minute| shown(*minute) >= local && shown(*minute - 1) < local).unwrap();
    let overshoot = shown(first) - local;
    let at = start + chrono::Duration::minutes(first);
    // A local time that exists is met within the minute; one in a gap is overshot, and the change itself is on a whole minute.
    Instant(if overshoot < chrono::Duration::minutes(1) { (at - overshoot).timestamp_micros() } else { at.timestamp_micros() })
}

fn instant(text: &str) -> Instant {
    Instant(text.parse::<DateTime<Utc>>().unwrap().timestamp_micros())
}

fn starts(slot: Slot) -> Starts {
    Starts { version: 1, key: format!("slot {slot}"), successors: vec![format!("slot {slot} again")], input: json!(slot.to_string()) }
}

const MONTHLY: Plan<'_> = Plan { id: "settle", expression: "0 30 2 1 * *", zone: "America/New_York", workflow: "settlement_run", in_turn: false };

async fn put(place: &Place, plan: &Plan<'_>, now: Instant) {
    place.tx(async |tx| schedules::put(tx, plan, now).await).await;
}

async fn fire(place: &Place, id: &str, now: Instant) -> Vec<String> {
    let decided = place.tx(async |tx| schedules::fire_due(tx, id, &[], || now, starts).await).await;
    decided.into_iter().map(|slot| format!("{} {}", slot.slot, if slot.run.is_some() { "started" } else { "missed" })).collect()
}

async fn downtime_is_caught_up_in_order(kind: Kind) {
    let place = Place::new(kind).await;
    put(&place, &MONTHLY, instant("2026-01-15T00:00:00Z")).await;
    assert_eq!(fire(&place, "settle", instant("2026-01-31T00:00:00Z")).await, Vec::<String>::new());
    // Down for months; the service comes back.
    let back = instant("2026-04-20T00:00:00Z");
    let expected = ["2026-02-01T02:30:00 started", "2026-03-01T02:30:00 started", "2026-04-01T02:30:00 started"];
    assert_eq!(fire(&place, "settle", back).await, expected);
    assert_eq!(fire(&place, "settle", back).await, Vec::<String>::new(), "once");
    let line = place.tx(async |tx| schedules::list(tx, back, |_| Vec::new()).await).await.remove(0);
    assert_eq!((line.next_slot.as_deref(), line.next_at.as_deref()), (Some("2026-05-01T02:30:00"), Some("2026-05-01T06:30:00Z")));
    assert_eq!((line.last_slot.as_deref(), line.last_state.as_deref()), (Some("2026-04-01T02:30:00"), Some("started")));
    assert_eq!(schedules::next_due(place.database().read()).await.unwrap(), Some(instant("2026-05-01T06:30:00Z")));
    // The same plan again changes nothing; another expression holds from then on.
    put(&place, &MONTHLY, back).await;
    put(&place, &Plan { expression: "0 0 3 1 * *", ..MONTHLY }, back).await;
    assert_eq!(fire(&place, "settle", instant("2026-05-02T00:00:00Z")).await, ["2026-05-01T03:00:00 started"]);
    place.assert_sound().await;
}

async fn the_clock_back_and_forth(kind: Kind) {
    let place = Place::new(kind).await;
    // Every half hour through the night in which New York's clocks go back, and the one in which they go forward.
    for (id, from, hours) in [("back", "2026-11-01T03:00:00Z", 6), ("forward", "2026-03-08T05:00:00Z", 4)] {
        let plan = Plan { id, expression: "0 0,30 * * * *", zone: "America/New_York", workflow: "w", in_turn: false };
        let start = instant(from);
        put(&place, &plan, start).await;
        let mut fired = Vec::new();
        let end = hours * 6;
        // To and fro: ten minutes forward three times, then twenty back.
        let mut now = 0_i64;
        for step in 0.. {
            now += if step % 4 == 3 { -2 } else { 1 };
            if now > end {
                break;
            }
            fired.extend(fire(&place, id, Instant(start.0 + now * 600_000_000)).await);
        }
        let expected: Vec<String> = match id {
            "back" => ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "03:30", "04:00"]
                .iter()
                .map(|time| format!("2026-{}T{time}:00 started", if *time == "23:30" { "10-31" } else { "11-01" }))
                .collect(),
            _ => ["00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "03:30", "04:00", "04:30", "05:00"]
                .iter()
                .map(|time| format!("2026-03-08T{time}:00 started"))
                .collect(),
        };
        assert_eq!(fired, expected, "{id}");
    }
    place.assert_sound().await;
}

async fn a_paused_schedule_misses_visibly(kind: Kind) {
    let place = Place::new(kind).await;
    put(&place, &MONTHLY, instant("2026-01-15T00:00:00Z")).await;
    place.tx(async |tx| schedules::pause(tx, "settle", "ops", "audit").await).await;
    assert_eq!(fire(&place, "settle", instant("2026-02-15T00:00:00Z")).await, ["2026-02-01T02:30:00 missed"]);
    let missed = place.tx(async |tx| schedules::resume(tx, "settle", instant("2026-04-15T00:00:00Z")).await).await;
    assert_eq!(missed, 2, "March and April");
    assert_eq!(fire(&place, "settle", instant("2026-05-15T00:00:00Z")).await, ["2026-05-01T02:30:00 started"]);
    let reasons = "SELECT DISTINCT reason FROM schedule_slots WHERE state = 'missed'";
    let rows = sea_orm::ConnectionTrait::query_all_raw(place.database().read(), sea_orm::Statement::from_string(place.database().backend(), reasons))
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect::<Vec<String>>(), ["the schedule was paused by ops: audit"]);
    place.assert_sound().await;
}

async fn slots_by_hand(kind: Kind) {
    let place = Place::new(kind).await;
    put(&place, &MONTHLY, instant("2026-01-15T00:00:00Z")).await;
    place.tx(async |tx| schedules::pause(tx, "settle", "ops", "audit").await).await;
    fire(&place, "settle", instant("2026-02-15T00:00:00Z")).await;
    let now = instant("2026-02-20T12:00:00Z");
    let by_hand = async |slot: Option<&str>| {
        let slot = slot.map(|slot| slot.parse().unwrap());
        place.tx(async |tx| schedules::run_slot(tx, "settle", slot, "ops", now, starts).await).await
    };
    let missed: RunId = by_hand(Some("2026-02-01T02:30:00")).await;
    assert_eq!(by_hand(Some("2026-02-01T02:30:00")).await, missed, "once");
    let ahead = by_hand(Some("2026-03-01T02:30:00")).await;
    let at_once = by_hand(None).await;
    assert_eq!(by_hand(None).await, at_once);
    assert!(missed != ahead && ahead != at_once);
    let tx = place.database().begin_write().await.unwrap();
    let none = schedules::run_slot(&tx, "settle", Some("2026-02-01T02:31:00".parse().unwrap()), "ops", now, starts).await.unwrap_err().to_string();
    assert_eq!(none, "schedule \"settle\" has no slot 2026-02-01T02:31:00");
    tx.rollback().await.unwrap();
    // What was run ahead is not run again when it is due.
    place.tx(async |tx| schedules::resume(tx, "settle", now).await).await;
    assert_eq!(fire(&place, "settle", instant("2026-04-15T00:00:00Z")).await, ["2026-04-01T02:30:00 started"]);
    place.assert_sound().await;
}

async fn a_slot_is_not_spent_on_a_run_that_was_given_up(kind: Kind) {
    let place = Place::new(kind).await;
    put(&place, &MONTHLY, instant("2026-01-15T00:00:00Z")).await;
    let now = instant("2026-02-20T12:00:00Z");
    // Somebody has started what the slot is for, and it was cancelled.
    let slot: Slot = "2026-02-01T02:30:00".parse().unwrap();
    let begun = starts(slot);
    let new = NewRun { workflow: MONTHLY.workflow, version: 1, key: &begun.key, input: &begun.input, parent: None };
    let first = place.tx(async |tx| runs::start(tx, &new, instant("2026-02-01T00:00:00Z")).await).await.run;
    let give_up = "UPDATE workflow_runs SET finished_at = 1, error = 'no', status_by = 'ops', status = ";
    place.execute(&format!("{give_up} 'cancelled'")).await;
    assert_eq!(fire(&place, "settle", now).await, ["2026-02-01T02:30:00 started"]);
    let keys = async || place.tx(async |tx| runs::list(tx, &runs::Filter::default()).await).await.into_iter().map(|run| run.key).collect::<Vec<_>>();
    assert_eq!(keys().await, ["slot 2026-02-01T02:30:00", "slot 2026-02-01T02:30:00 again"]);
    // By hand it is not, either; one that is at work is found.
    let by_hand = async |slot| place.tx(async |tx| schedules::run_slot(tx, "settle", Some(slot), "ops", now, starts).await).await;
    let second = by_hand(slot).await;
    assert!(second != first && by_hand(slot).await == second);
    let march: Slot = "2026-03-01T02:30:00".parse().unwrap();
    let failed = by_hand(march).await;
    place.execute(&format!("{give_up} 'failed' WHERE id = '{failed}'")).await;
    let anew = by_hand(march).await;
    assert!(anew != failed && by_hand(march).await == anew);
    // Where no key is left, the last run is found.
    place.execute(&format!("{give_up} 'failed' WHERE id = '{anew}'")).await;
    assert_eq!(by_hand(march).await, anew);
    place.assert_sound().await;
}

async fn slots_go_in_turn(kind: Kind) {
    let place = Place::new(kind).await;
    put(&place, &Plan { in_turn: true, ..MONTHLY }, instant("2026-01-15T00:00:00Z")).await;
    let now = instant("2026-04-20T00:00:00Z");
    for slot in ["2026-02-01T02:30:00 started", "2026-03-01T02:30:00 started", "2026-04-01T02:30:00 started"] {
        assert_eq!(fire(&place, "settle", now).await, [slot]);
        assert_eq!(fire(&place, "settle", now).await, Vec::<String>::new(), "the run of this slot has not ended");
        place.execute("UPDATE workflow_runs SET status = 'done', finished_at = 1, output = 'null' WHERE finished_at IS NULL").await;
    }
    assert_eq!(fire(&place, "settle", now).await, Vec::<String>::new());
    place.assert_sound().await;
}

const REVIEW: Plan<'_> = Plan { id: "review", expression: "0 30 3 1 1,4,7,10 *", zone: "America/New_York", workflow: "review", in_turn: true };

/// Months first at the same instant; else whatever is due first.
fn behind(id: &str) -> Vec<Behind> {
    let other = |schedule: &str, same_instant| vec![Behind { schedule: schedule.into(), same_instant }];
    if id == "settle" { other("review", false) } else { other("settle", true) }
}

async fn fire_behind(place: &Place, id: &str, now: Instant) -> Vec<String> {
    let starts = |slot: Slot| Starts { version: 1, key: format!("{id} {slot}"), successors: Vec::new(), input: json!(0) };
    let decided = place.tx(async |tx| schedules::fire_due(tx, id, &behind(id), || now, starts).await).await;
    decided.into_iter().map(|slot| format!("{} {}", slot.slot, if slot.run.is_some() { "started" } else { "missed" })).collect()
}

async fn end_runs(place: &Place) {
    place.execute("UPDATE workflow_runs SET status = 'done', finished_at = 1, output = 'null' WHERE finished_at IS NULL").await;
}

async fn waits_for(place: &Place, id: &str, now: Instant) -> Option<String> {
    let lines = place.tx(async |tx| schedules::list(tx, now, behind).await).await;
    lines.into_iter().find(|line| line.id == id).unwrap().waits_for
}

async fn slots_wait_for_those_they_are_behind(kind: Kind) {
    let place = Place::new(kind).await;
    let known = instant("2026-02-15T00:00:00Z");
    put(&place, &Plan { in_turn: true, ..MONTHLY }, known).await;
    put(&place, &REVIEW, known).await;
    let now = instant("2026-05-20T00:00:00Z");
    // Nobody has decided the slot of March: the review of April does not start, asked as often as you like.
    assert_eq!(fire_behind(&place, "review", now).await, Vec::<String>::new());
    assert_eq!(waits_for(&place, "review", now).await.as_deref(), Some("settle 2026-03-01T02:30:00, which has not started"));
    for slot in ["2026-03-01T02:30:00 started", "2026-04-01T02:30:00 started"] {
        assert_eq!(fire_behind(&place, "settle", now).await, [slot]);
        assert_eq!(fire_behind(&place, "review", now).await, Vec::<String>::new(), "the run of {slot} has not ended");
        end_runs(&place).await;
    }
    // Then it is the months' turn to wait, also for a run that somebody has to see to, and they say so.
    assert_eq!(fire_behind(&place, "settle", now).await, Vec::<String>::new(), "the review of April is due before May");
    assert_eq!(waits_for(&place, "settle", now).await.as_deref(), Some("review 2026-04-01T03:30:00, which has not started"));
    assert_eq!(fire_behind(&place, "review", now).await, ["2026-04-01T03:30:00 started"]);
    place.execute("UPDATE workflow_runs SET status = 'parked', error = 'no rate', wake_at = NULL WHERE workflow = 'review'").await;
    assert_eq!(fire_behind(&place, "settle", now).await, Vec::<String>::new());
    let told = waits_for(&place, "settle", now).await.unwrap();
    assert!(told.starts_with("review 2026-04-01T03:30:00, whose run wfr_") && told.ends_with(" is parked: no rate"), "{told}");
    end_runs(&place).await;
    assert_eq!(fire_behind(&place, "settle", now).await, ["2026-05-01T02:30:00 started"]);
    end_runs(&place).await;
    assert_eq!(waits_for(&place, "settle", now).await, None);

    // One that is run ahead keeps nobody waiting that is due before it.
    let ahead = Some("2026-07-01T02:30:00".parse().unwrap());
    let starts = |slot: Slot| Starts { version: 1, key: format!("ahead {slot}"), successors: Vec::new(), input: json!(0) };
    place.tx(async |tx| schedules::run_slot(tx, "settle", ahead, "ops", now, starts).await).await;
    let june = instant("2026-06-15T00:00:00Z");
    assert_eq!(fire_behind(&place, "settle", june).await, ["2026-06-01T02:30:00 started"]);
    end_runs(&place).await;

    // At the same instant months come first; and a review that is paused is missed at once and keeps nobody waiting.
    put(&place, &Plan { expression: "0 30 2 1 1,4,7,10 *", ..REVIEW }, june).await;
    let october = instant("2026-10-15T00:00:00Z");
    assert_eq!(fire_behind(&place, "review", instant("2026-07-01T06:30:00Z")).await, ["2026-07-01T02:30:00 started"], "that of settle has run ahead");
    end_runs(&place).await;
    place.tx(async |tx| schedules::pause(tx, "review", "ops", "audit").await).await;
    for slot in ["2026-08-01T02:30:00 started", "2026-09-01T02:30:00 started"] {
        assert_eq!(fire_behind(&place, "settle", october).await, [slot]);
        end_runs(&place).await;
    }
    assert_eq!(fire_behind(&place, "review", october).await, ["2026-10-01T02:30:00 missed"], "before the month, which is still to come");
    assert_eq!(fire_behind(&place, "settle", october).await, ["2026-10-01T02:30:00 started"]);
    end_runs(&place).await;
    place.tx(async |tx| schedules::resume(tx, "review", october).await).await;
    let january = instant("2027-01-01T07:30:00Z");
    for slot in ["2026-11-01T02:30:00 started", "2026-12-01T02:30:00 started"] {
        assert_eq!(fire_behind(&place, "settle", january).await, [slot]);
        end_runs(&place).await;
    }
    assert_eq!(fire_behind(&place, "review", january).await, Vec::<String>::new());
    assert_eq!(fire_behind(&place, "settle", january).await, ["2027-01-01T02:30:00 started"]);
    assert_eq!(fire_behind(&place, "review", january).await, Vec::<String>::new());
    end_runs(&place).await;
    assert_eq!(fire_behind(&place, "review", january).await, ["2027-01-01T02:30:00 started"]);
    end_runs(&place).await;
    place.assert_sound().await;
}

/// A slot may wait for weeks, and is looked at twice a second.
async fn what_waits_writes_nothing(kind: Kind) {
    let place = Place::new(kind).await;
    let known = instant("2026-02-15T00:00:00Z");
    put(&place, &Plan { in_turn: true, ..MONTHLY }, known).await;
    put(&place, &REVIEW, known).await;
    let now = instant("2026-04-20T00:00:00Z");
    assert_eq!(fire_behind(&place, "settle", now).await, ["2026-03-01T02:30:00 started"]);
    let refusal = match kind {
        Kind::Sqlite => ["CREATE TRIGGER quiet BEFORE UPDATE ON schedules BEGIN SELECT RAISE(ABORT, 'it is written'); END", "DROP TRIGGER quiet"],
        Kind::Postgres => [
            "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it is written'; END $$; \
             CREATE TRIGGER quiet BEFORE UPDATE ON schedules FOR EACH ROW EXECUTE FUNCTION quiet()",
            "DROP TRIGGER quiet ON schedules",
        ],
    };
    place.execute(refusal[0]).await;
    // The run of March has not ended, and April's review is behind it; then nothing is due.
    assert_eq!(fire_behind(&place, "settle", now).await, Vec::<String>::new());
    assert_eq!(fire_behind(&place, "review", now).await, Vec::<String>::new());
    assert_eq!(fire_behind(&place, "review", known).await, Vec::<String>::new());
    place.execute(refusal[1]).await;
    end_runs(&place).await;
    assert_eq!(fire_behind(&place, "settle", now).await, ["2026-04-01T02:30:00 started"]);
    place.assert_sound().await;
}

async fn another_rule_holds_after_what_is_due(kind: Kind) {
    let place = Place::new(kind).await;
    put(&place, &MONTHLY, instant("2026-01-15T00:00:00Z")).await;
    // Down since then. A version that holds from 15 March on is told of before the service comes back.
    let changed = "0 30 2 1 * *; from 2026-03-15 0 0 4 10 * *";
    let back = instant("2026-05-20T00:00:00Z");
    put(&place, &Plan { expression: changed, ..MONTHLY }, back).await;
    let slots = ["2026-02-01T02:30:00", "2026-03-01T02:30:00", "2026-04-10T04:00:00", "2026-05-10T04:00:00"];
    assert_eq!(fire(&place, "settle", back).await, slots.map(|slot| format!("{slot} started")));
    let line = place.tx(async |tx| schedules::list(tx, instant("2026-03-10T00:00:00Z"), behind).await).await.remove(0);
    let change = line.change.map(|change| (change.from, change.expression));
    assert_eq!((line.expression.as_str(), change), ("0 30 2 1 * *", Some(("2026-03-15".to_owned(), "0 0 4 10 * *".to_owned()))));
    // Nothing is due any more: what a later version says of days that are over is not made up for.
    let daily = format!("{changed}; from 2026-05-15 0 0 9 * * *");
    put(&place, &Plan { expression: &daily, ..MONTHLY }, back).await;
    assert_eq!(fire(&place, "settle", back).await, Vec::<String>::new());
    assert_eq!(fire(&place, "settle", instant("2026-05-21T23:00:00Z")).await, ["2026-05-20T09:00:00 started", "2026-05-21T09:00:00 started"]);
    place.assert_sound().await;
}

async fn a_rule_without_slots_fires_nothing(kind: Kind) {
    let place = Place::new(kind).await;
    let now = instant("2026-01-15T00:00:00Z");
    put(&place, &MONTHLY, now).await;
    put(&place, &Plan { expression: "0 30 2 1 * *; from 2026-03-01 never", ..MONTHLY }, now).await;
    let back = instant("2026-06-20T00:00:00Z");
    assert_eq!(fire(&place, "settle", back).await, ["2026-02-01T02:30:00 started"]);
    assert_eq!(fire(&place, "settle", back).await, Vec::<String>::new());
    assert_eq!(schedules::next_due(place.database().read()).await.unwrap(), None, "nobody looks for it");
    let line = place.tx(async |tx| schedules::list(tx, back, behind).await).await.remove(0);
    assert_eq!((line.expression.as_str(), line.next_slot, line.last_slot.as_deref()), ("never", None, Some("2026-02-01T02:30:00")));
    let tx = place.database().begin_write().await.unwrap();
    let none = schedules::run_slot(&tx, "settle", Some("2026-03-01T02:30:00".parse().unwrap()), "ops", back, starts).await.unwrap_err().to_string();
    assert_eq!(none, "schedule \"settle\" has no slot 2026-03-01T02:30:00");
    tx.rollback().await.unwrap();
    place.assert_sound().await;
}

/// Clocks of the zone are put forward or back, and the machine's own jumps to and fro: every local time of the rule comes once, in order.
async fn clocks_that_change_and_jump(kind: Kind) {
    let place = Place::new(kind).await;
    let nights = [
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ];
    for seed in 0..4_u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        for (place_of, (zone, change)) in nights.iter().enumerate() {
            let id = format!("{zone} {place_of} {seed}");
            let plan = |expression| Plan { id: &id, expression, zone, workflow: "w", in_turn: false };
            let (from, until) = (Instant(instant(change).0 - 4 * HOUR), Instant(instant(change).0 + 4 * HOUR));
            // In half of the nights the rule changes on the local day on which the clocks do.
            let day = Rule::new("never", zone).unwrap().local(instant(change)).0.date();
            let expression = if seed % 2 == 0 { QUARTERS.to_owned() } else { format!("{QUARTERS}; from {day} 0 5,20,35,50 * * * *") };
            put(&place, &plan(&expression), from).await;
            let (mut now, mut fired) = (from.0, Vec::new());
            while now < until.0 {
                now = (now + random.i64(-90..=120) * HOUR / 60).clamp(from.0 - HOUR, until.0);
                put(&place, &plan(&expression), Instant(now)).await;
                let starts = |slot: Slot| Starts { version: 1, key: format!("{id} {slot}"), successors: Vec::new(), input: json!(0) };
                let decided = place.tx(async |tx| schedules::fire_due(tx, &id, &[], || Instant(now), starts).await).await;
                assert!(decided.iter().all(|slot| slot.due_at.0 <= now && slot.run.is_some()), "{id}");
                fired.extend(decided.into_iter().map(|slot| slot.slot.0));
            }
            // Minute by minute on the wall, those that the rule has; when each is due is found by looking.
            let zone: Tz = zone.parse().unwrap();
            let wall = Rule::new("never", zone.name()).unwrap().local(from).0 - chrono::Duration::hours(2);
            let is_slot = |local: &NaiveDateTime| {
                let minute = chrono::Timelike::minute(local);
                if seed % 2 == 1 && local.date() >= day { minute % 15 == 5 } else { minute.is_multiple_of(15) }
            };
            let expected: Vec<NaiveDateTime> = (0..14 * 60)
                .map(|minute| wall + chrono::Duration::minutes(minute))
                .filter(is_slot)
                .filter(|local| (from.0 + 1..=until.0).contains(&naive_due(zone, *local).0))
                .collect();
            assert_eq!(fired, expected, "{id}");
        }
    }
    place.assert_sound().await;
}

const HOUR: i64 = 3_600_000_000;
const QUARTERS: &str = "0 0,15,30,45 * * * *";

async fn passes_are_bounded(kind: Kind) {
    let place = Place::new(kind).await;
    let start = instant("2026-01-15T00:00:00Z");
    put(&place, &Plan { id: "often", expression: "0 * * * * *", zone: "UTC", workflow: "w", in_turn: false }, start).await;
    let now = start.plus(Duration::from_mins(250));
    let counts = [fire(&place, "often", now).await.len(), fire(&place, "often", now).await.len(), fire(&place, "often", now).await.len()];
    assert_eq!(counts, [100, 100, 50]);
    place.assert_sound().await;
}
