//! Campaigns, claims and their approvals; and what the page of approvals needs (domain.md §6.3–6.5; interface.md §5).
//!
//! No old data moves: claims begin with this step. What a round asked for, what was decided and what was held are never changed; of claims,
//! campaigns and steps the triggers let only that change which may. Of the order of approvals the keys of `claim_decisions` hold that each
//! follows an approval, that nobody decides twice in a round and that nobody decides about a claim that the person submitted.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CLAIMS).await?;
        dialect::run(manager, APPROVALS).await?;
        dialect::run(manager, PAGE).await?;
        for (table, reason) in HISTORY {
            dialect::refuse_changes(manager, table, "TRUE", reason).await?;
        }
        for (table, condition, reason) in GUARDED {
            dialect::guard(manager, table, condition, reason).await?;
        }
        Ok(())
    }
}

const CLAIMS: &str = "
CREATE TABLE campaigns (
    id {text} PRIMARY KEY, program {text} NOT NULL, partner {text} NOT NULL, name {text} NOT NULL, currency {text} NOT NULL,
    budget_minor {int} NOT NULL CHECK (budget_minor > 0), committed_minor {int} NOT NULL DEFAULT 0 CHECK (committed_minor >= 0),
    from_on {text} NOT NULL, through_on {text} NOT NULL, cost_share {text},
    status {text} NOT NULL CHECK (status IN ('requested', 'approved', 'rejected', 'closed')), requested_by {text} NOT NULL REFERENCES users (id),
    requested_at {int} NOT NULL, decided_by {text} REFERENCES users (id), decided_at {int}, revision {int} NOT NULL,
    CHECK (from_on <= through_on), CHECK (committed_minor <= budget_minor), CHECK (decided_by IS NULL OR decided_by <> requested_by),
    CHECK ((status = 'requested') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)), UNIQUE (id, program, partner, currency),
    FOREIGN KEY (program, partner) REFERENCES memberships (program, partner)
) {table};;
CREATE INDEX campaigns_of_partner ON campaigns (partner, program);;
CREATE TABLE campaign_acts (
    campaign {text} NOT NULL REFERENCES campaigns (id), ordinal {int} NOT NULL CHECK (ordinal >= 1),
    act {text} NOT NULL CHECK (act IN ('requested', 'approved', 'rejected', 'closed')), by_user {text} NOT NULL REFERENCES users (id), at {int} NOT NULL,
    reason {text}, PRIMARY KEY (campaign, ordinal), CHECK ((act = 'requested') = (ordinal = 1))
) {keyed};;
CREATE TABLE claims (
    id {text} PRIMARY KEY, campaign {text} NOT NULL, program {text} NOT NULL, partner {text} NOT NULL, currency {text} NOT NULL,
    receipts_minor {int} NOT NULL CHECK (receipts_minor > 0), asked_minor {int} NOT NULL CHECK (asked_minor > 0),
    amount_minor {int} NOT NULL CHECK (amount_minor > 0),
    status {text} NOT NULL CHECK (status IN ('submitted', 'awaiting_approval', 'approved', 'paying', 'paid', 'rejected', 'cancelled', 'expired', 'failed')),
    round {int} NOT NULL CHECK (round >= 1), submitted_by {text} NOT NULL REFERENCES users (id), submitted_at {int} NOT NULL, workflow {text},
    reason {text}, revision {int} NOT NULL, CHECK (asked_minor <= receipts_minor AND amount_minor <= asked_minor),
    CHECK (status NOT IN ('rejected', 'cancelled', 'expired', 'failed') OR reason IS NOT NULL), UNIQUE (id, submitted_by),
    FOREIGN KEY (campaign, program, partner, currency) REFERENCES campaigns (id, program, partner, currency)
) {table};;
CREATE INDEX claims_of_campaign ON claims (campaign);;
CREATE INDEX claims_of_partner ON claims (partner, currency, status);;
CREATE INDEX claims_of_workflow ON claims (workflow) WHERE workflow IS NOT NULL;;
CREATE TABLE claim_moves (
    claim {text} NOT NULL REFERENCES claims (id), ordinal {int} NOT NULL CHECK (ordinal >= 1),
    act {text} NOT NULL CHECK (act IN ('held', 'released', 'captured')), amount_minor {int} NOT NULL CHECK (amount_minor > 0),
    posted {text} NOT NULL UNIQUE REFERENCES transactions (id), at {int} NOT NULL, PRIMARY KEY (claim, ordinal)
) {keyed};;
CREATE UNIQUE INDEX claim_moves_captured ON claim_moves (claim) WHERE act = 'captured';;
";

const APPROVALS: &str = "
CREATE TABLE claim_rounds (
    claim {text} NOT NULL REFERENCES claims (id), round {int} NOT NULL CHECK (round >= 1),
    cause {text} NOT NULL CHECK (cause IN ('submitted', 'resubmitted', 'documents', 'destination')), begun_by {text} REFERENCES users (id),
    begun_at {int} NOT NULL, version {int} NOT NULL, receipts_minor {int} NOT NULL CHECK (receipts_minor > 0),
    asked_minor {int} NOT NULL CHECK (asked_minor > 0), amount_minor {int} NOT NULL CHECK (amount_minor > 0), destination {text}, digest {text} NOT NULL,
    PRIMARY KEY (claim, round), CHECK ((cause = 'submitted') = (round = 1)), CHECK ((cause = 'destination') = (begun_by IS NULL)),
    CHECK (asked_minor <= receipts_minor AND amount_minor <= asked_minor)
) {keyed};;
CREATE TABLE claim_steps (
    claim {text} NOT NULL, round {int} NOT NULL, ordinal {int} NOT NULL CHECK (ordinal >= 1), role {text} NOT NULL, within_s {int}, remind_every_s {int},
    escalate_to {text}, status {text} NOT NULL CHECK (status IN ('pending', 'waiting', 'approved', 'rejected', 'expired', 'void')), opened_at {int},
    due_at {int}, escalated_at {int}, reminders {int} NOT NULL DEFAULT 0 CHECK (reminders >= 0), reminded_at {int},
    PRIMARY KEY (claim, round, ordinal), UNIQUE (claim, round, role), FOREIGN KEY (claim, round) REFERENCES claim_rounds (claim, round),
    CHECK (status <> 'pending' OR opened_at IS NULL), CHECK (status IN ('pending', 'void') OR opened_at IS NOT NULL),
    CHECK (escalated_at IS NULL OR escalate_to IS NOT NULL), CHECK ((within_s IS NULL OR opened_at IS NULL) = (due_at IS NULL))
) {keyed};;
CREATE UNIQUE INDEX claim_steps_waiting ON claim_steps (claim) WHERE status = 'waiting';;
CREATE TABLE claim_decisions (
    claim {text} NOT NULL, round {int} NOT NULL, ordinal {int} NOT NULL, decision {text} NOT NULL CHECK (decision IN ('approve', 'reject')),
    person {text} NOT NULL REFERENCES users (id), role {text} NOT NULL, submitted_by {text} NOT NULL, shown_minor {int} NOT NULL,
    amount_minor {int} NOT NULL CHECK (amount_minor > 0), digest {text} NOT NULL, reason {text},
    via {text} NOT NULL CHECK (via IN ('command', 'page', 'webhook', 'api')), at {int} NOT NULL, previous {int}, previous_decision {text},
    PRIMARY KEY (claim, round, ordinal), UNIQUE (claim, round, person), UNIQUE (claim, round, ordinal, decision),
    CHECK (amount_minor <= shown_minor), CHECK (person <> submitted_by), CHECK (decision = 'approve' OR reason IS NOT NULL),
    CHECK ((ordinal = 1) = (previous IS NULL) AND (ordinal = 1) = (previous_decision IS NULL)), CHECK (previous = ordinal - 1),
    CHECK (previous_decision = 'approve'), FOREIGN KEY (claim, round, ordinal) REFERENCES claim_steps (claim, round, ordinal),
    FOREIGN KEY (claim, submitted_by) REFERENCES claims (id, submitted_by),
    FOREIGN KEY (claim, round, previous, previous_decision) REFERENCES claim_decisions (claim, round, ordinal, decision)
) {table};;
CREATE TABLE claim_proofs (
    claim {text} NOT NULL REFERENCES claims (id), sha256 {text} NOT NULL, name {text} NOT NULL, media_type {text} NOT NULL,
    bytes {int} NOT NULL CHECK (bytes > 0), round {int} NOT NULL CHECK (round >= 1), by_user {text} NOT NULL REFERENCES users (id), at {int} NOT NULL,
    PRIMARY KEY (claim, sha256)
) {keyed};;
";

const PAGE: &str = "
CREATE TABLE approval_codes (
    id {text} PRIMARY KEY, person {text} NOT NULL REFERENCES users (id), claim {text} NOT NULL REFERENCES claims (id), code_digest {text} NOT NULL,
    created_at {int} NOT NULL, expires_at {int} NOT NULL, tries {int} NOT NULL DEFAULT 0 CHECK (tries >= 0), used_at {int}, CHECK (expires_at > created_at)
) {table};;
CREATE INDEX approval_codes_of_person ON approval_codes (person, created_at);;
CREATE TABLE approval_sessions (
    token_digest {text} PRIMARY KEY, person {text} NOT NULL REFERENCES users (id), csrf_digest {text} NOT NULL, created_at {int} NOT NULL,
    expires_at {int} NOT NULL, CHECK (expires_at > created_at)
) {table};;
CREATE INDEX approval_sessions_by_end ON approval_sessions (expires_at);;
";

/// Tables whose rows tell what happened.
const HISTORY: [(&str, &str); 5] = [
    ("campaign_acts", "the history of campaigns is never changed"),
    ("claim_moves", "what a claim held and captured is never changed"),
    ("claim_rounds", "what a round asked for is never changed; begin another"),
    ("claim_decisions", "a decision is never changed"),
    ("claim_proofs", "a proof is never changed; add another"),
];

/// Tables whose rows stay, with the changes that are refused.
const GUARDED: [(&str, &str, &str); 3] = [
    (
        "campaigns",
        "OLD.id <> NEW.id OR OLD.program <> NEW.program OR OLD.partner <> NEW.partner OR OLD.name <> NEW.name OR OLD.currency <> NEW.currency \
         OR OLD.budget_minor <> NEW.budget_minor OR OLD.from_on <> NEW.from_on OR OLD.through_on <> NEW.through_on \
         OR OLD.cost_share IS DISTINCT FROM NEW.cost_share OR OLD.requested_by <> NEW.requested_by OR OLD.requested_at <> NEW.requested_at \
         OR (OLD.decided_by IS NOT NULL AND (OLD.decided_by IS DISTINCT FROM NEW.decided_by OR OLD.decided_at IS DISTINCT FROM NEW.decided_at)) \
         OR NEW.revision <= OLD.revision OR (OLD.status <> NEW.status AND NOT (OLD.status = 'requested' AND NEW.status IN ('approved', 'rejected')) \
           AND NOT (OLD.status = 'approved' AND NEW.status = 'closed'))",
        "what a campaign is never changes; add another",
    ),
    (
        "claims",
        "OLD.id <> NEW.id OR OLD.campaign <> NEW.campaign OR OLD.program <> NEW.program OR OLD.partner <> NEW.partner OR OLD.currency <> NEW.currency \
         OR OLD.submitted_by <> NEW.submitted_by OR OLD.submitted_at <> NEW.submitted_at OR NEW.revision <= OLD.revision OR NEW.round < OLD.round \
         OR NEW.round > OLD.round + 1 OR OLD.status IN ('cancelled', 'expired', 'failed') \
         OR (OLD.round = NEW.round AND (OLD.receipts_minor <> NEW.receipts_minor OR OLD.asked_minor <> NEW.asked_minor OR NEW.amount_minor > OLD.amount_minor)) \
         OR (OLD.status IN ('approved', 'paying', 'paid') AND OLD.amount_minor <> NEW.amount_minor) \
         OR (OLD.status IN ('paying', 'paid') AND (OLD.round <> NEW.round OR OLD.workflow IS DISTINCT FROM NEW.workflow)) \
         OR (OLD.status <> NEW.status AND NOT (OLD.status = 'submitted' AND NEW.status IN ('awaiting_approval', 'approved', 'cancelled')) \
           AND NOT (OLD.status = 'awaiting_approval' AND NEW.status IN ('approved', 'rejected', 'cancelled', 'expired')) \
           AND NOT (OLD.status = 'approved' AND NEW.status IN ('paying', 'cancelled')) \
           AND NOT (OLD.status = 'approved' AND NEW.status = 'awaiting_approval' AND NEW.round = OLD.round + 1) \
           AND NOT (OLD.status = 'paying' AND NEW.status IN ('paid', 'failed')) AND NOT (OLD.status = 'paid' AND NEW.status = 'failed') \
           AND NOT (OLD.status = 'rejected' AND NEW.status = 'submitted' AND NEW.round = OLD.round + 1))",
        "what a claim is and how it ended never changes",
    ),
    (
        "claim_steps",
        "OLD.claim <> NEW.claim OR OLD.round <> NEW.round OR OLD.ordinal <> NEW.ordinal OR OLD.role <> NEW.role \
         OR OLD.within_s IS DISTINCT FROM NEW.within_s OR OLD.remind_every_s IS DISTINCT FROM NEW.remind_every_s \
         OR OLD.escalate_to IS DISTINCT FROM NEW.escalate_to OR NEW.reminders < OLD.reminders \
         OR (OLD.opened_at IS NOT NULL AND OLD.opened_at IS DISTINCT FROM NEW.opened_at) \
         OR (OLD.escalated_at IS NOT NULL AND OLD.escalated_at IS DISTINCT FROM NEW.escalated_at) \
         OR (OLD.due_at IS DISTINCT FROM NEW.due_at AND OLD.due_at IS NOT NULL AND OLD.escalated_at IS NOT DISTINCT FROM NEW.escalated_at) \
         OR OLD.status IN ('approved', 'rejected', 'expired', 'void') \
         OR (OLD.status = 'waiting' AND NEW.status = 'pending') OR (OLD.status = 'pending' AND NEW.status NOT IN ('pending', 'waiting', 'void'))",
        "a step keeps what it asks, and a decided one stays so",
    ),
];
