//! Admits a payout, or holds it with its reason and looks at it again (reliability.md §3.2, §3.5, §3.6).
//!
//! Admitting fixes the destination and the exact bytes of the request, one body a key. What waits has none: its destination may be unknown.

use program::bank_file;
use program::calendar::{Date, Instant};
use program::line::Text;
use program::member::Status;
use program::money::Currency;
use program::payout::{HeldFor, Kind, Payout, PayoutId, Request, State};
use sea_orm::DatabaseTransaction;

use super::destinations::{self, Usable};
use super::due::{self, Due};
use super::limits::Limits;
use super::record::{self, Event};
use super::{PayoutError, switch};
use crate::load::row::{LoadError, rows};
use crate::mdf;
use crate::release::{self, Whose};
use crate::users::{self, FINANCE};

/// What is to be paid.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// The cash of a settlement.
    Settlement {
        /// Whose.
        whose: Whose<'a>,
        /// In which currency.
        currency: Currency,
    },
    /// An approved claim whose capture has moved its money into transit.
    Claim {
        /// Its id.
        claim: &'a str,
        /// The programme.
        program: &'a str,
        /// The member.
        partner: &'a str,
        /// Minor units.
        amount_minor: i64,
        /// The currency.
        currency: Currency,
    },
}

/// The names under which a payout is made: all by the caller, so that a repeat has the same.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Its id.
    pub id: &'a PayoutId,
    /// The key of its request.
    pub key: &'a str,
    /// The run that sees to it.
    pub workflow: Option<&'a str>,
}

/// Makes the payout of a settlement or claim: intended, or held with a reason.
///
/// # Idempotency
/// A settlement or claim has one live payout: whoever comes second, or again, gets the first one's, whatever its id.
///
/// # Errors
/// There is nothing to pay, the period is not released, an earlier payout failed, or a name is taken.
pub async fn intend(tx: &DatabaseTransaction, purpose: Purpose<'_>, names: Names<'_>, now: Instant, limits: &Limits) -> Result<Payout, PayoutError> {
    make(tx, purpose, names, None, now, limits).await
}

/// As [`intend`], after a failed payout.
pub(super) async fn make(
    tx: &DatabaseTransaction,
    purpose: Purpose<'_>,
    names: Names<'_>,
    retried_from: Option<&PayoutId>,
    now: Instant,
    limits: &Limits,
) -> Result<Payout, PayoutError> {
    let is_paused = switch::lock(tx).await?.is_paused;
    let mut payout = blank(tx, purpose, names, retried_from, now).await?;
    if let Some(live) = record::live(tx, payout.kind, &payout.reference).await? {
        return Ok(live);
    }
    if let (None, Some(failed)) = (retried_from, record::last_failed(tx, payout.kind, &payout.reference).await?) {
        return Err(PayoutError::FailedBefore { reference: payout.reference.to_string(), failed: failed.id.to_string() });
    }
    let word = match look(tx, &payout, is_paused, now, limits).await? {
        Outlook::Held(reason) => {
            payout.state = State::Held(reason);
            "held"
        }
        Outlook::Clear(usable) => {
            fix(&mut payout, &usable, now);
            "intended"
        }
    };
    let reason = payout.state.reason().map(str::to_owned);
    if record::insert(tx, &payout, &Event::ours(word, reason.as_deref()), now).await? {
        return withdraw_if_not_approved(tx, payout, now).await;
    }
    // Its key or id is another's, or the constraints alone kept it from being a second one.
    let live = record::live(tx, payout.kind, &payout.reference).await?;
    live.ok_or_else(|| PayoutError::Taken { id: names.id.to_string(), key: names.key.chars().take(60).collect() })
}

async fn blank(
    tx: &DatabaseTransaction,
    purpose: Purpose<'_>,
    names: Names<'_>,
    retried_from: Option<&PayoutId>,
    now: Instant,
) -> Result<Payout, PayoutError> {
    let (kind, reference, program, partner, period, amount_minor, currency) = match purpose {
        Purpose::Settlement { whose, currency } => {
            let due = to_pay(tx, whose, currency).await?;
            (Kind::Settlement, due.reference().into(), due.program, due.partner, Some(due.period), due.amount_minor, currency)
        }
        Purpose::Claim { claim, program, partner, amount_minor, currency } => {
            (Kind::MdfClaim, claim.into(), Text::from(program), Text::from(partner), None, amount_minor, currency)
        }
    };
    Ok(Payout {
        id: names.id.clone(),
        kind,
        reference,
        program,
        partner,
        period,
        amount_minor,
        currency,
        state: State::Intended,
        destination: None,
        destination_digest: None,
        idempotency_key: users::checked("the idempotency key", names.key, 200)?.into(),
        request: None,
        attempts: 0,
        provider: None,
        provider_id: None,
        retried_from: retried_from.cloned(),
        workflow: names.workflow.map(Into::into),
        counted_on: None,
        released_by: None,
        intended_at: now,
        requested_at: None,
        ended_at: None,
        revision: 1,
    })
}

async fn to_pay(tx: &DatabaseTransaction, whose: Whose<'_>, currency: Currency) -> Result<Due, PayoutError> {
    let Whose { program, partner, period } = whose;
    let due = due::settlement(tx, whose, currency).await?.ok_or_else(|| PayoutError::NothingToPay {
        program: program.into(),
        partner: partner.into(),
        period,
        currency: currency.code().into(),
    })?;
    if !release::is_released(tx, program, period).await? {
        return Err(PayoutError::NotReleased { program: program.into(), period });
    }
    Ok(due)
}

/// Whether a payout may be admitted.
enum Outlook {
    Clear(Usable),
    Held(HeldFor),
}

/// The first thing that holds it, those that only people can mend first.
async fn look(tx: &DatabaseTransaction, payout: &Payout, is_paused: bool, now: Instant, limits: &Limits) -> Result<Outlook, PayoutError> {
    if let Some(reason) = by_rule(tx, payout, now).await? {
        return Ok(Outlook::Held(reason));
    }
    let Some(usable) = destinations::in_force(tx, &payout.partner, payout.currency).await? else {
        return Ok(Outlook::Held(HeldFor::NoDestination));
    };
    if limits.accounts_only && bank_file::payable(&usable.destination).is_err() {
        return Ok(Outlook::Held(HeldFor::NoAccount));
    }
    if now < usable.free_at(limits.cooling_off_us) {
        return Ok(Outlook::Held(HeldFor::CoolingOff));
    }
    if payout.released_by.is_none() && !limits.allow(tx, payout, day_of(now)).await? {
        return Ok(Outlook::Held(HeldFor::Cap));
    }
    if is_paused {
        return Ok(Outlook::Held(HeldFor::Paused));
    }
    Ok(Outlook::Clear(usable))
}

/// What holds a settlement, or the member of a claim.
pub(super) async fn by_rule(tx: &DatabaseTransaction, payout: &Payout, now: Instant) -> Result<Option<HeldFor>, LoadError> {
    let Payout { program, partner, .. } = payout;
    if let Some(period) = payout.period {
        return release::held(tx, Whose { program, partner, period }).await;
    }
    let today = record::day_in(tx, program, now).await?;
    let status = release::status(tx, program, partner, today).await?;
    Ok((status == Status::Suspended).then_some(HeldFor::Suspended))
}

/// Payouts that are held for a suspension which holds them no longer: a status was recorded, or its day has come. At most `limit`.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn suspended_no_more(tx: &DatabaseTransaction, limit: u32, now: Instant) -> Result<Vec<Payout>, LoadError> {
    let query = format!("SELECT id FROM payouts WHERE status = 'held' AND reason = ? ORDER BY intended_at, id LIMIT {limit}");
    let mut free = Vec::new();
    for row in rows(tx, &query, vec![HeldFor::Suspended.name().into()]).await? {
        let id = row.string(0)?;
        let id: PayoutId = id.parse().map_err(|_| LoadError::Corrupt { value: id, what: "a payout's id" })?;
        if let Some(payout) = record::find(tx, &id).await?
            && by_rule(tx, &payout, now).await? != Some(HeldFor::Suspended)
        {
            free.push(payout);
        }
    }
    Ok(free)
}

/// The day in whose caps a payout counts.
fn day_of(now: Instant) -> Date {
    now.utc().date_naive()
}

/// Fixes where the money goes and the bytes that ask for it.
fn fix(payout: &mut Payout, usable: &Usable, now: Instant) {
    let request = Request {
        payout: &payout.id,
        kind: payout.kind,
        reference: &payout.reference,
        partner: &payout.partner,
        amount_minor: payout.amount_minor,
        currency: payout.currency,
        destination: &usable.destination,
        at: now,
    };
    payout.request = Some(request.body().into());
    payout.destination = Some(usable.id.as_str().into());
    payout.destination_digest = Some(usable.destination.digest().into());
    payout.counted_on = Some(day_of(now));
}

/// Looks again at a held payout: it is intended if nothing holds it any more, else held for what holds it now. Others are as they are.
///
/// One whose request names a destination that was superseded meanwhile fails, so that a retry makes a new one.
///
/// # Idempotency
/// The payout: looking again changes nothing unless something else has changed.
///
/// # Errors
/// There is no such payout, or the database failed.
pub async fn reconsider(tx: &DatabaseTransaction, id: &PayoutId, now: Instant, limits: &Limits) -> Result<Payout, PayoutError> {
    let is_paused = switch::lock(tx).await?.is_paused;
    let payout = record::locked(tx, id).await?;
    go_on(tx, payout, is_paused, now, limits).await
}

/// Looks once more at an intended payout before its request is made: it was admitted by whoever made it, which may have been a command
/// with another configuration, or on another day. What holds it now holds it; what goes counts in the caps of the day on which it goes.
///
/// # Errors
/// There is no such payout, or the database failed.
pub async fn confirm(tx: &DatabaseTransaction, id: &PayoutId, now: Instant, limits: &Limits) -> Result<Payout, PayoutError> {
    let is_paused = switch::lock(tx).await?.is_paused;
    let payout = record::locked(tx, id).await?;
    if payout.state != State::Intended {
        return Ok(payout);
    }
    match look(tx, &payout, is_paused, now, limits).await? {
        Outlook::Held(reason @ (HeldFor::Cap | HeldFor::CoolingOff)) => hold(tx, payout, reason, None, now).await,
        Outlook::Clear(_) if payout.counted_on != Some(day_of(now)) => count(tx, payout, day_of(now), now).await,
        Outlook::Held(_) | Outlook::Clear(_) => Ok(payout),
    }
}

/// Counts an intended payout in the caps of another day than that of its admission.
async fn count(tx: &DatabaseTransaction, before: Payout, day: Date, now: Instant) -> Result<Payout, PayoutError> {
    let mut after = before.clone();
    after.counted_on = Some(day);
    let event = Event { ruling: "confirmed", ..Event::ours("counted", Some("it goes on another day than it was admitted on")) };
    record::store(tx, &before, after, &event, now).await
}

async fn go_on(tx: &DatabaseTransaction, before: Payout, is_paused: bool, now: Instant, limits: &Limits) -> Result<Payout, PayoutError> {
    let State::Held(held_for) = before.state else { return Ok(before) };
    match look(tx, &before, is_paused, now, limits).await? {
        Outlook::Held(reason) if reason == held_for => Ok(before),
        Outlook::Held(reason) => hold(tx, before, reason, None, now).await,
        Outlook::Clear(usable) => admit(tx, before, &usable, now).await,
    }
}

async fn admit(tx: &DatabaseTransaction, before: Payout, usable: &Usable, now: Instant) -> Result<Payout, PayoutError> {
    let mut after = before.clone();
    after.state = before.state.clone().admit().map_err(|illegal| PayoutError::Illegal { payout: before.id.to_string(), illegal })?;
    if after.request.is_none() {
        fix(&mut after, usable, now);
        let after = record::store(tx, &before, after, &Event::ours("intended", None), now).await?;
        return withdraw_if_not_approved(tx, after, now).await;
    }
    after.counted_on = Some(day_of(now));
    let after = record::store(tx, &before, after, &Event::ours("intended", None), now).await?;
    withdraw_if_moved(tx, after, Some(usable), now).await
}

/// Fails an intended payout whose destination is no longer the one in force: its bytes can't change, and must not leave.
pub(super) async fn withdraw_if_moved(
    tx: &DatabaseTransaction,
    before: Payout,
    usable: Option<&Usable>,
    now: Instant,
) -> Result<Payout, PayoutError> {
    if before.destination.as_deref() == usable.map(|usable| usable.id.as_str()) {
        return Ok(before);
    }
    withdraw(tx, before, "the destination was changed before the request left", None, now).await
}

/// Fails an intended payout of a claim that would go elsewhere than its approvals said (domain.md §6.5): the wallet has its money back.
/// Approvals that were given while there was no destination are about none, and hold for the first that finance approves.
async fn withdraw_if_not_approved(tx: &DatabaseTransaction, before: Payout, now: Instant) -> Result<Payout, PayoutError> {
    let approved = mdf::end::approved_destination(tx, &before).await?;
    if before.state != State::Intended || approved.is_none() || approved.as_deref() == before.destination_digest.as_deref() {
        return Ok(before);
    }
    withdraw(tx, before, "the destination was changed after the claim was approved", None, now).await
}

/// Fails a payout that has not been requested.
pub(super) async fn withdraw(tx: &DatabaseTransaction, before: Payout, reason: &str, by: Option<&str>, now: Instant) -> Result<Payout, PayoutError> {
    let mut after = before.clone();
    after.state = before.state.clone().withdraw(reason.into()).map_err(|illegal| PayoutError::Illegal { payout: before.id.to_string(), illegal })?;
    after.ended_at = Some(now);
    let event = match by {
        Some(by) => Event::person("withdrawn", Some(reason), by),
        None => Event::ours("withdrawn", Some(reason)),
    };
    record::store(tx, &before, after, &event, now).await
}

/// Holds a payout that has not been requested.
///
/// # Errors
/// It was requested, or the database failed.
pub(crate) async fn hold(tx: &DatabaseTransaction, before: Payout, reason: HeldFor, by: Option<&str>, now: Instant) -> Result<Payout, PayoutError> {
    let mut after = before.clone();
    after.state = before.state.clone().hold(reason).map_err(|illegal| PayoutError::Illegal { payout: before.id.to_string(), illegal })?;
    // What waits takes no room in a day's caps.
    after.counted_on = None;
    let event = match by {
        Some(by) => Event::person("held", Some(reason.name()), by),
        None => Event::ours("held", Some(reason.name())),
    };
    record::store(tx, &before, after, &event, now).await
}

/// Lets a held payout go over the caps, and looks at it again. Nothing else that holds it is overridden: no destination, its cooling-off
/// time, a hold, a suspension, the switch.
///
/// # Idempotency
/// The payout: the first release stands.
///
/// # Errors
/// The person may not, there is no such payout, or it does not wait.
pub async fn release(tx: &DatabaseTransaction, id: &PayoutId, by: &str, now: Instant) -> Result<Payout, PayoutError> {
    let is_paused = switch::lock(tx).await?.is_paused;
    let before = record::locked(tx, id).await?;
    users::entitled_for(tx, by, &[FINANCE], &before.partner).await?;
    if before.released_by.is_some() {
        return go_on(tx, before, is_paused, now, &Limits::default()).await;
    }
    let State::Held(_) = before.state else {
        let illegal = program::payout::Illegal { state: before.state, wanted: "released: it does not wait" };
        return Err(PayoutError::Illegal { payout: before.id.to_string(), illegal });
    };
    let mut after = before.clone();
    after.released_by = Some(by.into());
    let after = record::store(tx, &before, after, &Event::person("released", None, by), now).await?;
    go_on(tx, after, is_paused, now, &Limits::default()).await
}
