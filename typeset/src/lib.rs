//! A statement model and a template in, a PDF out.
//!
//! ```text
//! let typesetter = Typesetter::new(Template::standard(), &FontDirs::default())?;
//! let typeset = typesetter.statement(&statement)?;
//! ```
//!
//! A template is a typst file that reads `json("statement.json")`: the statement's values are data to it and never become source. It may use files
//! beside it (a logo), no packages and no date of today; so the same statement gives the same bytes, wherever and whenever it is made.

mod fault;
mod fonts;
mod glyphs;
mod template;
mod typesetter;
mod world;

#[cfg(test)]
mod tests;

pub use fault::TemplateFault;
pub use fonts::{FONT_FILES_MAX, FontDirs};
pub use glyphs::{MISSING_MAX, MissingGlyph};
pub use template::{TEMPLATE_BYTES_MAX, Template};
pub use typesetter::{LINES_MAX, MissingGlyphs, Reasons, Typeset, TypesetError, Typesetter};
pub use world::FILE_BYTES_MAX;
