//! A plain host on tokio: takes what is due and drives it, so many at a time. For tests, benches and single commands; a product may
//! host each claimed run in an actor of its own instead.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::engine::{Engine, EngineError};

/// How a host works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostOptions {
    /// Runs that are executed side by side.
    pub workers: usize,
    /// The longest time between two looks for what is due.
    pub poll: Duration,
    /// How long what is executed may go on after the shutdown.
    pub grace: Duration,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { workers: 16, poll: Duration::from_millis(200), grace: Duration::from_secs(10) }
    }
}

/// Takes and drives runs until `shutdown` is ready; what is executed then may finish within the grace.
///
/// # Errors
/// [`EngineError::Replaced`], [`EngineError::Storage`]: the process must stop; other errors of the database are logged and tried again at the next poll.
pub async fn serve(engine: &Engine, options: HostOptions, shutdown: impl Future<Output = ()> + Send) -> Result<(), EngineError> {
    let mut driven = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let free = options.workers.saturating_sub(driven.len());
        let wait = if free == 0 {
            options.poll
        } else {
            match take(engine, free, &mut driven).await {
                Ok(0) => until_due(engine, options.poll).await,
                Ok(_) if driven.len() < options.workers => Duration::ZERO,
                Ok(_) => options.poll,
                Err(error @ (EngineError::Replaced(_) | EngineError::Storage(_))) => return Err(error),
                Err(error) => {
                    tracing::error!(error = crate::json::chain(&error), "durable.claim_failed");
                    options.poll
                }
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = driven.join_next(), if !driven.is_empty() => {}
            () = engine.hinted(), if free > 0 => {}
            () = tokio::time::sleep(wait) => {}
        }
        while driven.try_join_next().is_some() {}
    }
    let finished = async { while driven.join_next().await.is_some() {} };
    tokio::time::timeout(options.grace, finished).await.ok();
    Ok(())
}

/// Takes and drives runs until none is due, and says how many were driven.
///
/// # Errors
/// [`EngineError`].
pub async fn run_until_idle(engine: &Engine, workers: usize) -> Result<usize, EngineError> {
    let mut driven = JoinSet::new();
    let mut count = 0;
    loop {
        let taken = take(engine, workers.max(1).saturating_sub(driven.len()), &mut driven).await?;
        count += taken;
        if driven.is_empty() && taken == 0 {
            return Ok(count);
        }
        driven.join_next().await;
    }
}

async fn take(engine: &Engine, most: usize, driven: &mut JoinSet<crate::engine::Drive>) -> Result<usize, EngineError> {
    if most == 0 {
        return Ok(0);
    }
    let claimed = engine.claim(most).await?;
    let count = claimed.len();
    for run in claimed {
        driven.spawn(run.drive());
    }
    Ok(count)
}

/// How long nothing is due, at most one poll.
async fn until_due(engine: &Engine, poll: Duration) -> Duration {
    match engine.next_due().await {
        Ok(Some(due)) => due.since(engine.options().clock.now()).clamp(Duration::from_millis(1), poll),
        Ok(None) | Err(_) => poll,
    }
}
