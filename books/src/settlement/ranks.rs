//! Makes and stores the stack ranks of a quarter when its last month is made final (domain.md §5.4).

use std::collections::BTreeSet;

use program::calendar::{Period, days_after};
use program::component::Component;
use program::exact::{Exact, Overflow};
use program::line::{Line, Source, Text};
use program::money::{Currency, Rate, Rounding};
use program::programme::Applies;
use program::ranking::{Place, is_made_for, rank};
use program::rating::ReferredRevenue;
use program::revenue::RevenueIndex;
use sea_orm::DatabaseTransaction;

use super::rate::blank;
use crate::load::row::{LoadError, execute, rows};
use crate::load::{Knowledge, revenue};

/// Makes the rankings of the quarter that the period ends, if it ends one, and stores them with their evidence.
///
/// # Errors
/// The database failed; reasons of data are collected in `wrong`.
pub async fn make(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period, wrong: &mut Vec<String>) -> Result<(), LoadError> {
    let quarter = period.quarter();
    let version = knowledge.versions.on(quarter.last_day());
    let rankings: Vec<_> = version.programme.rankings.iter().filter(|ranking| is_made_for(ranking, quarter)).collect();
    if !period.ends_quarter() || rankings.is_empty() {
        return Ok(());
    }
    let (from, before) = (quarter.first_day(), days_after(quarter.last_day(), 1));
    let entries = revenue::entries(tx, knowledge, from, before).await?;
    let partners: BTreeSet<usize> = entries.iter().map(|entry| entry.partner).collect();
    let index = RevenueIndex::new(&knowledge.fx, entries);
    let mut revenues = Vec::new();
    for partner in partners.into_iter().filter(|&partner| knowledge.directory.partner(partner).active(quarter.last_day())) {
        match index.between(partner, from, before) {
            Ok(sum) => revenues.push((partner, sum)),
            Err(reason) => wrong.push(format!("ranking of {quarter}, {}: {reason}", knowledge.directory.id(partner))),
        }
    }
    for ranking in rankings {
        let places = rank(ranking.top, revenues.clone());
        let applies = if ranking.applies == Applies::NextQuarter { "next_quarter" } else { "ranked_quarter" };
        let values = vec![
            (&*knowledge.program).into(),
            ranking.id.as_str().into(),
            quarter.to_string().into(),
            period.to_string().into(),
            ranking.rate.to_string().into(),
            applies.into(),
            ranking.top.to_string().into(),
            i64::try_from(places.len()).unwrap_or(i64::MAX).into(),
            version.number.into(),
        ];
        let insert =
            "INSERT INTO rankings (program, ranking, quarter, period, rate, applies, top, ranked, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        execute(tx, insert, values).await?;
        for place in &places {
            if ranking.applies == Applies::RankedQuarter && place.winner {
                let lump = lump_sum(knowledge.versions.constant().currency, version.programme.rounding, place.revenue, ranking.rate);
                if let Err(reason) = lump {
                    wrong.push(format!("ranking {} of {quarter}, {}: {reason}", ranking.id, knowledge.directory.id(place.partner)));
                }
            }
            store_place(tx, knowledge, &ranking.id, &quarter.to_string(), place).await?;
        }
    }
    Ok(())
}

/// Base and amount of a lump sum, minor units.
fn lump_sum(currency: Currency, rounding: Rounding, revenue: Exact, rate: Rate) -> Result<(i64, i64), Overflow> {
    let base_minor = currency.round_minor(revenue, rounding)?;
    Ok((base_minor, rate.of(base_minor, Rate::ONE, rounding)?))
}

async fn store_place(tx: &DatabaseTransaction, knowledge: &Knowledge, ranking: &str, quarter: &str, place: &Place) -> Result<(), LoadError> {
    let insert = "INSERT INTO ranking_places (program, ranking, quarter, partner, revenue, place, winner) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let values = vec![
        (&*knowledge.program).into(),
        ranking.into(),
        quarter.into(),
        (&**knowledge.directory.id(place.partner)).into(),
        place.revenue.to_string().into(),
        i64::try_from(place.place).unwrap_or(i64::MAX).into(),
        i64::from(place.winner).into(),
    ];
    execute(tx, insert, values).await?;
    Ok(())
}

/// The lump-sum lines of the rankings made in a period: base the revenue, rounded to the minor unit.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn lump_sums(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period) -> Result<Vec<Line>, LoadError> {
    let query = "SELECT r.ranking, r.quarter, r.rate, r.version, p.partner, p.revenue FROM rankings r JOIN ranking_places p ON p.program = r.program \
                 AND p.ranking = r.ranking AND p.quarter = r.quarter WHERE r.program = ? AND r.period = ? AND r.applies = 'ranked_quarter' AND p.winner = 1 \
                 ORDER BY p.partner, r.ranking";
    let constant = knowledge.versions.constant();
    let last_day = period.quarter().last_day();
    let version = &knowledge.versions.on(last_day).programme;
    let mut lines = Vec::new();
    for row in rows(tx, query, vec![(&*knowledge.program).into(), period.to_string().into()]).await? {
        let (ranking, partner, text) = (row.text(0)?, row.text(4)?, row.string(5)?);
        let corrupt = |text: &str| LoadError::Corrupt { value: text.to_owned(), what: "a ranked revenue" };
        let revenue: Exact = text.parse().map_err(|_| corrupt(&text))?;
        let rate = row.rate(2)?;
        let (base_minor, amount_minor) = lump_sum(constant.currency, version.rounding, revenue, rate).map_err(|_| corrupt(&text))?;
        let Some(no) = knowledge.directory.find(&partner) else { continue };
        if amount_minor == 0 {
            continue;
        }
        let tier = knowledge.directory.partner(no).effective_tier(last_day, version);
        let source_id: Text = format!("{ranking}/{}", row.string(1)?).into();
        lines.push(Line {
            rule: Some(ranking),
            rate: Some(rate),
            base_minor,
            amount_minor,
            earned_on: last_day,
            tier: tier.map(|rank| version.tiers[rank].id.as_str().into()),
            version: row.int(3)?,
            ..blank(&partner, Source::Ranking, &source_id, Component::RANK_BONUS, knowledge)
        });
    }
    Ok(lines)
}
