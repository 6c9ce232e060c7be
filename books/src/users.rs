//! People who act: who they are, which roles they have, and whether they may (interface.md §5).

use std::collections::BTreeSet;

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

use crate::audit::{self, Act};
use crate::load::row::{LoadError, execute, first_row, rows};

/// Bytes of an id or role at most.
const ID_MAX: usize = 128;
/// Characters of a name, address or reason at most.
pub(crate) const TEXT_MAX: usize = 500;
/// Roles of one person at most.
const ROLES_MAX: usize = 50;

/// Who releases, pays and approves.
pub const FINANCE: &str = "finance";
/// Who keeps the product running.
pub const OPS: &str = "ops";
/// Who may do what ops may, and more.
pub const ADMIN: &str = "admin";
/// Somebody of a partner, who sees that partner only.
pub const PARTNER: &str = "partner";

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: String,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
    /// The partner that the person belongs to.
    pub partner: Option<String>,
    /// The roles, sorted.
    pub roles: Vec<String>,
    /// Since when the person may do nothing, and why.
    pub disabled: Option<(Instant, String)>,
}

/// Why somebody can't be added, or may not act.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Nobody has the id.
    #[error("user {0} is not recorded; add the person with `user add`")]
    Unknown(String),
    /// The person is disabled.
    #[error("user {id} is disabled: {reason}")]
    Disabled {
        /// Who.
        id: String,
        /// Why.
        reason: String,
    },
    /// The person lacks the role.
    #[error("user {id} may not do this: it takes the role {needed}")]
    NotEntitled {
        /// Who.
        id: String,
        /// Any of these.
        needed: String,
    },
    /// The person would decide about money of the own partner.
    #[error("user {id} belongs to {partner} and may not decide about its money")]
    Beneficiary {
        /// Who.
        id: String,
        /// The partner.
        partner: String,
    },
    /// The id is taken.
    #[error("user {0} is recorded with another address, partner or roles; a user never changes: disable it and add another")]
    Taken(String),
    /// A text can't be taken.
    #[error("{what} {text:?} can't be taken: {why}")]
    Text {
        /// What it is.
        what: &'static str,
        /// The text, cut.
        text: String,
        /// Why not.
        why: &'static str,
    },
    /// The partner is not recorded.
    #[error("partner {0} is not recorded")]
    NoPartner(String),
    /// Somebody with the role `partner` must belong to one.
    #[error("a user with the role partner belongs to a partner; name it with --partner")]
    WhichPartner,
}

impl PersonError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Load(_))
    }
}

impl User {
    /// Whether the person has a role.
    #[must_use]
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|one| one == role)
    }

    /// The JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        let disabled = self.disabled.as_ref();
        json!({
            "id": self.id, "email": self.email, "name": self.name, "partner": self.partner, "roles": self.roles,
            "disabled_at": disabled.map(|(at, _)| at.to_string()), "disabled_reason": disabled.map(|(_, reason)| reason),
        })
    }
}

/// A text of a person that is not empty, not too long, and has no control characters.
///
/// # Errors
/// [`PersonError::Text`].
pub fn checked<'a>(what: &'static str, text: &'a str, most: usize) -> Result<&'a str, PersonError> {
    let wrong = |why| Err(PersonError::Text { what, text: text.chars().take(60).collect(), why });
    match text {
        _ if text.trim().is_empty() => wrong("it is empty"),
        _ if text.len() > most => wrong("it is too long"),
        _ if text.chars().any(char::is_control) => wrong("it has control characters"),
        _ => Ok(text),
    }
}

/// Adds a person.
///
/// # Idempotency
/// The id: adding the same again changes nothing.
///
/// # Errors
/// A text can't be taken, or the id belongs to somebody else.
pub async fn add(tx: &DatabaseTransaction, user: &User, now: Instant) -> Result<bool, PersonError> {
    checked("the id", &user.id, ID_MAX)?;
    checked("the name", &user.name, TEXT_MAX)?;
    checked("the address", &user.email, TEXT_MAX)?;
    let is_address = user.email.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty()) && !user.email.contains(' ');
    if !is_address {
        return Err(PersonError::Text { what: "the address", text: user.email.clone(), why: "it is no e-mail address" });
    }
    let roles: BTreeSet<&str> = user.roles.iter().map(String::as_str).collect();
    if roles.is_empty() || roles.len() > ROLES_MAX {
        return Err(PersonError::Text { what: "the list of roles", text: String::new(), why: "it has none, or more than 50" });
    }
    for role in &roles {
        checked("the role", role, ID_MAX)?;
    }
    if let Some(partner) = &user.partner
        && !crate::programs::is_partner(tx, partner).await?
    {
        return Err(PersonError::NoPartner(partner.clone()));
    }
    if user.partner.is_none() && roles.contains(PARTNER) {
        return Err(PersonError::WhichPartner);
    }
    let insert = "INSERT INTO users (id, email, name, partner, added_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let values = vec![user.id.as_str().into(), user.email.as_str().into(), user.name.as_str().into(), user.partner.clone().into(), now.0.into()];
    if execute(tx, insert, values).await? == 0 {
        let known = find(tx, &user.id).await?;
        let same = |known: &User| {
            known.email == user.email && known.name == user.name && known.partner == user.partner && known.roles.iter().eq(roles.iter().copied())
        };
        return if known.as_ref().is_some_and(same) { Ok(false) } else { Err(PersonError::Taken(user.id.clone())) };
    }
    for role in &roles {
        execute(tx, "INSERT INTO user_roles (person, role) VALUES (?, ?)", vec![user.id.as_str().into(), (*role).into()]).await?;
    }
    let detail = json!({ "roles": roles, "partner": user.partner });
    audit::write(tx, &Act { by: None, act: "user.added", subject: &format!("user/{}", user.id), detail }, now).await?;
    Ok(true)
}

/// All people, by id.
///
/// # Errors
/// The database failed.
pub async fn list(tx: &DatabaseTransaction) -> Result<Vec<User>, LoadError> {
    let query = "SELECT id, email, name, partner, disabled_at, disabled_reason FROM users ORDER BY id";
    let mut users = Vec::new();
    for row in rows(tx, query, vec![]).await? {
        users.push(read(tx, &row).await?);
    }
    Ok(users)
}

/// The ids of those who have a role, may act, and don't belong to a partner, in order.
///
/// # Errors
/// The database failed.
pub async fn with_role(tx: &DatabaseTransaction, role: &str, not_of: &str) -> Result<Vec<String>, LoadError> {
    let query = "SELECT u.id FROM users u JOIN user_roles r ON r.person = u.id WHERE r.role = ? AND u.disabled_at IS NULL \
                 AND (u.partner IS NULL OR u.partner <> ?) ORDER BY u.id";
    rows(tx, query, vec![role.into(), not_of.into()]).await?.iter().map(|row| row.string(0)).collect()
}

/// A person, if recorded.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &DatabaseTransaction, id: &str) -> Result<Option<User>, LoadError> {
    let query = "SELECT id, email, name, partner, disabled_at, disabled_reason FROM users WHERE id = ?";
    match first_row(tx, query, vec![id.into()]).await? {
        Some(row) => Ok(Some(read(tx, &row).await?)),
        None => Ok(None),
    }
}

async fn read(tx: &DatabaseTransaction, row: &crate::load::row::Row) -> Result<User, LoadError> {
    let id = row.string(0)?;
    let roles = rows(tx, "SELECT role FROM user_roles WHERE person = ? ORDER BY role", vec![id.as_str().into()]).await?;
    let disabled = row.int_or_null(4)?.map(Instant).zip(row.string_or_null(5)?);
    let roles = roles.iter().map(|row| row.string(0)).collect::<Result<_, _>>()?;
    Ok(User { id, email: row.string(1)?, name: row.string(2)?, partner: row.string_or_null(3)?, roles, disabled })
}

/// Disables a person for good.
///
/// # Idempotency
/// The id: the first reason stands.
///
/// # Errors
/// Nobody has the id, or the reason can't be taken.
pub async fn disable(tx: &DatabaseTransaction, id: &str, reason: &str, now: Instant) -> Result<bool, PersonError> {
    checked("the reason", reason, TEXT_MAX)?;
    let user = find(tx, id).await?.ok_or_else(|| PersonError::Unknown(id.to_owned()))?;
    if user.disabled.is_some() {
        return Ok(false);
    }
    let update = "UPDATE users SET disabled_at = ?, disabled_reason = ? WHERE id = ? AND disabled_at IS NULL";
    if execute(tx, update, vec![now.0.into(), reason.into(), id.into()]).await? == 0 {
        return Ok(false);
    }
    let detail = json!({ "reason": reason });
    audit::write(tx, &Act { by: None, act: "user.disabled", subject: &format!("user/{id}"), detail }, now).await?;
    Ok(true)
}

/// The person, who must be enabled and have one of the roles.
///
/// # Errors
/// [`PersonError::Unknown`], [`PersonError::Disabled`], [`PersonError::NotEntitled`].
pub async fn entitled(tx: &DatabaseTransaction, id: &str, roles: &[&str]) -> Result<User, PersonError> {
    let user = find(tx, id).await?.ok_or_else(|| PersonError::Unknown(id.chars().take(ID_MAX).collect()))?;
    if let Some((_, reason)) = &user.disabled {
        return Err(PersonError::Disabled { id: user.id, reason: reason.clone() });
    }
    if !roles.iter().any(|role| user.has(role)) {
        return Err(PersonError::NotEntitled { id: user.id, needed: roles.join(" or ") });
    }
    Ok(user)
}

/// As [`entitled`], and the person must not belong to the partner whose money it is.
///
/// # Errors
/// As [`entitled`], and [`PersonError::Beneficiary`].
pub async fn entitled_for(tx: &DatabaseTransaction, id: &str, roles: &[&str], partner: &str) -> Result<User, PersonError> {
    let user = entitled(tx, id, roles).await?;
    if user.partner.as_deref() == Some(partner) {
        return Err(PersonError::Beneficiary { id: user.id, partner: partner.to_owned() });
    }
    Ok(user)
}
