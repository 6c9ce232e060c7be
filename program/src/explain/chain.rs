//! What each ancestor of a credited partner got or would have got, and why not (domain.md §3.10–3.11).

use serde::Serialize;

use super::Reason;
use crate::component::Component;
use crate::credit::Credit;
use crate::line::Line;
use crate::member::PartnerNo;
use crate::money::Rate;
use crate::programme::{Hierarchy, HierarchyMode, Inactive, PaidBy, SOURCED};
use crate::rating::{CreditFacts, ItemCase, base_rate};

/// The chain above a credited partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainShown {
    /// `override`, `share` or `differential`; `None`: the programme has no overrides.
    pub mode: Option<&'static str>,
    /// `vendor` or `child`.
    pub paid_by: Option<&'static str>,
    /// What an inactive ancestor does: `breakage` or `compress`.
    pub inactive: Option<&'static str>,
    /// The ancestors on the paid date, nearest first.
    pub layers: Vec<LayerShown>,
    /// Why nobody above gets anything.
    pub reason: Option<Reason>,
    /// Of the item's amount and share, what base, spiffs, bonuses and overrides may come to.
    pub max_total_rate: Option<String>,
    /// That in money.
    pub max_total: Option<String>,
}

/// An ancestor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerShown {
    /// Its id.
    pub partner: String,
    /// Its level; `None`: removed from the chain.
    pub level: Option<u32>,
    /// Its status on the paid date; `not a member` before its first tier.
    pub status: &'static str,
    /// Its effective tier.
    pub tier: Option<String>,
    /// The rate of the link that leads to it.
    pub link_rate: Option<String>,
    /// The rate that applies to it: its level's or its link's; in `differential` mode what its base rate is above those below.
    pub rate: Option<String>,
    /// In `differential` mode its base rate for the item.
    pub base_rate: Option<String>,
    /// What that rate is applied to.
    pub base: Option<String>,
    /// What it got.
    pub amount: Option<String>,
    /// Why it got nothing, or less.
    pub reason: Option<Reason>,
}

/// The chain of a credit, next to the lines that it earned.
///
/// `base` is the rate of the credited partner's base line, `lines` are all lines of the credit.
#[must_use]
pub fn chain(case: &ItemCase<'_>, credit: &Credit, base: Rate, lines: &[Line]) -> ChainShown {
    let ancestors = case.directory.ancestors(credit.partner, case.day());
    let mut shown = ChainShown { mode: None, paid_by: None, inactive: None, layers: Vec::new(), reason: None, max_total_rate: None, max_total: None };
    let Some(hierarchy) = &case.version.hierarchy else {
        shown.reason = Some(Reason::new("no_hierarchy", "the programme has no overrides"));
        shown.layers = ancestors.into_iter().map(|(partner, link_rate)| blank(case, partner, link_rate)).collect();
        return shown;
    };
    (shown.mode, shown.paid_by, shown.inactive) = (Some(mode(hierarchy)), Some(paid_by(hierarchy)), Some(inactive(hierarchy)));
    let extras = case.version.role(&credit.role).is_some_and(|role| role.extras);
    let member = case.directory.partner(credit.partner).earned_tier(case.day()).is_some();
    if ancestors.is_empty() {
        shown.reason = Some(Reason::new("no_parent", "it has no parent on that day"));
    } else if !extras {
        shown.reason = Some(Reason::new("role", format!("role {} carries no extras", credit.role)));
    } else if !member {
        shown.reason = Some(Reason::new("not_a_member", "it was not yet a member, so the credit earns nobody anything"));
    }
    if let Some(max) = hierarchy.max_total_rate.filter(|_| hierarchy.paid_by == PaidBy::Vendor) {
        shown.max_total_rate = Some(max.to_string());
        shown.max_total = max.floor_of(case.item.amount_minor, credit.share).ok().map(|most| case.invoice.currency.format_minor(most));
    }
    let mut climb =
        Climb { case, credit, hierarchy, lines, highest: base, got_minor: passed_up(case, hierarchy, credit, lines), broken: false, place: 0 };
    for (partner, link_rate) in ancestors {
        let mut layer = blank(case, partner, link_rate);
        if shown.reason.is_none() {
            climb.step(partner, link_rate, &mut layer);
        }
        shown.layers.push(layer);
    }
    shown
}

fn mode(hierarchy: &Hierarchy) -> &'static str {
    match hierarchy.mode {
        HierarchyMode::Override => "override",
        HierarchyMode::Share => "share",
        HierarchyMode::Differential => "differential",
    }
}

fn paid_by(hierarchy: &Hierarchy) -> &'static str {
    match hierarchy.paid_by {
        PaidBy::Vendor => "vendor",
        PaidBy::Child => "child",
    }
}

fn inactive(hierarchy: &Hierarchy) -> &'static str {
    match hierarchy.inactive {
        Inactive::Breakage => "breakage",
        Inactive::Compress => "compress",
    }
}

fn blank(case: &ItemCase<'_>, partner: PartnerNo, link_rate: Option<Rate>) -> LayerShown {
    let facts = case.directory.partner(partner);
    let member = facts.earned_tier(case.day()).is_some();
    LayerShown {
        partner: facts.id.0.to_string(),
        level: None,
        status: if member { facts.status(case.day()).name() } else { "not a member" },
        tier: facts.effective_tier(case.day(), case.version).map(|rank| case.version.tiers[rank].id.clone()),
        link_rate: link_rate.map(|rate| rate.to_string()),
        rate: None,
        base_rate: None,
        base: None,
        amount: None,
        reason: None,
    }
}

/// What the credited partner got of what `share` mode passes up.
fn passed_up(case: &ItemCase<'_>, hierarchy: &Hierarchy, credit: &Credit, lines: &[Line]) -> i64 {
    let own = lines.iter().filter(|line| line.level == 0 && line.payee == *case.directory.id(credit.partner));
    own.filter(|line| line.component.spec().shared && (line.component != Component::SPIFF || hierarchy.share_spiffs))
        .map(|line| line.amount_minor)
        .sum()
}

/// The way up the chain.
struct Climb<'a> {
    case: &'a ItemCase<'a>,
    credit: &'a Credit,
    hierarchy: &'a Hierarchy,
    lines: &'a [Line],
    /// The highest base rate so far (`differential`).
    highest: Rate,
    /// What the layer below got (`share`), minor units.
    got_minor: i64,
    /// Whether a layer below got nothing, so that nothing is left to share.
    broken: bool,
    /// How many layers stand below.
    place: usize,
}

impl Climb<'_> {
    fn step(&mut self, partner: PartnerNo, link_rate: Option<Rate>, layer: &mut LayerShown) {
        let active = self.case.directory.partner(partner).active(self.case.day());
        if !active && self.hierarchy.inactive == Inactive::Compress {
            layer.reason = Some(Reason::new("compressed", "not active on that day, so it is left out of the chain"));
            return;
        }
        let place = self.place;
        self.place += 1;
        layer.level = u32::try_from(place + 1).ok();
        let (rate, base_minor, share) = match self.hierarchy.mode {
            HierarchyMode::Differential => {
                let own = self.ancestor_rate(partner);
                layer.base_rate = own.map(|rate| rate.to_string());
                let above = own.map(|own| own.above(self.highest));
                self.highest = self.highest.max(own.unwrap_or_default());
                (above, self.case.item.amount_minor, self.credit.share)
            }
            HierarchyMode::Override => (self.level_rate(place, link_rate), self.case.item.amount_minor, self.credit.share),
            HierarchyMode::Share => (self.level_rate(place, link_rate), self.got_minor, Rate::ONE),
        };
        layer.rate = rate.map(|rate| rate.to_string());
        let text = |minor| self.case.invoice.currency.format_minor(minor);
        layer.base = rate.map(|_| text(base_minor));
        let line = self
            .lines
            .iter()
            .find(|line| line.component == Component::OVERRIDE && line.payee == *self.case.directory.id(partner) && Some(line.level) == layer.level);
        layer.amount = line.map(|line| text(line.amount_minor));
        layer.reason = match line {
            Some(line) => {
                line.uncut_minor.map(|uncut| Reason::new("cut", format!("cut from {} to {} by max_total_rate", text(uncut), text(line.amount_minor))))
            }
            None => Some(self.refusal(active, rate, base_minor, share)),
        };
        self.broken |= line.is_none() && self.hierarchy.mode == HierarchyMode::Share;
        self.got_minor = line.map_or(0, |line| line.uncut_minor.unwrap_or(line.amount_minor));
    }

    fn refusal(&self, active: bool, rate: Option<Rate>, base_minor: i64, share: Rate) -> Reason {
        if !active {
            return Reason::new("inactive", "not active on that day: its level stays unpaid");
        }
        let Some(rate) = rate else {
            return Reason::new("beyond_levels", format!("the programme pays {} levels", self.hierarchy.levels.len()));
        };
        let below_active = self.case.directory.partner(self.credit.partner).active(self.case.day());
        if self.hierarchy.mode == HierarchyMode::Share && (self.broken || !below_active) {
            return Reason::new("nothing_below", "the layer below got nothing, so there is nothing to share");
        }
        if self.hierarchy.mode == HierarchyMode::Differential && rate == Rate::ZERO {
            return Reason::new("no_difference", "its base rate is not above those below it");
        }
        match rate.of(base_minor, share, self.case.version.rounding) {
            Ok(0) => Reason::new("zero", "it comes to zero, and such a line is not made"),
            _ => Reason::new("cut", "cut by max_total_rate: what stands below it leaves nothing"),
        }
    }

    fn level_rate(&self, place: usize, link_rate: Option<Rate>) -> Option<Rate> {
        self.hierarchy.levels.get(place).map(|level_rate| link_rate.unwrap_or(*level_rate))
    }

    /// The ancestor's base rate for the item by its own facts; `None` where it can't be told.
    fn ancestor_rate(&self, partner: PartnerNo) -> Option<Rate> {
        let facts = self.case.directory.partner(partner);
        let Some(tier) = facts.effective_tier(self.case.day(), self.case.version) else { return Some(Rate::ZERO) };
        base_rate(&CreditFacts { case: self.case, partner, tier: Some(tier), role: SOURCED }).map(|(rate, _)| rate).ok()
    }
}
