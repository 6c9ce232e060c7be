//! Exported journals are taken by the tools that they are for, and hold the same balances as the books.

use std::collections::BTreeMap;
use std::process::Command;

use crate::app::App;
use crate::broken_books::three_months;
use crate::process;

/// Account and currency with an amount in minor units; accounts that come to nothing are left out.
type Balances = BTreeMap<(String, String), i64>;

fn of_the_books(app: &App) -> Balances {
    let rows = app.access().texts(
        "SELECT account || ' ' || currency || ' ' || CAST(SUM(amount_minor) AS TEXT) FROM postings GROUP BY account, currency HAVING SUM(amount_minor) <> 0",
    );
    let balance = |row: String| {
        // The account may hold spaces.
        let words: Vec<&str> = row.rsplitn(3, ' ').collect();
        ((words[2].to_owned(), words[1].to_owned()), words[0].parse().expect("a sum is an integer"))
    };
    rows.into_iter().map(balance).collect()
}

/// Minor units of an amount with two decimals at most; every currency of these books has two.
fn minor(amount: &str) -> i64 {
    let (units, cents) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{units}{cents:0<2}").replace(',', "").parse().unwrap_or_else(|error| panic!("{amount} is an amount: {error}"))
}

/// Runs a tool that must be there and accept its input.
fn accepted(program: &str, arguments: &[&str]) -> String {
    let finished = process::run(Command::new(program).args(arguments));
    assert!(finished.status.success(), "{program} {arguments:?} refuses\n{}{}", finished.stdout_text(), finished.stderr);
    finished.stdout_text()
}

fn exported(app: &App, format: &str, ending: &str) -> String {
    let journal = app.ok(&format!("export journal --format {format}")).stdout;
    let file = app.write_bytes("journal", ending, &journal);
    app.path(&file).display().to_string()
}

/// Rows of CSV without their header.
fn rows(csv_text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv_text.as_bytes());
    let fields = |record: csv::StringRecord| record.iter().map(|field| field.trim().to_owned()).collect();
    reader.records().map(|record| fields(record.expect("a row of CSV"))).collect()
}

fn of_hledger(file: &str) -> Balances {
    let printed = accepted("hledger", &["-f", file, "balance", "--flat", "--no-total", "--layout", "tidy", "-O", "csv"]);
    // account, period, start, end, commodity, value
    let balances = rows(&printed).into_iter().map(|row| ((row[0].clone(), row[4].clone()), minor(&row[5])));
    balances.filter(|(_, amount)| *amount != 0).collect()
}

fn of_beancount(file: &str) -> Balances {
    let printed = accepted("bean-query", &["-f", "csv", file, "SELECT account, currency, sum(number) GROUP BY account, currency"]);
    let balances = rows(&printed).into_iter().map(|row| ((row[0].clone(), row[1].clone()), minor(&row[2])));
    balances.filter(|(_, amount)| *amount != 0).collect()
}

/// The amounts of each currency: accounts have other names there.
fn amounts(balances: &Balances) -> Vec<(&str, i64)> {
    let mut amounts: Vec<(&str, i64)> = balances.iter().map(|((_, currency), amount)| (currency.as_str(), *amount)).collect();
    amounts.sort_unstable();
    amounts
}

fn hledger_accepts_the_journal_and_agrees(app: &App) {
    three_months(app);
    let file = exported(app, "hledger", "journal");
    accepted("hledger", &["-f", &file, "check", "--strict"]);
    let (ours, theirs) = (of_the_books(app), of_hledger(&file));
    assert!(ours.len() > 10, "{ours:?}");
    assert_eq!(amounts(&ours), amounts(&theirs), "\n{ours:?}\n{theirs:?}");
    assert!(theirs.keys().all(|(account, _)| legal_root(account)), "{theirs:?}");
}

fn beancount_accepts_the_journal_and_agrees(app: &App) {
    three_months(app);
    let file = exported(app, "beancount", "beancount");
    accepted("bean-check", &[&file]);
    let (ours, theirs) = (of_the_books(app), of_beancount(&file));
    assert_eq!(amounts(&ours), amounts(&theirs), "\n{ours:?}\n{theirs:?}");
    assert!(theirs.keys().all(|(account, _)| legal_root(account)), "{theirs:?}");
    let text = std::fs::read_to_string(&file).expect("the journal can be read");
    assert!(text.contains(" balance "), "balances are asserted");
}

fn legal_root(account: &str) -> bool {
    ["Expenses:", "Liabilities:Partners:", "Assets:"].iter().any(|root| account.starts_with(root))
}

fn the_csv_journal_holds_every_posting(app: &App) {
    three_months(app);
    let journal = app.ok("export journal --format csv").stdout_text();
    let mut reader = csv::Reader::from_reader(journal.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let column = |name: &str| header.iter().position(|one| one == name).unwrap_or_else(|| panic!("no column {name} in {header:?}"));
    let (account, currency, amount) = (column("account"), column("currency"), column("amount"));
    let mut balances = Balances::new();
    let all = rows(&journal);
    for row in &all {
        *balances.entry((row[account].clone(), row[currency].clone())).or_default() += minor(&row[amount]);
    }
    balances.retain(|_, amount| *amount != 0);
    assert_eq!(balances, of_the_books(app));
    assert_eq!(i64::try_from(all.len()).ok(), Some(app.access().number("SELECT COUNT(*) FROM postings")));
}

fn the_json_journal_holds_every_posting(app: &App) {
    assert_eq!(app.json("export journal --json"), serde_json::json!({ "transactions": [] }));
    three_months(app);
    let journal = app.json("export journal --json");
    let mut balances = Balances::new();
    let mut count = 0;
    for transaction in journal["transactions"].as_array().expect("transactions") {
        for posting in transaction["postings"].as_array().expect("postings") {
            let field = |name: &str| posting[name].as_str().expect("text").to_owned();
            *balances.entry((field("account"), field("currency"))).or_default() += minor(&field("amount"));
            count += 1;
        }
    }
    balances.retain(|_, amount| *amount != 0);
    assert_eq!(balances, of_the_books(app));
    assert_eq!(count, app.access().number("SELECT COUNT(*) FROM postings"));
    for line in ["export journal --json --format csv", "export journal"] {
        assert_eq!(app.run(line).status.code(), Some(2), "{line}");
    }
}

/// Ids and names that mean something to the tools stay text: in a cell, an account and a description.
fn hostile_names_stay_text(app: &App) {
    app.apply(
        "[program]\nid = \"=1+1 Prog;x\"\nname = \"N\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n[[tiers]]\nid = \"t\"\nname = \"T\"\nthreshold = \"0\"\nrate = \"5%\"\n\
         [settlement]\nfirst_period = \"2026-04\"\n",
    );
    let ids = ["=cmd()", "+49", "-1", "@x", "Ünï cödé", "a:b", "A-b", "a b  c", "株式会社", "x\\\"; y", "0", "a|b", "A_b", "a_b"];
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let partners: Vec<String> = ids.iter().map(|id| format!("{},{},\"=1+1 Prog;x\",t,2026-01-01", quoted(id), quoted(id))).collect();
    app.import("partners", &format!("id,name,program,tier,tier_since\n{}", partners.join("\n")));
    app.import("customers", "id,name\nc1,Customer");
    let invoices: Vec<String> =
        ids.iter().enumerate().map(|(number, id)| format!("I{number},c1,{},USD,{}.00,2026-04-10T10:00:00Z", quoted(id), 100 + 20 * number)).collect();
    app.import("invoices", &format!("id,customer,partner,currency,subtotal,paid_at\n{}", invoices.join("\n")));
    let finished = process::run(app.command("settle --json --through 2026-04 --program").arg("=1+1 Prog;x"));
    assert!(finished.status.success(), "{}", finished.stderr);
    let ours = of_the_books(app);
    assert_eq!(ours.len(), ids.len() + 1, "{ours:?}");
    let hledger = exported(app, "hledger", "journal");
    accepted("hledger", &["-f", &hledger, "check", "--strict"]);
    let beancount = exported(app, "beancount", "beancount");
    accepted("bean-check", &[&beancount]);
    for theirs in [of_hledger(&hledger), of_beancount(&beancount)] {
        assert_eq!(amounts(&ours), amounts(&theirs), "\n{ours:?}\n{theirs:?}");
    }
    for row in rows(&app.ok("export journal --format csv").stdout_text()) {
        for cell in row {
            let is_amount = cell.strip_prefix('-').unwrap_or(&cell).starts_with(|first: char| first.is_ascii_digit()) && cell.parse::<f64>().is_ok();
            assert!(is_amount || !cell.starts_with(['=', '+', '-', '@']), "a spreadsheet would run {cell:?}");
        }
    }
}

on_both_databases!(
    hledger_accepts_the_journal_and_agrees,
    beancount_accepts_the_journal_and_agrees,
    the_csv_journal_holds_every_posting,
    the_json_journal_holds_every_posting,
    hostile_names_stay_text,
);
