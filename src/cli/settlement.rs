//! `settlement list` and `settlement show`; what is released and held is in `release`.

use std::collections::BTreeMap;

use books::statements::{self, StoredSettlement};
use clap::{Args, Subcommand};
use program::calendar::Period;
use sea_orm::DatabaseTransaction;

#[cfg(feature = "pdf")]
use super::pdf;
use super::settle::period;
use super::{At, CliError, output, release};

#[derive(Debug, Args)]
pub(crate) struct SettlementArgs {
    #[command(subcommand)]
    command: SettlementCommand,
}

#[derive(Debug, Subcommand)]
enum SettlementCommand {
    /// All settlements, or those of a programme, period or partner
    List {
        /// Only this programme's
        #[arg(long)]
        program: Option<String>,
        /// Only this period's, YYYY-MM
        #[arg(long, value_parser = period)]
        period: Option<Period>,
        /// Only this partner's
        #[arg(long)]
        partner: Option<String>,
    },
    /// One settlement
    Show(ShowArgs),
    /// Let a final period's settlements be paid, where the programme leaves that to finance
    Release(release::ReleaseArgs),
    /// Keep a member's settlements of a period from being paid
    Hold(release::HoldArgs),
    /// Let them be paid after all
    Unhold(release::HoldArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The programme
    #[arg(long)]
    program: String,
    /// The member
    #[arg(long)]
    partner: String,
    /// The period, YYYY-MM
    #[arg(long, value_parser = period)]
    period: Period,
    /// Which currency, if the member has settlements in several: an ISO 4217 code, in letters of either case
    #[arg(long, value_parser = upper_case)]
    currency: Option<String>,
    #[cfg(feature = "pdf")]
    #[command(flatten)]
    pdf: pdf::PdfArgs,
}

/// ISO 4217 codes are written in capitals; people need not.
#[allow(clippy::unnecessary_wraps, reason = "clap's value parsers may fail")]
fn upper_case(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_ascii_uppercase())
}

pub(crate) async fn run(at: &At, args: SettlementArgs) -> Result<(), CliError> {
    match args.command {
        SettlementCommand::List { program, period, partner } => list(at, program.as_deref(), period, partner.as_deref()).await,
        SettlementCommand::Show(args) => show(at, args).await,
        SettlementCommand::Release(args) => release::release(at, args).await,
        SettlementCommand::Hold(args) => release::hold(at, args).await,
        SettlementCommand::Unhold(args) => release::unhold(at, args).await,
    }
}

async fn list(at: &At, program: Option<&str>, period: Option<Period>, partner: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async {
        known(&tx, program, partner).await?;
        Ok::<_, CliError>(statements::list(&tx, program, period, partner).await?)
    }
    .await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        let list: Vec<_> = found.iter().map(StoredSettlement::head_json).collect();
        return output::json(&serde_json::json!({ "settlements": list }));
    }
    output::text(&statements::summary_table(&found, &output::table))
}

/// A misspelt programme or partner has no settlements, which is not what was asked.
async fn known(tx: &DatabaseTransaction, program: Option<&str>, partner: Option<&str>) -> Result<(), CliError> {
    if let Some(program) = program {
        books::load::versions::load(tx, program, i64::MAX).await?;
    }
    match partner {
        Some(partner) if !books::programs::is_partner(tx, partner).await? => Err(CliError::Input(format!("partner {partner} is not recorded"))),
        Some(_) | None => Ok(()),
    }
}

async fn show(at: &At, args: ShowArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    known(&tx, Some(&args.program), Some(&args.partner)).await?;
    let settlement = only(&args, statements::of_partner(&tx, &args.program, &args.partner, args.period).await?)?;
    #[cfg(feature = "pdf")]
    if let Some(file) = args.pdf.file() {
        let statement = pdf::model(&tx, &settlement).await?;
        tx.rollback().await?;
        let written = pdf::write_settlement(at, file.to_owned(), args.pdf, statement).await?;
        return if at.json { output::json(&settlement.json()) } else { output::text(&written) };
    }
    let reasons = if at.json { BTreeMap::new() } else { statements::reasons(&tx, std::slice::from_ref(&settlement)).await? };
    tx.rollback().await?;
    if at.json {
        return output::json(&settlement.json());
    }
    output::text(&statements::lines_table(&settlement, &reasons, output::terminal_width(), &output::table))
}

/// The one settlement that was asked for.
fn only(args: &ShowArgs, mut found: Vec<StoredSettlement>) -> Result<StoredSettlement, CliError> {
    let ShowArgs { program, partner, period, currency, .. } = args;
    let currencies: Vec<&str> = found.iter().map(|stored| stored.settlement.currency.code()).collect();
    let currencies = currencies.join(", ");
    let all = found.len();
    found.retain(|stored| currency.as_deref().is_none_or(|wanted| stored.settlement.currency.code() == wanted));
    match (found.len(), currency) {
        (1, _) => Ok(found.swap_remove(0)),
        (0, Some(wanted)) if all > 0 => {
            Err(CliError::Input(format!("{partner} has no settlement in {wanted} in {program} for {period}; there is one in {currencies}")))
        }
        (0, _) => Err(CliError::Input(format!("{partner} has no settlement in {program} for {period}"))),
        _ => Err(CliError::Input(format!("{partner} has settlements in {currencies} for {period}; name one with --currency"))),
    }
}
