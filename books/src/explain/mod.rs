//! Tells where every line of an invoice comes from, and why a rule did not pay: posted lines and stored evidence, beside what comes out when
//! the pure rules are asked again with what was known at the booking period's cut-off (reliability.md §3.19).

mod compare;
mod credit;
mod evidence;
mod formula;
mod known;
mod model;
mod places;
mod program_view;
mod refunds;
mod revenue;
pub mod text;

use std::collections::BTreeMap;

use program::calendar::{Instant, Period};
use sea_orm::{DatabaseTransaction, TransactionTrait};

pub use model::*;

use crate::load::row::{LoadError, rows};
use crate::settlement::run::{Target, open_periods, settle_within};
use crate::settlement::{SettleError, freeze};
use known::Known;
use program_view::Booking;

/// Why an invoice can't be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What it would earn can't be computed.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// It is not recorded.
    #[error("invoice {id} is not recorded{}", .voided.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default())]
    Unknown {
        /// The id.
        id: String,
        /// Why it was voided, if it was.
        voided: Option<String>,
    },
}

impl From<sea_orm::DbErr> for ExplainError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}

/// Explains an invoice.
///
/// With `preview`, what it would earn where no period booked it yet is computed by settling within savepoints of the caller's transaction,
/// which must be able to write and which the caller rolls back. Without it nothing is written, and [`Explanation::awaits_preview`] says
/// whether a preview has more to tell.
///
/// # Errors
/// The invoice is not recorded, or the database failed.
pub async fn explain(tx: &DatabaseTransaction, invoice: &str, now: Instant, preview: bool) -> Result<Explanation, ExplainError> {
    let Some(recorded) = evidence::invoice(tx, invoice).await? else {
        return Err(ExplainError::Unknown { id: invoice.to_owned(), voided: evidence::voided(tx, invoice).await? });
    };
    let paid = recorded.paid_at.is_some();
    let mut told =
        Explanation { invoice: recorded, programs: Vec::new(), uncredited: Vec::new(), notes: Vec::new(), agrees: true, awaits_preview: false };
    if !paid {
        told.notes.push("not paid: an invoice earns once it is paid in full".into());
        return Ok(told);
    }
    let booked = bookings(tx, invoice).await?;
    let mut elsewhere = None;
    for program in programs(tx).await? {
        if let Some(&period) = booked.get(&program) {
            let booking = Booking { program: program.clone(), period, state: State::Booked };
            told.programs.push(program_view::view(tx, &booking, invoice).await?);
            continue;
        }
        let Some(known) = Known::load(tx, &program, invoice, i64::MAX, None).await? else { continue };
        if known.credits().iter().all(Vec::is_empty) {
            elsewhere = Some(known);
        } else if known.invoice().paid_on < known.knowledge.versions.constant().settlement.first_period.first_day() {
            told.programs.push(program_view::history(tx, &known).await?);
        } else if preview {
            told.programs.push(previewed(tx, &known, now).await?);
        } else {
            told.awaits_preview = true;
        }
    }
    if let Some(known) = elsewhere.filter(|_| told.programs.is_empty() && !told.awaits_preview) {
        told.uncredited = program_view::places(tx, &known).await?;
        told.notes
            .push("no item has a credit at any place, so nobody earns anything; a credit recorded later books it in the first open period".into());
    }
    told.agrees = told.programs.iter().all(|program| program.differences.is_empty());
    Ok(told)
}

/// The periods that booked an invoice, by programme.
async fn bookings(tx: &DatabaseTransaction, invoice: &str) -> Result<BTreeMap<String, Period>, LoadError> {
    let mut booked = BTreeMap::new();
    for row in rows(tx, "SELECT program, period FROM bookings WHERE invoice = ?", vec![invoice.into()]).await? {
        booked.insert(row.string(0)?, row.period(1)?);
    }
    Ok(booked)
}

async fn programs(tx: &DatabaseTransaction) -> Result<Vec<String>, LoadError> {
    let found = rows(tx, "SELECT id FROM programs ORDER BY id", vec![]).await?;
    found.iter().map(|row| row.string(0)).collect()
}

/// What an invoice would earn: its period, and those open before it, are settled in a savepoint that is rolled back.
async fn previewed(tx: &DatabaseTransaction, known: &Known, now: Instant) -> Result<InProgram, ExplainError> {
    let program = known.knowledge.program.to_string();
    let first = known.knowledge.versions.constant().settlement.first_period;
    let open = freeze::first_open(tx, &program, first).await?;
    let period = open.max(known.own_period);
    let frozen = freeze::last(tx, &program).await?.is_some_and(|last| period <= last.period);
    let inner = tx.begin().await?;
    let settled = async {
        let periods = open_periods(&inner, &program, Target::Through(period), None).await?;
        settle_within(&inner, &program, &periods, now).await
    }
    .await;
    let view = match settled {
        Ok(()) => {
            let invoice = known.invoice().id.clone();
            let booked = bookings(&inner, &invoice).await?.get(&program).copied();
            let booking = booked.map(|period| Booking { program: program.clone(), period, state: State::WouldBeBooked });
            match booking {
                Some(booking) => program_view::view(&inner, &booking, &invoice).await.map(|mut view| {
                    // What the preview itself froze and fixed is not so once it is rolled back.
                    if !frozen {
                        view.cutoff = None;
                        view.credits_fixed_by = view.credits_fixed_by.filter(|(fixer, _)| *fixer != program);
                    }
                    view
                }),
                None => program_view::unbooked(&inner, known, "no open period books it".into()).await,
            }
        }
        Err(error) if error.is_input() => {
            // A failed statement must not stand in the way of the rest.
            inner.rollback().await?;
            return Ok(program_view::unbooked(tx, known, format!("what it would earn can't be computed yet: {error}")).await?);
        }
        Err(error) => return Err(error.into()),
    };
    inner.rollback().await?;
    Ok(view?)
}
