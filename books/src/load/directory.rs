//! Loads all partners as one programme sees them.

use program::calendar::parse_date;
use program::line::Text;
use program::member::{Assignment, Certificate, Directory, Origin, ParentLink, Partner, PartnerId, PartnerNo, Status};
use sea_orm::DatabaseTransaction;

use super::knowledge::FilledLater;
use super::row::{LoadError, Row, rows};

/// The directory, and the partners' home programmes.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn load(tx: &DatabaseTransaction, program: &str, cutoff: i64, later: &FilledLater) -> Result<(Directory, Vec<Text>), LoadError> {
    let (mut directory, homes) = partners(tx, cutoff, later).await?;
    tiers(tx, program, cutoff, &mut directory).await?;
    parents(tx, program, cutoff, later, &mut directory).await?;
    statuses(tx, program, cutoff, &mut directory).await?;
    certificates(tx, cutoff, later, &mut directory).await?;
    metrics(tx, cutoff, &mut directory).await?;
    Ok((directory, homes))
}

async fn partners(tx: &DatabaseTransaction, cutoff: i64, later: &FilledLater) -> Result<(Directory, Vec<Text>), LoadError> {
    let mut directory = Directory::default();
    let mut homes = Vec::new();
    let query = "SELECT id, program, kind, country FROM partners WHERE seq <= ? ORDER BY id";
    for row in rows(tx, query, vec![cutoff.into()]).await? {
        let id = row.text(0)?;
        let known = |field: &str, value: Option<String>| if later.was_empty("partners", &id, field) { None } else { value };
        let kind = known("kind", row.string_or_null(2)?).unwrap_or_default();
        let country = known("country", row.string_or_null(3)?).unwrap_or_default();
        homes.push(row.text(1)?);
        directory.add(Partner { id: PartnerId(id.clone()), kind, country, ..Partner::default() });
    }
    Ok((directory, homes))
}

fn partner_at(directory: &Directory, row: &Row, column: usize) -> Result<PartnerNo, LoadError> {
    let id = row.string(column)?;
    directory.find(&id).ok_or(LoadError::Corrupt { value: id, what: "a recorded partner" })
}

async fn tiers(tx: &DatabaseTransaction, program: &str, cutoff: i64, directory: &mut Directory) -> Result<(), LoadError> {
    let query =
        "SELECT partner, effective_from, tier, origin FROM tier_assignments WHERE program = ? AND seq <= ? ORDER BY partner, effective_from, seq, no";
    for row in rows(tx, query, vec![program.into(), cutoff.into()]).await? {
        let no = partner_at(directory, &row, 0)?;
        let text = row.string(3)?;
        let origin = Origin::named(&text).ok_or(LoadError::Corrupt { value: text, what: "an origin" })?;
        directory.partner_mut(no).tiers.push(Assignment { effective_from: row.date(1)?, tier: row.text(2)?, origin });
    }
    Ok(())
}

async fn parents(tx: &DatabaseTransaction, program: &str, cutoff: i64, later: &FilledLater, directory: &mut Directory) -> Result<(), LoadError> {
    let query =
        "SELECT partner, effective_from, parent, override_rate FROM parent_links WHERE program = ? AND seq <= ? ORDER BY partner, effective_from";
    for row in rows(tx, query, vec![program.into(), cutoff.into()]).await? {
        let no = partner_at(directory, &row, 0)?;
        let key = format!("{}/{program}/{}", row.string(0)?, row.string(1)?);
        let empty = |field: &str| later.was_empty("parents", &key, field);
        let parent = match row.string_or_null(2)? {
            Some(_) if !empty("parent") => Some(partner_at(directory, &row, 2)?),
            _ => None,
        };
        let override_rate = if empty("override_rate") { None } else { row.rate_or_null(3)? };
        directory.partner_mut(no).parents.push(ParentLink { effective_from: row.date(1)?, parent, override_rate });
    }
    Ok(())
}

async fn statuses(tx: &DatabaseTransaction, program: &str, cutoff: i64, directory: &mut Directory) -> Result<(), LoadError> {
    let query = "SELECT partner, effective_from, status FROM statuses WHERE program = ? AND seq <= ? ORDER BY partner, effective_from";
    for row in rows(tx, query, vec![program.into(), cutoff.into()]).await? {
        let no = partner_at(directory, &row, 0)?;
        let text = row.string(2)?;
        let status = Status::named(&text).ok_or(LoadError::Corrupt { value: text, what: "a status" })?;
        directory.partner_mut(no).statuses.push((row.date(1)?, status));
    }
    Ok(())
}

async fn certificates(tx: &DatabaseTransaction, cutoff: i64, later: &FilledLater, directory: &mut Directory) -> Result<(), LoadError> {
    let query = "SELECT partner, certification, holder, issued_on, expires_on, revoked_on, id FROM certifications WHERE seq <= ? ORDER BY id";
    for row in rows(tx, query, vec![cutoff.into()]).await? {
        let no = partner_at(directory, &row, 0)?;
        let revoked_on = if later.was_empty("certifications", &row.string(6)?, "revoked_on") { None } else { row.date_or_null(5)? };
        directory.partner_mut(no).certificates.push(Certificate {
            certification: row.text(1)?,
            holder: row.text(2)?,
            issued_on: row.date(3)?,
            expires_on: row.date(4)?,
            revoked_on,
        });
    }
    Ok(())
}

async fn metrics(tx: &DatabaseTransaction, cutoff: i64, directory: &mut Directory) -> Result<(), LoadError> {
    let query = "SELECT partner, metric, as_of, value FROM metrics WHERE seq <= ? ORDER BY partner, metric, as_of";
    for row in rows(tx, query, vec![cutoff.into()]).await? {
        let no = partner_at(directory, &row, 0)?;
        let as_of = row.string(2)?;
        let as_of = parse_date(&as_of).map_err(|_| LoadError::Corrupt { value: as_of, what: "a date" })?;
        directory.partner_mut(no).metrics.entry(row.string(1)?).or_default().push((as_of, row.string(3)?));
    }
    Ok(())
}
