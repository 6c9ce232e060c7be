//! Periods: which is open, freezing with a cut-off, and what an interruption left behind (domain.md §4.7).

use program::calendar::{Instant, Period};
use sea_orm::DatabaseTransaction;

use super::error::SettleError;
use crate::load::row::{LoadError, execute, first_row};
use crate::load::versions;

/// How far a frozen period has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Facts are cut off.
    Frozen,
    /// Tier changes and rankings are stored.
    Tiered,
    /// All lines are stored.
    Rated,
    /// All settlements are final.
    Final,
}

impl Stage {
    fn named(name: &str) -> Option<Self> {
        match name {
            "frozen" => Some(Self::Frozen),
            "tiered" => Some(Self::Tiered),
            "rated" => Some(Self::Rated),
            "final" => Some(Self::Final),
            _ => None,
        }
    }
}

/// A period that was frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    /// The period.
    pub period: Period,
    /// The last recording that counts.
    pub cutoff: i64,
    /// How far it has come.
    pub stage: Stage,
}

/// The last period that was frozen or made final.
///
/// # Errors
/// The database failed.
pub async fn last(tx: &DatabaseTransaction, program: &str) -> Result<Option<Frozen>, LoadError> {
    let query = "SELECT period, cutoff, stage FROM periods WHERE program = ? ORDER BY period DESC LIMIT 1";
    let Some(row) = first_row(tx, query, vec![program.into()]).await? else { return Ok(None) };
    let text = row.string(2)?;
    let stage = Stage::named(&text).ok_or(LoadError::Corrupt { value: text, what: "a stage of a period" })?;
    Ok(Some(Frozen { period: row.period(0)?, cutoff: row.int(1)?, stage }))
}

/// The first period that is not final, given the programme's first one.
///
/// # Errors
/// The database failed.
pub async fn first_open(tx: &DatabaseTransaction, program: &str, first_period: Period) -> Result<Period, LoadError> {
    Ok(match last(tx, program).await? {
        Some(Frozen { period, stage: Stage::Final, .. }) => period.next(),
        Some(Frozen { period, .. }) => period,
        None => first_period,
    })
}

/// The cut-off of the period before, 0 for the first: what was recorded after it may be late.
///
/// # Errors
/// The database failed.
pub async fn cutoff_before(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<i64, LoadError> {
    let query = "SELECT cutoff FROM periods WHERE program = ? AND period = ?";
    match first_row(tx, query, vec![program.into(), period.previous().to_string().into()]).await? {
        Some(row) => row.int(0),
        None => Ok(0),
    }
}

/// The last recording so far. Recording and freezing exclude each other until the caller's transaction ends.
///
/// # Errors
/// The database failed.
pub async fn lock_recordings(tx: &DatabaseTransaction) -> Result<i64, LoadError> {
    let row = first_row(tx, "UPDATE gate SET seq = seq WHERE id = 1 RETURNING seq", vec![]).await?;
    row.ok_or(LoadError::Corrupt { value: String::new(), what: "the gate of recordings" })?.int(0)
}

/// Freezes a period at the last recording so far, or finds it as it was frozen before.
///
/// # Idempotency
/// (program, period): the first cut-off stands, however often the work is interrupted and resumed.
///
/// # Errors
/// The period before it is not final, or the database failed.
pub async fn freeze(tx: &DatabaseTransaction, program: &str, period: Period, now: Instant) -> Result<Frozen, SettleError> {
    let cutoff = lock_recordings(tx).await?;
    if first_row(tx, "SELECT 1 FROM periods WHERE program = ? AND period = ?", vec![program.into(), period.to_string().into()]).await?.is_some() {
        return lock(tx, program, period).await;
    }
    let first = versions::load(tx, program, i64::MAX).await?.constant().settlement.first_period;
    let open = first_open(tx, program, first).await?;
    if open != period {
        return Err(SettleError::OutOfOrder { program: program.into(), open, period });
    }
    let insert = "INSERT INTO periods (program, period, status, stage, cutoff, frozen_at) VALUES (?, ?, 'closing', 'frozen', ?, ?)";
    execute(tx, insert, vec![program.into(), period.to_string().into(), cutoff.into(), now.0.into()]).await?;
    Ok(Frozen { period, cutoff, stage: Stage::Frozen })
}

/// Locks a frozen period until the caller's transaction ends and says how far it has come by now: whoever comes second finds the first's work.
///
/// # Errors
/// Whoever froze it has opened it again, or the database failed.
pub async fn lock(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Frozen, SettleError> {
    find_locked(tx, program, period).await?.ok_or_else(|| SettleError::Reopened { program: program.into(), period })
}

/// As [`lock`]; `None`: it is not frozen, or no more.
///
/// # Errors
/// The database failed.
pub async fn find_locked(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Option<Frozen>, LoadError> {
    let key = || vec![program.into(), period.to_string().into()];
    let query = "UPDATE periods SET stage = stage WHERE program = ? AND period = ? AND status = 'closing' RETURNING cutoff, stage";
    if let Some(row) = first_row(tx, query, key()).await? {
        let text = row.string(1)?;
        let stage = Stage::named(&text).ok_or(LoadError::Corrupt { value: text, what: "a stage of a period" })?;
        return Ok(Some(Frozen { period, cutoff: row.int(0)?, stage }));
    }
    let query = "SELECT cutoff FROM periods WHERE program = ? AND period = ? AND status = 'final'";
    let found = first_row(tx, query, key()).await?;
    found.map(|row| Ok(Frozen { period, cutoff: row.int(0)?, stage: Stage::Final })).transpose()
}

/// Notes how far a period has come.
///
/// # Errors
/// The database failed.
pub async fn reach(tx: &DatabaseTransaction, program: &str, period: Period, stage: Stage, now: Instant) -> Result<(), LoadError> {
    let (text, values) = match stage {
        Stage::Frozen => ("UPDATE periods SET stage = 'frozen' WHERE program = ? AND period = ?", vec![]),
        Stage::Tiered => ("UPDATE periods SET stage = 'tiered' WHERE program = ? AND period = ?", vec![]),
        Stage::Rated => ("UPDATE periods SET stage = 'rated' WHERE program = ? AND period = ?", vec![]),
        Stage::Final => ("UPDATE periods SET stage = 'final', status = 'final', final_at = ? WHERE program = ? AND period = ?", vec![now.0.into()]),
    };
    let mut all: Vec<sea_orm::Value> = values;
    all.extend([program.into(), period.to_string().into()]);
    execute(tx, text, all).await?;
    Ok(())
}

/// Opens a period again after facts turned out to be missing: nothing was posted, tier changes and rankings are taken back. Only as the caller
/// froze it: once another has come further, or has opened and frozen it anew, it is that one's, and nothing is done. Whether it was.
///
/// # Errors
/// The database failed.
pub async fn thaw(tx: &DatabaseTransaction, program: &str, frozen: Frozen) -> Result<bool, LoadError> {
    let Frozen { period, cutoff, .. } = frozen;
    let key = || vec![program.into(), period.to_string().into()];
    let lock = "UPDATE periods SET stage = stage WHERE program = ? AND period = ? AND status = 'closing' AND stage = 'frozen' AND cutoff = ?";
    if execute(tx, lock, vec![program.into(), period.to_string().into(), cutoff.into()]).await? == 0 {
        return Ok(false);
    }
    execute(tx, "DELETE FROM tier_assignments WHERE program = ? AND found_in = ?", key()).await?;
    let places = "DELETE FROM ranking_places WHERE EXISTS (SELECT 1 FROM rankings r WHERE r.program = ranking_places.program \
                  AND r.ranking = ranking_places.ranking AND r.quarter = ranking_places.quarter AND r.program = ? AND r.period = ?)";
    execute(tx, places, key()).await?;
    execute(tx, "DELETE FROM rankings WHERE program = ? AND period = ?", key()).await?;
    execute(tx, "DELETE FROM periods WHERE program = ? AND period = ?", key()).await?;
    Ok(true)
}
