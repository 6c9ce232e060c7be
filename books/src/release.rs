//! What may be paid: releases of periods, holds of members' settlements (interface.md §5).
//!
//! A period is released by its programme (`release = "auto"`) or by finance. A member's settlement of a period is held by hand until it is
//! let go; that of a member suspended on the period's last day is held from the start.

use program::calendar::{Instant, Period};
use program::member::Status;
use program::money::Currency;
use program::payout::{HeldFor, State};
use program::programme::Release;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use crate::audit::{self, Act};
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::load::versions;
use crate::payouts::{PayoutError, record};
use crate::users::{self, FINANCE, OPS, PersonError};

/// Why a settlement can't be released, held or let go.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The person may not.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// A payout can't be held.
    #[error(transparent)]
    Payout(#[from] PayoutError),
    /// The period is not final.
    #[error("{program} {period} is not final; settle it first")]
    NotFinal {
        /// The programme.
        program: String,
        /// The period.
        period: Period,
    },
    /// The partner is no member.
    #[error("partner {partner} is no member of {program}")]
    NoMember {
        /// The programme.
        program: String,
        /// The partner.
        partner: String,
    },
    /// It is too late to hold it.
    #[error("payout {payout} of {partner} for {period} is {status}: it can't be held any more")]
    TooLate {
        /// The partner.
        partner: String,
        /// The period.
        period: Period,
        /// The payout.
        payout: String,
        /// Its status.
        status: &'static str,
    },
    /// Nothing holds it.
    #[error("nothing holds the settlement of {partner} in {program} for {period}")]
    NotHeld {
        /// The programme.
        program: String,
        /// The partner.
        partner: String,
        /// The period.
        period: Period,
    },
    /// There is nothing yet that could be let go.
    #[error(
        "{partner} has no settlement in {program} for {period} yet, and nobody holds it by hand: settle the period first. A claim's payout that is held \
         as suspended goes on when the member is active again (`import statuses`), or is ended by `payout withdraw`"
    )]
    NotSettled {
        /// The programme.
        program: String,
        /// The partner.
        partner: String,
        /// The period.
        period: Period,
    },
}

impl ReleaseError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Load(error) => matches!(error, LoadError::NoProgram(_)),
            Self::Person(error) => error.is_input(),
            Self::Payout(error) => error.is_input(),
            Self::NotFinal { .. } | Self::NoMember { .. } | Self::TooLate { .. } | Self::NotHeld { .. } | Self::NotSettled { .. } => true,
        }
    }
}

/// A payout of a member's settlements that can't be held any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLate {
    /// The payout.
    pub payout: String,
    /// Of the settlement in this currency.
    pub currency: Currency,
    /// Its status.
    pub status: &'static str,
}

/// What a hold has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Whether nobody held them by hand before.
    pub is_new: bool,
    /// What was requested before it, by payout; everything else is held.
    pub too_late: Vec<TooLate>,
}

/// Which settlements: those of a member for a period, in every currency.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// The programme.
    pub program: &'a str,
    /// The member.
    pub partner: &'a str,
    /// The period.
    pub period: Period,
}

/// Releases a final period for payment.
///
/// # Idempotency
/// (program, period): the first release stands.
///
/// # Errors
/// The period is not final, or the person may not.
pub async fn release(tx: &DatabaseTransaction, program: &str, period: Period, by: &str, now: Instant) -> Result<bool, ReleaseError> {
    users::entitled(tx, by, &[FINANCE]).await?;
    versions::load(tx, program, i64::MAX).await?;
    if !is_final(tx, program, period).await? {
        return Err(ReleaseError::NotFinal { program: program.into(), period });
    }
    let insert = "INSERT INTO settlement_releases (program, period, released_by, released_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    if execute(tx, insert, vec![program.into(), period.to_string().into(), by.into(), now.0.into()]).await? == 0 {
        return Ok(false);
    }
    let subject = format!("period/{program}/{period}");
    audit::write(tx, &Act { by: Some(by), act: "settlement.released", subject: &subject, detail: json!({}) }, now).await?;
    Ok(true)
}

async fn is_final(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<bool, LoadError> {
    let query = "SELECT 1 FROM periods WHERE program = ? AND period = ? AND status = 'final'";
    Ok(first_row(tx, query, vec![program.into(), period.to_string().into()]).await?.is_some())
}

/// Whether what is final of a period may be paid: its programme's version of its last day says so, or finance has released the period.
///
/// Where nobody has to release it, a settlement that can't be made final keeps the others of its period from being paid no longer than itself.
///
/// # Errors
/// The database failed, or the programme is not recorded.
pub async fn is_released(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<bool, LoadError> {
    let versions = versions::load(tx, program, i64::MAX).await?;
    if versions.on(period.last_day()).programme.settlement.release == Release::Auto {
        return Ok(true);
    }
    let query = "SELECT 1 FROM settlement_releases WHERE program = ? AND period = ?";
    Ok(first_row(tx, query, vec![program.into(), period.to_string().into()]).await?.is_some())
}

/// Holds a member's settlements of a period: before they are made, or before they are requested. Of several currencies those are held that
/// still can be.
///
/// # Idempotency
/// What is held by hand stays so, with the first reason.
///
/// # Errors
/// The person may not, the partner is no member, or the payouts of all of them were requested.
pub async fn hold(tx: &DatabaseTransaction, whose: Whose<'_>, reason: &str, by: &str, now: Instant) -> Result<Hold, ReleaseError> {
    users::checked("the reason", reason, users::TEXT_MAX)?;
    users::entitled_for(tx, by, &[FINANCE, OPS], whose.partner).await?;
    lock_member(tx, whose).await?;
    let (mut waiting, mut too_late) = (Vec::new(), Vec::new());
    for payout in record::of_settlements(tx, whose.program, whose.partner, whose.period).await? {
        match payout.state {
            State::Failed { .. } => {}
            State::Intended | State::Held(_) => waiting.push(payout),
            State::Requested | State::Unknown { .. } | State::Paid => {
                too_late.push(TooLate { payout: payout.id.to_string(), currency: payout.currency, status: payout.state.name() });
            }
        }
    }
    if let Some(TooLate { payout, status, .. }) = too_late.first()
        && !has_others(tx, whose, &too_late).await?
    {
        return Err(ReleaseError::TooLate { partner: whose.partner.into(), period: whose.period, payout: payout.clone(), status });
    }
    if held(tx, whose).await? == Some(HeldFor::ByHand) {
        return Ok(Hold { is_new: false, too_late });
    }
    note(tx, whose, "hold", reason, by, now).await?;
    for payout in waiting {
        crate::payouts::intend::hold(tx, payout, HeldFor::ByHand, Some(by), now).await?;
    }
    Ok(Hold { is_new: true, too_late })
}

/// Whether a member's settlements of a period are to be paid in currencies beside those in which it is too late.
async fn has_others(tx: &DatabaseTransaction, Whose { program, partner, period }: Whose<'_>, too_late: &[TooLate]) -> Result<bool, LoadError> {
    let query = "SELECT currency FROM settlements WHERE program = ? AND partner = ? AND period = ? AND cash_payout_minor > 0";
    for row in rows(tx, query, vec![program.into(), partner.into(), period.to_string().into()]).await? {
        let currency = row.currency(0)?;
        if too_late.iter().all(|late| late.currency != currency) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Lets a member's settlements of a period go, whatever held them. Their payouts go on when they are looked at again. Who is suspended is let
/// go once there is a settlement: nobody says yes to what is not known yet.
///
/// # Errors
/// The person may not, nothing holds them, or a suspension alone would hold what is not made yet.
pub async fn unhold(tx: &DatabaseTransaction, whose: Whose<'_>, reason: &str, by: &str, now: Instant) -> Result<(), ReleaseError> {
    users::checked("the reason", reason, users::TEXT_MAX)?;
    users::entitled_for(tx, by, &[FINANCE, OPS], whose.partner).await?;
    lock_member(tx, whose).await?;
    let Whose { program, partner, period } = whose;
    match held(tx, whose).await? {
        None => return Err(ReleaseError::NotHeld { program: program.into(), partner: partner.into(), period }),
        Some(HeldFor::Suspended) if !is_settled(tx, whose).await? => {
            return Err(ReleaseError::NotSettled { program: program.into(), partner: partner.into(), period });
        }
        Some(_) => {}
    }
    note(tx, whose, "unhold", reason, by, now).await?;
    Ok(())
}

async fn is_settled(tx: &DatabaseTransaction, Whose { program, partner, period }: Whose<'_>) -> Result<bool, LoadError> {
    let query = "SELECT 1 FROM settlements WHERE program = ? AND partner = ? AND period = ?";
    Ok(first_row(tx, query, vec![program.into(), partner.into(), period.to_string().into()]).await?.is_some())
}

/// Acts on one member come one after the other.
async fn lock_member(tx: &DatabaseTransaction, Whose { program, partner, .. }: Whose<'_>) -> Result<(), ReleaseError> {
    versions::load(tx, program, i64::MAX).await?;
    let lock = "UPDATE memberships SET revision = revision + 1 WHERE program = ? AND partner = ?";
    if execute(tx, lock, vec![program.into(), partner.into()]).await? == 0 {
        return Err(ReleaseError::NoMember { program: program.into(), partner: partner.into() });
    }
    Ok(())
}

async fn note(tx: &DatabaseTransaction, whose: Whose<'_>, act: &str, reason: &str, by: &str, now: Instant) -> Result<(), LoadError> {
    let Whose { program, partner, period } = whose;
    let insert = "INSERT INTO settlement_holds (program, partner, period, ordinal, act, reason, by_user, at) \
                  SELECT ?, ?, ?, COALESCE(MAX(ordinal), 0) + 1, ?, ?, ?, ? FROM settlement_holds WHERE program = ? AND partner = ? AND period = ?";
    let shown = period.to_string();
    let values = vec![
        program.into(),
        partner.into(),
        shown.as_str().into(),
        act.into(),
        reason.into(),
        by.into(),
        now.0.into(),
        program.into(),
        partner.into(),
        shown.as_str().into(),
    ];
    execute(tx, insert, values).await?;
    let told = if act == "hold" { "settlement.held" } else { "settlement.let_go" };
    let subject = format!("settlement/{program}/{period}/{partner}");
    audit::write(tx, &Act { by: Some(by), act: told, subject: &subject, detail: json!({ "reason": reason }) }, now).await
}

/// What holds a member's settlements of a period.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn held(tx: &DatabaseTransaction, whose: Whose<'_>) -> Result<Option<HeldFor>, LoadError> {
    let Whose { program, partner, period } = whose;
    let query = "SELECT act FROM settlement_holds WHERE program = ? AND partner = ? AND period = ? ORDER BY ordinal DESC LIMIT 1";
    if let Some(row) = first_row(tx, query, vec![program.into(), partner.into(), period.to_string().into()]).await? {
        return Ok((row.string(0)? == "hold").then_some(HeldFor::ByHand));
    }
    let status = status(tx, program, partner, period.last_day()).await?;
    Ok((status == Status::Suspended).then_some(HeldFor::Suspended))
}

/// A member's status on a day.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn status(tx: &DatabaseTransaction, program: &str, partner: &str, day: program::calendar::Date) -> Result<Status, LoadError> {
    let query = "SELECT status FROM statuses WHERE program = ? AND partner = ? AND effective_from <= ? ORDER BY effective_from DESC LIMIT 1";
    let found = rows(tx, query, vec![program.into(), partner.into(), day.to_string().into()]).await?;
    let Some(row) = found.first() else { return Ok(Status::Active) };
    let text = row.string(0)?;
    Status::named(&text).ok_or(LoadError::Corrupt { value: text, what: "a status" })
}
