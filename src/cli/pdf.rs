//! `settlement show --pdf` and `mdf claim show --pdf`: statements written to a file.

use std::path::{Path, PathBuf};

use books::statements::StoredSettlement;
use clap::Args;
use program::mdf::statement::ClaimStatement;
use sea_orm::DatabaseTransaction;
use typeset::Typeset;

use super::error::with_causes;
use super::{At, CliError};
use crate::config::Statements;
use crate::statement_pdf::{self, Look, StatementError, Told};

#[derive(Debug, Args)]
pub(super) struct PdfArgs {
    /// Write the statement to this file
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// A template instead of the built-in one; `config/templates/statement.typ` is the one to copy, of claims `claim.typ`; else
    /// the configuration's `statements.template`, of claims `statements.claim_template`
    #[arg(long, value_name = "FILE.typ", requires = "pdf")]
    template: Option<PathBuf>,
    /// Look for fonts here too, for characters that the built-in ones lack (repeatable); else in the configuration's
    /// `statements.fonts`
    #[arg(long, value_name = "DIRECTORY", requires = "pdf")]
    fonts: Vec<PathBuf>,
    /// Use the fonts of this machine, too; what is printed then depends on it; also by the configuration's
    /// `statements.system_fonts`
    #[arg(long, requires = "pdf")]
    system_fonts: bool,
    /// Print boxes for characters that no font has, with a warning, instead of failing
    #[arg(long, requires = "pdf")]
    allow_missing_glyphs: bool,
}

impl PdfArgs {
    pub(super) fn file(&self) -> Option<&Path> {
        self.pdf.as_deref()
    }
}

/// The options, and what the configuration says where they are silent, as the service would have it.
fn look(at: &At, args: PdfArgs) -> Result<Look, CliError> {
    let config = Statements::load(at.config())?;
    let template = args.template.clone().or(config.template);
    let claim_template = args.template.or(config.claim_template);
    let fonts = if args.fonts.is_empty() { config.fonts } else { args.fonts };
    let system_fonts = args.system_fonts || config.system_fonts;
    Ok(Look { template, claim_template, fonts, system_fonts, allow_missing_glyphs: args.allow_missing_glyphs })
}

impl From<StatementError> for CliError {
    fn from(error: StatementError) -> Self {
        let text = with_causes(&error);
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

pub(super) async fn model(tx: &DatabaseTransaction, settlement: &StoredSettlement) -> Result<Told, CliError> {
    let statements = statement_pdf::models(tx, &settlement.settlement.program, std::slice::from_ref(settlement)).await?;
    statements.into_iter().next().ok_or_else(|| CliError::Failed("the settlement has no statement".into()))
}

/// Sets a settlement's statement, writes it and says so; what could be better goes to standard error.
pub(super) async fn write_settlement(at: &At, file: PathBuf, args: PdfArgs, told: Told) -> Result<String, CliError> {
    let look = look(at, args)?;
    let work = move || {
        let typeset = look.typesetter()?.statement_with(&told.statement, &told.reasons)?;
        statement_pdf::write(&file, &typeset)?;
        Ok::<_, StatementError>((file, told.statement, typeset))
    };
    let (file, statement, typeset) = tokio::task::spawn_blocking(work).await.map_err(|_| StatementError::Stopped)??;
    warn(&typeset, &statement.partner.id);
    if statement.lines_left_out > 0 {
        eprintln!("warning: the PDF is a summary without the {} lines of the settlement; --json prints them", statement.lines_left_out);
    }
    Ok(format!("{}: the statement of {} for {}, {}\n", file.display(), statement.partner.id, statement.period, pages(&typeset)))
}

/// Sets the statement of a paid claim, writes it and says so.
pub(super) async fn write_claim(at: &At, file: PathBuf, args: PdfArgs, statement: ClaimStatement) -> Result<String, CliError> {
    let look = look(at, args)?;
    let work = move || {
        let typeset = look.typesetter_of_claims()?.claim(&statement)?;
        statement_pdf::write(&file, &typeset)?;
        Ok::<_, StatementError>((file, statement, typeset))
    };
    let (file, statement, typeset) = tokio::task::spawn_blocking(work).await.map_err(|_| StatementError::Stopped)??;
    warn(&typeset, &statement.partner.id);
    Ok(format!("{}: the statement of claim {} of {}, {}\n", file.display(), statement.claim, statement.partner.id, pages(&typeset)))
}

fn warn(typeset: &Typeset, partner: &str) {
    for missing in &typeset.missing {
        let character = missing.character;
        eprintln!("warning: no font has {character:?} (U+{:04X}) of {partner}, on page {} in {:?}", u32::from(character), missing.page, missing.text);
    }
    for warning in &typeset.warnings {
        eprintln!("warning: {warning}");
    }
}

fn pages(typeset: &Typeset) -> String {
    if typeset.pages == 1 { "1 page".into() } else { format!("{} pages", typeset.pages) }
}
