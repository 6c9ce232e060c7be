//! Messages of providers, of those who decide and with facts: one effect each, and none about something that nobody knows (invariants 19 and 25).

use super::finding::Invariant;
use super::finding::Invariant::{OneEffect, ReportedKnown};
use super::scan::Scan;
use crate::load::row::LoadError;

const MESSAGE: &[&str] = &["provider", "event", "payout"];
const TOLD: &[&str] = &["source", "event", "type"];

/// A query, what its columns are called, and what is wrong with its rows.
type Rule = (Invariant, &'static str, &'static [&'static str], &'static str);

const RULES: [Rule; 11] = [
    (
        ReportedKnown,
        "SELECT i.provider, i.event, i.payout FROM inbound_events i WHERE i.state = 'applied' AND NOT EXISTS (SELECT 1 FROM payouts p WHERE p.id = i.payout) \
         ORDER BY 1, 2",
        MESSAGE,
        "the message is applied, and its payout is not there",
    ),
    (
        ReportedKnown,
        "SELECT i.provider, i.event, i.payout FROM inbound_events i WHERE i.state = 'ignored' AND i.word <> '' ORDER BY 1, 2",
        MESSAGE,
        "the message is about a payout and is ignored",
    ),
    (
        ReportedKnown,
        "SELECT provider, provider_id, COUNT(*) FROM payouts WHERE provider_id IS NOT NULL GROUP BY provider, provider_id HAVING COUNT(*) > 1 ORDER BY 1, 2",
        &["provider", "provider_id", "payouts"],
        "the provider's object is that of several payouts",
    ),
    (
        OneEffect,
        "SELECT i.provider, i.event, i.payout FROM inbound_events i WHERE i.state = 'applied' AND (SELECT COUNT(*) FROM payout_events e \
           WHERE e.provider = i.provider AND e.event = i.event AND e.payout = i.payout AND e.ruling = i.effect) <> 1 ORDER BY 1, 2",
        MESSAGE,
        "the message is applied, and has not one effect",
    ),
    (
        OneEffect,
        "SELECT e.provider, e.event, MIN(e.payout) FROM payout_events e WHERE e.event IS NOT NULL GROUP BY e.provider, e.event \
         HAVING COUNT(*) > 1 OR NOT EXISTS (SELECT 1 FROM inbound_events i WHERE i.provider = e.provider AND i.event = e.event AND i.state = 'applied') \
         ORDER BY 1, 2",
        MESSAGE,
        "the message has effects and was not applied once",
    ),
    (
        OneEffect,
        "SELECT provider, event, MIN(payout) FROM inbound_events GROUP BY provider, event HAVING COUNT(*) > 1 ORDER BY 1, 2",
        MESSAGE,
        "the message is recorded more than once",
    ),
    (
        OneEffect,
        "SELECT f.source, f.event, f.what FROM fact_events f WHERE f.seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM recordings r \
           WHERE r.seq = f.seq AND r.origin LIKE 'webhook:%' AND (f.kind IS NULL OR r.kind = f.kind)) ORDER BY 1, 2",
        TOLD,
        "the message has recorded facts, and no recording is its",
    ),
    (
        OneEffect,
        "SELECT r.origin, r.kind, r.seq FROM recordings r WHERE (r.origin LIKE 'webhook:facts/%' OR r.origin LIKE 'webhook:stripe/%') AND NOT EXISTS (SELECT 1 FROM fact_events f WHERE f.seq = r.seq) \
         ORDER BY 3",
        &["origin", "kind", "seq"],
        "facts are recorded that came by webhook, and no message brought them",
    ),
    (
        OneEffect,
        "SELECT source, event, MIN(what) FROM fact_events GROUP BY source, event HAVING COUNT(*) > 1 ORDER BY 1, 2",
        TOLD,
        "the message is recorded more than once",
    ),
    (
        OneEffect,
        "SELECT d.claim, d.round, d.ordinal FROM claim_decisions d WHERE d.via = 'webhook' AND (SELECT COUNT(*) FROM decision_events e \
           WHERE e.claim = d.claim AND e.round = d.round AND e.ordinal = d.ordinal) <> 1 ORDER BY 1, 2, 3",
        &["claim", "round", "step"],
        "the decision came by a message, and not one message is known for it",
    ),
    (
        OneEffect,
        "SELECT e.event, e.claim, e.person FROM decision_events e WHERE e.outcome = 'decided' AND NOT EXISTS (SELECT 1 FROM claim_decisions d \
           WHERE d.claim = e.claim AND d.round = e.round AND d.ordinal = e.ordinal AND d.person = e.person AND d.via = 'webhook') ORDER BY 1",
        &["event", "claim", "person"],
        "the message counted, and its decision is not there",
    ),
];

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (invariant, query, keys, what) in RULES {
        scan.offending(invariant, query, keys, what).await?;
    }
    Ok(())
}
