//! A file that is written once: under its name it is whole and on disk, or not there.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file, readable by its owner alone; `false`: something is there already, which stays as it is.
///
/// # Idempotency
/// The name: what is there stays.
///
/// # Errors
/// The directory is not there, or the disk failed; nothing is there under the name then.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(directory)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Ok(_) => {}
        // Somebody else was first.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error.error),
    }
    File::open(directory)?.sync_all()?;
    Ok(true)
}
