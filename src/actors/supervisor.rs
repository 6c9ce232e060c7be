//! The root supervisor: starts the parts of the service, starts again what fails, and ends the service when that does not help.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use workflows::letters;

use super::outbox::{self, Outbox};
use super::runs::Host;
use super::scheduler::{self, Scheduler};
use super::upkeep::Upkeep;
use super::{Shared, causes};

/// Restarts within [`RESTARTS_WITHIN`] that are borne; more end the service, so that whoever watches it sees it.
const RESTARTS_MAX: usize = 10;
/// The time in which restarts are counted.
const RESTARTS_WITHIN: Duration = Duration::from_mins(1);

/// A service that can't be supervised.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// An actor can't be started.
    #[error("an actor can't be started: {0}")]
    Spawn(#[from] SpawnErr),
    /// The schedules can't be recorded.
    #[error("the schedules can't be recorded")]
    Schedules(#[from] crate::schedules::RecordError),
    /// What was being sent can't be taken up.
    #[error("the letters of the process before this one can't be taken up")]
    Outbox(#[from] durable::outbox::OutboxError),
}

/// The living service.
#[derive(Debug)]
pub struct Service {
    root: ActorRef<()>,
    ended: tokio::task::JoinHandle<()>,
}

impl Service {
    /// Starts all its parts.
    ///
    /// # Errors
    /// [`SuperviseError`].
    pub async fn start(shared: Shared) -> Result<Self, SuperviseError> {
        // Once before anything fires: what can't be recorded is told to who starts the service.
        scheduler::record(&shared.books, shared.now()).await?;
        let letters = outbox::take_over(&shared).await?;
        if letters > 0 {
            tracing::warn!(letters, "outbox.took_over");
        }
        let (root, ended) = Actor::spawn(None, Root, shared).await?;
        Ok(Self { root, ended })
    }

    /// Ends all its parts: nothing new is begun, what is at work gets `limit` to come to its next step.
    pub async fn end(self, shared: &Shared, limit: Duration) {
        shared.stop.cancel();
        let deadline = Instant::now() + limit;
        while shared.engine.held() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.root.stop(None);
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        if tokio::time::timeout(left, self.ended).await.is_err() {
            self.root.kill();
        }
    }
}

#[derive(Debug)]
struct Root;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Scheduler,
    Outbox,
    UrgentOutbox,
    Upkeep,
}

#[derive(Debug)]
struct Rooted {
    shared: Shared,
    parts: Vec<(Part, ActorCell)>,
    restarts: VecDeque<Instant>,
}

impl Actor for Root {
    type Msg = ();
    type State = Rooted;
    type Arguments = Shared;

    async fn pre_start(&self, myself: ActorRef<()>, shared: Shared) -> Result<Rooted, ActorProcessingErr> {
        let mut state = Rooted { shared, parts: Vec::new(), restarts: VecDeque::new() };
        for part in [Part::Host, Part::Scheduler, Part::Outbox, Part::UrgentOutbox, Part::Upkeep] {
            let cell = start(part, &state.shared, myself.get_cell()).await?;
            state.parts.push((part, cell));
        }
        Ok(state)
    }

    async fn handle_supervisor_evt(&self, myself: ActorRef<()>, event: SupervisionEvent, state: &mut Rooted) -> Result<(), ActorProcessingErr> {
        let (actor, why) = match event {
            SupervisionEvent::ActorTerminated(actor, _, why) => (actor, why.unwrap_or_else(|| "it ended".into())),
            SupervisionEvent::ActorFailed(actor, error) => (actor, error.to_string()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        };
        let Some(place) = state.parts.iter().position(|(_, cell)| cell.get_id() == actor.get_id()) else { return Ok(()) };
        let (part, _) = state.parts.remove(place);
        if state.shared.stop.is_cancelled() {
            return Ok(());
        }
        tracing::error!(?part, why, "part.failed");
        let now = Instant::now();
        state.restarts.push_back(now);
        while state.restarts.front().is_some_and(|at| now.duration_since(*at) > RESTARTS_WITHIN) {
            state.restarts.pop_front();
        }
        if state.restarts.len() > RESTARTS_MAX {
            tracing::error!(restarts = state.restarts.len(), "service.gives_up");
            state.shared.stop.cancel();
            return Ok(());
        }
        match start(part, &state.shared, myself.get_cell()).await {
            Ok(cell) => state.parts.push((part, cell)),
            Err(error) => {
                tracing::error!(?part, error = causes(&error), "part.not_restarted");
                state.shared.stop.cancel();
            }
        }
        Ok(())
    }
}

async fn start(part: Part, shared: &Shared, root: ActorCell) -> Result<ActorCell, SpawnErr> {
    let shared = shared.clone();
    Ok(match part {
        Part::Host => Actor::spawn_linked(None, Host, shared, root).await?.0.get_cell(),
        Part::Scheduler => Actor::spawn_linked(None, Scheduler, shared, root).await?.0.get_cell(),
        Part::Outbox => Actor::spawn_linked(None, Outbox { topic: letters::TOPIC }, shared, root).await?.0.get_cell(),
        Part::UrgentOutbox => Actor::spawn_linked(None, Outbox { topic: letters::URGENT }, shared, root).await?.0.get_cell(),
        Part::Upkeep => Actor::spawn_linked(None, Upkeep, shared, root).await?.0.get_cell(),
    })
}
