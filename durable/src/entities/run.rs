//! The table `workflow_runs`.

use sea_orm::entity::prelude::*;

/// A run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_runs")]
pub struct Model {
    /// `wfr_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The business key, unique among the runs of the workflow.
    pub key: String,
    /// The version of the code that started it.
    pub version: i64,
    /// See [`crate::status::RunStatus`].
    pub status: String,
    /// Raised by whoever takes the run or acts on it: a write under an older one is refused.
    pub epoch: i64,
    /// JSON.
    pub input: String,
    /// JSON, when done.
    pub output: Option<String>,
    /// Why it is parked, needs review or failed.
    pub error: Option<String>,
    /// When it is due (microseconds since 1970 UTC).
    pub wake_at: Option<i64>,
    /// What it waits for, for people.
    pub waiting_for: Option<String>,
    /// The run that it waits for.
    pub awaits_run: Option<String>,
    /// Whether a run waits for this one.
    pub awaited: i64,
    /// The run that started it.
    pub parent: Option<String>,
    /// The node that holds its lease.
    pub owner: Option<String>,
    /// How often it was taken since it last made progress.
    pub takes: i64,
    /// How many steps its journal had when it was last taken.
    pub steps_seen: i64,
    /// Whether it is being undone because an operator cancelled it.
    pub cancelling: i64,
    /// Who paused or cancelled it.
    pub status_by: Option<String>,
    /// Why.
    pub status_reason: Option<String>,
    /// When it was started.
    pub created_at: i64,
    /// When it was first taken.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// When its journal was deleted.
    pub swept_at: Option<i64>,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
