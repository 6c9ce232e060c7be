//! `export`: the books for other programs; read-only, but for the file for the bank.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use books::export::ExportError;
use books::export::accruals::{self, Accruals};
use books::export::journal::{self, Format, Selection};
use books::export::{earnings, payouts};
use clap::{Args, Subcommand, ValueEnum};
use program::calendar::Date;

use super::program::date;
use super::{At, CliError, bank_file, output};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    command: ExportCommand,
}

#[derive(Debug, Subcommand)]
enum ExportCommand {
    /// The ledger, posting by posting
    ///
    /// beancount and hledger get legal account names, accounts opened on their first day, and a balance assertion for every account and
    /// currency, dated the day after the last transaction. With --from, what was there before is one opening transaction, so that
    /// balances are those of the books. --json prints `{"transactions": […]}` with their postings, debits above zero.
    Journal {
        /// How it is written; --json takes its place
        #[arg(long, value_enum)]
        format: Option<JournalFormat>,
        /// Only this programme's transactions
        #[arg(long)]
        program: Option<String>,
        /// From this day on
        #[arg(long, value_parser = date)]
        from: Option<Date>,
        /// Up to and including this day
        #[arg(long, value_parser = date)]
        through: Option<Date>,
    },
    /// What is earned and not yet paid, as of a day
    ///
    /// For a month's end, by programme, partner and currency:
    ///
    /// payable: what settlements posted up to the day and nobody asked to be paid;
    /// `carried_forward`: the part of it that the last settlement by the day carried on, below the minimum or negative;
    /// unsettled: what was earned by the day but stands in no settlement of a period that ended by it, because the period is open, the
    /// money is held, or it was recorded late (a refund counts on its own day);
    /// coop and `coop_unsettled`: the same for the co-op fund, held money included, less what has expired by the day;
    /// total: payable, unsettled, coop and `coop_unsettled` together: the liability to accrue.
    ///
    /// It is computed from what is known now: open periods are settled in memory, and nothing is stored. A negative figure is owed by
    /// the partner. Payouts on their way are told apart, as in transit.
    #[command(verbatim_doc_comment)]
    Accruals {
        /// The day, up to and including which is counted
        #[arg(long, value_parser = date)]
        as_of: Date,
        /// Only this programme
        #[arg(long)]
        program: Option<String>,
        /// A table for people, or RFC 4180
        #[arg(long, value_enum, default_value = "table")]
        format: ReportFormat,
    },
    /// Every payout, with its state and provider
    ///
    /// A row a payout, oldest first. Of the account there is the digest alone.
    Payouts {
        /// How it is written
        #[arg(long, value_enum, default_value = "csv")]
        format: PayoutsFormat,
        /// Only those that are intended, held, requested, unknown, paid or failed
        #[arg(long, value_parser = super::payout::STATUSES)]
        status: Option<String>,
    },
    /// The file for the bank (ISO 20022 pain.001.001.09) of what was requested of the adapter pain001
    ///
    /// A payout is in one file at most; when all are in one, nothing is written. A file that a crash kept from being written down is
    /// written first, with the bytes and the message id that it was made with. What waits and can't be in a file is listed with its
    /// reason, and the command exits with 1 as long as there is some. Finance says how payouts ended by the bank's word, with
    /// `payout mark-paid` and `mark-failed`.
    Pain001(bank_file::Pain001Args),
    /// What each partner was paid in a year, by currency
    ///
    /// By the date of payment in the programme's zone. What came back after it was paid is taken off in the year in which it came back.
    Earnings {
        /// The calendar year
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=9999))]
        year: u16,
        /// A table for people, or RFC 4180
        #[arg(long, value_enum, default_value = "table")]
        format: ReportFormat,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PayoutsFormat {
    /// RFC 4180
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Table,
    Csv,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum JournalFormat {
    /// RFC 4180, with the ledger's own account names
    Csv,
    /// Accepted by bean-check
    Beancount,
    /// Accepted by hledger check --strict
    Hledger,
}

impl From<JournalFormat> for Format {
    fn from(format: JournalFormat) -> Self {
        match format {
            JournalFormat::Csv => Self::Csv,
            JournalFormat::Beancount => Self::Beancount,
            JournalFormat::Hledger => Self::Hledger,
        }
    }
}

pub(crate) async fn run(at: &At, args: ExportArgs) -> Result<ExitCode, CliError> {
    match args.command {
        ExportCommand::Journal { format, program, from, through } => {
            let format = match (format, at.json) {
                (Some(format), false) => format.into(),
                (None, true) => Format::Json,
                (Some(_), true) => return Err(CliError::Input("--json and --format exclude each other".into())),
                (None, false) => return Err(CliError::Input("name a format with --format csv, beancount or hledger, or ask for --json".into())),
            };
            if let (Some(from), Some(through)) = (from, through)
                && through < from
            {
                return Err(CliError::Input(format!("--through {through} lies before --from {from}")));
            }
            journal(at, &Selection { program, from, through }, format).await?;
        }
        ExportCommand::Accruals { as_of, program, format } => {
            if at.json && format == ReportFormat::Csv {
                return Err(CliError::Input("--json and --format csv exclude each other".into()));
            }
            accruals(at, as_of, program.as_deref(), format).await?;
        }
        ExportCommand::Payouts { format: PayoutsFormat::Csv, status } => {
            if at.json {
                return Err(CliError::Input("--json and --format csv exclude each other; `payout list --json` prints payouts".into()));
            }
            payouts(at, status.as_deref()).await?;
        }
        ExportCommand::Pain001(args) => return bank_file::run(at, &args).await,
        ExportCommand::Earnings { year, format } => {
            if at.json && format == ReportFormat::Csv {
                return Err(CliError::Input("--json and --format csv exclude each other".into()));
            }
            earnings(at, year, format).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn journal(at: &At, selection: &Selection, format: Format) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    if let Some(program) = &selection.program {
        books::load::versions::load(&tx, program, i64::MAX).await?;
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let written = journal::export(&tx, selection, format, &mut out).await;
    tx.rollback().await?;
    match written {
        // A reader that closed the pipe has seen enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(failed),
    }
}

async fn payouts(at: &At, status: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let written = payouts::csv(&tx, status, &mut out).await;
    tx.rollback().await?;
    match written.and_then(|()| Ok(out.flush()?)) {
        // A reader that closed the pipe has seen enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(failed),
    }
}

async fn earnings(at: &At, year: u16, format: ReportFormat) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = earnings::earnings(&tx, year).await;
    tx.rollback().await?;
    let found = found.map_err(failed)?;
    let overflow = |error: program::exact::Overflow| CliError::Failed(error.to_string());
    if at.json {
        return output::json(&found.json().map_err(overflow)?);
    }
    if format == ReportFormat::Csv {
        let mut text = Vec::new();
        found.csv(&mut text).map_err(failed)?;
        return output::text(&String::from_utf8_lossy(&text));
    }
    let rows: Vec<Vec<String>> = found.rows().map_err(overflow)?.into_iter().map(Vec::from).collect();
    if rows.is_empty() {
        return output::text(&format!("nothing was paid in {year}\n"));
    }
    output::text(&output::table(&earnings::HEADS, &[false, false, false, true, true, true, true], &rows))
}

/// Computes in a transaction that is rolled back, as a preview does.
async fn accruals(at: &At, as_of: Date, program: Option<&str>, format: ReportFormat) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let found = async {
        if let Some(program) = program {
            books::load::versions::load(&tx, program, i64::MAX).await?;
        }
        accruals::accruals(&tx, as_of, program, at.now).await
    }
    .await;
    tx.rollback().await?;
    let found = found.map_err(failed)?;
    if at.json {
        return output::json(&found.json().map_err(|error| CliError::Failed(error.to_string()))?);
    }
    if format == ReportFormat::Csv {
        let mut text = Vec::new();
        found.csv(&mut text).map_err(failed)?;
        return output::text(&String::from_utf8_lossy(&text));
    }
    output::text(&table(&found).map_err(|error| CliError::Failed(error.to_string()))?)
}

fn table(found: &Accruals) -> Result<String, program::exact::Overflow> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for ((program, partner, currency), owed) in &found.owed {
        let who = [program.clone(), partner.clone(), currency.to_string()];
        rows.push(who.into_iter().chain(accruals::amounts(owed, *currency)?).collect());
    }
    for ((program, currency), owed) in &found.totals()? {
        let who = [(*program).to_owned(), "total".to_owned(), currency.to_string()];
        rows.push(who.into_iter().chain(accruals::amounts(owed, *currency)?).collect());
    }
    if rows.is_empty() {
        return Ok(format!("nothing is owed as of {}\n", found.as_of));
    }
    let heads = ["programme", "partner", "currency", "payable", "carried", "unsettled", "co-op", "co-op unsettled", "total"];
    let mut text = format!("earned and not yet paid as of {}\n\n", found.as_of);
    text.push_str(&output::table(&heads, &[false, false, false, true, true, true, true, true, true], &rows));
    for ((program, currency), minor) in &found.in_transit_minor {
        text.push_str(&format!("\nin transit in {program}: {} {currency}\n", currency.format_minor(*minor)));
    }
    Ok(text)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "whatever else ends an export is a failure of the machine")]
fn failed(error: ExportError) -> CliError {
    match error {
        ExportError::Load(error) => error.into(),
        ExportError::Settle(error) => error.into(),
        other => CliError::Failed(other.to_string()),
    }
}
