//! Certificates that end soon, for notices to their partners.

use program::calendar::{Date, days_after};
use sea_orm::DatabaseTransaction;

use crate::load::row::{LoadError, first_row, rows};

/// A certificate that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Its id.
    pub id: String,
    /// Whose.
    pub partner: String,
    /// The partner's name.
    pub name: String,
    /// The partner's address.
    pub email: Option<String>,
    /// What it certifies.
    pub certification: String,
    /// Who holds it.
    pub holder: String,
    /// The first day on which it is not valid any more.
    pub expires_on: Date,
}

/// Certificates valid on a day that end within so many days of it and that no later one of the same holder takes over from, by partner.
///
/// A notice is due once a certificate: (its id, `expires_on`) is its key. At most `limit` come after the id `after` ("" at first).
///
/// # Errors
/// The database failed or holds what can't be read.
///
/// # Source
/// domain.md §3.3: valid from `issued_on` up to the day before `expires_on`.
pub async fn expiring(tx: &DatabaseTransaction, on: Date, within_days: u32, after: &str, limit: u16) -> Result<Vec<Expiring>, LoadError> {
    let query = "SELECT c.id, c.partner, p.name, p.email, c.certification, c.holder, c.expires_on FROM certifications c JOIN partners p ON p.id = c.partner \
                 WHERE c.issued_on <= ? AND c.expires_on > ? AND c.expires_on <= ? AND (c.revoked_on IS NULL OR c.revoked_on > ?) AND c.id > ? \
                   AND NOT EXISTS (SELECT 1 FROM certifications n WHERE n.partner = c.partner AND n.certification = c.certification \
                     AND n.holder = c.holder AND n.expires_on > c.expires_on AND n.issued_on <= c.expires_on AND n.revoked_on IS NULL) \
                 ORDER BY c.id LIMIT ?";
    let (on_text, through) = (on.to_string(), days_after(on, within_days).to_string());
    let day = || on_text.as_str().into();
    let values = vec![day(), day(), through.into(), day(), after.into(), i64::from(limit).into()];
    let mut found = Vec::new();
    for row in rows(tx, query, values).await? {
        found.push(Expiring {
            id: row.string(0)?,
            partner: row.string(1)?,
            name: row.string(2)?,
            email: row.string_or_null(3)?,
            certification: row.string(4)?,
            holder: row.string(5)?,
            expires_on: row.date(6)?,
        });
    }
    Ok(found)
}

/// A certificate as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose.
    pub partner: String,
    /// What it certifies.
    pub certification: String,
    /// Who holds it.
    pub holder: String,
    /// The first day on which it is not valid any more.
    pub expires_on: Date,
}

/// A certificate by its id.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn find(tx: &DatabaseTransaction, id: &str) -> Result<Option<Certificate>, LoadError> {
    let query = "SELECT partner, certification, holder, expires_on FROM certifications WHERE id = ?";
    let Some(row) = first_row(tx, query, vec![id.into()]).await? else { return Ok(None) };
    Ok(Some(Certificate { partner: row.string(0)?, certification: row.string(1)?, holder: row.string(2)?, expires_on: row.date(3)? }))
}
