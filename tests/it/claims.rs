//! Claims against wallets, lots and budgets: what is held, what fits, what comes back (domain.md §6, §8.9).

use std::sync::Mutex;

use books::mdf::campaigns::{self, Word};
use books::mdf::decide::{Outcome, Say, Via, decide};
use books::mdf::submit::{self, Anew, New};
use books::mdf::{Claim, MdfError, asked, end};
use books::payouts::intend::{self as admit, Names, Purpose};
use books::payouts::limits::Limits;
use books::payouts::record::Source;
use program::calendar::{Instant, parse_date};
use program::mdf::{Status, Verdict};
use program::payout::{Payout, State, Word as Said};

use crate::app::App;
use crate::broken_books::PROGRAMME;
use crate::library::{RUNTIME, act, balances, day, destination, hear, id, open, people, request, said};
use crate::process::{self, Finished};

/// The route of the shipped programmes: a manager within two days, finance for more than 10,000.00.
pub(crate) const MDF: &str = r#"
[mdf]
cost_share = "50%"

[[mdf.approvals]]
role = "channel_manager"
within = "48h"
remind_every = "20h"
escalate_to = "channel_chief"

[[mdf.approvals]]
role = "finance"
over = "10k"
within = "48h"
"#;

pub(crate) const ALL: Verdict = Verdict::Approve { amount_minor: None };

/// Acme with a wallet of 40,000.00 in two lots, people, a destination and an approved campaign of 60,000.00.
pub(crate) fn world(app: &App) {
    world_of(app, &format!("{PROGRAMME}{MDF}"));
}

pub(crate) fn world_of(app: &App, programme: &str) {
    app.apply(programme);
    app.import(
        "partners",
        "id,name,email,program,tier,tier_since\nacme,Acme,a@example.com,p,gold,2026-01-01\nbeta,Beta,b@example.com,p,gold,2026-01-01",
    );
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at
         A1,c1,acme,USD,500000.00,2026-11-10T10:00:00Z
         A2,c1,acme,USD,1500000.00,2026-12-10T10:00:00Z
         E1,c1,acme,EUR,100000.00,2026-12-11T10:00:00Z
         B1,c1,beta,USD,100000.00,2026-12-10T10:00:00Z",
    );
    app.settle("p", "2026-12");
    people(app);
    for (id, rest) in [
        ("sue", "--role partner --partner acme"),
        ("pat", "--role partner --role channel_manager --partner acme"),
        ("bob", "--role partner --partner beta"),
        ("jo", "--role channel_manager"),
        ("al", "--role channel_manager --role finance"),
        ("chief", "--role channel_chief"),
        ("gone", "--role channel_manager"),
    ] {
        app.ok(&format!("user add --id {id} --email {id}@example.com {rest}"));
    }
    app.ok("user disable gone --reason left");
    destination(app, "D1", "acme", "tok_acme_0001");
    campaign(app, "webinar", "60000.00");
}

pub(crate) fn new_campaign<'a>(id: &'a str, budget: &'a str) -> campaigns::New<'a> {
    campaigns::New {
        id,
        program: None,
        partner: "acme",
        name: "Webinar",
        currency: None,
        budget,
        from_on: parse_date("2027-01-01").expect("a day"),
        through_on: parse_date("2027-03-31").expect("a day"),
        cost_share: None,
    }
}

pub(crate) fn campaign(app: &App, id: &str, budget: &str) {
    act(app, async |tx| {
        campaigns::add(tx, new_campaign(id, budget), "sue", day(0)).await?;
        campaigns::decide(tx, id, Word::Approve, "fin", None, day(0)).await
    })
    .expect("a campaign is approved");
}

pub(crate) fn try_submit(app: &App, id: &str, receipts_minor: i64, wanted_minor: Option<i64>, now: Instant) -> Result<Claim, MdfError> {
    let new = New { id, campaign: "webinar", receipts_minor, wanted_minor, proofs: &[] };
    act(app, async |tx| submit::submit(tx, new, "sue", now).await).map(|submitted| submitted.claim)
}

/// Submits a claim and asks for its approvals.
pub(crate) fn submit(app: &App, id: &str, receipts_minor: i64) -> Claim {
    try_submit(app, id, receipts_minor, None, day(0)).expect("a claim is submitted");
    act(app, async |tx| asked::open(tx, id, day(0)).await).expect("a claim is opened")
}

pub(crate) fn say(app: &App, claim: &str, by: &str, verdict: Verdict, now: Instant) -> Result<Outcome, MdfError> {
    let say = Say { claim, verdict, digest: None, reason: Some("seen"), via: Via::Command };
    act(app, async |tx| decide(tx, say, by, now).await)
}

pub(crate) fn approve(app: &App, claim: &str, by: &str) -> Claim {
    say(app, claim, by, ALL, day(0)).expect("an approval counts").claim
}

/// Debits the wallet by an approved claim and makes its payout.
pub(crate) fn pay(app: &App, claim: &str, number: u64) -> Payout {
    let captured = act(app, async |tx| end::capture(tx, claim, day(0)).await).expect("a claim is captured");
    assert_eq!(captured.status, Status::Paying);
    let (id, key) = (id(number), format!("key-{number}"));
    let Claim { program, partner, amount_minor, currency, .. } = captured;
    let purpose = Purpose::Claim { claim, program: &program, partner: &partner, amount_minor, currency };
    act(app, async |tx| admit::intend(tx, purpose, Names { id: &id, key: &key, workflow: None }, day(0), &Limits::default()).await)
        .expect("a payout is made")
}

pub(crate) fn found(app: &App, id: &str) -> Claim {
    act(app, async |tx| books::mdf::find(tx, id).await).expect("a look").expect("a claim")
}

/// Balance and held of acme's wallet in US dollars, minor units.
pub(crate) fn wallet(app: &App) -> (i64, i64) {
    let of = |column: &str| app.access().number(&format!("SELECT {column} FROM wallets WHERE partner = 'acme' AND currency = 'USD'"));
    (of("balance_minor"), of("held_minor"))
}

/// What is left of acme's lots in US dollars, oldest first, as shown.
pub(crate) fn left(app: &App) -> Vec<String> {
    let shown = app.json("wallet show --partner acme --json");
    let wallet = shown["wallets"].as_array().expect("wallets").iter().find(|wallet| wallet["currency"] == "USD").expect("a wallet").clone();
    wallet["lots"].as_array().expect("lots").iter().map(|lot| lot["remaining"].as_str().expect("an amount").to_owned()).collect()
}

fn the_worked_example(app: &App) {
    world(app);
    assert_eq!(wallet(app), (4_000_000, 0));
    let claim = submit(app, "CL-1", 5_000_000);
    assert_eq!((claim.amount_minor, claim.status, wallet(app)), (2_500_000, Status::AwaitingApproval, (4_000_000, 2_500_000)));
    let second = try_submit(app, "CL-2", 5_000_000, None, day(0)).expect_err("there is not enough for two");
    assert_eq!(second.to_string(), "25000.00 USD is more than what is available of the co-op wallet of acme in p: 15000.00");
    assert_eq!(approve(app, "CL-1", "jo").status, Status::AwaitingApproval);
    assert_eq!(approve(app, "CL-1", "fin").status, Status::Approved);
    let before = balances(app, "acme");
    let payout = pay(app, "CL-1", 1);
    assert_eq!((&payout.state, wallet(app)), (&State::Intended, (1_500_000, 0)));
    assert_eq!(balances(app, "acme"), [before[0], before[1] - 2_500_000, before[2]]);
    request(app, 1, "webhook");
    hear(app, 1, said(Said::Paid, Source::Answer));
    assert_eq!((found(app, "CL-1").status, wallet(app)), (Status::Paid, (1_500_000, 0)));
    assert_eq!(balances(app, "acme"), [before[0], before[1], before[2] - 2_500_000]);
    let history = app.json("wallet show --partner acme --json");
    let moves: Vec<&str> = history["wallets"][1]["history"].as_array().expect("history").iter().filter_map(|moved| moved["kind"].as_str()).collect();
    assert_eq!(moves.iter().filter(|kind| **kind == "capture").count(), 1, "{moves:?}");
    assert_eq!(history["wallets"][1]["history"].as_array().and_then(|all| all.last()).map(|last| last["balance"].clone()), Some("15000.00".into()));
    // A rejected one leaves the wallet as it was.
    submit(app, "CL-3", 1_000_000);
    assert_eq!(wallet(app), (1_500_000, 500_000));
    assert_eq!(say(app, "CL-3", "jo", Verdict::Reject, day(0)).expect("a rejection").claim.status, Status::Rejected);
    assert_eq!(wallet(app), (1_500_000, 0));
    app.assert_verified();
}

fn many_at_once_never_overdraw(app: &App) {
    world(app);
    campaign(app, "large", "900000.00");
    // From 300.00 to 1,245.00, shuffled; their sum is well over the wallet.
    let amounts: Vec<i64> = (0..64).map(|number| 30_000 + (number * 37 % 64) * 1_500).collect();
    assert!(amounts.iter().sum::<i64>() > 4_000_000);
    let results = RUNTIME.block_on(async {
        let books = open(&app.url()).await;
        let tasks: Vec<_> = amounts
            .iter()
            .enumerate()
            .map(|(number, amount)| {
                let (books, amount) = (books.clone(), *amount);
                tokio::spawn(async move {
                    let id = format!("CL-{number}");
                    let new = New { id: &id, campaign: "large", receipts_minor: amount * 2, wanted_minor: None, proofs: &[] };
                    let tx = books.begin_write().await.expect("a transaction begins");
                    let done = submit::submit(&tx, new, "sue", day(0)).await;
                    if done.is_ok() { tx.commit().await } else { tx.rollback().await }.expect("a transaction ends");
                    done.map(|submitted| submitted.claim.amount_minor)
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("a task ends"));
        }
        books::audit::seal::seal_all(&books, day(0)).await.expect("the audit log is sealed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
        results
    });
    let held: i64 = results.iter().filter_map(|result| result.as_ref().ok()).sum();
    assert_eq!(wallet(app), (4_000_000, held));
    assert!(held <= 4_000_000);
    let mut refused = 0;
    for (result, amount) in results.iter().zip(&amounts) {
        if let Err(error) = result {
            assert!(matches!(error, MdfError::Available { .. }), "{error}");
            // What is available only fell: whoever was refused would not fit now either.
            assert!(*amount > 4_000_000 - held, "{amount} would fit");
            refused += 1;
        }
    }
    assert!(refused > 0 && refused < 64, "{refused} were refused");
}

fn holds_take_the_oldest_lots_and_give_the_youngest_back(app: &App) {
    world(app);
    assert_eq!(left(app), ["10000.00", "30000.00"]);
    submit(app, "CL-1", 5_000_000);
    assert_eq!(left(app), ["0.00", "15000.00"]);
    let lowered = say(app, "CL-1", "jo", Verdict::Approve { amount_minor: Some(1_200_000) }, day(0)).expect("an approval counts").claim;
    assert_eq!((lowered.asked_minor, lowered.amount_minor, lowered.status), (2_500_000, 1_200_000, Status::AwaitingApproval));
    assert_eq!((wallet(app), left(app)), ((4_000_000, 1_200_000), vec!["0.00".to_owned(), "28000.00".into()]), "the difference is released at once");
    assert_eq!(app.access().number("SELECT committed_minor FROM campaigns WHERE id = 'webinar'"), 1_200_000);
    approve(app, "CL-1", "fin");
    assert_eq!(pay(app, "CL-1", 1).amount_minor, 1_200_000);
    app.assert_verified();
    request(app, 1, "webhook");
    hear(app, 1, said(Said::Paid, Source::Webhook));
    app.assert_verified();
    // The provider takes it back: the wallet and the lots are as before.
    hear(app, 1, said(Said::Failed, Source::Webhook));
    assert_eq!((found(app, "CL-1").status, wallet(app)), (Status::Failed, (4_000_000, 0)));
    assert_eq!(left(app), ["10000.00", "30000.00"]);
    assert_eq!(app.access().number("SELECT committed_minor FROM campaigns WHERE id = 'webinar'"), 0);
    assert_eq!(balances(app, "acme")[1..], [0, 0]);
    let again = act(app, async |tx| submit::resubmit(tx, "CL-1", Anew::default(), "sue", day(0)).await);
    assert!(matches!(again, Err(MdfError::Illegal { .. })), "{again:?}");
}

/// The lot of November ends on 2027-02-10, that of December on 2027-03-10.
fn what_has_ended_is_not_available_and_expires_when_released(app: &App) {
    world_of(app, &format!("{}{MDF}", PROGRAMME.replace("[settlement]", "[coop]\nexpires_after_months = 3\n\n[settlement]")));
    submit(app, "CL-1", 1_000_000);
    let february: Instant = "2027-02-10T00:00:00Z".parse().expect("an instant");
    let too_much = try_submit(app, "CL-2", 7_000_002, None, february).expect_err("a lot has ended");
    assert!(too_much.to_string().ends_with(": 30000.00"), "{too_much}");
    assert_eq!(left(app), ["5000.00", "30000.00"], "not posted yet");
    try_submit(app, "CL-3", 6_000_000, None, february).expect("what has not ended is available");
    assert_eq!(wallet(app), (4_000_000, 3_500_000));
    act(app, async |tx| books::wallet::expire_until(tx, "p", parse_date("2027-02-10").expect("a day"), february).await).expect("lots expire");
    assert_eq!(wallet(app), (3_500_000, 3_500_000), "what is held has not expired");
    // Released, it goes back to the lot that has ended, and expires.
    let cancelled = act(app, async |tx| end::cancel(tx, "CL-1", "sue", "not needed", february).await).expect("a claim is taken back");
    assert_eq!((cancelled.status, wallet(app)), (Status::Cancelled, (3_000_000, 3_000_000)));
    assert_eq!(left(app), ["0.00", "0.00"]);
    app.assert_verified();
}

fn a_rejected_claim_is_submitted_again(app: &App) {
    world(app);
    submit(app, "CL-1", 3_000_000);
    approve(app, "CL-1", "jo");
    assert_eq!(say(app, "CL-1", "fin", Verdict::Reject, day(0)).expect("a rejection").claim.status, Status::Rejected);
    assert_eq!(wallet(app), (4_000_000, 0));
    let anew = Anew { receipts_minor: Some(1_000_000), wanted_minor: None };
    let claim = act(app, async |tx| submit::resubmit(tx, "CL-1", anew, "sue", day(0)).await).expect("it is submitted again");
    assert_eq!((claim.round, claim.amount_minor, claim.status, wallet(app)), (2, 500_000, Status::Submitted, (4_000_000, 500_000)));
    // Its route is the shorter one, and whoever decided before may decide again.
    assert_eq!(approve(app, "CL-1", "jo").status, Status::Approved);
    let claim = found(app, "CL-1");
    let shown = act(app, async |tx| books::mdf::show::detailed(tx, &claim).await).expect("a look");
    let steps: Vec<&str> = shown["steps"].as_array().expect("steps").iter().filter_map(|step| step["status"].as_str()).collect();
    assert_eq!((steps, shown["decisions"].as_array().map(Vec::len)), (vec!["approved"], Some(3)));
}

/// Without another amount it asks for what it asked for before, or for the share where that is less by now.
fn a_rejected_claim_comes_again_for_no_more_than_the_share(app: &App) {
    world(app);
    for (id, wanted_minor) in [("CL-1", None), ("CL-2", Some(300_000))] {
        try_submit(app, id, 1_000_000, wanted_minor, day(0)).expect("a claim is submitted");
        say(app, id, "jo", Verdict::Reject, day(0)).expect("a rejection");
    }
    let lower = app.write("lower", "toml", &format!("{PROGRAMME}{}", MDF.replace("cost_share = \"50%\"", "cost_share = \"40%\"")));
    app.ok(&format!("program apply {lower} --from 2027-01-01"));
    let again = |id: &str| act(app, async |tx| submit::resubmit(tx, id, Anew::default(), "sue", day(0)).await).expect("it is submitted again");
    assert_eq!((again("CL-1").amount_minor, again("CL-2").amount_minor), (400_000, 300_000));
    let more = Anew { receipts_minor: None, wanted_minor: Some(400_001) };
    say(app, "CL-1", "jo", Verdict::Reject, day(0)).expect("a rejection");
    let refused = act(app, async |tx| submit::resubmit(tx, "CL-1", more, "sue", day(0)).await).expect_err("more than the share");
    assert!(refused.to_string().starts_with("at most 4000.00 USD"), "{refused}");
}

fn limits_are_named_and_nothing_is_taken(app: &App) {
    world(app);
    campaign(app, "small", "1000.00");
    let before = app.access().dump();
    let refused = |campaign: &str, receipts_minor: i64, wanted_minor: Option<i64>, by: &str, now: Instant| {
        let new = New { id: "CL-9", campaign, receipts_minor, wanted_minor, proofs: &[] };
        act(app, async |tx| submit::submit(tx, new, by, now).await).expect_err("it is refused").to_string()
    };
    assert_eq!(refused("small", 200_002, None, "sue", day(0)), "1000.01 USD is more than what is left of the budget of campaign small: 1000.00");
    assert_eq!(
        refused("webinar", 100, Some(51), "sue", day(0)),
        "at most 0.50 USD can be asked for: the amount is more than the share of the receipts that is paid back"
    );
    assert_eq!(refused("webinar", 0, None, "sue", day(0)), "receipts must come to more than zero");
    assert_eq!(
        refused("webinar", 100, None, "sue", day(90)),
        "campaign webinar takes claims from 2027-01-01 through 2027-03-31; today is 2027-04-15 in the programme's zone"
    );
    assert!(refused("nothing", 100, None, "sue", day(0)).starts_with("campaign nothing is not there"));
    assert!(refused("webinar", 100, None, "bob", day(0)).contains("may not"), "of another partner");
    assert!(refused("webinar", 100, None, "gone", day(0)).contains("disabled"));
    crate::database::assert_same(&before, &app.access().dump(), "refused claims");
    submit(app, "CL-1", 1_000_000);
    let again = New { id: "CL-1", campaign: "webinar", receipts_minor: 1_000_000, wanted_minor: None, proofs: &[] };
    assert!(!act(app, async |tx| submit::submit(tx, again, "sue", day(0)).await).expect("the same again").is_new);
    let other = New { receipts_minor: 1_000_001, ..again };
    assert!(matches!(act(app, async |tx| submit::submit(tx, other, "sue", day(0)).await), Err(MdfError::Taken(_))));
    assert_eq!(wallet(app), (4_000_000, 500_000));
}

fn campaigns_are_approved_by_others(app: &App) {
    world(app);
    let decided = |id: &str, word: Word, by: &str| act(app, async |tx| campaigns::decide(tx, id, word, by, Some("why"), day(0)).await);
    act(app, async |tx| campaigns::add(tx, new_campaign("c2", "10.00"), "fin", day(0)).await).expect("finance asks");
    let twice = act(app, async |tx| campaigns::add(tx, new_campaign("c2", "10.00"), "fin", day(1)).await).expect("the same again");
    assert_eq!(twice.status, "requested");
    assert!(matches!(act(app, async |tx| campaigns::add(tx, new_campaign("c2", "11.00"), "fin", day(0)).await), Err(MdfError::Taken(_))));
    assert!(matches!(act(app, async |tx| campaigns::add(tx, new_campaign("c3", "0"), "fin", day(0)).await), Err(MdfError::Figure { .. })));
    assert!(matches!(decided("c2", Word::Approve, "fin"), Err(MdfError::OwnCampaign { .. })));
    for by in ["sue", "pat", "gone", "op"] {
        assert!(matches!(decided("c2", Word::Approve, by), Err(MdfError::Person(_))), "{by}");
    }
    let refused = decided("c2", Word::Approve, "op").expect_err("operations decide nothing");
    assert_eq!(refused.to_string(), "user op may not do this: it takes the role finance or channel_manager or channel_chief");
    assert!(matches!(decided("c2", Word::Close, "jo"), Err(MdfError::Campaign { .. })));
    assert_eq!(decided("c2", Word::Approve, "jo").expect("an approver of the programme").status, "approved");
    assert_eq!(decided("c2", Word::Approve, "jo").expect("again").status, "approved");
    assert!(matches!(decided("c2", Word::Reject, "fin2"), Err(MdfError::Campaign { .. })));
    let new = New { id: "CL-1", campaign: "c2", receipts_minor: 1_000, wanted_minor: None, proofs: &[] };
    act(app, async |tx| submit::submit(tx, new, "sue", day(0)).await).expect("a claim");
    assert_eq!(decided("c2", Word::Close, "fin").expect("closed").status, "closed");
    let late = act(app, async |tx| submit::submit(tx, New { id: "CL-2", ..new }, "sue", day(0)).await);
    assert!(matches!(late, Err(MdfError::NotApproved { .. })));
    assert_eq!(approve(app, "CL-1", "jo").status, Status::Approved, "what is under way goes on");
    let acts = act(app, async |tx| campaigns::history(tx, "c2").await).expect("a look");
    assert_eq!(acts.iter().filter_map(|act| act["act"].as_str()).collect::<Vec<_>>(), ["requested", "approved", "closed"]);
}

/// Anything over 10,000.00 US dollars takes finance, whatever the currency of the claim; the rate of the day counts.
fn the_route_is_by_the_amount_in_the_programme_s_currency(app: &App) {
    world(app);
    let of_euros = campaigns::New { currency: Some("EUR".parse().expect("a currency")), ..new_campaign("euro", "90000.00") };
    act(app, async |tx| {
        campaigns::add(tx, of_euros, "sue", day(0)).await?;
        campaigns::decide(tx, "euro", Word::Approve, "fin", None, day(0)).await
    })
    .expect("a campaign");
    let new = New { id: "CL-1", campaign: "euro", receipts_minor: 400_000, wanted_minor: None, proofs: &[] };
    let without = act(app, async |tx| submit::submit(tx, new, "sue", day(0)).await);
    assert!(matches!(without, Err(MdfError::Rate(_))), "{without:?}");
    app.import("fx", "date,from,to,rate\n2027-01-14,EUR,USD,5.1");
    act(app, async |tx| submit::submit(tx, new, "sue", day(0)).await).expect("a claim of 2,000.00 euros, 10,200.00 dollars");
    assert_eq!(approve(app, "CL-1", "jo").status, Status::AwaitingApproval);
    assert_eq!(approve(app, "CL-1", "fin").status, Status::Approved);
}

/// A paid claim, one whose payout failed and one that is held: books are exported, and history recomputed, with them.
fn exports_and_simulations_bear_claims(app: &App) {
    world(app);
    for (number, id) in [(1, "CL-1"), (2, "CL-2")] {
        submit(app, id, 1_000_000);
        approve(app, id, "jo");
        pay(app, id, number);
        request(app, number, "webhook");
        hear(app, number, said(if number == 1 { Said::Paid } else { Said::Failed }, Source::Answer));
    }
    submit(app, "CL-3", 1_000_000);
    let before = app.access().dump();
    for format in ["csv", "beancount", "hledger"] {
        let journal = app.ok(&format!("export journal --format {format}")).stdout_text();
        assert!(journal.to_lowercase().contains("held"), "{format} has the account of what is held");
    }
    let owed = app.json("export accruals --as-of 2027-01-15 --json");
    assert!(owed.to_string().contains("acme"), "{owed}");
    let csv = app.ok("export payouts --format csv").stdout_text();
    assert_eq!(csv.matches("mdf_claim").count(), 2, "{csv}");
    let programme = app.write("program", "toml", &format!("{PROGRAMME}{MDF}").replace("\"12%\"", "\"13%\""));
    app.ok(&format!("simulate --program {programme} --from 2026-11 --through 2026-12"));
    crate::database::assert_same(&before, &app.access().dump(), "what only reads");
    let said = app.json("wallet show --partner acme --json");
    let usd = said["wallets"].as_array().and_then(|all| all.iter().find(|one| one["currency"] == "USD")).expect("a wallet");
    let kinds: Vec<&str> = usd["history"].as_array().expect("history").iter().filter_map(|moved| moved["kind"].as_str()).collect();
    for kind in ["accrual", "hold", "capture", "release", "returned"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert_eq!((&usd["balance"], &usd["held"], &usd["available"]), (&"35000.00".into(), &"5000.00".into(), &"30000.00".into()));
}

/// Of twelve claims of 1,000.00 at once ten fit into a budget of 10,500.00, whichever come first.
fn many_at_once_never_pass_a_budget(app: &App) {
    world(app);
    campaign(app, "small", "10500.00");
    let results = RUNTIME.block_on(async {
        let books = open(&app.url()).await;
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let books = books.clone();
                tokio::spawn(async move {
                    let id = format!("CL-{number}");
                    let new = New { id: &id, campaign: "small", receipts_minor: 200_000, wanted_minor: None, proofs: &[] };
                    let tx = books.begin_write().await.expect("a transaction begins");
                    let done = submit::submit(&tx, new, "sue", day(0)).await;
                    if done.is_ok() { tx.commit().await } else { tx.rollback().await }.expect("a transaction ends");
                    done
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("a task ends"));
        }
        books::audit::seal::seal_all(&books, day(0)).await.expect("the audit log is sealed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
        results
    });
    let refused: Vec<String> = results.iter().filter_map(|result| result.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(refused, ["1000.00 USD is more than what is left of the budget of campaign small: 500.00"; 2]);
    assert_eq!(app.access().number("SELECT committed_minor FROM campaigns WHERE id = 'small'"), 1_000_000);
    assert_eq!(wallet(app), (4_000_000, 1_000_000));
}

/// The same through the binary: 64 claims of 1,000.00 on a wallet of 40,000.00, eight processes side by side.
fn many_commands_at_once_never_overdraw(app: &App) {
    world(app);
    campaign(app, "large", "900000.00");
    let submit = |number| app.command(&format!("mdf claim submit --id CL-{number} --campaign large --receipts 2000.00 --by sue"));
    let queue = Mutex::new((0..64).map(submit).collect::<Vec<_>>());
    let work = || {
        let mut done = Vec::new();
        loop {
            // Taken in a statement of its own, so that nobody waits for a command.
            let taken = queue.lock().expect("nobody panics").pop();
            let Some(mut command) = taken else { return done };
            done.push(process::run(&mut command));
        }
    };
    let results: Vec<Finished> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker ends")).collect()
    });
    assert_eq!(results.len(), 64);
    let (held, refused): (Vec<_>, Vec<_>) = results.iter().partition(|finished| finished.status.success());
    assert_eq!((held.len(), refused.len()), (40, 24), "whoever fits is taken, and nobody else");
    for finished in refused {
        let why = "1000.00 USD is more than what is available of the co-op wallet of acme in p: 0.00";
        assert!(finished.status.code() == Some(2) && finished.stderr.contains(why), "{}", finished.stderr);
    }
    assert_eq!(wallet(app), (4_000_000, 4_000_000));
    assert_eq!(app.access().number("SELECT COUNT(*) FROM workflow_runs WHERE workflow = 'mdf_claim'"), 40, "and each has its run");
}

/// Ids that would be those of something else: of a later round's run, or of no page.
fn some_ids_are_no_claims(app: &App) {
    world(app);
    for id in [".", "..", "H4 (round 2)", "H4 (round 17)", "(round 2) (round 3)"] {
        let before = app.access().dump();
        let refused = try_submit(app, id, 100_000, None, day(0)).expect_err("it is refused");
        assert!(refused.is_input() && refused.to_string().contains("can't be taken"), "{id}: {refused}");
        crate::database::assert_same(&before, &app.access().dump(), id);
    }
    for id in ["...", ".a", "H4 (round two)", "H4 (round 2) b", "(round 2)", "H4 (round )"] {
        try_submit(app, id, 100_000, None, day(0)).unwrap_or_else(|error| panic!("{id}: {error}"));
    }
}

/// Whoever hands in a proof needs to know where files are kept, and no secret of the service.
fn a_proof_needs_the_files_section_alone(app: &App) {
    world(app);
    let file = app.write("receipt", "csv", "what,amount\nroom,2\n");
    let config =
        app.write("tributary", "toml", "[payouts]\nadapter = \"webhook\"\nurl = \"https://pay.example.com\"\nsecret_file = \"/nowhere/key\"\n");
    let submit =
        |id: &str| app.command(&format!("mdf claim submit --id {id} --campaign webinar --receipts 100.00 --proof {file} --config {config} --by sue"));
    let finished = process::run(&mut submit("CL-1"));
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    assert_eq!(app.json("mdf claim show CL-1 --json")["proofs"].as_array().map(Vec::len), Some(1));
    let elsewhere = process::run(submit("CL-2").env("TRIBUTARY_FILES__URL", "http://files.example.com"));
    assert!(elsewhere.status.code() == Some(2) && elsewhere.stderr.contains("files.url"), "{}", elsewhere.stderr);
    let mistyped = process::run(submit("CL-3").env("TRIBUTARY_FILES__URI", "file:files"));
    assert!(mistyped.status.code() == Some(2) && mistyped.stderr.contains("files.uri"), "{}", mistyped.stderr);
}

on_both_databases!(
    many_at_once_never_pass_a_budget,
    many_commands_at_once_never_overdraw,
    some_ids_are_no_claims,
    a_proof_needs_the_files_section_alone,
    exports_and_simulations_bear_claims,
    the_worked_example,
    many_at_once_never_overdraw,
    holds_take_the_oldest_lots_and_give_the_youngest_back,
    what_has_ended_is_not_available_and_expires_when_released,
    a_rejected_claim_is_submitted_again,
    a_rejected_claim_comes_again_for_no_more_than_the_share,
    limits_are_named_and_nothing_is_taken,
    campaigns_are_approved_by_others,
    the_route_is_by_the_amount_in_the_programme_s_currency,
);
