//! What a workflow is, and which ones a binary knows.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use sea_orm::DatabaseTransaction;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{Context, Interrupt};

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

#[derive(Clone)]
struct Known {
    versions: std::ops::RangeInclusive<u32>,
    workflow: Arc<dyn std::any::Any + Send + Sync>,
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
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.names()).finish()
    }
}
