//! `demo`: a year of made-up data in a fresh directory.

use std::io::{IsTerminal, stderr, stdout};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{At, CliError, output, with_causes};
use crate::demo::{self, DemoError, Options, Played, Progress, Style};

/// Imports, settlements, reviews, payment, journal, verification, and the statements' part, however many they are.
const STEPS: u64 = 33 + demo::STATEMENT_STEPS;
/// Where nobody says how wide the terminal is.
const COLUMNS: usize = 80;

/// Makes a directory with a database of its own (--database and --config are not used), a programme, a year of made-up data for partners on three levels,
/// settles every month, recertifies every quarter, pays the last month through a provider in another process (it moves no money) with its
/// mails, and writes statements and the journal. The same seed gives the same, but for the ids of payouts and the seconds of the payment.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// A directory that does not exist yet, or is empty
    #[arg(default_value = "tributary-demo")]
    directory: PathBuf,
    /// How many partners
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = partners)]
    partners: usize,
    /// Of what the data is made: the same seed gives the same
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Set the statements of all months, not the last one's alone
    #[arg(long)]
    all_statements: bool,
    /// Replace what a demo made in the directory before; other files stay
    #[arg(long)]
    force: bool,
    /// Keep the service up afterwards, with its schedules and its provider, until Ctrl-C
    #[arg(long)]
    serve: bool,
    /// Not used: a demo has a database of its own
    #[arg(long, hide = true)]
    database: Option<String>,
    /// Not used: a demo has a configuration of its own
    #[arg(long, hide = true)]
    config: Option<PathBuf>,
}

fn partners(text: &str) -> Result<usize, String> {
    let (least, most) = (demo::PARTNERS_MIN, demo::PARTNERS_MAX);
    text.parse().ok().filter(|count| (least..=most).contains(count)).ok_or_else(|| format!("a number from {least} to {most} is expected"))
}

pub(crate) async fn run(at: &At, args: DemoArgs) -> Result<(), CliError> {
    let DemoArgs { directory, partners, seed, all_statements, force, serve, database: _, config: _ } = args;
    if serve && at.json {
        return Err(CliError::Input("--serve tells more than one document; leave --json out".into()));
    }
    let options = Options { directory, partners, seed, all_statements, replace: force, serve };
    let bar = progress_bar();
    let played = Box::pin(demo::play(&options, Progress::new(bar.clone()))).await;
    bar.finish_and_clear();
    let Played { outcome, books, hosted } = played.map_err(|error| failed(&error))?;
    if at.json {
        return output::json(&outcome.json());
    }
    let on_terminal = stdout().is_terminal();
    let colour = on_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    output::text(&demo::report(&outcome, &Style { width: width(), colour, program: demo::called() }))?;
    let Some(hosted) = hosted else { return Ok(()) };
    let asked = super::serve::asked_to_stop().map_err(|error| CliError::Failed(format!("signals can't be heard: {error}")))?;
    output::text(&format!("\nThe service goes on until Ctrl-C; its clock was started at {}.\n", hosted.clock))?;
    super::serve::tell(at, &books, hosted.clock, hosted.address).await?;
    hosted.until(asked).await.map_err(|error| failed(&error))?;
    Played::close(&books).await.map_err(|error| failed(&error))
}

/// What the caller can mend ends with exit code 2: the directory, a binary that was not built.
fn failed(error: &DemoError) -> CliError {
    let text = with_causes(error);
    if matches!(error, DemoError::Directory(_) | DemoError::NoProvider(_)) { CliError::Input(text) } else { CliError::Failed(text) }
}

/// A bar on standard error, where that is a terminal.
fn progress_bar() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(STEPS);
    if let Ok(style) = ProgressStyle::with_template(&format!("{{bar:{}}} {{elapsed:>4}}  {{wide_msg}}", output::bar_width(30))) {
        bar.set_style(style);
    }
    bar
}

fn width() -> usize {
    terminal_size::terminal_size_of(stdout()).map_or(COLUMNS, |(width, _)| width.0.into())
}
