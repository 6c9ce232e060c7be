//! `export`: the books for other programs, read-only.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use books::export::ExportError;
use books::export::journal::{self, Format, Selection};
use clap::{Args, Subcommand, ValueEnum};
use program::calendar::Date;

use super::program::date;
use super::{At, CliError};

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
    /// balances are those of the books.
    Journal {
        /// For which program
        #[arg(long, value_enum)]
        format: JournalFormat,
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
            if at.json {
                return Err(CliError::Input("a journal has no JSON form; leave --json out and choose a --format".into()));
            }
            if let (Some(from), Some(through)) = (from, through)
                && through < from
            {
                return Err(CliError::Input(format!("--through {through} lies before --from {from}")));
            }
            journal(at, &Selection { program, from, through }, format.into()).await?;
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

fn failed(error: ExportError) -> CliError {
    match error {
        ExportError::Load(error) => error.into(),
        ExportError::Settle(error) => error.into(),
        other => CliError::Failed(other.to_string()),
    }
}
