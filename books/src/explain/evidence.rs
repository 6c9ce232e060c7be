//! What is stored beside the lines of an invoice: how it was recorded, where its credits stood, who assigned tiers, how ranks came out.

use std::collections::{BTreeMap, HashMap};

use program::calendar::{Date, Period};
use program::line::{Line, Text};
use program::member::{Origin, Partner};
use program::money::Currency;
use program::programme::{Applies, Programme};
use program::ranking::is_made_for;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::model::{CertificationShown, InvoiceShown, RankShown, ReviewShown, TierShown};
use crate::load::Knowledge;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, first_row, rows};
use crate::settlement::lines::{line_columns, line_of};

/// An invoice as it is recorded now; `None`: it is not.
pub(super) async fn invoice(tx: &DatabaseTransaction, id: &str) -> Result<Option<InvoiceShown>, LoadError> {
    let query = "SELECT i.customer, i.deal, i.partner, i.currency, i.subtotal_minor, i.processing_cost_minor, i.issued_on, i.paid_at, i.product, i.payment_method, \
                 r.recorded_at FROM invoices i JOIN recordings r ON r.seq = i.seq WHERE i.id = ?";
    let Some(row) = first_row(tx, query, vec![id.into()]).await? else { return Ok(None) };
    let currency: Currency = row.currency(3)?;
    let instant = |column: usize| row.int_or_null(column).map(|at| at.map(|at| program::calendar::Instant(at).to_string()));
    Ok(Some(InvoiceShown {
        id: id.to_owned(),
        customer: row.string(0)?,
        deal: row.string_or_null(1)?,
        partner: row.string_or_null(2)?,
        currency: currency.code().to_owned(),
        subtotal: currency.format_minor(row.int(4)?),
        processing_cost: row.int_or_null(5)?.map(|minor| currency.format_minor(minor)),
        issued_on: row.string_or_null(6)?,
        paid_at: instant(7)?,
        product: row.string_or_null(8)?,
        payment_method: row.string_or_null(9)?,
        recorded_at: instant(10)?.unwrap_or_default(),
    }))
}

/// Why an invoice that is not recorded was voided, if it was.
pub(super) async fn voided(tx: &DatabaseTransaction, id: &str) -> Result<Option<String>, LoadError> {
    let query = "SELECT reason, approved_by FROM voids WHERE kind = 'invoices' AND id = ? ORDER BY no DESC LIMIT 1";
    let Some(row) = first_row(tx, query, vec![id.into()]).await? else { return Ok(None) };
    Ok(Some(format!("it was voided: {} (approved by {})", row.string(0)?, row.string(1)?)))
}

/// A posted line with the period that posted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posted {
    pub(super) line: Line,
    pub(super) period: Period,
}

/// All lines that came of an invoice in a programme, its reversals too, in the order of a settlement.
pub(super) async fn posted(tx: &DatabaseTransaction, program: &str, invoice: &str) -> Result<Vec<Posted>, LoadError> {
    let query = format!(
        "SELECT {}, period FROM commission_lines WHERE source_id IN (SELECT ? UNION SELECT id FROM refunds WHERE invoice = ?) \
         AND program = ? AND invoice = ?",
        line_columns(tx)
    );
    let mut posted = Vec::new();
    for row in rows(tx, &query, vec![invoice.into(), invoice.into(), program.into(), invoice.into()]).await? {
        posted.push(Posted { line: line_of(&row)?, period: row.period(1)? });
    }
    posted.sort_by(|a, b| a.period.cmp(&b.period).then_with(|| a.line.order(&b.line)).then_with(|| a.line.payee.cmp(&b.line.payee)));
    Ok(posted)
}

/// The statuses of settlements: by payee, period and currency.
pub(super) async fn statuses(
    tx: &DatabaseTransaction,
    program: &str,
    posted: &[Posted],
) -> Result<HashMap<(Text, Period, Currency), String>, LoadError> {
    let mut payees: Vec<Text> = posted.iter().map(|posted| posted.line.payee.clone()).collect();
    payees.sort();
    payees.dedup();
    let query =
        format!("SELECT partner, period, currency, status FROM settlements WHERE program = ? AND partner {}", in_list(tx.get_database_backend()));
    let mut found = HashMap::new();
    for row in rows(tx, &query, vec![program.into(), json_list(&payees)]).await? {
        found.insert((row.text(0)?, row.period(1)?, row.currency(2)?), row.string(3)?);
    }
    Ok(found)
}

/// A member's tier on a day, who assigned it and why, and what it asks for.
pub(super) async fn tier(tx: &DatabaseTransaction, knowledge: &Knowledge, partner: &Partner, day: Date) -> Result<TierShown, LoadError> {
    let version = &knowledge.versions.on(day).programme;
    let known = partner.tiers.partition_point(|assignment| assignment.effective_from <= day);
    let Some(assignment) = known.checked_sub(1).map(|last| &partner.tiers[last]) else { return Ok(TierShown::default()) };
    let effective = partner.effective_tier(day, version).map(|rank| version.tiers[rank].id.clone());
    let query =
        "SELECT reason FROM tier_assignments WHERE program = ? AND partner = ? AND effective_from = ? AND tier = ? AND origin = ? AND seq <= ?";
    let on = assignment.effective_from.to_string();
    let values = vec![
        (&*knowledge.program).into(),
        (&*partner.id.0).into(),
        on.as_str().into(),
        (&*assignment.tier).into(),
        assignment.origin.name().into(),
        knowledge.cutoff.into(),
    ];
    let reason = match first_row(tx, query, values).await? {
        Some(row) => row.string_or_null(0)?,
        None => None,
    };
    let review = if assignment.origin == Origin::Review { review(tx, knowledge, &partner.id.0, &on).await? } else { None };
    let certifications = version.tier_rank(&assignment.tier).map(|rank| certifications(partner, day, version, rank)).unwrap_or_default();
    Ok(TierShown {
        earned: Some(assignment.tier.to_string()),
        effective,
        since: Some(on),
        origin: Some(assignment.origin.name()),
        reason,
        review,
        certifications,
    })
}

async fn review(tx: &DatabaseTransaction, knowledge: &Knowledge, partner: &str, as_of: &str) -> Result<Option<ReviewShown>, LoadError> {
    let query = "SELECT tier, t12m_minor, earned, outcome, evidence FROM review_results WHERE program = ? AND partner = ? AND as_of = ?";
    let Some(row) = first_row(tx, query, vec![(&*knowledge.program).into(), partner.into(), as_of.into()]).await? else { return Ok(None) };
    let currency = knowledge.versions.constant().currency;
    let evidence = row.string(4)?;
    Ok(Some(ReviewShown {
        as_of: as_of.to_owned(),
        tier: row.string(0)?,
        t12m: currency.format_minor(row.int(1)?),
        earned: row.string(2)?,
        outcome: row.string(3)?,
        evidence: serde_json::from_str(&evidence).map_err(|_| LoadError::Corrupt { value: evidence, what: "the evidence of a review" })?,
    }))
}

fn certifications(partner: &Partner, day: Date, version: &Programme, rank: usize) -> Vec<CertificationShown> {
    let mut shown = Vec::new();
    for (certification, &needed) in &version.tiers[rank].certifications {
        let mut holders: BTreeMap<String, Option<String>> = BTreeMap::new();
        for certificate in partner.certificates.iter().filter(|certificate| &*certificate.certification == certification) {
            let why = if certificate.valid_on(day) {
                None
            } else if day < certificate.issued_on {
                Some(format!("{} (issued {})", certificate.holder, certificate.issued_on))
            } else {
                match certificate.revoked_on.filter(|revoked| *revoked <= day) {
                    Some(revoked) => Some(format!("{} (revoked {revoked})", certificate.holder)),
                    None => Some(format!("{} (expired {})", certificate.holder, certificate.expires_on)),
                }
            };
            let known = holders.entry(certificate.holder.to_string()).or_insert_with(|| why.clone());
            // One valid certificate is enough.
            if why.is_none() {
                *known = None;
            }
        }
        shown.push(CertificationShown {
            certification: certification.clone(),
            needed,
            holders: holders.iter().filter(|(_, why)| why.is_none()).map(|(holder, _)| holder.clone()).collect(),
            not_valid: holders.into_values().flatten().collect(),
        });
    }
    shown
}

/// How the stack ranks stand that pay on items of a member in a quarter, as far as made by a period.
pub(super) async fn ranks(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    partner: &str,
    paid_on: Date,
    period: Period,
) -> Result<Vec<RankShown>, LoadError> {
    let ranked = Period::of(paid_on).quarter().previous();
    let ruled = &knowledge.versions.on(ranked.last_day()).programme.rankings;
    let currency = knowledge.versions.constant().currency;
    let query = "SELECT r.ranking, r.rate, r.top, r.ranked, r.applies, p.place, p.revenue, p.winner FROM rankings r LEFT JOIN ranking_places p ON p.program = r.program \
                 AND p.ranking = r.ranking AND p.quarter = r.quarter AND p.partner = ? WHERE r.program = ? AND r.quarter = ? AND r.period <= ? ORDER BY r.ranking";
    let values = vec![partner.into(), (&*knowledge.program).into(), ranked.to_string().into(), period.to_string().into()];
    let mut shown = Vec::new();
    for row in rows(tx, query, values).await? {
        let (place, winner) = (row.int_or_null(5)?, row.int_or_null(7)? == Some(1));
        let next_quarter = row.string(4)? == "next_quarter";
        let (top, count) = (row.rate(2)?, row.int(3)?);
        let reason = match place {
            _ if !next_quarter => Some("it pays a lump sum on the ranked quarter, not on items".to_owned()),
            None => Some(format!("not ranked in {ranked}: no referred revenue above zero, or not active on {}", ranked.last_day())),
            Some(place) if !winner => Some(format!("place {place} of {count} in {ranked}; the best {} win", percent(top))),
            Some(_) => None,
        };
        shown.push(RankShown {
            ranking: row.string(0)?,
            quarter: ranked.to_string(),
            pays: reason.is_none(),
            rate: Some(row.rate(1)?.to_string()),
            place,
            revenue: row.string_or_null(6)?.map(|revenue| format!("{revenue} {currency}")),
            reason,
        });
    }
    for ranking in ruled {
        if shown.iter().any(|shown| shown.ranking == ranking.id) {
            continue;
        }
        let reason = if is_made_for(ranking, ranked) {
            format!("{ranked} was not ranked: it ended before the programme's first period, or is not final")
        } else {
            format!("{ranked} is not ranked: it does not lie in the ranking's days")
        };
        let reason =
            if ranking.applies == Applies::RankedQuarter { "it pays a lump sum on the ranked quarter, not on items".to_owned() } else { reason };
        let rate = Some(ranking.rate.to_string());
        shown.push(RankShown {
            ranking: ranking.id.clone(),
            quarter: ranked.to_string(),
            pays: false,
            rate,
            place: None,
            revenue: None,
            reason: Some(reason),
        });
    }
    Ok(shown)
}

/// A rate as people write it.
pub(crate) fn percent(rate: program::money::Rate) -> String {
    // Six decimals of a fraction are four of a percentage.
    program::exact::Exact::new(i128::from(rate.micro()), 4).map_or_else(|_| rate.to_string(), |percent| format!("{percent}%"))
}
