//! The examples that the domain rules work by hand (§8 there), line by line and total by total. Example 9 is about claims.

use crate::app::App;
use crate::printed::{assert_settlement, partners_of, settlement, totals};

/// The programme of the examples.
const PROGRAMME: &str = r#"
[program]
id = "reseller"
name = "Reseller programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "bronze"
name = "Bronze"
threshold = "0"
rate = "5%"

[[tiers]]
id = "silver"
name = "Silver"
threshold = "100k"
rate = "8%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"
coop_rate = "2%"

[[tiers]]
id = "platinum"
name = "Platinum"
threshold = "1M"
rate = "15%"

[[rules]]
id = "q2-new-logo"
kind = "spiff"
rate = "3%"
when = "new_logo and contract_value > 100k"
from = 2026-04-01
through = 2026-06-30

[settlement]
first_period = "2026-04"
"#;

const PARTNERS: &str = "id,name,program,tier,tier_since,parent,status\n";
const INVOICES: &str = "id,customer,deal,partner,currency,subtotal,paid_at,product\n";

fn programme(app: &App, more: &str) {
    app.apply(&format!("{PROGRAMME}{more}"));
}

fn partners(app: &App, rows: &str) {
    app.import("partners", &format!("{PARTNERS}{rows}"));
    app.import("customers", "id,name\nc1,Customer One\n");
}

fn invoices(app: &App, rows: &str) {
    app.import("invoices", &format!("{INVOICES}{rows}"));
}

fn gold_partner_with_a_new_logo_deal(app: &App) {
    programme(app, "");
    partners(app, "acme,Acme,reseller,gold,2026-01-01,,");
    app.import("deals", "id,customer,partner,contract_value,currency,signed_on,new_logo\nD-1,c1,acme,150000.00,USD,2026-04-10,true\n");
    invoices(
        app,
        "INV-1,c1,D-1,,USD,100000.00,2026-04-20T10:00:00Z,
         INV-2,c1,D-1,,USD,80000.00,2026-05-12T10:00:00Z,",
    );
}

/// Example 1.
fn gold_in_april_earns_base_spiff_and_co_op(app: &App) {
    gold_partner_with_a_new_logo_deal(app);
    assert_settlement(
        &app.settle("reseller", "2026-04"),
        "acme",
        "2026-04",
        &[
            "2026-04-20 invoice:INV-1 INV-1/- acme:sourced^0 base tier:gold gold 100000.00 x 0.12 x 1 = 12000.00",
            "2026-04-20 invoice:INV-1 INV-1/- acme:sourced^0 coop - gold 100000.00 x 0.02 x 1 = 2000.00 fund:coop",
            "2026-04-20 invoice:INV-1 INV-1/- acme:sourced^0 spiff q2-new-logo gold 100000.00 x 0.03 x 1 = 3000.00",
        ],
        ["100000.00", "0.00", "15000.00", "15000.00", "15000.00", "0.00", "2000.00"],
    );
}

/// Example 2.
fn a_spiff_stops_at_the_contract_value(app: &App) {
    gold_partner_with_a_new_logo_deal(app);
    assert_settlement(
        &app.settle("reseller", "2026-05"),
        "acme",
        "2026-05",
        &[
            "2026-05-12 invoice:INV-2 INV-2/- acme:sourced^0 base tier:gold gold 80000.00 x 0.12 x 1 = 9600.00",
            "2026-05-12 invoice:INV-2 INV-2/- acme:sourced^0 coop - gold 80000.00 x 0.02 x 1 = 1600.00 fund:coop",
            "2026-05-12 invoice:INV-2 INV-2/- acme:sourced^0 spiff q2-new-logo gold 50000.00 x 0.03 x 1 = 1500.00",
        ],
        ["80000.00", "0.00", "11100.00", "11100.00", "11100.00", "0.00", "1600.00"],
    );
}

/// Example 3.
fn a_promotion_inside_a_month_holds_from_its_day(app: &App) {
    programme(app, "");
    partners(app, "acme,Acme,reseller,silver,2026-01-01,,");
    invoices(app, "A-1,c1,,acme,USD,10000.00,2026-04-30T10:00:00Z,");
    let april = app.settle("reseller", "2026-04");
    assert_eq!(totals(settlement(&april, "acme", "2026-04"))[2], "800.00");
    app.import("tiers", "partner,tier,effective_from,reason\nacme,gold,2026-05-15,promoted\n");
    invoices(
        app,
        "M-1,c1,,acme,USD,10000.00,2026-05-14T23:59:59.999999Z,
         M-2,c1,,acme,USD,10000.00,2026-05-15T00:00:00Z,",
    );
    assert_settlement(
        &app.settle("reseller", "2026-05"),
        "acme",
        "2026-05",
        &[
            "2026-05-14 invoice:M-1 M-1/- acme:sourced^0 base tier:silver silver 10000.00 x 0.08 x 1 = 800.00",
            "2026-05-15 invoice:M-2 M-2/- acme:sourced^0 base tier:gold gold 10000.00 x 0.12 x 1 = 1200.00",
            "2026-05-15 invoice:M-2 M-2/- acme:sourced^0 coop - gold 10000.00 x 0.02 x 1 = 200.00 fund:coop",
        ],
        ["20000.00", "0.00", "2000.00", "2000.00", "2000.00", "0.00", "200.00"],
    );
    let later = app.json("settle --program reseller --period 2026-04 --json");
    assert_eq!(later, april, "a later look at April changes nothing");
}

/// Example 4.
fn a_refund_in_two_halves_leaves_nothing(app: &App) {
    programme(app, "");
    partners(app, "acme,Acme,reseller,gold,2026-01-01,,");
    invoices(app, "INV-1,c1,,acme,USD,100.05,2026-04-10T10:00:00Z,");
    app.import("refunds", "id,invoice,amount,refunded_at\nR-1,INV-1,50.00,2026-05-02T00:00:00Z\nR-2,INV-1,50.05,2026-05-03T00:00:00Z\n");
    let made = app.settle("reseller", "2026-05");
    assert_settlement(
        &made,
        "acme",
        "2026-04",
        &[
            "2026-04-10 invoice:INV-1 INV-1/- acme:sourced^0 base tier:gold gold 100.05 x 0.12 x 1 = 12.01",
            "2026-04-10 invoice:INV-1 INV-1/- acme:sourced^0 coop - gold 100.05 x 0.02 x 1 = 2.00 fund:coop",
        ],
        ["100.05", "0.00", "12.01", "12.01", "12.01", "0.00", "2.00"],
    );
    assert_settlement(
        &made,
        "acme",
        "2026-05",
        &[
            "2026-04-10 refund:R-1 INV-1/- acme:sourced^0 base tier:gold gold -50.00 x 0.12 x 1 = -6.00",
            "2026-04-10 refund:R-1 INV-1/- acme:sourced^0 coop - gold -50.00 x 0.02 x 1 = -1.00 fund:coop",
            "2026-04-10 refund:R-2 INV-1/- acme:sourced^0 base tier:gold gold -50.05 x 0.12 x 1 = -6.01",
            "2026-04-10 refund:R-2 INV-1/- acme:sourced^0 coop - gold -50.05 x 0.02 x 1 = -1.00 fund:coop",
        ],
        ["-100.05", "0.00", "-12.01", "-12.01", "0.00", "-12.01", "-2.00"],
    );
}

/// Example 5.
fn a_distributor_shares_what_the_layer_below_got(app: &App) {
    programme(app, "[hierarchy]\nmode = \"share\"\nlevels = [\"10%\", \"5%\"]\n");
    partners(
        app,
        "d,Distributor,reseller,gold,2026-01-01,,
         s,Sub-distributor,reseller,silver,2026-01-01,d,
         r,Reseller,reseller,gold,2026-01-01,s,",
    );
    invoices(app, "INV,c1,,r,USD,1000.00,2026-04-10T10:00:00Z,");
    let made = app.settle("reseller", "2026-04");
    assert_settlement(
        &made,
        "r",
        "2026-04",
        &[
            "2026-04-10 invoice:INV INV/- r:sourced^0 base tier:gold gold 1000.00 x 0.12 x 1 = 120.00",
            "2026-04-10 invoice:INV INV/- r:sourced^0 coop - gold 1000.00 x 0.02 x 1 = 20.00 fund:coop",
        ],
        ["1000.00", "0.00", "120.00", "120.00", "120.00", "0.00", "20.00"],
    );
    let override_line = "2026-04-10 invoice:INV INV/- r:sourced^1 override - silver 120.00 x 0.1 x 1 = 12.00";
    assert_settlement(&made, "s", "2026-04", &[override_line], ["0.00", "0.00", "12.00", "12.00", "12.00", "0.00", "0.00"]);
    let override_line = "2026-04-10 invoice:INV INV/- r:sourced^2 override - gold 12.00 x 0.05 x 1 = 0.60";
    assert_settlement(&made, "d", "2026-04", &[override_line], ["0.00", "0.00", "0.60", "0.60", "0.60", "0.00", "0.00"]);
}

/// Example 6.
fn a_differential_pays_the_step_up_only(app: &App) {
    programme(app, "[hierarchy]\nmode = \"differential\"\n");
    partners(
        app,
        "d,Distributor,reseller,gold,2026-01-01,,
         s,Sub-distributor,reseller,gold,2026-01-01,d,
         r,Reseller,reseller,silver,2026-01-01,s,",
    );
    invoices(app, "INV,c1,,r,USD,1000.00,2026-04-10T10:00:00Z,");
    let made = app.settle("reseller", "2026-04");
    assert_eq!(partners_of(&made, "2026-04"), ["r", "s"], "the distributor gets nothing");
    let base_line = "2026-04-10 invoice:INV INV/- r:sourced^0 base tier:silver silver 1000.00 x 0.08 x 1 = 80.00";
    assert_settlement(&made, "r", "2026-04", &[base_line], ["1000.00", "0.00", "80.00", "80.00", "80.00", "0.00", "0.00"]);
    let override_line = "2026-04-10 invoice:INV INV/- r:sourced^1 override - gold 1000.00 x 0.04 x 1 = 40.00";
    assert_settlement(&made, "s", "2026-04", &[override_line], ["0.00", "0.00", "40.00", "40.00", "40.00", "0.00", "0.00"]);
}

/// Example 7; the refund of June is of an invoice that March paid.
fn what_is_below_the_minimum_or_negative_is_carried(app: &App) {
    let text = PROGRAMME.replace("first_period = \"2026-04\"", "first_period = \"2026-03\"\nminimum_payout = \"50.00\"");
    app.apply(&text);
    partners(app, "acme,Acme,reseller,silver,2026-01-01,,");
    invoices(
        app,
        "I-3,c1,,acme,USD,1000.00,2026-03-10T10:00:00Z,
         I-4,c1,,acme,USD,375.00,2026-04-10T10:00:00Z,
         I-5,c1,,acme,USD,312.50,2026-05-10T10:00:00Z,",
    );
    app.import("refunds", "id,invoice,amount,refunded_at\nR-6,I-3,1000.00,2026-06-10T10:00:00Z\n");
    let made = app.settle("reseller", "2026-07");
    let month = |period: &str| totals(settlement(&made, "acme", period));
    assert_eq!(month("2026-03"), ["1000.00", "0.00", "80.00", "80.00", "80.00", "0.00", "0.00"]);
    assert_eq!(month("2026-04"), ["375.00", "0.00", "30.00", "30.00", "0.00", "30.00", "0.00"]);
    assert_eq!(month("2026-05"), ["312.50", "30.00", "25.00", "55.00", "55.00", "0.00", "0.00"]);
    assert_eq!(month("2026-06"), ["-1000.00", "0.00", "-80.00", "-80.00", "0.00", "-80.00", "0.00"]);
    assert_eq!(month("2026-07"), ["0.00", "-80.00", "0.00", "-80.00", "0.00", "-80.00", "0.00"], "a balance alone makes a settlement");
}

/// Example 8: of 21 partners the first is above all, the third and the fourth tie at the cut.
fn ties_at_the_cut_of_a_ranking_all_win(app: &App) {
    programme(app, "[[rankings]]\nid = \"top\"\ntop = \"10%\"\nrate = \"1%\"\nfrom = 2026-01-01\n");
    let number = |n: u32| format!("p{n:02}");
    let rows = |row: &dyn Fn(u32) -> String| (1..=21).map(row).collect::<Vec<String>>().join("\n");
    partners(app, &rows(&|n| format!("{},P,reseller,bronze,2026-01-01,,", number(n))));
    let second_quarter = |n: u32| match n {
        1 => 5000,
        2 => 4000,
        3 | 4 => 3000,
        _ => 1000,
    };
    invoices(app, &rows(&|n| format!("Q2-{n},c1,,{},USD,{}.00,2026-05-10T10:00:00Z,", number(n), second_quarter(n))));
    invoices(app, &rows(&|n| format!("Q3-{n},c1,,{},USD,100.00,2026-07-10T10:00:00Z,", number(n))));
    let made = app.settle("reseller", "2026-07");
    for n in 1..=21 {
        let base = format!("2026-07-10 invoice:Q3-{n} Q3-{n}/- {}:sourced^0 base tier:bronze bronze 100.00 x 0.05 x 1 = 5.00", number(n));
        let bonus = format!("2026-07-10 invoice:Q3-{n} Q3-{n}/- {}:sourced^0 rank_bonus top bronze 100.00 x 0.01 x 1 = 1.00", number(n));
        if n <= 4 {
            assert_settlement(&made, &number(n), "2026-07", &[&base, &bonus], ["100.00", "0.00", "6.00", "6.00", "6.00", "0.00", "0.00"]);
        } else {
            assert_settlement(&made, &number(n), "2026-07", &[&base], ["100.00", "0.00", "5.00", "5.00", "5.00", "0.00", "0.00"]);
        }
    }
}

/// Example 10.
fn credits_share_an_invoice(app: &App) {
    programme(app, "");
    partners(
        app,
        "a,A,reseller,gold,2026-01-01,,
         b,B,reseller,silver,2026-01-01,,",
    );
    invoices(app, "INV,c1,,,USD,50000.00,2026-04-10T10:00:00Z,");
    app.import("credits", "id,partner,role,share,invoice\nK-1,a,sourced,70%,INV\nK-2,b,sourced,0.3,INV\n");
    let made = app.settle("reseller", "2026-04");
    assert_settlement(
        &made,
        "a",
        "2026-04",
        &[
            "2026-04-10 invoice:INV INV/- a:sourced^0 base tier:gold gold 50000.00 x 0.12 x 0.7 = 4200.00",
            "2026-04-10 invoice:INV INV/- a:sourced^0 coop - gold 50000.00 x 0.02 x 0.7 = 700.00 fund:coop",
        ],
        ["35000.00", "0.00", "4200.00", "4200.00", "4200.00", "0.00", "700.00"],
    );
    let base_line = "2026-04-10 invoice:INV INV/- b:sourced^0 base tier:silver silver 50000.00 x 0.08 x 0.3 = 1200.00";
    assert_settlement(&made, "b", "2026-04", &[base_line], ["15000.00", "0.00", "1200.00", "1200.00", "1200.00", "0.00", "0.00"]);
}

/// Example 11.
fn items_have_their_own_rates_and_share_a_cent(app: &App) {
    programme(app, "[[rates]]\nid = \"e5\"\nrate = \"10.75%\"\nwhen = 'product == \"E5\"'\n");
    partners(app, "acme,Acme,reseller,bronze,2026-01-01,,");
    invoices(app, "INV,c1,,acme,USD,12000.00,2026-04-10T10:00:00Z,");
    app.import("invoice_items", "invoice,item,amount,product\nINV,1,10000.00,E5\nINV,2,2000.00,Exchange\n");
    app.import("refunds", "id,invoice,amount,refunded_at\nR,INV,0.01,2026-05-10T10:00:00Z\n");
    let made = app.settle("reseller", "2026-05");
    assert_settlement(
        &made,
        "acme",
        "2026-04",
        &[
            "2026-04-10 invoice:INV INV/1 acme:sourced^0 base rates:e5 bronze 10000.00 x 0.1075 x 1 = 1075.00",
            "2026-04-10 invoice:INV INV/2 acme:sourced^0 base tier:bronze bronze 2000.00 x 0.05 x 1 = 100.00",
        ],
        ["12000.00", "0.00", "1175.00", "1175.00", "1175.00", "0.00", "0.00"],
    );
    let reversal = "2026-04-10 refund:R INV/1 acme:sourced^0 base rates:e5 bronze -0.01 x 0.1075 x 1 = 0.00";
    assert_settlement(&made, "acme", "2026-05", &[reversal], ["-0.01", "0.00", "0.00", "0.00", "0.00", "0.00", "0.00"]);
}

/// Example 12.
fn an_entry_that_names_the_partner_comes_first(app: &App) {
    programme(
        app,
        r#"
        [[rates]]
        id = "oem"
        rate = "4%"
        when = 'motion == "oem"'
        [[rates]]
        id = "acme"
        rate = "13%"
        partner = "acme"
        "#,
    );
    partners(
        app,
        "acme,Acme,reseller,gold,2026-01-01,,
         beta,Beta,reseller,gold,2026-01-01,,",
    );
    app.import(
        "deals",
        "id,customer,partner,contract_value,currency,signed_on,new_logo,motion
         D-acme,c1,acme,1000.00,USD,2026-01-10,false,oem
         D-beta,c1,beta,1000.00,USD,2026-01-10,false,oem",
    );
    invoices(
        app,
        "I-1,c1,D-acme,,USD,1000.00,2026-04-10T10:00:00Z,
         I-2,c1,D-beta,,USD,1000.00,2026-04-10T10:00:00Z,
         I-3,c1,,beta,USD,1000.00,2026-04-10T10:00:00Z,",
    );
    let made = app.settle("reseller", "2026-04");
    let co_op = |invoice: &str, partner: &str| {
        format!("2026-04-10 invoice:{invoice} {invoice}/- {partner}:sourced^0 coop - gold 1000.00 x 0.02 x 1 = 20.00 fund:coop")
    };
    let base = "2026-04-10 invoice:I-1 I-1/- acme:sourced^0 base rates:acme gold 1000.00 x 0.13 x 1 = 130.00";
    let acme_totals = ["1000.00", "0.00", "130.00", "130.00", "130.00", "0.00", "20.00"];
    assert_settlement(&made, "acme", "2026-04", &[base, &co_op("I-1", "acme")], acme_totals);
    assert_settlement(
        &made,
        "beta",
        "2026-04",
        &[
            "2026-04-10 invoice:I-2 I-2/- beta:sourced^0 base rates:oem gold 1000.00 x 0.04 x 1 = 40.00",
            &co_op("I-2", "beta"),
            "2026-04-10 invoice:I-3 I-3/- beta:sourced^0 base tier:gold gold 1000.00 x 0.12 x 1 = 120.00",
            &co_op("I-3", "beta"),
        ],
        ["2000.00", "0.00", "160.00", "160.00", "160.00", "0.00", "40.00"],
    );
}

/// Example 13.
fn an_adjustment_is_one_line_of_its_month(app: &App) {
    programme(app, "");
    partners(app, "acme,Acme,reseller,silver,2026-01-01,,");
    invoices(app, "INV,c1,,acme,USD,1000.00,2026-04-10T10:00:00Z,");
    app.import(
        "adjustments",
        "id,partner,amount,currency,adjusted_on,reason,approved_by,corrects
         ADJ,acme,40.00,USD,2026-06-10,dispute upheld: gold not silver,jo,INV",
    );
    let made = app.settle("reseller", "2026-06");
    assert_eq!(totals(settlement(&made, "acme", "2026-04"))[2], "80.00");
    assert!(partners_of(&made, "2026-05").is_empty(), "a month without lines has no settlement");
    assert_settlement(
        &made,
        "acme",
        "2026-06",
        &["2026-06-10 adjustment:ADJ -/- acme:-^0 adjustment - silver 40.00 x - x 1 = 40.00 corrects:INV"],
        ["0.00", "0.00", "40.00", "40.00", "40.00", "0.00", "0.00"],
    );
}

on_both_databases!(
    gold_in_april_earns_base_spiff_and_co_op,
    a_spiff_stops_at_the_contract_value,
    a_promotion_inside_a_month_holds_from_its_day,
    a_refund_in_two_halves_leaves_nothing,
    a_distributor_shares_what_the_layer_below_got,
    a_differential_pays_the_step_up_only,
    what_is_below_the_minimum_or_negative_is_carried,
    ties_at_the_cut_of_a_ranking_all_win,
    credits_share_an_invoice,
    items_have_their_own_rates_and_share_a_cent,
    an_entry_that_names_the_partner_comes_first,
    an_adjustment_is_one_line_of_its_month,
);
