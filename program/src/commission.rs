//! What one credit of one item earns, for every payee (domain.md §3).

use crate::cascade::{self, Below};
use crate::component::Component;
use crate::condition::FactError;
use crate::credit::Credit;
use crate::exact::Overflow;
use crate::line::{Line, Source, Text};
use crate::member::PartnerNo;
use crate::money::{Rate, Rounding};
use crate::programme::{FundedBy, Reward, Role, Rule, RuleKind};
use crate::rating::{CreditFacts, ItemCase, RatingError, base_rate};
use crate::spiff::{self, Grant};

/// What is known about an item's credit beside the item itself.
#[derive(Debug, Clone, Copy)]
pub struct Earning<'a> {
    /// The credit.
    pub credit: &'a Credit,
    /// The bases that spiffs have on this item.
    pub grants: &'a [Grant],
    /// The rankings that the credited partner won, with their rates.
    pub ranks: &'a [(Text, Rate)],
    /// The item's part of the processing cost, minor units.
    pub cost_minor: i64,
}

/// The lines of one credit as they are being made.
pub(crate) struct Draft<'a> {
    pub(crate) case: &'a ItemCase<'a>,
    pub(crate) credit: &'a Credit,
    pub(crate) rounding: Rounding,
    pub(crate) lines: Vec<Line>,
}

impl Draft<'_> {
    /// A line for the credited partner itself, not yet of any component.
    pub(crate) fn line(&self, payee: PartnerNo, component: Component) -> Line {
        let ItemCase { invoice, item, directory, version, .. } = *self.case;
        let tier = directory.partner(payee).effective_tier(invoice.paid_on, version);
        Line {
            payee: directory.id(payee).clone(),
            currency: invoice.currency,
            source: Source::Invoice,
            source_id: invoice.id.clone(),
            invoice: Some(invoice.id.clone()),
            item: item.id.clone(),
            role: Some(self.credit.role.clone()),
            component,
            rule: None,
            rate_source: None,
            part: 0,
            level: 0,
            from_partner: directory.id(self.credit.partner).clone(),
            earned_on: invoice.paid_on,
            tier: tier.map(|rank| version.tiers[rank].id.as_str().into()),
            base_minor: item.amount_minor,
            rate: None,
            share: self.credit.share,
            amount_minor: 0,
            uncut_minor: None,
            referred_minor: 0,
            late_from: None,
            corrects: None,
            version: self.case.version_number,
        }
    }

    fn own(&mut self, component: Component, rule: Option<&str>, base_minor: i64, rate: Option<Rate>, amount_minor: i64) {
        if amount_minor == 0 && !component.spec().kept_at_zero {
            return;
        }
        let mut line = self.line(self.credit.partner, component);
        line.rule = rule.map(Into::into);
        (line.base_minor, line.rate, line.amount_minor) = (base_minor, rate, amount_minor);
        self.lines.push(line);
    }

    fn rated(&mut self, component: Component, rule: Option<&str>, base_minor: i64, rate: Rate) -> Result<(), Overflow> {
        let amount = rate.of(base_minor, self.credit.share, self.rounding)?;
        self.own(component, rule, base_minor, Some(rate), amount);
        Ok(())
    }
}

/// The amount of a spiff on a base for a share, minor units of the invoice's currency (domain.md §3.5).
///
/// # Errors
/// A missing rate for a flat amount, or an overflow.
pub fn spiff_amount(case: &ItemCase<'_>, rule: &Rule, base_minor: i64, share: Rate) -> Result<i64, FactError> {
    let rounding = case.version.rounding;
    match &rule.kind {
        RuleKind::Spiff { reward: Reward::Rate(rate), .. } => Ok(rate.of(base_minor, share, rounding)?),
        RuleKind::Spiff { reward: Reward::Amount(amount), .. } => case.fx.convert_back(*amount, case.invoice.currency, case.day(), share, rounding),
        RuleKind::VolumeBonus { .. } => Ok(0),
    }
}

/// All lines of one credit of one item: base, spiffs, bonuses, processing cost, co-op and overrides, for every payee.
///
/// A partner that is not active earns nothing, but what it would have earned decides its ancestors' lines (§3.11); a credit of a partner
/// that is not yet a member earns nobody anything (§3.3).
///
/// # Errors
/// A fact that is needed can't be had, or an amount overflows; the invoice is named.
pub fn lines(case: &ItemCase<'_>, earning: &Earning<'_>) -> Result<Vec<Line>, RatingError> {
    let partner = case.directory.partner(earning.credit.partner);
    let Some(tier) = partner.effective_tier(case.day(), case.version) else { return Ok(Vec::new()) };
    let active = partner.active(case.day());
    if !active && case.version.hierarchy.is_none() {
        return Ok(Vec::new());
    }
    let role = case.version.role(&earning.credit.role).unwrap_or_default();
    let facts = CreditFacts { case, partner: earning.credit.partner, tier: Some(tier), role: &earning.credit.role };
    let mut draft = Draft { case, credit: earning.credit, rounding: case.version.rounding, lines: Vec::new() };
    let base = base_line(&mut draft, &facts, role)?;
    if role.extras {
        extras(&mut draft, &facts, earning, tier)?;
    }
    let mut lines = draft.lines;
    let uppers = if role.extras {
        let below = Below { credit: earning.credit, active, base_rate: base, lines: &lines };
        cascade::lines(case, &below)?
    } else {
        Vec::new()
    };
    if !active {
        lines.clear();
    }
    lines.extend(uppers);
    Ok(lines)
}

fn base_line(draft: &mut Draft<'_>, facts: &CreditFacts<'_>, role: Role) -> Result<Rate, RatingError> {
    let case = draft.case;
    let (rate, source) = base_rate(facts).map_err(|reason| case.fact_error(reason))?;
    let label = source.label(case.version);
    draft.rated(Component::BASE, None, case.item.amount_minor, rate).map_err(|reason| case.overflow(reason))?;
    let referred = referred_minor(case.item.amount_minor, draft.credit.share, role, draft.rounding).map_err(|reason| case.overflow(reason))?;
    if let Some(line) = draft.lines.last_mut() {
        line.rate_source = label.map(Into::into);
        line.referred_minor = referred;
    }
    Ok(rate)
}

/// The referred amount of a credit, minor units: round(amount × share) where the role counts, else 0 (domain.md §3.2).
///
/// # Errors
/// [`Overflow`].
pub fn referred_minor(amount_minor: i64, share: Rate, role: Role, rounding: Rounding) -> Result<i64, Overflow> {
    if role.referred { Rate::ONE.of(amount_minor, share, rounding) } else { Ok(0) }
}

fn extras(draft: &mut Draft<'_>, facts: &CreditFacts<'_>, earning: &Earning<'_>, tier: usize) -> Result<(), RatingError> {
    let case = draft.case;
    let share = draft.credit.share;
    for grant in earning.grants {
        let rule = &case.version.rules[grant.rule];
        if spiff::pays(rule, facts).map_err(|reason| case.fact_error(reason))? {
            let amount = spiff_amount(case, rule, grant.base_minor, share).map_err(|reason| case.fact_error(reason))?;
            let rate = match &rule.kind {
                RuleKind::Spiff { reward: Reward::Rate(rate), .. } => Some(*rate),
                RuleKind::Spiff { reward: Reward::Amount(_), .. } | RuleKind::VolumeBonus { .. } => None,
            };
            draft.own(Component::SPIFF, Some(&rule.id), grant.base_minor, rate, amount);
        }
    }
    volume_bonuses(draft, facts, &[])?;
    let amount = case.item.amount_minor;
    for (ranking, rate) in earning.ranks {
        draft.rated(Component::RANK_BONUS, Some(ranking), amount, *rate).map_err(|reason| case.overflow(reason))?;
    }
    if case.version.settlement.net_processing_cost {
        let cost = share.of(earning.cost_minor, Rate::ONE, draft.rounding).map_err(|reason| case.overflow(reason))?;
        draft.own(Component::PROCESSING_COST, None, amount, None, -cost);
    }
    let coop_rate = case.version.tiers[tier].coop_rate;
    let coop = coop_rate.of(amount, share, draft.rounding).map_err(|reason| case.overflow(reason))?;
    draft.own(Component::COOP, None, amount, Some(coop_rate), coop);
    if case.version.coop.funded_by == FundedBy::Commission {
        draft.own(Component::COOP_FUNDING, None, amount, Some(coop_rate), -coop);
    }
    Ok(())
}

/// Volume bonus lines of rules whose condition holds, but for those `posted` already (domain.md §3.6, §4.1).
fn volume_bonuses(draft: &mut Draft<'_>, facts: &CreditFacts<'_>, posted: &[&str]) -> Result<(), RatingError> {
    let case = draft.case;
    for rule in &case.version.rules {
        let RuleKind::VolumeBonus { rate } = &rule.kind else { continue };
        if posted.contains(&rule.id.as_str()) || !rule.window.contains(case.day()) {
            continue;
        }
        if spiff::pays(rule, facts).map_err(|reason| case.fact_error(reason))? {
            draft.rated(Component::VOLUME_BONUS, Some(&rule.id), case.item.amount_minor, *rate).map_err(|reason| case.overflow(reason))?;
        }
    }
    Ok(())
}

/// The volume bonus lines that an item booked before now gets; its tier stays as rated (domain.md §4.1).
///
/// `tier` is the rank that it was rated with, `posted` the rules whose bonus it has.
///
/// # Errors
/// As [`lines`].
pub fn late_volume_bonuses(case: &ItemCase<'_>, credit: &Credit, tier: usize, posted: &[&str]) -> Result<Vec<Line>, RatingError> {
    let facts = CreditFacts { case, partner: credit.partner, tier: Some(tier), role: &credit.role };
    let mut draft = Draft { case, credit, rounding: case.version.rounding, lines: Vec::new() };
    volume_bonuses(&mut draft, &facts, posted)?;
    let tier_id: Text = case.version.tiers[tier].id.as_str().into();
    for line in &mut draft.lines {
        line.tier = Some(tier_id.clone());
    }
    Ok(draft.lines)
}
