//! What comes late, and what nobody needs: the second look at a month's bonus, refunds of several programmes, rates that no line asks for.

use crate::app::App;

fn programme(id: &str, more: &str) -> String {
    format!(
        "[program]\nid = \"{id}\"\nname = \"Programme\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\n\
         [[tiers]]\nid = \"bronze\"\nname = \"Bronze\"\nthreshold = \"0\"\nrate = \"5%\"\n\n\
         [[tiers]]\nid = \"silver\"\nname = \"Silver\"\nthreshold = \"1k\"\nrate = \"8%\"\n\n{more}\n[settlement]\nfirst_period = \"2024-01\"\n"
    )
}

/// The bonus is of the version that rated the item, whatever version a later invoice of the month has (domain.md §4.1).
fn a_late_invoice_brings_the_bonus_of_an_earlier_version(app: &App) {
    let bonus = "[[rules]]\nid = \"vb\"\nkind = \"volume_bonus\"\nrate = \"2%\"\nwhen = \"monthly_referred_revenue >= 1k\"\n";
    app.apply(&programme("p", bonus));
    let second = app.write("second", "toml", &programme("p", ""));
    app.ok(&format!("program apply {second} --from 2024-01-15"));
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,bronze,2024-01-01");
    app.import("customers", "id,name,referred_by\nc,C,a");
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI1,c,USD,600.00,2024-01-05T12:00:00Z");
    app.settle("p", "2024-01");
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI2,c,USD,600.00,2024-01-20T12:00:00Z");
    app.settle("p", "2024-02");
    let late = app.access().texts(
        "SELECT source_id || ' ' || CAST(amount_minor AS TEXT) || ' ' || late_from FROM commission_lines WHERE component = 'volume_bonus' AND period = '2024-02'",
    );
    assert_eq!(late, ["I1 1200 2024-01"]);
    app.assert_verified();
}

/// A refund that one programme could take after those it booked, but another could not in the order of dates, is refused (domain.md §4.2).
fn a_refund_fits_every_programme_that_is_still_to_book(app: &App) {
    app.apply(&programme("p", ""));
    app.apply(&programme("q", ""));
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,bronze,2024-01-01\nb,B,q,bronze,2024-01-01");
    app.import("customers", "id,name\nc,C");
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI,c,USD,100.00,2024-01-05T12:00:00Z");
    app.import("invoice_items", "invoice,item,amount\nI,x,50.00\nI,y,50.00");
    app.import("credits", "id,customer,partner,role,share,program\nk1,c,a,sourced,0.5,p\nk2,c,b,sourced,0.5,q");
    app.import("refunds", "id,invoice,item,amount,refunded_at,kind\nR2,I,x,50.00,2024-01-20T12:00:00Z,refund");
    app.settle("p", "2024-01");
    let file = app.write("refunds", "csv", "id,invoice,amount,refunded_at,kind\nR1,I,40.00,2024-01-10T12:00:00Z,refund\n");
    let said = app.refused(&format!("import refunds {file}"));
    assert!(said.contains("R2") && said.contains("item"), "{said}");
    app.settle("q", "2024-01");
    app.import("refunds", "id,invoice,amount,refunded_at,kind\nR1,I,40.00,2024-01-10T12:00:00Z,refund");
    app.settle("p", "2024-02");
    app.settle("q", "2024-02");
    app.assert_verified();
}

/// An exchange rate is asked for only where a look or a line needs it (domain.md §2.8, §5.3, §3.11).
fn a_rate_that_nobody_needs_may_be_missing(app: &App) {
    let spiff = "[[rules]]\nid = \"s\"\nkind = \"spiff\"\nrate = \"1%\"\nwindow_on = \"paid_on\"\nwhen = \"amount > 10\"\n\n\
                 [recertification]\npromotion = \"immediate\"\n";
    app.apply(&programme("p", spiff));
    app.import("partners", "id,name,program,tier,tier_since,status\na,A,p,bronze,2023-01-01,suspended\nb,B,p,bronze,2023-01-01,active");
    app.import("customers", "id,name,referred_by\nca,CA,a\ncb,CB,b");
    app.import(
        "invoices",
        "id,customer,currency,subtotal,paid_at\nH,ca,EUR,100.00,2023-12-05T12:00:00Z\nE,ca,EUR,100.00,2024-01-06T12:00:00Z\nI,cb,USD,100.00,2024-01-05T12:00:00Z",
    );
    app.settle("p", "2024-01");
    assert_eq!(app.access().texts("SELECT partner || ' ' || CAST(net_minor AS TEXT) FROM settlements"), ["b 600"]);
    app.assert_verified();
}

/// Each programme looks at the paid date in its own zone, whichever books the invoice first (domain.md §2.3, §3.2).
fn each_programme_has_the_credits_of_its_own_day(app: &App) {
    app.apply(&programme("p", ""));
    app.apply(&programme("q", "").replace("timezone = \"UTC\"", "timezone = \"Pacific/Kiritimati\""));
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,bronze,2024-01-01\nb1,B1,q,bronze,2024-01-01\nb2,B2,q,bronze,2024-01-01");
    app.import("customers", "id,name\nc,C");
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI,c,USD,100.00,2024-01-15T20:00:00Z");
    app.import(
        "credits",
        "id,customer,partner,role,share,program,from,through
        k1,c,a,sourced,0.5,p,,
        k2,c,b1,sourced,0.5,q,,2024-01-15
        k3,c,b2,sourced,0.5,q,2024-01-16,",
    );
    app.settle("p", "2024-01");
    app.settle("q", "2024-01");
    let lines = app.access().texts("SELECT payee || ' ' || earned_on || ' ' || CAST(amount_minor AS TEXT) FROM commission_lines ORDER BY payee");
    assert_eq!(lines, ["a 2024-01-15 250", "b2 2024-01-16 250"]);
    app.assert_verified();
    app.ok("explain --invoice I");
}

on_both_databases!(
    each_programme_has_the_credits_of_its_own_day,
    a_late_invoice_brings_the_bonus_of_an_earlier_version,
    a_refund_fits_every_programme_that_is_still_to_book,
    a_rate_that_nobody_needs_may_be_missing,
);
