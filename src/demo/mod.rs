//! A year of plainly made-up data, settled month by month in a fresh directory, as a look at what the product does.

mod accounts;
mod billing;
mod claims;
mod directory;
mod double;
mod facts;
mod figures;
mod names;
mod network;
mod outcome;
mod payment;
mod play;
mod random;
mod rates;
mod report;
#[cfg(feature = "pdf")]
mod statements;
mod trade;
mod year;

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;

pub(crate) use self::directory::DirectoryError;
pub(crate) use self::play::{Played, play};
pub(crate) use self::report::{Style, called, report};

/// Partners that a demo has at least, so that each story has one.
pub(crate) const PARTNERS_MIN: usize = 12;
/// Partners that it has at most.
pub(crate) const PARTNERS_MAX: usize = 1_000;

/// Steps of its progress that the statements are, of the time that they take.
pub(crate) const STATEMENT_STEPS: u64 = if cfg!(feature = "pdf") { 10 } else { 0 };

/// What to make.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where.
    pub(crate) directory: PathBuf,
    /// How many partners, from [`PARTNERS_MIN`] to [`PARTNERS_MAX`].
    pub(crate) partners: usize,
    /// Of what all data is made: the same seed gives the same.
    pub(crate) seed: u64,
    /// Whether to set the statements of all months, not the last one's alone.
    pub(crate) all_statements: bool,
    /// Whether to replace a demo that is there.
    pub(crate) replace: bool,
    /// Whether the service goes on after the demo, with its provider.
    pub(crate) serve: bool,
}

/// A demo that could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The directory can't be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file can't be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The built-in programme does not load.
    #[error("the demo's programme is wrong: {0}")]
    Program(String),
    /// The database can't be opened.
    #[error(transparent)]
    Start(#[from] crate::app::StartError),
    /// The programme can't be recorded.
    #[error(transparent)]
    Apply(#[from] books::programs::ApplyError),
    /// A file of facts can't be recorded.
    #[error(transparent)]
    Record(#[from] books::record::RecordError),
    /// A month can't be settled.
    #[error(transparent)]
    Settle(#[from] books::settlement::SettleError),
    /// A review can't be made.
    #[error(transparent)]
    Review(#[from] books::review::ReviewError),
    /// The books can't be read.
    #[error(transparent)]
    Load(#[from] books::load::row::LoadError),
    /// The journal can't be written.
    #[error(transparent)]
    Export(#[from] books::export::ExportError),
    /// A destination can't be had.
    #[error(transparent)]
    Destination(#[from] program::payout::DestinationError),
    /// A person can't be added.
    #[error(transparent)]
    Person(#[from] books::users::PersonError),
    /// An account can't be added or approved.
    #[error(transparent)]
    Account(#[from] books::payouts::PayoutError),
    /// The run that pays can't be started.
    #[error(transparent)]
    Run(#[from] durable::runs::RunError),
    /// There is no provider, and there is to be a service.
    #[error("--serve needs a payment provider: {0}")]
    NoProvider(String),
    /// The provider can't be started.
    #[error(transparent)]
    Provider(#[from] double::DoubleError),
    /// The service's configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigErrors),
    /// The service can't be started, or failed.
    #[error(transparent)]
    Service(#[from] crate::service::ServiceError),
    /// The service ended too early.
    #[error("the service stopped; `TRIBUTARY_LOG=info` shows why")]
    Stopped,
    /// The month is not paid in time.
    #[error("after {limit_s} s there are {open}; `workflow list` and `mail list` on the demo's database show which")]
    Unpaid {
        /// How long it had.
        limit_s: u64,
        /// What is missing.
        open: payment::Open,
    },
    /// A claim does not go on.
    #[error("claim {0} has not gone on in time; `mdf claim show {0}` and `workflow list` on the demo's database show where it stands")]
    Claim(String),
    /// The run of a claim can't be told.
    #[error(transparent)]
    Wake(#[from] workflows::payout::WakeError),
    /// A claim can't be made.
    #[error(transparent)]
    Mdf(#[from] books::mdf::MdfError),
    /// The run of a claim can't be started.
    #[error(transparent)]
    ClaimRun(#[from] workflows::mdf_claim::StartError),
    /// A proof can't be kept.
    #[error(transparent)]
    Files(#[from] crate::adapters::files::FilesError),
    /// The letters can't be read.
    #[error(transparent)]
    Outbox(#[from] durable::outbox::OutboxError),
    /// A letter can't be shown.
    #[error("a letter can't be shown: {0}")]
    Letter(String),
    /// Letters can't be worded.
    #[error(transparent)]
    Postman(#[from] crate::letters::PostmanError),
    /// The books do not hold what they must.
    #[error("the demo's books do not verify:\n{0}")]
    Broken(String),
    /// A statement can't be made.
    #[cfg(feature = "pdf")]
    #[error(transparent)]
    Statement(#[from] crate::statement_pdf::StatementError),
}

impl From<sea_orm::DbErr> for DemoError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}

/// Where a demo stands, and how long its parts took.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    took: Vec<(&'static str, Duration)>,
}

impl Progress {
    /// Shows itself on a bar.
    pub(crate) fn new(bar: ProgressBar) -> Self {
        Self { bar, took: Vec::new() }
    }

    /// Begins a step of a part.
    fn say(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
        self.bar.inc(1);
    }

    /// Says where a step stands.
    fn note(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Adds the time since `began` to a part.
    fn took(&mut self, part: &'static str, began: std::time::Instant) {
        let time = began.elapsed();
        match self.took.iter_mut().find(|(known, _)| *known == part) {
            Some((_, sum)) => *sum += time,
            None => self.took.push((part, time)),
        }
    }
}

fn write(path: &Path, content: &str) -> Result<(), DemoError> {
    std::fs::write(path, content).map_err(|source| DemoError::Write { path: path.to_owned(), source })
}
