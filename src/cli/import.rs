//! `import`: records facts from a file (interface.md §2).

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use books::record::{self, FactKind, Format, ImportError, ImportErrors, Input, Phase, RecordError, Recorded};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{At, CliError, output};
use crate::counted::counted;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What the file holds: partners, invoices, credits …
    kind: FactKind,
    /// A file that ends in .csv or .jsonl
    file: PathBuf,
    /// List everything that is wrong and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(at: &At, args: ImportArgs) -> Result<(), CliError> {
    let ImportArgs { kind, file: path, dry_run } = args;
    let origin = path.display().to_string();
    let wrong = |reason: String| {
        let errors = vec![ImportError { line: 0, column: None, reason }];
        refused(at, kind, dry_run, &ImportErrors { file: origin.clone(), errors, total: 1 })
    };
    let format = format_of(&path).ok_or_else(|| wrong("the file's name must end in .csv or .jsonl".into()))?;
    let file = File::open(&path).map_err(|error| wrong(error.to_string()))?;
    let length = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if length.is_dir() {
        return Err(wrong("it is a directory".into()));
    }
    let books = at.books().await?;
    let bar = progress_bar(length.len());
    let input = Input { kind, format, origin: origin.clone(), reader: bar.wrap_read(file), dry_run };
    let recorded = record::record(&books, input, at.now, |phase| show_phase(&bar, phase)).await;
    bar.finish_and_clear();
    match recorded {
        Ok(recorded) => print(at, kind, &origin, dry_run, recorded),
        Err(RecordError::Input(errors)) => Err(refused(at, kind, dry_run, &errors)),
        Err(error) => Err(failed(error)),
    }
}

/// What is wrong with the file, each thing at its place; line 0 is the file as a whole. With --json the document says the same.
fn refused(at: &At, kind: FactKind, dry_run: bool, wrong: &ImportErrors) -> CliError {
    let ImportErrors { file, errors, total } = wrong;
    if at.json {
        let shown = |error: &ImportError| {
            let line = (error.line > 0).then_some(error.line);
            serde_json::json!({ "file": file, "line": line, "column": error.column, "message": error.reason })
        };
        let list: Vec<serde_json::Value> = errors.iter().map(shown).collect();
        let document = serde_json::json!({ "kind": kind.name(), "file": file, "dry_run": dry_run, "total_errors": total, "errors": list });
        if let Err(error) = output::json(&document) {
            return error;
        }
    }
    if let [ImportError { line: 0, reason, .. }] = errors.as_slice() {
        return CliError::Input(format!("{file}: {reason}"));
    }
    let mut text = String::new();
    for ImportError { line, column, reason } in errors {
        let column = column.as_ref().map(|column| format!("column {column}: ")).unwrap_or_default();
        text.push_str(&format!("{file}:{line}: {column}{reason}\n"));
    }
    let more = if u64::try_from(errors.len()).is_ok_and(|listed| listed == *total) {
        String::new()
    } else {
        format!(", of which the first {} are listed", errors.len())
    };
    let count = if *total == 1 { "1 error".to_owned() } else { format!("{total} errors") };
    CliError::Places(format!("{text}error: {file} has {count}{more}; nothing was recorded"))
}

fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "csv" => Some(Format::Csv),
        "jsonl" => Some(Format::Jsonl),
        _ => None,
    }
}

/// A bar on standard error, where that is a terminal.
fn progress_bar(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) =
        ProgressStyle::with_template(&format!("{{msg:8}} {{bar:{}}} {{binary_bytes}}/{{binary_total_bytes}} {{elapsed}}", output::bar_width(36)))
    {
        bar.set_style(style);
    }
    bar
}

fn show_phase(bar: &ProgressBar, phase: Phase) {
    bar.set_message(match phase {
        Phase::Reading => "reading",
        Phase::Checking => "checking",
        Phase::Writing => "writing",
    });
}

/// What is wrong with the facts ends with exit code 2, everything else with 1.
fn failed(error: RecordError) -> CliError {
    match error {
        RecordError::Input(errors) => CliError::Input(errors.to_string()),
        RecordError::Read(source) => CliError::Failed(format!("the file can't be read to its end; nothing was recorded: {source}")),
        RecordError::Database(source) => CliError::Failed(format!("the database failed; nothing was recorded: {source}")),
        other @ (RecordError::Corrupt(_) | RecordError::Stopped) => CliError::Failed(other.to_string()),
    }
}

fn print(at: &At, kind: FactKind, file: &str, dry_run: bool, recorded: Recorded) -> Result<(), CliError> {
    let Recorded { read, new, filled, updated, unchanged } = recorded;
    if at.json {
        return output::json(&serde_json::json!({
            "kind": kind.name(), "file": file, "dry_run": dry_run,
            "read": read, "new": new, "filled": filled, "updated": updated, "unchanged": unchanged,
        }));
    }
    let would = if dry_run { " (dry run: nothing was recorded)" } else { "" };
    output::text(&format!(
        "{}: {} read, {new} new, {filled} filled, {updated} updated, {unchanged} unchanged{would}\n",
        kind.name(),
        counted(read, "row")
    ))
}
