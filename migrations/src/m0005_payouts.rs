//! People, payouts and the audit log: who may act, what is released and held, what was asked of providers and what they said.
//!
//! Nothing of older tables moves. A settlement's row stays as it was made final: where it stands is what its payouts say. Rows that tell
//! what happened are never changed; of the others the triggers let only that change which may.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, PEOPLE).await?;
        dialect::run(manager, RELEASES).await?;
        dialect::run(manager, PAYOUTS).await?;
        for (table, reason) in HISTORY {
            dialect::refuse_changes(manager, table, "TRUE", reason).await?;
        }
        for (table, condition, reason) in GUARDED {
            dialect::guard(manager, table, condition, reason).await?;
        }
        Ok(())
    }
}

const PEOPLE: &str = "
CREATE TABLE users (
    id {text} PRIMARY KEY, email {text} NOT NULL, name {text} NOT NULL, partner {text} REFERENCES partners (id), added_at {int} NOT NULL,
    disabled_at {int}, disabled_reason {text}, CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) {table};;
CREATE TABLE user_roles (person {text} NOT NULL REFERENCES users (id), role {text} NOT NULL, PRIMARY KEY (person, role)) {keyed};;
CREATE TABLE audit_log (
    no {serial}, at {int} NOT NULL, actor {text}, act {text} NOT NULL, subject {text} NOT NULL, detail {text} NOT NULL
) {table};;
CREATE TABLE audit_pending (entry {int} PRIMARY KEY REFERENCES audit_log (no)) {table};;
CREATE TABLE audit_head (id {int} PRIMARY KEY CHECK (id = 1), position {int} NOT NULL, hash {text} NOT NULL) {table};;
INSERT INTO audit_head (id, position, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');;
CREATE TABLE audit_seals (
    position {int} PRIMARY KEY, entry {int} NOT NULL UNIQUE REFERENCES audit_log (no), hash {text} NOT NULL UNIQUE, sealed_at {int} NOT NULL
) {table};;
";

const RELEASES: &str = "
CREATE TABLE settlement_releases (
    program {text} NOT NULL REFERENCES programs (id), period {text} NOT NULL, released_by {text} NOT NULL REFERENCES users (id),
    released_at {int} NOT NULL, PRIMARY KEY (program, period)
) {table};;
CREATE TABLE settlement_holds (
    program {text} NOT NULL, partner {text} NOT NULL, period {text} NOT NULL, ordinal {int} NOT NULL,
    act {text} NOT NULL CHECK (act IN ('hold', 'unhold')), reason {text} NOT NULL, by_user {text} NOT NULL REFERENCES users (id), at {int} NOT NULL,
    PRIMARY KEY (program, partner, period, ordinal), FOREIGN KEY (program, partner) REFERENCES memberships (program, partner)
) {table};;
";

const PAYOUTS: &str = "
CREATE TABLE payout_switch (
    id {int} PRIMARY KEY CHECK (id = 1), paused {int} NOT NULL CHECK (paused IN (0, 1)), reason {text}, by_user {text} REFERENCES users (id), at {int}
) {table};;
INSERT INTO payout_switch (id, paused) VALUES (1, 0);;
CREATE TABLE payout_destinations (
    id {text} PRIMARY KEY, partner {text} NOT NULL REFERENCES partners (id), currency {text} NOT NULL, account {text} NOT NULL, digest {text} NOT NULL,
    added_by {text} NOT NULL REFERENCES users (id), added_at {int} NOT NULL, approved_by {text} REFERENCES users (id), approved_at {int},
    usable_from {int}, superseded_at {int}, CHECK (approved_by IS NULL OR approved_by <> added_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL) AND (approved_by IS NULL) = (usable_from IS NULL)), CHECK (usable_from >= approved_at),
    UNIQUE (id, partner, currency)
) {table};;
CREATE UNIQUE INDEX payout_destinations_in_force ON payout_destinations (partner, currency) WHERE approved_at IS NOT NULL AND superseded_at IS NULL;;
CREATE UNIQUE INDEX payout_destinations_waiting ON payout_destinations (partner, currency) WHERE approved_at IS NULL AND superseded_at IS NULL;;
CREATE TABLE payouts (
    id {text} PRIMARY KEY, kind {text} NOT NULL CHECK (kind IN ('settlement', 'mdf_claim')), reference {text} NOT NULL, program {text} NOT NULL,
    partner {text} NOT NULL, period {text}, amount_minor {int} NOT NULL CHECK (amount_minor > 0), currency {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('intended', 'held', 'requested', 'unknown', 'paid', 'failed')), reason {text},
    destination {text}, destination_digest {text}, idempotency_key {text} NOT NULL UNIQUE, request {text}, request_digest {text},
    attempts {int} NOT NULL DEFAULT 0 CHECK (attempts >= 0), provider {text}, provider_id {text}, retried_from {text} UNIQUE REFERENCES payouts (id),
    workflow {text}, counted_on {text}, released_by {text} REFERENCES users (id), intended_at {int} NOT NULL, requested_at {int}, ended_at {int},
    revision {int} NOT NULL, CHECK ((kind = 'settlement') = (period IS NOT NULL)), CHECK (status <> 'held' OR reason IS NOT NULL),
    CHECK ((request IS NULL) = (destination IS NULL) AND (request IS NULL) = (request_digest IS NULL) AND (request IS NULL) = (destination_digest IS NULL)),
    CHECK (status = 'held' OR (request IS NOT NULL AND counted_on IS NOT NULL)),
    CHECK (status NOT IN ('requested', 'unknown', 'paid') OR requested_at IS NOT NULL), CHECK (status NOT IN ('intended', 'held') OR requested_at IS NULL),
    CHECK ((status IN ('paid', 'failed')) = (ended_at IS NOT NULL)), CHECK (retried_from IS NULL OR retried_from <> id),
    FOREIGN KEY (program, partner) REFERENCES memberships (program, partner),
    FOREIGN KEY (program, partner, currency, period) REFERENCES settlements (program, partner, currency, period),
    FOREIGN KEY (destination, partner, currency) REFERENCES payout_destinations (id, partner, currency)
) {table};;
CREATE UNIQUE INDEX payouts_live ON payouts (kind, reference) WHERE status <> 'failed';;
CREATE UNIQUE INDEX payouts_live_of_settlement ON payouts (program, partner, period, currency) WHERE status <> 'failed' AND kind = 'settlement';;
CREATE UNIQUE INDEX payouts_first ON payouts (kind, reference) WHERE retried_from IS NULL;;
CREATE UNIQUE INDEX payouts_of_provider ON payouts (provider, provider_id) WHERE provider_id IS NOT NULL;;
CREATE INDEX payouts_of_settlement ON payouts (program, period, partner) WHERE kind = 'settlement';;
CREATE INDEX payouts_unfinished ON payouts (status, intended_at) WHERE status IN ('intended', 'held', 'requested', 'unknown');;
CREATE INDEX payouts_of_day ON payouts (counted_on, currency, partner) WHERE counted_on IS NOT NULL;;
CREATE TABLE inbound_events (
    provider {text} NOT NULL, event {text} NOT NULL, body_digest {text} NOT NULL, payout {text} NOT NULL, word {text} NOT NULL, provider_id {text},
    told_reason {text}, state {text} NOT NULL CHECK (state IN ('applied', 'parked', 'ignored')), effect {text} NOT NULL, answer {text} NOT NULL,
    received_at {int} NOT NULL, applied_at {int}, retries {int} NOT NULL DEFAULT 0, PRIMARY KEY (provider, event),
    CHECK ((state = 'applied') = (applied_at IS NOT NULL))
) {table};;
CREATE INDEX inbound_events_parked ON inbound_events (received_at) WHERE state = 'parked';;
CREATE TABLE payout_events (
    payout {text} NOT NULL REFERENCES payouts (id), ordinal {int} NOT NULL, at {int} NOT NULL,
    source {text} NOT NULL CHECK (source IN ('ours', 'answer', 'webhook', 'look_up', 'person')), word {text} NOT NULL,
    ruling {text} NOT NULL CHECK (ruling IN ('moved', 'confirmed', 'stale', 'contradicted')), status_before {text}, status_after {text} NOT NULL,
    reason {text}, provider {text}, provider_id {text}, event {text}, by_user {text} REFERENCES users (id), PRIMARY KEY (payout, ordinal),
    FOREIGN KEY (provider, event) REFERENCES inbound_events (provider, event)
) {table};;
CREATE UNIQUE INDEX payout_events_of_inbound ON payout_events (provider, event) WHERE event IS NOT NULL;;
CREATE INDEX payout_events_contradicted ON payout_events (at) WHERE ruling = 'contradicted';;
";

/// Tables whose rows tell what happened.
const HISTORY: [(&str, &str); 5] = [
    ("audit_log", "the audit log is never changed"),
    ("audit_seals", "a seal of the audit log is never changed"),
    ("settlement_releases", "a release is never taken back; hold the settlement"),
    ("settlement_holds", "the history of holds is never changed"),
    ("payout_events", "the history of payouts is never changed"),
];

/// Tables whose rows stay, with the changes that are refused.
const GUARDED: [(&str, &str, &str); 4] = [
    (
        "payouts",
        "OLD.id <> NEW.id OR OLD.kind <> NEW.kind OR OLD.reference <> NEW.reference OR OLD.program <> NEW.program OR OLD.partner <> NEW.partner \
         OR OLD.period IS DISTINCT FROM NEW.period OR OLD.amount_minor <> NEW.amount_minor OR OLD.currency <> NEW.currency \
         OR OLD.idempotency_key <> NEW.idempotency_key OR OLD.retried_from IS DISTINCT FROM NEW.retried_from \
         OR OLD.intended_at <> NEW.intended_at OR NEW.attempts < OLD.attempts OR NEW.revision <= OLD.revision \
         OR (OLD.requested_at IS NOT NULL AND OLD.requested_at IS DISTINCT FROM NEW.requested_at) \
         OR (OLD.request IS NOT NULL AND (OLD.request IS DISTINCT FROM NEW.request OR OLD.request_digest IS DISTINCT FROM NEW.request_digest \
           OR OLD.destination IS DISTINCT FROM NEW.destination OR OLD.destination_digest IS DISTINCT FROM NEW.destination_digest)) \
         OR (OLD.status IN ('requested', 'unknown') AND NEW.status IN ('intended', 'held')) OR (OLD.status = 'paid' AND NEW.status NOT IN ('paid', 'failed')) \
         OR (OLD.status = 'failed' AND NEW.status <> 'failed')",
        "what a payout is, what was sent and how it ended never changes",
    ),
    (
        "payout_destinations",
        "OLD.id <> NEW.id OR OLD.partner <> NEW.partner OR OLD.currency <> NEW.currency OR OLD.account <> NEW.account OR OLD.digest <> NEW.digest \
         OR OLD.added_by <> NEW.added_by OR OLD.added_at <> NEW.added_at OR OLD.superseded_at IS NOT NULL \
         OR (OLD.approved_at IS NOT NULL AND (OLD.approved_by IS DISTINCT FROM NEW.approved_by OR OLD.approved_at IS DISTINCT FROM NEW.approved_at \
           OR OLD.usable_from IS DISTINCT FROM NEW.usable_from))",
        "a destination never changes; add another",
    ),
    (
        "inbound_events",
        "OLD.state <> 'parked' OR OLD.provider <> NEW.provider OR OLD.event <> NEW.event OR OLD.body_digest <> NEW.body_digest \
         OR OLD.payout <> NEW.payout OR OLD.word <> NEW.word OR OLD.provider_id IS DISTINCT FROM NEW.provider_id OR OLD.answer <> NEW.answer \
         OR OLD.received_at <> NEW.received_at OR NEW.retries < OLD.retries",
        "an event keeps what it said and how it was answered",
    ),
    (
        "users",
        "OLD.id <> NEW.id OR OLD.added_at <> NEW.added_at OR OLD.disabled_at IS NOT NULL",
        "a user is never deleted or enabled again; add another",
    ),
];
