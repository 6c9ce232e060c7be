//! `[[tiers]]`, lowest first.

use std::collections::BTreeMap;

use super::conditions::condition;
use super::errors::Findings;
use super::ids::Ids;
use super::section::{Field, Keys, Section};
use super::values::RATE_MAX;
use crate::condition::{MetricKind, Scope};
use crate::exact::Exact;
use crate::money::Currency;
use crate::programme::Tier;

const KEYS: Keys = Keys { required: &["id", "name", "threshold", "rate"], optional: &["coop_rate", "certifications", "requires", "invitation_only"] };

/// The most holders of a certification that a tier may ask for.
const HOLDERS_MAX: u32 = 1_000_000;

/// The most tiers.
const TIERS_MAX: usize = 100;

pub(super) fn tiers(found: &mut Findings<'_>, root: &Section<'_>, currency: Option<Currency>, metrics: &BTreeMap<String, MetricKind>) -> Vec<Tier> {
    let (mut ids, mut highest, mut tiers) = (Ids::default(), Exact::ZERO, Vec::new());
    let sections = root.sections(found, "tiers", "tiers", &KEYS);
    if let (Some(field), true) = (root.field("tiers"), sections.is_empty()) {
        found.add_with_help(field.key_span, "a programme has at least one tier", "begin the base tier with [[tiers]]");
    }
    for section in sections.iter().skip(TIERS_MAX).take(1) {
        found.add(section.span.clone(), format!("a programme has at most {TIERS_MAX} tiers"));
    }
    for section in sections {
        let mut rate = |key: &str| section.field(key).and_then(|field| field.rate(found, RATE_MAX)).unwrap_or_default();
        let (base_rate, coop_rate) = (rate("rate"), rate("coop_rate"));
        let threshold = section.field("threshold").and_then(|field| threshold(found, &field, currency, &mut highest));
        tiers.push(Tier {
            id: ids.of(found, &section),
            name: section.field("name").and_then(|field| field.name(found)).unwrap_or_default().into(),
            threshold: threshold.unwrap_or(Exact::ZERO),
            rate: base_rate,
            coop_rate,
            certifications: section.field("certifications").map(|field| certifications(found, &field)).unwrap_or_default(),
            requires: section.field("requires").and_then(|field| condition(found, &field, Scope::Requires, metrics)),
            invitation_only: section.field("invitation_only").and_then(|field| field.flag(found)).unwrap_or_default(),
        });
    }
    tiers
}

/// A threshold that is not below any before it.
fn threshold(found: &mut Findings<'_>, field: &Field<'_>, currency: Option<Currency>, highest: &mut Exact) -> Option<Exact> {
    let threshold = field.threshold(found, currency)?;
    if threshold < *highest {
        let reason = format!("`threshold`: {threshold} is below {highest} of a tier before it");
        found.add_with_help(field.span.clone(), reason, "order the tiers from the lowest to the highest");
    } else {
        *highest = threshold;
    }
    Some(threshold)
}

fn certifications(found: &mut Findings<'_>, field: &Field<'_>) -> BTreeMap<String, u32> {
    let mut needed = BTreeMap::new();
    for entry in field.entries(found) {
        if let (Some(certification), Some(holders)) = (entry.key_id(found), entry.count(found, 1..=HOLDERS_MAX)) {
            needed.insert(certification.to_owned(), holders);
        }
    }
    needed
}
