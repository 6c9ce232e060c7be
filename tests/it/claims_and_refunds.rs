//! Refunds of what claims hold or have spent: what the wallet is short of, what comes back, and what is approved meanwhile (domain.md §4.4, §6.2).

use books::mdf::{MdfError, asked, end};
use program::mdf::{Refusal, Status, Verdict};

use crate::app::App;
use crate::broken_books::PROGRAMME;
use crate::claims::{ALL, approve, found, left, pay, say, submit, try_submit, wallet, world, world_of};
use crate::library::{act, day};
use crate::process;

/// Makes months final that are over by then.
fn settle(app: &App, through: &str, clock: &str) {
    let mut command = app.command(&format!("settle --program p --through {through}"));
    let finished = process::run(command.env("TRIBUTARY_CLOCK__START", clock));
    assert!(finished.status.success(), "{}{}", finished.stdout_text(), finished.stderr);
}

/// A claim holds all of the wallet when the invoice behind its oldest lot is refunded.
fn short_by_a_refund(app: &App) {
    world(app);
    submit(app, "CL-1", 8_000_000);
    refund_of_the_oldest(app);
}

/// The invoice behind the oldest lot is refunded while a claim holds all of the wallet.
fn refund_of_the_oldest(app: &App) {
    assert_eq!((wallet(app), left(app)), ((4_000_000, 4_000_000), vec!["0.00".to_owned(), "0.00".into()]));
    app.import("refunds", "id,invoice,amount,refunded_at\nR1,A1,500000.00,2027-01-10T10:00:00Z");
    settle(app, "2027-01", "2027-02-02T00:00:00Z");
    assert_eq!(wallet(app), (3_000_000, 4_000_000), "the wallet is short of 10,000.00");
    app.assert_verified();
}

fn what_comes_back_first_fills_what_is_missing(app: &App) {
    short_by_a_refund(app);
    say(app, "CL-1", "jo", Verdict::Reject, day(0)).expect("a rejection counts");
    assert_eq!((wallet(app), left(app)), ((3_000_000, 0), vec!["0.00".to_owned(), "30000.00".into()]));
    app.assert_verified();
}

fn nothing_is_approved_while_the_wallet_is_short(app: &App) {
    short_by_a_refund(app);
    let refused = say(app, "CL-1", "jo", ALL, day(0)).expect_err("the wallet is short");
    let short = Refusal::WalletShort { short: "10000.00".into(), currency: "USD".parse().expect("a currency") };
    assert!(matches!(&refused, MdfError::Refused { refusal, .. } if *refusal == short), "{refused}");
    assert_eq!(found(app, "CL-1").status, Status::AwaitingApproval);
    // A new accrual fills what is missing first, and the claim may be approved again.
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA3,c1,acme,USD,1000000.00,2027-02-10T10:00:00Z");
    settle(app, "2027-02", "2027-03-02T00:00:00Z");
    assert_eq!((wallet(app), left(app)), ((5_000_000, 4_000_000), vec!["0.00".to_owned(), "0.00".into(), "10000.00".into()]));
    app.assert_verified();
    approve(app, "CL-1", "jo");
    approve(app, "CL-1", "fin");
    pay(app, "CL-1", 1);
    assert_eq!((wallet(app), left(app)), ((1_000_000, 0), vec!["0.00".to_owned(), "0.00".into(), "10000.00".into()]));
    app.assert_verified();
}

/// A route of which a claim on all of the wallet needs no step.
const FOR_LARGE_ONES: &str = r#"
[mdf]
cost_share = "50%"

[[mdf.approvals]]
role = "finance"
over = "50k"
"#;

/// What brings the wallet back lets the claim go on; until then its money stays where it is.
fn goes_on_after_accruals(app: &App, status: Status) {
    assert_eq!((found(app, "CL-1").status, wallet(app)), (status, (3_000_000, 4_000_000)));
    let reason = found(app, "CL-1").reason.expect("it says what it waits for");
    assert!(reason.contains("short"), "{reason}");
    let told = "SELECT COUNT(*) FROM audit_log WHERE act = 'claim.waits_for_accruals'";
    assert_eq!(app.access().number(told), 1, "told once");
    app.assert_verified();
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA3,c1,acme,USD,1000000.00,2027-02-10T10:00:00Z");
    settle(app, "2027-02", "2027-03-02T00:00:00Z");
    let opened = act(app, async |tx| asked::open(tx, "CL-1", day(0)).await).expect("a claim is opened");
    assert_eq!(opened.status, Status::Approved);
    pay(app, "CL-1", 1);
    assert_eq!((wallet(app), found(app, "CL-1").reason), ((1_000_000, 0), None));
    app.assert_verified();
}

fn a_claim_without_steps_is_not_approved_while_the_wallet_is_short(app: &App) {
    world_of(app, &format!("{PROGRAMME}{FOR_LARGE_ONES}"));
    try_submit(app, "CL-1", 8_000_000, None, day(0)).expect("a claim is submitted");
    refund_of_the_oldest(app);
    for _ in 0..2 {
        let opened = act(app, async |tx| asked::open(tx, "CL-1", day(0)).await).expect("a look");
        assert_eq!(opened.status, Status::Submitted);
    }
    let captured = act(app, async |tx| end::capture(tx, "CL-1", day(0)).await).expect("a look");
    assert_eq!(captured.status, Status::Submitted);
    goes_on_after_accruals(app, Status::Submitted);
}

/// Nobody has said yes to it: what was approved by itself is looked at again before it is debited.
fn a_claim_without_steps_is_not_debited_while_the_wallet_is_short(app: &App) {
    world_of(app, &format!("{PROGRAMME}{FOR_LARGE_ONES}"));
    assert_eq!(submit(app, "CL-1", 8_000_000).status, Status::Approved);
    refund_of_the_oldest(app);
    for _ in 0..2 {
        let captured = act(app, async |tx| end::capture(tx, "CL-1", day(0)).await).expect("a look");
        assert_eq!(captured.status, Status::Approved);
    }
    goes_on_after_accruals(app, Status::Approved);
}

fn what_a_chargeback_took_comes_back_to_where_it_was_taken(app: &App) {
    world(app);
    submit(app, "CL-1", 2_000_000);
    approve(app, "CL-1", "jo");
    pay(app, "CL-1", 1);
    assert_eq!(left(app), ["0.00", "30000.00"]);
    app.import("refunds", "id,invoice,amount,refunded_at,kind\nK1,A1,500000.00,2027-01-10T10:00:00Z,chargeback");
    settle(app, "2027-01", "2027-02-02T00:00:00Z");
    assert_eq!((wallet(app), left(app)), ((2_000_000, 0), vec!["0.00".to_owned(), "20000.00".into()]), "its own lot is spent");
    app.import("refunds", "id,invoice,amount,refunded_at,kind,of\nW1,A1,500000.00,2027-02-10T10:00:00Z,chargeback_won,K1");
    settle(app, "2027-02", "2027-03-02T00:00:00Z");
    assert_eq!((wallet(app), left(app)), ((3_000_000, 0), vec!["0.00".to_owned(), "30000.00".into()]), "the spent lot stays spent");
    app.assert_verified();
}

on_both_databases!(
    what_comes_back_first_fills_what_is_missing,
    nothing_is_approved_while_the_wallet_is_short,
    a_claim_without_steps_is_not_approved_while_the_wallet_is_short,
    a_claim_without_steps_is_not_debited_while_the_wallet_is_short,
    what_a_chargeback_took_comes_back_to_where_it_was_taken,
);
