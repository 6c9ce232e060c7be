//! Payouts from the settlement to the provider's last word: what the books hold at each step, whoever says what in which order.

use books::payouts::inbound::{self, Message};
use books::payouts::intend::{self as admit, Names, Purpose};
use books::payouts::limits::{Cap, Limits};
use books::payouts::record::Source;
use books::payouts::request::Again;
use books::payouts::{PayoutError, due, record, request as requests, retry};
use program::payout::{HeldFor, Payout, Ruling, State, Word};
use serde_json::Value;

use crate::app::App;
use crate::broken_books::{PROGRAMME, three_months};
use crate::library::{RUNTIME, act, balances, day, destination, hear, id, intend, of, open, people, reconsider, request, said, try_intend};
use crate::seeded::Seeded;

/// Three months with people and a destination for acme.
fn ready(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
}

fn status_of(app: &App, partner: &str, month: &str) -> String {
    shown(app, partner, month)["status"].as_str().expect("a status").to_owned()
}

fn shown(app: &App, partner: &str, month: &str) -> Value {
    app.json(&format!("settlement show --program p --partner {partner} --period {month} --currency USD --json"))
}

fn retry_as(app: &App, failed: u64, number: u64) -> Result<Payout, PayoutError> {
    let (failed, id, key) = (id(failed), id(number), format!("key-{number}"));
    act(app, async |tx| retry::retry(tx, &failed, Names { id: &id, key: &key, workflow: None }, "fin", day(0), &Limits::default()).await)
}

fn a_settlement_is_paid_and_says_so(app: &App) {
    ready(app);
    let before = shown(app, "acme", "2026-04");
    assert_eq!(before["status"], "final");
    let period = "2026-04".parse().expect("a period");
    let found = act(app, async |tx| due::due(tx, "p", period).await).expect("what is due");
    let acme = found.iter().find(|due| &*due.partner == "acme").expect("acme is due");
    assert_eq!((acme.currency.code(), acme.amount_minor, acme.reference().as_str()), ("USD", 15_000, "p/2026-04/acme/USD"));
    assert!(found.iter().all(|due| &*due.partner != "beta"), "beta's balance is below the minimum: {found:?}");
    let owed = balances(app, "acme")[0];

    let payout = intend(app, of("acme", "2026-04"), 1);
    assert_eq!(payout.state, State::Intended);
    let body: Value = serde_json::from_str(payout.request.as_deref().expect("bytes")).expect("JSON");
    assert_eq!((&body["data"]["amount"], &body["data"]["destination"]["token"]), (&"150.00".into(), &"tok_acme_0001".into()));
    assert_eq!(balances(app, "acme"), [owed, 0, 0]);
    assert_eq!(status_of(app, "acme", "2026-04"), "paying");
    assert!(act(app, async |tx| due::due(tx, "p", period).await).expect("what is due").iter().all(|due| &*due.partner != "acme"));

    let requested = request(app, 1, "webhook");
    assert_eq!((&requested.state, requested.attempts, &requested.request), (&State::Requested, 1, &payout.request));
    assert_eq!(balances(app, "acme"), [owed + 15_000, -15_000, 0]);
    assert_eq!(request(app, 1, "webhook"), requested, "requesting again changes nothing");
    let accepted = hear(app, 1, crate::library::said(Word::Accepted, Source::Answer));
    assert_eq!(accepted.1, Ruling::Confirms);
    let (paid, ruling) = hear(app, 1, said(Word::Paid, Source::LookUp));
    assert_eq!((&paid.state, ruling), (&State::Paid, Ruling::Moves));
    assert_eq!(balances(app, "acme"), [owed + 15_000, 0, -15_000]);

    let after = shown(app, "acme", "2026-04");
    assert_eq!(after["status"], "paid");
    let mut as_before = after.clone();
    as_before["status"] = "final".into();
    assert_eq!(as_before, before, "byte for byte but for the status");
    let again = app.json("settle --program p --period 2026-04 --json");
    assert!(again["settlements"].as_array().expect("a list").contains(&after));

    let listed = app.json("payout list --json");
    assert_eq!((&listed["payouts"][0]["status"], &listed["payouts"][0]["idempotency_key"]), (&"paid".into(), &"key-1".into()));
    assert!(!app.ok("payout list --json").stdout_text().contains("tok_acme"), "accounts are not listed");
    assert!(!app.ok(&format!("payout show {}", id(1))).stdout_text().contains("tok_acme"));
    let log = app.access().texts("SELECT act || ' ' || detail FROM audit_log WHERE subject LIKE 'payout/%' ORDER BY no");
    assert!(["intended", "requested", "paid"].iter().all(|act| log.iter().any(|row| row.starts_with(&format!("payout.{act} ")))), "{log:?}");
    assert!(log.iter().all(|row| !row.contains("tok_acme")), "{log:?}");
    app.assert_verified();
    assert_eq!(app.access().number("SELECT COUNT(*) FROM audit_pending"), 0);
}

fn accruals_and_exports_tell_what_was_paid(app: &App) {
    ready(app);
    let payable = |json: &Value, partner: &str| {
        let list = json["accruals"].as_array().or_else(|| json["owed"].as_array()).expect("a list").clone();
        list.iter().filter(|row| row["partner"] == partner && row["currency"] == "USD").map(|row| row["payable"].clone()).next()
    };
    let before = app.json("export accruals --as-of 2027-01-15 --json");
    intend(app, of("acme", "2026-04"), 1);
    request(app, 1, "webhook");
    hear(app, 1, said(Word::Paid, Source::Webhook));
    let after = app.json("export accruals --as-of 2027-01-15 --json");
    let minor = |value: Option<Value>| -> i64 {
        value.and_then(|value| value.as_str().map(|text| text.replace('.', "").parse().expect("an amount"))).unwrap_or(0)
    };
    assert_eq!(minor(payable(&before, "acme")) - minor(payable(&after, "acme")), 15_000, "{before}\n{after}");
    assert_eq!(app.json("export accruals --as-of 2027-01-14 --json"), {
        let mut as_of = before.clone();
        as_of["as_of"] = "2027-01-14".into();
        as_of
    });
    let earnings = app.json("export earnings --year 2027 --json");
    let paid = serde_json::json!([{ "partner": "acme", "name": "Acme", "currency": "USD", "payouts": 1, "paid": "150.00", "returned": "0.00", "net": "150.00" }]);
    assert_eq!(earnings["earnings"], paid);
    assert_eq!(app.json("export earnings --year 2026 --json")["earnings"], serde_json::json!([]));
    hear(app, 1, said(Word::Failed, Source::Webhook));
    let returned = app.json("export earnings --year 2027 --json");
    assert_eq!((&returned["earnings"][0]["returned"], &returned["earnings"][0]["net"]), (&"150.00".into(), &"0.00".into()));
    let csv = app.ok("export payouts --format csv").stdout_text();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heads: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let cell = |name: &str| rows[0][heads.iter().position(|head| head == name).expect("a column")].to_owned();
    assert_eq!((rows.len(), cell("status"), cell("amount"), cell("reason")), (1, "failed".into(), "150.00".into(), "told so".into()));
    assert!(!csv.contains("tok_acme"));
    assert_eq!(app.ok("export payouts --format csv --status paid").stdout_text().lines().count(), 1);
    for format in ["csv", "beancount", "hledger"] {
        app.ok(&format!("export journal --format {format}"));
    }
}

fn a_failed_payout_is_retried_by_a_new_one(app: &App) {
    ready(app);
    intend(app, of("acme", "2026-04"), 1);
    request(app, 1, "webhook");
    let owed = balances(app, "acme");
    assert!(matches!(retry_as(app, 1, 2), Err(PayoutError::Illegal { .. })), "what is under way is not retried");
    hear(app, 1, said(Word::Paid, Source::Answer));
    hear(app, 1, said(Word::Failed, Source::Webhook));
    assert_eq!(balances(app, "acme"), [owed[0] - 15_000, 0, 0]);
    assert_eq!(status_of(app, "acme", "2026-04"), "failed");
    let transactions = app.access().texts("SELECT id FROM transactions WHERE id LIKE 'payout/%' ORDER BY id");
    let moves = ["failed", "paid", "requested", "returned"].map(|one| format!("payout/{}/{one}", id(1)));
    assert_eq!(transactions, moves);

    assert!(matches!(try_intend(app, of("acme", "2026-04"), 2, day(0), &Limits::default()), Err(PayoutError::FailedBefore { .. })));
    let second = retry_as(app, 1, 2).expect("a retry");
    assert_eq!((second.retried_from.as_ref(), &second.state, &*second.idempotency_key), (Some(&id(1)), &State::Intended, "key-2"));
    assert_eq!(retry_as(app, 1, 3).expect("the same retry"), second, "a payout is retried once");
    assert_eq!(status_of(app, "acme", "2026-04"), "paying");
    request(app, 2, "webhook");
    // A late word about the first one, beside the second: kept, and nothing moves.
    let (first, ruling) = hear(app, 1, said(Word::Paid, Source::Webhook));
    assert_eq!((first.state.name(), ruling), ("failed", Ruling::Contradicts));
    hear(app, 2, said(Word::Paid, Source::Answer));
    assert_eq!(balances(app, "acme"), [owed[0], 0, -15_000]);
    assert_eq!(status_of(app, "acme", "2026-04"), "paid");
    let listed = app.json("payout list --json");
    assert_eq!(listed["exceptions"].as_array().map(Vec::len), Some(1), "{listed}");
    let before = app.access().dump();
    assert_eq!(hear(app, 1, said(Word::Paid, Source::LookUp)).1, Ruling::Contradicts);
    crate::database::assert_same(&before, &app.access().dump(), "the same contradiction, asked for again");
    assert!(app.ok("payout list").stdout_text().contains("look at:"));
}

fn words_come_early_twice_and_about_nothing(app: &App) {
    ready(app);
    let digest = "sha256:0";
    let tell = |event: &str, number: u64, word: Word, body: &str| {
        let (payout, body) = (id(number).to_string(), format!("{digest}{body}"));
        let message =
            Message { provider: "webhook", event, body_digest: &body, payout: &payout, word: Some(word), provider_id: Some("po_1"), reason: None };
        act(app, async |tx| inbound::record(tx, &message, day(0)).await).expect("a message is recorded")
    };
    // Nobody knows the payout yet: parked and visible.
    assert_eq!((tell("ev1", 1, Word::Paid, "a").text.as_str(), balances(app, "acme")[2]), ("parked", 0));
    assert_eq!(app.json("payout list --json")["exceptions"][0]["what"], "parked");
    assert_eq!(act(app, async |tx| inbound::retry_parked(tx, 100, day(0)).await).expect("a look"), 0);
    app.assert_verified();
    // It is intended, its own answer has not come: the word is early and counts.
    intend(app, of("acme", "2026-04"), 1);
    assert_eq!(act(app, async |tx| inbound::retry_parked(tx, 100, day(0)).await).expect("a look"), 1);
    assert_eq!(status_of(app, "acme", "2026-04"), "paid");
    let books = balances(app, "acme");
    assert_eq!((books[1], books[2]), (0, -15_000));
    // Twice: nothing, and the first answer, whatever the body.
    for (body, is_other) in [("a", false), ("b", true)] {
        let again = tell("ev1", 1, Word::Failed, body);
        assert_eq!((again.text.as_str(), again.is_repeat, again.is_other_body), ("parked", true, is_other));
    }
    // Our own request comes after the word: it finds the end.
    assert_eq!(request(app, 1, "webhook").state, State::Paid);
    assert_eq!(act(app, async |tx| requests::mark_unknown(tx, &id(1), "timeout", day(0)).await).expect("nothing").state, State::Paid);
    assert_eq!(hear(app, 1, said(Word::Accepted, Source::Answer)).1, Ruling::Stale);
    // Another object of the provider for the same payout, and the same object for another payout.
    let other = inbound_of(app, 1, "ev2", "po_2");
    assert_eq!(other, "applied");
    intend(app, of("acme", "2026-05"), 2);
    assert_eq!(inbound_of(app, 2, "ev3", "po_1"), "applied");
    assert_eq!(balances(app, "acme"), books);
    assert_eq!(app.json("payout list --json")["exceptions"].as_array().map(Vec::len), Some(2));
    assert_eq!(app.access().texts("SELECT effect FROM inbound_events ORDER BY event"), ["moved", "contradicted", "contradicted"]);
}

/// A message of a type that nobody here knows is parked, as it is answered, and stays for a person whatever its payout does.
fn what_is_not_understood_is_parked(app: &App) {
    ready(app);
    intend(app, of("acme", "2026-04"), 1);
    let payout = id(1).to_string();
    let message = Message {
        provider: "webhook",
        event: "ev1",
        body_digest: "d",
        payout: &payout,
        word: None,
        provider_id: None,
        reason: Some("payout.reviewed"),
    };
    for is_repeat in [false, true] {
        let answer = act(app, async |tx| inbound::record(tx, &message, day(0)).await).expect("a message is recorded");
        assert_eq!((answer.text.as_str(), answer.is_repeat), ("parked", is_repeat));
    }
    let listed = app.json("payout list --json");
    let exception = &listed["exceptions"][0];
    assert_eq!((&exception["what"], &exception["payout"]), (&"parked".into(), &payout.as_str().into()), "{listed}");
    assert!(exception["reason"].as_str().is_some_and(|reason| reason.contains("payout.reviewed")), "{listed}");
    assert_eq!(act(app, async |tx| inbound::retry_parked(tx, 100, day(0)).await).expect("a look"), 0);
    app.ok(&format!("payout close-exception {} --by fin --reason read", exception["id"].as_str().expect("an id")));
    assert_eq!(app.json("payout list --json")["exceptions"], serde_json::json!([]));
    app.assert_verified();
}

fn inbound_of(app: &App, number: u64, event: &str, object: &str) -> String {
    let payout = id(number).to_string();
    let message =
        Message { provider: "webhook", event, body_digest: "d", payout: &payout, word: Some(Word::Paid), provider_id: Some(object), reason: None };
    act(app, async |tx| inbound::record(tx, &message, day(0)).await).expect("a message is recorded").text
}

fn what_is_unknown_keeps_its_bytes_and_key(app: &App) {
    ready(app);
    let payout = intend(app, of("acme", "2026-04"), 1);
    assert_eq!(act(app, async |tx| requests::again(tx, &id(1), day(0)).await).expect("no"), Again::No);
    request(app, 1, "webhook");
    let in_transit = balances(app, "acme");
    let unknown = act(app, async |tx| requests::mark_unknown(tx, &id(1), "timeout", day(0)).await).expect("unknown");
    assert_eq!(unknown.state, State::Unknown { reason: "timeout".into() });
    assert_eq!(balances(app, "acme"), in_transit, "nothing is posted before the provider's word");
    let send = Again::Send { key: payout.idempotency_key.clone(), body: payout.request.clone().expect("bytes"), revision: unknown.revision + 1 };
    assert_eq!(act(app, async |tx| requests::again(tx, &id(1), day(0)).await).expect("again"), send);
    app.ok("payout pause --by op --reason drill");
    assert_eq!(act(app, async |tx| requests::again(tx, &id(1), day(0)).await).expect("paused"), Again::Paused);
    app.ok("payout resume --by fin --reason over");
    assert_eq!(hear(app, 1, said(Word::NotFound, Source::LookUp)).1, Ruling::Confirms);
    hear(app, 1, said(Word::Failed, Source::LookUp));
    assert_eq!(balances(app, "acme")[1..], [0, 0]);
    assert_eq!(app.json(&format!("payout show {} --json", id(1)))["attempts"], 2);
}

fn each_reason_holds_and_lets_go(app: &App) {
    three_months(app);
    people(app);
    let none = Limits::default();
    let held = |payout: &Payout| match payout.state {
        State::Held(reason) => reason,
        State::Intended | State::Requested | State::Unknown { .. } | State::Paid | State::Failed { .. } => panic!("{payout:?} is not held"),
    };
    let first = intend(app, of("acme", "2026-04"), 1);
    assert_eq!((held(&first), first.request.as_deref()), (HeldFor::NoDestination, None));
    assert_eq!(status_of(app, "acme", "2026-04"), "paying");
    app.ok("payout destination add --partner acme --currency USD --name Acme --iban DE89370400440532013000 --bic COBADEFF --by op");
    assert_eq!(held(&reconsider(app, 1, day(0), &none)), HeldFor::NoDestination, "one person is not enough");
    let waiting = app.json("payout destination list --json")["destinations"][0]["id"].as_str().expect("an id").to_owned();
    app.refused(&format!("payout destination approve {waiting} --by op"));
    app.ok(&format!("payout destination approve {waiting} --by fin"));
    assert_eq!(held(&reconsider(app, 1, day(0), &none)), HeldFor::CoolingOff);
    assert_eq!(held(&reconsider(app, 1, day(1), &none)), HeldFor::CoolingOff);
    app.refused(&format!("payout release {} --by op", id(1)));
    let released = app.json(&format!("payout release {} --by fin --json", id(1)));
    assert_eq!((&released["status"], &released["reason"]), (&"held".into(), &"cooling_off".into()), "finance overrides caps alone");

    let usd = "USD".parse().expect("a currency");
    let small = Limits { payout: Cap::default().with(usd, 14_999), ..Limits::default() };
    app.ok("payout pause --by op --reason drill");
    assert_eq!(held(&reconsider(app, 1, day(3), &small)), HeldFor::Paused, "it was released over the caps");
    app.ok("payout resume --by op --reason over");
    let admitted = reconsider(app, 1, day(3), &small);
    assert_eq!((&admitted.state, admitted.released_by.as_deref()), (&State::Intended, Some("fin")));
    assert_eq!(reconsider(app, 1, day(3), &small), admitted);

    let second = try_intend(app, of("acme", "2026-05"), 2, day(3), &small).expect("a payout");
    assert_eq!(held(&second), HeldFor::Cap);
    assert_eq!(held(&reconsider(app, 2, day(3), &Limits { day: Cap::default().with(usd, 38_000), ..Limits::default() })), HeldFor::Cap);
    let partner_day = Limits { partner_day: Cap::of_any("380".parse().expect("a figure")), ..Limits::default() };
    assert_eq!(held(&reconsider(app, 2, day(3), &partner_day)), HeldFor::Cap, "150.00 of the day are taken");
    assert_eq!(reconsider(app, 2, day(4), &partner_day).state, State::Intended, "the next day has room");

    app.ok("settlement hold --program p --partner acme --period 2026-05 --reason dispute --by fin");
    assert_eq!(app.json(&format!("payout show {} --json", id(2)))["reason"], "by_hand");
    app.ok("settlement unhold --program p --partner acme --period 2026-05 --reason settled --by fin");
    assert_eq!(reconsider(app, 2, day(4), &none).state, State::Intended);
    // The pause holds what is intended at the moment of its request.
    app.ok("payout pause --by fin --reason drill");
    let paused = act(app, async |tx| requests::request(tx, &id(2), "webhook", day(4)).await).expect("held");
    assert_eq!(held(&paused), HeldFor::Paused);
    assert_eq!(balances(app, "acme")[1], 0);
    app.ok("payout resume --by fin --reason over");
    let asked = reconsider(app, 2, day(4), &none);
    assert_eq!(asked.request, paused.request, "the bytes stay");
    // Another destination comes into force before the request leaves: these bytes never leave.
    destination(app, "D9", "acme", "tok_acme_0009");
    let withdrawn = act(app, async |tx| requests::request(tx, &id(2), "webhook", day(4)).await).expect("withdrawn");
    assert_eq!(withdrawn.state.name(), "failed");
    assert_eq!(balances(app, "acme")[1..], [0, 0]);
    let next = retry_as(app, 2, 3).expect("a retry");
    assert!(next.request.as_deref().is_some_and(|body| body.contains("tok_acme_0009")));
    request(app, 3, "webhook");
    let late = app.json("settlement hold --program p --partner acme --period 2026-05 --reason late --by fin --json");
    let in_dollars = serde_json::json!([{ "payout": id(3).as_str(), "currency": "USD", "status": "requested" }]);
    assert_eq!((&late["held"], &late["too_late"]), (&true.into(), &in_dollars), "what is owed in euros is held");
}

/// Of settlements in several currencies those are held that still can be.
fn what_waits_is_held_beside_what_is_paid(app: &App) {
    ready(app);
    intend(app, of("acme", "2026-05"), 1);
    request(app, 1, "webhook");
    hear(app, 1, said(Word::Paid, Source::Answer));
    let eur = "EUR".parse().expect("a currency");
    let purpose = Purpose::Settlement { whose: of("acme", "2026-05"), currency: eur };
    let (second, none) = (id(2), Limits::default());
    let names = Names { id: &second, key: "key-2", workflow: None };
    let waits = act(app, async |tx| admit::intend(tx, purpose, names, day(0), &none).await).expect("a payout");
    assert_eq!(waits.state, State::Held(HeldFor::NoDestination));

    let line = "settlement hold --program p --partner acme --period 2026-05 --reason dispute --by fin";
    let said = app.ok(line).stdout_text();
    assert!(said.contains("is held") && said.contains(&format!("not held: in USD, whose payout {} is paid", id(1))), "{said}");
    let again = app.json(&format!("{line} --json"));
    assert_eq!((&again["unchanged"], &again["too_late"][0]["currency"]), (&true.into(), &"USD".into()));
    app.ok("payout destination add --partner acme --currency EUR --name Acme --iban DE89370400440532013000 --bic COBADEFF --by op");
    let waiting = app.json("payout destination list --json")["destinations"].clone();
    let of_euros = waiting.as_array().expect("a list").iter().find(|one| one["currency"] == "EUR").expect("it is listed");
    app.ok(&format!("payout destination approve {} --by fin", of_euros["id"].as_str().expect("an id")));
    assert_eq!(reconsider(app, 2, day(9), &none).state, State::Held(HeldFor::ByHand));

    // Where nothing is left to be held, that is said.
    intend(app, of("acme", "2026-04"), 3);
    request(app, 3, "webhook");
    let said = app.refused("settlement hold --program p --partner acme --period 2026-04 --reason dispute --by fin");
    assert!(said.contains(id(3).as_str()), "{said}");
    app.assert_verified();
}

/// Payouts that were admitted without caps, on the day before or on the same day, go by those of the service and of the day on which they go.
fn caps_are_those_of_the_day_on_which_it_goes(app: &App) {
    ready(app);
    let confirm =
        |number: u64, now, limits: &Limits| act(app, async |tx| admit::confirm(tx, &id(number), now, limits).await).expect("a payout is looked at");
    let usd = "USD".parse().expect("a currency");
    let amounts = [intend(app, of("acme", "2026-04"), 1), intend(app, of("acme", "2026-05"), 2)].map(|payout| payout.amount_minor);
    let one_alone = Limits { day: Cap::default().with(usd, amounts[0].max(amounts[1])), ..Limits::default() };
    // Admitted on another day: the first goes and takes the room of this one.
    let first = confirm(1, day(1), &one_alone);
    assert_eq!((&first.state, first.counted_on), (&State::Intended, Some("2027-01-16".parse().expect("a date"))));
    assert_eq!(confirm(1, day(1), &one_alone), first, "it counts once");
    assert_eq!(confirm(2, day(1), &one_alone).state, State::Held(HeldFor::Cap), "the day has no room for both");
    act(app, async |tx| requests::request(tx, &id(1), "webhook", day(1)).await).expect("it goes");
    assert_eq!(reconsider(app, 2, day(1), &one_alone).state, State::Held(HeldFor::Cap));
    // Admitted on the same day: what is held leaves its room to what fits.
    assert_eq!(reconsider(app, 2, day(2), &Limits::default()).state, State::Intended);
    let third = try_intend(app, of("acme", "2026-06"), 3, day(2), &Limits::default()).expect("a payout");
    let room = Limits { day: Cap::default().with(usd, third.amount_minor), ..Limits::default() };
    assert_eq!(confirm(2, day(2), &room).state, State::Held(HeldFor::Cap));
    assert_eq!(confirm(3, day(2), &room).state, State::Intended, "nothing else goes on that day");
    app.assert_verified();
}

fn suspended_members_and_unreleased_periods_wait(app: &App) {
    app.apply(&PROGRAMME.replace("minimum_payout = \"50.00\"", "release = \"manual\""));
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01\nbeta,Beta,p,base,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at\nA1,c1,acme,USD,1000.00,2026-04-10T10:00:00Z\nB1,c1,beta,USD,90.00,2026-04-11T10:00:00Z",
    );
    app.import("statuses", "partner,program,status,effective_from\nacme,p,suspended,2026-04-25\nacme,p,active,2026-05-02");
    app.settle("p", "2026-04");
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    let period = "2026-04".parse().expect("a period");
    let due_now =
        || act(app, async |tx| due::due(tx, "p", period).await).expect("what is due").iter().map(|due| due.partner.to_string()).collect::<Vec<_>>();
    assert!(due_now().is_empty());
    assert!(matches!(try_intend(app, of("acme", "2026-04"), 1, day(0), &Limits::default()), Err(PayoutError::NotReleased { .. })));
    app.refused("settlement release --program p --period 2026-04 --by op");
    app.refused("settlement release --program p --period 2026-05 --by fin");
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let again = app.json("settlement release --program p --period 2026-04 --by fin2 --json");
    assert_eq!(again["unchanged"], true);
    assert_eq!(due_now(), ["acme", "beta"], "what is held has a payout, too, which says why it waits");
    let acme = intend(app, of("acme", "2026-04"), 1);
    assert_eq!(acme.state, State::Held(HeldFor::Suspended), "a member suspended on the last day is held from the start");
    app.ok("settlement unhold --program p --partner acme --period 2026-04 --reason cleared --by fin");
    app.refused("settlement unhold --program p --partner acme --period 2026-04 --reason again --by fin");
    assert_eq!(reconsider(app, 1, day(0), &Limits::default()).state, State::Intended);
    app.ok("settlement hold --program p --partner beta --period 2026-04 --reason dispute --by fin");
    assert_eq!(intend(app, of("beta", "2026-04"), 2).state, State::Held(HeldFor::ByHand));
    assert!(due_now().is_empty());
    app.refused("settlement hold --program p --partner nobody --period 2026-04 --reason dispute --by fin");
    app.refused("settlement hold --program p --partner beta --period 2026-04 --reason dispute --by nobody");
}

/// What a suspension will hold is not let go before it is made; what somebody holds by hand is.
fn nobody_lets_go_of_what_is_not_made_yet(app: &App) {
    app.apply(PROGRAMME);
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA1,c1,acme,USD,1000.00,2026-04-10T10:00:00Z");
    app.import("statuses", "partner,program,status,effective_from\nacme,p,suspended,2026-04-25\nacme,p,active,2026-06-02");
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    let unhold = |period: &str| format!("settlement unhold --program p --partner acme --period {period} --reason cleared --by fin");
    let refused = app.refused(&unhold("2026-04"));
    assert!(refused.contains("has no settlement") && refused.contains("settle the period first"), "{refused}");
    app.settle("p", "2026-04");
    assert_eq!(intend(app, of("acme", "2026-04"), 1).state, State::Held(HeldFor::Suspended));
    app.ok(&unhold("2026-04"));
    assert_eq!(reconsider(app, 1, day(0), &Limits::default()).state, State::Intended);
    app.ok("settlement hold --program p --partner acme --period 2026-06 --reason dispute --by fin");
    app.ok(&unhold("2026-06"));
}

fn finance_marks_what_it_pays_itself(app: &App) {
    ready(app);
    intend(app, of("acme", "2026-04"), 1);
    app.refused(&format!("payout mark-paid {} --by fin --reason transfer-1", id(1)));
    request(app, 1, "manual");
    app.refused(&format!("payout mark-paid {} --by op --reason transfer-1", id(1)));
    let paid = app.json(&format!("payout mark-paid {} --by fin --reason transfer-1 --json", id(1)));
    assert_eq!(paid["status"], "paid");
    let books = app.access().dump();
    app.ok(&format!("payout mark-paid {} --by fin --reason transfer-1", id(1)));
    crate::database::assert_same(&books, &app.access().dump(), "marking it again");
    app.ok(&format!("payout mark-failed {} --by fin2 --reason returned", id(1)));
    assert_eq!(balances(app, "acme")[1..], [0, 0]);
    app.refused(&format!("payout mark-paid {} --by fin --reason transfer-2", id(1)));
    intend(app, of("acme", "2026-05"), 2);
    request(app, 2, "webhook");
    let said = app.refused(&format!("payout mark-paid {} --by fin --reason transfer-1", id(2)));
    assert!(said.contains("webhook"), "{said}");
    let acts =
        app.access().texts("SELECT act || ' ' || COALESCE(actor, '') FROM audit_log WHERE actor LIKE 'fin%' AND act LIKE 'payout.%' ORDER BY no");
    assert_eq!(acts, ["payout.paid fin", "payout.failed fin2"]);
}

/// Many hands at once make one payout.
fn two_at_once_make_one_payout(app: &App) {
    ready(app);
    let made: Vec<Payout> = RUNTIME.block_on(async {
        let tasks: Vec<_> = (1..=8)
            .map(|number| {
                let url = app.url();
                tokio::spawn(async move {
                    let books = open(&url).await;
                    let tx = books.begin_write().await.expect("a transaction begins");
                    let (id, key) = (id(number), format!("key-{number}"));
                    let purpose = Purpose::Settlement { whose: of("acme", "2026-04"), currency: "USD".parse().expect("a currency") };
                    let made = admit::intend(&tx, purpose, Names { id: &id, key: &key, workflow: None }, day(0), &Limits::default()).await;
                    tx.commit().await.expect("a transaction is committed");
                    made.expect("a payout")
                })
            })
            .collect();
        let mut made = Vec::new();
        for task in tasks {
            made.push(task.await.expect("a task ends"));
        }
        books::audit::seal::seal_all(&open(&app.url()).await, day(0)).await.expect("sealed");
        made
    });
    assert!(made.iter().all(|payout| *payout == made[0]), "{made:?}");
    assert_eq!(app.access().number("SELECT COUNT(*) FROM payouts"), 1);
    // The constraints alone refuse a second live one.
    let second = format!(
        "INSERT INTO payouts (id, kind, reference, program, partner, period, amount_minor, currency, status, reason, idempotency_key, intended_at, revision) \
         SELECT '{}', kind, reference || 'x', program, partner, period, amount_minor, currency, 'held', 'paused', 'k', intended_at, 1 FROM payouts",
        id(99)
    );
    assert!(app.access().try_execute(&second).is_err());
    assert!(app.access().try_execute(&second.replace("reference || 'x'", "reference")).is_err());
}

/// Random words and acts: whatever happens, the ledger stands where the payout does.
fn any_order_of_words_leaves_the_ledger_right(app: &App) {
    ready(app);
    let mut random = Seeded::new(0x0005_e771_ed11);
    let start = balances(app, "acme");
    let (mut number, mut moved) = (1, 0);
    intend(app, of("acme", "2026-04"), number);
    for step in 0..120 {
        let word = Word::ALL[random.index(4)];
        let source = [Source::Answer, Source::Webhook, Source::LookUp][random.index(3)];
        match random.index(8) {
            0 | 1 => drop(request(app, number, "webhook")),
            2 => drop(act(app, async |tx| requests::mark_unknown(tx, &id(number), "timeout", day(0)).await)),
            3 => drop(act(app, async |tx| requests::again(tx, &id(number), day(0)).await)),
            _ => moved += usize::from(hear(app, number, said(word, source)).1 == Ruling::Moves),
        }
        let payout = act(app, async |tx| record::find(tx, &id(number)).await).expect("a look").expect("a payout");
        let stands = match payout.state {
            State::Intended | State::Held(_) | State::Failed { .. } => [0, 0, 0],
            State::Requested | State::Unknown { .. } => [15_000, -15_000, 0],
            State::Paid => [15_000, 0, -15_000],
        };
        let now = balances(app, "acme");
        assert_eq!([now[0] - start[0], now[1] - start[1], now[2] - start[2]], stands, "step {step}: {payout:?}");
        if matches!(payout.state, State::Failed { .. }) && random.index(3) == 0 {
            number += 1;
            retry_as(app, number - 1, number).expect("a retry");
        }
    }
    assert!(moved > 10 && number > 3, "{moved} words moved something, {number} payouts");
}

on_both_databases!(
    a_settlement_is_paid_and_says_so,
    accruals_and_exports_tell_what_was_paid,
    a_failed_payout_is_retried_by_a_new_one,
    words_come_early_twice_and_about_nothing,
    what_is_not_understood_is_parked,
    what_is_unknown_keeps_its_bytes_and_key,
    each_reason_holds_and_lets_go,
    what_waits_is_held_beside_what_is_paid,
    caps_are_those_of_the_day_on_which_it_goes,
    suspended_members_and_unreleased_periods_wait,
    nobody_lets_go_of_what_is_not_made_yet,
    finance_marks_what_it_pays_itself,
    two_at_once_make_one_payout,
    any_order_of_words_leaves_the_ledger_right,
);
