//! Whom a partner's letters go to.

use sea_orm::DatabaseTransaction;

use crate::load::row::{LoadError, first_row};

/// A partner's name and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// The e-mail address, if there is one.
    pub email: Option<String>,
}

/// The contact of a partner; `None`: it is not recorded.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_partner(tx: &DatabaseTransaction, partner: &str) -> Result<Option<Contact>, LoadError> {
    let Some(row) = first_row(tx, "SELECT name, email FROM partners WHERE id = ?", vec![partner.into()]).await? else { return Ok(None) };
    Ok(Some(Contact { name: row.string(0)?, email: row.string_or_null(1)?.filter(|email| !email.is_empty()) }))
}
