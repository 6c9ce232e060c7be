//! Settlements and periods in their order: one a key, carried over, without gaps (invariants 11, 13 and 14; domain.md §4.6–4.7).

use program::calendar::Period;

use super::finding::Invariant::{CarriedOver, OneSettlementAKey, PeriodsInOrder};
use super::scan::Scan;
use crate::load::row::{LoadError, rows};

const TWICE: &str = "SELECT program, partner, period, currency, COUNT(*) FROM settlements GROUP BY program, partner, period, currency \
     HAVING COUNT(*) > 1 ORDER BY 1, 3, 2, 4";

const PERIOD_BEFORE: &str = "CASE WHEN SUBSTR(s.period, 6, 2) = '01' \
     THEN SUBSTR(CAST(CAST(SUBSTR(s.period, 1, 4) AS INTEGER) + 9999 AS TEXT), 2, 4) || '-12' \
     ELSE SUBSTR(s.period, 1, 5) || SUBSTR(CAST(CAST(SUBSTR(s.period, 6, 2) AS INTEGER) + 99 AS TEXT), 2, 2) END";

/// An opening balance is what the period before carried forward, of the same member and currency.
fn opened_otherwise() -> String {
    format!(
        "SELECT s.program, s.partner, s.period, s.currency, s.opening_balance_minor, COALESCE(b.carried_forward_minor, 0) FROM settlements s \
         LEFT JOIN settlements b ON b.program = s.program AND b.partner = s.partner AND b.currency = s.currency AND b.period = {PERIOD_BEFORE} \
         WHERE s.opening_balance_minor <> COALESCE(b.carried_forward_minor, 0) ORDER BY 1, 3, 2, 4"
    )
}

/// A balance carried into a final period that has no settlement to take it.
fn not_taken() -> String {
    format!(
        "SELECT b.program, b.partner, b.period, b.currency, b.carried_forward_minor FROM settlements b \
         JOIN periods s ON s.program = b.program AND s.status = 'final' AND b.period = {PERIOD_BEFORE} \
         WHERE b.carried_forward_minor <> 0 AND NOT EXISTS (SELECT 1 FROM settlements n WHERE n.program = b.program AND n.partner = b.partner \
           AND n.currency = b.currency AND n.period = s.period) ORDER BY 1, 3, 2, 4"
    )
}

const OF_NO_PERIOD: [(&str, &str); 2] = [
    (
        "SELECT DISTINCT s.program, s.period FROM settlements s WHERE NOT EXISTS \
         (SELECT 1 FROM periods p WHERE p.program = s.program AND p.period = s.period) ORDER BY 1, 2",
        "settlements of a period that was never made",
    ),
    (
        "SELECT l.program, l.period FROM (SELECT DISTINCT program, period FROM commission_lines) l WHERE NOT EXISTS \
         (SELECT 1 FROM periods p WHERE p.program = l.program AND p.period = l.period) ORDER BY 1, 2",
        "lines of a period that was never made",
    ),
];
const HALF_FINAL: &str = "SELECT program, period, status, stage FROM periods \
     WHERE (status = 'final') <> (stage = 'final') OR (status = 'final') <> (final_at IS NOT NULL) ORDER BY 1, 2";

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let key = ["program", "partner", "period", "currency", "times"];
    scan.offending(OneSettlementAKey, TWICE, &key, "more than one settlement").await?;
    let opening = ["program", "partner", "period", "currency", "opening_minor", "carried_minor"];
    scan.offending(CarriedOver, &opened_otherwise(), &opening, "the period before carried another balance forward").await?;
    let carried = ["program", "partner", "period", "currency", "carried_minor"];
    scan.offending(CarriedOver, &not_taken(), &carried, "no settlement of the next period takes what this one carried forward").await?;
    for (query, what) in OF_NO_PERIOD {
        scan.offending(PeriodsInOrder, query, &["program", "period"], what).await?;
    }
    scan.offending(PeriodsInOrder, HALF_FINAL, &["program", "period", "status", "stage"], "the period is final in part").await?;
    for program in scan.programs() {
        in_order(scan, &program).await?;
    }
    Ok(())
}

/// From the programme's first period on, each the next month; all but the last final; cut-offs never go back.
async fn in_order(scan: &mut Scan<'_>, program: &str) -> Result<(), LoadError> {
    let query = "SELECT p.period, p.status, p.cutoff, g.first_period FROM periods p JOIN programs g ON g.id = p.program WHERE p.program = ? ORDER BY p.period";
    let mut before: Option<(Period, String, i64)> = None;
    for row in rows(scan.tx, query, vec![program.into()]).await? {
        let (period, status, cutoff) = (row.period(0)?, row.string(1)?, row.int(2)?);
        let shown = period.to_string();
        let keys = [("program", program), ("period", shown.as_str())];
        match before {
            None if period != row.period(3)? => scan.add(PeriodsInOrder, &keys, format!("the programme begins with {}", row.string(3)?)),
            Some((last, _, _)) if last.next() != period => scan.add(PeriodsInOrder, &keys, format!("it does not follow {last}, the one made before")),
            Some((last, was, _)) if was != "final" => scan.add(PeriodsInOrder, &keys, format!("{last} before it is still {was}")),
            Some((last, _, earlier)) if earlier > cutoff => scan.add(PeriodsInOrder, &keys, format!("its cut-off lies before that of {last}")),
            _ => {}
        }
        before = Some((period, status, cutoff));
    }
    Ok(())
}
