//! The tables of the durable-execution engine: runs with their journals, signals and timelines, the nodes that hold leases, schedules
//! with their slots, and the outbox. They know nothing of this product's domain.
//!
//! `run_steps` has no foreign key: a step is only ever inserted by a statement that selects its run under a lock, and the check of a
//! key would cost each step a second look at the same row. No old data moves.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, DURABLE).await
    }
}

const DURABLE: &str = "
CREATE TABLE engine_nodes (
    name {text} PRIMARY KEY, generation {int} NOT NULL, lease_until {int} NOT NULL, started_at {int} NOT NULL
) {table};;
CREATE TABLE workflow_runs (
    id {text} PRIMARY KEY, workflow {text} NOT NULL, key {text} NOT NULL, version {int} NOT NULL CHECK (version >= 1),
    status {text} NOT NULL CHECK (status IN ('ready', 'running', 'waiting', 'paused', 'parked', 'needs_review', 'done', 'failed', 'cancelled')),
    epoch {int} NOT NULL DEFAULT 0, input {text} NOT NULL, output {text}, error {text},
    wake_at {int}, waiting_for {text}, awaits_run {text}, awaited {int} NOT NULL DEFAULT 0 CHECK (awaited IN (0, 1)),
    parent {text}, owner {text}, takes {int} NOT NULL DEFAULT 0, steps_seen {int} NOT NULL DEFAULT 0,
    cancelling {int} NOT NULL DEFAULT 0 CHECK (cancelling IN (0, 1)), status_by {text}, status_reason {text},
    created_at {int} NOT NULL, started_at {int}, finished_at {int}, swept_at {int},
    UNIQUE (workflow, key),
    CHECK ((status = 'running') = (owner IS NOT NULL)),
    CHECK ((status IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (status <> 'ready' OR wake_at IS NOT NULL),
    CHECK (status <> 'waiting' OR waiting_for IS NOT NULL)
) {table};;
CREATE INDEX runs_due ON workflow_runs (wake_at) WHERE status IN ('ready', 'waiting') AND wake_at IS NOT NULL;;
CREATE INDEX runs_held ON workflow_runs (owner) WHERE status = 'running';;
CREATE INDEX runs_awaiting ON workflow_runs (awaits_run) WHERE awaits_run IS NOT NULL;;
CREATE INDEX runs_stopped ON workflow_runs (status) WHERE status IN ('paused', 'parked', 'needs_review');;
CREATE INDEX runs_finished ON workflow_runs (finished_at) WHERE finished_at IS NOT NULL AND swept_at IS NULL;;
CREATE TABLE run_steps (
    run {text} NOT NULL, ordinal {int} NOT NULL CHECK (ordinal >= 1), name {text} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('tx', 'step', 'now', 'random', 'sleep', 'signal', 'start', 'join', 'version')),
    attempt {int} NOT NULL CHECK (attempt >= 0), outcome {text} NOT NULL CHECK (outcome IN ('intent', 'retrying', 'waiting', 'done', 'unknown', 'failed')),
    result {text}, error {text}, key {text}, request_digest {text}, begun_at {int} NOT NULL, ended_at {int},
    PRIMARY KEY (run, ordinal), UNIQUE (run, name)
) {keyed};;
CREATE TABLE run_signals (
    no {serial}, run {text} NOT NULL REFERENCES workflow_runs (id), name {text} NOT NULL, id {text} NOT NULL, payload {text} NOT NULL,
    sent_at {int} NOT NULL, consumed_at {int}, UNIQUE (run, name, id)
) {table};;
CREATE TABLE run_events (
    no {serial}, run {text} NOT NULL REFERENCES workflow_runs (id), at {int} NOT NULL, kind {text} NOT NULL, step {text}, attempt {int},
    by_whom {text}, detail {text}
) {table};;
CREATE INDEX events_of_run ON run_events (run, no);;
CREATE TABLE schedules (
    id {text} PRIMARY KEY, expression {text} NOT NULL, zone {text} NOT NULL, workflow {text} NOT NULL,
    in_turn {int} NOT NULL CHECK (in_turn IN (0, 1)), paused {int} NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)), paused_by {text}, paused_reason {text},
    created_at {int} NOT NULL, rules_from {int} NOT NULL, looked_until {text} NOT NULL
) {table};;
CREATE TABLE schedule_slots (
    schedule {text} NOT NULL REFERENCES schedules (id), slot {text} NOT NULL, due_at {int} NOT NULL, state {text} NOT NULL CHECK (state IN ('started', 'missed')),
    run {text}, reason {text}, by_whom {text}, decided_at {int} NOT NULL, PRIMARY KEY (schedule, slot),
    CHECK ((state = 'started') = (run IS NOT NULL)), CHECK (state <> 'missed' OR reason IS NOT NULL)
) {keyed};;
CREATE TABLE outbox (
    id {text} PRIMARY KEY, topic {text} NOT NULL, key {text} NOT NULL, body {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('pending', 'sending', 'sent', 'parked', 'bounced')),
    attempts {int} NOT NULL DEFAULT 0, next_at {int}, error {text}, owner {text}, lease_until {int}, epoch {int} NOT NULL DEFAULT 0,
    created_at {int} NOT NULL, ended_at {int},
    UNIQUE (topic, key), CHECK ((status = 'sending') = (owner IS NOT NULL)), CHECK (status <> 'pending' OR next_at IS NOT NULL)
) {table};;
CREATE INDEX outbox_due ON outbox (topic, next_at) WHERE status = 'pending';;
CREATE INDEX outbox_sending ON outbox (topic, lease_until) WHERE status = 'sending';;
";
