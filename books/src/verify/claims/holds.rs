//! What claims hold, release and capture, against their rows, the ledger, the lots, their wallets and budgets (invariants 5 and 22).

use super::super::finding::Invariant::{HoldEndsOnce, WithinLimits};
use super::Rule;

pub(super) const RULES: [Rule; 11] = [
    (
        HoldEndsOnce,
        "SELECT c.id, c.status, c.amount_minor, m.held_minor, m.released_minor, m.captured_minor FROM claims c LEFT JOIN \
           (SELECT claim, CAST(SUM(CASE WHEN act = 'held' THEN amount_minor ELSE 0 END) AS BIGINT) AS held_minor, \
             CAST(SUM(CASE WHEN act = 'released' THEN amount_minor ELSE 0 END) AS BIGINT) AS released_minor, \
             CAST(SUM(CASE WHEN act = 'captured' THEN amount_minor ELSE 0 END) AS BIGINT) AS captured_minor FROM claim_moves GROUP BY claim) m ON m.claim = c.id \
         WHERE COALESCE(m.held_minor - m.released_minor - m.captured_minor, 0) <> \
             CASE WHEN c.status IN ('submitted', 'awaiting_approval', 'approved') THEN c.amount_minor ELSE 0 END \
           OR COALESCE(m.captured_minor, 0) <> CASE WHEN c.status IN ('paying', 'paid', 'failed') THEN c.amount_minor ELSE 0 END ORDER BY 1",
        &["claim", "status", "amount_minor", "held_minor", "released_minor", "captured_minor"],
        "what the claim holds or captured is not what its status and amount say",
    ),
    (
        HoldEndsOnce,
        "SELECT w.program, w.partner, w.currency, w.held_minor, h.claims_minor FROM wallets w LEFT JOIN \
           (SELECT program, partner, currency, CAST(SUM(amount_minor) AS BIGINT) AS claims_minor FROM claims \
            WHERE status IN ('submitted', 'awaiting_approval', 'approved') GROUP BY program, partner, currency) h \
           ON h.program = w.program AND h.partner = w.partner AND h.currency = w.currency \
         WHERE w.held_minor <> COALESCE(h.claims_minor, 0) ORDER BY 1, 2, 3",
        &["program", "partner", "currency", "held_minor", "claims_minor"],
        "what the wallet holds is not what its claims ask for",
    ),
    (
        HoldEndsOnce,
        "SELECT c.program, c.partner, c.currency, c.id FROM claims c WHERE NOT EXISTS (SELECT 1 FROM wallets w WHERE w.program = c.program \
           AND w.partner = c.partner AND w.currency = c.currency) ORDER BY 1, 2, 3, 4",
        &["program", "partner", "currency", "claim"],
        "a claim on a wallet that is not there",
    ),
    (
        HoldEndsOnce,
        "SELECT m.claim, m.ordinal, m.act, m.amount_minor, t.kind FROM claim_moves m LEFT JOIN transactions t ON t.id = m.posted LEFT JOIN \
           (SELECT transaction_id, CAST(SUM(CASE WHEN account LIKE '%:coop' THEN amount_minor ELSE 0 END) AS BIGINT) AS coop_minor, \
              CAST(SUM(CASE WHEN account LIKE '%:coop-held' THEN amount_minor ELSE 0 END) AS BIGINT) AS held_minor, \
              CAST(SUM(CASE WHEN account = 'payouts:in-transit' THEN amount_minor ELSE 0 END) AS BIGINT) AS in_transit_minor \
            FROM postings GROUP BY transaction_id) p ON p.transaction_id = m.posted \
         WHERE t.id IS NULL OR t.kind <> 'claim_' || m.act \
           OR COALESCE(p.coop_minor, 0) <> m.amount_minor * CASE m.act WHEN 'held' THEN 1 WHEN 'released' THEN -1 ELSE 0 END \
           OR COALESCE(p.held_minor, 0) <> m.amount_minor * CASE m.act WHEN 'held' THEN -1 ELSE 1 END \
           OR COALESCE(p.in_transit_minor, 0) <> m.amount_minor * CASE m.act WHEN 'captured' THEN -1 ELSE 0 END ORDER BY 1, 2",
        &["claim", "ordinal", "act", "amount_minor", "transaction"],
        "the ledger does not say what the claim moved",
    ),
    (
        HoldEndsOnce,
        "SELECT t.id FROM transactions t WHERE t.kind IN ('claim_held', 'claim_released', 'claim_captured') \
         AND NOT EXISTS (SELECT 1 FROM claim_moves m WHERE m.posted = t.id) ORDER BY 1",
        &["transaction"],
        "the ledger moves a hold of no claim",
    ),
    (
        HoldEndsOnce,
        "SELECT c.id, c.status, c.amount_minor, d.drawn_minor FROM claims c LEFT JOIN (SELECT program, partner, currency, reference, \
           CAST(SUM(amount_minor) AS BIGINT) AS drawn_minor FROM lot_draws WHERE kind IN ('hold', 'release') GROUP BY program, partner, currency, reference) d \
           ON d.reference = c.id AND d.program = c.program AND d.partner = c.partner AND d.currency = c.currency \
         WHERE COALESCE(d.drawn_minor, 0) <> \
           CASE WHEN c.status IN ('submitted', 'awaiting_approval', 'approved', 'paying', 'paid') THEN c.amount_minor ELSE 0 END ORDER BY 1",
        &["claim", "status", "amount_minor", "drawn_minor"],
        "what is drawn of lots for the claim is not what it holds or captured",
    ),
    (
        HoldEndsOnce,
        "SELECT DISTINCT d.program, d.partner, d.currency, d.reference FROM lot_draws d WHERE d.kind IN ('hold', 'release') AND NOT EXISTS \
           (SELECT 1 FROM claims c WHERE c.id = d.reference AND c.program = d.program AND c.partner = d.partner AND c.currency = d.currency) ORDER BY 1, 2, 3, 4",
        &["program", "partner", "currency", "reference"],
        "a hold of no claim on a lot",
    ),
    (
        WithinLimits,
        "SELECT m.claim, m.amount_minor, d.amount_minor FROM claim_moves m JOIN claims c ON c.id = m.claim LEFT JOIN claim_decisions d ON d.claim = c.id \
           AND d.round = c.round AND d.ordinal = (SELECT MAX(l.ordinal) FROM claim_decisions l WHERE l.claim = c.id AND l.round = c.round) \
         WHERE m.act = 'captured' AND m.amount_minor > COALESCE(d.amount_minor, \
           (SELECT r.amount_minor FROM claim_rounds r WHERE r.claim = c.id AND r.round = c.round)) ORDER BY 1",
        &["claim", "captured_minor", "approved_minor"],
        "more is captured than was approved",
    ),
    (
        WithinLimits,
        "SELECT d.claim, d.round, d.ordinal, d.amount_minor, h.held_minor FROM claim_decisions d LEFT JOIN (SELECT claim, \
           CAST(SUM(amount_minor) AS BIGINT) AS held_minor FROM claim_moves WHERE act = 'held' GROUP BY claim) h ON h.claim = d.claim \
         WHERE d.amount_minor > COALESCE(h.held_minor, 0) ORDER BY 1, 2, 3",
        &["claim", "round", "step", "approved_minor", "held_minor"],
        "more is approved than was held",
    ),
    (
        WithinLimits,
        "SELECT g.id, g.budget_minor, g.committed_minor, u.used_minor FROM campaigns g LEFT JOIN (SELECT campaign, CAST(SUM(amount_minor) AS BIGINT) \
           AS used_minor FROM claims WHERE status IN ('submitted', 'awaiting_approval', 'approved', 'paying', 'paid') GROUP BY campaign) u \
           ON u.campaign = g.id WHERE COALESCE(u.used_minor, 0) > g.budget_minor OR COALESCE(u.used_minor, 0) <> g.committed_minor ORDER BY 1",
        &["campaign", "budget_minor", "committed_minor", "claims_minor"],
        "its claims are not what it has committed, or go over its budget",
    ),
    (
        WithinLimits,
        "SELECT p.id, p.reference, p.amount_minor, m.amount_minor FROM payouts p LEFT JOIN claim_moves m ON m.claim = p.reference AND m.act = 'captured' \
         WHERE p.kind = 'mdf_claim' AND (m.claim IS NULL OR m.amount_minor <> p.amount_minor) ORDER BY 1",
        &["payout", "claim", "amount_minor", "captured_minor"],
        "the payout is not of what its claim captured",
    ),
];
