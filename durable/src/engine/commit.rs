//! How units of work are committed: on PostgreSQL each by its own pooled connection; on SQLite, which has one writer, units of many
//! runs share one transaction. A unit is done after COMMIT, never before.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr, QueryResult, TransactionTrait, Value};
use tokio::sync::{mpsc, oneshot};

use crate::context::StepError;
use crate::database::{Database, is_exhausted, is_full, is_io, is_storage, is_transient};
use crate::json::{bounded, chain};
use crate::retry::{RetryPolicy, jittered};
use crate::sql;

/// Units that wait for the writer; whoever submits more waits.
const QUEUE_MAX: usize = 1_024;
/// Units in one transaction.
const BATCH_MAX: usize = 256;
/// Batches that are made with savepoints after one in which a unit failed.
const CAREFUL_BATCHES: u32 = 16;
/// How a unit that met a lock or a conflict is tried again.
const CONFLICTS: RetryPolicy = RetryPolicy { attempts_max: 12, first: Duration::from_millis(2), factor: 2, longest: Duration::from_millis(500) };

/// Why a unit was not committed.
#[derive(Debug)]
pub(crate) enum UnitError {
    /// The run is no longer held under this epoch.
    Lost,
    /// The step's own word.
    Step(StepError),
    /// Code panicked.
    Panicked(String),
    /// The database refused; nothing was changed.
    Database(DbErr),
    /// The connection broke while the commit was under way: it may have happened.
    Unknown(DbErr),
    /// The engine has been closed.
    Closed,
}

impl From<DbErr> for UnitError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl UnitError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Step(StepError::Transient { .. }) => true,
            Self::Database(error) => is_transient(error),
            Self::Step(_) | Self::Lost | Self::Panicked(_) | Self::Unknown(_) | Self::Closed => false,
        }
    }

    /// The storage is full or fails, which says nothing of the unit: nothing was changed.
    pub(crate) fn is_exhausted(&self) -> bool {
        match self {
            Self::Step(StepError::Storage { .. }) => true,
            Self::Database(error) => is_exhausted(error),
            Self::Step(_) | Self::Lost | Self::Panicked(_) | Self::Unknown(_) | Self::Closed => false,
        }
    }

    /// The whole transaction may be gone with this error, not the unit alone.
    fn spoils_all(&self) -> bool {
        matches!(self, Self::Database(error) if is_storage(error) || is_transient(error))
    }

    /// What it is, for people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Lost => "the run is held by somebody else".to_owned(),
            Self::Step(error) => error.reason(),
            Self::Panicked(text) => format!("panicked: {text}"),
            Self::Database(error) | Self::Unknown(error) => chain(error),
            Self::Closed => "the engine is closed".to_owned(),
        }
    }
}

pub(crate) type UnitFuture<'a, T> = BoxFuture<'a, Result<T, UnitError>>;

/// A unit of work: lets the compiler see that the future borrows the transaction.
pub(crate) fn unit<T, F>(work: F) -> F
where
    F: for<'a> Fn(&'a DatabaseTransaction) -> UnitFuture<'a, T> + Send + Sync + 'static,
{
    work
}

type Work = Box<dyn for<'a> Fn(&'a DatabaseTransaction) -> UnitFuture<'a, ()> + Send + Sync>;

struct Job {
    work: Work,
    savepoint: bool,
    done: oneshot::Sender<Result<(), UnitError>>,
}

/// Commits units of work.
#[derive(Debug)]
pub(crate) struct Committer {
    database: Database,
    queue: Option<mpsc::Sender<Job>>,
    fault: Arc<OnceLock<String>>,
    random: Mutex<fastrand::Rng>,
    unit_time_max: Duration,
}

impl Committer {
    pub(crate) fn new(database: Database, seed: u64, unit_time_max: Duration) -> Self {
        let fault = Arc::<OnceLock<String>>::default();
        let queue = (!database.is_postgres()).then(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_MAX);
            tokio::spawn(write(database.clone(), receiver, unit_time_max, Arc::clone(&fault)));
            sender
        });
        Self { database, queue, fault, random: Mutex::new(fastrand::Rng::with_seed(seed)), unit_time_max }
    }

    /// The storage fault that a commit met: after it nothing is committed any more (PostgreSQL's server stops by itself).
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.get().cloned()
    }

    /// Runs a unit in a transaction and commits it; tries it again, bounded, when it met a lock or a conflict.
    pub(crate) async fn commit<T, F>(&self, unit: F) -> Result<T, UnitError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a DatabaseTransaction) -> UnitFuture<'a, T> + Send + Sync + 'static,
    {
        let unit = Arc::new(unit);
        self.bounded(|| async {
            match &self.queue {
                None => self.alone(unit.as_ref()).await,
                Some(queue) => shared(queue, Arc::clone(&unit), true).await,
            }
        })
        .await
    }

    /// Runs one statement, which is atomic by itself, and returns how many rows it changed.
    pub(crate) async fn statement(&self, text: String, values: Vec<Value>) -> Result<u64, UnitError> {
        let (text, values): (Arc<str>, Arc<[Value]>) = (text.into(), values.into());
        self.bounded(|| async {
            let (text, values) = (Arc::clone(&text), Arc::clone(&values));
            match &self.queue {
                None => sql::execute(self.database.write(), &text, values.iter().cloned()).await.map_err(lost_or_refused),
                Some(queue) => {
                    let unit = unit::<u64, _>(move |tx| {
                        let (text, values) = (Arc::clone(&text), Arc::clone(&values));
                        Box::pin(async move { Ok(sql::execute(tx, &text, values.iter().cloned()).await?) })
                    });
                    shared(queue, Arc::new(unit), false).await
                }
            }
        })
        .await
    }

    /// Runs one statement, which is atomic by itself, and returns its rows.
    pub(crate) async fn rows(&self, text: String, values: Vec<Value>) -> Result<Vec<QueryResult>, UnitError> {
        let (text, values): (Arc<str>, Arc<[Value]>) = (text.into(), values.into());
        self.bounded(|| async {
            let (text, values) = (Arc::clone(&text), Arc::clone(&values));
            match &self.queue {
                None => sql::rows(self.database.write(), &text, values.iter().cloned()).await.map_err(lost_or_refused),
                Some(queue) => {
                    let unit = unit::<Vec<QueryResult>, _>(move |tx| {
                        let (text, values) = (Arc::clone(&text), Arc::clone(&values));
                        Box::pin(async move { Ok(sql::rows(tx, &text, values.iter().cloned()).await?) })
                    });
                    shared(queue, Arc::new(unit), false).await
                }
            }
        })
        .await
    }

    /// A wait with jitter.
    pub(crate) fn jittered(&self, wait: Duration) -> Duration {
        jittered(wait, &mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A random number.
    pub(crate) fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    async fn bounded<T, A: Future<Output = Result<T, UnitError>>>(&self, attempt: impl Fn() -> A) -> Result<T, UnitError> {
        let mut tried = 1;
        loop {
            match attempt().await {
                Err(error) if error.is_transient() && tried < CONFLICTS.attempts_max => {
                    tracing::debug!(tried, error = error.text(), "durable.conflict");
                    tokio::time::sleep(self.jittered(CONFLICTS.wait_after(tried))).await;
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    async fn alone<T, F>(&self, unit: &F) -> Result<T, UnitError>
    where
        T: Send,
        F: for<'a> Fn(&'a DatabaseTransaction) -> UnitFuture<'a, T> + Sync,
    {
        let tx = self.database.begin_write().await?;
        match guarded(unit(&tx), self.unit_time_max).await {
            Ok(out) => self.database.commit(tx).await.map(|()| out).map_err(lost_or_refused),
            Err(error) => {
                self.database.roll_back(tx).await;
                Err(error)
            }
        }
    }
}

/// An error of the database's own is an answer; a broken connection is none.
fn lost_or_refused(error: DbErr) -> UnitError {
    if crate::database::is_answer(&error) { UnitError::Database(error) } else { UnitError::Unknown(error) }
}

async fn guarded<T>(unit: UnitFuture<'_, T>, limit: Duration) -> Result<T, UnitError> {
    match tokio::time::timeout(limit, AssertUnwindSafe(unit).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(UnitError::Panicked(panic_text(panic.as_ref()))),
        Err(_) => Err(UnitError::Step(StepError::retry(format!("its transaction took longer than {limit:?}")))),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    bounded(&text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned()))
}

async fn shared<T, F>(queue: &mpsc::Sender<Job>, unit: Arc<F>, savepoint: bool) -> Result<T, UnitError>
where
    T: Send + 'static,
    F: for<'a> Fn(&'a DatabaseTransaction) -> UnitFuture<'a, T> + Send + Sync + 'static,
{
    let out: Arc<Mutex<Option<T>>> = Arc::default();
    let slot = Arc::clone(&out);
    let work: Work = Box::new(move |tx| {
        let (unit, slot) = (Arc::clone(&unit), Arc::clone(&slot));
        Box::pin(async move {
            let value = unit(tx).await?;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        })
    });
    let (done, answer) = oneshot::channel();
    queue.send(Job { work, savepoint, done }).await.map_err(|_| UnitError::Closed)?;
    answer.await.map_err(|_| UnitError::Closed)??;
    let value = out.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.ok_or(UnitError::Closed)
}

/// The writer: one transaction after the other, each with what is waiting when it is its turn.
///
/// Nearly every unit goes well, so units share a transaction without savepoints; where one fails, all of them are rolled back and done
/// again, a savepoint each, and so are those of the next batches.
async fn write(database: Database, mut queue: mpsc::Receiver<Job>, limit: Duration, fault: Arc<OnceLock<String>>) {
    let mut careful = 0_u32;
    'units: while let Some(first) = queue.recv().await {
        let mut waiting = vec![first];
        let (answers, committed) = loop {
            let tx = match database.begin_write().await {
                Ok(tx) => tx,
                Err(error) => {
                    for job in waiting {
                        refuse(job, &error);
                    }
                    continue 'units;
                }
            };
            match batch(&tx, waiting, &mut queue, limit, careful > 0).await {
                Batch::Sound(answers) => break (answers, database.commit(tx).await),
                Batch::Spoilt(answers) => {
                    database.roll_back(tx).await;
                    break (answers, Ok(()));
                }
                Batch::Again(jobs) => {
                    database.roll_back(tx).await;
                    careful = CAREFUL_BATCHES;
                    waiting = jobs;
                }
            }
        };
        careful = careful.saturating_sub(1);
        if let Err(error) = committed.as_ref()
            && is_io(error)
        {
            // Whether the log reached the disk is not known, and asking the same file again would not tell: nothing more is acknowledged.
            tracing::error!(error = chain(error), "durable.storage_fault");
            fault.get_or_init(|| chain(error));
            return;
        }
        answer(answers, &committed);
    }
}

/// No transaction could be begun.
fn refuse(job: Job, error: &DbErr) {
    let refused = if is_transient(error) { rolled_back(chain(error)) } else { UnitError::Database(error.clone()) };
    // Whoever does not wait any more finds it in the database.
    job.done.send(Err(refused)).ok();
}

type Answer = (oneshot::Sender<Result<(), UnitError>>, Result<(), UnitError>);

/// What became of the units of one transaction.
enum Batch {
    /// To be committed.
    Sound(Vec<Answer>),
    /// To be rolled back: a unit met a fault that took the others with it. The answers say so.
    Spoilt(Vec<Answer>),
    /// To be rolled back and done again with care: a unit failed that nothing parted from the others.
    Again(Vec<Job>),
}

async fn batch(tx: &DatabaseTransaction, first: Vec<Job>, queue: &mut mpsc::Receiver<Job>, limit: Duration, careful: bool) -> Batch {
    let mut done: Vec<(Job, Result<(), UnitError>)> = Vec::new();
    let mut first = first.into_iter();
    loop {
        let Some(job) = next(&mut first, queue, done.len()).await else { break };
        let (result, spoilt) = one(tx, &job, limit, careful).await;
        if result.is_err() && job.savepoint && !careful {
            return Batch::Again(done.into_iter().map(|(job, _)| job).chain([job]).chain(first).collect());
        }
        if spoilt {
            // What the others came to, a refusal too, may rest on rows that are gone now.
            let others = done.into_iter().map(|(job, _)| job).chain(first);
            let others = others.map(|job| (job.done, Err(rolled_back("another unit of the same commit met a storage fault".to_owned()))));
            return Batch::Spoilt(others.chain([(job.done, result)]).collect());
        }
        done.push((job, result));
    }
    Batch::Sound(done.into_iter().map(|(job, result)| (job.done, result)).collect())
}

/// The next unit for this transaction: those given first, then what waits.
async fn next(given: &mut std::vec::IntoIter<Job>, queue: &mut mpsc::Receiver<Job>, taken: usize) -> Option<Job> {
    if let Some(job) = given.next() {
        return Some(job);
    }
    if taken >= BATCH_MAX {
        return None;
    }
    if let Ok(job) = queue.try_recv() {
        return Some(job);
    }
    // Those who were just answered may be about to submit more.
    tokio::task::yield_now().await;
    queue.try_recv().ok()
}

/// Does one unit, and says whether the transaction is not what it was before it.
async fn one(tx: &DatabaseTransaction, job: &Job, limit: Duration, careful: bool) -> (Result<(), UnitError>, bool) {
    if !careful || !job.savepoint {
        let result = guarded((job.work)(tx), limit).await;
        let spoilt = result.as_ref().is_err_and(UnitError::spoils_all);
        return (result, spoilt);
    }
    let savepoint = match tx.begin().await {
        Ok(savepoint) => savepoint,
        Err(error) => return (Err(error.into()), true),
    };
    match guarded((job.work)(&savepoint), limit).await {
        Ok(()) => {
            let released = savepoint.commit().await;
            let spoilt = released.is_err();
            (released.map_err(UnitError::from), spoilt)
        }
        Err(error) => {
            // SQLite may have rolled back all of it by itself: then there is no savepoint to go back to.
            let spoilt = savepoint.rollback().await.is_err() || error.spoils_all();
            (Err(error), spoilt)
        }
    }
}

fn answer(answers: Vec<Answer>, committed: &Result<(), DbErr>) {
    for (done, result) in answers {
        let result = match (committed, result) {
            (Ok(()), result) => result,
            (Err(error), Ok(())) if is_full(error) => Err(UnitError::Database(error.clone())),
            (Err(error), Ok(())) if !is_transient(error) => Err(UnitError::Unknown(DbErr::Custom(chain(error)))),
            // A refusal, too: it may rest on another unit's rows, which are not there.
            (Err(error), Ok(()) | Err(_)) => Err(rolled_back(chain(error))),
        };
        // Whoever does not wait any more finds it in the database.
        done.send(result).ok();
    }
}

/// Nothing of the unit happened, and it may be tried again.
fn rolled_back(reason: String) -> UnitError {
    UnitError::Step(StepError::Transient { reason })
}
