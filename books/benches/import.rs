//! An import of many invoices against a plain insertion of the same rows, on SQLite: `cargo bench -p tributary-books --bench import`.
//!
//! Both end with the same table and indexes. The insertion gets rows that are already parsed, in statements of 500 rows in one
//! transaction. `ROWS=100000` makes it smaller; `IN_ORDER=1` has the ids in the order of the file, which suits the insertion best.

use std::fmt::Write as _;
use std::io::Cursor;
use std::time::Instant as Stopwatch;

use books::connection::Books;
use books::record::{FactKind, Format, Input, record};
use books::sql;
use migrations::{Migrator, MigratorTrait};
use program::calendar::Instant;
use sea_orm::Value;

type Failure = Box<dyn std::error::Error>;

const CUSTOMERS: u64 = 20_000;
const DEALS: u64 = 50_000;
const AT_ONCE: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let rows: u64 = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let directory = tempfile::tempdir()?;
    let plain = open(&directory, "plain").await?;
    let watch = Stopwatch::now();
    let values = parsed(rows);
    println!("rows made ready in {:?}", watch.elapsed());
    let watch = Stopwatch::now();
    insert(&plain, values).await?;
    let inserted = watch.elapsed();
    println!("plain insertion of {rows} rows: {inserted:?}");
    let books = open(&directory, "import").await?;
    let file = csv(rows)?;
    let watch = Stopwatch::now();
    let phases = |phase| println!("  {phase:?} after {:?}", watch.elapsed());
    let input = Input { kind: FactKind::Invoices, format: Format::Csv, origin: "invoices.csv".into(), reader: Cursor::new(file), dry_run: false };
    let recorded = record(&books, input, Instant(0), phases).await?;
    let imported = watch.elapsed();
    let percent = imported.as_millis() * 100 / inserted.as_millis().max(1);
    println!("import of {} rows: {imported:?}, {percent} % of the plain insertion", recorded.new);
    Ok(())
}

async fn open(directory: &tempfile::TempDir, name: &str) -> Result<Books, Failure> {
    let books = Books::open(&format!("sqlite://{}/{name}.db", directory.path().display())).await?;
    Migrator::up(books.write(), None).await?;
    let customers = (0..CUSTOMERS).try_fold(String::from("id,name\n"), |mut text, n| writeln!(text, "c{n},Customer {n}").map(|()| text))?;
    let header = String::from("id,customer,contract_value,currency,signed_on,new_logo\n");
    let deals = (0..DEALS).try_fold(header, |mut text, n| writeln!(text, "d{n},c{},5000.00,USD,2024-01-02,true", n % CUSTOMERS).map(|()| text))?;
    for (kind, file) in [(FactKind::Customers, customers), (FactKind::Deals, deals)] {
        let input = Input { kind, format: Format::Csv, origin: kind.name().into(), reader: Cursor::new(file), dry_run: false };
        record(&books, input, Instant(0), |_| ()).await?;
    }
    Ok(books)
}

/// Row `n`: its number in the file's order, which is not that of the ids; its deal, its amount, its minute.
fn facts(n: u64, rows: u64) -> (u64, u64, u64, u64) {
    // A step without a common divisor visits every id once.
    let id = if std::env::var_os("IN_ORDER").is_some() { n } else { n.wrapping_mul(7_919_777).wrapping_add(13) % rows.max(1) };
    (id, n.wrapping_mul(2_654_435_761) % DEALS, 100 + n % 999_900, n % (28 * 24 * 60))
}

fn csv(rows: u64) -> Result<String, Failure> {
    let mut text = String::from("id,customer,deal,currency,subtotal,tax,processing_cost,issued_on,paid_at,product,payment_method\n");
    for n in 0..rows {
        let (id, deal, amount, minute) = facts(n, rows);
        let (day, hour, minute) = (minute / 1440 + 1, minute / 60 % 24, minute % 60);
        let (major, minor) = (amount / 100, amount % 100);
        let customer = deal % CUSTOMERS;
        writeln!(
            text,
            "INV-{id:08},c{customer},d{deal},USD,{major}.{minor:02},1.00,0.30,2024-02-01,2024-03-{day:02}T{hour:02}:{minute:02}:00Z,E5,card"
        )?;
    }
    Ok(text)
}

fn parsed(rows: u64) -> Vec<Vec<Value>> {
    let big = |number: u64| Value::from(i64::try_from(number).unwrap_or(0));
    let row = |n: u64| {
        let (id, deal, amount, minute) = facts(n, rows);
        let paid_at = 1_709_251_200_000_000 + minute * 60_000_000;
        let texts = [format!("INV-{id:08}"), format!("c{}", deal % CUSTOMERS), format!("d{deal}"), "USD".to_owned()].map(Value::from);
        let numbers = [big(amount), big(100), big(30), Value::from("2024-02-01"), big(paid_at), Value::from("E5"), Value::from("card"), big(1)];
        texts.into_iter().chain(numbers)
    };
    let numbers: Vec<u64> = (0..rows).collect();
    numbers.chunks(AT_ONCE).map(|chunk| chunk.iter().flat_map(|n| row(*n)).collect()).collect()
}

async fn insert(books: &Books, statements: Vec<Vec<Value>>) -> Result<(), Failure> {
    const FIELDS: &str =
        "id, customer, deal, currency, subtotal_minor, tax_minor, processing_cost_minor, issued_on, paid_at, product, payment_method, seq";
    let fields = FIELDS.split(", ").count();
    let tx = books.begin_write().await?;
    for values in statements {
        let text = format!("INSERT INTO invoices ({FIELDS}) VALUES {}", sql::places(values.len() / fields, fields));
        sql::execute(&tx, &text, values).await?;
    }
    tx.commit().await?;
    Ok(())
}
