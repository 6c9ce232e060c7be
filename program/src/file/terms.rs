//! `[settlement]`, `[recertification]`, `[coop]`, `[hierarchy]` and `[mdf]`: the terms of a programme.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::errors::Findings;
use super::header::report_currency;
use super::ids::Ids;
use super::schedule;
use super::section::{Field, Keys, Section};
use super::values::RATE_MAX;
use crate::calendar::Period;
use crate::money::{Currency, Rate};
use crate::programme::{ApprovalStep, Coop, Hierarchy, Mdf, Promotion, Recertification, SettlementTerms};

const SETTLEMENT_KEYS: Keys = Keys {
    required: &["first_period"],
    optional: &["schedule", "minimum_payout", "minimum_payout_in", "release", "hold_days", "net_processing_cost"],
};
const RECERTIFICATION_KEYS: Keys =
    Keys { required: &[], optional: &["schedule", "promotion", "grace_cycles", "max_demotion_steps", "customer_min_age_days"] };
const COOP_KEYS: Keys = Keys { required: &[], optional: &["funded_by", "expires_after_months"] };
const HIERARCHY_KEYS: Keys = Keys { required: &[], optional: &["mode", "levels", "paid_by", "inactive", "share_spiffs", "max_total_rate"] };
const MDF_KEYS: Keys = Keys { required: &[], optional: &["cost_share", "approvals"] };
const APPROVAL_KEYS: Keys = Keys { required: &["role"], optional: &["within", "remind_every", "escalate_to", "over"] };

/// Ten years: a bound on everything counted in days.
const DAYS_MAX: u32 = 3_650;

/// A hundred years: a bound on everything counted in months.
const MONTHS_MAX: u32 = 1_200;

/// A bound on reviews in a row and on steps of tiers.
const CYCLES_MAX: u32 = 1_000;

/// The deepest hierarchy with rates.
const LEVELS_MAX: usize = 32;

/// When and what is paid; `None` without a first period, which was reported.
pub(super) fn settlement(found: &mut Findings<'_>, root: &Section<'_>, currency: Option<Currency>) -> Option<SettlementTerms> {
    let section = root.section(found, "settlement", &SETTLEMENT_KEYS)?;
    let first_period = section.field("first_period").and_then(|field| period(found, &field));
    let schedule = section.field("schedule").and_then(|field| schedule::read(found, &field));
    let minimum = section.field("minimum_payout").and_then(|field| field.amount_minor(found, currency));
    let minimum_payout_in = section.field("minimum_payout_in").map(|field| minimums(found, &field)).unwrap_or_default();
    if let (Some(currency), Some(field)) = (currency, section.field("minimum_payout"))
        && minimum_payout_in.contains_key(&currency)
    {
        let reason = format!("{currency} has two minimum payouts: here and in `minimum_payout_in`");
        found.add_with_help(field.key_span, reason, "leave one of them out");
    }
    let release = section.field("release").and_then(|field| field.choice(found)).unwrap_or_default();
    let hold_days = section.field("hold_days").and_then(|field| field.count(found, 0..=DAYS_MAX)).unwrap_or_default();
    let net_processing_cost = section.field("net_processing_cost").and_then(|field| field.flag(found)).unwrap_or_default();
    Some(SettlementTerms {
        first_period: first_period?,
        schedule,
        minimum_payout_minor: minimum.unwrap_or_default(),
        minimum_payout_in,
        release,
        hold_days,
        net_processing_cost,
    })
}

fn period(found: &mut Findings<'_>, field: &Field<'_>) -> Option<Period> {
    let text = field.text(found)?;
    match text.parse() {
        Ok(period) => Some(period),
        Err(error) => {
            found.add(field.span.clone(), format!("`{}`: {error}", field.key));
            None
        }
    }
}

fn minimums(found: &mut Findings<'_>, field: &Field<'_>) -> BTreeMap<Currency, i64> {
    let mut minimums = BTreeMap::new();
    for entry in field.entries(found) {
        match entry.key.parse::<Currency>() {
            Ok(currency) => {
                if let Some(minor) = entry.amount_minor(found, Some(currency)) {
                    minimums.insert(currency, minor);
                }
            }
            Err(error) => report_currency(found, entry.key_span.clone(), entry.key, &error),
        }
    }
    minimums
}

/// Reviews (domain.md §5).
pub(super) fn recertification(found: &mut Findings<'_>, root: &Section<'_>) -> Recertification {
    let mut terms =
        Recertification { schedule: None, promotion: Promotion::default(), grace_cycles: 1, max_demotion_steps: 1, customer_min_age_days: 0 };
    let Some(section) = root.section(found, "recertification", &RECERTIFICATION_KEYS) else { return terms };
    terms.schedule = section.field("schedule").and_then(|field| schedule::read(found, &field));
    terms.promotion = section.field("promotion").and_then(|field| field.choice(found)).unwrap_or_default();
    let mut count = |key: &str, range, default| section.field(key).and_then(|field| field.count(found, range)).unwrap_or(default);
    terms.grace_cycles = count("grace_cycles", 0..=CYCLES_MAX, 1);
    terms.max_demotion_steps = count("max_demotion_steps", 1..=CYCLES_MAX, 1);
    terms.customer_min_age_days = count("customer_min_age_days", 0..=DAYS_MAX, 0);
    terms
}

/// The co-op fund (domain.md §3.9, §6.2).
pub(super) fn coop(found: &mut Findings<'_>, root: &Section<'_>) -> Coop {
    let Some(section) = root.section(found, "coop", &COOP_KEYS) else { return Coop::default() };
    Coop {
        funded_by: section.field("funded_by").and_then(|field| field.choice(found)).unwrap_or_default(),
        expires_after_months: section.field("expires_after_months").and_then(|field| field.count(found, 1..=MONTHS_MAX)),
    }
}

/// Overrides (domain.md §3.10).
pub(super) fn hierarchy(found: &mut Findings<'_>, root: &Section<'_>) -> Option<Hierarchy> {
    let section = root.section(found, "hierarchy", &HIERARCHY_KEYS)?;
    Some(Hierarchy {
        mode: section.field("mode").and_then(|field| field.choice(found)).unwrap_or_default(),
        levels: section.field("levels").map(|field| levels(found, &field)).unwrap_or_default(),
        paid_by: section.field("paid_by").and_then(|field| field.choice(found)).unwrap_or_default(),
        inactive: section.field("inactive").and_then(|field| field.choice(found)).unwrap_or_default(),
        share_spiffs: section.field("share_spiffs").and_then(|field| field.flag(found)).unwrap_or_default(),
        max_total_rate: section.field("max_total_rate").and_then(|field| field.rate(found, RATE_MAX)),
    })
}

fn levels(found: &mut Findings<'_>, field: &Field<'_>) -> Vec<Rate> {
    let DeValue::Array(array) = field.value else {
        found.add_with_help(field.span.clone(), "`levels` must be a list", "write levels = [\"3%\", \"1%\"], the parent's rate first");
        return Vec::new();
    };
    if array.len() > LEVELS_MAX {
        found.add(field.span.clone(), format!("`levels` has {} rates; at most {LEVELS_MAX} are taken", array.len()));
    }
    array.iter().take(LEVELS_MAX).filter_map(|level| field.element(level).rate(found, RATE_MAX)).collect()
}

/// Claims (domain.md §6.3).
pub(super) fn mdf(found: &mut Findings<'_>, root: &Section<'_>, currency: Option<Currency>) -> Option<Mdf> {
    let section = root.section(found, "mdf", &MDF_KEYS)?;
    let cost_share = section.field("cost_share").and_then(|field| field.rate(found, Rate::ONE)).unwrap_or_default();
    let mut roles = Ids::default();
    let sections = section.sections(found, "approvals", "mdf.approvals", &APPROVAL_KEYS);
    let approvals = sections.iter().map(|step| approval(found, step, &mut roles, currency)).collect();
    Some(Mdf { cost_share, approvals })
}

/// A step waits under its role's name, so a route names each role once.
fn approval<'d>(found: &mut Findings<'_>, section: &Section<'d>, roles: &mut Ids<'d>, currency: Option<Currency>) -> ApprovalStep {
    let within_s = section.field("within").and_then(|field| field.seconds(found));
    if let (Some(field), None) = (section.field("escalate_to"), section.field("within")) {
        let help = "add within = \"48h\", or leave `escalate_to` out";
        found.add_with_help(field.key_span, "`escalate_to` needs `within`: the time after which the step goes there", help);
    }
    ApprovalStep {
        role: section.field("role").and_then(|field| roles.take(found, &field)).unwrap_or_default(),
        over_minor: section.field("over").and_then(|field| field.amount_minor(found, currency)),
        within_s,
        remind_every_s: section.field("remind_every").and_then(|field| field.seconds(found)),
        escalate_to: section.field("escalate_to").and_then(|field| field.id(found)).map(Into::into),
    }
}
