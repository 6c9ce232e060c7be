//! Statements as PDF: a stored settlement, with the names and the wallet's movement from the books, set in a template.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use books::load::row::{LoadError, first_row, rows};
use books::load::versions;
use books::statements::StoredSettlement;
use program::line::Source;
use program::settlement::Settlement;
use program::statement::{Setting, Statement, WalletBalances};
use program::version::Versions;
use sea_orm::{DatabaseTransaction, Value};
use typeset::{FontDirs, MissingGlyphs, Reasons, Template, Typeset, TypesetError, Typesetter};

/// Names that are looked up in one query.
const NAMES_AT_ONCE: usize = 500;

/// A statement that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The books can't be read.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// A sum is no amount.
    #[error("the statement of {partner} for {period} adds up to more than an amount can be; `verify` looks for what is wrong with the books")]
    Sum {
        /// The partner's id.
        partner: String,
        /// The period.
        period: String,
    },
    /// It can't be set.
    #[error(transparent)]
    Typeset(#[from] TypesetError),
    /// The file can't be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread that set statements ended without a word.
    #[error("setting the statements stopped")]
    Stopped,
}

impl StatementError {
    /// Whether the template, a font directory or the path to write to is wrong, and neither the books nor the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        let error = match self {
            Self::Typeset(error) => error,
            Self::Write { source, .. } => {
                use std::io::ErrorKind::{
                    InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
                };
                let mistakes = [NotFound, NotADirectory, IsADirectory, PermissionDenied, InvalidInput, InvalidFilename, ReadOnlyFilesystem];
                return mistakes.contains(&source.kind());
            }
            Self::Books(_) | Self::Sum { .. } | Self::Stopped => return false,
        };
        match error {
            TypesetError::TemplateUnreadable { .. }
            | TypesetError::TemplateTooLarge { .. }
            | TypesetError::TemplateName { .. }
            | TypesetError::Template(_)
            | TypesetError::FontDirectory { .. }
            | TypesetError::TooManyFonts { .. } => true,
            TypesetError::TooManyLines { .. } | TypesetError::MissingGlyphs { .. } | TypesetError::Json(_) => false,
        }
    }
}

/// How statements look.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// A template of settlements instead of the built-in one.
    pub template: Option<PathBuf>,
    /// A template of claims instead of the built-in one.
    pub claim_template: Option<PathBuf>,
    /// Where fonts are looked for beside the built-in ones.
    pub fonts: Vec<PathBuf>,
    /// Whether the machine's fonts serve, too: what is printed then depends on it.
    pub system_fonts: bool,
    /// Whether characters that no font has are printed as boxes instead of refused.
    pub allow_missing_glyphs: bool,
}

impl Look {
    /// Reads template and fonts.
    ///
    /// # Errors
    /// [`StatementError::Typeset`].
    pub fn typesetter(&self) -> Result<Typesetter, StatementError> {
        let template = self.template.as_deref().map_or_else(|| Ok(Template::standard()), Template::read)?;
        self.typesetter_of(template)
    }

    /// Reads template and fonts for statements of claims, which have a template of their own.
    ///
    /// # Errors
    /// [`StatementError::Typeset`].
    pub fn typesetter_of_claims(&self) -> Result<Typesetter, StatementError> {
        let template = self.claim_template.as_deref().map_or_else(|| Ok(Template::claim()), Template::read)?;
        self.typesetter_of(template)
    }

    fn typesetter_of(&self, template: Template) -> Result<Typesetter, StatementError> {
        let fonts = FontDirs { directories: self.fonts.clone(), system: self.system_fonts };
        let missing = if self.allow_missing_glyphs { MissingGlyphs::Report } else { MissingGlyphs::Refuse };
        Ok(Typesetter::new(template, &fonts)?.with_missing_glyphs(missing))
    }
}

/// A statement, and why its adjustments were made.
#[derive(Debug, Clone)]
pub struct Told {
    /// The statement.
    pub statement: Statement,
    /// The reasons by adjustment.
    pub reasons: Reasons,
}

/// What the statements of a programme's settlements show, in their order; one with more lines than a PDF can have is its summary.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub async fn models(tx: &DatabaseTransaction, program: &str, settlements: &[StoredSettlement]) -> Result<Vec<Told>, StatementError> {
    let versions = versions::load(tx, program, i64::MAX).await?;
    let names = partner_names(tx, settlements).await?;
    let all_reasons = books::statements::reasons(tx, settlements).await?;
    let mut statements = Vec::with_capacity(settlements.len());
    for stored in settlements {
        let wallet = wallet_balances(tx, &stored.settlement).await?;
        let statement = model(stored, &versions, &names, wallet)?;
        let statement = if statement.lines.len() > typeset::LINES_MAX { statement.summary() } else { statement };
        let ids = statement.lines.iter().filter(|line| line.source == Source::Adjustment.name()).map(|line| &line.source_id);
        let reasons = ids.filter_map(|id| Some((id.clone(), printable(all_reasons.get(id)?)))).collect();
        statements.push(Told { statement, reasons });
    }
    Ok(statements)
}

/// What a page can't show, or what would turn the figures beside it, becomes a space.
fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect()
}

fn model(
    stored: &StoredSettlement,
    versions: &Versions,
    names: &BTreeMap<String, String>,
    wallet: Option<WalletBalances>,
) -> Result<Statement, StatementError> {
    let settlement = &stored.settlement;
    let programme = &versions.on(settlement.period.last_day()).programme;
    let tiers = programme.tiers.iter().map(|tier| (tier.id.clone(), tier.name.clone())).collect();
    let setting = Setting {
        program: &programme.name,
        partner: names.get(&*settlement.partner).map_or(&*settlement.partner, String::as_str),
        partners: names,
        tiers: &tiers,
        status: &stored.status,
        digest: stored.digest.as_deref(),
        wallet,
    };
    Statement::of(settlement, &setting)
        .map_err(|_| StatementError::Sum { partner: settlement.partner.to_string(), period: settlement.period.to_string() })
}

/// The names of the partners that settlements are for and that their lines come from.
async fn partner_names(tx: &DatabaseTransaction, settlements: &[StoredSettlement]) -> Result<BTreeMap<String, String>, LoadError> {
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    for Settlement { partner, lines, .. } in settlements.iter().map(|stored| &stored.settlement) {
        ids.insert(partner);
        ids.extend(lines.iter().map(|line| &*line.from_partner));
    }
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut names = BTreeMap::new();
    for ids in ids.chunks(NAMES_AT_ONCE) {
        let query = format!("SELECT id, name FROM partners WHERE id IN {}", books::sql::places(1, ids.len()));
        let values: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
        for row in rows(tx, &query, values).await? {
            names.insert(row.string(0)?, row.string(1)?);
        }
    }
    Ok(names)
}

/// The wallet by what the ledger had posted up to the days around the period; `None` while nothing ever was.
async fn wallet_balances(tx: &DatabaseTransaction, settlement: &Settlement) -> Result<Option<WalletBalances>, LoadError> {
    let Settlement { program, partner, period, currency, .. } = settlement;
    // What is held is still the partner's; an account of what is owed is credited, which is below zero.
    let query = "SELECT CAST(COALESCE(SUM(CASE WHEN t.dated_on < ? THEN p.amount_minor ELSE 0 END), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(p.amount_minor), 0) AS BIGINT), COUNT(*) \
                 FROM postings p JOIN transactions t ON t.id = p.transaction_id \
                 WHERE p.account IN (?, ?) AND t.program = ? AND p.currency = ? AND t.dated_on <= ?";
    let account = |fund: &str| format!("partner:{partner}:{program}:{fund}");
    let values = vec![
        period.first_day().to_string().into(),
        account("coop").into(),
        account("coop-held").into(),
        (&**program).into(),
        currency.code().into(),
        period.last_day().to_string().into(),
    ];
    let Some(row) = first_row(tx, query, values).await? else { return Ok(None) };
    let balances = WalletBalances { before_minor: -row.int(0)?, after_minor: -row.int(1)? };
    Ok((row.int(2)? > 0).then_some(balances))
}

/// Writes a statement's PDF.
///
/// # Errors
/// [`StatementError::Write`].
pub fn write(path: &Path, typeset: &Typeset) -> Result<(), StatementError> {
    std::fs::write(path, &typeset.pdf).map_err(|source| StatementError::Write { path: path.to_owned(), source })
}

/// Sets statements side by side on the cores there are and gives each to `take`, in no particular order.
///
/// # Errors
/// The first that was found; what was begun before is finished.
pub fn set_all(
    typesetter: &Typesetter,
    statements: &[Told],
    take: &(dyn Fn(&Statement, &Typeset) -> Result<(), StatementError> + Sync),
) -> Result<(), StatementError> {
    let queue = Mutex::new(statements.iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let work = || {
        while let Some(Told { statement, reasons }) = next() {
            typesetter.statement_with(statement, reasons).map_err(StatementError::from).and_then(|typeset| take(statement, &typeset)).inspect_err(
                |_| {
                    // Nobody begins another one.
                    if let Ok(mut queue) = queue.lock() {
                        *queue = [].iter();
                    }
                },
            )?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(statements.len());
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Err(StatementError::Stopped)))
    })
}
