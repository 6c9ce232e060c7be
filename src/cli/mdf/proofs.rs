//! Reads proofs, checks what they are, and keeps them by their content before anything refers to them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use books::mdf::proofs::NewProof;

use crate::adapters::files::kind::media_type;
use crate::adapters::files::{BYTES_MAX, Files, FilesError};
use crate::cli::error::with_causes;
use crate::cli::{At, CliError};
use crate::config;

/// A proof that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    sha256: String,
    name: String,
    media_type: &'static str,
    bytes: i64,
}

impl Kept {
    pub(super) fn proof(&self) -> NewProof<'_> {
        NewProof { sha256: &self.sha256, name: &self.name, media_type: self.media_type, bytes: self.bytes }
    }
}

/// Keeps files where the configuration says; none are no store either.
pub(super) async fn keep(at: &At, paths: &[PathBuf]) -> Result<Vec<Kept>, CliError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    // All are looked at before the first is kept.
    let read = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let files = Files::open(&config::Files::load(at.config())?.url)?;
    let mut kept = Vec::new();
    for (name, media_type, content) in read {
        let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
        kept.push(Kept { sha256: files.keep(content).await?, name, media_type, bytes });
    }
    Ok(kept)
}

/// Its name without its directory, what it is, its bytes.
fn read(path: &Path) -> Result<(String, &'static str, Vec<u8>), CliError> {
    let shown = path.display();
    let wrong = |why: &str| CliError::Input(format!("{shown}: {why}"));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or_else(|| wrong("it is no file"))?;
    let mut content = Vec::new();
    let file = File::open(path).map_err(|error| wrong(&error.to_string()))?;
    file.take(BYTES_MAX + 1).read_to_end(&mut content).map_err(|error| wrong(&error.to_string()))?;
    if u64::try_from(content.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(wrong("it is larger than 20 MiB"));
    }
    let media_type = media_type(&name, &content).ok_or_else(|| wrong("its content is no PDF, PNG or JPEG, and no plain text named .csv or .txt"))?;
    Ok((name, media_type, content))
}

impl From<FilesError> for CliError {
    fn from(error: FilesError) -> Self {
        let text = with_causes(&error);
        if let FilesError::Url(_) = error { Self::Input(text) } else { Self::Failed(text) }
    }
}
