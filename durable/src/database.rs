//! The two connections of a database: one that writes, one that reads.

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use sqlx::Connection as _;

/// An open database. On SQLite `write` is a pool of one; on PostgreSQL both may be the same pool.
#[derive(Debug, Clone)]
pub struct Database {
    write: DatabaseConnection,
    read: DatabaseConnection,
}

impl Database {
    /// What the caller has opened.
    #[must_use]
    pub fn new(write: DatabaseConnection, read: DatabaseConnection) -> Self {
        Self { write, read }
    }

    /// The connection for what changes something; on SQLite there is one, so never use it inside a transaction of it.
    #[must_use]
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Connections for reading.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Begins a transaction that writes: SQLite takes its write lock at once; PostgreSQL reads what is committed when each statement
    /// begins.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin_write(&self) -> Result<DatabaseTransaction, DbErr> {
        if self.is_postgres() {
            return self.write.begin().await;
        }
        let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
        self.write.begin_with_options(options).await
    }

    /// Commits. Where that fails on SQLite its connection is closed unless it is sound.
    pub(crate) async fn commit(&self, tx: DatabaseTransaction) -> Result<(), DbErr> {
        let committed = tx.commit().await;
        if committed.is_err() {
            self.close_unsound().await;
        }
        committed
    }

    /// Rolls back. What can't be rolled back goes with its connection: PostgreSQL's server does so, SQLite's is closed here.
    pub(crate) async fn roll_back(&self, tx: DatabaseTransaction) {
        if let Err(error) = tx.rollback().await {
            tracing::debug!(error = crate::json::chain(&error), "durable.not_rolled_back");
            self.close_unsound().await;
        }
    }

    /// Closes SQLite's writer where sqlx takes it to be inside a transaction that nobody has any more.
    ///
    /// A full disk makes SQLite roll back by itself; sqlx's own ROLLBACK then fails, and sqlx goes on counting a transaction that is not
    /// there: the next one would be a savepoint, and what it commits would never be committed, or hold the write lock for ever.
    async fn close_unsound(&self) {
        if self.is_postgres() {
            return;
        }
        // A pool that can't give a connection has none to close.
        let Ok(mut writer) = self.write.get_sqlite_connection_pool().acquire().await else { return };
        // What was queued by the transaction's end comes before the answer.
        if writer.ping().await.is_err() || writer.is_in_transaction() {
            tracing::warn!("durable.writer_closed");
            // It is gone either way, and with it its locks.
            writer.close().await.ok();
        }
    }
}

/// Whether the same transaction may succeed when it is tried again: it met a deadlock, a serialization failure or a lock.
#[must_use]
pub fn is_transient(error: &DbErr) -> bool {
    // PostgreSQL's serialization_failure, deadlock_detected and lock_not_available; SQLite's BUSY, BUSY_SNAPSHOT and LOCKED.
    code(error).is_some_and(|code| ["40001", "40P01", "55P03", "5", "517", "6", "262"].contains(&code.as_str()))
}

/// Whether a row of this key is there already.
pub(crate) fn is_duplicate(error: &DbErr) -> bool {
    code(error).is_some_and(|code| ["23505", "1555", "2067"].contains(&code.as_str()))
}

/// Whether the database itself is ill (its disk is full or fails), so that nothing of the whole transaction can be trusted.
pub(crate) fn is_storage(error: &DbErr) -> bool {
    // SQLite's IOERR, FULL, NOMEM, CORRUPT and NOTADB by their primary code; PostgreSQL's classes 53, 58 and XX.
    code(error).is_some_and(|code| match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => [7, 10, 11, 13, 26].contains(&(number & 0xff)),
        _ => ["53", "58", "XX"].contains(&code.get(..2).unwrap_or_default()),
    })
}

/// Whether the storage of the database is full or fails: nothing of the transaction happened, which may pass by itself and says nothing of
/// what was asked.
pub(crate) fn is_exhausted(error: &DbErr) -> bool {
    // SQLite's NOMEM, IOERR and FULL by their primary code; PostgreSQL's classes 53 (resources) and 58 (the system). What is corrupt stays so.
    code(error).is_some_and(|code| match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => [7, 10, 13].contains(&(number & 0xff)),
        _ => ["53", "58"].contains(&code.get(..2).unwrap_or_default()),
    })
}

/// Whether the disk of a SQLite database is full: nothing of the transaction was committed.
pub(crate) fn is_full(error: &DbErr) -> bool {
    code(error).as_deref() == Some("13")
}

/// Whether SQLite could not write or flush its files.
pub(crate) fn is_io(error: &DbErr) -> bool {
    code(error).is_some_and(|code| code.len() < 5 && code.parse::<u32>().is_ok_and(|number| number & 0xff == 10))
}

/// Whether the database itself said so; otherwise the connection broke, and what was asked may have happened.
pub(crate) fn is_answer(error: &DbErr) -> bool {
    code(error).is_some()
}

fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) | DbErr::Conn(RuntimeErr::SqlxError(source))) =
        error
    else {
        return None;
    };
    source.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned))
}
