//! Wrong files of facts are refused: exit code 2, a message that names file, line, column and reason, and a database that is as it was.

use crate::app::App;

const PROGRAMMES: [&str; 2] = [
    r#"[program]
id = "p"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"

[roles.influenced]

[metrics]
csat = "number"
strategic = "bool"

[settlement]
first_period = "2026-04"
"#,
    r#"[program]
id = "q"
name = "Second"
currency = "EUR"
timezone = "Asia/Tokyo"

[[tiers]]
id = "only"
name = "Only"
threshold = "0"
rate = "3%"

[settlement]
first_period = "2026-04"
"#,
];

/// What is recorded before the wrong file comes.
const FACTS: [(&str, &str); 12] = [
    (
        "partners",
        "id,name,program,tier,tier_since,parent\nacme,Acme,p,gold,2026-01-01,dist\nbeta,Beta,p,base,2026-01-01,\ndist,Dist,p,gold,2026-01-01,",
    ),
    ("memberships", "partner,program,tier,tier_since\nacme,q,only,2026-01-01"),
    ("customers", "id,name,activated_on\nc1,Customer,2026-01-01"),
    ("deals", "id,customer,contract_value,currency,signed_on,new_logo\nD1,c1,5000.00,USD,2026-04-02,true\nDE,c1,5000.00,EUR,2026-04-02,true"),
    (
        "invoices",
        "id,customer,deal,currency,subtotal,paid_at\nI1,c1,D1,USD,100.00,2026-04-10T10:00:00Z\nI2,c1,,USD,50.00,\nI3,c1,,JPY,500,2026-04-10T10:00:00Z\nI4,c1,,USD,30.00,2026-04-10T10:00:00Z",
    ),
    ("invoice_items", "invoice,item,amount\nI1,a,60.00\nI1,b,40.00"),
    ("credits", "id,partner,role,share,invoice,from,through\nK1,acme,sourced,60%,I1,2026-01-01,2026-06-30"),
    ("refunds", "id,invoice,amount,refunded_at,kind\nR1,I1,10.00,2026-04-20T10:00:00Z,chargeback"),
    ("certifications", "id,partner,certification,holder,issued_on,expires_on\nT1,acme,tech,jo,2026-01-01,2027-01-01"),
    ("tiers", "partner,tier,effective_from\nbeta,gold,2026-03-01"),
    ("metrics", "partner,metric,value,as_of\nacme,csat,4.5,2026-01-01"),
    ("fx", "date,from,to,rate\n2026-04-01,EUR,USD,1.1"),
];

fn recorded(app: &App) {
    for programme in PROGRAMMES {
        app.apply(programme);
    }
    for (kind, rows) in FACTS {
        app.import(kind, rows);
    }
}

/// Kind, file, line, column ("" for none) and a word of the reason.
type Mistake = (&'static str, &'static str, u32, &'static str, &'static str);

const FORM: [Mistake; 31] = [
    ("customers", "", 1, "", "empty"),
    ("customers", "id,nam\nc2,X\n", 1, "", "\"name\""),
    ("customers", "id\nc2\n", 1, "", "name"),
    ("customers", "id,name,name\nc2,X,X\n", 1, "", "twice"),
    ("customers", "id,name\nc2\n", 2, "", "too few: the header names 2; column name is missing"),
    ("customers", "id,name\nc2,X\nc3,X,Y\n", 3, "", "too many: the header names 2; there is more after column name"),
    ("customers", "id,name\n,X\n", 2, "id", "missing"),
    ("customers", "id,name\nc2,\n", 2, "name", "missing"),
    ("customers", "id,name\nc2,\"X\n", 2, "name", "never closed"),
    ("customers", "id,name\nc2,X\"Y\"\n", 2, "name", "quote"),
    ("customers", "id,name\n\"c2\nX\",X\nc3\n", 4, "", "too few"),
    ("customers", "id,name\n\"c\t2\",X\n", 2, "id", "control"),
    ("customers", "id,name\nc2,X\u{1b}[31m\n", 2, "name", "U+001B"),
    ("invoices", "id,customer,currency,subtotal,product\nI9,c1,USD,1,\"a\nb\"\n", 2, "product", "U+000A"),
    ("invoices", "id,customer,currency,subtotal,paid_at\nI9,c1,USD,1,2026-04-10T23:59:60Z\n", 2, "paid_at", "2026-04-10"),
    ("parents", "partner,parent,effective_from,override_rate\nbeta,acme,2026-05-01,1000.1%\n", 2, "override_rate", "at most 1000%"),
    ("customers", "id,name,activated_on\nc2,X,2026-02-30\n", 2, "activated_on", "2026-02-30"),
    ("customers", "id,name,activated_on\nc2,X,02/03/2026\n", 2, "activated_on", "date"),
    ("invoices", "id,customer,currency,subtotal\nI9,c1,USX,1.00\n", 2, "currency", "USX"),
    ("invoices", "id,customer,currency,subtotal\nI9,c1,JPY,1.5\n", 2, "subtotal", "decimals"),
    ("invoices", "id,customer,currency,subtotal\nI9,c1,USD,\"1,50\"\n", 2, "subtotal", "1,50"),
    ("invoices", "id,customer,currency,subtotal\nI9,c1,USD,-1\n", 2, "subtotal", "below 0"),
    ("invoices", "id,customer,currency,subtotal\nI9,c1,USD,10000000000000.00\n", 2, "subtotal", "10^15"),
    ("invoices", "id,customer,currency,subtotal,paid_at\nI9,c1,USD,1,2026-04-10\n", 2, "paid_at", "2026-04-10"),
    ("invoices", "id,customer,currency,subtotal,paid_at\nI9,c1,USD,1,2026-04-10T00:00:00.0000001Z\n", 2, "paid_at", "microsecond"),
    ("deals", "id,customer,contract_value,currency,signed_on,new_logo\nD9,c1,1.00,USD,2026-04-02,yes\n", 2, "new_logo", "yes"),
    ("partners", "id,name,email,program,tier,tier_since\nz,Z,nobody,p,base,2026-01-01\n", 2, "email", "nobody"),
    ("fx", "date,from,to,rate\n2026-04-02,EUR,USD,1.2345678901\n", 2, "rate", "10 digits"),
    ("fx", "date,from,to,rate\n2026-04-02,EUR,USD,0\n", 2, "rate", "above 0"),
    ("fx", "date,from,to,rate\n2026-04-02,USD,USD,1\n", 2, "to", "itself"),
    ("statuses", "partner,status,effective_from\nacme,retired,2026-05-01\n", 2, "status", "suspended"),
];

const REFERENCES: [Mistake; 19] = [
    ("partners", "id,name,program,tier,tier_since\nz,Z,nope,base,2026-01-01\n", 2, "program", "nope"),
    ("partners", "id,name,program,tier,tier_since\nz,Z,p,silver,2026-01-01\n", 2, "tier", "silver"),
    ("partners", "id,name,program,tier,tier_since,parent\nz,Z,q,only,2026-01-01,beta\n", 2, "parent", "beta"),
    ("partners", "id,name,program,tier,tier_since,override_rate\nz,Z,p,base,2026-01-01,2%\n", 2, "override_rate", "parent"),
    ("memberships", "partner,program,tier,tier_since\nnobody,q,only,2026-01-01\n", 2, "partner", "nobody"),
    ("customers", "id,name,referred_by\nc2,X,nobody\n", 2, "referred_by", "nobody"),
    ("deals", "id,customer,contract_value,currency,signed_on,new_logo\nD9,c9,1.00,USD,2026-04-02,true\n", 2, "customer", "c9"),
    ("invoices", "id,customer,deal,currency,subtotal\nI9,c1,D9,USD,1\n", 2, "deal", "D9"),
    ("invoices", "id,customer,deal,currency,subtotal\nI9,c1,DE,USD,1\n", 2, "currency", "EUR"),
    ("invoice_items", "invoice,item,amount\nI9,a,1.00\n", 2, "invoice", "I9"),
    ("credits", "id,partner,role,invoice\nK9,acme,sourced,I9\n", 2, "invoice", "I9"),
    ("credits", "id,partner,role,invoice,item\nK9,acme,sourced,I1,z\n", 2, "item", "\"z\""),
    ("credits", "id,partner,role,customer\nK9,acme,helped,c1\n", 2, "role", "influenced"),
    ("refunds", "id,invoice,amount,refunded_at,kind,of\nR9,I1,1.00,2026-05-01T00:00:00Z,chargeback_won,R8\n", 2, "of", "R8"),
    ("adjustments", "id,partner,program,amount,currency,adjusted_on,reason,approved_by\nA9,beta,q,1,EUR,2026-05-01,r,jo\n", 2, "partner", "member"),
    ("tiers", "partner,program,tier,effective_from\nbeta,q,only,2026-05-01\n", 2, "partner", "member"),
    ("tiers", "partner,tier,effective_from\nbeta,platinum,2026-05-01\n", 2, "tier", "platinum"),
    ("freezes", "id,program,partner,what,from,through,reason\nF9,q,beta,demotion,2026-05-01,2026-05-31,r\n", 2, "partner", "member"),
    ("metrics", "partner,metric,value,as_of\nnobody,csat,4,2026-02-01\n", 2, "partner", "nobody"),
];

const RULES: [Mistake; 31] = [
    ("invoices", "id,customer,currency,subtotal\nI1,c1,USD,101.00\n", 2, "subtotal", "100.00"),
    ("invoices", "id,customer,currency,subtotal,paid_at\nI1,c1,USD,100.00,2026-04-11T10:00:00Z\n", 2, "paid_at", "2026-04-10T10:00:00Z"),
    ("invoices", "id,customer,currency,subtotal\nI9,c1,USD,1.00\nI9,c1,USD,2.00\n", 3, "subtotal", "line 2"),
    (
        "deals",
        "id,customer,contract_value,currency,signed_on,new_logo,registered\nD1,c1,5000.00,USD,2026-04-02,true,true\n",
        2,
        "registered",
        "false",
    ),
    ("tiers", "partner,tier,effective_from\nbeta,base,2026-03-01\n", 2, "tier", "gold"),
    ("partners", "id,name,program,tier,tier_since\nbeta,Beta,p,gold,2026-01-01\n", 2, "tier", "base"),
    ("invoice_items", "invoice,item,amount\nI2,a,49.99\n", 2, "amount", "50.00"),
    ("invoice_items", "invoice,item,amount\nI1,c,0\n", 2, "invoice", "before"),
    ("invoice_items", "invoice,item,amount\nI3,a,500.5\n", 2, "amount", "JPY"),
    ("invoice_items", "invoice,item,amount,deal\nI2,a,50.00,DE\n", 2, "deal", "EUR"),
    ("credits", "id,partner,role,customer,deal\nK9,acme,sourced,c1,D1\n", 2, "customer", "exactly one"),
    ("credits", "id,partner,role\nK9,acme,sourced\n", 2, "customer", "exactly one"),
    ("credits", "id,partner,role,customer,item\nK9,acme,sourced,c1,a\n", 2, "item", "invoice"),
    ("credits", "id,partner,role,share,customer\nK9,acme,sourced,0,c1\n", 2, "share", "above 0"),
    ("credits", "id,partner,role,share,customer\nK9,acme,sourced,110%,c1\n", 2, "share", "110%"),
    ("credits", "id,partner,role,share,invoice,from\nK9,beta,sourced,41%,I1,2026-06-30\n", 2, "share", "1.01"),
    ("credits", "id,partner,role,share,invoice,through\nK9,acme,sourced,10%,I1,2026-01-01\n", 2, "partner", "K1"),
    ("credits", "id,partner,role,customer,from,through\nK9,acme,sourced,c1,2026-02-01,2026-01-01\n", 2, "through", "before"),
    ("refunds", "id,invoice,amount,refunded_at\nR9,I2,1.00,2026-05-01T00:00:00Z\n", 2, "invoice", "not paid"),
    ("refunds", "id,invoice,amount,refunded_at\nR9,I1,1.00,2026-04-10T09:59:59Z\n", 2, "refunded_at", "before"),
    ("refunds", "id,invoice,amount,refunded_at\nR9,I1,90.01,2026-05-01T00:00:00Z\n", 2, "amount", "more than is left"),
    ("refunds", "id,invoice,amount,refunded_at\nR9,I1,0.00,2026-05-01T00:00:00Z\n", 2, "amount", "above 0"),
    ("refunds", "id,invoice,item,amount,refunded_at\nR9,I1,b,39.99,2026-05-01T00:00:00Z\n", 2, "amount", "item b"),
    ("refunds", "id,invoice,amount,refunded_at,kind,of\nR9,I1,10.01,2026-05-01T00:00:00Z,chargeback_won,R1\n", 2, "amount", "R1"),
    ("refunds", "id,invoice,amount,refunded_at,kind\nR9,I1,1.00,2026-05-01T00:00:00Z,chargeback_won\n", 2, "of", "chargeback"),
    ("adjustments", "id,partner,amount,currency,adjusted_on,reason,approved_by\nA9,beta,0,USD,2026-05-01,r,jo\n", 2, "amount", "is 0"),
    (
        "certifications",
        "id,partner,certification,holder,issued_on,expires_on\nT9,acme,tech,jo,2026-01-01,2026-01-01\n",
        2,
        "expires_on",
        "2026-01-01",
    ),
    ("freezes", "id,program,what,from,through,reason\nF9,p,demotion,2026-05-31,2026-05-01,r\n", 2, "through", "before"),
    ("metrics", "partner,metric,value,as_of\nacme,csat,good,2026-02-01\n", 2, "value", "number"),
    ("parents", "partner,parent,effective_from\ndist,acme,2026-05-01\n", 2, "parent", "circle"),
    ("parents", "partner,parent,effective_from\nacme,acme,2026-05-01\n", 2, "parent", "own parent"),
];

const VOIDS: [Mistake; 5] = [
    ("voids", "kind,id,reason,approved_by\ncurrencies,I1,r,jo\n", 2, "kind", "invoices"),
    ("voids", "kind,id,reason,approved_by\ninvoices,I9,r,jo\n", 2, "id", "nothing is recorded"),
    ("voids", "kind,id,reason,approved_by\ninvoices,I1,r,jo\n", 2, "id", "credit"),
    ("voids", "kind,id,reason,approved_by\npartners,beta,r,jo\n", 2, "id", "tier"),
    ("voids", "kind,id,reason,approved_by\ncustomers,c1,,jo\n", 2, "reason", "missing"),
];

fn refused(app: &App, mistakes: &[Mistake]) {
    recorded(app);
    for (kind, content, line, column, word) in mistakes {
        for dry_run in ["", " --dry-run"] {
            let file = app.write(kind, "csv", content);
            let said = app.refused(&format!("import {kind} {file}{dry_run}"));
            let place = if column.is_empty() { format!("{file}:{line}: ") } else { format!("{file}:{line}: column {column}: ") };
            let named = said.lines().any(|said| said.contains(&place) && said.contains(word));
            assert!(named, "{kind}: {place}… {word} is not said of\n{content}\n{said}");
        }
    }
}

fn files_of_a_wrong_form_are_refused(app: &App) {
    refused(app, &FORM);
}

fn references_to_nothing_are_refused(app: &App) {
    refused(app, &REFERENCES);
}

fn facts_against_the_rules_are_refused(app: &App) {
    refused(app, &RULES);
}

fn wrong_voids_are_refused(app: &App) {
    refused(app, &VOIDS);
}

/// What only JSON lines can get wrong.
fn wrong_json_lines_are_refused(app: &App) {
    recorded(app);
    let right = r#"{"id": "J0", "customer": "c1", "currency": "USD", "subtotal": 1}"#;
    for (line, place, word) in [
        ("{\"id\": \"J1\"", "", "no JSON object"),
        ("[]", "", "no JSON object"),
        (r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotl": 1}"#, "column subtotl: ", "\"subtotal\""),
        (r#"{"id": "J1", "id": "J2", "customer": "c1", "currency": "USD", "subtotal": 1}"#, "column id: ", "twice"),
        (r#"{"id": "J1", "customer": ["c1"], "currency": "USD", "subtotal": 1}"#, "column customer: ", "text"),
        (r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 1.005}"#, "column subtotal: ", "1.005"),
        (r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 1e2}"#, "column subtotal: ", "1e2"),
        (r#"{"id": "J1", "customer": null, "currency": "USD", "subtotal": 1}"#, "column customer: ", "missing"),
        (r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": [{"item": "a", "amount": 1}]}"#, "column items: ", "3.00"),
        (
            r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": [{"item": "a", "amount": 1}, {"item": "b", "amount": 2.001}]}"#,
            "column items[1].amount: ",
            "2 decimals",
        ),
        (
            r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": [{"item": "a", "amount": 1}, {"item": "a", "amount": 2}]}"#,
            "column items[1].amount: ",
            "line 3 as items[0]",
        ),
        (
            r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": [{"item": "a", "amount": 1}, {"item": "b", "amount": 2, "deal": "D9"}]}"#,
            "column items[1].deal: ",
            "D9",
        ),
        (
            r#"{"id": "I1", "customer": "c1", "currency": "USD", "subtotal": 100, "items": [{"item": "a", "amount": 60}, {"item": "b", "amount": 39}]}"#,
            "column items[1].amount: ",
            "39.00 USD contradicts what is recorded, 40.00 USD",
        ),
        (r#"  {"id": x}"#, "", "no JSON object: expected value (byte 10 of the line)"),
        (
            r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": [{"item": "a", "amount": 3, "colour": 1}]}"#,
            "column items[0].colour: ",
            "colour",
        ),
        (
            r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": [{"item": "a", "amount": "x"}]}"#,
            "column items[0].amount: ",
            "\"x\"",
        ),
        (r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 3, "items": {}}"#, "column items: ", "array"),
        (
            r#"{"id": "J1", "customer": "c1", "currency": "USD", "subtotal": 1, "items": [{"item": "a", "amount": 1, "invoice": "I1"}]}"#,
            "column items[0].invoice: ",
            "carries",
        ),
    ] {
        let file = app.write("invoices", "jsonl", &format!("{right}\n\n{line}\n"));
        let said = app.refused(&format!("import invoices {file}"));
        let place = format!("{file}:3: {place}");
        assert!(said.lines().any(|said| said.contains(&place) && said.contains(word)), "{place}… {word}\n{line}\n{said}");
    }
}

/// A dry run finds what is wrong with the form, the references and the rules at once, and nothing that only follows from another error.
fn a_dry_run_lists_every_error(app: &App) {
    recorded(app);
    let rows = "id,name,program,tier,tier_since,parent
        n1,One,p,base,2026-13-01,
        n2,Two,p,base,2026-01-01,n1
        n3,Three,p,base,2026-01-01,nobody
        n4,Four,p,silver,2026-01-01,
        n5,Five,p,base,2026-01-01,n6
        n6,Six,p,base,2026-01-01,n5
        beta,Beta,p,base,2026-01-02,
        n7,Seven,p,base,2026-01-01,n3";
    let rows: String = rows.lines().map(|row| format!("{}\n", row.trim())).collect();
    let file = app.write("partners", "csv", &rows);
    let said = app.refused(&format!("import partners {file} --dry-run"));
    let places: Vec<&str> = said.lines().filter_map(|line| line.split(&format!("{file}:")).nth(1)?.split(": ").next()).collect();
    assert_eq!(places, ["2", "4", "5", "7", "8"], "{said}");
    let right = app.write("customers", "csv", "id,name\nc2,X\n");
    let before = app.access().dump();
    let printed = app.json(&format!("import customers {right} --dry-run --json"));
    assert_eq!((&printed["read"], &printed["new"]), (&1.into(), &1.into()), "{printed}");
    crate::database::assert_same(&before, &app.access().dump(), "a dry run");
}

/// What a dry run says of a file, without the file's name.
fn dry_run(app: &App, kind: &str, ending: &str, content: &str) -> Vec<String> {
    let file = app.write(kind, ending, content);
    let said = app.refused(&format!("import {kind} {file} --dry-run"));
    said.lines().filter_map(|line| line.split(&format!("{file}:")).nth(1)).map(str::to_owned).collect()
}

fn assert_said(said: &[String], expected: &[(&str, &str)]) {
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for ((place, word), line) in expected.iter().zip(said) {
        assert!(line.starts_with(place) && line.contains(word), "{place} {word:?} is not\n{line}\n{said:#?}");
    }
}

/// One error of a row hides no other of independent columns, and makes up none.
fn one_error_hides_no_other(app: &App) {
    recorded(app);
    let said = dry_run(
        app,
        "partners",
        "csv",
        "id,name,email,program,tier,tier_since,parent\nz,Z,nobody,p,silver,2026-01-01,\nbeta,Beta,,p,gold,2026-01-01,nobody\n",
    );
    assert_said(&said, &[("2: column email", "nobody"), ("2: column tier", "silver"), ("3: column parent", "nobody"), ("3: column tier", "base")]);
    let said = dry_run(app, "credits", "csv", "id,partner,role,share,customer,from\nK9,acme,helped,1.1,c1,2026-13-01\n");
    assert_said(&said, &[("2: column from", "2026-13-01"), ("2: column role", "helped"), ("2: column share", "1.1")]);
    let said = dry_run(app, "invoices", "csv", "id,customer,deal,currency,subtotal\nI1,c9,,EUR,100.00\nI9,c9,DE,USD,1.00\n");
    assert_said(
        &said,
        &[
            ("2: column currency", "EUR"),
            ("2: column customer", "contradicts"),
            ("2: column customer", "is no recorded"),
            ("3: column currency", "EUR"),
            ("3: column customer", "c9"),
        ],
    );
    let said = dry_run(
        app,
        "refunds",
        "csv",
        "id,invoice,amount,refunded_at,cost_returned,kind,of\nR9,I1,1.001,2026-05-01T00:00:00Z,perhaps,chargeback_win,R1\n",
    );
    assert_said(&said, &[("2: column amount", "2 decimals"), ("2: column cost_returned", "perhaps"), ("2: column kind", "chargeback_won")]);
    let items = "{\"id\": \"J1\", \"customer\": \"c1\", \"currency\": \"USD\", \"subtotal\": 5, \"items\": [{\"item\": \"a\", \"amount\": 2}, ";
    for (bad, place) in [
        ("{\"item\": \"b\", \"amount\": \"x\"}", "amount"),
        ("{\"amount\": 3}", "item"),
        ("{\"item\": \"b\", \"amount\": 3, \"colour\": 1}", "colour"),
    ] {
        let said = dry_run(app, "invoices", "jsonl", &format!("{items}{bad}]}}\n"));
        assert_said(&said, &[(&format!("1: column items[1].{place}: "), "")]);
    }
    let said = dry_run(app, "invoice_items", "csv", "invoice,item,amount\nI2,a,20.00\nI2\n");
    assert_said(&said, &[("3: ", "too few")]);
}

/// Figures of a contradiction are those that are recorded, in their own currencies, and the line is the one that holds the value.
fn contradictions_show_the_right_figures(app: &App) {
    recorded(app);
    let said = dry_run(app, "invoice_items", "csv", "invoice,item,amount\nI1,a,61.00\n");
    assert_said(&said, &[("2: column amount", "61.00 USD contradicts what is recorded, 60.00 USD")]);
    let said = dry_run(app, "invoices", "csv", "id,customer,currency,subtotal\nI3,c1,USD,500.00\n");
    assert_said(&said, &[("2: column currency", "JPY"), ("2: column subtotal", "500.00 USD contradicts what is recorded, 500 JPY")]);
    let said = dry_run(app, "customers", "csv", "id,name,churned_on\nc2,X,\nc2,X,2026-05-01\nc2,X,2026-05-02\n");
    assert_said(&said, &[("4: column churned_on", "line 3 with another value")]);
}

/// A dry run does not stop at the first thousand.
fn a_dry_run_lists_thousands(app: &App) {
    recorded(app);
    let rows: String = (0..3000).map(|number| format!("c{number},X,yesterday\n")).collect();
    assert_eq!(dry_run(app, "customers", "csv", &format!("id,name,activated_on\n{rows}")).len(), 3000);
}

on_both_databases!(
    files_of_a_wrong_form_are_refused,
    references_to_nothing_are_refused,
    facts_against_the_rules_are_refused,
    wrong_voids_are_refused,
    wrong_json_lines_are_refused,
    a_dry_run_lists_every_error,
    one_error_hides_no_other,
    contradictions_show_the_right_figures,
    a_dry_run_lists_thousands,
);
