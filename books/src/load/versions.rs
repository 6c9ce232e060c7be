//! Loads a programme's versions.

use program::version::{Version, Versions};
use sea_orm::DatabaseTransaction;

use super::row::{LoadError, rows};

/// The versions of a programme recorded up to a cut-off.
///
/// # Errors
/// The programme is not recorded, or a stored file no longer loads.
pub async fn load(tx: &DatabaseTransaction, program: &str, cutoff: i64) -> Result<Versions, LoadError> {
    let found = rows(
        tx,
        "SELECT number, effective_from, source FROM program_versions WHERE program = ? AND seq <= ? ORDER BY number",
        vec![program.into(), cutoff.into()],
    )
    .await?;
    let mut versions = Vec::with_capacity(found.len());
    for row in found {
        let number = row.int(0)?;
        let source = row.string(2)?;
        let programme = program::file::load(program, &source).map_err(|errors| LoadError::Version {
            program: program.into(),
            number,
            reason: errors.to_string(),
        })?;
        versions.push(Version { number, effective_from: row.date(1)?, programme });
    }
    Versions::new(versions).map_err(|_| LoadError::NoProgram(program.into()))
}
