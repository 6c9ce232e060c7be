//! Records programme versions and shows what a version would change (domain.md §2.5).

use program::calendar::{Date, Instant, Period, parse_date};
use program::file::NotASuccessor;
use program::programme::Programme;
use sea_orm::DatabaseTransaction;
use sha2::{Digest, Sha256};

use crate::gate;
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::load::versions;
use crate::settlement::freeze;

/// The day that stands for "from ever" in the database.
pub const FROM_EVER: &str = "0001-01-01";

/// What recording a version did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The programme.
    pub program: String,
    /// The version's number.
    pub number: i64,
    /// From which day on it holds.
    pub effective_from: Date,
    /// Whether it was recorded before, unchanged.
    pub unchanged: bool,
}

/// Why a version can't be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It changes what all versions share.
    #[error(transparent)]
    Successor(Box<NotASuccessor>),
    /// It is the first version and holds only after the first period has begun.
    #[error("the first version of {program} can't take effect on {from}: it is in force from its first period, {first_period}, on; leave --from out, or use {first_day} or an earlier day", first_day = .first_period.first_day())]
    TooLate {
        /// The programme.
        program: String,
        /// The date.
        from: Date,
        /// Its first period.
        first_period: Period,
    },
    /// Its effective date lies before the first open period.
    #[error("a version of {program} can't take effect on {from}: the first open period is {open}, and what is final is never rated again; use --from {first_day} or later", first_day = .open.first_day())]
    Posted {
        /// The programme.
        program: String,
        /// The date.
        from: Date,
        /// The first open period.
        open: Period,
    },
}

fn ever() -> Date {
    // The constant is a date.
    parse_date(FROM_EVER).unwrap_or(program::calendar::EVER)
}

/// From when a version would hold if no date is given: the first one from ever, a later one from the first open period on.
///
/// # Errors
/// The database failed.
pub async fn default_from(tx: &DatabaseTransaction, programme: &Programme) -> Result<Date, LoadError> {
    let known = first_row(tx, "SELECT 1 FROM programs WHERE id = ?", vec![programme.id.as_str().into()]).await?.is_some();
    if !known {
        return Ok(ever());
    }
    Ok(freeze::first_open(tx, &programme.id, programme.settlement.first_period).await?.first_day())
}

/// Records a version that was loaded from `source`.
///
/// # Idempotency
/// The same text from the same day on: nothing is recorded again.
///
/// # Errors
/// The version can't follow the recorded ones, or the database failed.
pub async fn apply(tx: &DatabaseTransaction, programme: &Programme, source: &str, from: Option<Date>, now: Instant) -> Result<Applied, ApplyError> {
    let id = programme.id.as_str();
    freeze::lock_recordings(tx).await?;
    let effective_from = match from {
        Some(from) => from,
        None => default_from(tx, programme).await?,
    };
    let known = rows(tx, "SELECT number, effective_from, source FROM program_versions WHERE program = ? ORDER BY number", vec![id.into()]).await?;
    let mut next = 1;
    let mut same = None;
    for row in &known {
        next = row.int(0)? + 1;
        // The latest of a day is the one that holds.
        if row.date(1)? == effective_from {
            same = Some((row.int(0)?, row.string(2)?));
        }
    }
    if let Some((number, _)) = same.filter(|(_, known)| known == source) {
        return Ok(Applied { program: id.into(), number, effective_from, unchanged: true });
    }
    if known.is_empty() {
        if effective_from > programme.settlement.first_period.first_day() {
            return Err(ApplyError::TooLate { program: id.into(), from: effective_from, first_period: programme.settlement.first_period });
        }
        let insert = "INSERT INTO programs (id, currency, timezone, first_period) VALUES (?, ?, ?, ?)";
        let first_period = programme.settlement.first_period.to_string();
        execute(tx, insert, vec![id.into(), programme.currency.code().into(), programme.timezone.name().into(), first_period.into()]).await?;
    } else {
        let versions = versions::load(tx, id, i64::MAX).await?;
        program::file::check_successor(versions.constant(), programme).map_err(|error| ApplyError::Successor(Box::new(error)))?;
        if let Some(frozen) = freeze::last(tx, id).await?.filter(|frozen| effective_from <= frozen.period.last_day()) {
            return Err(ApplyError::Posted { program: id.into(), from: effective_from, open: frozen.period.next() });
        }
    }
    let seq = gate::advance(tx, "program", id, now).await?;
    let digest: String = Sha256::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let insert = "INSERT INTO program_versions (program, number, effective_from, source, digest, seq) VALUES (?, ?, ?, ?, ?, ?)";
    let values = vec![id.into(), next.into(), effective_from.to_string().into(), source.into(), digest.into(), seq.into()];
    execute(tx, insert, values).await?;
    execute(tx, "UPDATE programs SET revision = revision + 1 WHERE id = ?", vec![id.into()]).await?;
    Ok(Applied { program: id.into(), number: next, effective_from, unchanged: false })
}

/// The ids of all programmes, in order.
///
/// # Errors
/// The database failed.
pub async fn ids(tx: &DatabaseTransaction) -> Result<Vec<String>, LoadError> {
    rows(tx, "SELECT id FROM programs ORDER BY id", vec![]).await?.iter().map(|row| row.string(0)).collect()
}

/// Whether a partner is recorded.
///
/// # Errors
/// The database failed.
pub async fn is_partner(tx: &DatabaseTransaction, partner: &str) -> Result<bool, LoadError> {
    Ok(first_row(tx, "SELECT 1 FROM partners WHERE id = ?", vec![partner.into()]).await?.is_some())
}
