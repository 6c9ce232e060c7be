//! `export pain001`: writes the file for the bank of what was requested.

use std::path::Path;
use std::process::ExitCode;

use books::connection::Books;
use books::explain::text::inert;
use books::payouts::bank_files::{self, LeftOut, Recorded};
use clap::Args;
use program::bank_file::{BankFileId, NotABankFileId};
use serde_json::{Value as Json, json};

use super::{At, CliError, act, output};
use crate::adapters::payout_pain001;
use crate::config::Pain001;
use crate::ids;

#[derive(Debug, Args)]
pub(crate) struct Pain001Args {
    /// Who does it: a user with the role finance, who belongs to no partner that is paid
    #[arg(long)]
    by: String,
    /// Write this file once more, and nothing else; `payout show` names it
    #[arg(long, value_name = "ID", value_parser = id)]
    again: Option<BankFileId>,
}

fn id(text: &str) -> Result<BankFileId, NotABankFileId> {
    text.parse()
}

/// A file that is written down.
struct Written {
    file: Recorded,
    path: String,
    /// `made`; `mended` after a crash; `again` on request.
    how: &'static str,
}

pub(crate) async fn run(at: &At, args: &Pain001Args) -> Result<ExitCode, CliError> {
    let Some(account) = Pain001::load(at.config())? else {
        return Err(CliError::Input("the configuration's payouts.adapter is not \"pain001\"; name the service's with --config".into()));
    };
    let books = at.books().await?;
    let mut written = Vec::new();
    if let Some(id) = &args.again {
        let file = act::transact(at, &books, async |tx| Ok(bank_files::again(tx, id, &args.by, at.now).await?)).await?;
        written.push(write_down(at, &books, &account.directory, file, "again", &args.by).await?);
        return print(at, &written, &[]);
    }
    let unwritten = act::transact(at, &books, async |tx| Ok(bank_files::unwritten(tx, &args.by).await?)).await?;
    for file in unwritten {
        written.push(write_down(at, &books, &account.directory, file, "mended", &args.by).await?);
    }
    let left_out = make(at, &books, &account, &args.by, &mut written).await?;
    print(at, &written, &left_out)
}

/// Makes files until nothing waits that can be in one; what waits still comes back.
async fn make(at: &At, books: &Books, account: &Pain001, by: &str, written: &mut Vec<Written>) -> Result<Vec<LeftOut>, CliError> {
    loop {
        let id: BankFileId = ids::new("bkf").parse().map_err(|error: NotABankFileId| CliError::Failed(error.to_string()))?;
        let made = act::transact(at, books, async |tx| Ok(bank_files::make(tx, &id, &account.debtor, by, at.now).await?)).await?;
        let Some(file) = made.file else { return Ok(made.left_out) };
        written.push(write_down(at, books, &account.directory, file, "made", by).await?);
    }
}

/// The bytes are committed: what goes wrong from here on is mended by the next call.
async fn write_down(at: &At, books: &Books, directory: &Path, file: Recorded, how: &'static str, by: &str) -> Result<Written, CliError> {
    let tx = books.begin_read().await?;
    let content = bank_files::content(&tx, &file.id).await;
    tx.rollback().await?;
    let name = file.file_name();
    let path = payout_pain001::write_down(directory, &name, &content?).map_err(|error| {
        let shown = directory.join(&name);
        CliError::Failed(format!("{} can't be written: {error}; its payouts are in it, and the same command writes it again", shown.display()))
    })?;
    act::transact(at, books, async |tx| Ok(bank_files::written(tx, &file.id, by, at.now).await?)).await?;
    Ok(Written { file, path: path.display().to_string(), how })
}

fn print(at: &At, written: &[Written], left_out: &[LeftOut]) -> Result<ExitCode, CliError> {
    let code = if left_out.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if at.json {
        let file = |one: &Written| -> Json {
            let Recorded { id, message_id, execution_on, payouts, control_sum, sha256, .. } = &one.file;
            json!({
                "id": id.as_str(), "message_id": message_id, "path": one.path, "execution_on": execution_on.to_string(), "payouts": payouts,
                "control_sum": control_sum, "sha256": sha256, "how": one.how,
            })
        };
        let left = |one: &LeftOut| json!({ "payout": one.payout.as_str(), "partner": one.partner, "reason": one.reason });
        let files: Vec<Json> = written.iter().map(file).collect();
        output::json(&json!({ "files": files, "left_out": left_out.iter().map(left).collect::<Vec<_>>() }))?;
        return Ok(code);
    }
    let mut text = String::new();
    for Written { file, path, how } in written {
        let payouts = if file.payouts == 1 { "1 payout".to_owned() } else { format!("{} payouts", file.payouts) };
        let again = if *how == "made" { "" } else { ", written again with the same bytes" };
        let (sum, on) = (&file.control_sum, file.execution_on);
        text.push_str(&format!("{}: {payouts}, control sum {sum}, to be executed on {on}{again}\n", inert(path)));
    }
    if written.is_empty() {
        text.push_str("nothing is new\n");
    }
    for LeftOut { payout, partner, reason } in left_out {
        text.push_str(&format!("left out: {payout} of {}: {}\n", inert(partner), inert(reason)));
    }
    output::text(&text)?;
    Ok(code)
}
