//! One execution of a run: its hold, its journal, and whether it has been stopped.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::commit::{UnitError, unit};
use super::drive::Drive;
use super::journal::{Entered, Journal, Kind, Phase, Row};
use super::writes::{self, Hold, Release};
use super::{Inner, operations::Undo};
use crate::clock::Instant;
use crate::context::{Failure, Interrupt};
use crate::probe::{Fate, Point};
use crate::retry::RetryPolicy;
use crate::runs::{self, Event};

/// Why an execution is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// What it came to is written.
    Written(Drive),
    /// Code and journal differ.
    Review(String),
    /// It is to be undone.
    Cancelling,
    /// It is held by somebody else, or its writes can't be made.
    Lost,
}

/// How an attempt at a step ended without a result.
#[derive(Debug, Clone)]
pub(crate) enum Missed {
    /// It may be tried again, not before a least wait.
    Retry { after: Option<std::time::Duration>, reason: String },
    /// For good.
    Fail(String),
    /// Somebody has to look at it.
    Park(String),
}

/// One execution of a run.
pub(crate) struct Execution {
    pub(crate) engine: Arc<Inner>,
    pub(crate) hold: Hold,
    pub(crate) workflow: String,
    pub(crate) key: String,
    pub(crate) cancelling: bool,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) undo: Mutex<Vec<(String, Undo)>>,
    /// The call to the outside whose intent this execution has written, and which attempt it is.
    pub(crate) called: Mutex<Option<(String, i64)>>,
    stop: Mutex<Option<Stop>>,
    /// Told when `stop` is set, so that the function is dropped at once.
    pub(crate) stopped: Notify,
}

impl Execution {
    pub(crate) fn new(engine: Arc<Inner>, hold: Hold, workflow: String, key: String, cancelling: bool, rows: Vec<Row>) -> Self {
        Self {
            engine,
            hold,
            workflow,
            key,
            cancelling,
            journal: Mutex::new(Journal::new(rows, cancelling)),
            undo: Mutex::default(),
            called: Mutex::default(),
            stop: Mutex::default(),
            stopped: Notify::new(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.engine.options.clock.now()
    }

    /// Finds the step, or stops.
    pub(crate) fn enter(&self, name: &str, kind: Kind) -> Result<Entered, Interrupt> {
        self.go_on()?;
        let entered = {
            let mut journal = self.journal();
            journal.enter(name, kind).map(|entered| (entered, journal.phase()))
        };
        match entered {
            Err(difference) => Err(self.halt(Stop::Review(difference))),
            Ok((Entered::New(_) | Entered::Begun(_), Phase::Forward)) if self.cancelling => Err(self.halt(Stop::Cancelling)),
            Ok((entered, _)) => Ok(entered),
        }
    }

    /// Whether the execution has not been stopped.
    pub(crate) fn go_on(&self) -> Result<(), Interrupt> {
        if self.stop.lock().unwrap_or_else(PoisonError::into_inner).is_some() { Err(Interrupt::Stop) } else { Ok(()) }
    }

    /// Stops the execution; the first reason stays.
    pub(crate) fn halt(&self, stop: Stop) -> Interrupt {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
        self.stopped.notify_one();
        Interrupt::Stop
    }

    /// Why it was stopped; it may go on after that, to undo.
    pub(crate) fn take_stop(&self) -> Option<Stop> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn journal(&self) -> std::sync::MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the probe; dying is being lost without another write.
    pub(crate) fn probe(&self, point: Point, step: &str) -> Result<Fate, Interrupt> {
        match self.engine.options.probe.at(point, &self.workflow, step) {
            Fate::Die => Err(self.halt(Stop::Lost)),
            fate @ (Fate::GoOn | Fate::Repeat | Fate::Fail) => Ok(fate),
        }
    }

    /// Stops because a write was refused or can't be made; the run is taken again from what is committed. Storage that is full or fails
    /// counts as if it had not been taken.
    pub(crate) fn lost(&self, error: &UnitError) -> Interrupt {
        if error.is_exhausted() {
            let call = self.called.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.engine.excuse(&self.hold, call);
        }
        if !matches!(error, UnitError::Lost) {
            tracing::error!(run = %self.hold.run, workflow = self.workflow, error = error.text(), "durable.write_failed");
        }
        self.halt(Stop::Lost)
    }

    /// Writes one statement that must change one row.
    pub(crate) async fn write(&self, (text, values): writes::Statement) -> Result<(), UnitError> {
        match self.engine.commits.statement(text, values).await? {
            1 => Ok(()),
            _ => Err(UnitError::Lost),
        }
    }

    /// Writes a row of the journal by itself. When the commit's outcome is unknown it is read back before anything else.
    pub(crate) async fn journal_row(&self, row: Row, fresh: bool, key: Option<&str>, ended_at: Option<Instant>) -> Result<(), Interrupt> {
        let mut unknown = 0;
        loop {
            let statement = if fresh {
                writes::insert_step(&self.hold, &row, key, self.now(), ended_at)
            } else {
                writes::update_step(&self.hold, &row, ended_at)
            };
            match self.write(statement).await {
                Ok(()) => break,
                Err(UnitError::Unknown(error)) if unknown < UNKNOWN_MAX => {
                    unknown += 1;
                    tracing::warn!(run = %self.hold.run, step = row.name, error = crate::json::chain(&error), "durable.commit_unknown");
                    if self.committed(&row).await? {
                        break;
                    }
                }
                Err(UnitError::Database(error)) if crate::database::is_duplicate(&error) && self.committed(&row).await? => break,
                Err(error) => return Err(self.lost(&error)),
            }
        }
        self.journal().keep(row);
        Ok(())
    }

    /// Whether exactly this row stands in the database.
    async fn committed(&self, row: &Row) -> Result<bool, Interrupt> {
        let found = self.read_back(&row.name).await?;
        Ok(found.is_some_and(|found| found.outcome == row.outcome && found.attempt == row.attempt && found.result == row.result))
    }

    /// What the database has of a step.
    pub(crate) async fn read_back(&self, name: &str) -> Result<Option<Row>, Interrupt> {
        let mut tried = 0;
        loop {
            match writes::read_back(self.engine.database.write(), &self.hold.run, name).await {
                Ok(row) => return Ok(row),
                Err(error) if tried >= UNKNOWN_MAX => return Err(self.lost(&UnitError::Database(error))),
                Err(_) => {
                    tried += 1;
                    tokio::time::sleep(self.engine.commits.jittered(RetryPolicy::TX.wait_after(tried))).await;
                }
            }
        }
    }

    /// Writes what an attempt without a result leads to: another one later, a parked run, or a failed step.
    pub(crate) async fn missed(&self, mut row: Row, fresh: bool, policy: &RetryPolicy, missed: Missed) -> Interrupt {
        let now = self.now();
        let exhausted = row.attempt >= i64::from(policy.attempts_max);
        let (outcome, reason, then) = match missed {
            Missed::Fail(reason) => ("failed", reason, Then::Fail),
            Missed::Park(reason) => ("retrying", reason, Then::Park),
            Missed::Retry { reason, .. } if exhausted => ("retrying", reason, Then::Park),
            Missed::Retry { after, reason } => {
                let attempt = u32::try_from(row.attempt).unwrap_or(u32::MAX);
                let wait = self.engine.commits.jittered(policy.wait_after(attempt));
                ("retrying", reason, Then::Wait(now.plus(wait.max(after.unwrap_or_default()))))
            }
        };
        outcome.clone_into(&mut row.outcome);
        row.error = Some(crate::json::bounded(&reason));
        tracing::warn!(run = %self.hold.run, workflow = self.workflow, step = row.name, attempt = row.attempt, error = reason, "durable.attempt_failed");
        if let Err(interrupt) = self.write_missed(row.clone(), fresh, now, then).await {
            return interrupt;
        }
        match then {
            Then::Fail => {
                self.journal().keep(row.clone());
                Interrupt::Failed(Failure { step: Some(row.name), reason })
            }
            Then::Park => self.halt(Stop::Written(Drive::Parked)),
            Then::Wait(_) => self.halt(Stop::Written(Drive::Waiting)),
        }
    }

    async fn write_missed(&self, row: Row, fresh: bool, now: Instant, then: Then) -> Result<(), Interrupt> {
        let hold = self.hold.clone();
        let unit = unit::<(), _>(move |tx| {
            let (hold, row) = (hold.clone(), row.clone());
            Box::pin(async move {
                let ended_at = (row.outcome == "failed").then_some(now);
                let write = if fresh { writes::insert_step(&hold, &row, None, now, ended_at) } else { writes::update_step(&hold, &row, ended_at) };
                writes::held(tx, write).await?;
                let (kind, to) = match then {
                    Then::Fail => ("step failed", None),
                    Then::Park => ("parked", Some(Release { status: "parked", error: Some(named(&row)), ..Release::default() })),
                    Then::Wait(wake_at) => ("attempt failed", Some(retry_at(&row, wake_at))),
                };
                let event = Event { kind, step: Some(&row.name), attempt: Some(row.attempt), detail: row.error.as_deref(), by: None };
                runs::record(tx, &hold.run, now, &event).await?;
                match to {
                    Some(to) => writes::held(tx, writes::release(&hold, &to, false)).await,
                    None => Ok(()),
                }
            })
        });
        self.engine.commits.commit(unit).await.map_err(|error| self.lost(&error))
    }
}

/// How often an unknown commit is looked up before the run is left to be taken again.
const UNKNOWN_MAX: u32 = 5;

#[derive(Debug, Clone, Copy)]
enum Then {
    Fail,
    Park,
    Wait(Instant),
}

fn named(row: &Row) -> String {
    crate::json::bounded(&format!("step {:?}, attempt {}: {}", row.name, row.attempt, row.error.as_deref().unwrap_or_default()))
}

fn retry_at(row: &Row, wake_at: Instant) -> Release {
    Release {
        status: "waiting",
        wake_at: Some(wake_at),
        waiting_for: Some(format!("retry of {}", row.name)),
        error: row.error.clone(),
        ..Release::default()
    }
}
