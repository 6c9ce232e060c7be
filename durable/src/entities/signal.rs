//! The table `run_signals`.

use sea_orm::entity::prelude::*;

/// A signal sent to a run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_signals")]
pub struct Model {
    /// In order of arrival.
    #[sea_orm(primary_key, auto_increment = true)]
    pub no: i64,
    /// The run.
    pub run: String,
    /// What it is about.
    pub name: String,
    /// The sender's id: the same twice is one.
    pub id: String,
    /// JSON.
    pub payload: String,
    /// When it was sent.
    pub sent_at: i64,
    /// When the run took it.
    pub consumed_at: Option<i64>,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
