//! A ranking of a final quarter, which decides what is paid in the next one, refuses changes as all else that is final does.
//!
//! No old data moves.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

const RANKING: &str = "EXISTS (SELECT 1 FROM periods p WHERE p.program = OLD.program AND p.period = OLD.period AND p.status = 'final')";
const PLACE: &str = "EXISTS (SELECT 1 FROM rankings r JOIN periods p ON p.program = r.program AND p.period = r.period \
     WHERE r.program = OLD.program AND r.ranking = OLD.ranking AND r.quarter = OLD.quarter AND p.status = 'final')";

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::refuse_changes(manager, "rankings", RANKING, "a ranking of a final quarter never changes").await?;
        dialect::refuse_changes(manager, "ranking_places", PLACE, "a ranking of a final quarter never changes").await
    }
}
