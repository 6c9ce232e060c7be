//! One play: the run is driven to its end in a world, by one engine after the other as they die.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::probes::Mortal;
use super::{KitError, Theatre, World};
use crate::clock::Clock;
use crate::engine::{Engine, Options};
use crate::ids::RunId;
use crate::probe::Probe;
use crate::runs::{self, RunView};
use crate::status::RunStatus;
use crate::verify;

/// Drives, deaths and moves of the clock in one play.
const ROUNDS_MAX: usize = 20_000;
/// One node, whose engines follow each other.
const NODE: &str = "kit";

/// How a play ended.
#[derive(Debug, Clone)]
pub struct Played {
    /// The run's status.
    pub status: RunStatus,
    /// Its output.
    pub output: Value,
    /// Its error.
    pub error: Option<String>,
    /// The world's effects.
    pub effects: Vec<String>,
    /// The run.
    pub view: RunView,
}

impl Played {
    /// Compares with the undisturbed play.
    pub(super) fn same(&self, expected: &Self, disturbance: &str) -> Result<(), KitError> {
        let different = |what, expected: String, found: String| {
            if expected == found { Ok(()) } else { Err(KitError::Different { disturbance: disturbance.to_owned(), what, expected, found }) }
        };
        different("status", format!("{} {:?}", expected.status, expected.error), format!("{} {:?}", self.status, self.error))?;
        different("output", expected.output.to_string(), self.output.to_string())?;
        different("effects", format!("{:#?}", expected.effects), format!("{:#?}", self.effects))
    }
}

pub(super) async fn play<T: Theatre>(theatre: &T, disturbance: &str, probe: Arc<dyn Probe>, mortal: &dyn Mortal) -> Result<Played, KitError> {
    let world = Box::pin(theatre.fresh()).await?;
    // The futures of a play are large.
    Box::pin(play_in(&world, disturbance, probe, mortal)).await
}

pub(super) async fn play_in<W: World>(world: &W, disturbance: &str, probe: Arc<dyn Probe>, mortal: &dyn Mortal) -> Result<Played, KitError> {
    let run = world.start().await?;
    let mut engine = open(world, &probe).await?;
    for _ in 0..ROUNDS_MAX {
        let claimed = engine.claim(16).await?;
        if claimed.is_empty() {
            if advance(world, &engine, &run).await? {
                continue;
            }
            return ended(world, disturbance, &run).await;
        }
        for claimed in claimed {
            claimed.drive().await;
            if mortal.has_died() {
                // The process ends here, with all that it holds; another starts.
                drop(engine);
                engine = open(world, &probe).await?;
                break;
            }
        }
    }
    let view = runs::show(world.database().read(), &run).await?;
    Err(KitError::Stuck { disturbance: disturbance.to_owned(), state: format!("{} after {ROUNDS_MAX} rounds", view.run.status) })
}

/// Nothing is due: the outside says its word, or time goes on. Whether anything can come of it.
async fn advance<W: World>(world: &W, engine: &Engine, run: &RunId) -> Result<bool, KitError> {
    let view = runs::show(world.database().read(), run).await?;
    if !view.run.status.is_final() && world.outside(&view).await? {
        return Ok(true);
    }
    match engine.next_due().await? {
        Some(due) if due > world.clock().now() => {
            world.clock().set(due);
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

async fn ended<W: World>(world: &W, disturbance: &str, run: &RunId) -> Result<Played, KitError> {
    let view = runs::show(world.database().read(), run).await?;
    let findings = verify::verify(world.database().read(), world.clock().now()).await.map_err(|error| KitError::World(crate::json::chain(&error)))?;
    if !findings.is_empty() {
        return Err(KitError::Broken { disturbance: disturbance.to_owned(), findings: format!("{findings:#?}") });
    }
    if matches!(view.run.status, RunStatus::Ready | RunStatus::Running) {
        return Err(KitError::Stuck { disturbance: disturbance.to_owned(), state: view.run.status.to_string() });
    }
    Ok(Played { status: view.run.status, output: world.output(&view), error: view.run.error.clone(), effects: world.effects().await?, view })
}

async fn open<W: World>(world: &W, probe: &Arc<dyn Probe>) -> Result<Engine, KitError> {
    let options = Options {
        // Deaths without progress are the point here, and nobody else looks at the lease.
        takes_max: 10_000,
        lease: Duration::from_hours(1),
        watch_every: Duration::from_hours(1),
        clock: world.clock(),
        probe: Arc::clone(probe),
        seed: 7,
        ..Options::new(NODE)
    };
    Ok(Engine::open(world.database().clone(), world.registry(), options).await?)
}
