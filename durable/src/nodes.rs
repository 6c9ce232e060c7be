//! The nodes of a database: which are alive, for whoever is none himself.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use serde::Serialize;

use crate::clock::Instant;
use crate::sql;

/// A node that holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Until when it is taken for alive.
    pub lease_until: Instant,
    /// When its process started.
    pub started_at: Instant,
}

/// The nodes whose lease has not run out, by name: by the database's clock on PostgreSQL, by the caller's on SQLite.
///
/// # Errors
/// The database failed.
pub async fn live_nodes<C: ConnectionTrait>(db: &C, now: Instant) -> Result<Vec<Node>, DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let clock = if is_postgres { "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)".to_owned() } else { now.0.to_string() };
    let text = format!("SELECT name, lease_until, started_at FROM engine_nodes WHERE lease_until > {clock} ORDER BY name");
    let node = |row: &sea_orm::QueryResult| {
        Ok(Node { name: row.try_get_by_index(0)?, lease_until: Instant(row.try_get_by_index(1)?), started_at: Instant(row.try_get_by_index(2)?) })
    };
    sql::rows(db, &text, []).await?.iter().map(node).collect()
}

/// Ends all leases, on a database whose nodes are known to be gone: one that was restored from a backup. Whoever starts next takes over.
///
/// # Errors
/// The database failed.
pub async fn end_leases(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    sql::execute(tx, "UPDATE engine_nodes SET lease_until = 0", []).await?;
    let ready = "UPDATE workflow_runs SET status = 'ready', owner = NULL, epoch = epoch + 1 WHERE status = 'running'";
    sql::execute(tx, ready, []).await?;
    let free = "UPDATE outbox SET lease_until = 0 WHERE status = 'sending'";
    sql::execute(tx, free, []).await?;
    Ok(())
}
