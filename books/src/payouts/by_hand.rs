//! What finance pays itself (adapter `manual`) or by a file for the bank (`pain001`): a person's word stands for the provider's. So it does
//! for what a provider was asked to pay and says that it never was.

use program::calendar::Instant;
use program::payout::{Illegal, Payout, PayoutId, Ruling, State, Word};
use sea_orm::DatabaseTransaction;

use super::PayoutError;
use super::bank_files::{self, PAIN001};
use super::hear::{Said, provider_says};
use super::record::{self, Source};
use crate::instance;
use crate::users::{self, FINANCE};

/// The adapter whose payouts are marked by hand.
pub const MANUAL: &str = "manual";

/// What a person says of a payout.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    /// How it ended.
    pub word: Word,
    /// Who says so.
    pub by: &'a str,
    /// Why, or by which transfer.
    pub reason: &'a str,
    /// Why a person may say so of what a provider was asked to pay.
    pub ground: Option<Ground>,
}

/// Why a person may say that a payout failed which a provider was asked to pay. Who marks it has found it out just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The provider, asked after this revision of the payout, does not know it, and it is sent no more.
    NeverArrived {
        /// The revision.
        revision: i64,
    },
    /// The adapter that has paid it is no longer configured, so no word of it comes.
    AdapterGone,
}

impl Ground {
    /// Whether it lets a person say so of a payout as it stands: of an unknown one of which nothing has left since the provider was asked, or
    /// of a paid one whose money came back.
    async fn holds(self, tx: &DatabaseTransaction, payout: &Payout, word: Word) -> Result<bool, PayoutError> {
        let Self::NeverArrived { revision } = self else { return Ok(word == Word::Failed && payout.state == State::Paid) };
        if payout.revision != revision {
            return Err(PayoutError::Changed(payout.id.to_string()));
        }
        // After another attempt it is not known again until its answer, or the want of it, is noted.
        let is_heard = record::last_word(tx, payout).await?.as_deref() == Some("unknown");
        Ok(word == Word::Failed && matches!(payout.state, State::Unknown { .. }) && is_heard)
    }
}

/// Marks a payout of the adapters `manual` and `pain001` paid or failed; a paid one may be marked failed when the bank sends the money back.
/// What a provider was asked to pay is marked failed on a [`Ground`] alone.
///
/// What a file pays is marked paid only if it is in a file: a bank that was told nothing has paid nothing. In a restored database the file
/// may be newer than the backup, and finance's word is enough until that is reconciled.
///
/// # Idempotency
/// Marking it again as it stands changes nothing.
///
/// # Errors
/// The person may not, there is no such payout, another adapter pays it, or it stands where it can't be marked so.
pub async fn mark(tx: &DatabaseTransaction, id: &PayoutId, mark: Mark<'_>, now: Instant) -> Result<Payout, PayoutError> {
    let Mark { word, by, reason, ground } = mark;
    users::checked("the reason", reason, users::TEXT_MAX)?;
    let before = record::locked(tx, id).await?;
    users::entitled_for(tx, by, &[FINANCE], &before.partner).await?;
    let illegal = |wanted| PayoutError::Illegal { payout: id.to_string(), illegal: Illegal { state: before.state.clone(), wanted } };
    let wanted = if word == Word::Paid { "marked paid" } else { "marked failed" };
    let provider = match before.provider.as_deref() {
        Some(MANUAL) => MANUAL,
        Some(PAIN001) => PAIN001,
        Some(provider) if is_well_founded(tx, &before, word, ground).await? => provider,
        Some(provider) => return Err(PayoutError::NotByHand { payout: id.to_string(), provider: provider.to_owned() }),
        None => return Err(illegal(wanted)),
    };
    let file = if provider == PAIN001 { bank_files::of_payout(tx, id).await? } else { None };
    if let Some(file) = file.as_ref().filter(|file| word == Word::Failed && file.written_at.is_none()) {
        return Err(PayoutError::FileUnwritten { payout: id.to_string(), file: file.id.to_string() });
    }
    let is_told = word != Word::Paid || provider == MANUAL || file.is_some();
    if !is_told && !instance::awaits_reconciliation(tx).await? {
        return Err(PayoutError::InNoFile(id.to_string()));
    }
    match before.state.ruling(word) {
        Ruling::Moves => {}
        Ruling::Confirms => return Ok(before),
        Ruling::Stale | Ruling::Contradicts => return Err(illegal(wanted)),
    }
    let said = Said { word, source: Source::Person, provider, provider_id: None, reason: Some(reason), event: None, by: Some(by) };
    Ok(provider_says(tx, id, &said, now).await?.0)
}

async fn is_well_founded(tx: &DatabaseTransaction, payout: &Payout, word: Word, ground: Option<Ground>) -> Result<bool, PayoutError> {
    match ground {
        Some(ground) => ground.holds(tx, payout, word).await,
        None => Ok(false),
    }
}
