//! Since when a service knows a programme: what a command makes final after that it pays by itself, what was final before it does not.
//!
//! Only a service writes it; commands record schedules, too. Of older books: since a service has run on them, and the programme's schedules
//! are recorded; a programme without any is known from the next start on.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, SERVED).await?;
        dialect::refuse_changes(manager, "served_programs", "TRUE", "since when a service knows a programme never changes").await
    }
}

const SERVED: &str = "
CREATE TABLE served_programs (program {text} PRIMARY KEY REFERENCES programs (id), since {int} NOT NULL) {keyed};;
INSERT INTO served_programs (program, since)
    SELECT p.id, CASE WHEN MIN(s.created_at) > i.created_at THEN MIN(s.created_at) ELSE i.created_at END
    FROM programs p JOIN instance i ON i.id = 1
    JOIN schedules s ON s.id IN ('settlement/' || p.id, 'recertification/' || p.id, 'lot_expiry/' || p.id) GROUP BY p.id, i.created_at;;
";
