//! What a claim holds of a wallet, releases and captures (domain.md §6.1, §6.2, §7).
//!
//! A hold takes from the oldest lots that have not ended; what is released goes back to the youngest of those first, so that what a claim
//! keeps is always the oldest. The caller holds the claim's row; the wallet's row is locked here.

use program::calendar::{Date, Instant, Period};
use program::version::Versions;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use super::{Draw, Ended, Lot, WalletKey, draw, expire_wallet, fill_debt, lot_ends_on, lots};
use crate::ledger::{self, Posting, Transaction};
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::settlement::freeze::{self, Stage};

/// A movement of a claim's money.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimMove<'a> {
    /// The wallet.
    pub(crate) key: &'a WalletKey,
    /// The claim.
    pub(crate) claim: &'a str,
    /// Above zero, minor units.
    pub(crate) amount_minor: i64,
    /// Which movement of the claim it is: the transaction's name.
    pub(crate) ordinal: i64,
    /// The day in the programme's zone.
    pub(crate) day: Date,
    /// Now.
    pub(crate) now: Instant,
}

/// What is available of a wallet is less than what a claim asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLittle {
    /// What is available, minor units.
    pub(crate) available_minor: i64,
}

fn of_key(key: &WalletKey) -> Vec<sea_orm::Value> {
    vec![(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()]
}

/// Holds an amount, if it is available; the id of what the ledger posted.
///
/// # Errors
/// The database failed. `Ok(Err(_))`: less is available, and nothing has changed.
pub(crate) async fn hold(tx: &DatabaseTransaction, one: ClaimMove<'_>, versions: &Versions) -> Result<Result<String, TooLittle>, LoadError> {
    let Some((balance_minor, held_minor)) = lock(tx, one.key).await? else { return Ok(Err(TooLittle { available_minor: 0 })) };
    let has_ended = |lot: &Lot| lot_ends_on(versions, lot.earned_on).is_some_and(|ends_on| ends_on <= one.day);
    let (ended, mut usable): (Vec<Lot>, Vec<Lot>) = lots(tx, one.key).await?.into_iter().partition(|lot| has_ended(lot));
    let sum = |lots: &[Lot]| lots.iter().map(|lot| i128::from(lot.remaining_minor)).sum::<i128>();
    // Both say the same unless the wallet is negative, and then it has no lots.
    let available = (i128::from(balance_minor) - i128::from(held_minor) - sum(&ended)).min(sum(&usable));
    if available < i128::from(one.amount_minor) {
        return Ok(Err(TooLittle { available_minor: i64::try_from(available).unwrap_or(i64::MIN) }));
    }
    let mut left_minor = one.amount_minor;
    for lot in usable.iter_mut().filter(|lot| lot.remaining_minor > 0) {
        let amount_minor = left_minor.min(lot.remaining_minor);
        if amount_minor == 0 {
            break;
        }
        left_minor -= amount_minor;
        draw(tx, one.key, lot, Draw { kind: "hold", amount_minor, dated_on: one.day, reference: one.claim.to_owned() }).await?;
    }
    move_wallet(tx, one.key, 0, one.amount_minor).await?;
    post(tx, one, "hold").await.map(Ok)
}

/// Gives a part or all of what a claim holds back to its lots; the id of what the ledger posted.
///
/// # Errors
/// The claim holds less, or the database failed.
pub(crate) async fn release(tx: &DatabaseTransaction, one: ClaimMove<'_>) -> Result<String, LoadError> {
    lock(tx, one.key).await?;
    let query = "SELECT invoice, item, role, CAST(SUM(amount_minor) AS BIGINT) FROM lot_draws WHERE program = ? AND partner = ? AND currency = ? \
                 AND reference = ? AND kind IN ('hold', 'release') GROUP BY invoice, item, role HAVING SUM(amount_minor) > 0";
    let held = rows(tx, query, [of_key(one.key), vec![one.claim.into()]].concat()).await?;
    let mut of_claim = Vec::new();
    for row in held {
        of_claim.push((row.text(0)?, row.text(1)?, row.text(2)?, row.int(3)?));
    }
    let mut left_minor = one.amount_minor;
    for lot in lots(tx, one.key).await?.iter_mut().rev() {
        let own = of_claim.iter().find(|(invoice, item, role, _)| (invoice, item, role) == (&lot.invoice, &lot.item, &lot.role));
        let amount_minor = own.map_or(0, |(.., held_minor)| left_minor.min(*held_minor));
        if amount_minor > 0 {
            left_minor -= amount_minor;
            draw(tx, one.key, lot, Draw { kind: "release", amount_minor: -amount_minor, dated_on: one.day, reference: one.claim.to_owned() }).await?;
        }
    }
    if left_minor != 0 {
        return Err(LoadError::Corrupt { value: one.claim.to_owned(), what: "a claim whose holds come to its amount" });
    }
    move_wallet(tx, one.key, 0, -one.amount_minor).await?;
    fill_debt(tx, one.key, one.day, one.claim).await?;
    post(tx, one, "release").await
}

/// Debits a wallet by what a claim holds: the money is in transit from now on; the id of what the ledger posted.
///
/// # Errors
/// The database failed.
pub(crate) async fn capture(tx: &DatabaseTransaction, one: ClaimMove<'_>) -> Result<String, LoadError> {
    lock(tx, one.key).await?;
    move_wallet(tx, one.key, -one.amount_minor, -one.amount_minor).await?;
    post(tx, one, "capture").await
}

/// What the wallet is short of, minor units: a reversal has taken what was spent or is held (domain.md §4.4). Its row is locked.
///
/// # Errors
/// The database failed.
pub(crate) async fn short_of(tx: &DatabaseTransaction, key: &WalletKey) -> Result<i64, LoadError> {
    Ok(lock(tx, key).await?.map_or(0, |(balance_minor, held_minor)| held_minor.saturating_sub(balance_minor).max(0)))
}

/// Whoever holds, releases or expires waits for the other, so that what is left is decided once; SQLite has one writer.
async fn lock(tx: &DatabaseTransaction, key: &WalletKey) -> Result<Option<(i64, i64)>, LoadError> {
    let end = if ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres { " FOR UPDATE" } else { "" };
    let query = format!("SELECT balance_minor, held_minor FROM wallets WHERE program = ? AND partner = ? AND fund = 'coop' AND currency = ?{end}");
    first_row(tx, &query, of_key(key)).await?.map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}

async fn move_wallet(tx: &DatabaseTransaction, key: &WalletKey, balance_minor: i64, held_minor: i64) -> Result<(), LoadError> {
    let update = "UPDATE wallets SET balance_minor = balance_minor + ?, held_minor = held_minor + ?, revision = revision + 1 \
                  WHERE program = ? AND partner = ? AND fund = 'coop' AND currency = ?";
    if execute(tx, update, [vec![balance_minor.into(), held_minor.into()], of_key(key)].concat()).await? == 1 {
        return Ok(());
    }
    Err(LoadError::Corrupt { value: key.partner.to_string(), what: "a partner with a wallet" })
}

/// coop → coop-held, back, or coop-held → in transit.
async fn post(tx: &DatabaseTransaction, one: ClaimMove<'_>, what: &'static str) -> Result<String, LoadError> {
    let WalletKey { program, partner, currency } = one.key;
    let (coop, held) = (format!("partner:{partner}:{program}:coop"), format!("partner:{partner}:{program}:coop-held"));
    let (debit, credit, kind) = match what {
        "hold" => (coop, held, "claim_held"),
        "release" => (held, coop, "claim_released"),
        _ => (held, "payouts:in-transit".to_owned(), "claim_captured"),
    };
    let posting = |account, amount_minor| Posting { account, currency: *currency, amount_minor };
    let transaction = Transaction {
        id: format!("claim/{}/{what}/{}", one.claim, one.ordinal),
        program: program.clone(),
        kind,
        dated_on: one.day,
        description: format!("claim {} of {partner}: {what}", one.claim),
        postings: vec![posting(debit, one.amount_minor), posting(credit, -one.amount_minor)],
    };
    ledger::post(tx, std::slice::from_ref(&transaction), one.now).await?;
    Ok(transaction.id)
}

/// What has to be known before something goes back into lots, of which those that have ended then expire.
pub(crate) struct Returning {
    versions: Versions,
    in_period: Period,
    by: Date,
}

/// Prepares a return into lots, before the wallet's row is locked: the period that an expiry is booked in stays open until the caller's
/// transaction ends. `None`: the programme's lots never end.
///
/// # Errors
/// The programme is not recorded, or the database failed.
pub(crate) async fn before_return(tx: &DatabaseTransaction, program: &str, now: Instant) -> Result<Option<Returning>, LoadError> {
    let versions = crate::load::versions::load(tx, program, i64::MAX).await?;
    if versions.iter().all(|version| version.programme.coop.expires_after_months.is_none()) {
        return Ok(None);
    }
    freeze::lock_recordings(tx).await?;
    let constant = versions.constant();
    let by = now.date_in(constant.timezone);
    let in_period = first_not_final(tx, program, constant.settlement.first_period).await?;
    Ok(Some(Returning { versions, in_period, by }))
}

/// The period in which an expiry is booked; the caller has locked the recordings, and one that is closing is not made final before the
/// caller's transaction ends.
///
/// # Errors
/// The database failed.
pub(super) async fn first_not_final(tx: &DatabaseTransaction, program: &str, first_period: Period) -> Result<Period, LoadError> {
    let open = freeze::first_open(tx, program, first_period).await?;
    let is_frozen = freeze::last(tx, program).await?.is_some_and(|last| last.period == open);
    let is_final = is_frozen && freeze::find_locked(tx, program, open).await?.is_some_and(|frozen| frozen.stage == Stage::Final);
    Ok(if is_final { open.next() } else { open })
}

/// Posts the expiry of what is left of a wallet's lots that have ended.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub(crate) async fn after_return(tx: &DatabaseTransaction, returning: Option<Returning>, key: &WalletKey, now: Instant) -> Result<(), LoadError> {
    let Some(Returning { versions, in_period, by }) = returning else { return Ok(()) };
    let ended = Ended { program: &key.program, versions: &versions, by, in_period };
    let expired = expire_wallet(tx, ended, key).await?;
    ledger::post(tx, &expired, now).await
}
