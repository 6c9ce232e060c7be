//! The partners' desk: a command to a partner goes to its actor, which is started on demand and stops when idle.
//!
//! Commands to one partner run one at a time, partners run side by side. An actor decides nothing from memory: what it is asked to do
//! is decided in the transaction that does it. The commits of many actors share one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use books::connection::Books;
use books::settlement::SettleError;
use books::settlement::run::{self, Parked};
use durable::Clock;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::{Instant, Period};
use program::line::Text;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::{Notify, mpsc, oneshot};
use workflows::ports::Partners;

/// Partners whose commits share one transaction.
const BATCH: usize = 500;
/// Partners' actors that live at the same time; one that would be more waits for another to stop.
const LIVE_MAX: usize = 2_000;
/// Above so many, an actor that has nothing to do stops at once.
const LIVE_EASY: usize = 1_000;
/// Commands that wait for one partner.
const WAITING_MAX: usize = 32;
/// How long an actor without commands lives.
const IDLE: Duration = Duration::from_secs(30);
/// How long a partner may keep a batch waiting for it.
const TURN_MAX: Duration = Duration::from_mins(1);

/// A desk that can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("the partners' supervisor can't be started: {0}")]
pub struct DeskError(#[from] SpawnErr);

/// Commands partners.
#[derive(Clone)]
pub struct Desk {
    books: Books,
    clock: Arc<dyn Clock>,
    room: Arc<Room>,
    supervisor: ActorCell,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("live", &self.room.lock().len()).finish_non_exhaustive()
    }
}

/// The partners' actors that live.
#[derive(Debug, Default)]
struct Room {
    live: Mutex<HashMap<Text, Live>>,
    left: Notify,
}

#[derive(Debug)]
struct Live {
    actor: ActorRef<Command>,
    /// Commands that were sent and are not done.
    waiting: usize,
}

impl Room {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Text, Live>> {
        // A map that was left by a panic is whole: each change of it is one call.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a command is done; whether the actor may stop now, in which case nobody finds it any more.
    fn done(&self, partner: &Text, may_stop: impl FnOnce(usize) -> bool) -> bool {
        let mut live = self.lock();
        let count = live.len();
        let Some(one) = live.get_mut(partner) else { return true };
        one.waiting = one.waiting.saturating_sub(1);
        let stops = one.waiting == 0 && may_stop(count);
        if stops {
            live.remove(partner);
        }
        stops
    }

    fn forget(&self, actor: ActorId) {
        self.lock().retain(|_, one| one.actor.get_id() != actor);
        self.left.notify_waiters();
    }
}

/// A command to a partner.
#[derive(Debug, Clone)]
enum Command {
    /// Take part in the batch that makes settlements final; done when it is committed.
    Finish(mpsc::Sender<Joined>),
    /// Nothing was asked of it for a while.
    Idle,
}

/// A partner that is ready for the batch, and waits for its outcome.
type Joined = (Text, oneshot::Sender<()>);

impl Desk {
    /// Opens it.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn open(books: Books, clock: Arc<dyn Clock>) -> Result<Self, DeskError> {
        let room = Arc::new(Room::default());
        let (supervisor, _) = Actor::spawn(None, Supervisor, Arc::clone(&room)).await?;
        Ok(Self { books, clock, room, supervisor: supervisor.get_cell() })
    }

    /// Gives a partner a command; `false`: too many wait for it already.
    async fn command(&self, partner: &Text, command: Command) -> Result<bool, SpawnErr> {
        loop {
            let left = self.room.left.notified();
            if let Some(one) = self.room.lock().get_mut(partner) {
                if one.waiting >= WAITING_MAX {
                    return Ok(false);
                }
                if one.actor.cast(command.clone()).is_ok() {
                    one.waiting += 1;
                    return Ok(true);
                }
            }
            if self.room.lock().len() < LIVE_MAX {
                self.start(partner).await?;
            } else {
                // Bounded: whoever has stopped says so, and the time is looked at beside.
                let _ = tokio::time::timeout(IDLE, left).await;
            }
        }
    }

    async fn start(&self, partner: &Text) -> Result<(), SpawnErr> {
        let arguments = (partner.clone(), Arc::clone(&self.room));
        let (actor, _) = Actor::spawn_linked(None, Partner, arguments, self.supervisor.clone()).await?;
        let mut live = self.room.lock();
        match live.get(partner) {
            // Somebody else was faster, and this one is not needed.
            Some(one) if one.actor.get_status() < ractor::ActorStatus::Stopping => actor.stop(None),
            _ => {
                live.insert(partner.clone(), Live { actor, waiting: 0 });
            }
        }
        Ok(())
    }

    async fn finish_batch(&self, program: &str, period: Period, payees: &[Text]) -> Result<Vec<Parked>, SettleError> {
        let (send, mut joins) = mpsc::channel(payees.len().max(1));
        let mut parked = Vec::new();
        let mut commanded = 0;
        for payee in payees {
            match self.command(payee, Command::Finish(send.clone())).await {
                Ok(true) => commanded += 1,
                Ok(false) => parked.push(Parked { payee: payee.clone(), reason: "too many commands wait for its partner".into() }),
                Err(error) => parked.push(Parked { payee: payee.clone(), reason: format!("its partner's actor can't be started: {error}") }),
            }
        }
        drop(send);
        let mut joined: Vec<Joined> = Vec::with_capacity(commanded);
        let deadline = tokio::time::Instant::now() + TURN_MAX;
        while let Ok(Some(one)) = tokio::time::timeout_at(deadline, joins.recv()).await {
            joined.push(one);
        }
        drop(joins);
        let ready: Vec<Text> = joined.iter().map(|(payee, _)| payee.clone()).collect();
        let missing = payees.iter().filter(|payee| !ready.contains(payee) && !parked.iter().any(|one| one.payee == **payee)).cloned();
        let missing: Vec<Parked> = missing.map(|payee| Parked { payee, reason: "its partner's actor failed or did not get to it".into() }).collect();
        parked.extend(missing);
        let finished = run::finish_payees(&self.books, program, period, &ready, Instant(self.clock.now().0)).await;
        for (_, done) in joined {
            // A partner that is gone waits for nothing.
            let _ = done.send(());
        }
        parked.extend(finished?);
        Ok(parked)
    }
}

impl Partners for Desk {
    fn finish<'a>(&'a self, program: &'a str, period: Period, payees: Vec<Text>) -> BoxFuture<'a, Result<Vec<Parked>, SettleError>> {
        async move {
            let mut parked = Vec::new();
            for batch in payees.chunks(BATCH) {
                parked.extend(self.finish_batch(program, period, batch).await?);
            }
            Ok(parked)
        }
        .boxed()
    }
}

/// Keeps the room in order when an actor ends, however it ends.
#[derive(Debug)]
struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = Arc<Room>;
    type Arguments = Arc<Room>;

    async fn pre_start(&self, _myself: ActorRef<()>, room: Arc<Room>) -> Result<Arc<Room>, ActorProcessingErr> {
        Ok(room)
    }

    // Without this a supervisor ends with the first of its children.
    async fn handle_supervisor_evt(&self, _myself: ActorRef<()>, event: SupervisionEvent, room: &mut Arc<Room>) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, ..) => room.forget(actor.get_id()),
            SupervisionEvent::ActorFailed(actor, error) => {
                tracing::error!(%error, "partner.actor_failed");
                room.forget(actor.get_id());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

/// One partner in this process.
#[derive(Debug)]
struct Partner;

#[derive(Debug)]
struct Seat {
    partner: Text,
    room: Arc<Room>,
    /// Commands since the last look whether it is idle.
    busy: bool,
}

impl Actor for Partner {
    type Msg = Command;
    type State = Seat;
    type Arguments = (Text, Arc<Room>);

    async fn pre_start(&self, myself: ActorRef<Command>, (partner, room): (Text, Arc<Room>)) -> Result<Seat, ActorProcessingErr> {
        myself.send_interval(IDLE, || Command::Idle);
        Ok(Seat { partner, room, busy: true })
    }

    async fn handle(&self, myself: ActorRef<Command>, command: Command, seat: &mut Seat) -> Result<(), ActorProcessingErr> {
        let stops = match command {
            Command::Finish(batch) => {
                let (send, done) = oneshot::channel();
                // A batch that is over has no place for it, and it is done, too.
                if batch.send((seat.partner.clone(), send)).await.is_ok() {
                    drop(batch);
                    let _ = done.await;
                }
                seat.busy = true;
                seat.room.done(&seat.partner, |live| live > LIVE_EASY)
            }
            Command::Idle => {
                let is_idle = !std::mem::take(&mut seat.busy);
                let mut live = seat.room.lock();
                let stops = is_idle && live.get(&seat.partner).is_none_or(|one| one.waiting == 0);
                if stops {
                    live.remove(&seat.partner);
                }
                stops
            }
        };
        if stops {
            myself.stop(None);
        }
        Ok(())
    }
}
