//! `program check`, `program apply`, `program plan`.

use std::path::{Path, PathBuf};

use books::load::{Knowledge, versions};
use books::programs::{self, Applied, ApplyError, Takeover};
use clap::{Args, Subcommand};
use program::calendar::{Date, parse_date};
use program::file::{Change, NotASuccessor};
use program::programme::Programme;

use super::touched::{Both, Touched};
use super::{At, CliError, mistakes, output};
use crate::counted::counted;

/// The largest programme file that is read, bytes.
const FILE_MAX: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    #[command(subcommand)]
    command: ProgramCommand,
}

#[derive(Debug, Subcommand)]
enum ProgramCommand {
    /// Check a programme file; every error names its place
    Check {
        /// The programme file, TOML
        file: PathBuf,
    },
    /// Record a version of a programme
    Apply {
        /// The programme file, TOML
        file: PathBuf,
        /// From this day on (default: the first version from ever, a later one from the first open period)
        #[arg(long, value_parser = date)]
        from: Option<Date>,
    },
    /// Show what a programme file would change, for whom, from when
    Plan {
        /// The programme file, TOML
        file: PathBuf,
        /// As if applied from this day on (default: as of `apply`)
        #[arg(long, value_parser = date)]
        from: Option<Date>,
    },
}

/// Reads a date argument.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    parse_date(text).map_err(|error| error.to_string())
}

/// Reads and checks a programme file.
pub(crate) fn load(file: &Path) -> Result<(Programme, String), CliError> {
    let wrong = |reason: String| CliError::Input(format!("{}: {reason}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_MAX {
        return Err(wrong(format!("{size} bytes are too many for a programme file; the most is {FILE_MAX}")));
    }
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let (right, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let right = String::from_utf8_lossy(right);
        let line = right.matches('\n').count() + 1;
        let column = right.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
        CliError::Input(format!("{}:{line}:{column}: the file is not UTF-8 here; save it as UTF-8", file.display()))
    })?;
    let programme = program::file::load(&file.display().to_string(), &text).map_err(|errors| CliError::Places(mistakes::shown(&errors, &text)))?;
    Ok((programme, text))
}

pub(crate) async fn run(at: &At, args: ProgramArgs) -> Result<(), CliError> {
    match args.command {
        ProgramCommand::Check { file } => check(at, &file),
        ProgramCommand::Apply { file, from } => apply(at, &file, from).await,
        ProgramCommand::Plan { file, from } => plan(at, &file, from).await,
    }
}

fn check(at: &At, file: &Path) -> Result<(), CliError> {
    let (programme, _) = load(file)?;
    if at.json {
        return output::json(&serde_json::json!({ "program": programme.id, "ok": true }));
    }
    output::text(&format!(
        "{}: programme {} is right ({}, {}, {})\n",
        file.display(),
        programme.id,
        counted(programme.tiers.len(), "tier"),
        counted(programme.rules.len(), "rule"),
        counted(programme.rates.len(), "rate")
    ))
}

async fn apply(at: &At, file: &Path, from: Option<Date>) -> Result<(), CliError> {
    let (programme, source) = load(file)?;
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let applied = match programs::apply(&tx, &programme, &source, from, at.now).await {
        Err(ApplyError::Successor(error)) => return Err(not_a_successor(&error, file, &source)),
        applied => applied?,
    };
    tx.commit().await?;
    let Applied { program, number, effective_from, until, unchanged } = applied;
    if at.json {
        let (until, next_version) = (until.map(|next| next.on.to_string()), until.map(|next| next.number));
        return output::json(&serde_json::json!({
            "program": program, "version": number, "effective_from": effective_from.to_string(), "until": until, "next_version": next_version,
            "unchanged": unchanged,
        }));
    }
    let did = if unchanged { "is recorded already" } else { "recorded" };
    output::text(&format!("programme {program}: version {number} {did}, {}\n", in_force(effective_from, until)))
}

/// Shows where a file changes what all versions share.
fn not_a_successor(error: &NotASuccessor, file: &Path, source: &str) -> CliError {
    CliError::Places(mistakes::shown(&error.in_file(&file.display().to_string(), source), source))
}

fn in_force(from: Date, until: Option<Takeover>) -> String {
    let since = if from.to_string() == programs::FROM_EVER { "in force from ever".into() } else { format!("in force from {from}") };
    match until {
        Some(Takeover { on, number }) => format!("{since} until {on}, when version {number} takes over"),
        None => since,
    }
}

async fn plan(at: &At, file: &Path, from: Option<Date>) -> Result<(), CliError> {
    let (programme, source) = load(file)?;
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let from = match from {
        Some(from) => from,
        None => programs::default_from(&tx, &programme).await?,
    };
    let until = programs::takeover(&tx, &programme.id, from).await?;
    let known = match versions::load(&tx, &programme.id, i64::MAX).await {
        Ok(known) => known,
        Err(books::load::row::LoadError::NoProgram(_)) => {
            programs::check_from(&tx, &programme, from).await?;
            tx.rollback().await?;
            return planned(at, &programme, (from, until), None);
        }
        Err(error) => return Err(error.into()),
    };
    program::file::check_successor(known.constant(), &programme).map_err(|error| not_a_successor(&error, file, &source))?;
    programs::check_from(&tx, &programme, from).await?;
    let old = &known.on(from).programme;
    let knowledge = Knowledge::load(&tx, &programme.id, i64::MAX).await?;
    tx.rollback().await?;
    let versions = Both { old, new: &programme, day: from, directory: &knowledge.directory };
    let mut members: Vec<(String, usize)> = programme.tiers.iter().map(|tier| (tier.id.clone(), 0)).collect();
    for partner in versions.members() {
        if let Some(rank) = partner.effective_tier(from, &programme) {
            members[rank].1 += 1;
        }
    }
    let changes = program::file::differences(old, &programme);
    let changes: Vec<(Change, Touched)> = changes.into_iter().map(|change| (change.clone(), versions.touched(&change.path))).collect();
    planned(at, &programme, (from, until), Some((&changes, &members)))
}

/// What changes and for whom, and how many active members each tier has.
type Planned<'a> = (&'a [(Change, Touched)], &'a [(String, usize)]);

fn planned(at: &At, programme: &Programme, (from, until): (Date, Option<Takeover>), known: Option<Planned<'_>>) -> Result<(), CliError> {
    let (changes, members) = known.unwrap_or((&[], &[]));
    if at.json {
        let change = |(change, touched): &(Change, Touched)| {
            let touches = serde_json::json!({ "whom": touched.whom, "count": touched.partners.len(), "partners": touched.partners });
            serde_json::json!({ "path": change.path, "old": change.old, "new": change.new, "touches": touches })
        };
        let changes: Vec<_> = changes.iter().map(change).collect();
        let members: serde_json::Map<String, serde_json::Value> = members.iter().map(|(tier, count)| (tier.clone(), (*count).into())).collect();
        let (until, next_version) = (until.map(|next| next.on.to_string()), until.map(|next| next.number));
        let document = serde_json::json!({
            "program": programme.id, "new": known.is_none(), "effective_from": from.to_string(), "until": until, "next_version": next_version,
            "changes": changes, "active_members": members,
        });
        return output::json(&document);
    }
    if known.is_none() {
        return output::text(&format!("programme {} is new; applied now it would be {}\n", programme.id, in_force(from, until)));
    }
    if changes.is_empty() {
        return output::text(&format!("programme {}: nothing would change\n", programme.id));
    }
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".into());
    let rows: Vec<Vec<String>> = changes.iter().map(|(change, _)| vec![change.path.clone(), value(&change.old), value(&change.new)]).collect();
    let whom: Vec<Vec<String>> = changes.iter().map(|(change, touched)| vec![change.path.clone(), touched.text()]).collect();
    let counts: Vec<String> = members.iter().filter(|(_, count)| *count > 0).map(|(tier, count)| format!("{count} {tier}")).collect();
    let total: usize = members.iter().map(|(_, count)| count).sum();
    let of = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    output::text(&format!(
        "programme {}: applied now it would be {}\n\n{}\n{}\nof {total} active members on that day{of}\n",
        programme.id,
        in_force(from, until),
        output::table(&["what", "now", "then"], &[false, false, false], &rows),
        output::table(&["what", "for whom"], &[false, false], &whom),
    ))
}
