//! A number is what it is, however it is written: recorded again with other zeros, or as a percentage, it says nothing new (domain.md §2.7).

use crate::app::App;

fn programme(id: &str, metrics: &str) -> String {
    format!(
        r#"[program]
id = "{id}"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"

[metrics]
{metrics}

[settlement]
first_period = "2026-04"
"#
    )
}

fn begun(app: &App) {
    app.apply(&programme("p", "csat = \"number\"\nrank = \"number\"\nlevel = \"text\""));
    app.apply(&programme("q", "csat = \"number\"\nrank = \"text\""));
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,base,2026-01-01\nb,B,p,base,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
}

/// Counts of rows read, new and unchanged; nothing is ever filled or updated here.
fn import(app: &App, kind: &str, rows: &str) -> [u64; 3] {
    let file = app.write(kind, "csv", rows);
    let printed = app.json(&format!("import {kind} {file} --json"));
    let count = |name: &str| printed[name].as_u64().expect("a count");
    assert_eq!((count("filled"), count("updated")), (0, 0), "{printed}");
    [count("read"), count("new"), count("unchanged")]
}

/// A kind, its header, a row of it with `#` for the number, and ways to write this, the first of them as the books keep it.
type Written = (&'static str, &'static str, &'static str, &'static [&'static str]);

const WRITTEN: [Written; 9] = [
    ("metrics", "partner,metric,value,as_of", "a,csat,#,2026-04-01", &["4.5", "4.50", "4.500000", "04.5"]),
    ("metrics", "partner,metric,value,as_of", "a,csat,#,2026-04-02", &["-3", "-3.0", "-03.000"]),
    ("credits", "id,partner,role,share,customer", "K1,a,sourced,#,c1", &["0.5", "50%", "0.50", "50.00%", "0.500000"]),
    ("partners", "id,name,program,tier,tier_since,parent,override_rate", "d,D,p,base,2026-01-01,a,#", &["0.02", "2%", "0.020", "2.0%"]),
    ("parents", "partner,parent,effective_from,override_rate", "b,a,2026-04-01,#", &["0.075", "7.5%", "0.0750", "7.50%"]),
    ("fx", "date,from,to,rate", "2026-04-01,EUR,USD,#", &["1.1", "1.10", "01.1", "1.100000000000"]),
    ("deals", "id,customer,contract_value,currency,signed_on,new_logo", "D1,c1,#,USD,2026-04-01,true", &["50.5", "50.50", "050.5"]),
    ("invoices", "id,customer,currency,subtotal,tax", "I1,c1,KWD,#,#", &["1.5", "1.500", "01.50"]),
    ("adjustments", "id,partner,amount,currency,adjusted_on,reason,approved_by", "A1,a,#,USD,2026-04-01,r,jo", &["-7", "-7.0", "-07.00"]),
];

fn another_notation_is_the_same_number(app: &App) {
    begun(app);
    for (kind, header, row, ways) in WRITTEN {
        let rows: Vec<String> = ways.iter().map(|way| row.replace('#', way)).collect();
        let all = u64::try_from(rows.len()).expect("a count fits");
        // Twice in one file they are one fact; then each alone says nothing new.
        assert_eq!(import(app, kind, &format!("{header}\n{}\n", rows.join("\n"))), [all, 1, all - 1], "{rows:?}");
        let before = app.access().dump();
        for row in &rows {
            assert_eq!(import(app, kind, &format!("{header}\n{row}\n")), [1, 0, 1], "{row}");
        }
        crate::database::assert_same(&before, &app.access().dump(), kind);
    }
    assert_eq!(app.access().texts("SELECT value FROM metrics ORDER BY as_of"), ["4.5", "-3"]);
}

/// The first row of a file keeps its notation, and what is recorded keeps it against later files.
fn the_first_notation_stays(app: &App) {
    begun(app);
    let header = "partner,metric,value,as_of";
    assert_eq!(import(app, "metrics", &format!("{header}\na,csat,4.50,2026-04-01\na,csat,4.5,2026-04-01\n")), [2, 1, 1]);
    assert_eq!(import(app, "metrics", &format!("{header}\na,csat,4.500,2026-04-01\na,csat,4.5,2026-04-01\n")), [2, 0, 2]);
    assert_eq!(app.access().texts("SELECT value FROM metrics"), ["4.50"]);
}

/// What differs as a number, or is no number to every programme that declares it, is another value.
const DIFFERENT: [(&str, &str, &str); 5] =
    [("csat", "4.5", "4.51"), ("csat", "4.5", "45"), ("level", "4.5", "4.50"), ("rank", "4.5", "4.50"), ("undeclared", "4.5", "4.50")];

fn what_is_another_value_is_refused(app: &App) {
    begun(app);
    for (day, (metric, value, other)) in (1..).zip(DIFFERENT) {
        let row = |value: &str| format!("a,{metric},{value},2026-04-{day:02}\n");
        let doubled = app.write("metrics", "csv", &format!("partner,metric,value,as_of\n{}{}", row(value), row(other)));
        let said = app.refused(&format!("import metrics {doubled}"));
        assert!(said.contains(&format!("{doubled}:3: column value: ")) && said.contains("another value"), "{metric} {other}\n{said}");
        assert_eq!(import(app, "metrics", &format!("partner,metric,value,as_of\n{}", row(value))), [1, 1, 0]);
        let again = app.write("metrics", "csv", &format!("partner,metric,value,as_of\n{}", row(other)));
        let said = app.refused(&format!("import metrics {again}"));
        assert!(said.contains(&format!("{again}:2: column value: ")) && said.contains("contradicts"), "{metric} {other}\n{said}");
    }
}

on_both_databases!(another_notation_is_the_same_number, the_first_notation_stays, what_is_another_value_is_refused);
