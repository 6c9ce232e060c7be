//! What a workflow may do: every method journals under a name that is unique in the run.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::DbErr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Instant;
use crate::database::{is_exhausted, is_transient};
use crate::ids::RunId;
use crate::json::{bounded, chain};
use crate::retry::RetryPolicy;
use crate::workflow::Workflow;

/// A step that changes the database only: its effect and its journal row commit together.
///
/// It may run more than once, in a transaction that is then rolled back, so it must do nothing outside `tx`, and it must not wait for
/// anything but the database: on SQLite other runs wait for it.
pub trait TxStep<X>: Send + Sync + 'static {
    /// What is journaled and returned.
    type Out: Serialize + DeserializeOwned + Send + 'static;

    /// Makes the change.
    fn run(&self, tx: &X) -> impl Future<Output = Result<Self::Out, StepError>> + Send;
}

/// What is known of a call to the outside world after it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// The world answered.
    Known(T),
    /// It may have happened or not: look it up before anything is done again.
    Unknown {
        /// What is not known, and why.
        reason: String,
    },
}

/// Why an attempt at a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepError {
    /// Try again, by the step's [`RetryPolicy`], not before `after`. When its attempts are exhausted the run is parked.
    Retry {
        /// The least wait, as the other side asked for.
        after: Option<Duration>,
        /// What went wrong.
        reason: String,
    },
    /// The transaction met a lock, a deadlock or a conflict: the whole of it is tried again at once, within the same attempt.
    Transient {
        /// What the database said.
        reason: String,
    },
    /// The storage of the database is full or fails: nothing happened. The run waits a few seconds, and the attempt does not count.
    Storage {
        /// What the database said.
        reason: String,
    },
    /// It will never succeed: the workflow gets [`Interrupt::Failed`], and what was registered with `on_failure` is undone.
    Fail {
        /// Why.
        reason: String,
    },
    /// Somebody has to look at it first: the run is parked at once; `retry` goes on from this step.
    Park {
        /// Why.
        reason: String,
    },
}

impl StepError {
    /// Try again, by the policy.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// It will never succeed.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::Fail { reason: reason.into() }
    }

    /// Somebody has to look at it first.
    pub fn park(reason: impl Into<String>) -> Self {
        Self::Park { reason: reason.into() }
    }

    /// Any error by its causes: one of the database that may pass by itself is [`StepError::Transient`] or [`StepError::Storage`], anything
    /// else is tried again.
    pub fn caused_by(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            match error.downcast_ref::<DbErr>() {
                Some(database) if is_transient(database) => return Self::Transient { reason: chain(error) },
                Some(database) if is_exhausted(database) => return Self::Storage { reason: chain(error) },
                Some(_) | None => {}
            }
            cause = error.source();
        }
        Self::Retry { after: None, reason: chain(error) }
    }

    /// The reason, within the limit of what is stored.
    #[must_use]
    pub fn reason(&self) -> String {
        let (Self::Retry { reason, .. } | Self::Transient { reason } | Self::Storage { reason } | Self::Fail { reason } | Self::Park { reason }) =
            self;
        bounded(reason)
    }
}

impl From<DbErr> for StepError {
    fn from(error: DbErr) -> Self {
        Self::caused_by(&error)
    }
}

/// Whether an execution still holds its run. A call that takes its time asks directly before what can't be taken back: a process that was
/// stopped in between goes on where it stood, and by then the run may be another node's.
#[derive(Clone)]
pub struct StillHeld(Arc<dyn Fn() -> BoxFuture<'static, Result<(), StepError>> + Send + Sync>);

impl StillHeld {
    /// As `ask` answers.
    pub fn by(ask: impl Fn() -> BoxFuture<'static, Result<(), StepError>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Asks.
    ///
    /// # Errors
    /// [`StepError::Retry`]: it is not certain, so nothing may leave.
    pub async fn ask(&self) -> Result<(), StepError> {
        (self.0)().await
    }
}

impl fmt::Debug for StillHeld {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StillHeld").finish_non_exhaustive()
    }
}

/// Names one call to the outside world: the same on every attempt, different for every run and step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key of a step of a run; it is safe in a header.
    #[must_use]
    pub fn of(run: &RunId, step: &str) -> Self {
        use sha2::{Digest, Sha256};
        let digest = hex::encode(Sha256::digest(step.as_bytes()));
        Self(format!("{run}-{}", digest.get(..16).unwrap_or_default()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A step, or the workflow itself, failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{reason}", step.as_ref().map(|step| format!("step {step:?}: ")).unwrap_or_default())]
pub struct Failure {
    /// The step, if it was one.
    pub step: Option<String>,
    /// Why.
    pub reason: String,
}

/// Why the function of a workflow does not go on. Pass it up with `?`; only [`Interrupt::Failed`] may be handled instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Interrupt {
    /// A step failed for good. Passed up, it fails the run.
    #[error("{0}")]
    Failed(Failure),
    /// The engine stops this execution (the run waits, was parked, or is no longer ours); whatever the function does now has no effect.
    #[error("the engine stops this execution")]
    Stop,
}

impl Interrupt {
    /// The workflow itself says that its run failed.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::Failed(Failure { step: None, reason: reason.into() })
    }
}

/// How one step differs from the engine's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepOptions {
    /// Its retry policy.
    pub retry: Option<RetryPolicy>,
    /// The digest of what is sent: an attempt with another one under the same key parks the run.
    pub request_digest: Option<String>,
}

impl StepOptions {
    /// With this retry policy.
    #[must_use]
    pub fn retry(policy: RetryPolicy) -> Self {
        Self { retry: Some(policy), ..Self::default() }
    }
}

/// A child run that was started.
#[derive(Debug, Clone)]
pub struct Child<W> {
    pub(crate) run: RunId,
    pub(crate) workflow: PhantomData<fn() -> W>,
}

impl<W> Child<W> {
    /// A child by its run's id, as an engine's `start_children` returns it.
    #[must_use]
    pub fn of(run: RunId) -> Self {
        Self { run, workflow: PhantomData }
    }

    /// Its run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }
}

/// How a child run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildEnd<T> {
    /// With this output.
    Done(T),
    /// For good, and undone.
    Failed {
        /// Why.
        reason: String,
    },
    /// By an operator.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// What a workflow may do. Another engine can host the same workflow functions by implementing this.
///
/// Names are unique in a run (a loop adds a business key: `"approval/finance"`), at most 128 bytes, and don't start with `undo `.
pub trait Context: Send + Sync {
    /// The transaction that a [`TxStep`] gets.
    type Tx: Send + Sync;

    /// The run.
    fn run_id(&self) -> &RunId;

    /// The run's business key, unique among the runs of its workflow.
    fn key(&self) -> &str;

    /// Whether this execution still holds the run, for calls to ask.
    fn still_held(&self) -> StillHeld;

    /// A step in the database, exactly once, with the default options.
    fn tx_step<S: TxStep<Self::Tx>>(&self, name: &str, step: S) -> impl Future<Output = Result<S::Out, Interrupt>> + Send {
        self.tx_step_with(name, StepOptions::default(), step)
    }

    /// A step in the database, exactly once.
    ///
    /// # Errors
    /// [`Interrupt`].
    ///
    /// # Idempotency
    /// By (run, name): a repeat returns what was journaled.
    fn tx_step_with<S: TxStep<Self::Tx>>(&self, name: &str, options: StepOptions, step: S) -> impl Future<Output = Result<S::Out, Interrupt>> + Send;

    /// A step in the outside world with the default options.
    fn step<T, F, Fut>(&self, name: &str, call: F) -> impl Future<Output = Result<Outcome<T>, Interrupt>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(IdempotencyKey) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Outcome<T>, StepError>> + Send,
    {
        self.step_with(name, StepOptions::default(), call)
    }

    /// A step in the outside world: the intent with its key is committed before the call, the result after it. After a crash in
    /// between, or on a retry, the call is made again with the same key. The call's future is dropped when an operator pauses or
    /// cancels the run. A call that does something else before what can't be taken back asks [`Context::still_held`] in between.
    ///
    /// # Errors
    /// [`Interrupt`].
    ///
    /// # Idempotency
    /// By the [`IdempotencyKey`], which the other side has to honour.
    fn step_with<T, F, Fut>(&self, name: &str, options: StepOptions, call: F) -> impl Future<Output = Result<Outcome<T>, Interrupt>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(IdempotencyKey) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Outcome<T>, StepError>> + Send;

    /// The time, journaled: the same on every execution.
    fn now(&self, name: &str) -> impl Future<Output = Result<Instant, Interrupt>> + Send;

    /// A random number, journaled: the same on every execution.
    fn random(&self, name: &str) -> impl Future<Output = Result<u64, Interrupt>> + Send;

    /// Waits, without occupying a task, until an instant.
    fn sleep_until(&self, name: &str, until: Instant) -> impl Future<Output = Result<(), Interrupt>> + Send;

    /// Waits for a signal sent to this run under this name (a loop adds ` #` and a number, which is no part of the signal's name); nothing when none was sent by the deadline. A signal that came before is
    /// found; of several the first is taken, the others stay visible as unconsumed.
    fn signal<T>(&self, name: &str, deadline: Option<Instant>) -> impl Future<Output = Result<Option<T>, Interrupt>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static;

    /// Starts a run of another workflow, which goes on side by side. One that has this key already is that run.
    fn start_child<W: Workflow>(&self, name: &str, key: &str, input: &W::Input) -> impl Future<Output = Result<Child<W>, Interrupt>> + Send;

    /// Starts many runs of another workflow in one transaction (at most 1,000), in the order of `children`: (key, input).
    fn start_children<W: Workflow>(
        &self,
        name: &str,
        children: Vec<(String, W::Input)>,
    ) -> impl Future<Output = Result<Vec<Child<W>>, Interrupt>> + Send;

    /// Waits for a child run to end.
    fn join<W: Workflow>(&self, name: &str, child: &Child<W>) -> impl Future<Output = Result<ChildEnd<W::Output>, Interrupt>> + Send;

    /// Registers how something is undone in the database when the run fails for good or is cancelled: what is registered is undone in
    /// reverse order, each journaled as `undo <name>`. Nothing is journaled now.
    ///
    /// # Errors
    /// [`Interrupt::Stop`]: the name was used before; the run needs review.
    fn on_failure<S: TxStep<Self::Tx>>(&self, name: &str, step: S) -> Result<(), Interrupt>;

    /// Registers how something is undone in the outside world. Register it *before* the step that it undoes: a run that is cancelled
    /// while that step's answer is awaited has registered what stands before it only; undoing must bear that it never happened.
    ///
    /// # Errors
    /// [`Interrupt::Stop`]: the name was used before; the run needs review.
    fn on_failure_step<F, Fut>(&self, name: &str, call: F) -> Result<(), Interrupt>
    where
        F: Fn(IdempotencyKey) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome<()>, StepError>> + Send + 'static;

    /// Marks an intended change of the code: which variant this run follows. A run that came past here before the change was made
    /// follows the first of `supported`, a new one the last; a journaled one outside of `supported` needs review.
    fn version(&self, change: &str, supported: RangeInclusive<u32>) -> impl Future<Output = Result<u32, Interrupt>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_run_and_step_and_fit_a_header() {
        let (one, two) = (RunId::new(Instant(0)), RunId::new(Instant(0)));
        assert_ne!(IdempotencyKey::of(&one, "pay"), IdempotencyKey::of(&one, "pay "));
        assert_ne!(IdempotencyKey::of(&one, "pay"), IdempotencyKey::of(&two, "pay"));
        let key = IdempotencyKey::of(&one, &"ü\n".repeat(60));
        assert!(key.as_str().len() <= 64 && key.as_str().bytes().all(|b| b.is_ascii_graphic()), "{key}");
        assert_eq!(key, IdempotencyKey::of(&one, &"ü\n".repeat(60)));
    }

    #[test]
    fn errors_of_the_database_are_retried_whatever_wraps_them() {
        #[derive(Debug, thiserror::Error)]
        #[error("can't post")]
        struct Post(#[source] DbErr);
        let error = StepError::caused_by(&Post(DbErr::Custom("no".into())));
        assert_eq!(error, StepError::Retry { after: None, reason: "can't post: Custom Error: no".into() });
    }
}
