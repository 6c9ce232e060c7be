//! Brings a backup in place as a new generation of the database, which sends nothing before it is reconciled (reliability.md §2).
//!
//! The backup is copied, checked and marked beside the database first. Then the instance file is written, so that the database that is
//! still there can't be served any more, what is there is moved aside, and the copy takes its place. Wherever that is cut off, a service
//! refuses to start, and the command can be given again.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use books::audit::seal;
use books::connection::{Books, ConnectionError, sqlite_file};
use books::instance::{self as identity, Instance};
use books::load::row::LoadError;
use durable::nodes::{self, Node};
use program::calendar::Instant;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::app::{self, StartError};
use crate::ids;
use crate::instance::{self, InstanceError, file_of, with_suffix};

/// What a SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What SQLite keeps beside a file.
const SIDES: [&str; 2] = ["-wal", "-shm"];

/// Why a backup can't be brought in place.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file is only for SQLite.
    #[error("a backup file is of SQLite; restore PostgreSQL with its own tools, then run `tributary restore --generation` on the database")]
    NotSqlite,
    /// A service is at work.
    #[error("a service is alive on the database ({0}); stop it first, or wait until its lease has run out")]
    Alive(String),
    /// Another process has it open.
    #[error("another process has {0} open; end it first")]
    InUse(String),
    /// A database is in the place.
    #[error("{0} exists; with --replace it is moved aside and the backup takes its place")]
    Exists(String),
    /// The backup is the database itself.
    #[error("{0} is the database itself; a backup is another file")]
    Itself(String),
    /// The backup is none.
    #[error("{file} is no backup of tributary: {reason}")]
    NotABackup {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A file can't be copied, moved or read.
    #[error("{file} can't be {what}")]
    File {
        /// The file.
        file: String,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in the database.
    #[error("{0} does not exist; name the database with --database")]
    Missing(String),
    /// The database can't be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address is none.
    #[error(transparent)]
    Address(#[from] ConnectionError),
    /// The instance file can't be written.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The database failed.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
}

impl RestoreError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::NotSqlite
            | Self::Alive(_)
            | Self::InUse(_)
            | Self::Exists(_)
            | Self::Itself(_)
            | Self::NotABackup { .. }
            | Self::Missing(_)
            | Self::Address(_) => true,
            Self::File { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            Self::Start(_) | Self::Instance(_) | Self::Books(_) | Self::Database(_) => false,
        }
    }
}

/// A database that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What it is now.
    pub instance: Instance,
    /// Where the database is that was there before.
    pub aside: Option<PathBuf>,
}

/// Brings a backup file in the place of the SQLite database of a URL.
///
/// # Errors
/// [`RestoreError`]; what was in the place is still there, or aside whole.
pub async fn from_file(url: &str, backup: &Path, replace: bool, now: Instant) -> Result<Restored, RestoreError> {
    let target = sqlite_file(url)?.ok_or(RestoreError::NotSqlite)?;
    let is_there = target.exists();
    if is_there {
        if is_same(&target, backup) {
            return Err(RestoreError::Itself(target.display().to_string()));
        }
        if !replace {
            return Err(RestoreError::Exists(target.display().to_string()));
        }
        refuse_if_in_use(&target, now).await?;
    }
    look_like_a_backup(backup)?;
    let staged = with_suffix(&target, ".restoring");
    remove(&staged)?;
    copy(backup, &staged)?;
    let later_than = instance::noted_generation(&file_of(&target)).unwrap_or(0);
    let marked = mark_file(&staged, backup, later_than, now).await;
    let instance = match marked {
        Ok(instance) => instance,
        Err(error) => {
            remove(&staged)?;
            return Err(error);
        }
    };
    instance::note(&file_of(&target), &instance)?;
    let aside = move_aside(&target, instance.generation)?;
    fs::rename(&staged, &target).map_err(failed(&target, "put in place"))?;
    instance::sync_directory(&target).map_err(failed(&target, "put in place"))?;
    Ok(Restored { instance, aside })
}

/// Makes the database of a URL a new generation as it stands: after PostgreSQL's own restore, or for a SQLite file that was copied by hand.
///
/// # Errors
/// [`RestoreError`].
pub async fn in_place(url: &str, now: Instant) -> Result<Restored, RestoreError> {
    let file = sqlite_file(url)?;
    if let Some(file) = file.as_ref().filter(|file| !file.exists()) {
        return Err(RestoreError::Missing(file.display().to_string()));
    }
    let books = app::open(url).await?;
    let is_served = alive(&books, now).await?;
    if let Some(node) = is_served {
        return Err(RestoreError::Alive(node.name));
    }
    let later_than = file.as_deref().and_then(|file| instance::noted_generation(&file_of(file))).unwrap_or(0);
    let instance = mark(&books, later_than, now).await?;
    close(books).await?;
    if let Some(file) = file {
        instance::note(&file_of(&file), &instance)?;
    }
    Ok(Restored { instance, aside: None })
}

/// Where the present database can be read, no service may be at work on it, and nobody else may have it open: SQLite would take the log of
/// one file for that of the other. Where it can't be read, that is why it is replaced.
async fn refuse_if_in_use(target: &Path, now: Instant) -> Result<(), RestoreError> {
    let Ok(books) = Books::open(&url_of(target)).await else { return Ok(()) };
    let node = alive(&books, now).await.unwrap_or(None);
    books.read().clone().close().await?;
    let is_open = node.is_none() && is_open_elsewhere(&books).await;
    books.write().clone().close().await?;
    match node {
        Some(node) => Err(RestoreError::Alive(node.name)),
        None if is_open => Err(RestoreError::InUse(target.display().to_string())),
        None => Ok(()),
    }
}

/// Leaving the log's mode takes the database for itself, and copies the log into it.
async fn is_open_elsewhere(books: &Books) -> bool {
    let pragma = |text: &str| books.write().query_one_raw(Statement::from_string(DbBackend::Sqlite, text));
    if pragma("PRAGMA busy_timeout = 2000").await.is_err() {
        return false;
    }
    matches!(pragma("PRAGMA journal_mode = DELETE").await, Err(error) if error.to_string().contains("locked"))
}

async fn alive(books: &Books, now: Instant) -> Result<Option<Node>, RestoreError> {
    let tx = books.begin_read().await?;
    let found = nodes::live_nodes(&tx, durable::Instant(now.0)).await;
    tx.rollback().await?;
    Ok(found?.into_iter().next())
}

fn look_like_a_backup(backup: &Path) -> Result<(), RestoreError> {
    let mut head = [0; 16];
    let read = File::open(backup).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        read => read.map_err(failed(backup, "read"))?,
    }
    if head == *MAGIC { Ok(()) } else { Err(not_a_backup(backup, "it is no SQLite file")) }
}

fn not_a_backup(backup: &Path, reason: &str) -> RestoreError {
    RestoreError::NotABackup { file: backup.display().to_string(), reason: reason.to_owned() }
}

/// The file and the log beside it, which a copy of a database in use has.
fn copy(backup: &Path, staged: &Path) -> Result<(), RestoreError> {
    fs::copy(backup, staged).map_err(failed(backup, "copied"))?;
    let log = with_suffix(backup, "-wal");
    if log.exists() {
        fs::copy(&log, with_suffix(staged, "-wal")).map_err(failed(&log, "copied"))?;
    }
    Ok(())
}

/// Checks the copy, brings its schema up to date, and marks it as a new generation, all in one file at the end.
async fn mark_file(staged: &Path, backup: &Path, later_than: i64, now: Instant) -> Result<Instance, RestoreError> {
    let url = url_of(staged);
    // What can't even be opened is no sound backup, and it is the file that was given which is meant.
    let books = match Books::open(&url).await {
        Err(ConnectionError::Open { source, .. }) => return Err(not_a_backup(backup, &format!("it can't be opened: {source}"))),
        opened => opened?,
    };
    let sound = is_sound(&books).await;
    close(books).await?;
    if let Err(reason) = sound {
        return Err(not_a_backup(backup, &reason));
    }
    let books = app::open(&url).await?;
    let marked = mark(&books, later_than, now).await;
    close(books).await?;
    let instance = marked?;
    let log = with_suffix(staged, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let busy = std::io::Error::other("its log could not be copied into it");
        return Err(failed(&log, "emptied")(busy));
    }
    File::open(staged).and_then(|file| file.sync_all()).map_err(failed(staged, "written"))?;
    Ok(instance)
}

/// Whether the file is whole and one of ours.
async fn is_sound(books: &Books) -> Result<(), String> {
    let ask = |text: &str| books.write().query_one_raw(Statement::from_string(DbBackend::Sqlite, text));
    let is_ours = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'program_versions'";
    let ours = ask(is_ours).await.map_err(|error| error.to_string())?;
    if ours.is_none() {
        return Err("it has no books".to_owned());
    }
    let checked = ask("PRAGMA integrity_check(1)").await.map_err(|error| error.to_string())?;
    let said: String = checked.and_then(|row| row.try_get_by_index(0).ok()).unwrap_or_default();
    if said == "ok" { Ok(()) } else { Err(format!("it is damaged: {said}")) }
}

/// A new generation: payouts are paused, and whoever held leases is gone.
async fn mark(books: &Books, later_than: i64, now: Instant) -> Result<Instance, RestoreError> {
    let tx = books.begin_write().await?;
    let marked = async {
        let instance = identity::restored(&tx, &ids::new("dbi"), later_than, now).await?;
        nodes::end_leases(&tx).await?;
        Ok::<_, RestoreError>(instance)
    }
    .await;
    match marked {
        Ok(instance) => {
            tx.commit().await?;
            seal::seal_all(books, now).await?;
            Ok(instance)
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

async fn close(books: Books) -> Result<(), sea_orm::DbErr> {
    books.read().clone().close().await?;
    books.write().clone().close().await
}

/// The database that is in the place, with what is beside it, under a name that is free; `None`: nothing is there.
fn move_aside(target: &Path, generation: i64) -> Result<Option<PathBuf>, RestoreError> {
    let name = |number: u32| with_suffix(target, &format!(".before-{generation}{}", if number == 0 { String::new() } else { format!("-{number}") }));
    let aside = (0..1_000).map(name).find(|path| !path.exists() && !with_suffix(path, "-wal").exists()).unwrap_or_else(|| name(1_000));
    let mut is_moved = false;
    // The log first, and also where it is alone: beside another database it would be taken for that one's. A database that could be opened
    // has none by now.
    for side in [SIDES[0], SIDES[1], ""] {
        let from = with_suffix(target, side);
        if from.exists() {
            fs::rename(&from, with_suffix(&aside, side)).map_err(failed(&from, "moved aside"))?;
            is_moved |= side.is_empty();
        }
    }
    Ok(is_moved.then_some(aside))
}

fn remove(staged: &Path) -> Result<(), RestoreError> {
    for path in [staged.to_owned(), with_suffix(staged, SIDES[0]), with_suffix(staged, SIDES[1])] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.map_err(failed(&path, "removed"))?,
        }
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).ok().zip(fs::canonicalize(other).ok()).is_some_and(|(one, other)| one == other)
}

/// The URL of a file, whatever characters its path has.
fn url_of(file: &Path) -> String {
    let path = file.display().to_string().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}")
}

fn failed(file: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> RestoreError {
    let file = file.display().to_string();
    move |source| RestoreError::File { file, what, source }
}
