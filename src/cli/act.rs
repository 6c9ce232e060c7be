//! How a command that somebody acts by ends: committed with its line in the audit log, which is then sealed; or with nothing changed.

use books::audit::seal;
use books::connection::Books;
use sea_orm::DatabaseTransaction;

use super::{At, CliError};

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
            tx.rollback().await?;
            Err(error.into())
        }
    }
}
