//! What decisions are about: digests recomputed from rounds, documents and the amounts as they fell, and held against what was executed
//! (invariant 21; domain.md §6.5; RFC 8785).

use std::collections::{BTreeMap, HashMap};

use super::super::canonical::Json;
use super::super::figures::decimal;
use super::super::finding::Invariant::DecidedAsExecuted;
use super::super::finding::row;
use super::super::scan::Scan;
use super::Rule;
use crate::load::row::{LoadError, Row, each_row};

const EXECUTED: [Rule; 3] = [
    (
        DecidedAsExecuted,
        "SELECT c.id, c.amount_minor, d.amount_minor FROM claims c JOIN claim_decisions d ON d.claim = c.id AND d.round = c.round \
           AND d.ordinal = (SELECT MAX(l.ordinal) FROM claim_decisions l WHERE l.claim = c.id AND l.round = c.round) \
         WHERE d.decision = 'approve' AND d.amount_minor <> c.amount_minor ORDER BY 1",
        &["claim", "amount_minor", "approved_minor"],
        "its amount is not what was approved last",
    ),
    (
        DecidedAsExecuted,
        "SELECT c.id, c.round, c.receipts_minor, c.asked_minor FROM claims c LEFT JOIN claim_rounds r ON r.claim = c.id AND r.round = c.round \
         WHERE r.claim IS NULL OR r.receipts_minor <> c.receipts_minor OR r.asked_minor <> c.asked_minor OR r.amount_minor < c.amount_minor ORDER BY 1",
        &["claim", "round", "receipts_minor", "asked_minor"],
        "it asks for something else than its round",
    ),
    (
        DecidedAsExecuted,
        "SELECT p.id, c.id, p.destination_digest, r.destination FROM payouts p JOIN claims c ON c.id = p.reference \
         JOIN claim_rounds r ON r.claim = c.id AND r.round = c.round WHERE p.kind = 'mdf_claim' AND p.requested_at IS NOT NULL \
         AND r.destination IS NOT NULL AND p.destination_digest IS DISTINCT FROM r.destination ORDER BY 1",
        &["payout", "claim", "destination", "approved_destination"],
        "the money went elsewhere than the approvals said",
    ),
];

/// Rounds with their decisions in order; a round without one has one row.
const ROUNDS: &str = "SELECT r.claim, r.round, c.program, c.partner, c.currency, r.amount_minor, r.destination, r.digest, COALESCE(d.ordinal, 0), \
       d.digest, d.shown_minor, d.amount_minor FROM claim_rounds r JOIN claims c ON c.id = r.claim \
     LEFT JOIN claim_decisions d ON d.claim = r.claim AND d.round = r.round ORDER BY r.claim, r.round, 9";

const DOCUMENTS: &str = "SELECT claim, round, sha256, name FROM claim_proofs ORDER BY claim, sha256, name";

/// A claim's proofs in the order of their digests: the round that each belongs to, its digest, its name.
type Documents = HashMap<String, Vec<(i64, String, String)>>;

pub(super) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (invariant, query, keys, what) in EXECUTED {
        scan.offending(invariant, query, keys, what).await?;
    }
    let Scan { tx, report, .. } = scan;
    let mut documents: Documents = HashMap::new();
    each_row(tx, DOCUMENTS, vec![], |found| {
        documents.entry(found.string(0)?).or_default().push((found.int(1)?, found.string(2)?, found.string(3)?));
        Ok::<(), LoadError>(())
    })
    .await?;
    let mut shown = (String::new(), 0, 0);
    each_row(tx, ROUNDS, vec![], |found| {
        let (claim, round) = (found.string(0)?, found.int(1)?);
        if (claim.as_str(), round) != (shown.0.as_str(), shown.1) {
            shown = (claim.clone(), round, found.int(5)?);
            if digest(&found, &documents, shown.2)? != found.string(7)? {
                report.add(DecidedAsExecuted, row(&[("claim", &claim), ("round", &round.to_string())], "the digest of the round does not recompute"));
            }
        }
        let Some(decided) = found.string_or_null(9)? else { return Ok::<(), LoadError>(()) };
        let step = found.int(8)?.to_string();
        let mut wrong = |what| report.add(DecidedAsExecuted, row(&[("claim", &claim), ("round", &round.to_string()), ("step", &step)], what));
        if found.int(10)? != shown.2 || found.int(11)? > shown.2 {
            wrong("the step was not shown what the step before it left, or raised it");
        }
        if digest(&found, &documents, found.int(10)?)? != decided {
            wrong("the decision is about something else than the claim");
        }
        shown.2 = found.int(11)?;
        Ok(())
    })
    .await
}

/// The digest of a round as it was shown with an amount.
fn digest(found: &Row, documents: &Documents, amount_minor: i64) -> Result<String, LoadError> {
    let (claim, round, currency) = (found.string(0)?, found.int(1)?, found.currency(4)?);
    let amount = decimal(i128::from(amount_minor), usize::try_from(currency.exponent()).unwrap_or(0));
    let of_claim = documents.get(&claim).map(Vec::as_slice).unwrap_or_default();
    let of_round = of_claim.iter().filter(|(since, ..)| *since <= round);
    let proofs =
        of_round.map(|(_, sha256, name)| Json::Object(BTreeMap::from([("name", Json::Text(name.clone())), ("sha256", Json::Text(sha256.clone()))])));
    let fields = BTreeMap::from([
        ("amount", Json::Text(amount)),
        ("claim", Json::Text(claim)),
        ("currency", Json::Text(currency.code().to_owned())),
        ("destination", Json::optional(found.string_or_null(6)?)),
        ("documents", Json::List(proofs.collect())),
        ("format", Json::Number(1)),
        ("partner", Json::Text(found.string(3)?)),
        ("program", Json::Text(found.string(2)?)),
        ("round", Json::Number(round)),
    ]);
    Ok(Json::Object(fields).digest())
}
