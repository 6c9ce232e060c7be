//! Opens a database: one writer and many readers on SQLite, a pool on PostgreSQL; refuses settings that lose money on a power cut.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr, SqliteTransactionMode, SqlxPostgresConnector,
    SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::sql;

/// How long a writer waits for another process's transaction, or for its turn, before it gives up.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Readers of a SQLite database, side by side.
const SQLITE_READERS_MAX: u32 = 8;
/// Pages in SQLite's log at which the writer itself copies them (256 MiB); a settlement lets another connection do it before.
const WAL_PAGES_MAX: &str = "65536";
/// Connections to PostgreSQL.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// PostgreSQL settings that must not be `off` (reliability.md §3.12).
const POSTGRES_MUST_BE_ON: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// An open database.
#[derive(Debug, Clone)]
pub struct Books {
    write: DatabaseConnection,
    read: DatabaseConnection,
    address: Address,
}

#[derive(Debug, Clone)]
enum Address {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

/// A database that can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The address is of neither database.
    #[error("{0} is no database address; write sqlite://FILE or postgres://USER@HOST/DATABASE")]
    UnknownAddress(String),
    /// The address is of SQLite and of no file: it keeps nothing.
    #[error("{0} names no file: what is recorded there is gone when the command ends; write sqlite://FILE")]
    NotAFile(String),
    /// The database can't be reached or opened.
    #[error("the database {database} can't be opened; check that it exists, is running and may be written")]
    Open {
        /// The file, or host and database.
        database: String,
        /// What the database says.
        #[source]
        source: DbErr,
    },
    /// PostgreSQL could lose what it acknowledged.
    #[error("the PostgreSQL setting {setting} is off: a power cut could lose money that was acknowledged; set it to on")]
    Unsafe {
        /// The setting.
        setting: &'static str,
    },
    /// PostgreSQL is a standby.
    #[error("the PostgreSQL server is a replica, which takes no writes; give the address of the primary")]
    Replica,
    /// A step of opening failed.
    #[error("the database can't be prepared")]
    Prepare(#[from] DbErr),
}

impl Books {
    /// Opens `sqlite://FILE` (made when missing) or `postgres://…`. The schema is the caller's business: run the migrations on
    /// [`Books::write`] before anything else.
    ///
    /// # Errors
    /// [`ConnectionError`].
    ///
    /// # Source
    /// reliability.md §3.12.
    pub async fn open(url: &str) -> Result<Self, ConnectionError> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::open_postgres(url).await
        } else {
            Err(ConnectionError::UnknownAddress(without_secret(url)))
        }
    }

    /// The connection for statements that change something; on SQLite there is one, so never use it inside a transaction of it.
    #[must_use]
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Connections for reading; on SQLite they refuse writes.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Begins a transaction that writes: SQLite takes its write lock at once, so that no later statement fails for want of it;
    /// PostgreSQL reads what is committed when each statement begins.
    ///
    /// # Errors
    /// What the database says; on SQLite also that the wait for the lock was too long.
    pub async fn begin_write(&self) -> Result<DatabaseTransaction, DbErr> {
        begin_write(&self.write).await
    }

    /// Begins a transaction that reads one snapshot.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin_read(&self) -> Result<DatabaseTransaction, DbErr> {
        let mut options = TransactionOptions::default();
        if self.backend() == DbBackend::Postgres {
            options.isolation_level = Some(IsolationLevel::RepeatableRead);
            options.access_mode = Some(AccessMode::ReadOnly);
        }
        self.read.begin_with_options(options).await
    }

    /// A connection of the caller's own, for temporary tables that outlive a transaction. Close it when done.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn private(&self) -> Result<DatabaseConnection, DbErr> {
        match &self.address {
            Address::Sqlite(options) => {
                let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).acquire_timeout(WAIT_MAX);
                let pool = closed_when_unsound(pool);
                let options = options.as_ref().clone().pragma("temp.cache_size", "-65536");
                pool.connect_with(options).await.map(SqlxSqliteConnector::from_sqlx_sqlite_pool).map_err(connect_error)
            }
            Address::Postgres(options) => {
                let pool = plainly_planned(PgPoolOptions::new()).max_connections(1).idle_timeout(None).max_lifetime(None).acquire_timeout(WAIT_MAX);
                pool.connect_with(options.as_ref().clone()).await.map(SqlxPostgresConnector::from_sqlx_postgres_pool).map_err(connect_error)
            }
        }
    }

    /// Copies SQLite's log into its file as far as nobody is in the way; PostgreSQL does so by itself.
    ///
    /// # Errors
    /// What the database says.
    pub async fn checkpoint(&self) -> Result<(), DbErr> {
        if self.backend() != DbBackend::Sqlite {
            return Ok(());
        }
        let connection = self.private().await?;
        sql::row(&connection, "PRAGMA wal_checkpoint(PASSIVE)", []).await?;
        connection.close().await
    }

    async fn open_sqlite(url: &str) -> Result<Self, ConnectionError> {
        let options = sqlite_options(url)?;
        let database = options.get_filename().display().to_string();
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT_MAX)
            // Rows come in larger handfuls, so that reading many does not switch threads at each.
            .row_buffer_size(1024)
            .pragma("cache_size", "-32768")
            .pragma("journal_size_limit", "67108864")
            .disable_statement_logging();
        let failed = |source: sqlx::Error| ConnectionError::Open { database: database.clone(), source: connect_error(source) };
        // The writer checkpoints by itself only what nobody else copied before.
        let writing = options.clone().pragma("wal_autocheckpoint", WAL_PAGES_MAX);
        let one = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let one = closed_when_unsound(one);
        let write = one.acquire_timeout(WAIT_MAX).connect_with(writing).await.map_err(failed)?;
        let write = SqlxSqliteConnector::from_sqlx_sqlite_pool(write);
        if !is_on_disk(&write).await? {
            write.close().await?;
            return Err(ConnectionError::NotAFile(url.into()));
        }
        let many = SqlitePoolOptions::new().max_connections(SQLITE_READERS_MAX).max_lifetime(None);
        let read = options.clone().create_if_missing(false).pragma("query_only", "ON").pragma("cache_size", "-8192");
        let read = many.acquire_timeout(WAIT_MAX).connect_lazy_with(read);
        Ok(Self {
            write,
            read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
            address: Address::Sqlite(Box::new(options.create_if_missing(false))),
        })
    }

    async fn open_postgres(url: &str) -> Result<Self, ConnectionError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| ConnectionError::UnknownAddress(without_secret(url)))?;
        let options = options.application_name("tributary").disable_statement_logging();
        let database = format!("{} on {}:{}", options.get_database().unwrap_or("(default)"), options.get_host(), options.get_port());
        let failed = |source: sqlx::Error| ConnectionError::Open { database: database.clone(), source: connect_error(source) };
        // A pool takes a refused connection for a server that starts, and asks again until its time is over: so ask once before.
        let probe = tokio::time::timeout(WAIT_MAX, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)?;
        probe.close().await.map_err(failed)?;
        let pool = plainly_planned(PgPoolOptions::new()).max_connections(POSTGRES_CONNECTIONS_MAX).acquire_timeout(WAIT_MAX);
        let pool = pool.connect_with(options.clone()).await.map_err(failed)?;
        let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        refuse_unsafe(&connection).await?;
        Ok(Self { write: connection.clone(), read: connection, address: Address::Postgres(Box::new(options)) })
    }
}

/// Whether a SQLite database is a file, and not one in memory or one that is deleted when it is closed, which names none.
async fn is_on_disk(connection: &DatabaseConnection) -> Result<bool, DbErr> {
    let row = sql::row(connection, "SELECT COALESCE(file, '') FROM pragma_database_list WHERE name = 'main'", []).await?;
    let file: String = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    Ok(!file.is_empty())
}

/// A pool that gives no connection to the next user which sqlx takes to be inside a transaction: it is closed, and with it its locks.
///
/// A full disk makes SQLite roll back by itself; sqlx's own ROLLBACK then fails, and sqlx goes on counting a transaction that is not
/// there: the next one would be a savepoint, and what it commits would never be committed, or hold the write lock for ever.
fn closed_when_unsound(pool: SqlitePoolOptions) -> SqlitePoolOptions {
    pool.after_release(|connection, _| {
        Box::pin(async move {
            // What the transaction's end has queued comes before the answer.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
    .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// SQLite's own options of an address, and `max_page_count=N`: the file does not grow beyond so many pages, or beyond what it has.
fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, ConnectionError> {
    let unknown = || ConnectionError::UnknownAddress(url.into());
    let (file, options) = url.split_once('?').unwrap_or((url, ""));
    let (limits, options): (Vec<&str>, Vec<&str>) =
        options.split('&').filter(|option| !option.is_empty()).partition(|option| option.starts_with("max_page_count="));
    let address = if options.is_empty() { file.to_owned() } else { format!("{file}?{}", options.join("&")) };
    let mut opened = SqliteConnectOptions::from_str(&address).map_err(|_| unknown())?;
    for limit in limits {
        let pages: u32 = limit.split_once('=').and_then(|(_, pages)| pages.parse().ok()).filter(|pages| *pages > 0).ok_or_else(unknown)?;
        opened = opened.pragma("max_page_count", pages.to_string());
    }
    Ok(opened)
}

/// The file of a SQLite address; `None`: it is PostgreSQL's.
///
/// # Errors
/// [`ConnectionError::UnknownAddress`].
pub fn sqlite_file(url: &str) -> Result<Option<PathBuf>, ConnectionError> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    let options = sqlite_options(url)?;
    Ok(Some(options.get_filename().to_owned()))
}

/// Connections whose queries PostgreSQL does not compile first: it does so where it expects much work, which it does of every table that
/// it has no statistics of yet, and then spends a quarter of a second on queries that take none (85 s instead of 1.5 s for 300 voids).
fn plainly_planned(pool: PgPoolOptions) -> PgPoolOptions {
    pool.after_connect(|connection, _| Box::pin(async move { connection.execute("SET jit = off").await.map(|_| ()) }))
}

/// Begins a transaction that writes, on any connection (see [`Books::begin_write`]).
///
/// # Errors
/// What the database says.
pub(crate) async fn begin_write(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let mut options = TransactionOptions::default();
    if connection.get_database_backend() == DbBackend::Postgres {
        options.isolation_level = Some(IsolationLevel::ReadCommitted);
    } else {
        options.sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    }
    connection.begin_with_options(options).await
}

/// Whether the same transaction may succeed when it is tried again: it met a deadlock, a serialization failure or a lock.
pub(crate) fn is_transient(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) | DbErr::Conn(RuntimeErr::SqlxError(source))) =
        error
    else {
        return false;
    };
    // PostgreSQL's serialization_failure and deadlock_detected; SQLite's BUSY, BUSY_SNAPSHOT and LOCKED.
    let code = source.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
    code.is_some_and(|code| ["40001", "40P01", "5", "517", "6"].contains(&code.as_str()))
}

/// Whether the database as a whole is locked, gone, full or failing, rather than refusing one statement for what is in it.
pub(crate) fn is_outage(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) | DbErr::Conn(RuntimeErr::SqlxError(source))) =
        error
    else {
        return matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    };
    let Some(refused) = source.as_database_error() else { return true };
    // PostgreSQL's classes 08, 53, 57 and 58; SQLite's IOERR, FULL and CANTOPEN, in their primary codes.
    let code = refused.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let primary = code.parse::<u32>().map(|code| code & 0xff).ok().filter(|_| code.len() < 5);
    is_transient(error)
        || ["08", "53", "57", "58"].iter().any(|class| code.len() == 5 && code.starts_with(class))
        || matches!(primary, Some(10 | 13 | 14))
}

async fn refuse_unsafe(connection: &DatabaseConnection) -> Result<(), ConnectionError> {
    for setting in POSTGRES_MUST_BE_ON {
        let row = sql::row(connection, &format!("SELECT current_setting('{setting}')"), []).await?;
        let value: String = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
        if value == "off" {
            return Err(ConnectionError::Unsafe { setting });
        }
    }
    let row = sql::row(connection, "SELECT pg_is_in_recovery()", []).await?;
    let replica: bool = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    if replica { Err(ConnectionError::Replica) } else { Ok(()) }
}

fn connect_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// The scheme and what follows the credentials: an address in an error must not carry a password.
fn without_secret(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place)),
        None => Path::new(url).display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sqlite_is_opened_safely() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/new.db", directory.path().display());
        let books = Books::open(&url).await.unwrap();
        for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
            let row = sql::row(books.write(), &format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"), []).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<String>(0).unwrap(), value, "{pragma}");
        }
        assert!(sql::execute(books.read(), "CREATE TABLE t (a TEXT)", []).await.is_err());
    }

    #[tokio::test]
    async fn a_write_transaction_holds_the_lock_from_its_start() {
        let directory = tempfile::tempdir().unwrap();
        let books = Books::open(&format!("sqlite://{}/lock.db", directory.path().display())).await.unwrap();
        let other = books.private().await.unwrap();
        sql::execute(&other, "PRAGMA busy_timeout = 0", []).await.unwrap();
        let transaction = books.begin_write().await.unwrap();
        assert!(begin_write(&other).await.is_err(), "a second writer must wait though the first has written nothing yet");
        transaction.rollback().await.unwrap();
        begin_write(&other).await.unwrap().rollback().await.unwrap();
    }

    #[tokio::test]
    async fn what_a_full_disk_rolled_back_is_forgotten_by_the_next_transaction() {
        let directory = tempfile::tempdir().unwrap();
        let books = Books::open(&format!("sqlite://{}/full.db", directory.path().display())).await.unwrap();
        sql::execute(books.write(), "CREATE TABLE t (a TEXT)", []).await.unwrap();
        let other = books.private().await.unwrap();
        for ends in ["rolled back", "dropped"] {
            sql::execute(books.write(), "PRAGMA max_page_count = 1", []).await.unwrap();
            let transaction = books.begin_write().await.unwrap();
            let full = sql::execute(&transaction, "INSERT INTO t VALUES (hex(zeroblob(100000)))", []).await.unwrap_err();
            assert!(is_outage(&full), "{full}");
            if ends == "rolled back" {
                assert!(transaction.rollback().await.is_err(), "SQLite has done so by itself");
            } else {
                drop(transaction);
            }
            // One that is rolled back leaves no lock, one that is committed is seen by all.
            books.begin_write().await.unwrap().rollback().await.unwrap();
            let transaction = books.begin_write().await.unwrap();
            sql::execute(&transaction, "INSERT INTO t VALUES (?)", [ends.into()]).await.unwrap();
            transaction.commit().await.unwrap();
            begin_write(&other).await.unwrap().rollback().await.unwrap();
            let seen = sql::row(&other, "SELECT COUNT(*) FROM t WHERE a = ?", [ends.into()]).await.unwrap().unwrap();
            assert_eq!(seen.try_get_by_index::<i64>(0).unwrap(), 1, "{ends}");
        }
    }

    #[tokio::test]
    async fn other_addresses_are_refused_without_their_password() {
        let error = Books::open("mysql://u:secret@host/db").await.unwrap_err().to_string();
        assert!(error.contains("mysql://host/db") && !error.contains("secret"), "{error}");
    }
}
