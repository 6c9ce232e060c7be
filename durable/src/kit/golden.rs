//! Journals of runs as files, and the proof that a workflow's code still replays them.

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::KitError;
use super::probes::Reading;
use crate::clock::{Clock, Instant, SystemClock};
use crate::database::Database;
use crate::engine::{Drive, Engine, Options};
use crate::entities::{run, step};
use crate::ids::RunId;
use crate::json;
use crate::runs;
use crate::sql;
use crate::workflow::Registry;

/// A run with its journal, as a file keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Golden {
    workflow: String,
    version: i64,
    key: String,
    status: String,
    cancelling: bool,
    input: Value,
    output: Option<Value>,
    error: Option<String>,
    steps: Vec<GoldenStep>,
}

#[derive(Debug, Serialize, Deserialize)]
struct GoldenStep {
    name: String,
    kind: String,
    attempt: i64,
    outcome: String,
    result: Option<Value>,
    error: Option<String>,
    request_digest: Option<String>,
}

/// A run's journal as JSON, to be kept in a file.
///
/// # Errors
/// [`KitError::World`]: there is no such run.
pub async fn journal(database: &Database, run: &RunId) -> Result<String, KitError> {
    let found = run::Entity::find_by_id(run.as_str()).one(database.read()).await?.ok_or_else(|| KitError::World(format!("there is no run {run}")))?;
    let steps = step::Entity::find().filter(step::Column::Run.eq(run.as_str())).order_by_asc(step::Column::Ordinal).all(database.read()).await?;
    let value = |text: &String| serde_json::from_str::<Value>(text).map_err(|error| KitError::World(error.to_string()));
    let golden = Golden {
        cancelling: found.cancelling == 1,
        input: value(&found.input)?,
        output: found.output.as_ref().map(value).transpose()?,
        steps: steps
            .into_iter()
            .map(|row| {
                let result = row.result.as_ref().map(value).transpose()?;
                let (name, kind, outcome) = (row.name, row.kind, row.outcome);
                Ok(GoldenStep { name, kind, attempt: row.attempt, outcome, result, error: row.error, request_digest: row.request_digest })
            })
            .collect::<Result<_, KitError>>()?,
        workflow: found.workflow,
        version: found.version,
        key: found.key,
        status: found.status,
        error: found.error,
    };
    serde_json::to_string_pretty(&golden).map_err(|error| KitError::World(error.to_string()))
}

/// Replays a journal in an empty database: the code must ask for exactly its steps and end, or wait, as the run did.
///
/// # Errors
/// [`KitError::Replay`]: it does not; the step is named.
pub async fn replay(database: &Database, registry: Registry, journal: &str) -> Result<(), KitError> {
    let golden: Golden = serde_json::from_str(journal).map_err(|error| KitError::Replay(error.to_string()))?;
    let now = SystemClock.now();
    let run = insert(database, &golden, now).await?;
    let reading = Arc::new(Reading::default());
    let options = Options { probe: reading.clone(), ..Options::new("replay") };
    let engine = Engine::open(database.clone(), registry, options).await?;
    let claimed = engine.claim(1).await?.into_iter().find(|claimed| *claimed.run() == run);
    let drive = match claimed {
        Some(claimed) => claimed.drive().await,
        None => Drive::NeedsReview,
    };
    let view = runs::show(database.read(), &run).await?;
    if let Some(step) = reading.wrote() {
        // What the run had begun, or was about to begin, when its journal was kept is asked for again; anything else is new.
        let begun = golden.steps.iter().any(|row| row.name == step && matches!(row.outcome.as_str(), "intent" | "retrying" | "waiting"));
        let ended = matches!(golden.status.as_str(), "done" | "failed" | "cancelled");
        let all_begun = golden.steps.iter().all(|row| matches!(row.outcome.as_str(), "done" | "unknown" | "failed"));
        if begun || (!ended && all_begun) {
            return Ok(());
        }
        return Err(KitError::Replay(format!("the code asks for step {step:?}, which the journal does not have")));
    }
    let expected = golden.status.as_str();
    if view.run.status.as_str() != expected {
        return Err(KitError::Replay(format!("it ends {drive:?} instead of {expected}: {}", view.run.error.unwrap_or_default())));
    }
    if view.output != golden.output {
        return Err(KitError::Replay(format!("its output is {:?} instead of {:?}", view.output, golden.output)));
    }
    Ok(())
}

async fn insert(database: &Database, golden: &Golden, now: Instant) -> Result<RunId, KitError> {
    let run = RunId::new(now);
    let write = |what: &str, value: &Value| json::write(what, value).map_err(|error| KitError::Replay(json::chain(&error)));
    let cancelling = i64::from(golden.cancelling || golden.status == "cancelled");
    let text = "INSERT INTO workflow_runs (id, workflow, key, version, status, input, wake_at, cancelling, status_by, created_at) \
                VALUES (?, ?, ?, ?, 'ready', ?, 0, ?, 'replay', ?)";
    let values = [
        run.as_str().into(),
        golden.workflow.as_str().into(),
        golden.key.as_str().into(),
        golden.version.into(),
        write("the input", &golden.input)?.into(),
        cancelling.into(),
        now.0.into(),
    ];
    sql::execute(database.write(), text, values).await?;
    let text = "INSERT INTO run_steps (run, ordinal, name, kind, attempt, outcome, result, error, request_digest, begun_at, ended_at) \
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    for (ordinal, row) in (1_i64..).zip(&golden.steps) {
        let ended_at = matches!(row.outcome.as_str(), "done" | "unknown" | "failed").then_some(now.0);
        let result = row.result.as_ref().map(|value| write("a result", value)).transpose()?;
        let values = [
            run.as_str().into(),
            ordinal.into(),
            row.name.as_str().into(),
            row.kind.as_str().into(),
            row.attempt.into(),
            row.outcome.as_str().into(),
            result.into(),
            row.error.clone().into(),
            row.request_digest.clone().into(),
            now.0.into(),
            ended_at.into(),
        ];
        sql::execute(database.write(), text, values).await?;
    }
    Ok(run)
}
