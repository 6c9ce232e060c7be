//! A claim with nobody there but its approvers: held, asked for by mail, debited, paid by the provider, told with its statement
//! (domain.md §8.9).

use serde_json::Value;
use sha2::Digest as _;

use crate::app::{App, Engine};
use crate::facts::Facts;
use crate::process::{self, Finished};
use crate::world::World;

const FACTS: Facts = Facts { partners: 1, first: 4, last: 4 };
/// When people act; the service's clock begins later.
pub(crate) const THEN: &str = "2026-05-04T08:00:00Z";

const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Reseller programme"
currency = "USD"
timezone = "UTC"
[[tiers]]
id = "gold"
name = "Gold"
threshold = "0"
rate = "12%"
coop_rate = "2%"
[settlement]
first_period = "2026-04"
release = "manual"
[mdf]
cost_share = "50%"
"#;

const ROUTE: &str = r#"
[[mdf.approvals]]
role = "channel_manager"
within = "48h"
remind_every = "24h"
escalate_to = "channel_chief"
[[mdf.approvals]]
role = "finance"
over = "10k"
"#;

/// Acme with a wallet of 40,000.00, a destination, people and an approved campaign.
pub(crate) fn world(engine: Engine) -> World {
    world_of(engine, ROUTE)
}

fn world_of(engine: Engine, route: &str) -> World {
    let app = App::fresh(engine);
    app.apply(&format!("{PROGRAMME}{route}"));
    app.import("partners", "id,name,email,program,tier,tier_since\nacme,Acme,acme@example.com,p,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA1,c1,acme,USD,2000000.00,2026-04-10T10:00:00Z");
    let world = World::around(app, FACTS, &["call-after"]);
    let ok = |line: &str| world.ok_at("2026-05-02T07:00:00Z", line);
    ok("settle --program p --through 2026-04");
    for (id, rest) in [
        ("sue", "--role partner --partner acme"),
        ("jo", "--role channel_manager"),
        ("fin", "--role finance"),
        ("fin2", "--role finance"),
        ("op", "--role ops"),
    ] {
        ok(&format!("user add --id {id} --email {id}@example.com {rest}"));
    }
    let added = ok("payout destination add --partner acme --currency USD --name Acme --token token-of-acme --by op --json");
    let added: Value = serde_json::from_slice(&added.stdout).expect("JSON");
    ok(&format!("payout destination approve {} --by fin", added["id"].as_str().expect("an id")));
    ok("mdf campaign add --id webinar --partner acme --name Webinar --budget 60000.00 --from 2026-05-01 --through 2026-06-30 --by sue");
    ok("mdf campaign approve webinar --by fin");
    world
}

pub(crate) fn at_then(world: &World, line: &str) -> Finished {
    process::run(world.app.command(line).env("TRIBUTARY_CLOCK__START", THEN))
}

pub(crate) fn json(world: &World, line: &str) -> Value {
    let finished = world.ok_at(THEN, line);
    serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{line}: {error}\n{}", finished.stdout_text()))
}

pub(crate) fn wallet(world: &World) -> Value {
    json(world, "wallet show --partner acme --json")["wallets"][0].clone()
}

pub(crate) fn letters_to(world: &World, who: &str) -> Vec<Value> {
    world.mail.journal().into_iter().filter(|letter| letter["to"][0] == format!("{who}@example.com")).collect()
}

pub(crate) fn until_waiting(world: &World, claim: &str, role: &str) {
    world.until(&format!("{claim} waits for {role}"), |_| {
        let run = json(world, &format!("workflow show mdf_claim/{claim} --json"));
        run["status"] == "waiting" && run["waiting_for"].as_str().is_some_and(|waits| waits.starts_with(&format!("signal decision/{role}")))
    });
}

fn a_claim_is_held_approved_debited_paid_and_told(engine: Engine) {
    let mut world = world(engine);
    world.set("TRIBUTARY_SERVER__PUBLIC_URL", "https://partners.example.com");
    if cfg!(feature = "pdf") {
        std::fs::write(world.app.path("own.typ"), "#let s = json(\"statement.json\")\n#s.partner.name: #s.amount, #s.wallet_balance\n")
            .expect("a file");
        world.set("TRIBUTARY_STATEMENTS__CLAIM_TEMPLATE", "own.typ");
    }
    std::fs::write(world.app.path("invoice.pdf"), b"%PDF-1.7\nthe venue\n").expect("a file can be written");
    let submit = "mdf claim submit --campaign webinar --receipts 50000.00 --by sue --json --id";
    let claim = json(&world, &format!("{submit} CL-1 --proof invoice.pdf"));
    for (key, value) in [("asked", "25000.00"), ("amount", "25000.00"), ("receipts", "50000.00"), ("status", "submitted"), ("currency", "USD")] {
        assert_eq!(claim[key], value, "{key}: {claim}");
    }
    let steps: Vec<(&str, &str)> =
        claim["steps"].as_array().expect("steps").iter().map(|step| (step["role"].as_str().unwrap(), step["status"].as_str().unwrap())).collect();
    assert_eq!(steps, [("channel_manager", "waiting"), ("finance", "pending")]);
    assert_eq!((&wallet(&world)["held"], &wallet(&world)["available"]), (&"25000.00".into(), &"15000.00".into()));
    // The second of two claims is refused, and says why.
    let second = at_then(&world, &format!("{submit} CL-2"));
    assert_eq!(second.status.code(), Some(2), "{}", second.stderr);
    assert!(second.stderr.contains("available") && second.stderr.contains("15000.00"), "{}", second.stderr);

    let serving = world.serve("2026-05-04T09:00:00Z");
    until_waiting(&world, "CL-1", "channel_manager");
    world.until("the manager is asked", |_| !letters_to(&world, "jo").is_empty());
    let asked = letters_to(&world, "jo");
    let text = asked[0]["text"].as_str().expect("text");
    assert!(text.contains("https://partners.example.com/approvals/CL-1") && text.contains("25000.00 USD") && text.contains("1 file"), "{text}");
    for (by, why) in [("sue", "submitted"), ("fin", "not asked yet"), ("op", "channel_manager")] {
        let refused = at_then(&world, &format!("mdf claim approve CL-1 --by {by}"));
        assert_eq!((refused.status.code(), refused.stderr.contains(why)), (Some(2), true), "{by}: {}", refused.stderr);
    }
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
    until_waiting(&world, "CL-1", "finance");
    world.ok_at(THEN, "mdf claim approve CL-1 --by fin");
    world.until("the claim is paid", |books| books.texts("SELECT status FROM claims WHERE id = 'CL-1'") == ["paid"]);
    world
        .until("its statement has left", |_| letters_to(&world, "acme").iter().any(|letter| letter["subject"].as_str().unwrap().contains("is paid")));
    let told = letters_to(&world, "acme");
    assert_eq!(told[0]["subject"], "Claim CL-1 is paid: 25000.00 USD");
    if cfg!(feature = "pdf") {
        assert_eq!(told[0]["attachments"].as_array().map(Vec::len), Some(1), "{}", told[0]);
    }
    let wallet_after = wallet(&world);
    assert_eq!((&wallet_after["balance"], &wallet_after["held"]), (&"15000.00".into(), &"0.00".into()));
    let shown = json(&world, "mdf claim show CL-1 --json");
    let payout = json(&world, &format!("payout show {} --json", shown["payout"].as_str().expect("a payout")));
    assert_eq!((&payout["kind"], &payout["reference"], &payout["status"]), (&"mdf_claim".into(), &"CL-1".into(), &"paid".into()));
    assert_eq!(payout["workflow"], shown["workflow"]);
    let paid: Vec<Value> = world.provider_journal();
    assert!(paid.iter().any(|line| line.to_string().contains("25000.00")), "{paid:?}");
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
    if cfg!(feature = "pdf") {
        the_statement_is_written_again(&world, told[0]["attachments"][0][2].as_str().expect("a digest"));
    }
    world.app.assert_verified();
}

/// The statement of a paid claim is the same bytes whenever it is made, in a template of one's own as in the built-in one.
fn the_statement_is_written_again(world: &World, mailed: &str) {
    let show = |rest: &str, template: &str| {
        let line = format!("mdf claim show {rest}");
        let mut command = world.app.command(&line);
        process::run(command.env("TRIBUTARY_CLOCK__START", THEN).env("TRIBUTARY_STATEMENTS__CLAIM_TEMPLATE", template))
    };
    let bytes = |name: &str| std::fs::read(world.app.path(name)).expect("the file is there");
    let own = show("CL-1 --pdf own.pdf", "own.typ");
    assert_eq!(
        (own.status.code(), own.stdout_text().as_str()),
        (Some(0), "own.pdf: the statement of claim CL-1 of acme, 1 page\n"),
        "{}",
        own.stderr
    );
    assert_eq!(hex::encode(sha2::Sha256::digest(bytes("own.pdf"))), mailed, "what was mailed is what is written again");
    // The wallet has moved since; what it had when the claim was paid has not.
    world.ok_at(THEN, "mdf claim submit --id CL-9 --campaign webinar --receipts 100.00 --by sue");
    assert_eq!(show("CL-1 --pdf again.pdf --template own.typ", "").status.code(), Some(0));
    assert_eq!(bytes("again.pdf"), bytes("own.pdf"));
    let built_in = show("CL-1 --pdf out.pdf --json", "");
    let shown: Value = serde_json::from_slice(&built_in.stdout).expect("the claim is printed as JSON");
    assert_eq!((built_in.status.code(), &shown["id"]), (Some(0), &"CL-1".into()));
    assert!(bytes("out.pdf").starts_with(b"%PDF") && bytes("out.pdf") != bytes("own.pdf"));

    std::fs::write(world.app.path("bad.typ"), "text\n#let s = json(\"statement.json\")\n#s.nothing\n").expect("a file can be written");
    std::fs::write(world.app.path("broken.typ"), "#let s = (\n").expect("a file can be written");
    for (rest, template, why) in [
        ("CL-1 --pdf bad.pdf", "bad.typ", "bad.typ:3:"),
        ("CL-1 --pdf bad.pdf --template broken.typ", "", "broken.typ:1:"),
        ("CL-1 --pdf bad.pdf", "none.typ", "none.typ"),
        ("CL-1 --pdf none/at/all.pdf", "", "none/at/all.pdf"),
        ("CL-9 --pdf bad.pdf", "", "claim CL-9 is submitted; the statement of a claim is made when it is paid"),
        ("CL-1 --template own.typ", "", "--pdf"),
    ] {
        let refused = show(rest, template);
        assert_eq!((refused.status.code(), refused.stderr.contains(why)), (Some(2), true), "{rest}: {}", refused.stderr);
    }
    assert!(!world.app.path("bad.pdf").exists());
    assert_eq!(show("CL-1", "none.typ").status.code(), Some(0), "what only a PDF needs stands in the way of nothing else");
    // A service does not start with a template that it can't read.
    let mut serve = world.command("serve", THEN);
    let refused = process::run(serve.env("TRIBUTARY_STATEMENTS__CLAIM_TEMPLATE", "none.typ"));
    assert!(!refused.status.success() && refused.stderr.contains("none.typ"), "{}", refused.stderr);
    world.ok_at(THEN, "mdf claim cancel CL-9 --by sue --reason not-needed");
}

fn a_rejected_claim_leaves_the_wallet_and_comes_again(engine: Engine) {
    let world = world(engine);
    let serving = world.serve("2026-05-04T09:00:00Z");
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 50000.00 --by sue");
    until_waiting(&world, "CL-1", "channel_manager");
    world.ok_at(THEN, "mdf claim reject CL-1 --by jo --reason receipts-are-missing");
    world.until("its run has ended", |books| books.texts("SELECT status FROM workflow_runs WHERE workflow = 'mdf_claim'") == ["done"]);
    assert_eq!(wallet(&world)["available"], "40000.00");
    world.until("the submitter is told", |_| {
        letters_to(&world, "sue").iter().any(|letter| letter["text"].as_str().is_some_and(|text| text.contains("receipts-are-missing")))
    });
    world.ok_at(THEN, "mdf claim resubmit CL-1 --receipts 4000.00 --by sue");
    world.until("another run asks", |_| letters_to(&world, "jo").len() == 2);
    std::fs::write(world.app.path("receipts.csv"), "what,amount\nvenue,4000.00\n").expect("a file can be written");
    world.ok_at(THEN, "mdf claim add-proof CL-1 receipts.csv --by sue");
    world.until("the route begins anew", |_| letters_to(&world, "jo").len() == 3);
    // Under ten thousand, the manager's word is the last.
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo --amount 1500.00");
    world.until("the claim is paid", |books| books.texts("SELECT status FROM claims WHERE id = 'CL-1'") == ["paid"]);
    assert_eq!(wallet(&world)["balance"], "38500.00");
    world.ok_at(THEN, "mdf claim submit --id CL-3 --campaign webinar --receipts 100.00 --by sue");
    world.ok_at(THEN, "mdf claim cancel CL-3 --by sue --reason not-needed");
    world.until("nothing is left to do", |_| world.is_at_rest());
    assert_eq!(wallet(&world)["available"], "38500.00");
    serving.stop();
    world.app.assert_verified();
}

/// Who submits a rejected claim again may be quicker than the run that was to tell of the rejection: the claim has one run that sees to it.
fn a_claim_submitted_again_has_one_run(engine: Engine) {
    let world = world(engine);
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 50000.00 --by sue");
    world.ok_at(THEN, "mdf claim reject CL-1 --by jo --reason receipts-are-missing");
    world.ok_at(THEN, "mdf claim resubmit CL-1 --by sue");
    let serving = world.serve("2026-05-04T09:00:00Z");
    world.until("the manager is asked", |_| letters_to(&world, "jo").len() == 1);
    world.until("the first run has ended", |books| books.texts("SELECT status FROM workflow_runs WHERE key = 'CL-1'") == ["done"]);
    assert_eq!(world.books.texts("SELECT status FROM workflow_runs WHERE key = 'CL-1 (round 2)'"), ["waiting"]);
    serving.stop();
}

/// However soon a rejected claim is submitted again, and however late mail leaves, each round's rejection is told with its own reason.
fn each_round_s_rejection_is_told(engine: Engine) {
    let world = world(engine);
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 50000.00 --by sue");
    world.ok_at(THEN, "mdf claim reject CL-1 --by jo --reason receipts-are-missing");
    world.ok_at(THEN, "mdf claim resubmit CL-1 --receipts 30000.00 --by sue");
    world.ok_at(THEN, "mdf claim reject CL-1 --by jo --reason receipts-are-of-last-year");
    world.ok_at(THEN, "mdf claim resubmit CL-1 --receipts 20000.00 --by sue");
    let serving = world.serve("2026-05-04T09:00:00Z");
    world.until("the manager is asked", |_| letters_to(&world, "jo").len() == 1);
    world.ok_at(THEN, "mdf claim reject CL-1 --by jo --reason enough-of-it");
    world.until("each rejection is told", |_| letters_to(&world, "sue").len() == 3);
    world.until("nothing is left to do", |_| world.is_at_rest());
    let texts: Vec<String> = letters_to(&world, "sue").iter().map(|letter| letter["text"].as_str().expect("text").to_owned()).collect();
    for (reason, amount) in [("receipts-are-missing", "25000.00"), ("receipts-are-of-last-year", "15000.00"), ("enough-of-it", "10000.00")] {
        let told: Vec<&String> = texts.iter().filter(|text| text.contains(reason)).collect();
        assert_eq!(told.len(), 1, "{reason} is told once: {texts:#?}");
        assert!(told[0].contains(&format!("{amount} USD was rejected")), "{}", told[0]);
    }
    serving.stop();
    world.app.assert_verified();
}

/// An operator ends the run of a claim before it has done anything, and the run of one that waits: what they hold is released.
fn a_claim_whose_run_is_ended_is_taken_back(engine: Engine) {
    let world = world(engine);
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 50000.00 --by sue");
    world.ok_at(THEN, "workflow cancel mdf_claim/CL-1 --by op --reason a-mistake");
    let shown = json(&world, "mdf claim show CL-1 --json");
    assert_eq!((&shown["status"], &wallet(&world)["held"]), (&"cancelled".into(), &"0.00".into()), "{shown}");
    world.ok_at(THEN, "mdf claim submit --id CL-2 --campaign webinar --receipts 50000.00 --by sue");
    let serving = world.serve("2026-05-04T09:00:00Z");
    until_waiting(&world, "CL-2", "channel_manager");
    world.ok_at(THEN, "workflow cancel mdf_claim/CL-2 --by op --reason a-mistake");
    world.until("its hold is released", |books| books.texts("SELECT status FROM claims WHERE id = 'CL-2'") == ["cancelled"]);
    world.until("the submitter is told of both", |_| letters_to(&world, "sue").len() == 2);
    assert_eq!(wallet(&world)["available"], "40000.00");
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
    world.app.assert_verified();
}

/// A step that nobody can decide is told to those who run the service, once, and whoever can decide it later is asked then.
fn a_step_that_nobody_can_decide_is_told_and_looked_at_again(engine: Engine) {
    let world = world(engine);
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 50000.00 --by sue");
    let serving = world.serve("2026-05-04T09:00:00Z");
    until_waiting(&world, "CL-1", "channel_manager");
    for who in ["fin", "fin2"] {
        world.ok_at(THEN, &format!("user disable {who} --reason left"));
    }
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
    until_waiting(&world, "CL-1", "finance");
    world.until("operations are told", |_| !letters_to(&world, "op").is_empty());
    let told = letters_to(&world, "op");
    assert_eq!(told[0]["subject"], "tributary: nobody can decide claim CL-1");
    let text = told[0]["text"].as_str().expect("text");
    for part in ["finance", "25000.00 USD", "Acme", "Webinar", "tributary user add"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let run = json(&world, "workflow show mdf_claim/CL-1 --json");
    assert!(run["wake_at"].as_str().is_some_and(|at| ("2026-05-04T09:00:00Z".."2026-05-04T10:10:00Z").contains(&at)), "{run}");
    serving.stop();
    let log = std::fs::read_to_string(world.log()).expect("a log");
    assert!(log.contains("claim.nobody_to_ask"), "{log}");
    world.ok_at("2026-05-04T09:30:00Z", "user add --id fin3 --email fin3@example.com --role finance");

    let serving = world.serve("2026-05-04T10:30:00Z");
    world.until("who can decide it by now is asked", |_| !letters_to(&world, "fin3").is_empty());
    until_waiting(&world, "CL-1", "finance");
    assert_eq!(json(&world, "workflow show mdf_claim/CL-1 --json")["wake_at"], Value::Null, "the step has no time of its own");
    world.ok_at(THEN, "mdf claim approve CL-1 --by fin3");
    world.until("the claim is paid", |books| books.texts("SELECT status FROM claims WHERE id = 'CL-1'") == ["paid"]);
    world.until("nothing is left to do", |_| world.is_at_rest());
    assert_eq!(letters_to(&world, "op").len(), 1, "told once");
    serving.stop();
    world.app.assert_verified();
}

/// Claims that nobody has to approve wait, visibly, while refunds have taken what they hold, and go on when accruals have brought it back.
fn claims_without_steps_wait_for_accruals(engine: Engine) {
    let world = world_of(engine, "[[mdf.approvals]]\nrole = \"finance\"\nover = \"50k\"\n");
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 60000.00 --by sue");
    world.ok_at(THEN, "mdf claim submit --id CL-2 --campaign webinar --receipts 20000.00 --by sue");
    world.app.import("refunds", "id,invoice,amount,refunded_at\nR1,A1,2000000.00,2026-05-05T10:00:00Z");
    world.ok_at("2026-06-02T07:00:00Z", "settle --program p --through 2026-05");
    let serving = world.serve("2026-07-02T09:00:00Z");
    let waiting = "SELECT key FROM workflow_runs WHERE status = 'waiting' AND waiting_for = 'signal accruals' ORDER BY key";
    world.until("both wait for accruals", |books| books.texts(waiting) == ["CL-1", "CL-2"]);
    let (shown, short) = (json(&world, "mdf claim show CL-1 --json"), wallet(&world));
    assert_eq!((&shown["status"], &shown["payout"]), (&"submitted".into(), &Value::Null), "{shown}");
    assert!(shown["reason"].as_str().is_some_and(|reason| reason.contains("short")), "{shown}");
    assert_eq!([&short["balance"], &short["held"], &short["available"]], ["0.00", "40000.00", "-40000.00"]);
    world.ok_at(THEN, "mdf claim cancel CL-2 --by sue --reason not-needed");
    world.until("the run of what was taken back has ended", |books| books.texts("SELECT status FROM workflow_runs WHERE key = 'CL-2'") == ["done"]);
    assert_eq!(wallet(&world)["available"], "-30000.00");
    world.app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA2,c1,acme,USD,3000000.00,2026-06-10T10:00:00Z");
    world.ok_at("2026-07-02T09:00:00Z", "settle --program p --through 2026-06");
    world.until("the other is paid", |books| books.texts("SELECT status FROM claims WHERE id = 'CL-1'") == ["paid"]);
    assert_eq!(wallet(&world)["balance"], "30000.00");
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
    world.app.assert_verified();
}

/// The payout of a suspended member's claim is not let go with a settlement; it goes on when the member is active again.
fn a_suspended_member_s_claim_waits_until_it_is_active(engine: Engine) {
    let world = world(engine);
    world.app.import("statuses", "partner,program,status,effective_from\nacme,p,suspended,2026-05-02");
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 2000.00 --by sue");
    world.ok_at(THEN, "mdf claim approve CL-1 --by jo");
    let serving = world.serve("2026-05-04T09:00:00Z");
    world.until("its payout is held", |books| books.texts("SELECT reason FROM payouts WHERE status = 'held'") == ["suspended"]);
    let refused = at_then(&world, "settlement unhold --program p --partner acme --period 2026-05 --reason cleared --by fin");
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stdout_text());
    for part in ["no settlement", "2026-05", "import statuses", "payout withdraw"] {
        assert!(refused.stderr.contains(part), "{part} is missing in {}", refused.stderr);
    }
    assert_eq!(world.count("settlement_holds"), 0);
    world.app.import("statuses", "partner,program,status,effective_from\nacme,p,active,2026-05-04");
    world.until("the claim is paid", |books| books.texts("SELECT status FROM claims WHERE id = 'CL-1'") == ["paid"]);
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
    world.app.assert_verified();
}

/// While no service runs nobody is asked, so no step's time passes; what was asked in time goes on to whoever is asked after it.
fn nobody_is_passed_over_who_was_not_asked(engine: Engine) {
    let world = world(engine);
    for id in ["CL-1", "CL-2"] {
        world.ok_at(THEN, &format!("mdf claim submit --id {id} --campaign webinar --receipts 30000.00 --by sue"));
    }
    let serving = world.serve("2026-05-06T08:00:01Z");
    for id in ["CL-1", "CL-2"] {
        until_waiting(&world, id, "channel_manager");
    }
    world.until("the manager is asked about both", |_| letters_to(&world, "jo").len() == 2);
    let shown = json(&world, "mdf claim show CL-1 --json");
    assert_eq!((&shown["status"], &shown["asked_role"]), (&"awaiting_approval".into(), &"channel_manager".into()), "{shown}");
    assert!(shown["due_at"].as_str().is_some_and(|at| ("2026-05-08T08:00:01".."2026-05-08T08:10").contains(&at)), "{shown}");
    serving.stop();
    world.ok_at("2026-05-06T09:00:00Z", "mdf claim approve CL-1 --by jo");
    let serving = world.serve("2026-05-20T08:00:00Z");
    world.until("finance is asked", |_| letters_to(&world, "fin").len() == 1);
    until_waiting(&world, "CL-1", "finance");
    world.until("the other has gone to the chief", |_| json(&world, "mdf claim show CL-2 --json")["asked_role"] == "channel_chief");
    serving.stop();
    world.app.assert_verified();
}

/// Somebody who was disabled gets no letters, and who looks sees why.
fn who_is_disabled_gets_no_letters(engine: Engine) {
    let world = world(engine);
    world.ok_at(THEN, "mdf claim submit --id CL-1 --campaign webinar --receipts 50000.00 --by sue");
    world.ok_at(THEN, "user disable sue --reason left");
    let serving = world.serve("2026-05-04T09:00:00Z");
    until_waiting(&world, "CL-1", "channel_manager");
    world.ok_at(THEN, "mdf claim reject CL-1 --by jo --reason receipts-are-missing");
    let fate = "SELECT status || ': ' || COALESCE(error, '') FROM outbox WHERE key LIKE 'claim_decided/CL-1/%'";
    world.until("the letter has an end", |books| {
        books.texts(fate).first().is_some_and(|fate| !fate.starts_with("pending") && !fate.starts_with("sending"))
    });
    assert_eq!(world.books.texts(fate), ["bounced: user sue is disabled: left"]);
    assert_eq!(letters_to(&world, "sue"), Vec::<Value>::new());
    world.until("nothing is left to do", |_| world.is_at_rest());
    serving.stop();
}

each_engine!(
    nobody_is_passed_over_who_was_not_asked,
    a_suspended_member_s_claim_waits_until_it_is_active,
    claims_without_steps_wait_for_accruals,
    a_step_that_nobody_can_decide_is_told_and_looked_at_again,
    who_is_disabled_gets_no_letters,
    a_claim_is_held_approved_debited_paid_and_told,
    a_rejected_claim_leaves_the_wallet_and_comes_again,
    a_claim_submitted_again_has_one_run,
    each_round_s_rejection_is_told,
    a_claim_whose_run_is_ended_is_taken_back,
);
