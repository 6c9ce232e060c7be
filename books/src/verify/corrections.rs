//! Lines that come from no invoice: adjustments, and lump sums of rankings (invariants 6 and 7; domain.md §4.5, §5.4).

use program::calendar::Period;

use super::figures::{nearest, product};
use super::finding::Invariant::{AmountRecomputes, LineAsAsked};
use super::known::terms::Terms;
use super::scan::Scan;
use crate::load::row::{LoadError, rows};

/// Adjustments dated by the end of the last period made and known at its cut-off.
const ADJUSTMENT_MISSING: &str = "SELECT a.program, a.id, a.partner FROM adjustments a WHERE a.program = ? AND SUBSTR(a.adjusted_on, 1, 7) <= ? AND a.seq <= ? \
     AND NOT EXISTS (SELECT 1 FROM commission_lines l WHERE l.program = a.program AND l.from_partner = a.partner AND l.source = 'adjustment' \
       AND l.source_id = a.id) ORDER BY 2";
const ADJUSTMENT_OTHERWISE: &str = "SELECT l.program, l.source_id, l.payee FROM commission_lines l LEFT JOIN adjustments a ON a.id = l.source_id \
     WHERE l.program = ? AND l.source = 'adjustment' AND (a.id IS NULL OR a.program <> l.program OR a.partner <> l.payee OR a.currency <> l.currency \
       OR a.amount_minor <> l.amount_minor OR l.base_minor <> l.amount_minor OR a.adjusted_on <> l.earned_on OR l.rate IS NOT NULL \
       OR l.component <> 'adjustment' OR l.fund IS NOT NULL OR l.referred_minor <> 0 \
       OR l.period < SUBSTR(a.adjusted_on, 1, 7) \
       OR COALESCE(l.late_from, '') <> CASE WHEN l.period > SUBSTR(a.adjusted_on, 1, 7) THEN SUBSTR(a.adjusted_on, 1, 7) ELSE '' END) ORDER BY 2";

const LUMP_SUM_OF_NOBODY: &str = "SELECT l.program, l.source_id, l.payee FROM commission_lines l WHERE l.program = ? AND l.source = 'ranking' AND NOT EXISTS \
     (SELECT 1 FROM rankings r JOIN ranking_places p ON p.program = r.program AND p.ranking = r.ranking AND p.quarter = r.quarter \
      WHERE r.program = l.program AND r.ranking || '/' || r.quarter = l.source_id AND r.ranking = l.rule AND p.partner = l.payee AND p.winner = 1 \
        AND r.applies = 'ranked_quarter' AND r.period = l.period) ORDER BY 2, 3";

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for program in scan.programs() {
        let checked = of_program(scan, &program).await;
        scan.tolerate(LineAsAsked, checked)?;
    }
    Ok(())
}

async fn of_program(scan: &mut Scan<'_>, program: &str) -> Result<(), LoadError> {
    let terms = Terms::load(scan.tx, program).await?;
    let name = || sea_orm::Value::from(program);
    if let Some((period, made)) = terms.last_rated() {
        let missing = (ADJUSTMENT_MISSING, vec![name(), period.into(), made.cutoff.into()]);
        scan.offending_with(LineAsAsked, missing, &["program", "adjustment", "partner"], "the adjustment has no line").await?;
    }
    let keys = ["program", "source_id", "payee"];
    scan.offending_with(AmountRecomputes, (ADJUSTMENT_OTHERWISE, vec![name()]), &keys, "the line is not what the adjustment says").await?;
    scan.offending_with(LineAsAsked, (LUMP_SUM_OF_NOBODY, vec![name()]), &keys, "a lump sum that its payee did not win").await?;
    lump_sums(scan, &terms).await
}

/// Each winner of a ranked quarter has its lump sum: the revenue in minor units, times the rate.
async fn lump_sums(scan: &mut Scan<'_>, terms: &Terms) -> Result<(), LoadError> {
    let query = "SELECT r.ranking, r.quarter, r.rate, r.period, p.partner, p.revenue, l.base_minor, l.amount_minor, l.rate, l.currency FROM rankings r \
                 JOIN ranking_places p ON p.program = r.program AND p.ranking = r.ranking AND p.quarter = r.quarter \
                 LEFT JOIN commission_lines l ON l.program = r.program AND l.source = 'ranking' AND l.source_id = r.ranking || '/' || r.quarter \
                   AND l.from_partner = p.partner AND l.period = r.period \
                 WHERE r.program = ? AND r.applies = 'ranked_quarter' AND p.winner = 1 ORDER BY r.quarter, r.ranking, p.partner";
    let rated = terms.last_rated().map(|(period, _)| period.to_owned()).unwrap_or_default();
    let currency = terms.constant().currency;
    for row in rows(scan.tx, query, vec![terms.program.as_str().into()]).await? {
        let (ranking, quarter, rate, period, partner) = (row.string(0)?, row.string(1)?, row.rate(2)?, row.string(3)?, row.string(4)?);
        if period > rated {
            continue;
        }
        let revenue = row.string(5)?;
        let figure: program::exact::Exact = revenue.parse().map_err(|_| LoadError::Corrupt { value: revenue, what: "a ranked revenue" })?;
        let last_day = row.string(3)?.parse::<Period>().map_err(|_| LoadError::Corrupt { value: period, what: "a period" })?.last_day();
        let rounding = terms.on(last_day, terms.cutoff(&row.string(3)?)).says.rounding;
        let ten = |power: u32| 10_i128.checked_pow(power).unwrap_or(1);
        let base = nearest(figure.mantissa() * ten(currency.exponent()), ten(figure.scale()), rounding);
        let base_minor = i64::try_from(base).unwrap_or(0);
        let amount_minor = product(base_minor, rate.micro(), 1_000_000, rounding).unwrap_or(0);
        let keys = [("program", terms.program.as_str()), ("ranking", &ranking), ("quarter", &quarter), ("partner", &partner)];
        match (row.int_or_null(6)?, row.int_or_null(7)?) {
            (Some(base), Some(amount)) => {
                let is_same = base == base_minor && amount == amount_minor && row.rate_or_null(8)? == Some(rate) && row.string(9)? == currency.code();
                if !is_same {
                    scan.add(AmountRecomputes, &keys, format!("the lump sum is {amount} of {base}, asked for is {amount_minor} of {base_minor}"));
                }
            }
            _ if amount_minor != 0 => scan.add(LineAsAsked, &keys, "the winner has no lump sum"),
            _ => {}
        }
    }
    Ok(())
}
