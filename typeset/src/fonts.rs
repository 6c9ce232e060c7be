//! The fonts that statements are set in.

use std::path::{Path, PathBuf};

use typst_kit::fonts::{FontPath, FontStore};

use crate::typesetter::TypesetError;

/// More font faces than this in the configured directories are refused: a mistyped directory is not searched to its end.
pub const FONT_FILES_MAX: usize = 10_000;

/// Where fonts are looked for beside the embedded ones (which print Latin, Greek and Cyrillic).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FontDirs {
    /// Directories, searched with all below them; the order counts, within one the path.
    pub directories: Vec<PathBuf>,
    /// Whether the operating system's fonts serve too. They differ between machines, and so then may the bytes of a statement.
    pub system: bool,
}

impl FontDirs {
    /// Embedded fonts first, then the configured ones, then the system's. Files are opened when a character first needs them.
    pub(crate) fn load(&self) -> Result<FontStore, TypesetError> {
        let mut store = FontStore::new();
        store.extend(typst_kit::fonts::embedded());
        let mut count = 0;
        for directory in &self.directories {
            let found = scan(directory)?;
            count += found.len();
            if count > FONT_FILES_MAX {
                return Err(TypesetError::TooManyFonts { directory: directory.clone(), limit: FONT_FILES_MAX });
            }
            store.extend(found);
        }
        if self.system {
            store.extend(sorted(typst_kit::fonts::system()));
        }
        Ok(store)
    }
}

type Face = (FontPath, typst::text::FontInfo);

fn scan(directory: &Path) -> Result<Vec<Face>, TypesetError> {
    // The scan below passes over what it can't read, so ask first.
    std::fs::read_dir(directory).map_err(|source| TypesetError::FontDirectory { directory: directory.to_owned(), source })?;
    Ok(sorted(typst_kit::fonts::scan(directory)))
}

/// Directories list their files in any order; the first font that has a character prints it.
fn sorted(faces: impl Iterator<Item = Face>) -> Vec<Face> {
    let mut faces: Vec<Face> = faces.collect();
    faces.sort_by(|(a, _), (b, _)| (&a.path, a.index).cmp(&(&b.path, b.index)));
    faces
}
