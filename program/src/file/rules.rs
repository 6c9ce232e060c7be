//! `[[rules]]`, `[[rates]]` and `[[rankings]]`: what is paid beside or instead of the tier's rate.

use std::collections::BTreeMap;

use super::choices::Choice;
use super::conditions::condition;
use super::errors::Findings;
use super::ids::Ids;
use super::section::{Field, Keys, Section, shown};
use super::values::RATE_MAX;
use crate::condition::names::nearest;
use crate::condition::{Condition, MetricKind, Scope};
use crate::money::{Currency, Rate};
use crate::programme::{Ranking, RateEntry, Reward, Role, Rule, RuleKind, SOURCED, Tier, Window};

const RULE_KEYS: Keys = Keys { required: &["id", "kind"], optional: &["rate", "amount", "when", "from", "through", "window_on", "pays", "partners"] };
const RATE_KEYS: Keys = Keys { required: &["id", "rate"], optional: &["partner", "tiers", "role", "when", "from", "through"] };
const RANKING_KEYS: Keys = Keys { required: &["id", "top", "rate"], optional: &["applies", "from", "through"] };

/// What the rest of the file declares and rules refer to.
pub(super) struct Declared<'a> {
    pub(super) currency: Option<Currency>,
    pub(super) tiers: &'a [Tier],
    pub(super) roles: &'a BTreeMap<String, Role>,
    pub(super) metrics: &'a BTreeMap<String, MetricKind>,
}

/// What a rule is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Spiff,
    VolumeBonus,
}

impl Choice for Kind {
    const WORDS: &'static [(&'static str, Self)] = &[("spiff", Self::Spiff), ("volume_bonus", Self::VolumeBonus)];
}

/// Spiffs and volume bonuses (domain.md §3.5, §3.6).
pub(super) fn rules(found: &mut Findings<'_>, root: &Section<'_>, declared: &Declared<'_>) -> Vec<Rule> {
    let (mut ids, mut rules) = (Ids::default(), Vec::new());
    for section in root.sections(found, "rules", "rules", &RULE_KEYS) {
        let id = ids.of(found, &section);
        let kind = match section.field("kind").and_then(|field| field.choice(found)) {
            Some(Kind::Spiff) => spiff(found, &section, declared.currency),
            Some(Kind::VolumeBonus) => volume_bonus(found, &section),
            None => RuleKind::VolumeBonus { rate: Rate::ZERO },
        };
        let partners = section.field("partners").and_then(|field| field.ids(found));
        rules.push(Rule {
            id,
            kind,
            when: when(found, &section, declared),
            window: window(found, &section),
            partners: partners.map(|fields| texts(found, &fields)),
        });
    }
    rules
}

fn spiff(found: &mut Findings<'_>, section: &Section<'_>, currency: Option<Currency>) -> RuleKind {
    let reward = match (section.field("rate"), section.field("amount")) {
        (Some(rate), None) => rate.rate(found, RATE_MAX).map(Reward::Rate),
        (None, Some(amount)) => amount.amount_minor(found, currency).map(Reward::Amount),
        (Some(_), Some(amount)) => {
            found.add_with_help(amount.key_span, "a spiff has a `rate` or an `amount`, not both", "leave one of them out");
            None
        }
        (None, None) => {
            let help = "add rate = \"3%\", or amount = \"500.00\" for a flat amount once per deal";
            found.add_with_help(section.span.clone(), "this spiff has neither `rate` nor `amount`", help);
            None
        }
    };
    RuleKind::Spiff {
        reward: reward.unwrap_or(Reward::Rate(Rate::ZERO)),
        window_on: section.field("window_on").and_then(|field| field.choice(found)).unwrap_or_default(),
        pays: section.field("pays").and_then(|field| field.choice(found)).unwrap_or_default(),
    }
}

fn volume_bonus(found: &mut Findings<'_>, section: &Section<'_>) -> RuleKind {
    for key in ["amount", "window_on", "pays"] {
        if let Some(field) = section.field(key) {
            let help = "a volume bonus has a `rate`, and its window watches the paid date";
            found.add_with_help(field.key_span, format!("`{key}` belongs to spiffs only"), help);
        }
    }
    let rate = section.field("rate");
    if rate.is_none() {
        found.add(section.span.clone(), "`rate` is missing in this volume bonus");
    }
    let rate = rate.and_then(|field| field.rate(found, RATE_MAX));
    RuleKind::VolumeBonus { rate: rate.unwrap_or_default() }
}

/// Base rates before the tier's (domain.md §3.4).
pub(super) fn rates(found: &mut Findings<'_>, root: &Section<'_>, declared: &Declared<'_>) -> Vec<RateEntry> {
    let (mut ids, mut rates) = (Ids::default(), Vec::new());
    for section in root.sections(found, "rates", "rates", &RATE_KEYS) {
        let id = ids.of(found, &section);
        let tiers = section.field("tiers").and_then(|field| field.ids(found));
        for tier in tiers.iter().flatten() {
            check_tier(found, tier, declared.tiers);
        }
        let role = section.field("role").and_then(|field| role(found, &field, declared.roles));
        rates.push(RateEntry {
            id,
            rate: section.field("rate").and_then(|field| field.rate(found, RATE_MAX)).unwrap_or_default(),
            partner: section.field("partner").and_then(|field| field.id(found)).map(Into::into),
            tiers: tiers.map(|fields| texts(found, &fields)),
            role,
            when: when(found, &section, declared),
            window: window(found, &section),
        });
    }
    rates
}

fn check_tier(found: &mut Findings<'_>, field: &Field<'_>, tiers: &[Tier]) {
    let Some(id) = field.text(found) else { return };
    if tiers.iter().any(|tier| tier.id == id) {
        return;
    }
    let known = tiers.iter().map(|tier| tier.id.as_str());
    let help = nearest(id, known).map_or_else(|| "name the id of a tier of this file".into(), |near| format!("did you mean {near:?}?"));
    found.add_with_help(field.span.clone(), format!("`tiers`: there is no tier {:?}", shown(id)), help);
}

fn role(found: &mut Findings<'_>, field: &Field<'_>, roles: &BTreeMap<String, Role>) -> Option<String> {
    let name = field.id(found)?;
    if name != SOURCED && !roles.contains_key(name) {
        let known = roles.keys().map(String::as_str).chain([SOURCED]);
        let help = nearest(name, known).map_or_else(|| format!("declare it: [roles.{}]", shown(name)), |near| format!("did you mean {near:?}?"));
        found.add_with_help(field.span.clone(), format!("`role`: {:?} is not declared", shown(name)), help);
        return None;
    }
    Some(name.into())
}

/// Stack ranks (domain.md §5.4).
pub(super) fn rankings(found: &mut Findings<'_>, root: &Section<'_>) -> Vec<Ranking> {
    let (mut ids, mut rankings) = (Ids::default(), Vec::new());
    for section in root.sections(found, "rankings", "rankings", &RANKING_KEYS) {
        let id = ids.of(found, &section);
        let top = section.field("top").and_then(|field| Some((field.rate(found, Rate::ONE)?, field.span)));
        if let Some((Rate::ZERO, span)) = &top {
            found.add_with_help(span.clone(), "`top` of 0 % means that nobody wins", "write it like \"10%\", or leave the ranking out");
        }
        rankings.push(Ranking {
            id,
            top: top.map(|(top, _)| top).unwrap_or_default(),
            rate: section.field("rate").and_then(|field| field.rate(found, RATE_MAX)).unwrap_or_default(),
            applies: section.field("applies").and_then(|field| field.choice(found)).unwrap_or_default(),
            window: window(found, &section),
        });
    }
    rankings
}

fn when(found: &mut Findings<'_>, section: &Section<'_>, declared: &Declared<'_>) -> Option<Condition> {
    section.field("when").and_then(|field| condition(found, &field, Scope::When, declared.metrics))
}

fn window(found: &mut Findings<'_>, section: &Section<'_>) -> Window {
    let from = section.field("from").and_then(|field| field.date(found));
    let last = section.field("through");
    let through = last.as_ref().and_then(|field| field.date(found));
    if let (Some(from), Some(through), Some(field)) = (from, through, last)
        && through < from
    {
        found.add_with_help(field.span, format!("`through`: {through} lies before `from`, {from}"), "`from` is the first day, `through` the last");
    }
    Window { from, through }
}

fn texts(found: &mut Findings<'_>, fields: &[Field<'_>]) -> Vec<String> {
    fields.iter().filter_map(|field| field.text(found)).map(Into::into).collect()
}
