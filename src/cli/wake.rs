//! Starts and wakes the runs of payouts that a person's act concerns, in the transaction of the act.

use books::payouts::due::{self, Due};
use books::payouts::record;
use books::release::Whose;
use durable::RunId;
use program::calendar::{Instant, Period};
use program::payout::{Payout, State};
use sea_orm::DatabaseTransaction;
use workflows::PayoutRun;
use workflows::again::start_anew;
use workflows::payout::{self, PayoutInput};

use super::CliError;

/// Payouts that are read at once.
const PAGE: u64 = 1_000;

/// Starts the payouts of a period that are due, all or a member's; those that were started before are left alone, but for cancelled ones.
/// Which are new.
pub(super) async fn start_due(
    tx: &DatabaseTransaction,
    program: &str,
    period: Period,
    partner: Option<&str>,
    now: Instant,
) -> Result<Vec<RunId>, CliError> {
    let mut started = Vec::new();
    let due = due::due(tx, program, period).await?;
    for one in due.iter().filter(|due: &&Due| partner.is_none_or(|partner| &*due.partner == partner)) {
        let input = PayoutInput::of(one);
        let run = start_anew::<PayoutRun>(tx, &input.key(), &input, durable::Instant(now.0)).await?;
        started.extend(run.fresh.then_some(run.run));
    }
    Ok(started)
}

/// Wakes the run of a payout, and tells people where it has failed; `cause` names what has changed, once.
pub(super) async fn one(tx: &DatabaseTransaction, payout: &Payout, cause: &str, now: Instant) -> Result<(), CliError> {
    Ok(payout::changed(tx, payout, cause, now).await?)
}

/// Wakes the runs of a member's held payouts of a period.
pub(super) async fn held_of(tx: &DatabaseTransaction, whose: Whose<'_>, cause: &str, now: Instant) -> Result<(), CliError> {
    for payout in record::of_settlements(tx, whose.program, whose.partner, whose.period).await? {
        if let State::Held(_) = payout.state {
            one(tx, &payout, cause, now).await?;
        }
    }
    Ok(())
}

/// Wakes the runs of a partner's held payouts in a currency.
pub(super) async fn held_in(
    tx: &DatabaseTransaction,
    partner: &str,
    currency: program::money::Currency,
    cause: &str,
    now: Instant,
) -> Result<(), CliError> {
    let mut after = None;
    loop {
        let page = record::page(tx, "held", after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        for payout in page.iter().filter(|payout| &*payout.partner == partner && payout.currency == currency) {
            one(tx, payout, cause, now).await?;
        }
    }
}
