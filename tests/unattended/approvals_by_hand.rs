//! A claim is decided by people with a real browser on a phone, who press and type, from the link of the mail to the payment.

use crate::app::Engine;
use crate::approval_world::{self, SERVED, everything};
use crate::browser::{Browser, Phone};
use crate::database::assert_same;
use crate::visitor::{Visitor, codes, links};
use crate::world::World;

/// Where pictures of the pages are kept for who wants to look at them.
const KEPT: &str = "TRIBUTARY_PICTURES";

/// The one link of the mail in which somebody was asked.
fn link(world: &World, person: &str) -> String {
    let mails = world.mails_to(person);
    let found = mails.first().map(links).unwrap_or_default();
    assert_eq!(found.len(), 1, "{mails:?}");
    found.concat()
}

/// From the link to the claim's page; gives what the page says.
fn sign_in(world: &World, browser: &Browser, phone: &Phone<'_>, person: &str) -> String {
    let before = everything(&world.books);
    phone.open(&link(world, person));
    let first = phone.until_says("A claim waits for a decision");
    assert!(!first.contains("CL-1") && !first.contains("USD"), "a link shows nothing: {first}");
    assert_same(&before, &everything(&world.books), "opening the link");
    assert_eq!(browser.complaints(), [""; 0]);

    keep("address.png", phone);
    phone.fill("Your e-mail address", &format!("{person}@example.com"));
    phone.press("Send a code");
    phone.until_says("a code is on its way");
    world.until("a code is mailed", |_| codes(world, person).len() == 1);
    world.until_quiet();
    keep("code.png", phone);
    phone.fill("Code from the mail", &codes(world, person).concat());
    phone.press("Sign in");
    let shown = phone.until_says("Your decision as");
    world.until_quiet();
    shown
}

fn keep(name: &str, phone: &Phone<'_>) {
    let picture = phone.picture();
    if let Some(directory) = std::env::var_os(KEPT) {
        std::fs::write(std::path::Path::new(&directory).join(name), picture).expect("a file can be written");
    }
}

/// Rejecting takes a reason: the browser sends nothing without one, and one of blanks is none.
fn a_rejection_without_a_reason_is_none(world: &World, phone: &Phone<'_>) {
    let before = everything(&world.books);
    phone.press("Reject");
    phone.press("Reject the claim");
    phone.until("the browser asks for a reason", "document.activeElement.id === 'reason' && document.activeElement.matches(':user-invalid')");
    assert!(decisions_sent(world).is_empty(), "nothing was sent: {:?}", decisions_sent(world));
    phone.fill("Reason, told to who submitted it", "  ");
    phone.press("Reject the claim");
    let said = phone.until_says("Look at the claim");
    keep("refused.png", phone);
    assert!(said.contains("Give the reason of the rejection") && said.contains("Nothing was decided"), "{said}");
    assert!(matches!(decisions_sent(world).as_slice(), [one] if one.contains("status=\"422\"")), "{:?}", decisions_sent(world));
    assert_same(&before, &everything(&world.books), "rejecting without a reason");
    phone.press("Look at the claim");
    phone.until_says("Your decision as");
}

/// What the service has counted of decisions that were sent.
fn decisions_sent(world: &World) -> Vec<String> {
    let metrics = Visitor::new(world, "nobody").get("/metrics").text;
    metrics.lines().filter(|line| line.contains("/decision\"") && line.contains("status=")).map(str::to_owned).collect()
}

#[test]
fn people_decide_in_a_browser() {
    let world = approval_world::world(Engine::Sqlite);
    world.submit_with_proof("CL-1", "50000.00");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-1", "channel_manager");
    let browser = Browser::start(&world.app.path(""));

    let jo = browser.phone();
    let shown = sign_in(&world, &browser, &jo, "jo");
    for part in ["Signed in as jo", "25\u{202F}000.00 USD", "50\u{202F}000.00 USD", "<script>alert(1)</script>", "Your decision as channel manager"] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    jo.until("nothing is wider than the phone", "document.documentElement.scrollWidth === 390 && innerWidth === 390");
    keep("claim.png", &jo);
    let file = jo.until("the proof", "document.querySelector('.files a').innerText");
    jo.download(file.as_str().expect("text"), "in_voice _b onload=alert(3)__fdp.csv", "what,amount\nroom,1\n");
    a_rejection_without_a_reason_is_none(&world, &jo);

    jo.press("Approve less, or say why");
    jo.fill("Lower amount in USD", "20000.00");
    jo.fill("Note", "room only");
    keep("less.png", &jo);
    jo.press("Approve");
    let decided = jo.until_says("You approved 20\u{202F}000.00 USD");
    assert!(!decided.contains("Your decision as") && decided.contains("lowered from 25\u{202F}000.00 USD"), "{decided}");
    keep("decided.png", &jo);
    let taken =
        "SELECT person || ' ' || via || ' ' || CAST(amount_minor AS TEXT) || ' ' || COALESCE(reason, '') FROM claim_decisions ORDER BY ordinal";
    assert_eq!(world.books.texts(taken), ["jo page 2000000 room only"]);

    world.until_asked("CL-1", "finance");
    let fi = browser.phone();
    let shown = sign_in(&world, &browser, &fi, "fi");
    for part in ["Signed in as fi", "20\u{202F}000.00 USD", "“room only”", "Your decision as finance"] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    fi.press("Approve");
    fi.until_says("You approved 20\u{202F}000.00 USD");
    world.until("the claim is paid and told", |books| books.number("SELECT COUNT(*) FROM claims WHERE status = 'paid'") == 1 && world.is_at_rest());
    assert_eq!(world.books.texts(taken), ["jo page 2000000 room only", "fi page 2000000 "]);
    let paid: Vec<_> = world.provider_journal().into_iter().filter(|event| event["event"] == "paid").collect();
    assert_eq!((paid.len(), &paid[0]["amount"]), (1, &"20000.00".into()));

    // Who looks again sees how it ended.
    jo.open(&link(&world, "jo"));
    let ended = jo.until_says("You approved 20\u{202F}000.00 USD");
    assert!(ended.contains("approved 20\u{202F}000.00 USD by fi") && !ended.contains("Your decision as"), "{ended}");
    assert_eq!(browser.complaints(), [""; 0]);
    serving.stop();
    world.assert_sound();
}
