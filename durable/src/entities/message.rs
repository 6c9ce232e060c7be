//! The table `outbox`.

use sea_orm::entity::prelude::*;

/// A message that leaves after the commit of what it tells.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// `msg_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Who sends it.
    pub topic: String,
    /// Unique in its topic.
    pub key: String,
    /// JSON.
    pub body: String,
    /// `pending sending sent parked bounced`.
    pub status: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is due.
    pub next_at: Option<i64>,
    /// What the last attempt said.
    pub error: Option<String>,
    /// Who sends it now.
    pub owner: Option<String>,
    /// Until when.
    pub lease_until: Option<i64>,
    /// Raised by each claim.
    pub epoch: i64,
    /// When it was put.
    pub created_at: i64,
    /// When it was sent, bounced or parked.
    pub ended_at: Option<i64>,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
