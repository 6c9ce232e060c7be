//! The embedded engine's context: each operation of a workflow, journaled.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{DatabaseTransaction, TransactionTrait};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::commit::{UnitError, UnitFuture, panic_text, unit};
use super::drive::Drive;
use super::execution::{Execution, Missed, Stop};
use super::journal::{Entered, Kind, Row, UNDO};
use super::writes::{self, Hold, Release};
use crate::clock::Instant;
use crate::context::{Child, ChildEnd, Context, Failure, IdempotencyKey, Interrupt, Outcome, StepError, StepOptions, StillHeld, TxStep};
use crate::ids::RunId;
use crate::json;
use crate::probe::{Fate, Point};
use crate::runs;
use crate::sql;
use crate::workflow::Workflow;

/// How something is undone.
pub(crate) type Undo = Box<dyn Fn(EmbeddedContext) -> BoxFuture<'static, Result<(), Interrupt>> + Send + Sync>;

/// The context of the engine inside the database.
#[derive(Clone)]
pub struct EmbeddedContext {
    pub(crate) execution: Arc<Execution>,
}

/// The most child runs that one step starts.
const CHILDREN_MAX: usize = 1_000;

impl Context for EmbeddedContext {
    type Tx = DatabaseTransaction;

    fn run_id(&self) -> &RunId {
        &self.execution.hold.run
    }

    fn key(&self) -> &str {
        &self.execution.key
    }

    fn still_held(&self) -> StillHeld {
        let (engine, hold) = (Arc::clone(&self.execution.engine), self.execution.hold.clone());
        StillHeld::by(move || {
            let (engine, hold) = (Arc::clone(&engine), hold.clone());
            async move { engine.still_holds(&hold).await }.boxed()
        })
    }

    async fn tx_step_with<S: TxStep<DatabaseTransaction>>(&self, name: &str, options: StepOptions, step: S) -> Result<S::Out, Interrupt> {
        self.transact(name, Kind::Tx, &options, Arc::new(step)).await
    }

    async fn step_with<T, F, Fut>(&self, name: &str, options: StepOptions, call: F) -> Result<Outcome<T>, Interrupt>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(IdempotencyKey) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Outcome<T>, StepError>> + Send,
    {
        self.call_out(name, &options, &call).await
    }

    async fn now(&self, name: &str) -> Result<Instant, Interrupt> {
        self.noted(name, Kind::Now, || self.execution.now()).await
    }

    async fn random(&self, name: &str) -> Result<u64, Interrupt> {
        self.noted(name, Kind::Random, || self.execution.engine.commits.random()).await
    }

    async fn sleep_until(&self, name: &str, until: Instant) -> Result<(), Interrupt> {
        let (ordinal, fresh) = match self.execution.enter(name, Kind::Sleep)? {
            Entered::Finished(_) => return Ok(()),
            Entered::Begun(row) => (row.ordinal, false),
            Entered::New(ordinal) => (ordinal, true),
        };
        let mut row = blank(ordinal, name, Kind::Sleep);
        row.result = Some(self.written(name, &until)?);
        let now = self.execution.now();
        if now >= until {
            "done".clone_into(&mut row.outcome);
            self.execution.probe(Point::BeforeResult, name)?;
            self.execution.journal_row(row, fresh, None, Some(now)).await?;
            self.execution.probe(Point::AfterResult, name)?;
            return Ok(());
        }
        "waiting".clone_into(&mut row.outcome);
        self.execution.probe(Point::BeforeWait, name)?;
        let to = Release { status: "waiting", wake_at: Some(until), waiting_for: Some(format!("time {until}")), ..Release::default() };
        let hold = self.execution.hold.clone();
        let unit = unit::<(), _>(move |tx| {
            let (hold, row, to) = (hold.clone(), row.clone(), to.clone());
            Box::pin(async move {
                if fresh {
                    writes::held(tx, writes::insert_step(&hold, &row, None, now, None)).await?;
                }
                writes::held(tx, writes::release(&hold, &to, false)).await
            })
        });
        self.execution.engine.commits.commit(unit).await.map_err(|error| self.execution.lost(&error))?;
        self.execution.probe(Point::AfterWait, name)?;
        self.execution.engine.hint_at(until);
        Err(self.execution.halt(Stop::Written(Drive::Waiting)))
    }

    async fn signal<T>(&self, name: &str, deadline: Option<Instant>) -> Result<Option<T>, Interrupt>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (ordinal, fresh) = match self.execution.enter(name, Kind::Signal)? {
            Entered::Finished(row) => return self.finished(name, &row),
            Entered::Begun(row) => (row.ordinal, false),
            Entered::New(ordinal) => (ordinal, true),
        };
        let (hold, row, now) = (self.execution.hold.clone(), blank(ordinal, name, Kind::Signal), self.execution.now());
        let unit = unit::<Option<Row>, _>(move |tx| {
            let (hold, row) = (hold.clone(), row.clone());
            Box::pin(async move { take_signal(tx, &hold, row, fresh, deadline, now).await })
        });
        let row = self.wait_or_result(name, unit).await?;
        self.finished(name, &row)
    }

    async fn start_child<W: Workflow>(&self, name: &str, key: &str, input: &W::Input) -> Result<Child<W>, Interrupt> {
        let children = vec![(key.to_owned(), self.written(name, input)?)];
        let runs = self.start_runs::<W>(name, children).await?;
        let run = runs.into_iter().next().ok_or_else(|| self.execution.halt(Stop::Review(format!("step {name:?} has started no run"))))?;
        Ok(Child { run, workflow: PhantomData })
    }

    async fn start_children<W: Workflow>(&self, name: &str, children: Vec<(String, W::Input)>) -> Result<Vec<Child<W>>, Interrupt> {
        let children = children.into_iter().map(|(key, input)| Ok((key, self.written(name, &input)?))).collect::<Result<Vec<_>, Interrupt>>()?;
        Ok(self.start_runs::<W>(name, children).await?.into_iter().map(Child::of).collect())
    }

    async fn join<W: Workflow>(&self, name: &str, child: &Child<W>) -> Result<ChildEnd<W::Output>, Interrupt> {
        let (ordinal, fresh) = match self.execution.enter(name, Kind::Join)? {
            Entered::Finished(row) => return self.finished(name, &row),
            Entered::Begun(row) => (row.ordinal, false),
            Entered::New(ordinal) => (ordinal, true),
        };
        let (hold, row, now) = (self.execution.hold.clone(), blank(ordinal, name, Kind::Join), self.execution.now());
        let child = child.run.clone();
        let unit = unit::<Option<Row>, _>(move |tx| {
            let (hold, row, child) = (hold.clone(), row.clone(), child.clone());
            Box::pin(async move { take_end(tx, &hold, row, fresh, &child, now).await })
        });
        let row = self.wait_or_result(name, unit).await?;
        self.finished(name, &row)
    }

    fn on_failure<S: TxStep<DatabaseTransaction>>(&self, name: &str, step: S) -> Result<(), Interrupt> {
        let (undo, step) = (format!("{UNDO}{name}"), Arc::new(step));
        self.register(name, move |ctx: EmbeddedContext| {
            let (undo, step) = (undo.clone(), Arc::clone(&step));
            async move { ctx.transact(&undo, Kind::Tx, &StepOptions::default(), step).await.map(|_| ()) }.boxed()
        })
    }

    fn on_failure_step<F, Fut>(&self, name: &str, call: F) -> Result<(), Interrupt>
    where
        F: Fn(IdempotencyKey) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome<()>, StepError>> + Send + 'static,
    {
        let (undo, call) = (format!("{UNDO}{name}"), Arc::new(call));
        self.register(name, move |ctx: EmbeddedContext| {
            let (undo, call) = (undo.clone(), Arc::clone(&call));
            async move { ctx.call_out(&undo, &StepOptions::default(), &*call).await.map(|_| ()) }.boxed()
        })
    }

    async fn version(&self, change: &str, supported: RangeInclusive<u32>) -> Result<u32, Interrupt> {
        let name = format!("version {change}");
        let marked = {
            let journal = self.execution.journal();
            journal.knows(&name) || journal.ahead().is_none()
        };
        if !marked {
            self.execution.go_on()?;
            let used = self.execution.journal().use_name(&name);
            return match used {
                Ok(()) => Ok(*supported.start()),
                Err(difference) => Err(self.execution.halt(Stop::Review(difference))),
            };
        }
        let newest = *supported.end();
        let version: u32 = self.noted(&name, Kind::Version, || newest).await?;
        if supported.contains(&version) {
            return Ok(version);
        }
        let difference = format!("{name:?} is {version} in the journal, the code supports {} to {newest}", supported.start());
        Err(self.execution.halt(Stop::Review(difference)))
    }
}

impl EmbeddedContext {
    /// A step whose effect commits with its journal row.
    async fn transact<S: TxStep<DatabaseTransaction>>(
        &self,
        name: &str,
        kind: Kind,
        options: &StepOptions,
        step: Arc<S>,
    ) -> Result<S::Out, Interrupt> {
        let (mut row, fresh) = match self.execution.enter(name, kind)? {
            Entered::Finished(row) => return self.finished(name, &row),
            Entered::Begun(row) => (row, false),
            Entered::New(ordinal) => (blank(ordinal, name, kind), true),
        };
        row.attempt += 1;
        "done".clone_into(&mut row.outcome);
        row.error = None;
        let policy = options.retry.unwrap_or(self.execution.engine.options.tx_retry);
        let fate = self.execution.probe(Point::Body, name)?;
        if fate == Fate::Fail {
            return Err(self.execution.missed(row, fresh, &policy, Missed::Fail("told to fail".to_owned())).await);
        }
        self.execution.probe(Point::BeforeResult, name)?;
        let (hold, written, now) = (self.execution.hold.clone(), row.clone(), self.execution.now());
        let unit = unit::<(S::Out, String), _>(move |tx| {
            let (hold, mut row, step) = (hold.clone(), written.clone(), Arc::clone(&step));
            let twice = fate == Fate::Repeat;
            Box::pin(async move {
                if twice {
                    let savepoint = tx.begin().await?;
                    step.run(&savepoint).await.map_err(UnitError::Step)?;
                    savepoint.rollback().await?;
                }
                let out = step.run(tx).await.map_err(UnitError::Step)?;
                let result = json::write(&format!("the result of step {:?}", row.name), &out)
                    .map_err(|error| UnitError::Step(StepError::park(json::chain(&error))))?;
                row.result = Some(result.clone());
                let write = if fresh { writes::insert_step(&hold, &row, None, now, Some(now)) } else { writes::update_step(&hold, &row, Some(now)) };
                writes::held(tx, write).await?;
                Ok((out, result))
            })
        });
        match self.execution.engine.commits.commit(unit).await {
            Ok((out, result)) => {
                row.result = Some(result);
                self.execution.journal().keep(row);
                self.execution.probe(Point::AfterResult, name)?;
                Ok(out)
            }
            Err(error) => self.not_committed(row, fresh, &policy, error).await,
        }
    }

    /// A unit that was not committed, or perhaps was.
    async fn not_committed<T: DeserializeOwned>(
        &self,
        row: Row,
        fresh: bool,
        policy: &crate::retry::RetryPolicy,
        error: UnitError,
    ) -> Result<T, Interrupt> {
        if error.is_exhausted() {
            return Err(self.execution.lost(&error));
        }
        let name = row.name.clone();
        let missed = match error {
            UnitError::Lost | UnitError::Closed => return Err(self.execution.lost(&error)),
            UnitError::Unknown(_) => {
                // Read back before anything else; what is not there is left to the next execution, which finds it if it comes late.
                tracing::warn!(run = %self.execution.hold.run, step = name, error = error.text(), "durable.commit_unknown");
                return match self.execution.read_back(&name).await? {
                    Some(row) if row.outcome == "done" => {
                        self.execution.journal().keep(row.clone());
                        self.finished(&name, &row)
                    }
                    Some(_) | None => Err(self.execution.halt(Stop::Lost)),
                };
            }
            UnitError::Step(StepError::Fail { .. }) => Missed::Fail(error.text()),
            UnitError::Step(StepError::Park { .. }) => Missed::Park(error.text()),
            UnitError::Step(StepError::Retry { after, .. }) => Missed::Retry { after, reason: error.text() },
            UnitError::Step(StepError::Transient { .. } | StepError::Storage { .. }) | UnitError::Panicked(_) | UnitError::Database(_) => {
                Missed::Retry { after: None, reason: error.text() }
            }
        };
        Err(self.execution.missed(Row { result: None, ..row }, fresh, policy, missed).await)
    }

    /// A step in the outside world: intent, call, result.
    async fn call_out<T, F, Fut>(&self, name: &str, options: &StepOptions, call: &F) -> Result<Outcome<T>, Interrupt>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(IdempotencyKey) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Outcome<T>, StepError>> + Send,
    {
        let execution = &self.execution;
        let (mut row, fresh) = match execution.enter(name, Kind::Step)? {
            Entered::Finished(row) => return self.finished(name, &row),
            Entered::Begun(row) => (row, false),
            Entered::New(ordinal) => (blank(ordinal, name, Kind::Step), true),
        };
        let policy = options.retry.unwrap_or(execution.engine.options.step_retry);
        if row.attempt >= i64::from(policy.attempts_max) {
            let reason = row.error.clone().unwrap_or_else(|| "the worker ended each time before it had an answer".to_owned());
            return Err(execution.missed(row, false, &policy, Missed::Park(reason)).await);
        }
        if !fresh && row.request_digest != options.request_digest {
            let reason = format!("it would send another request than {:?} under the same key", row.request_digest.as_deref().unwrap_or("none"));
            return Err(execution.missed(row, false, &policy, Missed::Park(reason)).await);
        }
        let key = IdempotencyKey::of(&execution.hold.run, name);
        row.attempt += 1;
        row.request_digest.clone_from(&options.request_digest);
        "intent".clone_into(&mut row.outcome);
        execution.probe(Point::BeforeIntent, name)?;
        execution.journal_row(row.clone(), fresh, Some(key.as_str()), None).await?;
        *execution.called.lock().unwrap_or_else(PoisonError::into_inner) = Some((name.to_owned(), row.attempt));
        execution.probe(Point::AfterIntent, name)?;
        let answer = match execution.probe(Point::Body, name)? {
            Fate::Fail => Err(StepError::fail("told to fail")),
            Fate::Repeat => {
                self.called(call, key.clone()).await.ok();
                self.called(call, key).await
            }
            Fate::GoOn | Fate::Die => self.called(call, key).await,
        };
        execution.probe(Point::BeforeResult, name)?;
        let missed = match answer {
            Ok(answer) => match answered(name, row.clone(), &answer) {
                Ok(row) => {
                    execution.journal_row(row, false, None, Some(execution.now())).await?;
                    execution.probe(Point::AfterResult, name)?;
                    return Ok(answer);
                }
                Err(reason) => Missed::Park(reason),
            },
            Err(StepError::Fail { reason }) => Missed::Fail(reason),
            Err(StepError::Park { reason }) => Missed::Park(reason),
            Err(StepError::Retry { after, reason }) => Missed::Retry { after, reason },
            Err(StepError::Transient { reason }) => Missed::Retry { after: None, reason },
            Err(error @ StepError::Storage { .. }) => return Err(execution.lost(&UnitError::Step(error))),
        };
        Err(execution.missed(row, false, &policy, missed).await)
    }

    /// Makes the call, if the lease is certainly still ours; a panic is an attempt that went wrong.
    async fn called<T, F, Fut>(&self, call: &F, key: IdempotencyKey) -> Result<Outcome<T>, StepError>
    where
        F: Fn(IdempotencyKey) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Outcome<T>, StepError>> + Send,
    {
        if !self.execution.engine.lease_is_fresh() {
            return Err(StepError::retry("the node was not sure of its lease, so nothing was sent"));
        }
        let guarded = AssertUnwindSafe(async { call(key).await }).catch_unwind();
        guarded.await.unwrap_or_else(|panic| Err(StepError::retry(format!("panicked: {}", panic_text(panic.as_ref())))))
    }

    /// A value that is journaled when it is first asked for.
    async fn noted<T: Serialize + DeserializeOwned + Send>(&self, name: &str, kind: Kind, value: impl FnOnce() -> T + Send) -> Result<T, Interrupt> {
        let (ordinal, fresh) = match self.execution.enter(name, kind)? {
            Entered::Finished(row) => return self.finished(name, &row),
            Entered::Begun(row) => (row.ordinal, false),
            Entered::New(ordinal) => (ordinal, true),
        };
        let value = value();
        let row = Row { outcome: "done".to_owned(), result: Some(self.written(name, &value)?), ..blank(ordinal, name, kind) };
        self.execution.probe(Point::BeforeResult, name)?;
        self.execution.journal_row(row, fresh, None, Some(self.execution.now())).await?;
        self.execution.probe(Point::AfterResult, name)?;
        Ok(value)
    }

    /// Commits a unit that either finishes a step, or makes the run wait.
    async fn wait_or_result<F>(&self, name: &str, unit: F) -> Result<Row, Interrupt>
    where
        F: for<'a> Fn(&'a DatabaseTransaction) -> UnitFuture<'a, Option<Row>> + Send + Sync + 'static,
    {
        self.execution.probe(Point::BeforeWait, name)?;
        let done = self.execution.engine.commits.commit(unit).await.map_err(|error| self.execution.lost(&error))?;
        self.execution.probe(Point::AfterWait, name)?;
        match done {
            Some(row) => {
                self.execution.journal().keep(row.clone());
                Ok(row)
            }
            None => Err(self.execution.halt(Stop::Written(Drive::Waiting))),
        }
    }

    /// Starts runs (key, input) in the step's transaction.
    async fn start_runs<W: Workflow>(&self, name: &str, children: Vec<(String, String)>) -> Result<Vec<RunId>, Interrupt> {
        if children.len() > CHILDREN_MAX {
            let reason = format!("step {name:?} starts {} runs; at most {CHILDREN_MAX} are started in one", children.len());
            return Err(self.execution.halt(Stop::Review(reason)));
        }
        let step = StartRuns {
            workflow: W::NAME,
            version: W::VERSION,
            parent: self.execution.hold.run.clone(),
            clock: Arc::clone(&self.execution.engine.options.clock),
            children,
        };
        let ids = self.transact(name, Kind::Start, &StepOptions::default(), Arc::new(step)).await?;
        self.execution.engine.hint();
        Ok(ids)
    }

    fn register(
        &self,
        name: &str,
        undo: impl Fn(Self) -> BoxFuture<'static, Result<(), Interrupt>> + Send + Sync + 'static,
    ) -> Result<(), Interrupt> {
        self.execution.go_on()?;
        let mut registered = self.execution.undo.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.iter().any(|(known, _)| known == name) {
            drop(registered);
            return Err(self.execution.halt(Stop::Review(format!("the code registers {name:?} to be undone twice; add a business key to it"))));
        }
        registered.push((name.to_owned(), Box::new(undo)));
        Ok(())
    }

    /// The result of a finished step.
    fn finished<T: DeserializeOwned>(&self, name: &str, row: &Row) -> Result<T, Interrupt> {
        if row.outcome == "failed" {
            let reason = row.error.clone().unwrap_or_default();
            return Err(Interrupt::Failed(Failure { step: Some(name.to_owned()), reason }));
        }
        let result = row.result.as_deref().unwrap_or("null");
        json::read(&format!("the result of step {name:?}"), result).map_err(|error| self.execution.halt(Stop::Review(json::chain(&error))))
    }

    fn written<T: Serialize>(&self, name: &str, value: &T) -> Result<String, Interrupt> {
        json::write(&format!("what step {name:?} is given"), value).map_err(|error| self.execution.halt(Stop::Review(json::chain(&error))))
    }
}

/// The row of a step whose answer is here.
fn answered<T: Serialize>(name: &str, row: Row, answer: &Outcome<T>) -> Result<Row, String> {
    let result = json::write(&format!("the result of step {name:?}"), answer).map_err(|error| json::chain(&error))?;
    let (outcome, error) = match answer {
        Outcome::Known(_) => ("done", None),
        Outcome::Unknown { reason } => ("unknown", Some(json::bounded(reason))),
    };
    Ok(Row { outcome: outcome.to_owned(), result: Some(result), error, ..row })
}

fn blank(ordinal: i64, name: &str, kind: Kind) -> Row {
    Row { ordinal, name: name.to_owned(), kind: kind.as_str().to_owned(), ..Row::default() }
}

/// Starts runs in a transaction.
struct StartRuns {
    workflow: &'static str,
    version: u32,
    parent: RunId,
    clock: Arc<dyn crate::clock::Clock>,
    children: Vec<(String, String)>,
}

impl TxStep<DatabaseTransaction> for StartRuns {
    type Out = Vec<RunId>;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<Vec<RunId>, StepError> {
        let mut ids = Vec::with_capacity(self.children.len());
        for (key, input) in &self.children {
            let started = runs::insert(tx, self.workflow, self.version, key, input, Some(&self.parent), self.clock.now()).await;
            ids.push(started.map_err(|error| StepError::caused_by(&error))?.run);
        }
        Ok(ids)
    }
}

/// The signal that a step waits for: `"look again #3"` is the third wait for `"look again"`.
fn signal_of(step: &str) -> &str {
    step.rsplit_once(" #").map_or(step, |(signal, _)| signal)
}

/// Takes the first signal that was sent by the deadline, or nothing after it; without either the run waits.
async fn take_signal(
    tx: &DatabaseTransaction,
    hold: &Hold,
    mut row: Row,
    fresh: bool,
    deadline: Option<Instant>,
    now: Instant,
) -> Result<Option<Row>, UnitError> {
    // Whoever sends a signal locks the run first: after this statement each signal is either seen or finds the run waiting.
    writes::lock(tx, hold).await?;
    let name = row.name.clone();
    let signal = signal_of(&name);
    let sent = "SELECT no, payload FROM run_signals WHERE run = ? AND name = ? AND consumed_at IS NULL AND sent_at <= ? ORDER BY no LIMIT 1";
    let by = deadline.unwrap_or(Instant(i64::MAX));
    let sent = sql::row(tx, sent, [hold.run.as_str().into(), signal.into(), by.0.into()]).await?;
    if let Some(sent) = sent {
        let (no, payload): (i64, String) = (sent.try_get_by_index(0)?, sent.try_get_by_index(1)?);
        sql::execute(tx, "UPDATE run_signals SET consumed_at = ? WHERE no = ?", [now.0.into(), no.into()]).await?;
        row.result = Some(payload);
    } else if deadline.is_none_or(|deadline| now < deadline) {
        let to = Release { status: "waiting", wake_at: deadline, waiting_for: Some(runs::waiting_for_signal(signal)), ..Release::default() };
        return wait(tx, hold, row, fresh, &to, now).await;
    }
    done(tx, hold, row, fresh, now).await
}

/// Takes how a child run ended; until it has, the run waits.
async fn take_end(tx: &DatabaseTransaction, hold: &Hold, mut row: Row, fresh: bool, child: &RunId, now: Instant) -> Result<Option<Row>, UnitError> {
    // A run that ends looks at `awaited` under the same lock: it either is seen here as ended, or wakes whoever waits.
    let mark = "UPDATE workflow_runs SET awaited = 1 WHERE id = ? RETURNING status, output, error, status_reason";
    let found = sql::row(tx, mark, [child.as_str().into()]).await?;
    let found = found.ok_or_else(|| UnitError::Step(StepError::park(format!("the child run {child} does not exist"))))?;
    let status: String = found.try_get_by_index(0)?;
    let text = |column: usize| found.try_get_by_index::<Option<String>>(column).map(Option::unwrap_or_default);
    let end = match status.as_str() {
        "done" => format!("{{\"done\":{}}}", text(1)?),
        "failed" => serde_json::json!({ "failed": { "reason": text(2)? } }).to_string(),
        "cancelled" => serde_json::json!({ "cancelled": { "reason": text(3)? } }).to_string(),
        _ => {
            let to = Release {
                status: "waiting",
                waiting_for: Some(format!("run {child}")),
                awaits_run: Some(child.as_str().to_owned()),
                ..Release::default()
            };
            return wait(tx, hold, row, fresh, &to, now).await;
        }
    };
    row.result = Some(end);
    done(tx, hold, row, fresh, now).await
}

async fn wait(tx: &DatabaseTransaction, hold: &Hold, mut row: Row, fresh: bool, to: &Release, now: Instant) -> Result<Option<Row>, UnitError> {
    "waiting".clone_into(&mut row.outcome);
    if fresh {
        writes::held(tx, writes::insert_step(hold, &row, None, now, None)).await?;
    }
    writes::held(tx, writes::release(hold, to, false)).await?;
    Ok(None)
}

async fn done(tx: &DatabaseTransaction, hold: &Hold, mut row: Row, fresh: bool, now: Instant) -> Result<Option<Row>, UnitError> {
    "done".clone_into(&mut row.outcome);
    let write = if fresh { writes::insert_step(hold, &row, None, now, Some(now)) } else { writes::update_step(hold, &row, Some(now)) };
    writes::held(tx, write).await?;
    Ok(Some(row))
}
