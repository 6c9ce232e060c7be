//! What a workflow is, and which ones a binary knows.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::DatabaseTransaction;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{Context, Failure, Interrupt};
use crate::engine::EmbeddedContext;
use crate::json;

/// A process that reads like the business: an async function over a [`Context`]. Its ports are its fields.
///
/// The function must be deterministic but for what it gets from the context.
pub trait Workflow: Send + Sync + 'static {
    /// Its name, in commands and in the database.
    const NAME: &'static str;
    /// The version that new runs are started with. Raise it when the steps change in a way that [`Context::version`] does not mark.
    const VERSION: u32 = 1;
    /// The oldest version whose unfinished runs this code can execute.
    const OLDEST: u32 = 1;
    /// What a run is started with.
    type Input: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What a run ends with.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Executes a run from its start; finished steps return what was journaled.
    fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: Self::Input) -> impl Future<Output = Result<Self::Output, Interrupt>> + Send;
}

/// How an execution of a workflow's function ended, with everything as JSON.
pub(crate) enum Ended {
    Output(String),
    Failed(Failure),
    Stopped,
    /// The input or the output can't be written or read.
    Unfit(String),
}

pub(crate) type Execution<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// A workflow whose types are erased.
pub(crate) trait Executable: Send + Sync {
    fn execute<'a>(&'a self, ctx: &'a EmbeddedContext, input: &'a str) -> Execution<'a>;
}

impl<W: Workflow> Executable for W {
    fn execute<'a>(&'a self, ctx: &'a EmbeddedContext, input: &'a str) -> Execution<'a> {
        Box::pin(async move {
            let input: W::Input = match json::read("the run's input", input) {
                Ok(input) => input,
                Err(error) => return Ended::Unfit(json::chain(&error)),
            };
            match self.run(ctx, input).await {
                Ok(output) => json::write("the run's output", &output).map_or_else(|error| Ended::Unfit(json::chain(&error)), Ended::Output),
                Err(Interrupt::Failed(failure)) => Ended::Failed(failure),
                Err(Interrupt::Stop) => Ended::Stopped,
            }
        })
    }
}

#[derive(Clone)]
struct Known {
    versions: std::ops::RangeInclusive<u32>,
    workflow: Arc<dyn Executable>,
}

/// The workflows that a binary can execute.
#[derive(Clone, Default)]
pub struct Registry {
    known: BTreeMap<&'static str, Known>,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this workflow; one of the same name is replaced.
    #[must_use]
    pub fn with<W: Workflow>(mut self, workflow: W) -> Self {
        self.add(workflow);
        self
    }

    /// Adds a workflow; one of the same name is replaced.
    pub fn add<W: Workflow>(&mut self, workflow: W) {
        self.known.insert(W::NAME, Known { versions: W::OLDEST..=W::VERSION, workflow: Arc::new(workflow) });
    }

    /// The names and the versions that can be executed.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, std::ops::RangeInclusive<u32>)> + '_ {
        self.known.iter().map(|(name, known)| (*name, known.versions.clone()))
    }

    /// The code that can execute this version.
    pub(crate) fn find(&self, workflow: &str, version: u32) -> Option<Arc<dyn Executable>> {
        self.known.get(workflow).filter(|known| known.versions.contains(&version)).map(|known| Arc::clone(&known.workflow))
    }

    /// Why a version can't be executed.
    pub(crate) fn why_not(&self, workflow: &str, version: u32) -> String {
        match self.known.get(workflow) {
            None => format!("no registered workflow is called {workflow:?}; start a binary that has it, then retry the run"),
            Some(known) => format!(
                "version {version} of workflow {workflow:?} can't be executed, the registered ones are {} to {}; start a binary that has it, then retry the run",
                known.versions.start(),
                known.versions.end()
            ),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.names()).finish()
    }
}
