//! Decisions by the page that may not count, each with its reason and its status, and nothing of claims or money changed by any of them.

use crate::app::Engine;
use crate::approval_world::{self, LATER, NOW, SERVED, SERVED_LATER, of_claims};
use crate::database::assert_same;
use crate::visitor::{Page, Visitor};
use crate::world::World;

const YES: [(&str, &str); 1] = [("decision", "approve")];

/// A try that must not count.
fn refused(world: &World, what: &str, status: u16, says: &str, attempt: impl FnOnce() -> Page) {
    let before = of_claims(&world.books);
    let page = attempt();
    assert_eq!(page.status, status, "{what}: {}", page.text);
    assert!(page.text.contains(says), "{what}: {}", page.text);
    assert_same(&before, &of_claims(&world.books), what);
}

/// Jo of the managers for a claim of each kind, signed in by the first.
fn what_may_not_count_is_refused_with_its_reason(engine: Engine) {
    let world = approval_world::world(engine);
    world.submit_at(NOW, "CL-1", "webinar", "24000.00", "sue");
    world.submit_at(NOW, "CL-2", "webinar", "2000.00", "al");
    world.submit_at(NOW, "CL-3", "expo", "2000.00", "bob");
    world.submit_at(NOW, "CL-4", "expo", "24000.00", "bob");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-1", "channel_manager");
    world.ok_at(SERVED, "mdf claim approve CL-4 --by jo");
    world.until_asked("CL-4", "finance");
    let [mut jo, mut al, mut pat, mut fi] = ["jo", "al", "pat", "fi"].map(|person| Visitor::new(&world, person));
    // Each signs in by a claim that does wait for the person.
    for (visitor, claim) in [(&mut jo, "CL-1"), (&mut al, "CL-1"), (&mut pat, "CL-3"), (&mut fi, "CL-4")] {
        assert!(visitor.sign_in(claim).has_form());
    }
    the_form_itself(&world, &mut jo);
    for (visitor, claim, status, says) in [
        (&mut al, "CL-2", 403, "submitted the claim or added to it"),
        (&mut pat, "CL-1", 403, "belongs to acme, which the claim pays"),
        (&mut fi, "CL-1", 409, "the step finance is not asked yet: channel_manager decides before it"),
        (&mut jo, "CL-9", 404, "No such claim"),
    ] {
        let (digest, step) = if claim == "CL-9" { ("sha256:0".into(), "1.1".into()) } else { (world.digest(claim), world.step(claim)) };
        assert!(!visitor.claim(claim).has_form(), "{claim} offers nothing to {}", visitor.person);
        refused(&world, says, status, says, || visitor.decide_about(claim, (&digest, &step), &YES));
    }
    // What is none of somebody's business is not there, and what is posted about it is told why it does not count.
    assert_eq!(fi.claim("CL-3").status, 404);
    refused(&world, "not asked", 403, "it takes the role channel_manager", || fi.decide("CL-3", &YES));
    refused(&world, "an amount", 422, "may lower the amount, never raise it", || {
        jo.decide("CL-1", &[("decision", "approve"), ("amount", "12000.01")])
    });
    refused(&world, "an amount", 422, "more than zero", || jo.decide("CL-1", &[("decision", "approve"), ("amount", "0")]));
    refused(&world, "an amount", 422, "The amount can&#x27;t be read", || jo.decide("CL-1", &[("decision", "approve"), ("amount", "a lot")]));
    refused(&world, "no reason", 422, "Give the reason of the rejection", || jo.decide("CL-1", &[("decision", "reject")]));
    refused(&world, "a reason", 422, "it is too long", || jo.decide("CL-1", &[("decision", "reject"), ("reason", &"x".repeat(501))]));

    // A proof is added: what jo has seen is not what it is now.
    let seen = jo.claim("CL-1");
    let late = world.app.write("late", "txt", "one more\n");
    world.ok_at(NOW, &format!("mdf claim add-proof CL-1 {late} --by sue"));
    // Its run begins the new step's time.
    world.until_quiet();
    let (digest, step) = (seen.hidden("digest"), seen.hidden("step"));
    refused(&world, "stale", 409, "the claim was changed since it was shown", || jo.decide_about("CL-1", (&digest, &step), &YES));

    // Who was shown one step does not decide another one, though the claim is the same.
    let seen = al.claim("CL-4");
    assert!(seen.has_form() && world.step("CL-4") == "1.2", "{}", seen.text);
    let first = (world.digest("CL-4"), "1.1".to_owned());
    refused(&world, "another step", 409, "The claim has gone on to another step", || al.decide_about("CL-4", (&first.0, &first.1), &YES));

    // One person, two steps.
    let first = (world.digest("CL-1"), world.step("CL-1"));
    assert_eq!(al.decide("CL-1", &YES).status, 303);
    world.until_asked("CL-1", "finance");
    assert_eq!((&first.0, world.count("claim_decisions WHERE claim = 'CL-1'")), (&world.digest("CL-1"), 1), "the claim is the same for finance");
    assert_eq!(al.decide_about("CL-1", (&first.0, &first.1), &YES).status, 303, "pressed twice");
    assert_eq!(world.count("claim_decisions WHERE claim = 'CL-1'"), 1);
    refused(&world, "twice", 403, "each step takes another person", || al.decide("CL-1", &YES));
    refused(&world, "late", 403, "it takes the role finance", || jo.decide("CL-1", &YES));
    // Decided is decided.
    assert_eq!(jo.decide("CL-3", &[("decision", "reject"), ("reason", "not ours")]).status, 303);
    assert!(jo.claim("CL-3").text.contains("You rejected this claim"));
    refused(&world, "ended", 410, "the claim is rejected and waits for no decision", || al.decide("CL-3", &YES));
    // Who is disabled is not signed in any more.
    world.ok_at(SERVED, "user disable fi --reason left");
    refused(&world, "disabled", 403, "You are not signed in any more", || fi.decide("CL-1", &YES));
    serving.stop();
    after_the_deadline(&world);
    world.assert_sound();
}

fn the_form_itself(world: &World, jo: &mut Visitor<'_>) {
    let digest = world.digest("CL-1");
    let send = |visitor: &mut Visitor<'_>, fields: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> =
            [("decision", "approve"), ("step", "1.1"), ("digest", digest.as_str())].into_iter().chain(fields.iter().copied()).collect();
        visitor.post("/approvals/CL-1/decision", &all)
    };
    let form = jo.form.clone();
    let mut other = Visitor::new(world, "al");
    other.sign_in("CL-1");
    refused(world, "no session", 403, "You are not signed in any more", || send(&mut Visitor::new(world, "jo"), &[("form", &form)]));
    refused(world, "no token", 403, "does not belong to your session", || send(jo, &[]));
    refused(world, "another's token", 403, "does not belong to your session", || send(jo, &[("form", &other.form)]));
    refused(world, "two tokens", 403, "does not belong to your session", || send(jo, &[("form", &form), ("form", &form)]));
    for headers in [
        vec![("origin", "https://evil.example.com".to_owned())],
        vec![("origin", "null".to_owned()), ("sec-fetch-site", "cross-site".to_owned())],
        vec![("sec-fetch-site", "same-site".to_owned())],
    ] {
        jo.headers = headers;
        refused(world, "another site", 403, "This form was sent from another site", || send(jo, &[("form", &form)]));
        let code = jo.post("/approvals/CL-1/code", &[("email", "jo@example.com")]);
        assert_eq!(code.status, 403, "{}", code.text);
    }
    jo.headers.clear();
    refused(world, "a look", 405, "method-not-allowed", || jo.get(&format!("/approvals/CL-1/decision?decision=approve&form={form}&digest={digest}")));
    refused(world, "no decision", 422, "Say whether you approve", || jo.post("/approvals/CL-1/decision", &[("form", &form), ("digest", &digest)]));
    jo.cookies.insert("tributary_approvals".into(), "0".repeat(64));
    refused(world, "another session", 403, "You are not signed in any more", || send(jo, &[("form", &form)]));
    jo.cookies.clear();
    jo.sign_in("CL-1");
}

/// Two days later the manager's step is the chief's.
fn after_the_deadline(world: &World) {
    world.submit_at(NOW, "CL-5", "webinar", "2000.00", "sue");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-5", "channel_manager");
    serving.stop();
    let serving = world.serve_claims(SERVED_LATER);
    world.until_asked("CL-5", "channel_chief");
    world.submit_at(LATER, "CL-6", "webinar", "2000.00", "sue");
    world.until_asked("CL-6", "channel_manager");
    let [mut jo, mut chief] = ["jo", "chief"].map(|person| Visitor::new(world, person));
    jo.sign_in("CL-6");
    refused(world, "after the deadline", 410, "the time to decide the step channel_manager was over at", || jo.decide("CL-5", &YES));
    chief.sign_in("CL-5");
    refused(world, "not asked", 403, "it takes the role channel_manager", || chief.decide("CL-6", &YES));
    assert_eq!(chief.decide("CL-5", &YES).status, 303);
    serving.stop();
}

each_engine!(what_may_not_count_is_refused_with_its_reason);
