//! A claim's payout can end before it was ever admitted: it then has no destination, no request and no day. And what links in approvers'
//! mails carry, by which codes asked for from a mail are told from those that anybody asks for.
//!
//! Old payouts stay as they are, byte for byte; the rule about them is one wider. SQLite knows no change of a rule: the table is made anew
//! under its name, so that what refers to it still does. Codes asked for before were asked for without such a link.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    /// A table that is made anew is never half there.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            dialect::run(manager, RULE).await?;
        } else {
            dialect::run(manager, ANEW).await?;
            dialect::guard(manager, "payouts", CHANGES, "what a payout is, what was sent and how it ended never changes").await?;
        }
        dialect::run(manager, LINKS).await
    }
}

const RULE: &str = "
DO $$ DECLARE rule TEXT; BEGIN
    SELECT conname INTO STRICT rule FROM pg_constraint WHERE conrelid = 'payouts'::regclass AND contype = 'c'
        AND pg_get_constraintdef(oid) LIKE '%counted_on IS NOT NULL%';
    EXECUTE format('ALTER TABLE payouts DROP CONSTRAINT %I', rule);
END $$;;
ALTER TABLE payouts ADD CONSTRAINT payouts_fixed CHECK (status = 'held' OR (request IS NOT NULL AND counted_on IS NOT NULL)
    OR (status = 'failed' AND kind = 'mdf_claim' AND requested_at IS NULL));;
";

/// As step 5 made it, but for the rule about what is fixed once a payout waits no more.
const ANEW: &str = "
PRAGMA defer_foreign_keys = ON;;
CREATE TABLE payouts_before AS SELECT * FROM payouts;;
DROP TABLE payouts;;
CREATE TABLE payouts (
    id {text} PRIMARY KEY, kind {text} NOT NULL CHECK (kind IN ('settlement', 'mdf_claim')), reference {text} NOT NULL, program {text} NOT NULL,
    partner {text} NOT NULL, period {text}, amount_minor {int} NOT NULL CHECK (amount_minor > 0), currency {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('intended', 'held', 'requested', 'unknown', 'paid', 'failed')), reason {text},
    destination {text}, destination_digest {text}, idempotency_key {text} NOT NULL UNIQUE, request {text}, request_digest {text},
    attempts {int} NOT NULL DEFAULT 0 CHECK (attempts >= 0), provider {text}, provider_id {text}, retried_from {text} UNIQUE REFERENCES payouts (id),
    workflow {text}, counted_on {text}, released_by {text} REFERENCES users (id), intended_at {int} NOT NULL, requested_at {int}, ended_at {int},
    revision {int} NOT NULL, CHECK ((kind = 'settlement') = (period IS NOT NULL)), CHECK (status <> 'held' OR reason IS NOT NULL),
    CHECK ((request IS NULL) = (destination IS NULL) AND (request IS NULL) = (request_digest IS NULL) AND (request IS NULL) = (destination_digest IS NULL)),
    CHECK (status = 'held' OR (request IS NOT NULL AND counted_on IS NOT NULL)
        OR (status = 'failed' AND kind = 'mdf_claim' AND requested_at IS NULL)),
    CHECK (status NOT IN ('requested', 'unknown', 'paid') OR requested_at IS NOT NULL), CHECK (status NOT IN ('intended', 'held') OR requested_at IS NULL),
    CHECK ((status IN ('paid', 'failed')) = (ended_at IS NOT NULL)), CHECK (retried_from IS NULL OR retried_from <> id),
    FOREIGN KEY (program, partner) REFERENCES memberships (program, partner),
    FOREIGN KEY (program, partner, currency, period) REFERENCES settlements (program, partner, currency, period),
    FOREIGN KEY (destination, partner, currency) REFERENCES payout_destinations (id, partner, currency)
) {table};;
INSERT INTO payouts SELECT * FROM payouts_before ORDER BY rowid;;
DROP TABLE payouts_before;;
CREATE UNIQUE INDEX payouts_live ON payouts (kind, reference) WHERE status <> 'failed';;
CREATE UNIQUE INDEX payouts_live_of_settlement ON payouts (program, partner, period, currency) WHERE status <> 'failed' AND kind = 'settlement';;
CREATE UNIQUE INDEX payouts_first ON payouts (kind, reference) WHERE retried_from IS NULL;;
CREATE UNIQUE INDEX payouts_of_provider ON payouts (provider, provider_id) WHERE provider_id IS NOT NULL;;
CREATE INDEX payouts_of_settlement ON payouts (program, period, partner) WHERE kind = 'settlement';;
CREATE INDEX payouts_unfinished ON payouts (status, intended_at) WHERE status IN ('intended', 'held', 'requested', 'unknown');;
CREATE INDEX payouts_of_day ON payouts (counted_on, currency, partner) WHERE counted_on IS NOT NULL;;
";

/// The changes of payouts that are refused, as step 5 has them.
const CHANGES: &str = "OLD.id <> NEW.id OR OLD.kind <> NEW.kind OR OLD.reference <> NEW.reference OR OLD.program <> NEW.program OR OLD.partner <> NEW.partner \
     OR OLD.period IS DISTINCT FROM NEW.period OR OLD.amount_minor <> NEW.amount_minor OR OLD.currency <> NEW.currency \
     OR OLD.idempotency_key <> NEW.idempotency_key OR OLD.retried_from IS DISTINCT FROM NEW.retried_from \
     OR OLD.intended_at <> NEW.intended_at OR NEW.attempts < OLD.attempts OR NEW.revision <= OLD.revision \
     OR (OLD.requested_at IS NOT NULL AND OLD.requested_at IS DISTINCT FROM NEW.requested_at) \
     OR (OLD.request IS NOT NULL AND (OLD.request IS DISTINCT FROM NEW.request OR OLD.request_digest IS DISTINCT FROM NEW.request_digest \
       OR OLD.destination IS DISTINCT FROM NEW.destination OR OLD.destination_digest IS DISTINCT FROM NEW.destination_digest)) \
     OR (OLD.status IN ('requested', 'unknown') AND NEW.status IN ('intended', 'held')) OR (OLD.status = 'paid' AND NEW.status NOT IN ('paid', 'failed')) \
     OR (OLD.status = 'failed' AND NEW.status <> 'failed')";

const LINKS: &str = "
CREATE TABLE approval_links (
    token_digest {text} PRIMARY KEY, person {text} NOT NULL REFERENCES users (id), claim {text} NOT NULL REFERENCES claims (id), created_at {int} NOT NULL
) {table};;
CREATE INDEX approval_links_by_age ON approval_links (created_at);;
ALTER TABLE approval_codes ADD COLUMN from_mail {int} NOT NULL DEFAULT 0 CHECK (from_mail IN (0, 1));;
";
