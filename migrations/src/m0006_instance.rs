//! Which database this is, and which generation of it: a restored backup is a new one, which sends nothing before it is reconciled; and
//! what people have closed of what a reconciliation finds.
//!
//! `instance` has one row at most; a service's first start writes it. No old data moves.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, INSTANCE).await?;
        dialect::refuse_changes(manager, "closed_exceptions", "TRUE", "what was closed stays so").await?;
        dialect::guard(manager, "instance", "OLD.database_id <> NEW.database_id OR NEW.generation < OLD.generation", REASON).await
    }
}

const INSTANCE: &str = "
CREATE TABLE instance (
    id {int} PRIMARY KEY CHECK (id = 1), database_id {text} NOT NULL, generation {int} NOT NULL CHECK (generation >= 1), created_at {int} NOT NULL,
    restored_at {int}, reconciled_at {int}, CHECK (reconciled_at IS NULL OR restored_at IS NOT NULL)
) {table};;
CREATE TABLE closed_exceptions (
    exception {text} PRIMARY KEY, closed_by {text} NOT NULL REFERENCES users (id), reason {text} NOT NULL, closed_at {int} NOT NULL
) {table};;
";

const REASON: &str = "a database keeps its id, and its generation only grows";
