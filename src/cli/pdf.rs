//! `settlement show --pdf` and `mdf claim show --pdf`: statements written to a file.

use std::path::{Path, PathBuf};

use books::statements::StoredSettlement;
use clap::Args;
use program::mdf::statement::ClaimStatement;
use sea_orm::DatabaseTransaction;
use typeset::Typeset;

use super::CliError;
use super::error::with_causes;
use crate::statement_pdf::{self, Look, StatementError, Told};

#[derive(Debug, Args)]
pub(super) struct PdfArgs {
    /// Write the statement to this file
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// A template instead of the built-in one; `config/templates/statement.typ` is the one to copy, of claims `claim.typ` [env:
    /// `TRIBUTARY_STATEMENTS__TEMPLATE`, of claims `TRIBUTARY_STATEMENTS__CLAIM_TEMPLATE`]
    #[arg(long, value_name = "FILE.typ", requires = "pdf")]
    template: Option<PathBuf>,
    /// Look for fonts here too, for characters that the built-in ones lack (repeatable) [env: `TRIBUTARY_STATEMENTS__FONTS`, with `:`
    /// between directories]
    #[arg(long, value_name = "DIRECTORY", requires = "pdf")]
    fonts: Vec<PathBuf>,
    /// Use the fonts of this machine, too; what is printed then depends on it [env: `TRIBUTARY_STATEMENTS__SYSTEM_FONTS`, true or false]
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

const TEMPLATE: &str = "TRIBUTARY_STATEMENTS__TEMPLATE";
const CLAIM_TEMPLATE: &str = "TRIBUTARY_STATEMENTS__CLAIM_TEMPLATE";
const FONTS: &str = "TRIBUTARY_STATEMENTS__FONTS";
const SYSTEM_FONTS: &str = "TRIBUTARY_STATEMENTS__SYSTEM_FONTS";

/// The options, and what the environment says where they are silent. The parser is not asked to read it: to it, a variable that is set
/// would be an option that asks for --pdf.
fn look(args: PdfArgs) -> Result<Look, CliError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let template = args.template.clone().or_else(|| set(TEMPLATE).map(PathBuf::from));
    let claim_template = args.template.or_else(|| set(CLAIM_TEMPLATE).map(PathBuf::from));
    let fonts = if args.fonts.is_empty() { set(FONTS).map(|list| std::env::split_paths(&list).collect()).unwrap_or_default() } else { args.fonts };
    let system_fonts = match set(SYSTEM_FONTS).map(|value| value.to_string_lossy().into_owned()).as_deref() {
        None | Some("false") => args.system_fonts,
        Some("true") => true,
        Some(other) => return Err(CliError::Input(format!("{SYSTEM_FONTS} is {other:?}; write true or false"))),
    };
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
pub(super) async fn write_settlement(file: PathBuf, args: PdfArgs, told: Told) -> Result<String, CliError> {
    let look = look(args)?;
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
pub(super) async fn write_claim(file: PathBuf, args: PdfArgs, statement: ClaimStatement) -> Result<String, CliError> {
    let look = look(args)?;
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
