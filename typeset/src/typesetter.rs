//! Sets statements.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use program::mdf::statement::ClaimStatement;
use program::statement::Statement;
use serde::Serialize;
use typst::comemo;
use typst::diag::{SourceDiagnostic, Warned};
use typst::foundations::Smart;
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

use crate::fault::{TemplateFault, faults};
use crate::fonts::FontDirs;
use crate::glyphs::{MissingGlyph, missing};
use crate::template::Template;
use crate::world::{Shared, StatementWorld};

/// A statement has at most this many lines: about 170 pages and 0.7 GB of memory while they are set.
pub const LINES_MAX: usize = 5_000;

/// Up to this many lines a PDF carries its structure for screen readers; it makes a file ten times as large.
const TAGGED_LINES_MAX: usize = 1_000;

/// Results that this many later statements did not use leave typst's cache.
const CACHE_AGE_MAX: usize = 2;

/// Sets statements in one template; several threads may use it at once.
pub struct Typesetter {
    shared: Shared,
    missing_glyphs: MissingGlyphs,
}

/// Why adjustments were made, by their ids.
pub type Reasons = BTreeMap<String, String>;

/// What a template reads.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    statement: &'a Statement,
    reasons: &'a Reasons,
}

/// What is set, for errors and the file.
struct About<'a> {
    partner: &'a str,
    /// The period, or the claim.
    period: &'a str,
    /// What the file is identified by.
    ident: String,
    /// Whether it carries its structure for screen readers.
    is_tagged: bool,
}

/// What happens to a statement with a character that no font has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingGlyphs {
    /// It is an error: a partner must not get a box for a name.
    #[default]
    Refuse,
    /// It is made, with boxes, and [`Typeset::missing`] lists them.
    Report,
}

/// A statement set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typeset {
    /// The PDF. The same statement, template and fonts give the same bytes.
    pub pdf: Vec<u8>,
    /// How many pages it has.
    pub pages: usize,
    /// Characters printed as boxes; empty unless [`MissingGlyphs::Report`] was asked for.
    pub missing: Vec<MissingGlyph>,
    /// What the template could do better, such as a font family that is not there.
    pub warnings: Vec<TemplateFault>,
}

/// A statement that can't be set.
#[derive(Debug, thiserror::Error)]
pub enum TypesetError {
    /// The template file can't be read.
    #[error("template {path:?} can't be read")]
    TemplateUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The template file is over the limit.
    #[error("template {path:?} is larger than {} bytes; put images into files beside it", crate::TEMPLATE_BYTES_MAX)]
    TemplateTooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The template's file name can't be used.
    #[error("template name {name:?} can't be used; name it like statement.typ")]
    TemplateName {
        /// The name.
        name: String,
    },
    /// The template is wrong, or refuses this statement.
    #[error("{}", listed(.0))]
    Template(Vec<TemplateFault>),
    /// A configured font directory can't be read.
    #[error("font directory {directory:?} can't be read")]
    FontDirectory {
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configured directories hold too many fonts.
    #[error("font directory {directory:?} brings more than {limit} fonts; name the directory of those that statements need")]
    TooManyFonts {
        /// The directory with which it went over.
        directory: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// More lines than a statement can have.
    #[error("the statement of {partner} for {period} has {lines} lines; a PDF takes at most {limit}; set its summary, and send the lines as JSON")]
    TooManyLines {
        /// The partner's id.
        partner: String,
        /// The period.
        period: String,
        /// Its lines.
        lines: usize,
        /// The limit.
        limit: usize,
    },
    /// No font has these characters.
    #[error("the statement of {partner} for {period} has characters that no font can print: {}; add a font that has them to a font directory", spelled(.characters))]
    MissingGlyphs {
        /// The partner's id.
        partner: String,
        /// The period.
        period: String,
        /// The characters.
        characters: Vec<MissingGlyph>,
    },
    /// The statement can't be written as JSON.
    #[error("the statement can't be given to the template")]
    Json(#[from] serde_json::Error),
}

fn listed(faults: &[TemplateFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn spelled(characters: &[MissingGlyph]) -> String {
    let mut text = String::new();
    for (missing, first) in characters.iter().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
        let separator = if first { "" } else { ", " };
        // Writing into a string does not fail.
        let _ = write!(text, "{separator}{:?} (U+{:04X}, in {:?})", missing.character, u32::from(missing.character), missing.text);
    }
    text
}

impl Typesetter {
    /// Reads the fonts' names and checks the template's syntax.
    ///
    /// # Errors
    /// [`TypesetError::Template`] when the template is no typst, or what is wrong with a font directory.
    pub fn new(template: Template, fonts: &FontDirs) -> Result<Self, TypesetError> {
        let typesetter = Self { shared: Shared::new(template, fonts.load()?)?, missing_glyphs: MissingGlyphs::default() };
        let (errors, _) = typesetter.shared.main().root().errors_and_warnings();
        if errors.is_empty() {
            return Ok(typesetter);
        }
        let errors: Vec<SourceDiagnostic> = errors.into_iter().map(SourceDiagnostic::from).collect();
        let world = StatementWorld::new(&typesetter.shared, Vec::new());
        Err(typesetter.wrong(&world, &errors))
    }

    /// With another rule for characters that no font has.
    #[must_use]
    pub fn with_missing_glyphs(self, missing_glyphs: MissingGlyphs) -> Self {
        Self { missing_glyphs, ..self }
    }

    /// Sets a statement.
    ///
    /// # Errors
    /// As [`Typesetter::statement_with`].
    pub fn statement(&self, statement: &Statement) -> Result<Typeset, TypesetError> {
        self.statement_with(statement, &Reasons::new())
    }

    /// Sets a statement, with the reasons of its adjustments.
    ///
    /// # Errors
    /// [`TypesetError::TooManyLines`], [`TypesetError::MissingGlyphs`], or [`TypesetError::Template`] when the template fails on it.
    ///
    /// # Idempotency
    /// The same statement gives the same bytes: no date, no random ids.
    pub fn statement_with(&self, statement: &Statement, reasons: &Reasons) -> Result<Typeset, TypesetError> {
        if statement.lines.len() > LINES_MAX {
            return Err(TypesetError::TooManyLines {
                partner: statement.partner.id.clone(),
                period: statement.period.clone(),
                lines: statement.lines.len(),
                limit: LINES_MAX,
            });
        }
        let id =
            [&statement.program.id, &statement.partner.id, &statement.period, &statement.currency, statement.digest.as_deref().unwrap_or("draft")];
        let about = About {
            partner: &statement.partner.id,
            period: &statement.period,
            ident: id.join("/"),
            is_tagged: statement.lines.len() <= TAGGED_LINES_MAX,
        };
        self.set(&self.world(statement, reasons)?, about)
    }

    /// Sets the statement of a claim, in a template for claims ([`Template::claim`]).
    ///
    /// # Errors
    /// [`TypesetError::MissingGlyphs`], or [`TypesetError::Template`] when the template fails on it.
    ///
    /// # Idempotency
    /// As for [`Typesetter::statement_with`].
    pub fn claim(&self, statement: &ClaimStatement) -> Result<Typeset, TypesetError> {
        let statement = &statement.plain();
        let world = self.world_of_claim(statement)?;
        let ident = [statement.program.id.as_str(), &statement.partner.id, &statement.claim, &statement.digest].join("/");
        self.set(&world, About { partner: &statement.partner.id, period: &statement.claim, ident, is_tagged: true })
    }

    pub(crate) fn world(&self, statement: &Statement, reasons: &Reasons) -> Result<StatementWorld<'_>, TypesetError> {
        Ok(self.world_of(serde_json::to_vec(&Document { statement, reasons })?))
    }

    pub(crate) fn world_of_claim(&self, statement: &ClaimStatement) -> Result<StatementWorld<'_>, TypesetError> {
        Ok(self.world_of(serde_json::to_vec(&statement.plain())?))
    }

    pub(crate) fn world_of(&self, data: Vec<u8>) -> StatementWorld<'_> {
        StatementWorld::new(&self.shared, data)
    }

    fn set(&self, world: &StatementWorld<'_>, about: About<'_>) -> Result<Typeset, TypesetError> {
        let typeset = self.set_uncached(world, about);
        // The cache is the process's: what other threads just used stays.
        comemo::evict(CACHE_AGE_MAX);
        typeset
    }

    fn set_uncached(&self, world: &StatementWorld<'_>, about: About<'_>) -> Result<Typeset, TypesetError> {
        let (document, warnings) = self.lay_out(world)?;
        let missing = missing(&document);
        if !missing.is_empty() && self.missing_glyphs == MissingGlyphs::Refuse {
            return Err(TypesetError::MissingGlyphs { partner: about.partner.to_owned(), period: about.period.to_owned(), characters: missing });
        }
        let options = PdfOptions { ident: Smart::Custom(about.ident), timestamp: None, tagged: about.is_tagged, ..PdfOptions::default() };
        let pdf = typst_pdf::pdf(&document, &options).map_err(|errors| self.wrong(world, &errors))?;
        Ok(Typeset { pdf, pages: document.pages().len(), missing, warnings })
    }

    pub(crate) fn lay_out(&self, world: &StatementWorld<'_>) -> Result<(PagedDocument, Vec<TemplateFault>), TypesetError> {
        let Warned { output, warnings } = typst::compile::<PagedDocument>(world);
        let document = output.map_err(|errors| self.wrong(world, &errors))?;
        Ok((document, faults(world, |id| self.shared.shown(id), &warnings)))
    }

    fn wrong(&self, world: &StatementWorld<'_>, errors: &[SourceDiagnostic]) -> TypesetError {
        TypesetError::Template(faults(world, |id| self.shared.shown(id), errors))
    }
}
