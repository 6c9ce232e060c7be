//! The audit log is a hash chain, whole and without rows that wait for it (invariant 28).

use std::collections::BTreeMap;

use program::calendar::Instant;
use sha2::{Digest, Sha256};

use super::canonical::Json;
use super::finding::Invariant::AuditChain;
use super::finding::row;
use super::scan::Scan;
use crate::load::row::{LoadError, Row, each_row, first_row};

/// How long a row may wait for its seal.
const UNSEALED_MAX_US: i64 = 60_000_000;

const UNSEALED: &str =
    "SELECT a.no, a.act, a.subject FROM audit_log a WHERE a.at < ? AND NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.entry = a.no) ORDER BY 1";
const LOST: &str = "SELECT a.no, a.act, a.subject FROM audit_log a WHERE NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.entry = a.no) \
     AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.entry = a.no) ORDER BY 1";
const SEALED_TWICE: &str = "SELECT entry, COUNT(*) FROM audit_seals GROUP BY entry HAVING COUNT(*) > 1 ORDER BY 1";

pub(crate) async fn check(scan: &mut Scan<'_>, now: Instant) -> Result<(), LoadError> {
    let entry = ["entry", "act", "subject"];
    let since = now.0.saturating_sub(UNSEALED_MAX_US);
    scan.offending_with(AuditChain, (UNSEALED, vec![since.into()]), &entry, "the entry is unsealed for more than a minute").await?;
    scan.offending(AuditChain, LOST, &entry, "the entry is neither sealed nor waits for its seal").await?;
    scan.offending(AuditChain, SEALED_TWICE, &["entry", "seals"], "the entry is sealed more than once").await?;
    check_chain(scan).await
}

/// From the first seal on, each over the one before and its entry; the head is the last.
async fn check_chain(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let query = "SELECT s.position, s.entry, s.hash, a.no, a.at, a.actor, a.act, a.subject, a.detail FROM audit_seals s \
                 LEFT JOIN audit_log a ON a.no = s.entry ORDER BY s.position";
    let (mut position, mut hash) = (0, "0".repeat(64));
    let Scan { tx, report, .. } = scan;
    each_row(tx, query, vec![], |found| {
        let shown = found.int(1)?.to_string();
        let keys = [("entry", shown.as_str())];
        position += 1;
        if found.int(0)? != position {
            report.add(AuditChain, row(&keys, format!("seal {position} is missing")));
            position = found.int(0)?;
        }
        match found.int_or_null(3)? {
            None => report.add(AuditChain, row(&keys, "the entry is sealed and is not there")),
            Some(no) if sealed(&hash, no, &found)? != found.string(2)? => {
                report.add(AuditChain, row(&keys, "the entry, or the chain before it, is not what was sealed"));
            }
            Some(_) => {}
        }
        // What follows is judged by what is stored, so that one change is one finding.
        hash = found.string(2)?;
        Ok::<(), LoadError>(())
    })
    .await?;
    let head = first_row(scan.tx, "SELECT position, hash FROM audit_head WHERE id = 1", vec![]).await?;
    let is_last = match &head {
        Some(head) => head.int(0)? == position && head.string(1)? == hash,
        None => false,
    };
    if !is_last {
        scan.add(AuditChain, &[("position", &position.to_string())], "the chain does not end where its head says");
    }
    Ok(())
}

fn sealed(before: &str, no: i64, found: &Row) -> Result<String, LoadError> {
    let entry = Json::Object(BTreeMap::from([
        ("no", Json::Number(no)),
        ("at", Json::Number(found.int(4)?)),
        ("actor", Json::optional(found.string_or_null(5)?)),
        ("act", Json::Text(found.string(6)?)),
        ("subject", Json::Text(found.string(7)?)),
        ("detail", Json::Text(found.string(8)?)),
    ]));
    let mut text = format!("{before}\n");
    entry.write(&mut text);
    let digest = Sha256::digest(text.as_bytes());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
