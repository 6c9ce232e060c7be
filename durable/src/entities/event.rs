//! The table `run_events`.

use sea_orm::entity::prelude::*;

/// An entry of the timeline of a run: an error, a signal, an operator's act.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_events")]
pub struct Model {
    /// In order.
    #[sea_orm(primary_key, auto_increment = true)]
    pub no: i64,
    /// The run.
    pub run: String,
    /// When.
    pub at: i64,
    /// What happened.
    pub kind: String,
    /// To which step.
    pub step: Option<String>,
    /// At which attempt.
    pub attempt: Option<i64>,
    /// Who did it.
    pub by_whom: Option<String>,
    /// Why, or the error.
    pub detail: Option<String>,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
