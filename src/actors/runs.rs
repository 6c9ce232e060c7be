//! The host of runs: takes what is due and gives each run an actor of its own, so many at a time.

use std::time::{Duration, Instant};

use durable::{Claimed, Drive, EngineError};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{Shared, causes};

/// The longest time between two looks for what is due: how long a word from another process goes unheard.
const POLL: Duration = Duration::from_millis(200);
/// The least time between two words about claims that fail.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Takes runs and supervises their actors.
#[derive(Debug)]
pub(super) struct Host;

#[derive(Debug)]
pub(super) enum HostMessage {
    /// Look for what is due.
    Look,
}

#[derive(Debug)]
pub(super) struct Hosting {
    shared: Shared,
    live: usize,
    /// Whether it hears no hints before its next look, since it was full, or could not take, at its last one.
    is_deaf: bool,
    /// When it was last told that a claim failed.
    told_at: Option<Instant>,
}

impl Actor for Host {
    type Msg = HostMessage;
    type State = Hosting;
    type Arguments = Shared;

    async fn pre_start(&self, myself: ActorRef<HostMessage>, shared: Shared) -> Result<Hosting, ActorProcessingErr> {
        myself.cast(HostMessage::Look)?;
        Ok(Hosting { shared, live: 0, is_deaf: false, told_at: None })
    }

    async fn handle(&self, myself: ActorRef<HostMessage>, _message: HostMessage, state: &mut Hosting) -> Result<(), ActorProcessingErr> {
        let is_able = state.take(&myself).await;
        // What is overdue is no reason to hurry for a host that can't take it.
        let is_deaf = !is_able || state.live >= state.shared.workers;
        let wait = if is_deaf { POLL } else { state.until_due().await };
        state.is_deaf = is_deaf;
        let (engine, stop) = (state.shared.engine.clone(), state.shared.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => return,
                () = engine.hinted(), if !is_deaf => {}
                () = tokio::time::sleep(wait) => {}
            }
            // A host that is gone has a successor with a pulse of its own.
            let _ = myself.cast(HostMessage::Look);
        });
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<HostMessage>,
        event: SupervisionEvent,
        state: &mut Hosting,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(..) => state.live = state.live.saturating_sub(1),
            SupervisionEvent::ActorFailed(_, error) => {
                state.live = state.live.saturating_sub(1);
                tracing::error!(%error, "run.actor_failed");
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        }
        // One that hears has taken what was due; what has become due since, it is told.
        if state.is_deaf {
            state.take(&myself).await;
        }
        Ok(())
    }
}

impl Hosting {
    /// Takes what is due, and says whether that could be done.
    async fn take(&mut self, myself: &ActorRef<HostMessage>) -> bool {
        let free = self.shared.workers.saturating_sub(self.live);
        if free == 0 || self.shared.stop.is_cancelled() {
            return true;
        }
        match self.shared.engine.claim(free).await {
            Ok(claimed) => {
                for run in claimed {
                    let id = run.run().to_string();
                    match Actor::spawn_linked(None, Run, run, myself.get_cell()).await {
                        Ok(_) => self.live += 1,
                        Err(error) => tracing::error!(run = id, %error, "run.actor_not_started"),
                    }
                }
                return true;
            }
            Err(error @ (EngineError::Replaced(_) | EngineError::Storage(_))) => {
                tracing::error!(error = causes(&error), "service.must_stop");
                self.shared.stop.cancel();
            }
            Err(error) if self.told_at.is_none_or(|told_at| told_at.elapsed() >= TOLD_EVERY) => {
                self.told_at = Some(Instant::now());
                tracing::error!(error = causes(&error), "runs.claim_failed");
            }
            Err(_) => {}
        }
        false
    }

    async fn until_due(&self) -> Duration {
        match self.shared.engine.next_due().await {
            Ok(Some(due)) => due.since(self.shared.clock.now()).clamp(Duration::from_millis(1), POLL),
            Ok(None) | Err(_) => POLL,
        }
    }
}

/// Drives one run until it ends, waits or is no longer ours.
#[derive(Debug)]
struct Run;

impl Actor for Run {
    type Msg = ();
    type State = Option<Claimed>;
    type Arguments = Claimed;

    async fn pre_start(&self, myself: ActorRef<()>, claimed: Claimed) -> Result<Option<Claimed>, ActorProcessingErr> {
        myself.cast(())?;
        Ok(Some(claimed))
    }

    async fn handle(&self, myself: ActorRef<()>, (): (), state: &mut Option<Claimed>) -> Result<(), ActorProcessingErr> {
        if let Some(claimed) = state.take() {
            let (run, workflow, key) = (claimed.run().to_string(), claimed.workflow().to_owned(), claimed.key().to_owned());
            let drive: Drive = claimed.drive().await;
            tracing::info!(run, workflow, key, drive = ?drive, "run.driven");
        }
        myself.stop(None);
        Ok(())
    }
}
