//! The upkeep: seals the audit log, looks again at messages and facts that came too early, picks up periods that a command has made
//! final, and lets go of the journals of runs that ended long ago.

use std::time::Duration;

use books::audit::seal;
use books::facts::parked;
use books::load::row::{LoadError, rows};
use durable::runs;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use sea_orm::DatabaseTransaction;
use workflows::SettlementRun;
use workflows::payout::retry_parked as retry_messages;
use workflows::settlement_run::SettlementInput;

use super::{Shared, causes};
use crate::http::metrics::FACTS_PARKED;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looks between two retries of parked messages.
const LOOKS_A_RETRY: u32 = 10;
/// Looks between two sweeps of journals.
const LOOKS_A_SWEEP: u32 = 600;
/// How long the journal of an ended run is kept.
const KEPT: Duration = Duration::from_hours(24 * 90);
/// Journals that one sweep lets go of.
const SWEPT_MAX: u32 = 500;
/// Parked facts that one look tries again.
const FACTS_MAX: u16 = 100;
/// Messages that one retry looks at.
const RETRIED_MAX: u16 = 200;

/// Does it.
#[derive(Debug)]
pub(super) struct Upkeep;

/// Look what there is to do.
#[derive(Debug)]
pub(super) struct Look;

#[derive(Debug)]
pub(super) struct Keeping {
    shared: Shared,
    looks: u32,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Actor for Upkeep {
    type Msg = Look;
    type State = Keeping;
    type Arguments = Shared;

    async fn pre_start(&self, myself: ActorRef<Look>, shared: Shared) -> Result<Keeping, ActorProcessingErr> {
        myself.cast(Look)?;
        Ok(Keeping { shared, looks: 0 })
    }

    async fn handle(&self, myself: ActorRef<Look>, _look: Look, state: &mut Keeping) -> Result<(), ActorProcessingErr> {
        let shared = &state.shared;
        told("audit.not_sealed", seal::seal_all(&shared.books, shared.now()).await.map(|_| ()).map_err(Failed::from));
        told("periods.not_picked_up", pick_up(shared).await);
        told("facts.not_retried", retry_facts(shared).await);
        if state.looks.is_multiple_of(LOOKS_A_RETRY) {
            told("messages.not_retried", retry_parked(shared).await);
        }
        if state.looks.is_multiple_of(LOOKS_A_SWEEP) {
            told("journals.not_swept", sweep(shared).await);
        }
        state.looks = state.looks.wrapping_add(1);
        if !shared.stop.is_cancelled() {
            myself.send_after(EVERY, || Look);
        }
        Ok(())
    }
}

fn told(what: &'static str, done: Result<(), Failed>) {
    if let Err(error) = done {
        tracing::error!(error = causes(error.as_ref()), what, "upkeep.failed");
    }
}

/// Starts the run of periods that were made final by a command since the service knows their programme: it pays and tells.
async fn pick_up(shared: &Shared) -> Result<(), Failed> {
    let tx = shared.books.begin_read().await?;
    let found = final_without_run(&tx).await;
    tx.rollback().await?;
    let found = found?;
    if found.is_empty() {
        return Ok(());
    }
    let tx = shared.books.begin_write().await?;
    for (program, period) in found {
        let input = SettlementInput { program, period };
        runs::start_as::<SettlementRun>(&tx, &input.key(), &input, shared.clock.now()).await?;
    }
    tx.commit().await?;
    shared.engine.hint();
    Ok(())
}

/// Periods made final since the service first ran on these books that no run has seen; what was final before is released by hand.
///
/// The books know of no runs and the engine of no periods: only here both are known.
async fn final_without_run(tx: &DatabaseTransaction) -> Result<Vec<(String, String)>, LoadError> {
    let query = "SELECT p.program, p.period FROM periods p WHERE p.status = 'final' \
                 AND p.final_at >= (SELECT MIN(created_at) FROM schedules) AND NOT EXISTS (SELECT 1 FROM workflow_runs r \
                   WHERE r.workflow = 'settlement_run' AND r.key = p.program || '/' || p.period) ORDER BY p.program, p.period LIMIT 100";
    let mut found = Vec::new();
    for row in rows(tx, query, vec![]).await? {
        found.push((row.string(0)?, row.string(1)?));
    }
    Ok(found)
}

async fn retry_parked(shared: &Shared) -> Result<(), Failed> {
    let tx = shared.books.begin_write().await?;
    match retry_messages(&tx, RETRIED_MAX, shared.now()).await {
        Ok(count) => {
            tx.commit().await?;
            if count > 0 {
                shared.engine.hint();
            }
            Ok(())
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error.into())
        }
    }
}

/// Tries again what waited for facts that have come since, however they came.
async fn retry_facts(shared: &Shared) -> Result<(), Failed> {
    parked::retry_due(&shared.books, FACTS_MAX, shared.now()).await?;
    let tx = shared.books.begin_read().await?;
    let waiting = parked::count(&tx).await;
    tx.rollback().await?;
    metrics::gauge!(FACTS_PARKED).set(f64::from(u32::try_from(waiting?).unwrap_or(u32::MAX)));
    Ok(())
}

async fn sweep(shared: &Shared) -> Result<(), Failed> {
    let before = durable::Instant(shared.clock.now().0.saturating_sub(i64::try_from(KEPT.as_micros())?));
    let tx = shared.books.begin_write().await?;
    match runs::sweep(&tx, before, SWEPT_MAX, shared.clock.now()).await {
        Ok(_) => Ok(tx.commit().await?),
        Err(error) => {
            tx.rollback().await?;
            Err(error.into())
        }
    }
}
