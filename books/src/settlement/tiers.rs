//! Looks at T12M between reviews and promotes (domain.md §5.3).

use std::collections::{BTreeMap, BTreeSet};

use program::calendar::{Date, Period, days_after, months_before};
use program::condition::Fact;
use program::member::{Assignment, Origin, PartnerNo};
use program::programme::{Programme, Promotion};
use program::recertify::{Standing, immediate_promotion, is_looked_at};
use program::revenue::RevenueIndex;
use sea_orm::DatabaseTransaction;

use crate::load::invoices::{InvoiceSet, Scope};
use crate::load::row::{LoadError, execute};
use crate::load::{Knowledge, deals, revenue};

/// A tier from a day on, found by a look between reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The member.
    pub partner: PartnerNo,
    /// From this day on.
    pub from: Date,
    /// The rank.
    pub rank: usize,
}

/// Whether any version that holds in the days promotes between reviews.
#[must_use]
pub fn promotes_between_reviews(knowledge: &Knowledge, from: Date, through: Date) -> bool {
    let versions = knowledge.versions.iter().filter(|version| version.effective_from <= through);
    versions.filter(|version| version.programme.recertification.promotion == Promotion::Immediate).count() > 0 && from <= through
}

/// Whether any tier's `requires` of a version names a fact.
#[must_use]
pub fn requires_name(version: &Programme, fact: &Fact) -> bool {
    version.tiers.iter().filter_map(|tier| tier.requires.as_ref()).any(|requires| requires.names(fact))
}

/// Looks at every member on the first day of the period and on the day after each paid date of its items, up to `through`, and applies what
/// it finds to the directory.
///
/// # Errors
/// The database failed; reasons of data are collected in `wrong`.
pub async fn look(
    tx: &DatabaseTransaction,
    knowledge: &mut Knowledge,
    period: Period,
    through: Date,
    wrong: &mut Vec<String>,
) -> Result<Vec<Found>, LoadError> {
    let first = period.first_day();
    let through = through.min(period.last_day());
    if !promotes_between_reviews(knowledge, first, through) {
        return Ok(Vec::new());
    }
    let days = days_to_look_at(tx, knowledge, first, through).await?;
    let fx = knowledge.fx.clone();
    let entries = revenue::entries(tx, knowledge, months_before(first, 12), days_after(through, 1)).await?;
    let index = RevenueIndex::new(&fx, entries);
    let needs_deals = knowledge.versions.iter().any(|version| requires_name(&version.programme, &Fact::ActiveDeals));
    let deals = if needs_deals { Some(deals::DealBook::load(tx, knowledge).await?) } else { None };
    let mut found = Vec::new();
    for (day, partners) in days {
        let version = knowledge.versions.on(day).programme.clone();
        if version.recertification.promotion != Promotion::Immediate {
            continue;
        }
        let active_deals = deals.as_ref().map(|deals| deals.active_on(knowledge, day)).unwrap_or_default();
        for partner in partners {
            if !is_looked_at(&knowledge.directory, partner, day, &knowledge.freezes) {
                continue;
            }
            let t12m = index.trailing_twelve_months(partner, day, version.recertification.customer_min_age_days);
            let promoted = t12m.and_then(|t12m| {
                let active_deals = active_deals.get(&partner).copied().unwrap_or(0);
                let standing = Standing { version: &version, directory: &knowledge.directory, partner, on: day, t12m, revenue: &index, active_deals };
                immediate_promotion(&standing, &knowledge.freezes)
            });
            match promoted {
                Ok(None) => {}
                Ok(Some(rank)) => {
                    let tier = version.tiers[rank].id.as_str().into();
                    knowledge.directory.partner_mut(partner).assign(Assignment { effective_from: day, tier, origin: Origin::Immediate });
                    found.push(Found { partner, from: day, rank });
                }
                Err(reason) => wrong.push(format!("tier of {} on {day}: {reason}", knowledge.directory.id(partner))),
            }
        }
    }
    Ok(found)
}

/// By day, the members to look at.
async fn days_to_look_at(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    first: Date,
    through: Date,
) -> Result<BTreeMap<Date, BTreeSet<PartnerNo>>, LoadError> {
    let zone = knowledge.versions.constant().timezone;
    let mut days: BTreeMap<Date, BTreeSet<PartnerNo>> = BTreeMap::new();
    let members = knowledge.directory.iter().filter(|(_, partner)| !partner.tiers.is_empty()).map(|(no, _)| no);
    days.entry(first).or_default().extend(members);
    let from = program::calendar::Instant::start_of(first, zone).0;
    let before = program::calendar::Instant::start_of(through, zone).0;
    if from < before {
        let set = InvoiceSet::load(tx, knowledge, &Scope::paid_between(from, before)).await?;
        let sourced = program::programme::SOURCED.into();
        for (place, invoice) in set.invoices.iter().enumerate() {
            for item in &invoice.items {
                for credit in set.credits(knowledge, place, item, &sourced) {
                    days.entry(days_after(invoice.paid_on, 1)).or_default().insert(credit.partner);
                }
            }
        }
    }
    Ok(days)
}

/// Stores what was found, as known at the knowledge's cut-off.
///
/// # Errors
/// The database failed.
pub async fn store(tx: &DatabaseTransaction, knowledge: &Knowledge, found: &[Found], found_in: Option<Period>, seq: i64) -> Result<(), LoadError> {
    let insert = "INSERT INTO tier_assignments (program, partner, effective_from, tier, origin, reason, found_in, seq) \
                  VALUES (?, ?, ?, ?, 'immediate', 'threshold crossed', ?, ?)";
    for Found { partner, from, rank } in found {
        let tier = knowledge.versions.constant().tiers[*rank].id.clone();
        let values = vec![
            (&*knowledge.program).into(),
            (&**knowledge.directory.id(*partner)).into(),
            from.to_string().into(),
            tier.into(),
            found_in.map(|period| period.to_string()).into(),
            seq.into(),
        ];
        execute(tx, insert, values).await?;
    }
    Ok(())
}
