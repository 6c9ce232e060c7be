//! Each check finds the row that breaks it, and nothing else does.

use durable::host::run_until_idle;
use durable::schedules::{self, Plan};
use durable::{Registry, verify};

use crate::on_both;
use crate::support::Kind;
use crate::world::{Listed, Place, START};

on_both!(each_check_finds_its_row);

/// What is broken, and the check that finds it.
const BREAKS: [(&str, &str, &str); 14] = [
    ("DELETE FROM run_steps WHERE name = 'b'", "journal contiguous", "its journal has a gap"),
    ("UPDATE run_steps SET run = 'wfr_gone' WHERE name IN ('a', 'b', 'c')", "journal of a run", "belongs to no run"),
    ("UPDATE run_steps SET ended_at = NULL WHERE name = 'b'", "result once", "(b)"),
    ("UPDATE run_steps SET result = NULL WHERE name = 'c'", "result once", "(c)"),
    ("UPDATE run_steps SET outcome = 'intent', ended_at = NULL WHERE name = 'c'", "ended whole", "(c)"),
    ("UPDATE workflow_runs SET output = NULL", "ended with a result", "(done)"),
    (
        "UPDATE workflow_runs SET status = 'waiting', finished_at = NULL, waiting_for = 'time', wake_at = NULL",
        "no silent stall",
        "nothing that could come",
    ),
    (
        "UPDATE workflow_runs SET status = 'waiting', finished_at = NULL, waiting_for = 'run', wake_at = NULL, awaits_run = 'wfr_gone'",
        "no silent stall",
        "(wfr_gone)",
    ),
    (
        "UPDATE workflow_runs SET status = 'waiting', finished_at = NULL, waiting_for = 'signal go', wake_at = NULL;
         INSERT INTO run_signals (run, name, id, payload, sent_at) SELECT id, 'go', '1', '1', 1 FROM workflow_runs",
        "no silent stall",
        "(go)",
    ),
    ("UPDATE workflow_runs SET status = 'parked', finished_at = NULL, error = NULL", "visible parking", "(parked)"),
    ("UPDATE workflow_runs SET status = 'paused', finished_at = NULL", "visible parking", "(paused)"),
    ("UPDATE workflow_runs SET status = 'running', finished_at = NULL, owner = 'nobody'", "has an executor", "(nobody)"),
    ("UPDATE schedule_slots SET run = 'wfr_gone'", "slots", "does not exist"),
    ("DELETE FROM schedule_slots", "slots", "was passed"),
];

async fn each_check_finds_its_row(kind: Kind) {
    for (breaking, check, reason) in BREAKS {
        let place = Place::new(kind).await;
        let engine = place.engine(Registry::new().with(Listed(vec!["a", "b", "c"]))).await;
        let plan = Plan { id: "hourly", expression: "0 0 * * * *", zone: "UTC", workflow: "listed", in_turn: false };
        let later = START.plus(std::time::Duration::from_hours(1));
        place.tx(async |tx| schedules::put(tx, &plan, START).await).await;
        let starts = |_| schedules::Starts { version: 1, key: "k".into(), successors: Vec::new(), input: serde_json::json!(0) };
        place.tx(async |tx| schedules::fire_due(tx, "hourly", &[], || later, starts).await).await;
        place.clock.set(later);
        run_until_idle(&engine, 1).await.unwrap();
        place.assert_sound().await;
        drop(engine);
        for statement in breaking.split(';') {
            place.execute(statement).await;
        }
        let findings = verify::verify(place.database().read(), later).await.unwrap();
        assert!(
            findings.iter().any(|finding| finding.check == check && (finding.reason.contains(reason) || finding.id.contains(reason))),
            "{breaking}\n{findings:#?}"
        );
    }
}
