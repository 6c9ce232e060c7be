//! The lines that a credit of an item asks for (domain.md §3).

use program::condition::FactError;
use program::programme::{FundedBy, Reward, Rule, RuleKind};

use super::case::Case;
use super::chain::{self, Below};
use super::line::Line;
use super::spiffs::{self, Uses};
use crate::verify::figures::product;
use crate::verify::known::places::Credit;

/// What a credit asks for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Lines that must be there, exactly so.
    pub(crate) lines: Vec<Line>,
    /// Whether override and cascade lines could not be told, and stand as posted.
    pub(crate) chain_not_told: bool,
}

/// What the lines are computed from beside the item.
pub(crate) struct Given<'a> {
    pub(crate) uses: &'a Uses,
    /// The rankings that the credited partner won, with their rates.
    pub(crate) ranks: &'a [(String, i64)],
    /// The lines that the invoice has, where a condition looks at what is not recomputed here.
    pub(crate) posted: &'a [Line],
}

/// All lines of a credit, for every payee.
pub(crate) fn of_credit(case: &Case<'_>, credit: &Credit, given: &Given<'_>) -> Asked {
    let partner = credit.partner.as_str();
    if case.tier_id(partner).is_none() {
        return Asked::default();
    }
    let mut own = Own { case, credit, given, lines: Vec::new(), is_told: true };
    own.base();
    let role = case.role(&credit.role);
    if role.extras {
        own.spiffs();
        own.volume_bonuses();
        own.ranks();
        own.cost_and_coop();
    }
    let (mut lines, is_told) = (own.lines, own.is_told);
    let is_active = case.is_active(partner);
    let mut asked = Asked::default();
    if role.extras {
        let base_rate_micro = lines.iter().find(|line| line.component == "base").and_then(|line| line.rate_micro).unwrap_or(0);
        let below = Below { partner, role: &credit.role, share_micro: credit.share_micro, is_active, base_rate_micro, lines: &lines };
        match chain::lines(case, &below) {
            Ok(chain) if is_told || is_active => asked.lines = chain,
            Ok(_) | Err(_) => asked.chain_not_told = true,
        }
    }
    if !is_active {
        lines.clear();
    }
    asked.lines.extend(lines);
    asked
}

/// The credited partner's own lines.
struct Own<'a> {
    case: &'a Case<'a>,
    credit: &'a Credit,
    given: &'a Given<'a>,
    lines: Vec<Line>,
    /// Whether every condition could be told.
    is_told: bool,
}

impl Own<'_> {
    fn blank(&self, component: &str, rule: &str) -> Line {
        let Credit { partner, role, share_micro, .. } = self.credit;
        Line { rule: rule.into(), share_micro: *share_micro, ..self.case.blank(partner, component, (partner, role)) }
    }

    /// `round(base × rate × share)`; a line that comes to zero is not made (domain.md §2.7).
    fn rated(&mut self, component: &str, rule: &str, base_minor: i64, rate_micro: i64) {
        let Some(amount_minor) = product(base_minor, rate_micro, self.credit.share_micro, self.case.says.rounding) else { return };
        if amount_minor != 0 {
            let line = Line { base_minor, rate_micro: Some(rate_micro), amount_minor, ..self.blank(component, rule) };
            self.lines.push(line);
        }
    }

    fn posted(&self, component: &str, rule: &str) -> Option<&Line> {
        let Credit { partner, role, .. } = self.credit;
        let is_it = |line: &&Line| {
            line.source == "invoice" && line.component == component && line.rule == rule && line.is_of(&self.case.item.id, partner, role)
        };
        self.given.posted.iter().find(is_it)
    }

    fn base(&mut self) {
        let Credit { partner, role, share_micro, .. } = self.credit;
        let told = self.case.base_rate(partner, role);
        self.is_told &= told.is_ok();
        let (rate_micro, rate_source) = told.unwrap_or_else(|_| match self.posted("base", "").filter(|line| self.is_a_rate(line)) {
            Some(line) => (line.rate_micro.unwrap_or(0), line.rate_source.clone()),
            None => (0, None),
        });
        let amount_minor = self.case.item.amount_minor;
        let of = |rate: i64| product(amount_minor, rate, *share_micro, self.case.says.rounding).unwrap_or(0);
        let referred_minor = if self.case.role(role).referred { of(1_000_000) } else { 0 };
        let amount_minor = of(rate_micro);
        let line = Line { rate_micro: Some(rate_micro), rate_source, amount_minor, referred_minor, ..self.blank("base", "") };
        self.lines.push(line);
    }

    /// Whether a posted base line has a rate that the programme knows by the name that the line gives.
    fn is_a_rate(&self, line: &Line) -> bool {
        let says = self.case.says;
        let rate = match line.rate_source.as_deref().and_then(|source| source.split_once(':')) {
            Some(("rates", id)) => says.rates.iter().find(|entry| entry.id == id).map(|entry| entry.rate.micro()),
            Some(("tier", id)) => says.tiers.iter().find(|tier| tier.id == id).map(|tier| tier.rate.micro()),
            _ => Some(0),
        };
        line.rate_micro == rate
    }

    /// Whether a rule is for the partner and its condition holds; `None`: it can't be told.
    fn holds(&mut self, rule: &Rule) -> Option<bool> {
        let partner = &self.credit.partner;
        if rule.partners.as_ref().is_some_and(|named| !named.contains(partner)) {
            return Some(false);
        }
        let holds: Result<bool, FactError> = rule.when.as_ref().map_or(Ok(true), |when| when.holds(&self.case.sight(partner, &self.credit.role)));
        self.is_told &= holds.is_ok();
        holds.ok()
    }

    fn spiffs(&mut self) {
        let says = self.case.says;
        for rule in &says.rules {
            let RuleKind::Spiff { reward, .. } = &rule.kind else { continue };
            let Some(base_minor) = spiffs::base_minor(self.case, rule, self.given.uses) else { continue };
            // What can't be told is as it was posted.
            if !self.holds(rule).unwrap_or_else(|| self.posted("spiff", &rule.id).is_some()) {
                continue;
            }
            match reward {
                Reward::Rate(rate) => self.rated("spiff", &rule.id, base_minor, rate.micro()),
                Reward::Amount(_) => {
                    let amount_minor = spiffs::amount_minor(self.case, reward, base_minor, self.credit.share_micro);
                    self.is_told &= amount_minor.is_some();
                    let amount_minor = amount_minor.or_else(|| self.posted("spiff", &rule.id).map(|line| line.amount_minor)).unwrap_or(0);
                    if amount_minor != 0 {
                        let line = Line { base_minor, amount_minor, ..self.blank("spiff", &rule.id) };
                        self.lines.push(line);
                    }
                }
            }
        }
    }

    /// A bonus may come late: when the settlement of a later period books another invoice of the month (domain.md §4.1).
    fn volume_bonuses(&mut self) {
        let says = self.case.says;
        for rule in &says.rules {
            let RuleKind::VolumeBonus { rate } = &rule.kind else { continue };
            if !rule.window.contains(self.case.paid_on) {
                continue;
            }
            let holds = self.holds(rule);
            let is_for = rule.partners.as_ref().is_none_or(|named| named.contains(&self.credit.partner));
            let posted_in = self.posted("volume_bonus", &rule.id).map(|line| line.period.clone()).filter(|_| is_for && holds != Some(true));
            match posted_in {
                Some(period) if period.as_str() > self.case.period => self.late_bonus(rule, rate.micro(), &period),
                Some(_) if holds.is_none() => self.rated("volume_bonus", &rule.id, self.case.item.amount_minor, rate.micro()),
                _ if holds == Some(true) => self.rated("volume_bonus", &rule.id, self.case.item.amount_minor, rate.micro()),
                _ => {}
            }
        }
    }

    fn late_bonus(&mut self, rule: &Rule, rate_micro: i64, period: &str) {
        let before = self.lines.len();
        self.rated("volume_bonus", &rule.id, self.case.item.amount_minor, rate_micro);
        for line in &mut self.lines[before..] {
            line.late_from = self.case.late_from(period);
            period.clone_into(&mut line.period);
        }
    }

    fn ranks(&mut self) {
        let given = self.given;
        for (ranking, rate_micro) in given.ranks {
            self.rated("rank_bonus", ranking, self.case.item.amount_minor, *rate_micro);
        }
    }

    fn cost_and_coop(&mut self) {
        let says = self.case.says;
        let share_micro = self.credit.share_micro;
        let cost_minor = product(self.case.cost_minor, 1_000_000, share_micro, says.rounding).unwrap_or(0);
        if says.settlement.net_processing_cost && cost_minor != 0 {
            let line = Line { amount_minor: -cost_minor, ..self.blank("processing_cost", "") };
            self.lines.push(line);
        }
        let member = self.case.members.get(&self.credit.partner);
        let rank = member.and_then(|member| member.tier(says, self.case.paid_on, self.case.cutoff)).unwrap_or(0);
        let rate_micro = says.tiers[rank].coop_rate.micro();
        let coop_minor = product(self.case.item.amount_minor, rate_micro, share_micro, says.rounding).unwrap_or(0);
        if coop_minor == 0 {
            return;
        }
        let coop = Line { rate_micro: Some(rate_micro), amount_minor: coop_minor, fund: Some("coop".into()), ..self.blank("coop", "") };
        let funding = Line { rate_micro: Some(rate_micro), amount_minor: -coop_minor, ..self.blank("coop_funding", "") };
        self.lines.push(coop);
        if says.coop.funded_by == FundedBy::Commission {
            self.lines.push(funding);
        }
    }
}
