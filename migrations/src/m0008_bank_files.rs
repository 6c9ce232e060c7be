//! Files for the bank: the exact bytes, and which payouts they pay. A payout is in one at most.
//!
//! No old data moves. Of a file only that it was written down changes, once.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, BANK_FILES).await?;
        dialect::guard(manager, "bank_files", CHANGES, "a file for the bank never changes").await?;
        dialect::refuse_changes(manager, "bank_file_payouts", "TRUE", "a payout stays in the file that it is in").await
    }
}

const BANK_FILES: &str = "
CREATE TABLE bank_files (
    id {text} PRIMARY KEY, message_id {text} NOT NULL UNIQUE, debtor_iban {text} NOT NULL, execution_on {text} NOT NULL,
    payouts {int} NOT NULL CHECK (payouts > 0), control_sum {text} NOT NULL, sha256 {text} NOT NULL, content {text} NOT NULL,
    created_by {text} NOT NULL REFERENCES users (id), created_at {int} NOT NULL, written_at {int}
) {table};;
CREATE INDEX bank_files_unwritten ON bank_files (created_at) WHERE written_at IS NULL;;
CREATE TABLE bank_file_payouts (
    file {text} NOT NULL REFERENCES bank_files (id), ordinal {int} NOT NULL CHECK (ordinal > 0), payout {text} NOT NULL UNIQUE REFERENCES payouts (id),
    PRIMARY KEY (file, ordinal)
) {table};;
";

const CHANGES: &str = "OLD.id <> NEW.id OR OLD.message_id <> NEW.message_id OR OLD.debtor_iban <> NEW.debtor_iban \
     OR OLD.execution_on <> NEW.execution_on OR OLD.payouts <> NEW.payouts OR OLD.control_sum <> NEW.control_sum OR OLD.sha256 <> NEW.sha256 \
     OR OLD.content <> NEW.content OR OLD.created_by <> NEW.created_by OR OLD.created_at <> NEW.created_at \
     OR (OLD.written_at IS NOT NULL AND OLD.written_at IS DISTINCT FROM NEW.written_at)";
