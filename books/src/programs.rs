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
    /// The version recorded before that takes over on a later day, if any.
    pub until: Option<Takeover>,
    /// Whether it was recorded before, unchanged.
    pub unchanged: bool,
}

/// A version that holds from a later day on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// The day.
    pub on: Date,
    /// The version's number.
    pub number: i64,
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

/// The version that takes over from one in force from a day on: of the next day on which any begins, the one that holds.
///
/// # Errors
/// The database failed.
pub async fn takeover(tx: &DatabaseTransaction, program: &str, from: Date) -> Result<Option<Takeover>, LoadError> {
    let query =
        "SELECT effective_from, number FROM program_versions WHERE program = ? AND effective_from > ? ORDER BY effective_from, number DESC LIMIT 1";
    let row = first_row(tx, query, vec![program.into(), from.to_string().into()]).await?;
    row.map(|row| Ok(Takeover { on: row.date(0)?, number: row.int(1)? })).transpose()
}

/// Refuses a day from which a version of a programme can't hold.
///
/// # Errors
/// [`ApplyError::TooLate`] of a first version, [`ApplyError::Posted`] of a later one, or the database failed.
pub async fn check_from(tx: &DatabaseTransaction, programme: &Programme, from: Date) -> Result<(), ApplyError> {
    let program = programme.id.clone();
    let known = first_row(tx, "SELECT 1 FROM programs WHERE id = ?", vec![program.as_str().into()]).await?.is_some();
    if !known {
        let first_period = programme.settlement.first_period;
        return if from > first_period.first_day() { Err(ApplyError::TooLate { program, from, first_period }) } else { Ok(()) };
    }
    match freeze::last(tx, &program).await?.filter(|frozen| from <= frozen.period.last_day()) {
        Some(frozen) => Err(ApplyError::Posted { program, from, open: frozen.period.next() }),
        None => Ok(()),
    }
}

/// Records a version that was loaded from `source`.
///
/// # Idempotency
/// The same text from the same day on: nothing is recorded again. Nor where no day is given, the version in force has this text, and none
/// follows it (domain.md §2.7).
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
    let until = takeover(tx, id, effective_from).await?;
    let mut next = 1;
    let mut in_force: Option<(Date, i64, String)> = None;
    for row in &known {
        next = row.int(0)? + 1;
        let begins = row.date(1)?;
        // The latest of a day is the one that holds.
        if begins <= effective_from && in_force.as_ref().is_none_or(|(earlier, ..)| *earlier <= begins) {
            in_force = Some((begins, row.int(0)?, row.string(2)?));
        }
    }
    let is_recorded = |begins: Date| begins == effective_from || (from.is_none() && until.is_none());
    if let Some((begins, number, _)) = in_force.filter(|(begins, _, known)| known == source && is_recorded(*begins)) {
        return Ok(Applied { program: id.into(), number, effective_from: begins, until, unchanged: true });
    }
    if known.is_empty() {
        check_from(tx, programme, effective_from).await?;
        let insert = "INSERT INTO programs (id, currency, timezone, first_period) VALUES (?, ?, ?, ?)";
        let first_period = programme.settlement.first_period.to_string();
        execute(tx, insert, vec![id.into(), programme.currency.code().into(), programme.timezone.name().into(), first_period.into()]).await?;
    } else {
        let versions = versions::load(tx, id, i64::MAX).await?;
        program::file::check_successor(versions.constant(), programme).map_err(|error| ApplyError::Successor(Box::new(error)))?;
        check_from(tx, programme, effective_from).await?;
    }
    let seq = gate::advance(tx, "program", id, now).await?;
    let digest: String = Sha256::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let insert = "INSERT INTO program_versions (program, number, effective_from, source, digest, seq) VALUES (?, ?, ?, ?, ?, ?)";
    let values = vec![id.into(), next.into(), effective_from.to_string().into(), source.into(), digest.into(), seq.into()];
    execute(tx, insert, values).await?;
    execute(tx, "UPDATE programs SET revision = revision + 1 WHERE id = ?", vec![id.into()]).await?;
    Ok(Applied { program: id.into(), number: next, effective_from, until, unchanged: false })
}

/// The ids of all programmes, in order.
///
/// # Errors
/// The database failed.
pub async fn ids(tx: &DatabaseTransaction) -> Result<Vec<String>, LoadError> {
    rows(tx, "SELECT id FROM programs ORDER BY id", vec![]).await?.iter().map(|row| row.string(0)).collect()
}

/// Notes since when a service knows the programmes that are recorded. Only a service says so, whatever a command does on the way.
///
/// # Idempotency
/// By programme: the first time stands.
///
/// # Errors
/// The database failed.
pub async fn note_served(tx: &DatabaseTransaction, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO served_programs (program, since) SELECT p.id, CAST(? AS BIGINT) FROM programs p \
                  WHERE NOT EXISTS (SELECT 1 FROM served_programs s WHERE s.program = p.id) ON CONFLICT (program) DO NOTHING";
    execute(tx, insert, vec![now.0.into()]).await?;
    Ok(())
}

/// Whether a partner is recorded.
///
/// # Errors
/// The database failed.
pub async fn is_partner(tx: &DatabaseTransaction, partner: &str) -> Result<bool, LoadError> {
    Ok(first_row(tx, "SELECT 1 FROM partners WHERE id = ?", vec![partner.into()]).await?.is_some())
}
