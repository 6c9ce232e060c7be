//! The table `run_steps`.

use sea_orm::entity::prelude::*;

/// A step in the journal of a run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_steps")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run: String,
    /// Its place in the journal, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i64,
    /// Its name, unique in the run.
    pub name: String,
    /// `tx step now random sleep signal start join version`.
    pub kind: String,
    /// How often it was tried.
    pub attempt: i64,
    /// `intent retrying waiting done unknown failed`.
    pub outcome: String,
    /// JSON.
    pub result: Option<String>,
    /// What the last attempt said.
    pub error: Option<String>,
    /// The idempotency key.
    pub key: Option<String>,
    /// The digest of what is sent.
    pub request_digest: Option<String>,
    /// When it was first tried.
    pub begun_at: i64,
    /// When its result was written.
    pub ended_at: Option<i64>,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
