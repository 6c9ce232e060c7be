//! Which database this is and which generation of it. A generation that comes from a backup sends nothing until it is reconciled with the
//! payment provider (reliability.md §2).

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::audit::{self, Act};
use crate::load::row::{LoadError, execute, first_row};
use crate::payouts::switch;

/// A database's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `dbi_…`, for ever.
    pub database: String,
    /// From 1 on; each restored backup is one more.
    pub generation: i64,
    /// When this generation was restored, if it was.
    pub restored_at: Option<Instant>,
    /// When it was reconciled after that.
    pub reconciled_at: Option<Instant>,
}

impl Instance {
    /// Whether it was restored from a backup and nothing may be sent yet.
    #[must_use]
    pub const fn awaits_reconciliation(&self) -> bool {
        self.restored_at.is_some() && self.reconciled_at.is_none()
    }
}

/// The identity, if the database has got one.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &DatabaseTransaction) -> Result<Option<Instance>, LoadError> {
    let row = first_row(tx, "SELECT database_id, generation, restored_at, reconciled_at FROM instance WHERE id = 1", vec![]).await?;
    let read = |row: crate::load::row::Row| {
        Ok(Instance {
            database: row.string(0)?,
            generation: row.int(1)?,
            restored_at: row.int_or_null(2)?.map(Instant),
            reconciled_at: row.int_or_null(3)?.map(Instant),
        })
    };
    row.map(read).transpose()
}

/// Gives the database an identity.
///
/// # Idempotency
/// The first one stands, and is returned.
///
/// # Errors
/// The database failed.
pub async fn begin(tx: &DatabaseTransaction, database: &str, now: Instant) -> Result<Instance, LoadError> {
    let insert = "INSERT INTO instance (id, database_id, generation, created_at) VALUES (1, ?, 1, ?) ON CONFLICT (id) DO NOTHING";
    execute(tx, insert, vec![database.into(), now.0.into()]).await?;
    find(tx).await?.ok_or(LoadError::Corrupt { value: String::new(), what: "the database's identity" })
}

/// Makes the database a new generation of itself, later than `later_than`: nothing is paid before [`reconciled`]. A database without an
/// identity gets the one given.
///
/// # Errors
/// The database failed.
pub async fn restored(tx: &DatabaseTransaction, database: &str, later_than: i64, now: Instant) -> Result<Instance, LoadError> {
    let before = begin(tx, database, now).await?;
    let generation = before.generation.max(later_than).saturating_add(1);
    let update = "UPDATE instance SET generation = ?, restored_at = ?, reconciled_at = NULL WHERE id = 1";
    execute(tx, update, vec![generation.into(), now.0.into()]).await?;
    switch::pause_restored(tx, now).await?;
    let subject = format!("database/{}", before.database);
    let detail = json!({ "generation": generation, "before": before.generation });
    audit::write(tx, &Act { by: None, act: "database.restored", subject: &subject, detail }, now).await?;
    find(tx).await?.ok_or(LoadError::Corrupt { value: String::new(), what: "the database's identity" })
}

/// Whether the database was restored from a backup and nothing may be sent yet, be it money or mail.
///
/// # Errors
/// The database failed.
pub async fn awaits_reconciliation(tx: &DatabaseTransaction) -> Result<bool, LoadError> {
    let query = "SELECT 1 FROM instance WHERE restored_at IS NOT NULL AND reconciled_at IS NULL";
    Ok(first_row(tx, query, vec![]).await?.is_some())
}

/// What the end of a reconciliation did to the pause of a restored database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifted {
    /// It was not restored, or was reconciled before.
    Nothing,
    /// Payouts go on.
    Pause,
    /// Somebody has paused payouts beside that: they stay paused.
    StillPaused,
}

/// Notes that a restored database agrees with the payment provider, which ends the pause that came with it.
///
/// # Idempotency
/// A generation is reconciled once.
///
/// # Errors
/// The database failed.
pub async fn reconciled(tx: &DatabaseTransaction, now: Instant) -> Result<Lifted, LoadError> {
    let switch = switch::lock(tx).await?;
    let update = "UPDATE instance SET reconciled_at = ? WHERE restored_at IS NOT NULL AND reconciled_at IS NULL";
    if execute(tx, update, vec![now.0.into()]).await? == 0 {
        return Ok(Lifted::Nothing);
    }
    let still = switch.is_paused && !switch.is_restored();
    if !still {
        switch::lift_restored(tx, now).await?;
    }
    let detail = json!({ "paused": still });
    audit::write(tx, &Act { by: None, act: "database.reconciled", subject: "payouts", detail }, now).await?;
    Ok(if still { Lifted::StillPaused } else { Lifted::Pause })
}
