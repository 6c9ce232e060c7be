//! The letter with a code for the page of approvals, and the links of letters that lead there: codes and what links carry are made here, and
//! only their digests are kept.

use books::connection::Books;
use books::load::row::LoadError;
use books::mdf::sign_in;
use program::calendar::Instant;

use super::{Told, Unwritten};
use crate::adapters::mail::letter::{self, Letter as Worded};
use crate::approvals::secrets;

/// Makes a code and lets it count, before the letter leaves.
pub(super) async fn write(books: &Books, id: &str, now: Instant) -> Result<Told, Unwritten> {
    let tx = books.begin_write().await.map_err(LoadError::from)?;
    let over = || Unwritten::Nothing("the code is used or its time is over; whoever needs one asks for another".into());
    let made = async {
        let asked = sign_in::asked(&tx, id, now).await?.ok_or_else(over)?;
        let code = secrets::code().map_err(|error| Unwritten::Nothing(error.to_string()))?;
        let is_good = sign_in::written(&tx, id, &secrets::code_digest(id, &asked.claim, &code), now).await?;
        if is_good { Ok((asked, code)) } else { Err(over()) }
    }
    .await;
    let (asked, code) = match made {
        Ok(made) => {
            tx.commit().await.map_err(LoadError::from)?;
            made
        }
        Err(error) => {
            tx.rollback().await.map_err(LoadError::from)?;
            return Err(error);
        }
    };
    let worded =
        Worded::ApprovalCode(letter::ApprovalCode { name: asked.person.name, claim: asked.claim, code, expires_at: asked.expires_at.to_string() });
    Ok(Told { to: asked.person.email, worded, attachments: Vec::new() })
}

/// What the link of a letter to an approver carries, kept before the letter leaves. A letter that is sent again carries another, and all of
/// them are good.
pub(super) async fn link(books: &Books, claim: &str, person: &str, now: Instant) -> Result<String, Unwritten> {
    let token = secrets::token().map_err(|error| Unwritten::Nothing(error.to_string()))?;
    let tx = books.begin_write().await.map_err(LoadError::from)?;
    match sign_in::keep_link(&tx, &secrets::token_digest(&token), person, claim, now).await {
        Ok(()) => tx.commit().await.map_err(LoadError::from)?,
        Err(error) => {
            tx.rollback().await.map_err(LoadError::from)?;
            return Err(error.into());
        }
    }
    Ok(token)
}
