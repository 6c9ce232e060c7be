//! Decisions by signed webhook: each message has its effect once and is answered as the first time, a refusal too.

use std::net::TcpStream;

use serde_json::{Value, json};
use tributary::adapters::standard_webhooks::SigningKeys;
use tributary::clock;

use crate::app::Engine;
use crate::approval_world::{self, NOW, SERVED, SERVED_LATER, everything, of_claims};
use crate::database::assert_same;
use crate::world::World;

const SECRET: &str = "whsec_ZGVjaXNpb25zIG9mIHRlc3RzLCBub3RoaW5nIGVsc2U=";

struct Sender<'a> {
    world: &'a World,
    keys: SigningKeys,
}

impl Sender<'_> {
    fn new(world: &World) -> Sender<'_> {
        Sender { world, keys: SigningKeys::parse(SECRET).expect("a key") }
    }

    fn send(&self, id: &str, body: &str) -> (u16, Value) {
        let now_s = clock::wall_seconds();
        self.send_signed(id, body, now_s, &self.keys.sign(id, now_s, body.as_bytes()).expect("a signature"))
    }

    fn send_signed(&self, id: &str, body: &str, at_s: i64, signature: &str) -> (u16, Value) {
        use std::io::{Read as _, Write as _};
        let port = self.world.port;
        let request = format!(
            "POST /webhooks/decisions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             webhook-id: {id}\r\nwebhook-timestamp: {at_s}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }
}

fn yes(claim: &str, by: &str, digest: &str) -> String {
    body(claim, by, digest, &json!({ "decision": "approve" }))
}

fn body(claim: &str, by: &str, digest: &str, more: &Value) -> String {
    let mut data = json!({ "claim": claim, "by": by, "digest": digest });
    data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({ "type": "claim.decided", "timestamp": NOW, "data": data }).to_string()
}

fn messages_decide_once_and_are_answered_as_the_first_time(engine: Engine) {
    let mut world = approval_world::world(engine);
    world.submit_at(NOW, "CL-1", "webinar", "24000.00", "sue");
    let serving = world.serve_claims(SERVED);
    let unknown = Sender::new(&world).send("evt_0", &yes("CL-1", "jo", &world.digest("CL-1")));
    assert_eq!((unknown.0, &unknown.1["detail"]), (503, &"webhooks.decisions_secret is not set".into()));
    serving.stop();
    world.set("TRIBUTARY_WEBHOOKS__DECISIONS_SECRET", SECRET);
    let serving = world.serve_claims(SERVED);
    let sender = Sender::new(&world);
    let shown = world.digest("CL-1");

    let before = everything(&world.books);
    let message = yes("CL-1", "jo", &shown);
    let now_s = clock::wall_seconds();
    assert_eq!(sender.send_signed("evt_1", &message, now_s, "v1,AAAA").0, 401);
    let stale = now_s - 3_600;
    assert_eq!(sender.send_signed("evt_1", &message, stale, &sender.keys.sign("evt_1", stale, message.as_bytes()).expect("a signature")).0, 401);
    let payouts = SigningKeys::parse(crate::provider::CALLBACK_SECRET).expect("a key");
    assert_eq!(sender.send_signed("evt_1", &message, now_s, &payouts.sign("evt_1", now_s, message.as_bytes()).expect("a signature")).0, 401);
    let without = json!({ "type": "claim.decided", "data": { "claim": "CL-1", "by": "jo", "decision": "approve" } }).to_string();
    let (status, problem) = sender.send("evt_1", &without);
    assert!(status == 400 && problem["detail"].as_str().is_some_and(|detail| detail.contains("digest")), "{problem}");
    assert_same(&before, &everything(&world.books), "messages that are not believed or not understood");

    let lower = body("CL-1", "jo", &shown, &json!({ "decision": "approve", "amount": "11000.00", "reason": "less" }));
    let first = sender.send("evt_1", &lower);
    assert_eq!((first.0, &first.1["amount"], &first.1["claim_status"]), (200, &"11000.00".into(), &"awaiting_approval".into()));
    world.until_asked("CL-1", "finance");
    let before = of_claims(&world.books);
    assert_eq!(sender.send("evt_1", &lower), first, "a repeat");
    let (status, problem) = sender.send("evt_1", &yes("CL-1", "fi", &world.digest("CL-1")));
    assert_eq!((status, &problem["code"]), (422, &"repeated-with-other-body".into()));
    // The lower amount is another claim to decide about.
    let (status, problem) = sender.send("evt_2", &yes("CL-1", "fi", &shown));
    assert_eq!((status, &problem["code"], &problem["reason"]), (422, &"decision-refused".into(), &"stale".into()));
    let without_events = |rows: Vec<String>| rows.into_iter().filter(|row| !row.starts_with("decision_events ")).collect::<Vec<_>>();
    assert_same(&without_events(before), &without_events(of_claims(&world.books)), "what did not count");

    // A refusal is remembered, though it would count now.
    let early = yes("CL-1", "fi", &world.digest("CL-1"));
    assert_eq!(sender.send("evt_2", &early).1["code"], "repeated-with-other-body");
    assert_eq!(sender.send("evt_3", &early).1["claim_status"], "approved");
    assert_eq!(sender.send("evt_2", &yes("CL-1", "fi", &shown)), (status, problem), "the refusal is answered again");
    world.until("the claim is paid", |books| books.number("SELECT COUNT(*) FROM claims WHERE status = 'paid'") == 1 && world.is_at_rest());
    assert_eq!(world.count("claim_decisions WHERE via = 'webhook'"), 2);
    let paid: Vec<_> = world.provider_journal().into_iter().filter(|event| event["event"] == "paid").map(|event| event["amount"].clone()).collect();
    assert_eq!(paid, ["11000.00"]);
    assert_eq!(sender.send("evt_1", &lower), first, "a late repeat");
    serving.stop();
    world.assert_sound();
}

fn what_may_not_count_is_refused_with_its_reason(engine: Engine) {
    let mut world = approval_world::world(engine);
    world.set("TRIBUTARY_WEBHOOKS__DECISIONS_SECRET", SECRET);
    world.submit_at(NOW, "CL-1", "webinar", "24000.00", "sue");
    world.submit_at(NOW, "CL-2", "webinar", "2000.00", "al");
    world.submit_at(NOW, "CL-3", "expo", "2000.00", "bob");
    world.ok_at(NOW, "user add --id gone --email gone@example.com --role channel_manager");
    world.ok_at(NOW, "user disable gone --reason left");
    let serving = world.serve_claims(SERVED);
    let sender = Sender::new(&world);
    let digests = ["CL-1", "CL-2", "CL-3"].map(|claim| world.digest(claim));
    let refused = |sender: &Sender<'_>, id: &str, message: &str, reason: &str| {
        let before = of_claims(&world.books);
        let answer = sender.send(id, message);
        assert_eq!((answer.0, answer.1["reason"].as_str()), (422, Some(reason)), "{id}: {answer:?}");
        assert!(answer.1["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{answer:?}");
        assert_eq!(sender.send(id, message), answer, "a refusal is answered again");
        let kept: Vec<_> = of_claims(&world.books).into_iter().filter(|row| !(row.starts_with("decision_events ") && row.contains(id))).collect();
        assert_same(&before, &kept, reason);
    };
    for (id, message, reason) in [
        ("evt_a", yes("CL-2", "al", &digests[1]), "submitter"),
        ("evt_b", yes("CL-1", "pat", &digests[0]), "beneficiary"),
        ("evt_c", yes("CL-1", "fi", &digests[0]), "out-of-order"),
        ("evt_d", yes("CL-3", "fi", &digests[2]), "not-asked"),
        ("evt_e", yes("CL-1", "gone", &digests[0]), "disabled"),
        ("evt_f", yes("CL-1", "jo", &digests[1]), "stale"),
        ("evt_g", yes("CL-9", "jo", &digests[0]), "no-such-claim"),
        ("evt_h", yes("CL-1", "nobody", &digests[0]), "no-such-person"),
        ("evt_i", body("CL-1", "jo", &digests[0], &json!({ "decision": "approve", "amount": "12000.01" })), "raised"),
        ("evt_j", body("CL-1", "jo", &digests[0], &json!({ "decision": "approve", "amount": "1e3" })), "amount"),
        ("evt_k", body("CL-1", "jo", &digests[0], &json!({ "decision": "reject" })), "reason-or-text"),
        ("evt_l", body("CL-1", "jo", &digests[0], &json!({ "decision": "reject", "reason": "no", "amount": "1.00" })), "amount"),
    ] {
        refused(&sender, id, &message, reason);
    }
    assert_eq!(sender.send("evt_m", &yes("CL-1", "al", &digests[0])).0, 200);
    world.until_asked("CL-1", "finance");
    refused(&sender, "evt_n", &yes("CL-1", "al", &world.digest("CL-1")), "same-person");
    let no = body("CL-3", "jo", &digests[2], &json!({ "decision": "reject", "reason": "not ours" }));
    assert_eq!(sender.send("evt_o", &no).1["claim_status"], "rejected");
    refused(&sender, "evt_p", &yes("CL-3", "al", &digests[2]), "not-waiting");
    serving.stop();

    world.submit_at(NOW, "CL-5", "webinar", "2000.00", "sue");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-5", "channel_manager");
    serving.stop();
    let serving = world.serve_claims(SERVED_LATER);
    world.until_asked("CL-5", "channel_chief");
    let (sender, digest) = (Sender::new(&world), world.digest("CL-5"));
    refused(&sender, "evt_q", &yes("CL-5", "jo", &digest), "after-deadline");
    assert_eq!(sender.send("evt_r", &yes("CL-5", "chief", &digest)).0, 200);
    serving.stop();
    world.assert_sound();
}

each_engine!(messages_decide_once_and_are_answered_as_the_first_time, what_may_not_count_is_refused_with_its_reason);
