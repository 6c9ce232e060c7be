//! Claims are approved by mail links: the link shows nothing and decides nothing by itself, a code from a mail opens a session, and only a
//! form of that session decides, about what it showed.

use crate::app::Engine;
use crate::approval_world::{self, HOSTILE_FILE, NOW, SERVED, everything};
use crate::database::assert_same;
use crate::visitor::{Visitor, codes, links};
use crate::world::World;

/// What any page must say of itself.
fn assert_guarded(page: &crate::visitor::Page) {
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in
        [("referrer-policy", "no-referrer"), ("x-frame-options", "DENY"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
    {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert!(!page.text.contains("<script") && !page.text.contains("<img") && !page.text.contains(" onerror=alert(2)>"), "{}", page.text);
}

/// What scanners of mail do: open every link, any way they like, with whatever they find there, but press nothing.
fn scan(world: &World, mails: &[serde_json::Value]) -> usize {
    let mut opened = 0;
    for link in mails.iter().flat_map(links) {
        let mut scanner = Visitor::new(world, "nobody");
        for method in ["GET", "HEAD", "GET", "OPTIONS"] {
            let page = scanner.ask(method, &link, &[]);
            assert!(page.status == 200 || method == "OPTIONS", "{method} {link}: {}", page.status);
            if method == "GET" {
                assert_guarded(&page);
            }
        }
        assert!(scanner.cookies.is_empty(), "a look leaves no cookie");
        let (place, carried) = link.split_once('?').expect("a link carries something");
        assert!(carried.starts_with("from=") && carried.len() == 5 + 64, "{link}");
        for end in ["/code", "/session", "/decision", "/proofs/sha256:00"] {
            let page = scanner.get(&format!("{place}{end}?{carried}"));
            assert!([405, 403].contains(&page.status), "{link}{end}: {}", page.status);
        }
        opened += 1;
    }
    opened
}

fn a_claim_is_approved_by_mail_links_and_paid(engine: Engine) {
    let world = approval_world::world(engine);
    world.submit_with_proof("CL-1", "50000.00");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-1", "channel_manager");

    let asked = world.mails_to("jo");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let link = links(&asked[0]).concat();
    assert_eq!(link.split_once("?from=").map(|(place, _)| place), Some(format!("{}/approvals/CL-1", world.url()).as_str()), "{link}");
    for part in ["text", "html", "subject"] {
        let text = asked[0][part].as_str().expect("text");
        assert!(part != "html" || !(text.contains("<script") || text.contains("<img")), "{text}");
        assert!(!text.contains('\u{202E}') && !text.contains('\u{2067}'), "{text}");
    }

    let before = everything(&world.books);
    assert!(scan(&world, &world.mail.journal()) >= 2, "every approver has a link");
    assert_same(&before, &everything(&world.books), "looking");

    // Of the wrong addresses none is told from the right one, and none gets a mail.
    let mut jo = Visitor::new(&world, "jo");
    let strangers = ["nobody@example.com", "sue@example.com", "fi@example.com", "pat@example.com"];
    let answers: Vec<_> = strangers.iter().map(|email| Visitor::new(&world, "jo").post("/approvals/CL-1/code", &[("email", email)])).collect();
    world.until_logged("approval.code_for_nobody", strangers.len());
    assert_same(&before, &everything(&world.books), "asking for nobody's code");
    let (right, code) = jo.answer_and_code("CL-1");
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (right.status, &right.text));
        assert_eq!(answer.headers.len(), right.headers.len(), "{:?}", answer.headers);
    }
    assert!(
        answers[0].text.contains("If the address is that of somebody who may decide") && strangers.iter().all(|who| !answers[0].text.contains(who))
    );
    let stored = world.books.texts("SELECT code_digest || id FROM approval_codes").concat() + &world.books.texts("SELECT body FROM outbox").concat();
    assert!(!stored.contains(&code) && !stored.contains(&jo.cookies["tributary_code"]), "only digests are stored");

    // The code counts in the browser that asked for it, once.
    let elsewhere = Visitor::new(&world, "jo").post("/approvals/CL-1/session", &[("code", &code)]);
    assert_eq!(elsewhere.status, 403, "{}", elsewhere.text);
    let wrong = jo.post("/approvals/CL-1/session", &[("code", "00000000")]);
    assert!(wrong.status == 403 && wrong.text.contains("This code is wrong"), "{}", wrong.text);
    let asking = jo.cookies.clone();
    let opened = jo.post("/approvals/CL-1/session", &[("code", &format!("{} {}", &code[..4], &code[4..]))]);
    assert_eq!(opened.status, 303, "{}", opened.text);
    let mut again = Visitor::new(&world, "jo");
    again.cookies = asking;
    assert_eq!(again.post("/approvals/CL-1/session", &[("code", &code)]).status, 403, "a code is used up");

    let page = jo.get(&link);
    assert_guarded(&page);
    for part in
        ["25\u{202F}000.00", "50\u{202F}000.00", "&lt;script&gt;alert(1)", "token …", "sue", "finance", "2027-01-17 12:00 UTC", "Signed in as"]
    {
        assert!(page.text.contains(part), "{part} is missing in {}", page.text);
    }
    assert!(!page.text.contains('\u{202E}') && !page.text.contains("token-of-acme") && page.text.contains("{{ 7*7 }}"), "{}", page.text);
    let before = everything(&world.books);
    jo.ask("HEAD", &link, &[]);
    jo.get(&link);
    assert_same(&before, &everything(&world.books), "looking while signed in");

    the_proof_is_a_file(&world, &mut jo, &page);

    // Half of what would be enough for finance: it is asked all the same, about the lower amount.
    jo.form = page.hidden("form");
    let decided = jo.decide_about(
        "CL-1",
        (&page.hidden("digest"), &page.hidden("step")),
        &[("decision", "approve"), ("amount", "20000.00"), ("reason", "room\r\nonly")],
    );
    assert_eq!((decided.status, decided.header("location")), (303, Some("/approvals/CL-1")), "{}", decided.text);
    let page_after = jo.get(&link);
    assert!(page_after.text.contains("You approved 20\u{202F}000.00 USD") && !page_after.has_form(), "{}", page_after.text);
    let twice = jo.decide_about(
        "CL-1",
        (&page.hidden("digest"), &page.hidden("step")),
        &[("decision", "approve"), ("amount", "20000.00"), ("reason", "room only")],
    );
    assert_eq!((twice.status, world.count("claim_decisions")), (303, 1), "the same again is the same: {}", twice.text);

    world.until_asked("CL-1", "finance");
    let mut fi = Visitor::new(&world, "fi");
    let to_fi = world.mails_to("fi");
    assert!(to_fi[0]["subject"].as_str().expect("text").starts_with("20000.00 USD"), "{}", to_fi[0]["subject"]);
    let page = fi.sign_in("CL-1");
    assert!(
        page.text.contains("20\u{202F}000.00") && page.text.contains("lowered from 25\u{202F}000.00") && page.text.contains("“<bdi>room only</bdi>”"),
        "{}",
        page.text
    );
    let decided = fi.decide_about("CL-1", (&page.hidden("digest"), &page.hidden("step")), &[("decision", "approve"), ("amount", ""), ("reason", "")]);
    assert_eq!(decided.status, 303, "{}", decided.text);
    world.until("the claim is paid and told", |books| books.number("SELECT COUNT(*) FROM claims WHERE status = 'paid'") == 1 && world.is_at_rest());
    let paid: Vec<_> = world.provider_journal().into_iter().filter(|event| event["event"] == "paid").collect();
    assert_eq!((paid.len(), &paid[0]["amount"]), (1, &"20000.00".into()));
    let vias = world.books.texts("SELECT person || ' ' || via || ' ' || CAST(amount_minor AS TEXT) FROM claim_decisions ORDER BY ordinal");
    assert_eq!(vias, ["jo page 2000000", "fi page 2000000"]);
    serving.stop();
    world.assert_sound();
}

/// A proof is a file to be kept, for who is signed in.
fn the_proof_is_a_file(world: &World, jo: &mut Visitor<'_>, page: &crate::visitor::Page) {
    let sha256 = world.claim("CL-1")["proofs"][0]["sha256"].as_str().expect("a digest").to_owned();
    let path = format!("/approvals/CL-1/proofs/{sha256}");
    assert!(page.text.replace("&#x2f;", "/").contains(&path), "{}", page.text);
    let proof = jo.get(&path);
    assert_eq!((proof.status, proof.text.as_str()), (200, "what,amount\nroom,1\n"));
    assert_eq!((proof.header("content-type"), proof.header("x-content-type-options")), (Some("text/csv"), Some("nosniff")));
    let disposition = proof.header("content-disposition").expect("a name");
    assert!(disposition.starts_with("attachment; filename=\"in_voice _b onload=alert(3)__fdp.csv\""), "{disposition} of {HOSTILE_FILE}");
    assert_eq!(Visitor::new(world, "jo").get(&path).status, 403, "nobody is signed in");
    assert_eq!(jo.get(&format!("/approvals/CL-1/proofs/sha256:{}", "0".repeat(64))).status, 404);
}

fn codes_are_bounded(engine: Engine) {
    let world = approval_world::world(engine);
    world.submit_at(NOW, "CL-1", "webinar", "5000.00", "sue");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-1", "channel_manager");
    // Five tries, then the right one is too late.
    let mut jo = Visitor::new(&world, "jo");
    let code = jo.code("CL-1");
    let wrong = format!("{:08}", (code.parse::<u32>().expect("digits") + 1) % 100_000_000);
    for _ in 0..5 {
        assert_eq!(jo.post("/approvals/CL-1/session", &[("code", &wrong)]).status, 403);
    }
    assert_eq!(jo.post("/approvals/CL-1/session", &[("code", &code)]).status, 403, "it was tried five times");
    assert_eq!(world.count("approval_sessions"), 0);
    // Five codes within an hour.
    for _ in 0..4 {
        jo.code("CL-1");
    }
    let answer = jo.post("/approvals/CL-1/code", &[("email", "jo@example.com")]);
    world.until_logged("approval.codes_exhausted", 1);
    assert_eq!((answer.status, codes(&world, "jo").len()), (200, 5));
    let others = Visitor::new(&world, "al").sign_in("CL-1");
    assert!(others.has_form(), "others can sign in");
    serving.stop();
    // After its ten minutes a code is nothing.
    let serving = world.serve("2027-01-15T14:00:00Z");
    let mut jo = Visitor::new(&world, "jo");
    let code = jo.code("CL-1");
    let cookies = jo.cookies.clone();
    serving.stop();
    let serving = world.serve("2027-01-15T14:10:30Z");
    let mut late = Visitor::new(&world, "jo");
    late.cookies = cookies;
    assert_eq!(late.post("/approvals/CL-1/session", &[("code", &code)]).status, 403);
    // And so is a session after half an hour.
    let mut al = Visitor::new(&world, "al");
    assert!(al.sign_in("CL-1").has_form());
    serving.stop();
    let serving = world.serve("2027-01-15T14:41:30Z");
    assert!(al.claim("CL-1").text.contains("Send a code"), "the session is over");
    assert_eq!(al.decide("CL-1", &[("decision", "approve")]).status, 403);
    serving.stop();
}

/// A code does not wait behind other mail, however slow the server is with that.
fn a_code_waits_behind_no_other_mail(engine: Engine) {
    let world = approval_world::world(engine);
    for who in ["silent1", "silent2", "silent3", "silent4", "silent5"] {
        world.ok_at("2027-01-04T09:00:00Z", &format!("user add --id {who} --email {who}@example.com --role channel_manager"));
    }
    world.submit_at(NOW, "CL-1", "webinar", "5000.00", "sue");
    let serving = world.serve(SERVED);
    // More than leave side by side: the server answers none of them.
    let unanswered = "outbox WHERE status = 'sending' AND attempts = 1 AND key LIKE 'approval_asked/%/silent_'";
    world.until("other mail is on its way", |_| world.count(unanswered) == 5);
    let code = Visitor::new(&world, "jo").code("CL-1");
    assert_eq!((code.len(), world.count(unanswered)), (8, 5));
    serving.kill();
}

/// Somebody who knows an approver's address and a claim uses up the codes that anybody may ask for, and nothing else: who comes by the
/// link of the own mail gets one all the same. What the link carries opens nothing by itself, and counts for that person and claim alone.
fn a_stranger_locks_nobody_out(engine: Engine) {
    let world = approval_world::world(engine);
    world.submit_at(NOW, "CL-1", "webinar", "5000.00", "sue");
    world.submit_at(NOW, "CL-2", "webinar", "6000.00", "sue");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-1", "channel_manager");
    world.until_asked("CL-2", "channel_manager");
    world.until("everybody is asked", |_| ["jo", "al"].iter().all(|who| world.mails_to(who).len() == 2));
    let carried = |who: &str, claim: &str| {
        let all = world.mails_to(who).iter().flat_map(links).collect::<Vec<_>>();
        let link = all.iter().find(|link| link.contains(&format!("/approvals/{claim}?"))).unwrap_or_else(|| panic!("{all:?}")).clone();
        link.split_once("?from=").expect("it carries something").1.to_owned()
    };
    let mut stranger = Visitor::new(&world, "jo");
    for _ in 0..5 {
        stranger.code("CL-1");
    }
    let mut exhausted = 0;
    let mut refused = |fields: &[(&str, &str)]| {
        let before = codes(&world, "jo").len();
        let all: Vec<(&str, &str)> = [("email", "jo@example.com")].into_iter().chain(fields.iter().copied()).collect();
        let answer = Visitor::new(&world, "jo").post("/approvals/CL-1/code", &all);
        exhausted += 1;
        world.until_logged("approval.codes_exhausted", exhausted);
        assert_eq!((answer.status, codes(&world, "jo").len()), (200, before), "{fields:?}");
        answer
    };
    let (of_al, of_other) = (carried("al", "CL-1"), carried("jo", "CL-2"));
    let made_up = "0123456789abcdef".repeat(4);
    let plain = refused(&[]);
    for token in [made_up.as_str(), "", "../../x", of_al.as_str(), of_other.as_str()] {
        refused(&[("from", token)]);
    }
    // By the link of her own mail: looking writes nothing and leaves no cookie.
    let mut jo = Visitor::new(&world, "jo");
    let before = everything(&world.books);
    let page = jo.get("/approvals/CL-1");
    assert!(!page.text.contains("name=\"from\""), "without the link there is nothing to carry");
    let token = carried("jo", "CL-1");
    let page = jo.get(&format!("/approvals/CL-1?from={token}"));
    assert_guarded(&page);
    assert_eq!((page.status, page.hidden("from")), (200, token.clone()));
    assert!(jo.cookies.is_empty() && !page.text.contains("CL-1</") && !page.text.contains("USD"), "{}", page.text);
    assert_same(&before, &everything(&world.books), "looking by a link");
    let count = codes(&world, "jo").len();
    let asked = jo.post("/approvals/CL-1/code", &[("email", "jo@example.com"), ("from", &token)]);
    let hidden = format!("<input type=\"hidden\" name=\"from\" value=\"{token}\">\n");
    assert!(asked.status == 200 && asked.text.contains(&hidden), "{}", asked.text);
    assert_eq!(asked.text.replace(&hidden, "").len(), asked.text.len() - 2 * hidden.len(), "both forms carry it");
    assert!(plain.text.contains("follow its link"), "who gets no code is told how to: {}", plain.text);
    let code = world.until_some("a code is mailed", crate::wait::LONG, || codes(&world, "jo").get(count).cloned());
    let opened = jo.post("/approvals/CL-1/session", &[("code", &code), ("from", &token)]);
    assert_eq!(opened.status, 303, "{}", opened.text);
    assert!(jo.claim("CL-1").has_form());
    // The link alone opens nothing, and has a bound of its own.
    let mut other = Visitor::new(&world, "jo");
    assert!(!other.get(&format!("/approvals/CL-1?from={token}")).has_form());
    assert_eq!(other.decide("CL-1", &[("decision", "approve"), ("from", &token)]).status, 403);
    for count in count + 1..count + 5 {
        other.post("/approvals/CL-1/code", &[("email", "jo@example.com"), ("from", &token)]);
        world.until_some("a code is mailed", crate::wait::LONG, || codes(&world, "jo").get(count).cloned());
    }
    refused(&[("from", &token)]);
    // Nothing of it is stored, and nobody's log has it.
    let stored = everything(&world.books).concat();
    assert!(!stored.contains(&token), "only its digest is kept");
    assert!(!std::fs::read_to_string(world.log()).expect("a log").contains(&token), "no log has it");
    serving.stop();
    world.assert_sound();
}

each_engine!(a_claim_is_approved_by_mail_links_and_paid, codes_are_bounded, a_code_waits_behind_no_other_mail, a_stranger_locks_nobody_out);
