//! Whether a database is the one that was served here before (reliability.md §2, restored backup).
//!
//! The database has an id and a generation. Beside a SQLite file stands `FILE.instance` with the same two, so that a plain copy of an
//! older file, or one of another database, is recognised when the service starts: it would pay again what was paid after it was made.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use books::connection::{Books, ConnectionError, sqlite_file};
use books::instance::{self, Instance};
use books::load::row::LoadError;
use program::calendar::Instant;
use serde::{Deserialize, Serialize};

use crate::ids;

/// What an instance file is called after.
const SUFFIX: &str = ".instance";
/// An instance file is a few fields.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// Why a database must not be served.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The file beside the database is gone, though it was served before.
    #[error(
        "{database} was served before, and the file {file} beside it is missing: this may be a copy, which would pay again what was paid since. If \
         the database was moved, move the file with it; if it comes from a backup, run `tributary restore --generation`"
    )]
    Copied {
        /// The database's file.
        database: String,
        /// The instance file.
        file: String,
    },
    /// The file beside the database is of another one.
    #[error(
        "{database} is not the database that was served here: {file} names {wanted}, the database is {found}. Put back the file that belongs there, \
         bring a backup in place with `tributary restore`, or, to begin anew, remove {file}"
    )]
    Other {
        /// The database's file.
        database: String,
        /// The instance file.
        file: String,
        /// The database that it names.
        wanted: String,
        /// The one that is there.
        found: String,
    },
    /// The database is older or newer than what was served here.
    #[error(
        "{database} is generation {found}, and {file} says that generation {wanted} was served here: it looks like a backup that was copied over. \
         Bring it in place with `tributary restore`, which keeps it from paying twice"
    )]
    Generation {
        /// The database's file.
        database: String,
        /// The instance file.
        file: String,
        /// The generation served before.
        wanted: i64,
        /// The one that is there.
        found: i64,
    },
    /// The instance file holds something else.
    #[error("{file} can't be read as an instance file: {reason}; put it back from where it came, or run `tributary restore --generation`")]
    Unreadable {
        /// The instance file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The instance file can't be read or written.
    #[error("the instance file {file} can't be {what}")]
    File {
        /// The instance file.
        file: String,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The address is none.
    #[error(transparent)]
    Address(#[from] ConnectionError),
    /// The database failed.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
}

/// What an instance file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    database: String,
    generation: i64,
    /// Whether the database may not know of it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    beginning: bool,
}

impl Noted {
    fn of(instance: &Instance) -> Self {
        Self { database: instance.database.clone(), generation: instance.generation, beginning: false }
    }
}

/// The instance file of a database's file.
#[must_use]
pub fn file_of(database: &Path) -> PathBuf {
    with_suffix(database, SUFFIX)
}

/// A path with more at its end.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Checks that the database is the one that was served here before; the first time it gets its identity, and the file beside it.
///
/// # Idempotency
/// The database: as long as nobody exchanges it, every start finds the same.
///
/// # Errors
/// [`InstanceError`]: the service must not start.
pub async fn check(books: &Books, url: &str, now: Instant) -> Result<Instance, InstanceError> {
    let known = known(books).await?;
    let Some(database) = sqlite_file(url)? else {
        return match known {
            Some(known) => Ok(known),
            None => begin(books, &ids::new("dbi"), now).await,
        };
    };
    let file = file_of(&database);
    let shown = || (database.display().to_string(), file.display().to_string());
    match (known, read(&file)?) {
        (None, None) => {
            // First the file, then the row, then the file for good: wherever that is cut off, the next start goes on with it.
            let id = ids::new("dbi");
            write(&file, &Noted { database: id.clone(), generation: 1, beginning: true })?;
            end_beginning(books, &file, &id, now).await
        }
        (None, Some(noted)) if noted.beginning => end_beginning(books, &file, &noted.database, now).await,
        (None, Some(noted)) => {
            let (database, file) = shown();
            Err(InstanceError::Other { database, file, wanted: noted.database, found: "one that was never served".into() })
        }
        (Some(_), None) => {
            let (database, file) = shown();
            Err(InstanceError::Copied { database, file })
        }
        (Some(known), Some(noted)) if known.database != noted.database => {
            let (database, file) = shown();
            Err(InstanceError::Other { database, file, wanted: noted.database, found: known.database })
        }
        (Some(known), Some(noted)) if known.generation != noted.generation => {
            let (database, file) = shown();
            Err(InstanceError::Generation { database, file, wanted: noted.generation, found: known.generation })
        }
        (Some(known), Some(noted)) => {
            if noted.beginning {
                write(&file, &Noted::of(&known))?;
            }
            Ok(known)
        }
    }
}

async fn known(books: &Books) -> Result<Option<Instance>, InstanceError> {
    let tx = books.begin_read().await?;
    let known = instance::find(&tx).await;
    tx.rollback().await?;
    Ok(known?)
}

async fn begin(books: &Books, id: &str, now: Instant) -> Result<Instance, InstanceError> {
    let tx = books.begin_write().await?;
    let begun = instance::begin(&tx, id, now).await?;
    tx.commit().await?;
    Ok(begun)
}

async fn end_beginning(books: &Books, file: &Path, id: &str, now: Instant) -> Result<Instance, InstanceError> {
    let begun = begin(books, id, now).await?;
    write(file, &Noted::of(&begun))?;
    Ok(begun)
}

/// The generation that an instance file says was served, where there is a file that can be read.
pub(crate) fn noted_generation(file: &Path) -> Option<i64> {
    read(file).ok().flatten().map(|noted| noted.generation)
}

/// Writes down which database stands beside the file from now on.
///
/// # Errors
/// [`InstanceError::File`].
pub(crate) fn note(file: &Path, instance: &Instance) -> Result<(), InstanceError> {
    write(file, &Noted::of(instance))
}

fn read(file: &Path) -> Result<Option<Noted>, InstanceError> {
    use std::io::Read as _;
    let failed = |source| InstanceError::File { file: file.display().to_string(), what: "read", source };
    let opened = match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mut text = String::new();
    opened.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let noted = serde_json::from_str(&text);
    noted.map(Some).map_err(|error| InstanceError::Unreadable { file: file.display().to_string(), reason: error.to_string() })
}

/// Whole or not at all, and on the disk when it returns.
fn write(file: &Path, noted: &Noted) -> Result<(), InstanceError> {
    let written = || {
        let temporary = with_suffix(file, ".new");
        let mut open = File::create(&temporary)?;
        open.write_all(format!("{}\n", serde_json::to_string(noted)?).as_bytes())?;
        open.sync_all()?;
        std::fs::rename(&temporary, file)?;
        sync_directory(file)
    };
    written().map_err(|source| InstanceError::File { file: file.display().to_string(), what: "written", source })
}

/// Makes renames beside a file last.
pub(crate) fn sync_directory(file: &Path) -> std::io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_700_000_000_000_000);

    async fn open(directory: &Path) -> (Books, String) {
        let url = format!("sqlite://{}", directory.join("books.db").display());
        (crate::app::open(&url).await.expect("the database opens"), url)
    }

    #[tokio::test]
    async fn the_same_database_is_found_at_every_start() {
        let directory = tempfile::tempdir().expect("a directory");
        let (books, url) = open(directory.path()).await;
        let first = check(&books, &url, NOW).await.expect("the first start");
        assert_eq!((first.generation, first.awaits_reconciliation()), (1, false));
        assert_eq!(check(&books, &url, NOW).await.expect("the next start"), first);
    }

    #[tokio::test]
    async fn a_first_start_that_was_cut_off_is_ended_by_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        let (books, url) = open(directory.path()).await;
        let file = file_of(&directory.path().join("books.db"));
        let beginning = Noted { database: "dbi_1".into(), generation: 1, beginning: true };
        // Cut off before the row, then after it.
        write(&file, &beginning).expect("a file");
        assert_eq!(check(&books, &url, NOW).await.expect("a start").database, "dbi_1");
        write(&file, &beginning).expect("a file");
        assert_eq!(check(&books, &url, NOW).await.expect("a start").database, "dbi_1");
        assert!(!read(&file).expect("it is read").expect("it is there").beginning);
    }

    #[tokio::test]
    async fn what_was_exchanged_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let (books, url) = open(directory.path()).await;
        let file = file_of(&directory.path().join("books.db"));
        let first = check(&books, &url, NOW).await.expect("the first start");
        std::fs::remove_file(&file).expect("it is there");
        assert!(matches!(check(&books, &url, NOW).await, Err(InstanceError::Copied { .. })));
        write(&file, &Noted { generation: 2, ..Noted::of(&first) }).expect("a file");
        assert!(matches!(check(&books, &url, NOW).await, Err(InstanceError::Generation { wanted: 2, found: 1, .. })));
        write(&file, &Noted { database: "dbi_2".into(), ..Noted::of(&first) }).expect("a file");
        assert!(matches!(check(&books, &url, NOW).await, Err(InstanceError::Other { .. })));
        std::fs::write(&file, "?").expect("a file");
        assert!(matches!(check(&books, &url, NOW).await, Err(InstanceError::Unreadable { .. })));
        // A fresh database where another was served.
        let other = tempfile::tempdir().expect("a directory");
        let (books, url) = open(other.path()).await;
        write(&file_of(&other.path().join("books.db")), &Noted::of(&first)).expect("a file");
        assert!(matches!(check(&books, &url, NOW).await, Err(InstanceError::Other { .. })));
    }
}
