//! What is left after a fact was voided still holds together (domain.md §2.7, §4.2, §4.3).

use crate::app::App;

const PROGRAMME: &str = r#"[program]
id = "p"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "10%"

[settlement]
first_period = "2026-04"
"#;

/// Invoices whose refunds hang together: of each one leans on another that could be voided.
fn refunded(app: &App) {
    app.apply(PROGRAMME);
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,base,2026-01-01");
    app.import("customers", "id,name,referred_by\nc1,Customer,a");
    app.import(
        "invoices",
        "id,customer,currency,subtotal,paid_at
        I1,c1,USD,100.00,2026-04-10T10:00:00Z
        I2,c1,USD,0.05,2026-04-10T10:00:00Z
        I3,c1,USD,0.11,2026-04-10T10:00:00Z",
    );
    app.import("invoice_items", "invoice,item,amount\nI2,a,0.03\nI2,b,0.01\nI2,c,0.01\nI3,a,0.01\nI3,b,0.05\nI3,c,0.05");
    app.import(
        "refunds",
        "id,invoice,item,amount,refunded_at,kind,of
        C1,I1,,60.00,2026-04-11T10:00:00Z,chargeback,
        W1,I1,,60.00,2026-04-12T10:00:00Z,chargeback_won,C1
        R1,I1,,50.00,2026-04-13T10:00:00Z,refund,
        R2,I2,c,0.01,2026-04-11T10:00:00Z,refund,
        N2,I2,,0.02,2026-04-12T10:00:00Z,credit_note,
        L2,I2,b,0.01,2026-04-13T10:00:00Z,refund,
        C3,I3,b,0.02,2026-04-11T10:00:00Z,chargeback,
        N3,I3,,0.05,2026-04-12T10:00:00Z,refund,
        L3,I3,a,0.01,2026-04-13T10:00:00Z,refund,",
    );
}

/// A file of voids, and the lines of it that are refused with the words that each is refused with.
type Refused = (&'static [&'static str], &'static [(u32, &'static str)]);

/// Voids of refunds, in a file each.
const LEAVE_TOO_LITTLE: [Refused; 6] = [
    // The won chargeback made room for a later refund.
    (&["W1"], &[(2, "refund R1 takes more than is left of the invoice")]),
    // An item was named after a refund of all had been spread over what another one left.
    (&["R2"], &[(2, "refund L2 takes more than is left of item b")]),
    (&["C3"], &[(2, "refund L3 takes more than is left of item a")]),
    // Every invoice is judged, and by all voids of the file.
    (&["R2", "C3", "W1"], &[(2, "refund L2"), (3, "refund L3"), (4, "refund R1")]),
    (&["R2", "L2", "W1", "C1", "C3"], &[(6, "refund L3")]),
    // A chargeback that was won can't go without what won it.
    (&["C1"], &[(2, "refund \"W1\" refers to it")]),
];

fn file(app: &App, ids: &[&str]) -> String {
    let rows: Vec<String> = ids.iter().map(|id| format!("refunds,{id},typo,jo\n")).collect();
    app.write("voids", "csv", &format!("kind,id,reason,approved_by\n{}", rows.concat()))
}

fn refunds_that_remain_must_fit(app: &App) {
    refunded(app);
    for (ids, errors) in LEAVE_TOO_LITTLE {
        let file = file(app, ids);
        for dry_run in ["", " --dry-run"] {
            let said = app.refused(&format!("import voids {file}{dry_run}"));
            let named: Vec<&str> = said.lines().filter(|line| line.contains(&format!("{file}:"))).collect();
            assert_eq!(named.len(), errors.len(), "{ids:?}\n{said}");
            for (line, words) in errors {
                let place = format!("{file}:{line}: column id: ");
                assert!(named.iter().any(|said| said.contains(&place) && said.contains(words)), "{place}… {words}\n{said}");
            }
        }
    }
    let settled = app.settle("p", "2026-04");
    assert_eq!(settled["settlements"][0]["totals"]["cash_lines"], "5.00");
}

/// Together they leave what fits, in whatever order they stand; then the month can be settled.
fn voids_of_one_file_are_judged_together(app: &App) {
    refunded(app);
    for ids in [&["W1", "R1"][..], &["C1"], &["L2", "R2"], &["L3", "N3", "C3"]] {
        let file = file(app, ids);
        app.ok(&format!("import voids {file} --dry-run"));
        app.ok(&format!("import voids {file}"));
    }
    let settled = app.settle("p", "2026-04");
    let reversed: Vec<&str> = settled["settlements"][0]["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter(|line| line["source"] == "refund")
        .map(|line| line["source_id"].as_str().expect("an id"))
        .collect();
    assert_eq!(reversed, ["N2", "N2"], "only this refund is left; it gives nothing to one item\n{settled}");
}

/// An invoice may go with all its refunds: nothing remains that could be too much.
fn an_invoice_goes_with_its_refunds(app: &App) {
    refunded(app);
    let rows = "kind,id,reason,approved_by\ninvoices,I1,typo,jo\nrefunds,C1,typo,jo\nrefunds,W1,typo,jo\nrefunds,R1,typo,jo";
    app.import("voids", rows);
    app.settle("p", "2026-04");
    assert_eq!(app.access().number("SELECT COUNT(*) FROM commission_lines WHERE invoice = 'I1'"), 0);
}

on_both_databases!(refunds_that_remain_must_fit, voids_of_one_file_are_judged_together, an_invoice_goes_with_its_refunds);
