//! Who approved claims and campaigns, in which order and when (invariant 20; domain.md §6.5).

use super::super::finding::Invariant::Entitled;
use super::Rule;

const DECISION: &[&str] = &["claim", "round", "step", "person"];

pub(super) const RULES: [Rule; 13] = [
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person, d.role FROM claim_decisions d JOIN claim_steps s ON s.claim = d.claim AND s.round = d.round \
           AND s.ordinal = d.ordinal WHERE d.role <> CASE WHEN s.escalated_at IS NOT NULL AND s.escalated_at <= d.at THEN s.escalate_to ELSE s.role END \
         ORDER BY 1, 2, 3",
        &["claim", "round", "step", "person", "role"],
        "the step was decided in a role that was not asked",
    ),
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person, d.role FROM claim_decisions d WHERE NOT EXISTS (SELECT 1 FROM user_roles r \
           WHERE r.person = d.person AND r.role = d.role) ORDER BY 1, 2, 3",
        &["claim", "round", "step", "person", "role"],
        "the person does not have the role",
    ),
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person FROM claim_decisions d JOIN users u ON u.id = d.person WHERE u.disabled_at < d.at ORDER BY 1, 2, 3",
        DECISION,
        "the person was disabled",
    ),
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person FROM claim_decisions d WHERE d.person IN (SELECT c.submitted_by FROM claims c WHERE c.id = d.claim \
           UNION SELECT r.begun_by FROM claim_rounds r WHERE r.claim = d.claim AND r.round <= d.round AND r.begun_by IS NOT NULL \
           UNION SELECT p.by_user FROM claim_proofs p WHERE p.claim = d.claim AND p.round <= d.round) ORDER BY 1, 2, 3",
        DECISION,
        "the person submitted the claim or added to it",
    ),
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person FROM claim_decisions d JOIN claims c ON c.id = d.claim JOIN users u ON u.id = d.person \
         WHERE u.partner = c.partner ORDER BY 1, 2, 3",
        DECISION,
        "the person belongs to the partner that the claim pays",
    ),
    (
        Entitled,
        "SELECT claim, round, person, COUNT(*) FROM claim_decisions GROUP BY claim, round, person HAVING COUNT(*) > 1 ORDER BY 1, 2, 3",
        &["claim", "round", "person", "decisions"],
        "one person decided more than one step of a round",
    ),
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person FROM claim_decisions d WHERE d.ordinal > 1 AND NOT EXISTS (SELECT 1 FROM claim_decisions b \
           WHERE b.claim = d.claim AND b.round = d.round AND b.ordinal = d.ordinal - 1 AND b.decision = 'approve' AND b.at <= d.at) ORDER BY 1, 2, 3",
        DECISION,
        "the step before it was not approved first",
    ),
    (
        Entitled,
        "SELECT d.claim, d.round, d.ordinal, d.person FROM claim_decisions d LEFT JOIN claim_steps s ON s.claim = d.claim AND s.round = d.round \
           AND s.ordinal = d.ordinal WHERE s.claim IS NULL OR s.opened_at IS NULL OR d.at < s.opened_at OR d.at >= s.due_at ORDER BY 1, 2, 3",
        DECISION,
        "the step was not asked then, or its time was over",
    ),
    (
        Entitled,
        "SELECT s.claim, s.round, s.ordinal, s.status FROM claim_steps s LEFT JOIN claim_decisions d ON d.claim = s.claim AND d.round = s.round \
           AND d.ordinal = s.ordinal WHERE (s.status = 'approved') <> (COALESCE(d.decision, '') = 'approve') \
           OR (s.status = 'rejected') <> (COALESCE(d.decision, '') = 'reject') ORDER BY 1, 2, 3",
        &["claim", "round", "step", "status"],
        "the step does not stand where its decision does",
    ),
    (
        Entitled,
        "SELECT c.id, c.status, c.round FROM claims c WHERE c.status IN ('approved', 'paying', 'paid', 'failed') AND EXISTS (SELECT 1 FROM claim_steps s \
           WHERE s.claim = c.id AND s.round = c.round AND s.status <> 'approved') ORDER BY 1",
        &["claim", "status", "round"],
        "a step of its route has not approved it",
    ),
    (
        Entitled,
        "SELECT c.id, c.status, c.round FROM claims c WHERE (c.status = 'awaiting_approval' AND NOT EXISTS (SELECT 1 FROM claim_steps s \
             WHERE s.claim = c.id AND s.round = c.round AND s.status = 'waiting')) \
           OR EXISTS (SELECT 1 FROM claim_steps s WHERE s.claim = c.id AND s.status = 'waiting' \
             AND (s.round <> c.round OR c.status NOT IN ('submitted', 'awaiting_approval'))) ORDER BY 1",
        &["claim", "status", "round"],
        "what waits is not the step of its round",
    ),
    (
        Entitled,
        "SELECT g.id, g.decided_by FROM campaigns g LEFT JOIN users u ON u.id = g.decided_by WHERE g.decided_by IS NOT NULL \
         AND (g.decided_by = g.requested_by OR u.id IS NULL OR u.partner = g.partner OR u.disabled_at < g.decided_at) ORDER BY 1",
        &["campaign", "person"],
        "who decided about the campaign asked for it, benefits or was disabled",
    ),
    (
        Entitled,
        "SELECT c.id, g.status, g.id FROM claims c JOIN campaigns g ON g.id = c.campaign WHERE g.status NOT IN ('approved', 'closed') \
           OR g.decided_at > c.submitted_at ORDER BY 1",
        &["claim", "status", "campaign"],
        "the campaign was not approved when the claim was submitted",
    ),
];
