//! A run that was taken, and its execution until it ends, waits, stops or is lost.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};

use futures::FutureExt;
use tokio::sync::watch;

use super::Inner;
use super::commit::{UnitError, panic_text, unit};
use super::execution::{Execution, Stop};
use super::journal::Row;
use super::operations::EmbeddedContext;
use super::writes::{self, Hold, Release};
use crate::context::{Failure, Interrupt};
use crate::ids::RunId;
use crate::json::bounded;
use crate::operate::wake_waiters;
use crate::probe::Point;
use crate::runs::{self, Event};
use crate::workflow::{Ended, Executable};

/// What driving a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// It returned its output.
    Done,
    /// It failed for good and is undone.
    Failed,
    /// It was cancelled and is undone.
    Cancelled,
    /// It waits for a time, a signal or another run.
    Waiting,
    /// It is parked with its error.
    Parked,
    /// Code and journal differ.
    NeedsReview,
    /// It is held by somebody else now, or its writes could not be made; what is committed stands.
    Lost,
}

/// A run that this engine holds. Dropped without being driven to an end, it is soon taken again.
pub struct Claimed {
    pub(super) engine: Arc<Inner>,
    pub(super) hold: Hold,
    pub(super) workflow: String,
    pub(super) key: String,
    pub(super) input: String,
    pub(super) cancelling: bool,
    pub(super) code: Arc<dyn Executable>,
    pub(super) journal: Vec<Row>,
    pub(super) lost: watch::Receiver<bool>,
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Claimed")
            .field("run", &self.hold.run)
            .field("workflow", &self.workflow)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.engine.let_go(&self.hold);
    }
}

impl Claimed {
    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.hold.run
    }

    /// Its workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// Its business key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it was started with, as JSON.
    #[must_use]
    pub fn input(&self) -> &str {
        &self.input
    }

    /// Executes the run until it ends, waits, stops or is lost. It never panics with the workflow's code.
    pub async fn drive(mut self) -> Drive {
        let rows = std::mem::take(&mut self.journal);
        let execution = Execution::new(Arc::clone(&self.engine), self.hold.clone(), self.workflow.clone(), self.key.clone(), self.cancelling, rows);
        let ctx = EmbeddedContext { execution: Arc::new(execution) };
        let mut lost = self.lost.clone();
        let drive = tokio::select! {
            biased;
            drive = self.execute(&ctx) => drive,
            () = lost_to_another(&mut lost) => Drive::Lost,
        };
        tracing::debug!(run = %self.hold.run, workflow = self.workflow, ?drive, "durable.driven");
        drive
    }

    async fn execute(&self, ctx: &EmbeddedContext) -> Drive {
        let execution = &ctx.execution;
        if execution.probe(Point::Taken, "").is_err() {
            return Drive::Lost;
        }
        let guarded = AssertUnwindSafe(self.code.execute(ctx, &self.input)).catch_unwind();
        let ended = tokio::select! {
            biased;
            ended = guarded => Some(ended),
            () = execution.stopped.notified() => None,
        };
        match (execution.take_stop(), ended) {
            (Some(Stop::Cancelling), _) => self.undo(ctx, Undoing::Cancelled).await,
            (Some(stop), _) => self.stopped(stop).await,
            (None, Some(Ok(ended))) => self.ended(ctx, ended).await,
            (None, Some(Err(panic))) => {
                let reason = format!("the workflow panicked: {}", panic_text(panic.as_ref()));
                self.end(Release { status: "parked", error: Some(bounded(&reason)), ..Release::default() }, Drive::Parked).await
            }
            (None, None) => Drive::Lost,
        }
    }

    async fn stopped(&self, stop: Stop) -> Drive {
        match stop {
            Stop::Written(drive) => drive,
            Stop::Review(difference) => {
                let to = Release { status: "needs_review", error: Some(bounded(&difference)), ..Release::default() };
                self.end(to, Drive::NeedsReview).await
            }
            Stop::Lost | Stop::Cancelling => Drive::Lost,
        }
    }

    async fn ended(&self, ctx: &EmbeddedContext, ended: Ended) -> Drive {
        let ahead = ctx.execution.journal().ahead().map(str::to_owned);
        match (ended, ahead) {
            (Ended::Output(_) | Ended::Failed(_), Some(ahead)) => {
                self.stopped(Stop::Review(format!("the code ended without asking for step {ahead:?} of the journal"))).await
            }
            (Ended::Output(_) | Ended::Failed(_), None) if self.cancelling => self.undo(ctx, Undoing::Cancelled).await,
            (Ended::Output(output), None) => {
                let finished_at = Some(ctx.execution.now());
                self.end(Release { status: "done", output: Some(output), finished_at, ..Release::default() }, Drive::Done).await
            }
            (Ended::Failed(failure), None) => self.undo(ctx, Undoing::Failed(failure)).await,
            (Ended::Unfit(reason), _) => {
                self.end(Release { status: "parked", error: Some(bounded(&reason)), ..Release::default() }, Drive::Parked).await
            }
            (Ended::Stopped, _) => {
                let error = Some("the workflow stopped by itself; only the context stops a run".to_owned());
                self.end(Release { status: "parked", error, ..Release::default() }, Drive::Parked).await
            }
        }
    }

    /// Undoes what was registered, in reverse order, then ends the run.
    async fn undo(&self, ctx: &EmbeddedContext, undoing: Undoing) -> Drive {
        let execution = &ctx.execution;
        execution.journal().undo();
        let registered = std::mem::take(&mut *execution.undo.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, undo) in registered.iter().rev() {
            match AssertUnwindSafe(undo(ctx.clone())).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(Interrupt::Stop)) => return self.stopped(execution.take_stop().unwrap_or(Stop::Lost)).await,
                Ok(Err(Interrupt::Failed(failure))) => return self.not_undone(name, &failure.reason).await,
                Err(panic) => return self.not_undone(name, &panic_text(panic.as_ref())).await,
            }
        }
        let finished_at = Some(execution.now());
        match undoing {
            Undoing::Cancelled => self.end(Release { status: "cancelled", finished_at, ..Release::default() }, Drive::Cancelled).await,
            Undoing::Failed(failure) => {
                let error = Some(bounded(&failure.to_string()));
                self.end(Release { status: "failed", error, finished_at, ..Release::default() }, Drive::Failed).await
            }
        }
    }

    async fn not_undone(&self, name: &str, reason: &str) -> Drive {
        let error = Some(bounded(&format!("{name:?} could not be undone: {reason}")));
        self.end(Release { status: "parked", error, ..Release::default() }, Drive::Parked).await
    }

    /// Writes what the run has come to; a run that has ended wakes in the same transaction whoever waits for it.
    async fn end(&self, to: Release, drive: Drive) -> Drive {
        let probe = &self.engine.options.probe;
        if probe.at(Point::BeforeEnd, &self.workflow, "") == crate::probe::Fate::Die {
            return Drive::Lost;
        }
        match self.write_end(to).await {
            Ok(()) => {
                probe.at(Point::AfterEnd, &self.workflow, "");
                drive
            }
            Err(error) => {
                if error.is_exhausted() {
                    self.engine.excuse(&self.hold, None);
                }
                if !matches!(error, UnitError::Lost) {
                    tracing::error!(run = %self.hold.run, workflow = self.workflow, error = error.text(), "durable.write_failed");
                }
                Drive::Lost
            }
        }
    }

    async fn write_end(&self, to: Release) -> Result<(), UnitError> {
        if to.status == "done" {
            let (text, values) = writes::release(&self.hold, &to, true);
            if self.engine.commits.statement(text, values).await? == 1 {
                return Ok(());
            }
        }
        let (hold, now) = (self.hold.clone(), self.engine.options.clock.now());
        let ended = to.finished_at.is_some();
        let unit = unit::<u64, _>(move |tx| {
            let (hold, to) = (hold.clone(), to.clone());
            Box::pin(async move {
                writes::held(tx, writes::release(&hold, &to, false)).await?;
                if to.status != "done" {
                    let event = Event { kind: to.status, detail: to.error.as_deref(), ..Event::default() };
                    runs::record(tx, &hold.run, now, &event).await?;
                }
                if to.finished_at.is_some() { Ok(wake_waiters(tx, &hold.run, now).await?) } else { Ok(0) }
            })
        });
        self.engine.commits.commit(unit).await?;
        if ended {
            self.engine.hint();
        }
        Ok(())
    }
}

async fn lost_to_another(lost: &mut watch::Receiver<bool>) {
    if lost.wait_for(|lost| *lost).await.is_err() {
        // Nobody can say so any more: the run is taken anew because this execution has given it up.
        std::future::pending::<()>().await;
    }
}

enum Undoing {
    Cancelled,
    Failed(Failure),
}
