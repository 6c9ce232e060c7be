//! Signed messages with decisions about claims: what each came to, kept with its effect, so that a repeat is answered as the first time.
//!
//! No old data moves: no such message was taken before this step. One that was refused names no step; one that counted names the only
//! decision that it made.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, EVENTS).await?;
        dialect::refuse_changes(manager, "decision_events", "TRUE", "what a message came to is never changed").await
    }
}

const EVENTS: &str = "
CREATE TABLE decision_events (
    event {text} PRIMARY KEY, body_digest {text} NOT NULL, claim {text} NOT NULL, person {text} NOT NULL,
    outcome {text} NOT NULL CHECK (outcome IN ('decided', 'refused')), round {int}, ordinal {int}, answer {text} NOT NULL, received_at {int} NOT NULL,
    CHECK ((outcome = 'decided') = (round IS NOT NULL) AND (round IS NULL) = (ordinal IS NULL)), UNIQUE (claim, round, ordinal),
    FOREIGN KEY (claim, round, ordinal) REFERENCES claim_decisions (claim, round, ordinal)
) {keyed};;
";
