//! The table `schedules`.

use sea_orm::entity::prelude::*;

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Cron with seconds.
    pub expression: String,
    /// IANA zone.
    pub zone: String,
    /// What its slots start.
    pub workflow: String,
    /// Whether a slot waits for the run of the slot before it.
    pub in_turn: i64,
    /// Whether its slots are missed on purpose.
    pub paused: i64,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_reason: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// Since when it has this expression and zone.
    pub rules_from: i64,
    /// The local time through which its slots are decided.
    pub looked_until: String,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
