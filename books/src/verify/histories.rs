//! Effective-dated histories: what holds on a day is one row (invariant 23).

use super::finding::Invariant::NoOverlap;
use super::scan::Scan;
use crate::load::row::LoadError;

const TWICE: [(&str, &str); 3] = [
    (
        "SELECT program, partner, effective_from, COUNT(*) FROM parent_links GROUP BY program, partner, effective_from HAVING COUNT(*) > 1 ORDER BY 1, 2, 3",
        "more than one parent from the same day on",
    ),
    (
        "SELECT program, partner, effective_from, COUNT(*) FROM statuses GROUP BY program, partner, effective_from HAVING COUNT(*) > 1 ORDER BY 1, 2, 3",
        "more than one status from the same day on",
    ),
    // A review or a look at the threshold may follow an assignment of the same day; of one origin there is one.
    (
        "SELECT program, partner, effective_from, COUNT(*) FROM tier_assignments GROUP BY program, partner, effective_from, origin HAVING COUNT(*) > 1 \
         ORDER BY 1, 2, 3",
        "more than one tier of the same origin from the same day on",
    ),
];
const OF_NO_REVIEW: &str = "SELECT t.program, t.partner, t.effective_from, t.tier FROM tier_assignments t WHERE t.origin = 'review' AND NOT EXISTS \
     (SELECT 1 FROM review_results r WHERE r.program = t.program AND r.partner = t.partner AND r.as_of = t.effective_from AND r.new_tier = t.tier \
      AND r.outcome IN ('promoted', 'demoted')) ORDER BY 1, 2, 3";
const NOT_ASSIGNED: &str = "SELECT r.program, r.partner, r.as_of, r.new_tier FROM review_results r WHERE r.outcome IN ('promoted', 'demoted') AND NOT EXISTS \
     (SELECT 1 FROM tier_assignments t WHERE t.origin = 'review' AND t.program = r.program AND t.partner = r.partner AND t.effective_from = r.as_of \
      AND t.tier = r.new_tier) ORDER BY 1, 2, 3";
pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (query, what) in TWICE {
        scan.offending(NoOverlap, query, &["program", "partner", "effective_from", "times"], what).await?;
    }
    let tier = ["program", "partner", "effective_from", "tier"];
    scan.offending(NoOverlap, OF_NO_REVIEW, &tier, "a tier said to be of a review that did not give it").await?;
    scan.offending(NoOverlap, NOT_ASSIGNED, &tier, "a review gave this tier and it is not assigned").await
}
