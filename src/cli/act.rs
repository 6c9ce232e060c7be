//! How a command that somebody acts by ends: committed with its line in the audit log, which is then sealed; or with nothing changed.

use books::audit::seal;
use books::connection::Books;
use sea_orm::DatabaseTransaction;

use super::{At, CliError};

/// How often an act is tried that met a worker of the service on its way.
const TRIES_MAX: usize = 5;

/// Does an act in a transaction of its own, and again, bounded, where it and a worker waited for each other.
pub(crate) async fn transact<T>(at: &At, books: &Books, work: impl AsyncFn(&DatabaseTransaction) -> Result<T, CliError>) -> Result<T, CliError> {
    let mut tried = 1;
    loop {
        let tx = books.begin_write().await?;
        let done = work(&tx).await;
        match end(at, books, tx, done).await {
            Err(CliError::Failed(text)) if tried < TRIES_MAX && is_conflict(&text) => tried += 1,
            done => return done,
        }
    }
}

/// Whether PostgreSQL has ended the transaction for the sake of another; SQLite has one writer, who waits.
fn is_conflict(text: &str) -> bool {
    text.contains("deadlock detected") || text.contains("could not serialize access")
}

/// Commits what went well and seals the audit log; rolls back what did not.
pub(crate) async fn end<T, E>(at: &At, books: &Books, tx: DatabaseTransaction, result: Result<T, E>) -> Result<T, CliError>
where
    CliError: From<E>,
{
    match result {
        Ok(done) => {
            tx.commit().await?;
            seal::seal_all(books, at.now).await?;
            Ok(done)
        }
        Err(error) => {
            // It may have ended by itself; that it can't be rolled back would say nothing new.
            let _ = tx.rollback().await;
            Err(error.into())
        }
    }
}
