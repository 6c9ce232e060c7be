//! Moves checked rows into the books, in the caller's transaction.

use program::calendar::Instant;
use sea_orm::{DatabaseTransaction, DbErr};

use super::check::same_row;
use super::error::RecordError;
use super::stage::{AFFECTED, Stage, staged};
use super::table::{Kind, Table, pair};
use crate::sql;

/// Takes the next place in the sequence of recordings; other recordings and freezes wait until the transaction ends.
pub(crate) async fn pass_gate(tx: &DatabaseTransaction) -> Result<i64, RecordError> {
    let row = sql::row(tx, "UPDATE gate SET seq = seq + 1 WHERE id = 1 RETURNING seq", []).await?;
    let row = row.ok_or_else(|| RecordError::Corrupt("no gate of recordings".into()))?;
    Ok(row.try_get_by_index(0)?)
}

/// Notes the recording itself.
pub(crate) async fn note(tx: &DatabaseTransaction, seq: i64, now: Instant, kind: &str, origin: &str, (new, filled): (u64, u64)) -> Result<(), DbErr> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let insert = "INSERT INTO recordings (seq, recorded_at, kind, origin, rows_new, rows_filled) VALUES (?, ?, ?, ?, ?, ?)";
    let values = [seq.into(), now.0.into(), kind.into(), origin.into(), count(new).into(), count(filled).into()];
    sql::execute(tx, insert, values).await?;
    Ok(())
}

/// Fills, renames and inserts what a stage brings.
pub(crate) async fn merge(tx: &DatabaseTransaction, stage: &Stage, seq: i64) -> Result<(), DbErr> {
    for (index, table) in stage.kind.tables.iter().enumerate() {
        fill(tx, stage, index, table, seq).await?;
        rename(tx, stage, index, table).await?;
        insert(tx, stage, index, table, seq).await?;
    }
    Ok(())
}

async fn fill(tx: &DatabaseTransaction, stage: &Stage, index: usize, table: &Table, seq: i64) -> Result<(), DbErr> {
    if table.optional.is_empty() || !stage.any(tx, "s.bad = 0 AND s.filled = 1").await? {
        return Ok(());
    }
    let (kind, identity) = table.filled_as;
    let id = identity.iter().map(|field| format!("s.{field}")).collect::<Vec<_>>().join(" || '/' || ");
    for (ours, field) in table.optional.iter().map(|entry| pair(entry)) {
        let condition = format!("s.bad = 0 AND s.filled = 1 AND s.known{index} = 1 AND m.{ours} IS NULL AND s.{field} IS NOT NULL");
        let noted = format!(
            "INSERT INTO fills (seq, kind, id, field) SELECT {seq}, '{kind}', {id}, '{ours}' FROM {} s JOIN {} m ON {} WHERE {condition}",
            stage.name,
            table.name,
            same_row(table)
        );
        if sql::execute(tx, &noted, []).await? > 0 {
            let filled = format!(
                "UPDATE {} AS m SET {ours} = s.{field}, filled = {seq} FROM {} s WHERE {} AND {condition}",
                table.name,
                stage.name,
                same_row(table)
            );
            sql::execute(tx, &filled, []).await?;
        }
    }
    Ok(())
}

async fn rename(tx: &DatabaseTransaction, stage: &Stage, index: usize, table: &Table) -> Result<(), DbErr> {
    if table.labels.is_empty() || !stage.any(tx, "s.bad = 0 AND s.renamed = 1").await? {
        return Ok(());
    }
    for (ours, field) in table.labels.iter().map(|entry| pair(entry)) {
        let text = format!(
            "UPDATE {} AS m SET {ours} = s.{field} FROM {} s WHERE {} AND s.bad = 0 AND s.renamed = 1 AND s.known{index} = 1 AND s.{field} IS NOT NULL",
            table.name,
            stage.name,
            same_row(table)
        );
        sql::execute(tx, &text, []).await?;
    }
    Ok(())
}

/// Rows go in by key, so that the books' index grows at one place.
async fn insert(tx: &DatabaseTransaction, stage: &Stage, index: usize, table: &Table, seq: i64) -> Result<(), DbErr> {
    let (ours, fields): (Vec<&str>, Vec<String>) = table.fields().map(|(ours, field)| (ours, staged("s", field))).unzip();
    let key: Vec<String> = stage.kind.identity.iter().map(|field| format!("s.{field}")).collect();
    let text = format!(
        "INSERT INTO {} ({}, seq) SELECT {}, {seq} FROM {} s WHERE s.bad = 0 AND s.known{index} = 0 ORDER BY {}",
        table.name,
        ours.join(", "),
        fields.join(", "),
        stage.name,
        key.join(", ")
    );
    sql::execute(tx, &text, []).await?;
    Ok(())
}

/// Raises the revisions of all programmes and of the members that the rows name, so that what was cached of them is read again.
pub(crate) async fn raise_revisions(tx: &DatabaseTransaction, stages: &[Stage]) -> Result<(), DbErr> {
    sql::execute(tx, "UPDATE programs SET revision = revision + 1", []).await?;
    for stage in stages {
        for field in partners_named(stage.kind) {
            let named = format!("SELECT s.{field} FROM {} s WHERE {AFFECTED} AND s.{field} IS NOT NULL", stage.name);
            sql::execute(tx, &format!("UPDATE memberships SET revision = revision + 1 WHERE partner IN ({named})"), []).await?;
        }
    }
    Ok(())
}

fn partners_named(kind: &'static Kind) -> Vec<&'static str> {
    let own = if kind.name == "partners" { Some("id") } else { None };
    let named = kind.references.iter().filter(|reference| reference.table == "partners").filter_map(|reference| reference.on.first());
    own.into_iter().chain(named.map(|entry| pair(entry).1)).collect()
}
