//! Lines as a whole: none twice, none without a settlement, reversals within what they reverse (invariants 8 and 9).

use super::finding::Invariant::{OneSettlementALine, ReversalBounded};
use super::scan::Scan;
use crate::load::row::LoadError;

const TWICE: &str = "SELECT program, from_partner, source, source_id, item, role, component, rule, payee, level, part, COUNT(*) FROM commission_lines \
     GROUP BY source_id, program, source, item, from_partner, role, component, rule, payee, level, part HAVING COUNT(*) > 1 ORDER BY 1, 4, 5";
const KEY: [&str; 12] = ["program", "from_partner", "source", "source_id", "item", "role", "component", "rule", "payee", "level", "part", "times"];

/// Lines of a period that is still being made may wait for their settlement.
const WITHOUT_SETTLEMENT: &str = "SELECT l.program, l.period, l.payee, l.currency, l.lines FROM \
       (SELECT program, period, payee, currency, COUNT(*) AS lines FROM commission_lines GROUP BY program, period, payee, currency) l \
     WHERE NOT EXISTS (SELECT 1 FROM settlements s WHERE s.program = l.program AND s.partner = l.payee AND s.period = l.period AND s.currency = l.currency) \
       AND NOT EXISTS (SELECT 1 FROM periods p WHERE p.program = l.program AND p.period = l.period AND p.status = 'closing') ORDER BY 1, 2, 3, 4";

/// What is left of a line after its reversals lies between nothing and the line.
const OVERREVERSED: &str = "SELECT program, invoice, item, from_partner, role, component, rule, payee, level, part, line_minor, reversed_minor FROM \
       (SELECT program, invoice, item, from_partner, role, component, rule, payee, level, part, \
          CAST(SUM(CASE WHEN source = 'invoice' THEN amount_minor ELSE 0 END) AS BIGINT) AS line_minor, \
          CAST(SUM(CASE WHEN source = 'refund' THEN amount_minor ELSE 0 END) AS BIGINT) AS reversed_minor FROM commission_lines \
        WHERE source IN ('invoice', 'refund') GROUP BY program, invoice, item, from_partner, role, component, rule, payee, level, part) r \
     WHERE (line_minor >= 0 AND (reversed_minor > 0 OR reversed_minor < -line_minor)) \
        OR (line_minor < 0 AND (reversed_minor < 0 OR reversed_minor > -line_minor)) ORDER BY 1, 2, 3";
const LINE: [&str; 12] =
    ["program", "invoice", "item", "from_partner", "role", "component", "rule", "payee", "level", "part", "line_minor", "reversed_minor"];

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    scan.offending(OneSettlementALine, TWICE, &KEY, "the line is there more than once").await?;
    let owner = ["program", "period", "partner", "currency", "lines"];
    scan.offending(OneSettlementALine, WITHOUT_SETTLEMENT, &owner, "lines that are in no settlement").await?;
    scan.offending(ReversalBounded, OVERREVERSED, &LINE, "reversals exceed the line").await
}
