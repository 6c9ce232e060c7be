//! Signing in to the page of approvals: one-time codes by mail, and the sessions that they open (reliability.md §3.3, §3.8).
//!
//! Nothing here is a secret: codes, sessions and their tokens are known by digests that the caller makes.

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;

use super::{MdfError, asked, record};
use crate::load::row::{LoadError, execute, first_row};
use crate::users::{self, User};

/// How long a code is good for, seconds.
pub const CODE_LASTS_S: i64 = 10 * 60;
/// How often a code may be guessed.
pub const TRIES_MAX: i64 = 5;
/// Codes of one person within an hour that anybody may ask for who knows the address.
pub const CODES_OF_PERSON_MAX: i64 = 5;
/// Codes about one claim within an hour that anybody may ask for.
pub const CODES_OF_CLAIM_MAX: i64 = 20;
/// Codes of one person within an hour that are asked for from the person's own mail: nobody else can use them up.
pub const CODES_FROM_MAIL_MAX: i64 = 5;
/// How long what the link of a mail carries is known, seconds.
const LINK_LASTS_S: i64 = 180 * 24 * HOUR_S;
/// How long a session lasts, seconds.
pub const SESSION_LASTS_S: i64 = 30 * 60;
/// Mails of one code, which the outbox may try to send again, that are good at once.
const WRITTEN_MAX: usize = 8;

const HOUR_S: i64 = 3_600;

/// Who may be asked for a code: somebody who may decide the claim's step that waits, by address. Nobody, where the address is another enabled
/// person's, too: a code that two can read says nothing about who they are.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn addressed(tx: &DatabaseTransaction, claim: &str, email: &str) -> Result<Option<User>, MdfError> {
    if record::find(tx, claim).await?.is_none() {
        return Ok(None);
    }
    let Some(waiting) = asked::waiting(tx, claim).await? else { return Ok(None) };
    let people = asked::people(tx, &waiting).await?;
    let Some(person) = people.into_iter().find(|person| users::is_same_address(&person.email, email)) else { return Ok(None) };
    let sharing = users::with_address(tx, email).await?;
    if sharing.len() > 1 {
        tracing::warn!(claim, people = sharing.join(" "), "approval.address_shared");
        return Ok(None);
    }
    Ok(Some(person))
}

/// Keeps what the link of a mail to an approver carries, by its digest: from there the person asks for codes that others can't use up. It is
/// no authority: without a code of the person's own mail it opens nothing.
///
/// # Errors
/// The database failed.
pub async fn keep_link(tx: &DatabaseTransaction, token_digest: &str, person: &str, claim: &str, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO approval_links (token_digest, person, claim, created_at) VALUES (?, ?, ?, ?)";
    execute(tx, insert, vec![token_digest.into(), person.into(), claim.into(), now.0.into()]).await?;
    Ok(())
}

/// Who asks for a code.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// About which claim.
    pub claim: &'a str,
    /// For which address.
    pub email: &'a str,
    /// The digest of a secret of the browser that asks, which alone can use the code.
    pub id: &'a str,
    /// The digest of what the link of a mail carried, if the browser came by one.
    pub link: Option<&'a str>,
}

/// Records that somebody asks for a code. `None`: nobody of the address may decide now, or there were too many codes within the hour.
///
/// Those that anybody asks for who knows an address and a claim are counted apart from those that are asked for from the person's own mail
/// about the claim: a stranger uses up the former alone.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn ask(tx: &DatabaseTransaction, asking: Asking<'_>, now: Instant) -> Result<Option<User>, MdfError> {
    let Asking { claim, email, id, link } = asking;
    // The claim's lock lets codes be counted one after the other.
    match record::locked(tx, claim).await {
        Ok(_) => {}
        Err(MdfError::NoClaim(_)) => return Ok(None),
        Err(error) => return Err(error),
    }
    let Some(person) = addressed(tx, claim, email).await? else { return Ok(None) };
    forget(tx, now).await?;
    let is_from_mail = is_link_of(tx, link, &person, claim).await?;
    let bounds: &[(&str, &str, i64)] = if is_from_mail {
        &[("person", person.id.as_str(), CODES_FROM_MAIL_MAX)]
    } else {
        &[("person", person.id.as_str(), CODES_OF_PERSON_MAX), ("claim", claim, CODES_OF_CLAIM_MAX)]
    };
    let since = Instant(now.0 - HOUR_S * 1_000_000);
    for (column, value, most) in bounds {
        // One that was never mailed counts while it may be: nobody gets more mails by it, and whoever waited in vain may ask again.
        let query = format!(
            "SELECT COUNT(*) FROM approval_codes WHERE {column} = ? AND from_mail = ? AND created_at > ? AND (code_digest <> '' OR expires_at > ?)"
        );
        let values = vec![(*value).into(), i64::from(is_from_mail).into(), since.0.into(), now.0.into()];
        let count = first_row(tx, &query, values).await?.map_or(Ok(0), |row| row.int(0))?;
        if count >= *most {
            return Ok(None);
        }
    }
    let insert = "INSERT INTO approval_codes (id, person, claim, code_digest, created_at, expires_at, from_mail) VALUES (?, ?, ?, '', ?, ?, ?)";
    let ends = now.0 + CODE_LASTS_S * 1_000_000;
    let values = vec![id.into(), person.id.as_str().into(), claim.into(), now.0.into(), ends.into(), i64::from(is_from_mail).into()];
    execute(tx, insert, values).await?;
    Ok(Some(person))
}

/// Whether a link's digest is that of a mail to this person about this claim. Tokens have 256 random bits: looking up their digests tells
/// nobody anything.
async fn is_link_of(tx: &DatabaseTransaction, link: Option<&str>, person: &User, claim: &str) -> Result<bool, LoadError> {
    let Some(link) = link else { return Ok(false) };
    let query = "SELECT 1 FROM approval_links WHERE token_digest = ? AND person = ? AND claim = ?";
    Ok(first_row(tx, query, vec![link.into(), person.id.as_str().into(), claim.into()]).await?.is_some())
}

/// Codes and sessions whose time is long over are of no use to anybody.
async fn forget(tx: &DatabaseTransaction, now: Instant) -> Result<(), LoadError> {
    let before = now.0 - HOUR_S * 1_000_000;
    execute(tx, "DELETE FROM approval_codes WHERE expires_at <= ?", vec![before.into()]).await?;
    execute(tx, "DELETE FROM approval_sessions WHERE expires_at <= ?", vec![before.into()]).await?;
    execute(tx, "DELETE FROM approval_links WHERE created_at <= ?", vec![(now.0 - LINK_LASTS_S * 1_000_000).into()]).await?;
    Ok(())
}

/// A code that is about to be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// To whom.
    pub person: User,
    /// About which claim.
    pub claim: String,
    /// Until when it is good.
    pub expires_at: Instant,
}

/// Whom a code is for; `None`: it is used or over, so no mail is worth sending.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn asked(tx: &DatabaseTransaction, id: &str, now: Instant) -> Result<Option<Asked>, LoadError> {
    let query = "SELECT person, claim, expires_at FROM approval_codes WHERE id = ? AND used_at IS NULL AND expires_at > ?";
    let Some(row) = first_row(tx, query, vec![id.into(), now.0.into()]).await? else { return Ok(None) };
    let Some(person) = users::find(tx, &row.string(0)?).await?.filter(|person| person.disabled.is_none()) else { return Ok(None) };
    Ok(Some(Asked { person, claim: row.string(1)?, expires_at: row.instant(2)? }))
}

/// Makes a code good, by its digest, before it is mailed. A mail whose fate is unknown is sent again with another code: the ones before
/// it stay good, since any of them may be the one that arrived. `false`: it is used or over, or was written too often.
///
/// # Errors
/// The database failed.
pub async fn written(tx: &DatabaseTransaction, id: &str, code_digest: &str, now: Instant) -> Result<bool, LoadError> {
    let query = "SELECT code_digest FROM approval_codes WHERE id = ?";
    let Some(row) = first_row(tx, query, vec![id.into()]).await? else { return Ok(false) };
    if row.string(0)?.split_whitespace().count() >= WRITTEN_MAX {
        return Ok(false);
    }
    let update = "UPDATE approval_codes SET code_digest = code_digest || ' ' || ? WHERE id = ? AND used_at IS NULL AND expires_at > ?";
    Ok(execute(tx, update, vec![code_digest.into(), id.into(), now.0.into()]).await? > 0)
}

/// Tries a code and, where it is right, uses it up and says whose it is. The try is counted whether or not it is right: commit it.
///
/// `is_right` compares, in constant time, with a digest of a code that was mailed.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn try_code(
    tx: &DatabaseTransaction,
    id: &str,
    claim: &str,
    is_right: impl Fn(&str) -> bool + Send,
    now: Instant,
) -> Result<Option<User>, LoadError> {
    let count = "UPDATE approval_codes SET tries = tries + 1 WHERE id = ? AND claim = ? AND used_at IS NULL AND expires_at > ? AND tries < ?";
    if execute(tx, count, vec![id.into(), claim.into(), now.0.into(), TRIES_MAX.into()]).await? == 0 {
        return Ok(None);
    }
    let row = first_row(tx, "SELECT person, code_digest FROM approval_codes WHERE id = ?", vec![id.into()]).await?;
    let row = row.ok_or(LoadError::Corrupt { value: id.into(), what: "a code" })?;
    // All are compared, whichever fits.
    if row.string(1)?.split_whitespace().filter(|digest| is_right(digest)).count() == 0 {
        return Ok(None);
    }
    execute(tx, "UPDATE approval_codes SET used_at = ? WHERE id = ?", vec![now.0.into(), id.into()]).await?;
    Ok(users::find(tx, &row.string(0)?).await?.filter(|person| person.disabled.is_none()))
}

/// Opens a session, known by the digests of its token and of what its forms carry.
///
/// # Errors
/// The database failed.
pub async fn open(tx: &DatabaseTransaction, person: &str, token_digest: &str, csrf_digest: &str, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO approval_sessions (token_digest, person, csrf_digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?)";
    let ends = now.0 + SESSION_LASTS_S * 1_000_000;
    execute(tx, insert, vec![token_digest.into(), person.into(), csrf_digest.into(), now.0.into(), ends.into()]).await?;
    Ok(())
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub person: User,
    /// The digest of what its forms carry.
    pub csrf_digest: String,
    /// When it ends.
    pub expires_at: Instant,
}

/// The session of a token, by its digest; reading it changes nothing. One of somebody who was disabled since is none.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn session(tx: &DatabaseTransaction, token_digest: &str, now: Instant) -> Result<Option<Session>, LoadError> {
    let query = "SELECT person, csrf_digest, expires_at FROM approval_sessions WHERE token_digest = ? AND expires_at > ?";
    let Some(row) = first_row(tx, query, vec![token_digest.into(), now.0.into()]).await? else { return Ok(None) };
    let person = users::find(tx, &row.string(0)?).await?.filter(|person| person.disabled.is_none());
    let Some(person) = person else { return Ok(None) };
    Ok(Some(Session { person, csrf_digest: row.string(1)?, expires_at: row.instant(2)? }))
}
