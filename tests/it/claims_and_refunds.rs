//! Refunds of what claims hold or have spent: what the wallet is short of, what comes back, and what is approved meanwhile (domain.md §4.4, §6.2).

use books::mdf::MdfError;
use program::mdf::{Refusal, Status, Verdict};

use crate::app::App;
use crate::claims::{ALL, approve, found, left, pay, say, submit, wallet, world};
use crate::library::day;
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
    what_a_chargeback_took_comes_back_to_where_it_was_taken,
);
