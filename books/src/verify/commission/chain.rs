//! What ancestors get of a credit, and who pays for it (domain.md §3.10–3.11).

use program::condition::FactError;
use program::programme::{Hierarchy, HierarchyMode, Inactive, PaidBy};

use super::case::Case;
use super::line::Line;
use crate::verify::figures::{MILLION, product};

/// What stands below the first ancestor: the credited partner's lines, as if it were active.
pub(crate) struct Below<'a> {
    pub(crate) partner: &'a str,
    pub(crate) role: &'a str,
    pub(crate) share_micro: i64,
    pub(crate) is_active: bool,
    pub(crate) base_rate_micro: i64,
    pub(crate) lines: &'a [Line],
}

/// An ancestor that takes part, and the rate that is its own.
struct Step<'a> {
    partner: &'a str,
    level: i64,
    is_active: bool,
    rate_micro: Option<i64>,
}

/// The override and cascade lines of a credit.
pub(crate) fn lines(case: &Case<'_>, below: &Below<'_>) -> Result<Vec<Line>, FactError> {
    let Some(hierarchy) = &case.says.hierarchy else { return Ok(Vec::new()) };
    let steps = steps(case, hierarchy, below.partner)?;
    let mut overrides = match hierarchy.mode {
        HierarchyMode::Override => of_amount(case, below, &steps),
        HierarchyMode::Share => of_below(case, hierarchy, below, &steps),
        HierarchyMode::Differential => of_difference(case, below, &steps),
    };
    if hierarchy.paid_by == PaidBy::Child {
        let paid: Vec<Line> = overrides.iter().filter_map(|line| cascade(case, below, &steps, line)).collect();
        overrides.extend(paid);
    } else if let Some(most) = hierarchy.max_total_rate {
        cut(case, below, most.micro(), &mut overrides);
    }
    Ok(overrides)
}

fn steps<'a>(case: &Case<'a>, hierarchy: &Hierarchy, partner: &str) -> Result<Vec<Step<'a>>, FactError> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (ancestor, link_micro) in case.members.ancestors(partner, case.paid_on, case.cutoff) {
        let is_active = case.is_active(ancestor);
        if is_active || hierarchy.inactive == Inactive::Breakage {
            let place = steps.len();
            let rate_micro = match hierarchy.mode {
                HierarchyMode::Differential if case.tier_id(ancestor).is_none() => Some(0),
                HierarchyMode::Differential => Some(case.base_rate(ancestor, "sourced")?.0),
                HierarchyMode::Override | HierarchyMode::Share => hierarchy.levels.get(place).map(|rate| link_micro.unwrap_or_else(|| rate.micro())),
            };
            steps.push(Step { partner: ancestor, level: i64::try_from(place + 1).unwrap_or(i64::MAX), is_active, rate_micro });
        }
    }
    Ok(steps)
}

fn override_line(case: &Case<'_>, below: &Below<'_>, step: &Step<'_>, (base_minor, rate_micro, share_micro): (i64, i64, i64)) -> Option<Line> {
    let amount_minor = product(base_minor, rate_micro, share_micro, case.says.rounding).filter(|amount| *amount != 0)?;
    let blank = case.blank(step.partner, "override", (below.partner, below.role));
    Some(Line { level: step.level, base_minor, rate_micro: Some(rate_micro), share_micro, amount_minor, ..blank })
}

fn of_amount(case: &Case<'_>, below: &Below<'_>, steps: &[Step<'_>]) -> Vec<Line> {
    let paid = steps.iter().filter(|step| step.is_active).filter_map(|step| step.rate_micro.map(|rate| (step, rate)));
    paid.filter_map(|(step, rate)| override_line(case, below, step, (case.item.amount_minor, rate, below.share_micro))).collect()
}

fn of_below(case: &Case<'_>, hierarchy: &Hierarchy, below: &Below<'_>, steps: &[Step<'_>]) -> Vec<Line> {
    let counts = |line: &&Line| line.component == "base" || (line.component == "spiff" && hierarchy.share_spiffs);
    let mut got_minor: i64 = if below.is_active { below.lines.iter().filter(counts).map(|line| line.amount_minor).sum() } else { 0 };
    let mut lines = Vec::new();
    for step in steps {
        let line = step.rate_micro.filter(|_| step.is_active).and_then(|rate| override_line(case, below, step, (got_minor, rate, 1_000_000)));
        got_minor = line.as_ref().map_or(0, |line| line.amount_minor);
        lines.extend(line);
    }
    lines
}

fn of_difference(case: &Case<'_>, below: &Below<'_>, steps: &[Step<'_>]) -> Vec<Line> {
    let mut highest = below.base_rate_micro;
    let mut lines = Vec::new();
    for step in steps {
        let own = step.rate_micro.unwrap_or(0);
        if step.is_active && own > highest {
            lines.extend(override_line(case, below, step, (case.item.amount_minor, own - highest, below.share_micro)));
        }
        highest = highest.max(own);
    }
    lines
}

/// Takes from the top what the item and credit cost above the limit: whole lines, the last one in part.
fn cut(case: &Case<'_>, below: &Below<'_>, most_micro: i64, overrides: &mut Vec<Line>) {
    let exact = i128::from(case.item.amount_minor) * i128::from(most_micro) * i128::from(below.share_micro);
    let most = exact.div_euclid(MILLION * MILLION);
    let counted = ["base", "spiff", "volume_bonus", "rank_bonus"];
    let own = below.lines.iter().filter(|line| counted.contains(&line.component.as_str()));
    // Late bonus lines cut nothing that is posted.
    let own: i128 = own.filter(|line| line.period == case.period).map(|line| i128::from(line.amount_minor)).sum();
    let mut room = most - own;
    let mut kept = Vec::new();
    for mut line in overrides.drain(..) {
        let amount = i128::from(line.amount_minor);
        if room <= 0 {
            break;
        }
        if amount > room {
            line.uncut_minor = Some(line.amount_minor);
            line.amount_minor = i64::try_from(room).unwrap_or(line.amount_minor);
        }
        room -= amount;
        kept.push(line);
    }
    *overrides = kept;
}

/// The equal negative line of the nearest active layer below; none: the vendor pays.
fn cascade(case: &Case<'_>, below: &Below<'_>, steps: &[Step<'_>], of: &Line) -> Option<Line> {
    let payer = steps.iter().rev().find(|step| step.is_active && step.level < of.level).map(|step| (step.partner, step.level));
    let (payer, level) = payer.or(below.is_active.then_some((below.partner, 0)))?;
    let blank = case.blank(payer, "cascade", (below.partner, below.role));
    Some(Line { level, base_minor: of.base_minor, rate_micro: of.rate_micro, share_micro: of.share_micro, amount_minor: -of.amount_minor, ..blank })
}
