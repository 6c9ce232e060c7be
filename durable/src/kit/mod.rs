//! The test kit: every workflow must bear that its worker dies at any write, that each of its steps runs twice, and that each of its
//! steps fails for good.
//!
//! A test implements [`Theatre`] (makes a fresh [`World`] for each play: a database, the workflow with its ports, doubles of the outside)
//! and calls [`crash_at_every_step`], [`repeat_every_step`] and [`fail_and_unwind`]. No play waits for real time: the kit moves the
//! world's clock to the next wake time.

mod golden;
mod play;
mod probes;

use std::future::Future;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::clock::ManualClock;
use crate::database::Database;
use crate::ids::RunId;
use crate::runs::{RunError, RunView};
use crate::status::RunStatus;
use crate::workflow::Registry;

pub use golden::{journal, replay};
pub use play::Played;

/// Worlds that are played side by side, each with a database of its own.
const PLAYS_AT_ONCE: usize = 4;

/// What a kit's call found wrong.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// A play ended differently from the undisturbed one.
    #[error("{disturbance}: {what}\n  undisturbed: {expected}\n  disturbed:   {found}")]
    Different {
        /// What was done to the run.
        disturbance: String,
        /// What differs.
        what: &'static str,
        /// As it should be.
        expected: String,
        /// As it is.
        found: String,
    },
    /// A play did not end.
    #[error("{disturbance}: the run does not go on: {state}")]
    Stuck {
        /// What was done to the run.
        disturbance: String,
        /// Where it stands.
        state: String,
    },
    /// What should be undone is not.
    #[error("{disturbance}: not undone: {reason}")]
    NotUndone {
        /// What was done to the run.
        disturbance: String,
        /// What is left.
        reason: String,
    },
    /// A rule of the engine's tables is broken.
    #[error("{disturbance}: {findings}")]
    Broken {
        /// What was done to the run.
        disturbance: String,
        /// The findings.
        findings: String,
    },
    /// A journal does not replay.
    #[error("the journal does not replay: {0}")]
    Replay(String),
    /// The world could not be set up or looked at.
    #[error("the world failed: {0}")]
    World(String),
}

impl From<RunError> for KitError {
    fn from(error: RunError) -> Self {
        Self::World(crate::json::chain(&error))
    }
}

impl From<crate::engine::EngineError> for KitError {
    fn from(error: crate::engine::EngineError) -> Self {
        Self::World(crate::json::chain(&error))
    }
}

impl From<sea_orm::DbErr> for KitError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::World(crate::json::chain(&error))
    }
}

/// Makes worlds.
pub trait Theatre: Sync {
    /// What it makes.
    type World: World;

    /// A fresh one: equal in all that the workflow can see.
    fn fresh(&self) -> impl Future<Output = Result<Self::World, KitError>> + Send;
}

/// One world, in which a run is played once.
pub trait World: Send + Sync {
    /// Its database.
    fn database(&self) -> &Database;

    /// Its clock, which the kit moves.
    fn clock(&self) -> Arc<ManualClock>;

    /// The workflows, with their ports; asked for by each engine that is opened on this world.
    fn registry(&self) -> Registry;

    /// Starts the run.
    fn start(&self) -> impl Future<Output = Result<RunId, KitError>> + Send;

    /// Does what the outside does when nothing is due: sends the signal that the run waits for, say. Whether it did anything; asked again
    /// only after the run went on.
    fn outside(&self, run: &RunView) -> impl Future<Output = Result<bool, KitError>> + Send {
        let _ = run;
        async { Ok(false) }
    }

    /// Everything that must be equal in the end: rows, calls that reached a double, each as a line in an order that does not depend on
    /// chance.
    fn effects(&self) -> impl Future<Output = Result<Vec<String>, KitError>> + Send;

    /// What of the output must be equal; leave out what is different in each world.
    fn output(&self, run: &RunView) -> Value {
        run.output.clone().unwrap_or_default()
    }

    /// After a failure: the reason why what was done is not undone, if so.
    fn undone(&self, run: &RunView) -> impl Future<Output = Result<Option<String>, KitError>> + Send;
}

/// What a kit's call has gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Plays beside the undisturbed one.
    pub plays: usize,
    /// The steps, by workflow and name, in the order in which they were first met.
    pub steps: Vec<String>,
}

/// Plays the run undisturbed, then once for each point before and after each write of it with the worker dying there, then once with the
/// worker dying at each point the first time it comes there. Status, output and effects must be the same each time.
///
/// # Errors
/// [`KitError`].
pub async fn crash_at_every_step<T: Theatre>(theatre: &T) -> Result<Report, KitError> {
    let counting = Arc::new(probes::Counting::default());
    let expected = play::play(theatre, "undisturbed", counting.clone(), &counting).await?;
    let plays = counting.count();
    let killed = futures::stream::iter(0..plays).map(|at| killed_at(theatre, at, &expected));
    killed.buffer_unordered(PLAYS_AT_ONCE).try_collect::<()>().await?;
    let dying = Arc::new(probes::DyingEverywhere::default());
    let found = play::play(theatre, "killed everywhere", dying.clone(), dying.as_ref()).await?;
    found.same(&expected, "killed once at each point")?;
    Ok(Report { plays: plays + 1, steps: counting.steps() })
}

async fn killed_at<T: Theatre>(theatre: &T, at: usize, expected: &Played) -> Result<(), KitError> {
    let dying = Arc::new(probes::DyingAt::new(at));
    let found = play::play(theatre, &format!("killed at point {at}"), dying.clone(), dying.as_ref()).await?;
    found.same(expected, &format!("killed at {}", dying.place()))
}

/// Plays the run with the body of each step running twice, as if its first answer was lost: first one step at a time, then all of them.
/// Status, output and effects must be those of the undisturbed run.
///
/// # Errors
/// [`KitError`].
pub async fn repeat_every_step<T: Theatre>(theatre: &T) -> Result<Report, KitError> {
    let counting = Arc::new(probes::Counting::default());
    let expected = play::play(theatre, "undisturbed", counting.clone(), &counting).await?;
    let steps = counting.steps();
    for step in &steps {
        let repeating = Arc::new(probes::Repeating::one(step));
        let found = play::play(theatre, &format!("step {step} repeated"), repeating, &probes::Undying).await?;
        found.same(&expected, &format!("step {step} repeated"))?;
    }
    let found = play::play(theatre, "every step repeated", Arc::new(probes::Repeating::all()), &probes::Undying).await?;
    found.same(&expected, "every step repeated")?;
    Ok(Report { plays: steps.len() + 1, steps })
}

/// Plays the run once for each of its steps with that step failing for good. Each time the run must end, and what it did must be undone,
/// as [`World::undone`] looks at it; a workflow that goes another way after the failure may end as done.
///
/// # Errors
/// [`KitError`].
pub async fn fail_and_unwind<T: Theatre>(theatre: &T) -> Result<Report, KitError> {
    let counting = Arc::new(probes::Counting::default());
    play::play(theatre, "undisturbed", counting.clone(), &counting).await?;
    let steps: Vec<String> = counting.steps().into_iter().filter(|step| !step.contains("/undo ")).collect();
    for step in &steps {
        let disturbance = format!("step {step} failed for good");
        let world = Box::pin(theatre.fresh()).await?;
        let playing = play::play_in(&world, &disturbance, Arc::new(probes::Failing::at(step)), &probes::Undying);
        let found = Box::pin(playing).await?;
        if !matches!(found.status, RunStatus::Failed | RunStatus::Done) {
            return Err(KitError::Stuck { disturbance, state: format!("{} {:?}", found.status, found.error) });
        }
        if let Some(reason) = world.undone(&found.view).await? {
            return Err(KitError::NotUndone { disturbance, reason });
        }
    }
    Ok(Report { plays: steps.len(), steps })
}
