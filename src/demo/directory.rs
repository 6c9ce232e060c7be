//! The demo's directory: fresh, or made by a demo before.

use std::io;
use std::path::{Path, PathBuf};

/// The file by which a directory is known as a demo's.
const MARKER: &str = ".tributary-demo";

/// What a demo makes; nothing else is ever removed.
const OWN_FILES: [&str; 6] = ["tributary.db", "tributary.db-wal", "tributary.db-shm", "reseller.toml", "provider.jsonl", MARKER];
const OWN_DIRECTORIES: [&str; 5] = ["facts", "statements", "journal", "mails", "files"];

/// A directory that can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// Something that no demo made is there.
    #[error("{} exists and is not empty; name another directory", .0.display())]
    Occupied(PathBuf),
    /// A demo is there.
    #[error("{} holds a demo already; --force replaces it", .0.display())]
    DemoBefore(PathBuf),
    /// The name is no text.
    #[error("{} is not UTF-8; name another directory", .0.display())]
    Name(PathBuf),
    /// It can't be made, read or cleared.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was looked at.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A directory that holds nothing yet but its marker.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Makes the directory, or takes an empty one; with `replace` also clears one that a demo made.
    pub(crate) fn prepare(path: &Path, replace: bool) -> Result<Self, DirectoryError> {
        let at = |source| DirectoryError::Io { path: path.to_owned(), source };
        if path.to_str().is_none() {
            return Err(DirectoryError::Name(path.to_owned()));
        }
        std::fs::create_dir_all(path).map_err(at)?;
        let directory = Self(path.to_owned());
        if std::fs::read_dir(path).map_err(at)?.next().is_some() {
            let made_by_demo = directory.join(MARKER).is_file();
            match (made_by_demo, replace) {
                (true, true) => directory.clear()?,
                (true, false) => return Err(DirectoryError::DemoBefore(path.to_owned())),
                (false, _) => return Err(DirectoryError::Occupied(path.to_owned())),
            }
        }
        std::fs::write(directory.join(MARKER), "Made by `tributary demo`, which may replace it when told to with --force.\n").map_err(at)?;
        Ok(directory)
    }

    /// Removes what a demo made, the marker last: an interruption leaves a directory that can be cleared again.
    fn clear(&self) -> Result<(), DirectoryError> {
        let gone = |path: PathBuf, result: io::Result<()>| match result {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(DirectoryError::Io { path, source }),
            _ => Ok(()),
        };
        for name in OWN_DIRECTORIES {
            gone(self.join(name), std::fs::remove_dir_all(self.join(name)))?;
        }
        for name in OWN_FILES {
            gone(self.join(name), std::fs::remove_file(self.join(name)))?;
        }
        Ok(())
    }

    /// A path below it.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The programme file.
    pub(crate) fn program_file(&self) -> PathBuf {
        self.join("reseller.toml")
    }

    /// The database's file.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.join("tributary.db")
    }

    /// What the payment provider has done.
    pub(crate) fn provider_journal(&self) -> PathBuf {
        self.join("provider.jsonl")
    }

    /// The mails that were written.
    pub(crate) fn mails(&self) -> PathBuf {
        self.join("mails")
    }

    /// The address of its database.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite://{}", escaped(&self.database_file()))
    }

    /// Where proofs of claims are kept.
    pub(crate) fn files_url(&self) -> String {
        let files = self.join("files");
        format!("file://{}", escaped(&std::path::absolute(&files).unwrap_or(files)))
    }
}

/// A path within a URL.
fn escaped(path: &Path) -> String {
    let escaped = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() || b"/._-~".contains(&plain) => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    };
    path.to_string_lossy().bytes().map(escaped).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_demo_made_is_replaced_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a b?");
        Directory::prepare(&path, false).unwrap();
        assert!(matches!(Directory::prepare(&path, false), Err(DirectoryError::DemoBefore(_))));
        std::fs::create_dir(path.join("facts")).unwrap();
        std::fs::write(path.join("mine.txt"), "kept").unwrap();
        let again = Directory::prepare(&path, true).unwrap();
        assert!(!again.join("facts").exists() && again.join("mine.txt").exists());
        assert!(again.database_url().ends_with("/a%20b%3F/tributary.db"), "{}", again.database_url());
        std::fs::remove_file(path.join(MARKER)).unwrap();
        assert!(matches!(Directory::prepare(&path, true), Err(DirectoryError::Occupied(_))));
    }
}
