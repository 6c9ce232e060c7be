//! The scheduler: records the schedules that the programmes ask for, and fires their slots as they fall due.

use std::collections::BTreeMap;
use std::time::Duration;

use books::connection::Books;
use books::load::row::LoadError;
use books::programs;
use durable::probe::Point;
use durable::schedules::{self as slots, ScheduleError, ScheduleLine};
use program::calendar::Instant;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::{Shared, causes};
use crate::schedules::{self, Deciding, RecordError, Scheduled};

/// The longest time between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The time between two looks after a slot was fired: the next one may be due already, and wait for its run.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Looks at that pace after a slot was fired.
const LOOKS_AGAIN: u32 = 20;
/// Looks between two readings of the programmes.
const LOOKS_A_READING: u32 = 20;

/// Fires slots.
#[derive(Debug)]
pub(super) struct Scheduler;

/// Look at the clock.
#[derive(Debug)]
pub(super) struct Look;

#[derive(Debug)]
pub(super) struct Scheduling {
    shared: Shared,
    looks: u32,
    /// Looks that are still made soon after each other.
    again: u32,
    /// What keeps a slot waiting although it is due, by schedule, as it was told last.
    waiting: BTreeMap<String, String>,
}

impl Actor for Scheduler {
    type Msg = Look;
    type State = Scheduling;
    type Arguments = Shared;

    async fn pre_start(&self, myself: ActorRef<Look>, shared: Shared) -> Result<Scheduling, ActorProcessingErr> {
        myself.cast(Look)?;
        Ok(Scheduling { shared, looks: 0, again: 0, waiting: BTreeMap::new() })
    }

    async fn handle(&self, myself: ActorRef<Look>, _look: Look, state: &mut Scheduling) -> Result<(), ActorProcessingErr> {
        let now = state.shared.now();
        if state.looks.is_multiple_of(LOOKS_A_READING)
            && let Err(error) = record(&state.shared.books, now).await
        {
            tracing::error!(error = causes(&error), "schedules.not_recorded");
        }
        state.looks = state.looks.wrapping_add(1);
        match fire(&state.shared, now, &mut state.waiting).await {
            Ok(0) => state.again = state.again.saturating_sub(1),
            Ok(_) => {
                state.shared.engine.hint();
                state.again = LOOKS_AGAIN;
            }
            Err(error) => tracing::error!(error = causes(&error), "schedules.not_fired"),
        }
        if !state.shared.stop.is_cancelled() {
            myself.send_after(if state.again > 0 { LOOK_AGAIN } else { LOOK_EVERY }, || Look);
        }
        Ok(())
    }
}

/// Records the schedules that the programmes ask for now, and that a service knows these programmes.
///
/// # Errors
/// The database failed, or a programme asks for what is no schedule.
pub(super) async fn record(books: &Books, now: Instant) -> Result<(), RecordError> {
    let tx = books.begin_write().await.map_err(LoadError::from)?;
    let recorded = async {
        schedules::record(&tx, now).await?;
        Ok::<_, RecordError>(programs::note_served(&tx, now).await?)
    };
    match recorded.await {
        Ok(()) => Ok(tx.commit().await.map_err(LoadError::from)?),
        Err(error) => {
            tx.rollback().await.map_err(LoadError::from)?;
            Err(error)
        }
    }
}

/// Why a schedule's slots can't be decided.
#[derive(Debug, thiserror::Error)]
enum FireError {
    #[error(transparent)]
    Books(#[from] LoadError),
    #[error(transparent)]
    Slots(#[from] ScheduleError),
}

/// Fires what is due, in order, and says how many slots were decided.
async fn fire(shared: &Shared, now: Instant, waiting: &mut BTreeMap<String, String>) -> Result<usize, ScheduleError> {
    let books = &shared.books;
    let at = durable::Instant(now.0);
    if slots::next_due(books.read()).await?.is_none_or(|due| due > at) {
        return Ok(0);
    }
    let mut count = 0;
    for line in slots::list(books.read(), at, schedules::behind).await? {
        tell_waiting(waiting, &line);
        if line.waits_for.is_some() {
            continue;
        }
        let Ok(what) = line.id.parse::<Scheduled>() else {
            tracing::error!(schedule = line.id, "schedule.unknown");
            continue;
        };
        let tx = books.begin_write().await?;
        let fired = async {
            let deciding = Deciding::load(&tx, &what).await?;
            Ok::<_, FireError>(slots::fire_due(&tx, &line.id, &what.behind(), || shared.clock.now(), |slot| deciding.decide(slot)).await?)
        };
        match fired.await {
            Ok(decided) => {
                passes(shared, Point::BeforeResult, !decided.is_empty());
                tx.commit().await?;
                passes(shared, Point::AfterResult, !decided.is_empty());
                for one in &decided {
                    tracing::info!(schedule = line.id, slot = %one.slot, run = one.run.as_ref().map(tracing::field::display), "slot.decided");
                }
                count += decided.len();
            }
            Err(error) => {
                tx.rollback().await?;
                tracing::error!(schedule = line.id, error = causes(&error), "schedule.not_fired");
            }
        }
    }
    Ok(count)
}

/// Logs once what a slot waits for, and that it no longer does.
fn tell_waiting(waiting: &mut BTreeMap<String, String>, line: &ScheduleLine) {
    match &line.waits_for {
        Some(waits_for) if waiting.get(&line.id) != Some(waits_for) => {
            tracing::info!(schedule = line.id, slot = line.next_slot, waits_for, "slot.waits");
            waiting.insert(line.id.clone(), waits_for.clone());
        }
        Some(_) => {}
        None => drop(waiting.remove(&line.id)),
    }
}

fn passes(shared: &Shared, point: Point, is_fired: bool) {
    if is_fired {
        shared.engine.options().probe.at(point, "scheduler", "slot");
    }
}
