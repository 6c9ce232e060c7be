//! `settlement list` and `settlement show`.

use books::statements::{self, StoredSettlement};
use clap::{Args, Subcommand};
use program::calendar::Period;

use super::settle::period;
use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct SettlementArgs {
    #[command(subcommand)]
    command: SettlementCommand,
}

#[derive(Debug, Subcommand)]
enum SettlementCommand {
    /// All settlements, or those of a programme, period or partner
    List {
        #[arg(long)]
        program: Option<String>,
        #[arg(long, value_parser = period)]
        period: Option<Period>,
        #[arg(long)]
        partner: Option<String>,
    },
    /// One settlement
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[arg(long)]
    program: String,
    #[arg(long)]
    partner: String,
    #[arg(long, value_parser = period)]
    period: Period,
    /// Which currency, if the member has settlements in several
    #[arg(long)]
    currency: Option<String>,
    #[cfg(feature = "pdf")]
    #[command(flatten)]
    pdf: pdf::PdfArgs,
}

pub(crate) async fn run(at: &At, args: SettlementArgs) -> Result<(), CliError> {
    match args.command {
        SettlementCommand::List { program, period, partner } => list(at, program.as_deref(), period, partner.as_deref()).await,
        SettlementCommand::Show(args) => show(at, args).await,
    }
}

async fn list(at: &At, program: Option<&str>, period: Option<Period>, partner: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = statements::list(&tx, program, period, partner).await?;
    tx.rollback().await?;
    if at.json {
        let list: Vec<_> = found.iter().map(StoredSettlement::head_json).collect();
        return output::json(&serde_json::json!({ "settlements": list }));
    }
    output::text(&statements::summary_table(&found, &output::table))
}

async fn show(at: &At, args: ShowArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let settlement = only(&args, statements::of_partner(&tx, &args.program, &args.partner, args.period).await?)?;
    #[cfg(feature = "pdf")]
    if let Some(file) = args.pdf.file() {
        let statement = pdf::model(&tx, &settlement).await?;
        tx.rollback().await?;
        let written = pdf::write(file.to_owned(), args.pdf, statement).await?;
        return if at.json { output::json(&settlement.json()) } else { output::text(&written) };
    }
    tx.rollback().await?;
    if at.json {
        return output::json(&settlement.json());
    }
    output::text(&statements::lines_table(&settlement, &output::table))
}

/// The one settlement that was asked for.
fn only(args: &ShowArgs, mut found: Vec<StoredSettlement>) -> Result<StoredSettlement, CliError> {
    let ShowArgs { program, partner, period, currency, .. } = args;
    found.retain(|stored| currency.as_deref().is_none_or(|wanted| stored.settlement.currency.code() == wanted));
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(CliError::Input(format!("{partner} has no settlement in {program} for {period}"))),
        _ => {
            let currencies: Vec<&str> = found.iter().map(|stored| stored.settlement.currency.code()).collect();
            Err(CliError::Input(format!("{partner} has settlements in {} for {period}; name one with --currency", currencies.join(", "))))
        }
    }
}

/// `settlement show --pdf`.
#[cfg(feature = "pdf")]
mod pdf {
    use std::path::{Path, PathBuf};

    use books::statements::StoredSettlement;
    use clap::Args;
    use program::statement::Statement;
    use sea_orm::DatabaseTransaction;

    use crate::cli::CliError;
    use crate::statement_pdf::{self, Look, StatementError};

    #[derive(Debug, Args)]
    pub(super) struct PdfArgs {
        /// Write the statement to this file
        #[arg(long, value_name = "FILE")]
        pdf: Option<PathBuf>,
        /// A template instead of the built-in one; `config/templates/statement.typ` is the one to copy
        #[arg(long, value_name = "FILE.typ", requires = "pdf")]
        template: Option<PathBuf>,
        /// Look for fonts here too, for characters that the built-in ones lack (repeatable)
        #[arg(long, value_name = "DIRECTORY", requires = "pdf")]
        fonts: Vec<PathBuf>,
        /// Print boxes for characters that no font has, with a warning, instead of failing
        #[arg(long, requires = "pdf")]
        allow_missing_glyphs: bool,
    }

    impl PdfArgs {
        pub(super) fn file(&self) -> Option<&Path> {
            self.pdf.as_deref()
        }
    }

    impl From<StatementError> for CliError {
        fn from(error: StatementError) -> Self {
            let text = with_causes(&error);
            if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
        }
    }

    fn with_causes(error: &StatementError) -> String {
        let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    pub(super) async fn model(tx: &DatabaseTransaction, settlement: &StoredSettlement) -> Result<Statement, CliError> {
        let statements = statement_pdf::models(tx, &settlement.settlement.program, std::slice::from_ref(settlement)).await?;
        statements.into_iter().next().ok_or_else(|| CliError::Failed("the settlement has no statement".into()))
    }

    /// Sets the statement, writes it and says so; what could be better goes to standard error.
    pub(super) async fn write(file: PathBuf, args: PdfArgs, statement: Statement) -> Result<String, CliError> {
        let look = Look { template: args.template, fonts: args.fonts, allow_missing_glyphs: args.allow_missing_glyphs };
        let work = move || {
            let typeset = look.typesetter()?.statement(&statement)?;
            statement_pdf::write(&file, &typeset)?;
            Ok::<_, StatementError>((file, statement, typeset))
        };
        let (file, statement, typeset) = tokio::task::spawn_blocking(work).await.map_err(|_| StatementError::Stopped)??;
        for missing in &typeset.missing {
            let character = missing.character;
            eprintln!(
                "warning: no font has {character:?} (U+{:04X}) of {}, on page {} in {:?}",
                u32::from(character),
                statement.partner.id,
                missing.page,
                missing.text
            );
        }
        for warning in &typeset.warnings {
            eprintln!("warning: {warning}");
        }
        if statement.lines_left_out > 0 {
            eprintln!("warning: the PDF is a summary without the {} lines of the settlement; --json prints them", statement.lines_left_out);
        }
        let pages = if typeset.pages == 1 { "1 page".into() } else { format!("{} pages", typeset.pages) };
        Ok(format!("{}: the statement of {} for {}, {pages}\n", file.display(), statement.partner.id, statement.period))
    }
}
