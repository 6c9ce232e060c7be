//! Wires the parts: opens the database and brings its schema up to date.

use books::connection::{Books, ConnectionError};
use migrations::{Migrator, MigratorTrait};

/// Why the application can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Its schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migration(#[source] sea_orm::DbErr),
}

/// Opens a database by URL, made when missing, with the schema of this version.
///
/// # Errors
/// [`StartError`].
pub async fn open(url: &str) -> Result<Books, StartError> {
    let books = Books::open(url).await?;
    Migrator::up(books.write(), None).await.map_err(StartError::Migration)?;
    Ok(books)
}
