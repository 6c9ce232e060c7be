//! The template: the embedded one, or a file that a user keeps.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::typesetter::TypesetError;

/// A template file is at most this large.
pub const TEMPLATE_BYTES_MAX: u64 = 1024 * 1024;

const STANDARD: &str = include_str!("../../config/templates/statement.typ");
const CLAIM: &str = include_str!("../../config/templates/claim.typ");

/// A typst template for statements.
#[derive(Debug, Clone)]
pub struct Template {
    /// As errors name it.
    pub(crate) shown: String,
    /// Its file name, as seen from files beside it.
    pub(crate) file_name: String,
    pub(crate) text: String,
    /// Where the files beside it are; none for the embedded template.
    pub(crate) directory: Option<PathBuf>,
}

impl Template {
    /// The embedded template, the same as `config/templates/statement.typ`.
    #[must_use]
    pub fn standard() -> Self {
        Self { shown: "statement.typ (built in)".into(), file_name: "statement.typ".into(), text: STANDARD.into(), directory: None }
    }

    /// The embedded template of claims, the same as `config/templates/claim.typ`.
    #[must_use]
    pub fn claim() -> Self {
        Self { shown: "claim.typ (built in)".into(), file_name: "claim.typ".into(), text: CLAIM.into(), directory: None }
    }

    /// Reads a template file; what it includes is looked for beside it, and nowhere else.
    ///
    /// # Errors
    /// [`TypesetError::TemplateUnreadable`], [`TypesetError::TemplateTooLarge`].
    pub fn read(path: &Path) -> Result<Self, TypesetError> {
        let unreadable = |source| TypesetError::TemplateUnreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(TEMPLATE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > TEMPLATE_BYTES_MAX) {
            return Err(TypesetError::TemplateTooLarge { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|error| unreadable(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("."),
        };
        let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or("statement.typ").to_owned();
        Ok(Self { shown: path.display().to_string(), file_name, text, directory: Some(directory) })
    }
}
