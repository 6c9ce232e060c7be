//! Overrides up the chain of ancestors, who bears them, and the cap on the total (domain.md §3.10–3.11).

use crate::commission::Draft;
use crate::component::Component;
use crate::credit::Credit;
use crate::exact::Overflow;
use crate::line::Line;
use crate::member::PartnerNo;
use crate::money::Rate;
use crate::programme::{Hierarchy, HierarchyMode, Inactive, PaidBy, SOURCED};
use crate::rating::{CreditFacts, ItemCase, RatingError, base_rate};

/// What stands below the first ancestor.
pub(crate) struct Below<'a> {
    pub(crate) credit: &'a Credit,
    /// Whether the credited partner is active.
    pub(crate) active: bool,
    /// The rate of its base line.
    pub(crate) base_rate: Rate,
    /// Its lines, as if it were active.
    pub(crate) lines: &'a [Line],
}

/// An ancestor with its level and the rate that applies to it.
struct Layer {
    partner: PartnerNo,
    active: bool,
    level: u32,
    rate: Option<Rate>,
}

/// Override lines, nearest first, and the cascade lines of who pays them.
pub(crate) fn lines(case: &ItemCase<'_>, below: &Below<'_>) -> Result<Vec<Line>, RatingError> {
    let Some(hierarchy) = &case.version.hierarchy else { return Ok(Vec::new()) };
    let layers = layers(case, hierarchy, below.credit.partner)?;
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let draft = Draft { case, credit: below.credit, rounding: case.version.rounding, lines: Vec::new() };
    let mut overrides = match hierarchy.mode {
        HierarchyMode::Override => overrides_of_amount(&draft, &layers),
        HierarchyMode::Share => shares_of_below(&draft, hierarchy, &layers, below),
        HierarchyMode::Differential => Ok(differences(&draft, &layers, below.base_rate)?),
    }
    .map_err(|reason| case.overflow(reason))?;
    match hierarchy.paid_by {
        PaidBy::Vendor => cut_to_total(case, hierarchy, below, &mut overrides).map_err(|reason| case.overflow(reason))?,
        PaidBy::Child => {
            let paid: Vec<Line> = overrides.iter().filter_map(|line| cascade_line(&draft, line, &layers, below)).collect();
            overrides.extend(paid);
        }
    }
    Ok(overrides)
}

/// The chain on the paid date; `compress` leaves inactive ancestors out, each other keeping the rate of the link that leads to it.
fn layers(case: &ItemCase<'_>, hierarchy: &Hierarchy, partner: PartnerNo) -> Result<Vec<Layer>, RatingError> {
    let mut layers: Vec<Layer> = Vec::new();
    for (ancestor, link_rate) in case.directory.ancestors(partner, case.day()) {
        let active = case.directory.partner(ancestor).active(case.day());
        if !active && hierarchy.inactive == Inactive::Compress {
            continue;
        }
        let place = layers.len();
        let level = u32::try_from(place + 1).map_err(|_| case.overflow(Overflow))?;
        let rate = match hierarchy.mode {
            // Levels and link rates are not used: the whole chain takes part.
            HierarchyMode::Differential => Some(ancestor_rate(case, ancestor)?),
            HierarchyMode::Override | HierarchyMode::Share => hierarchy.levels.get(place).map(|level_rate| link_rate.unwrap_or(*level_rate)),
        };
        layers.push(Layer { partner: ancestor, active, level, rate });
    }
    Ok(layers)
}

/// The ancestor's base rate for this item by its own facts, in role `sourced`.
fn ancestor_rate(case: &ItemCase<'_>, ancestor: PartnerNo) -> Result<Rate, RatingError> {
    let partner = case.directory.partner(ancestor);
    let Some(tier) = partner.effective_tier(case.day(), case.version) else { return Ok(Rate::ZERO) };
    let facts = CreditFacts { case, partner: ancestor, tier: Some(tier), role: SOURCED };
    base_rate(&facts).map(|(rate, _)| rate).map_err(|reason| case.fact_error(reason))
}

fn override_line(draft: &Draft<'_>, layer: &Layer, base_minor: i64, rate: Rate, share: Rate) -> Result<Option<Line>, Overflow> {
    let amount_minor = rate.of(base_minor, share, draft.rounding)?;
    if amount_minor == 0 {
        return Ok(None);
    }
    let line = draft.line(layer.partner, Component::OVERRIDE);
    Ok(Some(Line { level: layer.level, base_minor, rate: Some(rate), share, amount_minor, ..line }))
}

fn overrides_of_amount(draft: &Draft<'_>, layers: &[Layer]) -> Result<Vec<Line>, Overflow> {
    let mut lines = Vec::new();
    for layer in layers.iter().filter(|layer| layer.active) {
        let Some(rate) = layer.rate else { break };
        lines.extend(override_line(draft, layer, draft.case.item.amount_minor, rate, draft.credit.share)?);
    }
    Ok(lines)
}

/// Each layer gets a share of what the layer below got; an inactive one leaves nothing to share above (`breakage`).
fn shares_of_below(draft: &Draft<'_>, hierarchy: &Hierarchy, layers: &[Layer], below: &Below<'_>) -> Result<Vec<Line>, Overflow> {
    if !below.active {
        return Ok(Vec::new());
    }
    let passed_up = |line: &&Line| line.component.spec().shared && (line.component != Component::SPIFF || hierarchy.share_spiffs);
    let mut got_minor: i64 = 0;
    for line in below.lines.iter().filter(passed_up) {
        got_minor = got_minor.checked_add(line.amount_minor).ok_or(Overflow)?;
    }
    let mut lines = Vec::new();
    for layer in layers {
        let (true, Some(rate)) = (layer.active, layer.rate) else { break };
        let Some(line) = override_line(draft, layer, got_minor, rate, Rate::ONE)? else { break };
        got_minor = line.amount_minor;
        lines.push(line);
    }
    Ok(lines)
}

/// Each ancestor gets what its base rate is above the highest rate below it.
fn differences(draft: &Draft<'_>, layers: &[Layer], base_rate: Rate) -> Result<Vec<Line>, RatingError> {
    let case = draft.case;
    let mut highest = base_rate;
    let mut lines = Vec::new();
    for layer in layers {
        let rate = layer.rate.unwrap_or_default();
        if layer.active {
            let above = rate.above(highest);
            let line = override_line(draft, layer, case.item.amount_minor, above, draft.credit.share).map_err(|reason| case.overflow(reason))?;
            lines.extend(line);
        }
        highest = highest.max(rate);
    }
    Ok(lines)
}

/// Cuts override lines from the top of the chain downward until the total keeps within `max_total_rate`; the last one in part.
fn cut_to_total(case: &ItemCase<'_>, hierarchy: &Hierarchy, below: &Below<'_>, overrides: &mut Vec<Line>) -> Result<(), Overflow> {
    let Some(max_rate) = hierarchy.max_total_rate else { return Ok(()) };
    let most = max_rate.floor_of(case.item.amount_minor, below.credit.share)?;
    let counted = |lines: &[Line]| {
        lines.iter().filter(|line| line.component.spec().counted).try_fold(0_i64, |sum, line| sum.checked_add(line.amount_minor)).ok_or(Overflow)
    };
    let mut excess = counted(below.lines)?.checked_add(counted(overrides)?).ok_or(Overflow)?.checked_sub(most).ok_or(Overflow)?;
    while excess > 0 {
        let Some(top) = overrides.last_mut() else { break };
        if top.amount_minor > excess {
            top.uncut_minor = Some(top.amount_minor);
            top.amount_minor -= excess;
            break;
        }
        excess -= top.amount_minor;
        overrides.pop();
    }
    Ok(())
}

/// The equal negative line of the nearest active layer below; none: the vendor pays.
fn cascade_line(draft: &Draft<'_>, line: &Line, layers: &[Layer], below: &Below<'_>) -> Option<Line> {
    let nearest = layers.iter().rev().find(|layer| layer.active && layer.level < line.level);
    let (payer, level) = match nearest {
        Some(layer) => (layer.partner, layer.level),
        None if below.active => (below.credit.partner, 0),
        None => return None,
    };
    let blank = draft.line(payer, Component::CASCADE);
    Some(Line { level, base_minor: line.base_minor, rate: line.rate, share: line.share, amount_minor: -line.amount_minor, ..blank })
}
