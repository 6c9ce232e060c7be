//! Runs, slots and letters that are broken on purpose: `verify` names the invariant.

use std::sync::Arc;

use tributary::adapters::payout_manual::ManualPayouts;

use crate::app::App;
use crate::broken_books::{assert_named, broken, repeat_rows, three_months};
use crate::hosted::{Hosted, until};
use crate::library::{destination, people};

/// What breaks which invariant. Each begins from the same sound runs.
const BREAKS: [(&str, &str, &str); 13] = [
    ("time.24", "a slot whose run is not there", "UPDATE schedule_slots SET run = 'wfr_0190b6a2-7c3d-7e4f-8a5b-000000000001'"),
    ("time.24", "a slot that was passed", "UPDATE schedules SET rules_from = 1780000000000000 WHERE id = 'certification_notices'"),
    ("durability.26", "a payment without its statement", "DELETE FROM outbox WHERE key LIKE 'statement/%'"),
    ("durability.27", "a step that is gone", "DELETE FROM run_steps WHERE ordinal = 2"),
    ("durability.27", "steps without a run", "UPDATE run_steps SET run = 'wfr_0190b6a2-7c3d-7e4f-8a5b-000000000001' WHERE name = 'mail statement'"),
    ("durability.27", "a step done without a result", "UPDATE run_steps SET ended_at = NULL WHERE outcome = 'done'"),
    ("durability.27", "a run done without its last step", "UPDATE run_steps SET outcome = 'intent', ended_at = NULL WHERE name = 'mail statement'"),
    ("durability.27", "a run done without output", "UPDATE workflow_runs SET output = NULL WHERE status = 'done'"),
    ("runs.stall", "a run that waits for nothing", "UPDATE workflow_runs SET waiting_for = 'better times', wake_at = NULL WHERE status = 'waiting'"),
    (
        "runs.stall",
        "a run that waits for one that has ended",
        "UPDATE workflow_runs SET awaits_run = (SELECT MIN(r.id) FROM workflow_runs r WHERE r.status = 'done') WHERE status = 'waiting'",
    ),
    (
        "runs.stall",
        "a run that waits for a signal that has come",
        "UPDATE run_signals SET consumed_at = NULL, run = (SELECT MIN(id) FROM workflow_runs WHERE status = 'waiting'), \
         name = (SELECT SUBSTR(MIN(waiting_for), 8, 100) FROM workflow_runs WHERE status = 'waiting')",
    ),
    ("runs.stall", "a run that is parked without a reason", "UPDATE workflow_runs SET status = 'parked', error = NULL WHERE status = 'waiting'"),
    (
        "runs.stall",
        "a run that is held by nobody who is known",
        "UPDATE workflow_runs SET status = 'running', owner = 'nobody' WHERE status = 'waiting'",
    ),
];

fn verify_names_runs_that_are_broken(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    let hosted = Hosted::start(app, Arc::new(ManualPayouts));
    app.ok("settlement release --program p --period 2026-04 --by fin");
    app.ok("schedule run certification_notices --slot 2026-12-01T08:00:00 --by op");
    let acme = || app.access().texts("SELECT id FROM payouts WHERE partner = 'acme' AND status = 'requested'");
    until("acme's payout must be requested", || !acme().is_empty());
    app.ok(&format!("payout mark-paid {} --by fin --reason transfer-1", acme()[0]));
    let count = |status: &str| app.access().number(&format!("SELECT COUNT(*) FROM workflow_runs WHERE status = '{status}'"));
    app.ok("settlement release --program p --period 2026-05 --by fin");
    // April's is done, the notices are done, May's waits for finance.
    until("the runs must come to rest", || count("done") == 2 && count("ready") + count("running") == 0 && count("waiting") > 0);
    hosted.stop();
    assert_eq!(broken(app), []);
    for (invariant, what, statement) in BREAKS {
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| {
            assert!(books.execute(statement) > 0, "{what}: {statement} changes nothing");
        });
        assert_named(&copy, invariant, what);
    }
    for (invariant, table, key) in
        [("durability.26", "outbox", "outbox_topic_key_key"), ("durability.27", "workflow_runs", "workflow_runs_workflow_key_key")]
    {
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| {
            if books.is_sqlite() {
                repeat_rows(books, table, key);
            } else {
                books.execute(&format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE"));
                repeat_rows(books, table, key);
            }
        });
        assert_named(&copy, invariant, table);
    }
}

on_both_databases!(verify_names_runs_that_are_broken);
