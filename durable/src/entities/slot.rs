//! The table `schedule_slots`.

use sea_orm::entity::prelude::*;

/// A slot of a schedule that is decided.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule_slots")]
pub struct Model {
    /// The schedule.
    #[sea_orm(primary_key, auto_increment = false)]
    pub schedule: String,
    /// The local time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: String,
    /// Its instant.
    pub due_at: i64,
    /// `started` or `missed`.
    pub state: String,
    /// What it started.
    pub run: Option<String>,
    /// Why it was missed.
    pub reason: Option<String>,
    /// Who ran it by hand.
    pub by_whom: Option<String>,
    /// When.
    pub decided_at: i64,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
