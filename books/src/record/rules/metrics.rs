//! Metrics read as the programmes of the partner declare them (interface.md §1). One that no programme declares is kept as it is.

use std::collections::BTreeMap;

use program::condition::MetricKind;
use program::exact::Exact;

use super::{Merged, of_load, text};
use crate::load::versions;
use crate::record::error::{Findings, RecordError};
use crate::record::shape::short;
use crate::record::stage::{LOOKED_AT, line_number};

/// Rows looked at together.
const ROWS_AT_ONCE: usize = 2000;

/// That each new value is one of its kind.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let mut declared: BTreeMap<String, Vec<(String, MetricKind)>> = BTreeMap::new();
    let mut after = 0_i64;
    loop {
        let page = format!(
            "SELECT s.n, s.line, s.metric, s.value, m.program FROM {} s JOIN memberships m ON m.partner = s.partner \
             WHERE {LOOKED_AT} AND s.metric IS NOT NULL AND s.value IS NOT NULL AND s.n > {after} AND s.n <= {after} + {ROWS_AT_ONCE} ORDER BY s.n, m.program",
            merged.staged()
        );
        for row in merged.rows(&page, []).await? {
            let (metric, value, program) = (text(&row, 2)?, text(&row, 3)?, text(&row, 4)?);
            if !declared.contains_key(&program) {
                let all = versions::load(merged.tx, &program, i64::MAX).await.map_err(of_load)?;
                let kinds = all.iter().flat_map(|version| version.programme.metrics.iter().map(|(name, kind)| (name.clone(), *kind))).collect();
                declared.insert(program.clone(), kinds);
            }
            let kinds: Vec<MetricKind> = declared[&program].iter().filter(|(name, _)| *name == metric).map(|(_, kind)| *kind).collect();
            if !kinds.is_empty() && !kinds.iter().any(|kind| reads_as(*kind, &value)) {
                let reason = format!("{:?} is no {}, which {program} declares {metric:?} to be", short(&value), kinds[0]);
                findings.add(line_number(row.try_get_by_index(1)?), "value", reason);
            }
        }
        let last = merged.rows(&format!("SELECT MAX(s.n) FROM {} s", merged.staged()), []).await?;
        let last: Option<i64> = last.first().map(|row| row.try_get_by_index(0)).transpose()?.flatten();
        after += i64::try_from(ROWS_AT_ONCE).unwrap_or(i64::MAX);
        if last.is_none_or(|last| last <= after) {
            return Ok(());
        }
    }
}

fn reads_as(kind: MetricKind, value: &str) -> bool {
    match kind {
        MetricKind::Number => value.parse::<Exact>().is_ok(),
        MetricKind::Text => true,
        MetricKind::Bool => matches!(value, "true" | "false"),
    }
}
