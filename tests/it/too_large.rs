//! Sums that do not fit 64 bits are told while the period is rated: all of them, nothing posted, the period open (domain.md §2.1,
//! architecture: errors of data). Amounts stay below their limits; absurdly many of them at absurd rates do not add up.

use crate::app::App;

fn programme(more: &str) -> String {
    format!(
        r#"[program]
id = "p"
name = "Absurd"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
{more}

[settlement]
first_period = "2026-04"
"#
    )
}

fn begun(app: &App, more: &str) {
    app.apply(&programme(more));
    app.import(
        "partners",
        "id,name,program,tier,tier_since,parent\ntop,Top,p,base,2026-01-01,\na,A,p,base,2026-01-01,top\nb,B,p,base,2026-01-01,top",
    );
    app.import("customers", "id,name\nc1,Customer");
}

/// As many invoices of nearly the largest amount, paid in a month and credited to one partner.
fn invoices(app: &App, partner: &str, month: u32, count: u32) {
    let rows: String =
        (0..count).map(|number| format!("{partner}{month}-{number},c1,{partner},USD,9999999999999.99,2026-{month:02}-10T10:00:00Z\n")).collect();
    app.import("invoices", &format!("id,customer,partner,currency,subtotal,paid_at\n{rows}"));
}

/// Settling and previewing are refused with these words, each on a line of its own, and no others.
fn refused(app: &App, period: &str, words: &[&str]) {
    for preview in ["", " --preview"] {
        let said = app.refused(&format!("settle --program p --period {period}{preview}"));
        let reasons: Vec<&str> = said.lines().filter(|line| line.contains("9,223,372,036,854,775,807")).collect();
        assert_eq!(reasons.len(), words.len(), "{said}");
        for words in words {
            assert!(reasons.iter().any(|reason| reason.contains(words)), "{words}\n{said}");
        }
        assert!(said.contains(&format!("nothing of {period} was posted")), "{said}");
    }
    app.assert_verified();
}

/// Base lines of 10^16 minor units: 930 of them are too many for one settlement.
fn every_settlement_that_does_not_fit_is_told(app: &App) {
    begun(app, "rate = \"1000%\"");
    invoices(app, "a", 4, 930);
    invoices(app, "b", 4, 930);
    refused(app, "2026-04", &["the lines of a in USD", "the lines of b in USD", "account expense:p:base in USD"]);
    // The period is open: a version that holds in it can be recorded, and it is settled.
    let file = app.write("program", "toml", &programme("rate = \"1%\""));
    app.ok(&format!("program apply {file} --from 2026-04-01"));
    let made = app.settle("p", "2026-04");
    let net: Vec<_> = made["settlements"].as_array().expect("a list").iter().map(|one| &one["totals"]["net"]).collect();
    assert_eq!(net, ["93000000000000.00"; 2], "{made}");
}

/// Each settlement fits, the account of their expense does not.
fn an_account_of_all_partners_is_told(app: &App) {
    begun(app, "rate = \"1000%\"");
    invoices(app, "a", 4, 500);
    invoices(app, "b", 4, 500);
    refused(app, "2026-04", &["account expense:p:base in USD"]);
}

/// April fits; May does not go on top of what April carried forward and posted.
fn sums_over_months_are_told(app: &App) {
    begun(app, "rate = \"0%\"\n[hierarchy]\nlevels = [\"1000%\"]\npaid_by = \"child\"");
    invoices(app, "a", 4, 500);
    invoices(app, "a", 5, 500);
    let april = app.settle("p", "2026-04");
    assert_eq!(april["settlements"][0]["totals"]["carried_forward"], "-49999999999999950.00", "{april}");
    refused(
        app,
        "2026-05",
        &[
            "the lines of a in USD and what is carried into 2026-05",
            "account expense:p:cascade in USD",
            "account expense:p:override in USD",
            "account partner:a:p:payable in USD",
            "account partner:top:p:payable in USD",
        ],
    );
}

/// A wallet counts what it has, too.
fn a_wallet_that_does_not_fit_is_told(app: &App) {
    begun(app, "rate = \"0%\"\ncoop_rate = \"1000%\"");
    invoices(app, "a", 4, 500);
    invoices(app, "a", 5, 500);
    app.settle("p", "2026-04");
    refused(app, "2026-05", &["account expense:p:coop in USD", "account partner:a:p:coop in USD", "the co-op wallet of a in USD"]);
}

/// Revenue that an exchange rate makes too large for a review or a ranking is told with its member; nothing is changed.
fn a_revenue_that_does_not_fit_is_told(app: &App) {
    begun(app, "rate = \"0%\"\n[[rankings]]\nid = \"best\"\ntop = \"100%\"\nrate = \"1%\"\napplies = \"ranked_quarter\"");
    app.settle("p", "2026-05");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at
        I1,c1,a,JPY,999999999999999,2026-06-10T10:00:00Z
        I2,c1,b,KRW,999999999999999,2026-06-10T10:00:00Z
        I3,c1,top,USD,1.00,2026-06-10T10:00:00Z",
    );
    app.import("fx", &format!("date,from,to,rate\n2026-06-10,JPY,USD,1000000\n2026-06-10,KRW,USD,1{}", "0".repeat(30)));
    let told = |line: &str, words: [&str; 2]| {
        let said = app.refused(line);
        let named: Vec<&str> = said.lines().filter(|line| line.contains("too large")).collect();
        assert_eq!(named.len(), 2, "{said}");
        for words in words {
            assert!(named.iter().any(|line| line.contains(words)), "{words}\n{said}");
        }
    };
    // The sum is known exactly and can't be kept; the other one can't even be computed.
    let [a, b] = ["a: a T12M of 999999999999999000000 USD is too large", "b: a figure is too large to be computed exactly"];
    told("recertify --program p --as-of 2026-07-01", [a, b]);
    told("recertify --program p --as-of 2026-07-01 --preview --json", [a, b]);
    told("settle --program p --period 2026-06", ["ranking best of 2026-Q2, a: ", "ranking of 2026-Q2, b: "]);
    // The rates were wrong: with others the review and the month go through.
    app.import("voids", "kind,id,reason,approved_by\nfx,2026-06-10/JPY/USD,typo,jo\nfx,2026-06-10/KRW/USD,typo,jo");
    app.import("fx", "date,from,to,rate\n2026-06-10,JPY,USD,0.01\n2026-06-10,KRW,USD,0.001");
    let june = app.settle("p", "2026-06");
    assert_eq!(june["settlements"].as_array().map(Vec::len), Some(5), "{june}");
    let review = app.json("recertify --program p --as-of 2026-07-01 --json");
    assert_eq!(review["reviews"][0]["t12m"], "9999999999999.99", "{review}");
}

/// What no check foresaw is refused by the posting itself, on either database, and goes through once the books are right again.
fn a_balance_never_wraps(app: &App) {
    begun(app, "rate = \"5%\"\ncoop_rate = \"2%\"\n[coop]\nexpires_after_months = 1");
    app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nI1,c1,a,USD,1000.00,2026-04-10T10:00:00Z");
    app.settle("p", "2026-04");
    let set = |balance: &str| {
        let text = format!("UPDATE account_balances SET balance_minor = {balance} WHERE account = 'expense:p:coop'");
        assert_eq!(app.access().execute(&text), 1);
    };
    set("-9223372036854775800");
    let failed = app.run("settle --program p --period 2026-05");
    assert_eq!(failed.status.code(), Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("account expense:p:coop in USD") && failed.stderr.contains("9,223,372,036,854,775,807"), "{}", failed.stderr);
    assert_eq!(app.access().number("SELECT COUNT(*) FROM transactions WHERE kind = 'expiry'"), 0);
    set("2000");
    app.settle("p", "2026-05");
    assert_eq!(app.access().number("SELECT balance_minor FROM account_balances WHERE account = 'expense:p:coop'"), 0);
}

on_both_databases!(
    every_settlement_that_does_not_fit_is_told,
    an_account_of_all_partners_is_told,
    sums_over_months_are_told,
    a_wallet_that_does_not_fit_is_told,
    a_revenue_that_does_not_fit_is_told,
    a_balance_never_wraps,
);
