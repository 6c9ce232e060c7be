//! The embedded engine: it takes runs that are due under a lease and drives them.

mod claim;
mod commit;
mod drive;
mod execution;
mod journal;
mod node;
mod operations;
mod writes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, Instant, SystemClock};
use crate::context::StepError;
use crate::database::Database;
use crate::ids::RunId;
use crate::json;
use crate::probe::{NoProbe, Probe};
use crate::retry::RetryPolicy;
use crate::runs::{self, RunError, Started};
use crate::sql;
use crate::workflow::{Registry, Workflow};

use commit::{Committer, UnitError, unit};
pub use drive::{Claimed, Drive};
pub use operations::EmbeddedContext;
use writes::Hold;

/// A wake time that is nearer than this is worth a hint.
const SOON: Duration = Duration::from_secs(1);

/// How an engine works.
#[derive(Debug, Clone)]
pub struct Options {
    /// The node's name: unique among the processes on one database that live at the same time, and the same after a restart.
    pub node: String,
    /// How long a node that does not answer keeps its runs.
    pub lease: Duration,
    /// How often a run is taken without progress before it is parked as poisonous.
    pub takes_max: u32,
    /// How often operators' words are looked up while a run is executed.
    pub watch_every: Duration,
    /// The retry policy of steps in the database.
    pub tx_retry: RetryPolicy,
    /// The retry policy of steps in the outside world.
    pub step_retry: RetryPolicy,
    /// The longest that a step in the database may take.
    pub unit_time_max: Duration,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What happens at named points.
    pub probe: Arc<dyn Probe>,
    /// The seed of all jitter.
    pub seed: u64,
}

impl Options {
    /// The defaults, for a node.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            lease: Duration::from_secs(30),
            takes_max: 5,
            watch_every: Duration::from_millis(300),
            tx_retry: RetryPolicy::TX,
            step_retry: RetryPolicy::STEP,
            unit_time_max: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
            probe: Arc::new(NoProbe),
            seed: fastrand::u64(..),
        }
    }
}

/// What an engine can't do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process has started under the same node name.
    #[error("another process has started as node {0:?}; give each process that runs at the same time a name of its own")]
    Replaced(String),
    /// A commit met a storage fault: what was acknowledged before stands, nothing is acknowledged after it.
    #[error("the storage of the database failed during a commit: {0}; stop the process, check the disk, start again")]
    Storage(String),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// A run can't be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A commit failed.
    #[error("a change could not be committed: {0}")]
    Commit(String),
}

impl From<UnitError> for EngineError {
    fn from(error: UnitError) -> Self {
        match error {
            UnitError::Database(error) | UnitError::Unknown(error) => Self::Database(error),
            UnitError::Lost | UnitError::Step(_) | UnitError::Panicked(_) | UnitError::Closed => Self::Commit(error.text()),
        }
    }
}

/// A run that no registered workflow can execute; it was parked when the engine started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Its version.
    pub version: u32,
    /// Why it can't be executed.
    pub reason: String,
}

/// The handle of an engine; clones are the same engine, which stops when the last of them and of its claimed runs is dropped.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    _watcher: Arc<node::Watcher>,
}

/// What all parts of an engine share.
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) registry: Registry,
    pub(crate) options: Options,
    pub(crate) commits: Committer,
    generation: i64,
    held: Mutex<HashMap<RunId, (i64, watch::Sender<bool>)>>,
    excused: Mutex<HashMap<RunId, Excuse>>,
    /// Read while runs are taken and become known in `held`; written while it is looked up what is held by nobody.
    taking: tokio::sync::RwLock<()>,
    lease: Mutex<node::Lease>,
    wake: Notify,
    orphans: Vec<Orphan>,
}

/// A hold that was lost because the storage was full or failed: it is given back as if the run had not been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excuse {
    epoch: i64,
    /// The call to the outside whose answer could not be written, and which attempt it was.
    call: Option<(String, i64)>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inner").field("node", &self.options.node).field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts an engine: takes over at once what an earlier process of the same node name held, and parks, visibly, the unfinished runs
    /// that no registered workflow can execute.
    ///
    /// # Errors
    /// [`EngineError::Database`].
    pub async fn open(database: Database, registry: Registry, options: Options) -> Result<Self, EngineError> {
        let commits = Committer::new(database.clone(), options.seed, options.unit_time_max);
        let (generation, lease) = node::register(&commits, &database, &options).await?;
        let orphans = claim::park_orphans(&commits, &database, &registry, options.clock.now()).await?;
        let inner = Arc::new(Inner {
            database,
            registry,
            options,
            commits,
            generation,
            held: Mutex::default(),
            excused: Mutex::default(),
            taking: tokio::sync::RwLock::default(),
            lease: Mutex::new(lease),
            wake: Notify::new(),
            orphans,
        });
        let watcher = Arc::new(node::Watcher::start(&inner));
        Ok(Self { inner, _watcher: watcher })
    }

    /// The runs that were parked at the start because no registered workflow can execute them.
    #[must_use]
    pub fn orphans(&self) -> &[Orphan] {
        &self.inner.orphans
    }

    /// How this engine works.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Takes at most `most` runs that are due.
    ///
    /// # Errors
    /// [`EngineError::Replaced`], [`EngineError::Storage`], [`EngineError::Database`].
    pub async fn claim(&self, most: usize) -> Result<Vec<Claimed>, EngineError> {
        claim::claim(&self.inner, most).await
    }

    /// Starts a run in a commit of its own (which it may share with others) and wakes a host.
    ///
    /// # Errors
    /// [`EngineError::Run`], [`EngineError::Commit`], [`EngineError::Database`].
    ///
    /// # Idempotency
    /// By (workflow, key): a repeat returns the run that is there.
    pub async fn start<W: Workflow>(&self, key: &str, input: &W::Input) -> Result<Started, EngineError> {
        let input = json::write("the run's input", input).map_err(RunError::from)?;
        let inner = &self.inner;
        let now = inner.options.clock.now();
        let started = if inner.database.is_postgres() {
            runs::insert(inner.database.write(), W::NAME, W::VERSION, key, &input, None, now).await?
        } else {
            let key = key.to_owned();
            let unit = unit::<Result<Started, String>, _>(move |tx| {
                let (key, input) = (key.clone(), input.clone());
                Box::pin(async move {
                    match runs::insert(tx, W::NAME, W::VERSION, &key, &input, None, now).await {
                        Err(RunError::Database(error)) => Err(UnitError::Database(error)),
                        started => Ok(started.map_err(|error| json::chain(&error))),
                    }
                })
            });
            inner.commits.commit(unit).await?.map_err(EngineError::Commit)?
        };
        self.hint();
        Ok(started)
    }

    /// Says that something may be due, after the commit that made it so. A hint that is lost costs no more than one poll.
    pub fn hint(&self) {
        self.inner.hint();
    }

    /// Waits for a hint.
    pub async fn hinted(&self) {
        self.inner.wake.notified().await;
    }

    /// When the next run is due, as far as is known now.
    ///
    /// # Errors
    /// [`EngineError::Database`].
    pub async fn next_due(&self) -> Result<Option<Instant>, EngineError> {
        Ok(claim::next_due(&self.inner).await?)
    }

    /// Gives up the node's lease, so that others need not wait for its end: the last act of a process that shuts down. What is still held
    /// is taken over by others, or by the node when it starts again.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn leave(&self) -> Result<(), EngineError> {
        node::leave(&self.inner).await
    }

    /// How long ago the node's lease was last renewed by a commit: more than [`Options::lease`] means that nothing can be written, or
    /// that another process has taken this one's place.
    #[must_use]
    pub fn since_renewal(&self) -> Duration {
        self.inner.since_renewal()
    }

    /// Whether the node's lease is certainly its own still: ask it directly before what can't be taken back.
    #[must_use]
    pub fn lease_is_fresh(&self) -> bool {
        self.inner.lease_is_fresh()
    }

    /// How many runs this engine holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Inner {
    pub(crate) fn hint(&self) {
        self.wake.notify_one();
    }

    /// Something is due at an instant: whoever waits for what is due later may have to wait less.
    pub(crate) fn hint_at(&self, at: Instant) {
        if at.since(self.options.clock.now()) < SOON {
            self.hint();
        }
    }

    pub(crate) fn let_go(&self, hold: &Hold) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(&hold.run).is_some_and(|(epoch, _)| *epoch == hold.epoch) {
            held.remove(&hold.run);
        }
    }

    /// Notes that a hold is lost through no fault of the run.
    pub(crate) fn excuse(&self, hold: &Hold, call: Option<(String, i64)>) {
        let mut excused = self.excused.lock().unwrap_or_else(PoisonError::into_inner);
        excused.insert(hold.run.clone(), Excuse { epoch: hold.epoch, call });
    }

    /// Why a hold was lost through no fault of the run, if it was.
    fn excused(&self, run: &RunId, epoch: i64) -> Option<Excuse> {
        self.excused.lock().unwrap_or_else(PoisonError::into_inner).get(run).filter(|excuse| excuse.epoch == epoch).cloned()
    }

    /// The runs that this engine holds, with their epochs.
    fn held(&self) -> HashMap<RunId, i64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(run, (epoch, _))| (run.clone(), *epoch)).collect()
    }

    /// Whether a run is certainly still held under an epoch: by this node's own clock, and by the database, which knows who took it
    /// while this process, or its machine, stood still.
    pub(crate) async fn still_holds(&self, hold: &Hold) -> Result<(), StepError> {
        let text = "SELECT 1 FROM workflow_runs WHERE id = ? AND epoch = ? AND status = 'running'";
        let is_held = self.lease_is_fresh()
            && sql::row(self.database.read(), text, [hold.run.as_str().into(), hold.epoch.into()]).await?.is_some()
            && self.lease_is_fresh();
        if is_held {
            return Ok(());
        }
        tracing::warn!(run = %hold.run, "durable.not_held_any_more");
        Err(StepError::retry("the run was not certainly held any more, so nothing was sent"))
    }

    /// How long ago the lease was last renewed for certain.
    pub(crate) fn since_renewal(&self) -> Duration {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).since_renewal()
    }

    /// Whether this node is certainly still allowed to act.
    pub(crate) fn lease_is_fresh(&self) -> bool {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).is_fresh()
    }
}
