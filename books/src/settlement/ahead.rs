//! What runs beside the one writer of a settlement: the next period's facts are read, and SQLite's log is copied into its file.

use program::calendar::Period;
use sea_orm::DatabaseTransaction;
use tokio::task::JoinHandle;

use crate::connection::Books;
use crate::load::Knowledge;
use crate::load::invoices::{InvoiceSet, Scope};
use crate::load::row::{LoadError, first_row};

/// The invoices that a period covers, with all that their credits are found by, but not what is booked of them.
#[derive(Debug)]
pub struct FactsAhead {
    /// The last recording when they were read.
    pub cutoff: i64,
    /// Instants from (inclusive) and before (exclusive), microseconds.
    pub covered: (i64, i64),
    /// The invoices.
    pub set: InvoiceSet,
}

impl FactsAhead {
    /// Reads them in a snapshot.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn read(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Self, LoadError> {
        let cutoff = match first_row(tx, "SELECT seq FROM gate WHERE id = 1", vec![]).await? {
            Some(row) => row.int(0)?,
            None => 0,
        };
        let knowledge = Knowledge::load(tx, program, cutoff).await?;
        let covered = super::workset::covered(&knowledge, period);
        let set = InvoiceSet::load_facts(tx, &knowledge, &Scope::paid_between(covered.0, covered.1)).await?;
        Ok(Self { cutoff, covered, set })
    }
}

/// Work on other connections than the writer's.
#[derive(Debug, Default)]
pub struct Beside {
    facts: Option<JoinHandle<Option<FactsAhead>>>,
    checkpoint: Option<JoinHandle<()>>,
}

impl Beside {
    /// Begins to read the facts of a period that will be settled next. Nothing depends on it: what can't be read now is read in its turn.
    pub fn read_ahead(&mut self, books: &Books, program: &str, period: Period) {
        let (books, program) = (books.clone(), program.to_owned());
        self.facts = Some(tokio::spawn(async move {
            let tx = books.begin_read().await.ok()?;
            let facts = FactsAhead::read(&tx, &program, period).await.ok();
            tx.rollback().await.ok()?;
            facts
        }));
    }

    /// What was read ahead, if anything.
    pub async fn facts(&mut self) -> Option<FactsAhead> {
        self.facts.take()?.await.ok().flatten()
    }

    /// Begins a checkpoint, unless one is running.
    pub fn checkpoint(&mut self, books: &Books) {
        if self.checkpoint.as_ref().is_none_or(JoinHandle::is_finished) {
            let books = books.clone();
            self.checkpoint = Some(tokio::spawn(async move { report(books.checkpoint().await) }));
        }
    }

    /// Ends all of it; what is left in the log is copied.
    pub async fn end(self, books: &Books) {
        if let Some(facts) = self.facts {
            facts.abort();
        }
        if let Some(checkpoint) = self.checkpoint {
            let _ended: Result<(), tokio::task::JoinError> = checkpoint.await;
            report(books.checkpoint().await);
        }
    }
}

/// A log that is not copied is only longer: the next writer copies it.
fn report(done: Result<(), sea_orm::DbErr>) {
    if let Err(error) = done {
        tracing::warn!(%error, "checkpoint.failed");
    }
}
