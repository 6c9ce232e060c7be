//! A provider that does whatever a provider may do, once each, with the whole service around it: where each payout ends, what the ledger
//! says of it, and what is visible of what a person must look at.

use std::collections::BTreeMap;

use crate::app::Engine;
use crate::facts::{Facts, Owed, message_id};
use crate::outcome::text;
use crate::world::World;

const FACTS: Facts = Facts { partners: 20, first: 4, last: 4 };
/// What becomes of the requests, in the order in which they come; whoever is asked for again after these is paid.
const MODES: [&str; 21] = [
    "pay-then-hang",
    "pay-then-drop",
    "pay-then-error",
    "pay-then-garbage",
    "status-400",
    "status-409",
    "status-422",
    "status-429",
    "status-500",
    "status-303",
    "call-early",
    "call-after",
    "call-twice",
    "call-late",
    "bounce",
    "bounce-reversed",
    "hang",
    "drop",
    "fail",
    "status-503",
    "pay",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Paid,
    /// Refused, or its money came back.
    Failed,
    /// It waits for a person.
    Stopped,
    /// Nothing has arrived: it is asked for again.
    Again,
}

fn end(mode: &str) -> End {
    match mode {
        "status-400" | "status-303" | "fail" | "bounce" | "bounce-reversed" => End::Failed,
        "status-422" => End::Stopped,
        "status-409" | "status-429" | "status-500" | "status-503" | "hang" | "drop" => End::Again,
        _ => End::Paid,
    }
}

/// A payout as our books have it.
struct Known {
    key: String,
    owed: Owed,
    status: String,
}

fn known(world: &World) -> Vec<Known> {
    let query = "SELECT idempotency_key || '|' || partner || '|' || period || '|' || CAST(amount_minor AS TEXT) || '|' || status FROM payouts ORDER BY partner";
    let read = |row: &String| {
        let [key, partner, period, cents, status] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let owed = Owed { partner: partner.into(), period: period.into(), cents: cents.parse().expect("cents") };
        Known { key: key.into(), owed, status: status.into() }
    };
    world.books.texts(query).iter().map(read).collect()
}

/// What each key met, in order: the plan goes by the order of the provider's own journal.
fn met(world: &World) -> BTreeMap<String, Vec<&'static str>> {
    let mut met: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let journal = world.provider_journal();
    for (at, request) in journal.iter().filter(|event| event["event"] == "request").enumerate() {
        met.entry(text(request, "key")).or_default().push(MODES[at.min(MODES.len() - 1)]);
    }
    met
}

fn each_fault_ends_where_it_must(engine: Engine) {
    let mut world = World::fresh(engine, FACTS, &MODES);
    world.set("TRIBUTARY_PAYOUTS__TIMEOUT", "1s");
    world.set_plain_statements();
    world.know_schedules("2026-04-20T00:00:00Z");
    let serving = world.serve("2026-05-01T06:00:01Z");
    world.until("all but one run have ended", |_| {
        world.count("payouts") == 20 && world.count("workflow_runs WHERE finished_at IS NULL AND status <> 'parked'") == 0
    });
    world.until("the provider's last word is in the books", |_| world.count("inbound_events") == 8);
    world.until("the letters have left", |_| world.count("outbox WHERE status IN ('pending', 'sending')") == 0 && world.count("audit_pending") == 0);

    // What the provider answers 422 to is not asked for again, and is visible with its reason.
    let parked = world.books.texts("SELECT key || '|' || error FROM workflow_runs WHERE status = 'parked'");
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(parked[0].contains("422"), "{parked:?}");
    let stopped = assert_ends(&world);
    assert_eq!(stopped.len(), 1);
    assert!(parked[0].starts_with(&format!("p/2026-04/{}/USD|", stopped[0].partner)), "{parked:?}");
    assert_eq!(world.balance("payouts:in-transit"), -stopped[0].cents, "only its money is in transit");
    let met: Vec<&str> = met(&world).into_values().flatten().collect();
    assert!(MODES.iter().all(|mode| met.contains(mode)), "everything happened: {met:?}");
    world.app.assert_verified();

    // Somebody has mended the cause.
    let run = world.books.texts("SELECT id FROM workflow_runs WHERE status = 'parked'");
    world.retry(&run[0], "signed");
    world.until("it is paid, too", |_| world.all_is_done());
    serving.stop();
    assert!(assert_ends(&world).is_empty(), "nothing waits any more");
    assert_eq!(world.balance("payouts:in-transit"), 0);
    world.assert_sound();
}

/// Each payout stands where what it met puts it, in our books, in the ledger and in the provider's own; those that wait for a person.
fn assert_ends(world: &World) -> Vec<Owed> {
    let (met, journal) = (met(world), world.provider_journal());
    let of = |kind: &str, key: &str| journal.iter().filter(|event| event["event"] == kind && event["key"] == key).count();
    let (mut stopped, mut cash) = (Vec::new(), 0);
    let mut letters = Vec::new();
    for Known { key, owed, status } in known(world) {
        let modes = &met[&key];
        let (last, before) = modes.split_last().expect("it was asked for");
        // The plan's 422 is answered by a person, who has it asked for again.
        assert!(before.iter().all(|mode| matches!(end(mode), End::Again | End::Stopped)), "{owed:?} was asked for again after {modes:?}");
        let (expected, effects, payable) = match end(last) {
            End::Paid => ("paid", 1, 0),
            End::Failed => ("failed", usize::from(last.starts_with("bounce")), -owed.cents),
            End::Stopped => ("requested", 0, 0),
            End::Again => panic!("{owed:?} was given up after {modes:?}"),
        };
        assert_eq!(status, expected, "{owed:?} after {modes:?}");
        assert_eq!(of("paid", &key), effects, "{owed:?} after {modes:?}: how often the provider moved money");
        assert_eq!(world.balance(&format!("partner:{}:p:payable", owed.partner)), payable, "{owed:?} after {modes:?}: what is still owed");
        if matches!(end(last), End::Failed) {
            // The partner is told, and everybody in finance.
            let id = world.books.texts(&format!("SELECT id FROM payouts WHERE idempotency_key = '{key}'")).remove(0);
            let finance = world.books.texts("SELECT person FROM user_roles WHERE role = 'finance'");
            letters.extend(finance.iter().map(String::as_str).chain([""]).map(|person| (message_id(&format!("payout_failed/{id}/{person}")), true)));
        }
        match end(last) {
            End::Paid => {
                cash += owed.cents;
                letters.push((message_id(&format!("statement/p/{}/{}/USD", owed.period, owed.partner)), true));
            }
            // Told before the money came back, or not at all.
            End::Failed if last.starts_with("bounce") => {
                letters.push((message_id(&format!("statement/p/{}/{}/USD", owed.period, owed.partner)), false));
            }
            End::Failed | End::Again => {}
            End::Stopped => stopped.push(owed),
        }
    }
    letters.push((message_id("carried_forward/p/2026-04/small/USD"), true));
    assert_eq!(world.balance("cash"), -cash, "cash is what was paid and did not come back");
    let came: Vec<String> = world.mail.journal().iter().map(|mail| text(mail, "message_id")).collect();
    for (id, must) in &letters {
        let times = came.iter().filter(|one| *one == id).count();
        assert!(times == 1 || (times == 0 && !must), "{id} came {times} times");
    }
    assert!(came.iter().all(|one| letters.iter().any(|(id, _)| id == one)), "nobody else was told anything: {came:?}");
    stopped
}

each_engine!(each_fault_ends_where_it_must);
