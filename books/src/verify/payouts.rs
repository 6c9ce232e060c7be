//! Payouts against their history, their bytes, their settlements and the ledger (invariants 15–18; domain.md §7).

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::figures::decimal;
use super::finding::Invariant::{EndStays, IntentFirst, OnePayout, PaidEqualsCash};
use super::finding::{Invariant, row};
use super::scan::Scan;
use crate::load::row::{LoadError, Row, each_row};

/// A query, what its columns are called, and what is wrong with its rows.
type Rule = (Invariant, &'static str, &'static [&'static str], &'static str);

const RULES: [Rule; 12] = [
    (
        OnePayout,
        "SELECT kind, reference, COUNT(*) FROM payouts WHERE status <> 'failed' GROUP BY kind, reference HAVING COUNT(*) > 1 ORDER BY 1, 2",
        &["kind", "reference", "payouts"],
        "more than one payout has not failed",
    ),
    (
        OnePayout,
        "SELECT kind, reference, COUNT(*) FROM payouts WHERE retried_from IS NULL GROUP BY kind, reference HAVING COUNT(*) > 1 ORDER BY 1, 2",
        &["kind", "reference", "payouts"],
        "more than one first payout",
    ),
    (
        OnePayout,
        "SELECT idempotency_key, COUNT(*) FROM payouts GROUP BY idempotency_key HAVING COUNT(*) > 1 ORDER BY 1",
        &["key", "payouts"],
        "more than one payout under the key",
    ),
    (
        OnePayout,
        "SELECT retried_from, COUNT(*) FROM payouts WHERE retried_from IS NOT NULL GROUP BY retried_from HAVING COUNT(*) > 1 ORDER BY 1",
        &["payout", "retries"],
        "the payout was retried more than once",
    ),
    (
        OnePayout,
        "SELECT p.id, p.retried_from FROM payouts p LEFT JOIN payouts f ON f.id = p.retried_from WHERE p.retried_from IS NOT NULL \
         AND (f.id IS NULL OR f.status <> 'failed' OR f.kind <> p.kind OR f.reference <> p.reference OR f.amount_minor <> p.amount_minor) ORDER BY 1",
        &["payout", "retried_from"],
        "the payout before it is not a failed one of the same settlement",
    ),
    (
        OnePayout,
        "SELECT p.id, p.reference, p.amount_minor, s.cash_payout_minor FROM payouts p LEFT JOIN settlements s ON s.program = p.program \
           AND s.partner = p.partner AND s.period = p.period AND s.currency = p.currency WHERE p.kind = 'settlement' \
         AND (s.partner IS NULL OR s.cash_payout_minor <> p.amount_minor \
           OR p.reference <> s.program || '/' || s.period || '/' || s.partner || '/' || s.currency) ORDER BY 1",
        &["payout", "reference", "amount_minor", "settlement_minor"],
        "the payout is not what its settlement pays out",
    ),
    (
        IntentFirst,
        "SELECT p.id, p.status FROM payouts p WHERE p.requested_at IS NOT NULL AND (p.request IS NULL OR p.requested_at < p.intended_at OR NOT EXISTS \
           (SELECT 1 FROM payout_events i WHERE i.payout = p.id AND i.word = 'intended' AND i.status_after = 'intended' AND i.ordinal < \
             (SELECT MIN(r.ordinal) FROM payout_events r WHERE r.payout = p.id AND r.status_after IN ('requested', 'unknown', 'paid')))) ORDER BY 1",
        &["payout", "status"],
        "it was requested without an earlier intent",
    ),
    (
        IntentFirst,
        "SELECT t.id, p.status FROM transactions t JOIN payouts p ON p.id = SUBSTR(t.id, 8, 40) WHERE t.kind = 'payout_requested' \
         AND (p.requested_at IS NULL OR p.requested_at < p.intended_at) ORDER BY 1",
        &["transaction", "status"],
        "the ledger says that it was requested, the payout does not",
    ),
    (
        EndStays,
        "SELECT p.id, p.status FROM payouts p WHERE NOT EXISTS (SELECT 1 FROM payout_events e WHERE e.payout = p.id) ORDER BY 1",
        &["payout", "status"],
        "the payout has no history",
    ),
    (
        PaidEqualsCash,
        "SELECT currency, CAST(SUM(paid_minor) AS BIGINT), CAST(SUM(cash_minor) AS BIGINT) FROM \
           (SELECT currency, amount_minor AS paid_minor, 0 AS cash_minor FROM payouts WHERE status = 'paid' \
            UNION ALL SELECT currency, 0, -amount_minor FROM postings WHERE account = 'cash') b \
         GROUP BY currency HAVING SUM(paid_minor) <> SUM(cash_minor) ORDER BY 1",
        &["currency", "paid_minor", "cash_minor"],
        "what is paid is not what left the ledger's cash",
    ),
    (
        PaidEqualsCash,
        "SELECT p.id, p.kind, p.status, p.amount_minor, b.owed_minor, b.in_transit_minor, b.cash_minor FROM payouts p LEFT JOIN \
           (SELECT SUBSTR(t.id, 8, 40) AS payout, CAST(SUM(CASE WHEN q.account LIKE 'partner:%' THEN q.amount_minor ELSE 0 END) AS BIGINT) AS owed_minor, \
              CAST(SUM(CASE WHEN q.account = 'payouts:in-transit' THEN q.amount_minor ELSE 0 END) AS BIGINT) AS in_transit_minor, \
              CAST(SUM(CASE WHEN q.account = 'cash' THEN q.amount_minor ELSE 0 END) AS BIGINT) AS cash_minor \
            FROM transactions t JOIN postings q ON q.transaction_id = t.id \
            WHERE t.kind IN ('payout_requested', 'payout_paid', 'payout_returned', 'payout_failed') GROUP BY SUBSTR(t.id, 8, 40)) b ON b.payout = p.id \
         WHERE COALESCE(b.owed_minor, 0) <> p.amount_minor * CASE WHEN p.kind = 'settlement' AND p.status IN ('requested', 'unknown', 'paid') THEN 1 \
              WHEN p.kind = 'mdf_claim' AND p.status = 'failed' THEN -1 ELSE 0 END \
           OR COALESCE(b.in_transit_minor, 0) <> p.amount_minor * CASE WHEN p.kind = 'settlement' AND p.status IN ('requested', 'unknown') THEN -1 \
              WHEN p.kind = 'mdf_claim' AND p.status IN ('paid', 'failed') THEN 1 ELSE 0 END \
           OR COALESCE(b.cash_minor, 0) <> p.amount_minor * CASE WHEN p.status = 'paid' THEN -1 ELSE 0 END ORDER BY 1",
        &["payout", "kind", "status", "amount_minor", "owed_minor", "in_transit_minor", "cash_minor"],
        "the ledger does not stand where the payout does",
    ),
    (
        PaidEqualsCash,
        "SELECT t.id FROM transactions t LEFT JOIN payouts p ON p.id = SUBSTR(t.id, 8, 40) \
         WHERE t.kind IN ('payout_requested', 'payout_paid', 'payout_returned', 'payout_failed') AND p.id IS NULL ORDER BY 1",
        &["transaction"],
        "a transaction of a payout that is not there",
    ),
];

/// From where to where a payout may go; a move that is none is no move.
const STEPS: [(&str, &[&str]); 6] = [
    ("", &["intended", "held"]),
    ("intended", &["held", "requested", "paid", "failed"]),
    ("held", &["intended", "failed"]),
    ("requested", &["unknown", "paid", "failed"]),
    ("unknown", &["requested", "paid", "failed"]),
    ("paid", &["failed"]),
];

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (invariant, query, keys, what) in RULES {
        scan.offending(invariant, query, keys, what).await?;
    }
    check_bodies(scan).await?;
    check_histories(scan).await
}

/// Each body is that of its digest, of its payout and of its destination.
async fn check_bodies(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let query = "SELECT p.id, p.request, p.request_digest, p.destination_digest, d.digest, p.kind, p.reference, p.partner, p.amount_minor, p.currency \
                 FROM payouts p LEFT JOIN payout_destinations d ON d.id = p.destination WHERE p.request IS NOT NULL ORDER BY p.id";
    let Scan { tx, report, .. } = scan;
    each_row(tx, query, vec![], |found| {
        if let Some(what) = wrong_body(&found)? {
            report.add(OnePayout, row(&[("payout", &found.string(0)?)], what));
        }
        Ok::<(), LoadError>(())
    })
    .await
}

fn digest(text: &str) -> String {
    format!("sha256:{}", Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn wrong_body(found: &Row) -> Result<Option<&'static str>, LoadError> {
    let body = found.string(1)?;
    if Some(digest(&body)) != found.string_or_null(2)? {
        return Ok(Some("the bytes of its request are not those of their digest"));
    }
    let Ok(told) = serde_json::from_str::<Json>(&body) else { return Ok(Some("the bytes of its request can't be read")) };
    let data = &told["data"];
    let currency = found.currency(9)?;
    let amount = decimal(i128::from(found.int(8)?), usize::try_from(currency.exponent()).unwrap_or(0));
    let wanted = [
        ("payout", found.string(0)?),
        ("kind", found.string(5)?),
        ("reference", found.string(6)?),
        ("partner", found.string(7)?),
        ("amount", amount),
        ("currency", currency.code().to_owned()),
    ];
    if wanted.iter().any(|(name, value)| data[*name].as_str() != Some(value)) || told["type"] != "payout.requested" {
        return Ok(Some("the bytes of its request ask for something else"));
    }
    let destination = Some(digest(&data["destination"].to_string()));
    let is_same = destination == found.string_or_null(3)? && destination == found.string_or_null(4)?;
    Ok((!is_same).then_some("the bytes of its request name another destination"))
}

/// Each history is whole, makes legal steps, and ends where the payout stands.
async fn check_histories(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let query = "SELECT e.payout, e.ordinal, e.source, e.ruling, COALESCE(e.status_before, ''), e.status_after, p.status, p.revision, p.kind FROM payout_events e \
                 JOIN payouts p ON p.id = e.payout ORDER BY e.payout, e.ordinal";
    let mut before = (String::new(), 0, String::new());
    let mut ends = (String::new(), 0);
    let Scan { tx, report, .. } = scan;
    let mut wrong = |payout: &str, what: String| report.add(EndStays, row(&[("payout", payout)], what));
    each_row(tx, query, vec![], |found| {
        let (payout, ordinal, source) = (found.string(0)?, found.int(1)?, found.string(2)?);
        let (from, to) = (found.string(4)?, found.string(5)?);
        if payout != before.0 {
            end(&before, &ends, &mut wrong);
            before = (payout.clone(), 0, String::new());
        }
        if ordinal != before.1 + 1 || from != before.2 {
            wrong(&payout, format!("its history has a gap before event {ordinal}"));
        }
        let is_step = STEPS.iter().any(|(state, next)| *state == from && next.contains(&to.as_str()));
        let is_by_us = from == "paid" && source == "ours";
        // What waits is ended by a person, and for a claim alone.
        let is_given_up = from == "held" && to == "failed" && (source != "person" || found.string(8)? != "mdf_claim");
        if from != to && (!is_step || is_by_us || is_given_up || found.string(3)? != "moved") {
            wrong(&payout, format!("it went from {from} to {to} by {source}"));
        }
        before = (payout, ordinal, to);
        ends = (found.string(6)?, found.int(7)?);
        Ok::<(), LoadError>(())
    })
    .await?;
    end(&before, &ends, &mut wrong);
    Ok(())
}

fn end((payout, ordinal, last): &(String, i64, String), (status, revision): &(String, i64), wrong: &mut impl FnMut(&str, String)) {
    if !payout.is_empty() && (last != status || ordinal != revision) {
        wrong(payout, format!("it is {status}, its history ends with {last}"));
    }
}
