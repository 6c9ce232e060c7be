//! The command line (interface.md §3).

mod act;
mod bank_file;
mod demo;
mod destination;
mod error;
mod explain;
mod export;
mod facts;
mod import;
mod mail;
mod mdf;
mod mistakes;
mod output;
mod payout;
#[cfg(feature = "pdf")]
mod pdf;
mod program;
mod recertify;
mod reconcile;
mod release;
mod restore;
mod schedule;
mod serve;
mod settle;
mod settle_run;
mod settlement;
mod simulate;
mod timeline;
mod touched;
mod user;
mod verify;
mod wake;
mod wallet;
mod workflow;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use books::explain::text::inert;
use clap::{Parser, Subcommand};

use crate::config::{Config, Database, Secret};

pub use error::CliError;
pub(crate) use error::with_causes;

/// Settles what a vendor owes its channel partners.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, propagate_version = true)]
struct Cli {
    /// The database: `sqlite://FILE` (made when missing) or `postgres://…`; else the configuration's `database.url`, which is
    /// `sqlite://tributary.db` where nobody sets it
    #[arg(long, global = true, env = "TRIBUTARY_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// The configuration; else tributary.toml in the working directory, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A year of made-up data in a fresh directory, settled month by month
    Demo(demo::DemoArgs),
    /// Check, record and compare programme files
    Program(program::ProgramArgs),
    /// Record facts from a file, all or none
    Import(import::ImportArgs),
    /// Facts that came by webhook and wait for what they refer to
    Facts(facts::FactsArgs),
    /// Run unattended: schedules, settlements, payouts, mail, HTTP
    Serve,
    /// Make periods final, or preview them
    Settle(settle::SettleArgs),
    /// List and show settlements
    Settlement(settlement::SettlementArgs),
    /// Review tiers
    Recertify(recertify::RecertifyArgs),
    /// Compute history anew under another programme file, and what would differ
    Simulate(simulate::SimulateArgs),
    /// Every line of an invoice, and why a rule did not pay
    Explain(explain::ExplainArgs),
    /// What was asked to be paid, and how it ended
    Payout(payout::PayoutArgs),
    /// Campaigns and claims on co-op wallets
    Mdf(mdf::MdfArgs),
    /// People and their roles
    User(user::UserArgs),
    /// Runs: what is under way, what stopped and why
    Workflow(workflow::WorkflowArgs),
    /// What fires by itself, and when
    Schedule(schedule::ScheduleArgs),
    /// Letters to partners: sent, waiting, refused
    Mail(mail::MailArgs),
    /// Co-op wallets
    Wallet(wallet::WalletArgs),
    /// Bring a backup in place, as a new generation that pays nothing before `payout reconcile`
    ///
    /// A plain copy over the database's file would pay again what was paid after the backup was made; a service refuses to start on it.
    Restore(restore::RestoreArgs),
    /// Check every invariant of the books, read-only
    Verify(verify::VerifyArgs),
    /// Write the books in other formats, and files for the bank
    Export(export::ExportArgs),
}

/// Runs the command that the process was given.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Where the terminal is gone there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    crate::logging::start();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            let code = error.exit_code();
            error.report();
            ExitCode::from(code)
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let now = crate::clock::now().map_err(CliError::Input)?;
    let at = At { database: cli.database.filter(|url| !url.is_empty()), config: cli.config, json: cli.json, now };
    match cli.command {
        Command::Demo(args) => Box::pin(demo::run(&at, args)).await?,
        Command::Program(args) => program::run(&at, args).await?,
        Command::Import(args) => import::run(&at, args).await?,
        Command::Facts(args) => return facts::run(&at, args).await,
        Command::Serve => Box::pin(serve::run(&at)).await?,
        Command::Settle(args) => settle::run(&at, args).await?,
        Command::Settlement(args) => settlement::run(&at, args).await?,
        Command::Recertify(args) => recertify::run(&at, args).await?,
        Command::Simulate(args) => simulate::run(&at, args).await?,
        Command::Payout(args) => return payout::run(&at, args).await,
        Command::Mdf(args) => mdf::run(&at, args).await?,
        Command::User(args) => user::run(&at, args).await?,
        Command::Workflow(args) => workflow::run(&at, args).await?,
        Command::Schedule(args) => schedule::run(&at, args).await?,
        Command::Mail(args) => mail::run(&at, args).await?,
        Command::Restore(args) => restore::run(&at, &args).await?,
        Command::Explain(args) => return explain::run(&at, args).await,
        Command::Wallet(args) => return wallet::run(&at, args).await,
        Command::Verify(args) => return verify::run(&at, args).await,
        Command::Export(args) => return export::run(&at, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a database; says so where it makes one, for its name may be mistyped.
async fn open(url: &str) -> Result<books::connection::Books, CliError> {
    let file = books::connection::sqlite_file(url).map_err(crate::app::StartError::from)?;
    let missing = file.filter(|file| !file.exists());
    let books = crate::app::open(url).await?;
    if let Some(file) = missing {
        eprintln!("made a new, empty database {}", inert(&file.display().to_string()));
    }
    Ok(books)
}

/// Where, how and when a command runs.
#[derive(Debug)]
pub(crate) struct At {
    /// The database, where the command names it.
    database: Option<String>,
    /// The configuration, where the command names it.
    config: Option<PathBuf>,
    /// Whether to print JSON.
    pub(crate) json: bool,
    /// What time it is.
    pub(crate) now: ::program::calendar::Instant,
}

impl At {
    /// Opens the database.
    pub(crate) async fn books(&self) -> Result<books::connection::Books, CliError> {
        // A future of each command's is this large else.
        Box::pin(open(&self.url()?)).await
    }

    /// The database's address: what the command names, else what the configuration says. It may hold a password.
    pub(crate) fn url(&self) -> Result<String, CliError> {
        match &self.database {
            Some(url) => Ok(url.clone()),
            None => Ok(Database::load(self.config())?.url.expose().to_owned()),
        }
    }

    /// The configuration's file, where the command names one.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Reads the whole configuration, under the environment, with the database that the command names.
    pub(crate) fn configuration(&self) -> Result<Config, CliError> {
        let mut config = Config::load(self.config())?;
        if let Some(url) = &self.database {
            config.database.url = Secret::new(url.clone());
        }
        Ok(config)
    }
}
