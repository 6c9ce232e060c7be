//! Facts that others tell by webhook: each message once, with what became of it, and those that wait for what they refer to; and which
//! invoice a payment at Stripe was for.
//!
//! No old data moves. A message that has ended never changes, nor does a payment's invoice.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, FACT_EVENTS).await?;
        dialect::refuse_changes(manager, "invoice_payments", "TRUE", "what a payment was for never changes").await?;
        dialect::guard(manager, "fact_events", CHANGED, "a message keeps what it said, how it was answered and how it ended").await
    }
}

const FACT_EVENTS: &str = "
CREATE TABLE fact_events (
    no {serial}, source {text} NOT NULL CHECK (source IN ('facts', 'stripe')), event {text} NOT NULL, what {text} NOT NULL,
    body_digest {text} NOT NULL, subject {text} NOT NULL, state {text} NOT NULL CHECK (state IN ('recorded', 'ignored', 'parked', 'dropped')),
    answer {text} NOT NULL CHECK (answer IN ('recorded', 'ignored', 'parked')), kind {text}, facts {text}, reason {text},
    waits_for {text}, waits_key {text}, waits_key2 {text}, tried_seq {int}, tried_with {int} NOT NULL DEFAULT 0, tries {int} NOT NULL DEFAULT 0 CHECK (tries >= 0),
    seq {int} REFERENCES recordings (seq), received_at {int} NOT NULL, ended_at {int}, dropped_by {text} REFERENCES users (id),
    dropped_reason {text}, UNIQUE (source, event), CHECK ((state = 'parked') = (ended_at IS NULL)), CHECK ((kind IS NULL) = (facts IS NULL)),
    CHECK (state <> 'parked' OR (reason IS NOT NULL AND tried_seq IS NOT NULL)), CHECK ((waits_for IS NULL) = (waits_key IS NULL)),
    CHECK (seq IS NULL OR state = 'recorded'),
    CHECK ((state = 'dropped') = (dropped_by IS NOT NULL) AND (state = 'dropped') = (dropped_reason IS NOT NULL))
) {table};;
CREATE INDEX fact_events_parked ON fact_events (waits_for, no) WHERE state = 'parked';;
CREATE INDEX fact_events_subject ON fact_events (subject) WHERE subject <> '';;
CREATE INDEX fact_events_recorded ON fact_events (seq) WHERE seq IS NOT NULL;;
CREATE TABLE invoice_payments (payment {text} PRIMARY KEY, invoice {text} NOT NULL, learnt_at {int} NOT NULL) {keyed};;
";

const CHANGED: &str = "OLD.state <> 'parked' OR OLD.source <> NEW.source OR OLD.event <> NEW.event OR OLD.what <> NEW.what \
                       OR OLD.body_digest <> NEW.body_digest OR OLD.subject <> NEW.subject OR OLD.answer <> NEW.answer \
                       OR OLD.kind IS DISTINCT FROM NEW.kind OR OLD.facts IS DISTINCT FROM NEW.facts OR OLD.received_at <> NEW.received_at \
                       OR NEW.tries < OLD.tries";
