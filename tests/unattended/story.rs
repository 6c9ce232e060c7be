//! A month settles, is paid and is told, with nobody there; a second start finds nothing to do.

use crate::app::{App, Engine};
use crate::facts::{Facts, SMALL, period};
use crate::outcome::Repeats;
use crate::world::{self, MONTHLY, World};

const FACTS: Facts = Facts { partners: 3, first: 4, last: 4 };

/// People and destinations as people make them.
fn destine_by_command(world: &World) {
    for (id, role) in [("fin", "finance"), ("op", "ops")] {
        world.ok_at("2026-04-01T09:00:00Z", &format!("user add --id {id} --email {id}@example.com --role {role}"));
    }
    for (_, name) in FACTS.names() {
        let add = format!("payout destination add --partner {name} --currency USD --name {name} --token token-of-{name} --by op --json");
        let added = world.ok_at("2026-04-01T09:00:00Z", &add);
        let added: serde_json::Value = serde_json::from_slice(&added.stdout).expect("JSON");
        let id = added["id"].as_str().expect("an id");
        world.ok_at("2026-04-02T09:00:00Z", &format!("payout destination approve {id} --by fin"));
    }
}

fn a_month_settles_is_paid_and_is_mailed(engine: Engine) {
    let app = App::fresh(engine);
    world::record(&app, FACTS, MONTHLY);
    let world = World::around(app, FACTS, &["call-after"]);
    destine_by_command(&world);

    world.know_schedules("2026-04-20T00:00:00Z");
    assert_eq!(world.count("schedule_slots"), 0, "nothing is due before its time");
    let serving = world.serve("2026-05-01T05:59:58Z");
    world.until_all_is_done();
    // Something is done, and the service is stopped before it comes round to sealing it.
    world.books.execute("INSERT INTO audit_log (at, act, subject, detail) SELECT MAX(at), 'noted', 'story/1', '{}' FROM audit_log");
    world.books.execute("INSERT INTO audit_pending (entry) SELECT MAX(no) FROM audit_log");
    serving.stop();
    assert_eq!(world.count("audit_pending"), 0, "what was done last is sealed by the service that did it");
    world.assert_all_paid(Repeats::None);
    for ((partner, month), status) in world.statuses() {
        let expected = if partner == SMALL { "final" } else { "paid" };
        assert_eq!(status, expected, "{partner} {month}");
    }
    let slots = world.books.texts("SELECT slot || ' ' || state FROM schedule_slots WHERE schedule = 'settlement/p'");
    assert_eq!(slots, ["2026-05-01T06:00:00 started"]);
    assert_eq!(world.count("schedule_slots WHERE decided_at < due_at"), 0, "nothing was begun before six");
    assert_eq!(world.count("inbound_events WHERE state = 'applied'"), 3, "the provider's own word came for each");
    let letters = world.mail.journal();
    let carried = letters.iter().find(|letter| letter["to"][0] == "small@example.com").expect("a notice of what is carried forward");
    assert!(carried["text"].as_str().expect("text").contains("3.00 USD") && carried["subject"].as_str().expect("text").contains(&period(4)));

    // When the daily look at certificates has ended, everything had its turn.
    let requests = world.provider_journal().len();
    let serving = world.serve("2026-05-02T08:00:01Z");
    world.until("the days after are looked at", |_| world.count("schedule_slots WHERE slot = '2026-05-02T08:00:00'") == 1 && world.is_at_rest());
    serving.stop();
    assert_eq!(world.count("workflow_runs WHERE workflow IN ('settlement_run', 'payout')"), 4, "a second start does nothing again");
    assert_eq!(world.provider_journal().len(), requests, "nor does it ask the provider anything");
    world.assert_all_paid(Repeats::None);
}

each_engine!(a_month_settles_is_paid_and_is_mailed);
