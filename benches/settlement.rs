//! Import and settlement on SQLite against plain SQL, measured in one run on one machine.
//!
//! `cargo bench --no-default-features --bench settlement -- --partners 10000 --invoices 1000000` generates a year of that size, imports and settles it with
//! the released binary, and compares with what the database needs by itself:
//!
//! - import: the same rows, parsed before, inserted by multi-row statements in one transaction;
//! - settlement (a): `INSERT … SELECT` of the base lines alone;
//! - settlement (b): a copy of every line and posting that the settlement made into empty tables with the same columns and indexes, row by row;
//!   beside it the same as SQLite does it where no order is asked for: whole pages, without making a row.
//!
//! All of it is durable: WAL and `synchronous = FULL`. `--linearity` measures a hundredth and a tenth of the size before.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection as _, QueryBuilder, Sqlite};

#[path = "../tests/it/generated.rs"]
mod generated;
#[path = "../tests/it/seeded.rs"]
#[allow(dead_code, reason = "the tests draw more kinds of choices than a generated year does")]
mod seeded;

use generated::{FILES, Size};

/// The plain statements get the allocator that the product has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Rows of one INSERT: as many as SQLite takes parameters for, with a margin.
const ROWS_OF_A_STATEMENT: usize = 2000;
/// How often the memory of a running command is read; the kernel keeps the peak in between.
const LOOK: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = Asked::from_arguments()?;
    let mut sizes = vec![asked.size];
    if asked.linearity {
        for part in [10, 100] {
            sizes.insert(0, Size { partners: (asked.size.partners / part).max(1), invoices: (asked.size.invoices / part).max(1) });
        }
    }
    for size in sizes {
        runtime.block_on(measure(&asked, size))?;
    }
    Ok(())
}

struct Asked {
    size: Size,
    linearity: bool,
    /// Where the databases are made and left; a temporary directory without it.
    directory: Option<PathBuf>,
}

impl Asked {
    fn from_arguments() -> Result<Self> {
        let mut asked = Self { size: Size { partners: 200, invoices: 20_000 }, linearity: false, directory: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().ok_or(format!("{word} needs a number"))?.parse::<u64>().map_err(|error| format!("{word}: {error}"));
            match word.as_str() {
                "--partners" => asked.size.partners = number()?,
                "--invoices" => asked.size.invoices = number()?,
                "--directory" => asked.directory = Some(words.next().ok_or("--directory needs a path")?.into()),
                "--linearity" => asked.linearity = true,
                // Cargo says this to every benchmark.
                "--bench" => {}
                _ => return Err(format!("unknown option {word}; known: --partners N --invoices N --linearity --directory DIR").into()),
            }
        }
        Ok(asked)
    }
}

async fn measure(asked: &Asked, size: Size) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let directory = asked.directory.as_deref().unwrap_or(temporary.path()).join(format!("{}", size.invoices));
    std::fs::create_dir_all(&directory)?;
    generated::write(size, &directory)?;
    println!("\n{} partners, {} invoices over 12 months", size.partners, size.invoices);
    let product = Product { directory: &directory };
    product.run("program apply program.toml --from 2000-01-01")?;
    let mut import_of_invoices = Ran::default();
    for (kind, file) in FILES {
        import_of_invoices = product.run(&format!("import {kind} {file}"))?;
    }
    let settled = product.run("settle --program year --through 2025-12")?;
    let mut books = open(&directory.join("books.db")).await?;
    let plain_import = plain_import(&directory).await?;
    let base_lines_alone = base_lines_alone(&mut books).await?;
    let copy = copy_row_by_row(&mut books).await?;
    let pages = copy_page_by_page(&mut books).await?;
    let lines = count(&mut books, "commission_lines").await?;
    let postings = count(&mut books, "postings").await?;
    report("import of invoices", size.invoices, &import_of_invoices);
    println!("  plain insertion of the parsed rows      {:>10}   ratio {}", seconds(plain_import), ratio(import_of_invoices.took, plain_import));
    report("settlement of 12 periods", lines + postings, &settled);
    println!("  {lines} lines ({} an invoice), {postings} postings", hundredths(lines, size.invoices));
    println!("  (a) INSERT … SELECT of base lines alone {:>10}   ratio {}", seconds(base_lines_alone), ratio(settled.took, base_lines_alone));
    println!("  (b) copy of all lines and postings      {:>10}   ratio {}", seconds(copy), ratio(settled.took, copy));
    println!("      the same, page by page, without rows{:>10}   ratio {}", seconds(pages), ratio(settled.took, pages));
    Ok(())
}

fn report(what: &str, rows: u64, ran: &Ran) {
    let milliseconds = u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX).max(1);
    let a_second = rows.saturating_mul(1000) / milliseconds;
    println!("{what:<42}{:>10}   {a_second} rows/s, peak {} MiB", seconds(ran.took), ran.peak_kib / 1024);
}

fn seconds(took: Duration) -> String {
    format!("{}.{:02} s", took.as_secs(), took.subsec_millis() / 10)
}

fn ratio(took: Duration, baseline: Duration) -> String {
    hundredths(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), u64::try_from(baseline.as_micros()).unwrap_or(u64::MAX))
}

/// A quotient with two decimals.
fn hundredths(dividend: u64, divisor: u64) -> String {
    let quotient = dividend.saturating_mul(100) / divisor.max(1);
    format!("{}.{:02}", quotient / 100, quotient % 100)
}

/// The released binary and its database.
struct Product<'a> {
    directory: &'a Path,
}

/// What a command took.
#[derive(Debug, Default)]
struct Ran {
    took: Duration,
    peak_kib: u64,
}

impl Product<'_> {
    fn run(&self, line: &str) -> Result<Ran> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command.args(line.split_whitespace()).current_dir(self.directory).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("TRIBUTARY_DATABASE_URL", "sqlite://books.db").env("TRIBUTARY_CLOCK__START", "2026-06-01T00:00:00Z");
        let started = Instant::now();
        let mut child = command.spawn()?;
        let status_file = format!("/proc/{}/status", child.id());
        let (send, ended) = mpsc::channel::<std::io::Result<ExitStatus>>();
        let waiter = thread::spawn(move || send.send(child.wait()));
        let mut peak_kib = 0;
        let status = loop {
            match ended.recv_timeout(LOOK) {
                Ok(status) => break status?,
                Err(RecvTimeoutError::Timeout) => peak_kib = peak_kib.max(peak_of(&status_file)),
                Err(RecvTimeoutError::Disconnected) => return Err("the waiting thread is gone".into()),
            }
        };
        let took = started.elapsed();
        drop(waiter);
        if status.success() { Ok(Ran { took, peak_kib }) } else { Err(format!("tributary {line}: {status}").into()) }
    }
}

/// The peak resident memory that the kernel reports; 0 where it reports none.
fn peak_of(status_file: &str) -> u64 {
    let text = std::fs::read_to_string(status_file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

async fn open(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    Ok(SqliteConnection::connect_with(&options).await?)
}

async fn execute(books: &mut SqliteConnection, statement: String) -> Result<()> {
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(books).await?;
    Ok(())
}

async fn count(books: &mut SqliteConnection, table: &str) -> Result<u64> {
    let (rows,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"))).fetch_one(books).await?;
    Ok(u64::try_from(rows)?)
}

/// The statements that made a table and its indexes.
async fn schema_of(from: &mut SqliteConnection, table: &str) -> Result<Vec<String>> {
    let all: Vec<(String,)> =
        sqlx::query_as("SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type DESC")
            .bind(table)
            .fetch_all(from)
            .await?;
    Ok(all.into_iter().map(|(statement,)| statement).collect())
}

/// The time in which the parsed invoices are inserted into a database that holds what they refer to.
async fn plain_import(directory: &Path) -> Result<Duration> {
    let mut books = open(&directory.join("books.db")).await?;
    let schema = schema_of(&mut books, "invoices").await?;
    let mut plain = open(&directory.join("plain.db")).await?;
    execute(&mut plain, format!("ATTACH '{}' AS books", directory.join("books.db").display())).await?;
    for table in ["programs", "partners", "customers", "deals"] {
        for statement in schema_of(&mut books, table).await? {
            execute(&mut plain, statement).await?;
        }
        execute(&mut plain, format!("INSERT INTO main.{table} SELECT * FROM books.{table}")).await?;
    }
    execute(&mut plain, "DETACH books".to_owned()).await?;
    for statement in schema {
        execute(&mut plain, statement).await?;
    }
    let rows = parsed_invoices(directory)?;
    let started = Instant::now();
    let mut transaction = plain.begin_with("BEGIN IMMEDIATE").await?;
    for some in rows.chunks(ROWS_OF_A_STATEMENT) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO invoices (id, customer, deal, currency, subtotal_minor, paid_at, seq) ");
        insert.push_values(some, |mut row, invoice| {
            row.push_bind(&invoice.id).push_bind(&invoice.customer).push_bind(&invoice.deal).push_bind(&invoice.currency);
            row.push_bind(invoice.subtotal_minor).push_bind(invoice.paid_at).push_bind(5_i64);
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(started.elapsed())
}

struct Invoice {
    id: String,
    customer: String,
    deal: String,
    currency: String,
    subtotal_minor: i64,
    paid_at: i64,
}

fn parsed_invoices(directory: &Path) -> Result<Vec<Invoice>> {
    let mut reader = csv::Reader::from_path(directory.join("invoices.csv"))?;
    let mut invoices = Vec::new();
    for record in reader.records() {
        let record = record?;
        let field = |index: usize| record.get(index).map(str::to_owned).ok_or("a field is missing");
        invoices.push(Invoice {
            id: field(0)?,
            customer: field(1)?,
            deal: field(2)?,
            currency: field(3)?,
            subtotal_minor: field(4)?.replace('.', "").parse()?,
            paid_at: chrono::DateTime::parse_from_rfc3339(&field(5)?)?.timestamp_micros(),
        });
    }
    Ok(invoices)
}

/// Creates a table like another under a new name, runs an insertion into it and gives its time.
async fn timed_insertion(books: &mut SqliteConnection, insertions: &[(&str, String)]) -> Result<Duration> {
    for (table, _) in insertions {
        for statement in schema_of(books, table).await? {
            execute(books, renamed_in(&statement, table)).await?;
        }
    }
    let started = Instant::now();
    let mut transaction = books.begin_with("BEGIN IMMEDIATE").await?;
    for (_, insertion) in insertions {
        execute(&mut transaction, insertion.clone()).await?;
    }
    transaction.commit().await?;
    let took = started.elapsed();
    for (table, _) in insertions {
        execute(books, format!("DROP TABLE plain_{table}")).await?;
    }
    Ok(took)
}

/// The statement for `plain_TABLE`; its indexes get names of their own.
fn renamed_in(statement: &str, table: &str) -> String {
    let renamed = statement.replacen(&format!("ON {table} "), &format!("ON plain_{table} "), 1);
    if renamed.starts_with("CREATE INDEX ") {
        renamed.replacen("CREATE INDEX ", "CREATE INDEX plain_", 1)
    } else {
        renamed.replacen(&format!("CREATE TABLE {table} "), &format!("CREATE TABLE plain_{table} "), 1)
    }
}

/// What one statement needs for the base lines: the deal's partner, its tier, one multiplication, rounded half away from zero.
async fn base_lines_alone(books: &mut SqliteConnection) -> Result<Duration> {
    let insertion = "
        INSERT INTO plain_commission_lines (program, period, payee, currency, source, source_id, invoice, item, from_partner, role, component, rule,
                                            level, part, earned_on, tier, base_minor, rate, rate_source, share, amount_minor, referred_minor, version)
        SELECT 'year', strftime('%Y-%m', i.paid_at / 1000000, 'unixepoch', '-5 hours'), d.partner, i.currency, 'invoice', i.id, i.id, '', d.partner,
               'sourced', 'base', '', 0, 0, strftime('%Y-%m-%d', i.paid_at / 1000000, 'unixepoch', '-5 hours'), t.tier, i.subtotal_minor, r.rate,
               'tier:' || t.tier, '1', (i.subtotal_minor * r.percent + 50) / 100, i.subtotal_minor, 1
          FROM invoices i
          JOIN deals d ON d.id = i.deal
          JOIN tier_assignments t ON t.program = 'year' AND t.partner = d.partner
          JOIN (SELECT 'bronze' AS tier, 5 AS percent, '0.05' AS rate UNION ALL SELECT 'silver', 8, '0.08' UNION ALL SELECT 'gold', 12, '0.12'
                UNION ALL SELECT 'platinum', 15, '0.15') r ON r.tier = t.tier
         WHERE i.paid_at >= 1735707600000000";
    timed_insertion(books, &[("commission_lines", insertion.to_owned())]).await
}

/// Every row made anew, in the order in which the settlement made them: what writing alone costs.
async fn copy_row_by_row(books: &mut SqliteConnection) -> Result<Duration> {
    let copy = |table: &'static str, order: &str| (table, format!("INSERT INTO plain_{table} SELECT * FROM {table} ORDER BY {order}"));
    timed_insertion(books, &[copy("commission_lines", "rowid"), copy("transactions", "id"), copy("postings", "transaction_id, ordinal")]).await
}

/// Without an order, SQLite copies tables and indexes of the same shape page by page and makes no row.
async fn copy_page_by_page(books: &mut SqliteConnection) -> Result<Duration> {
    let copy = |table: &'static str| (table, format!("INSERT INTO plain_{table} SELECT * FROM {table}"));
    timed_insertion(books, &[copy("commission_lines"), copy("transactions"), copy("postings")]).await
}
