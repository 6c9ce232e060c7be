//! The upkeep: seals the audit log, looks again at messages and facts that came too early and at payouts of members that are suspended no
//! more, picks up periods that a command has made final, and lets go of the journals of runs that ended long ago.

use std::time::Duration;

use books::audit::seal;
use books::facts::parked;
use books::load::row::{LoadError, rows};
use books::payouts::intend::suspended_no_more;
use books::payouts::{record, switch};
use durable::{outbox, runs};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use sea_orm::DatabaseTransaction;
use workflows::SettlementRun;
use workflows::again::{AGAIN_MAX, key_of, start_anew};
use workflows::payout::{look_again_at_suspended, retry_parked as retry_messages};
use workflows::settlement_run::SettlementInput;

use super::{Shared, causes};
use crate::http::metrics::{FACTS_PARKED, LEASE_AGE_SECONDS, LETTERS, PAYOUTS, PAYOUTS_PAUSED, RUN_OVERDUE_SECONDS, RUNS};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looks between two retries of parked messages.
const LOOKS_A_RETRY: u32 = 10;
/// Looks between two counts of runs and payouts.
const LOOKS_A_MEASUREMENT: u32 = 5;
/// Looks between two counts of letters, for which the whole outbox is read.
const LOOKS_A_COUNT_OF_LETTERS: u32 = 60;
/// Looks between two sweeps of journals.
const LOOKS_A_SWEEP: u32 = 600;
/// How long the journal of an ended run is kept.
const KEPT: Duration = Duration::from_hours(24 * 90);
/// Journals that one sweep lets go of.
const SWEPT_MAX: u32 = 500;
/// Parked facts that one look tries again.
const FACTS_MAX: u16 = 100;
/// Payouts held for a suspension that one look sees.
const SUSPENDED_MAX: u32 = 1_000;
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
        metrics::gauge!(LEASE_AGE_SECONDS).set(shared.engine.since_renewal().as_secs_f64());
        told("stalls.not_measured", measure_overdue(shared).await);
        if state.looks.is_multiple_of(LOOKS_A_MEASUREMENT) {
            told("stalls.not_measured", measure(shared).await);
        }
        if state.looks.is_multiple_of(LOOKS_A_COUNT_OF_LETTERS) {
            told("letters.not_counted", count_letters(shared).await);
        }
        if state.looks.is_multiple_of(LOOKS_A_RETRY) {
            told("messages.not_retried", retry_parked(shared).await);
            told("suspended.not_looked_at", look_at_suspended(shared).await);
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
        start_anew::<SettlementRun>(&tx, &input.key(), &input, shared.clock.now()).await?;
    }
    tx.commit().await?;
    shared.engine.hint();
    Ok(())
}

/// Periods made final since a service first knew their programme that no run has seen; what was final before may have been paid elsewhere,
/// and is released by hand. A run that was cancelled or had failed before its period was final has not seen it.
///
/// The books know of no runs and the engine of no periods: only here both are known.
async fn final_without_run(tx: &DatabaseTransaction) -> Result<Vec<(String, String)>, LoadError> {
    let keys: Vec<String> = (0..=AGAIN_MAX).map(|again| format!("p.program || '/' || p.period || '{}'", key_of("", again))).collect();
    let query = format!(
        "SELECT p.program, p.period FROM periods p JOIN served_programs s ON s.program = p.program WHERE p.status = 'final' \
         AND p.final_at >= s.since AND NOT EXISTS (SELECT 1 FROM workflow_runs r \
           WHERE r.workflow = 'settlement_run' AND r.key IN ({}) \
             AND (r.status NOT IN ('cancelled', 'failed') OR r.finished_at >= p.final_at)) ORDER BY p.program, p.period LIMIT 100",
        keys.join(", ")
    );
    let mut found = Vec::new();
    for row in rows(tx, &query, vec![]).await? {
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

/// Wakes the payouts whose members are not suspended any more, however the books came to know.
async fn look_at_suspended(shared: &Shared) -> Result<(), Failed> {
    let tx = shared.books.begin_read().await?;
    let free = suspended_no_more(&tx, SUSPENDED_MAX, shared.now()).await;
    tx.rollback().await?;
    let free = free?;
    if free.is_empty() {
        return Ok(());
    }
    let tx = shared.books.begin_write().await?;
    match look_again_at_suspended(&tx, &free, shared.now()).await {
        Ok(()) => {
            tx.commit().await?;
            shared.engine.hint();
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
    metrics::gauge!(FACTS_PARKED).set(figure(waiting?));
    Ok(())
}

/// What is late, and how much.
async fn measure_overdue(shared: &Shared) -> Result<(), Failed> {
    let due = shared.engine.next_due().await?;
    let overdue = due.map(|due| shared.clock.now().since(due)).unwrap_or_default();
    metrics::gauge!(RUN_OVERDUE_SECONDS).set(overdue.as_secs_f64());
    Ok(())
}

/// What waits, and for whom.
async fn measure(shared: &Shared) -> Result<(), Failed> {
    for (status, count) in runs::counts(shared.books.read()).await? {
        metrics::gauge!(RUNS, "status" => status.as_str()).set(figure(count));
    }
    let tx = shared.books.begin_read().await?;
    let found = async { Ok::<_, LoadError>((record::counts(&tx).await?, switch::look(&tx).await?)) }.await;
    tx.rollback().await?;
    let (payouts, switch) = found?;
    for (status, count) in payouts {
        metrics::gauge!(PAYOUTS, "status" => status).set(figure(count));
    }
    metrics::gauge!(PAYOUTS_PAUSED).set(if switch.is_paused { 1.0 } else { 0.0 });
    Ok(())
}

async fn count_letters(shared: &Shared) -> Result<(), Failed> {
    for (status, count) in outbox::given_up(shared.books.read()).await? {
        metrics::gauge!(LETTERS, "status" => status).set(figure(count));
    }
    Ok(())
}

/// A count as Prometheus has it.
fn figure(count: i64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
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
