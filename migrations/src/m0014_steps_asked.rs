//! When a step of a claim's route was first asked about: its time begins with that, and its deadline may move then, once (domain.md §6.3).
//!
//! Of an old step it is taken that it was asked about when it was opened: its deadline stays.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    /// Steps are never without their guard.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let unguarded = if manager.get_database_backend() == DbBackend::Postgres { UNGUARDED_POSTGRES } else { UNGUARDED_SQLITE };
        dialect::run(manager, unguarded).await?;
        dialect::run(manager, ASKED).await?;
        dialect::guard(manager, "claim_steps", CHANGES, "a step keeps what it asks, and a decided one stays so").await
    }
}

const UNGUARDED_POSTGRES: &str = "DROP TRIGGER claim_steps_guarded ON claim_steps;; DROP FUNCTION claim_steps_is_guarded();;";
const UNGUARDED_SQLITE: &str = "DROP TRIGGER claim_steps_guarded_update;; DROP TRIGGER claim_steps_guarded_delete;;";

const ASKED: &str = "
ALTER TABLE claim_steps ADD COLUMN asked_at {int};;
UPDATE claim_steps SET asked_at = opened_at;;
";

/// As step 7 has it, but for the deadline.
const CHANGES: &str = "OLD.claim <> NEW.claim OR OLD.round <> NEW.round OR OLD.ordinal <> NEW.ordinal OR OLD.role <> NEW.role \
     OR OLD.within_s IS DISTINCT FROM NEW.within_s OR OLD.remind_every_s IS DISTINCT FROM NEW.remind_every_s \
     OR OLD.escalate_to IS DISTINCT FROM NEW.escalate_to OR NEW.reminders < OLD.reminders \
     OR (OLD.opened_at IS NOT NULL AND OLD.opened_at IS DISTINCT FROM NEW.opened_at) \
     OR (OLD.asked_at IS NOT NULL AND OLD.asked_at IS DISTINCT FROM NEW.asked_at) \
     OR (OLD.escalated_at IS NOT NULL AND OLD.escalated_at IS DISTINCT FROM NEW.escalated_at) \
     OR (OLD.due_at IS DISTINCT FROM NEW.due_at AND OLD.due_at IS NOT NULL AND OLD.escalated_at IS NOT DISTINCT FROM NEW.escalated_at \
       AND OLD.asked_at IS NOT DISTINCT FROM NEW.asked_at) \
     OR OLD.status IN ('approved', 'rejected', 'expired', 'void') \
     OR (OLD.status = 'waiting' AND NEW.status = 'pending') OR (OLD.status = 'pending' AND NEW.status NOT IN ('pending', 'waiting', 'void'))";
