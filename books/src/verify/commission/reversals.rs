//! What refunds take back of each line (domain.md §4.2–4.3).

use program::calendar::Period;
use program::money::Rounding;

use super::is_before;
use super::line::Line;
use crate::verify::figures::{portion, product, shared};
use crate::verify::known::invoices::Item;

/// A refund that a programme booked, in the order in which it was.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) item: Option<String>,
    pub(crate) amount_minor: i64,
    pub(crate) kind: String,
    pub(crate) of: Option<String>,
    pub(crate) cost_returned: bool,
    /// The period that booked it.
    pub(crate) period: String,
    /// The period of its date.
    pub(crate) own_period: Period,
}

/// What one refund takes of each item; below zero: gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) of_items: Vec<i64>,
    pub(crate) returns_cost: bool,
}

/// Spreads refunds over the items of an invoice.
///
/// # Errors
/// The refund that the invoice can't bear, and why.
pub(crate) fn spread(items: &[Item], refunds: &[Refund]) -> Result<Vec<Taken>, String> {
    let mut left: Vec<i64> = items.iter().map(|item| item.amount_minor).collect();
    let mut all: Vec<Taken> = Vec::new();
    for (place, refund) in refunds.iter().enumerate() {
        let too_much = || format!("refund {} takes or gives back more than is left", refund.id);
        let taken = if refund.kind == "chargeback_won" {
            let of = refunds[..place].iter().position(|earlier| earlier.kind == "chargeback" && Some(&earlier.id) == refund.of.as_ref());
            let of = of.ok_or_else(|| format!("refund {} wins no chargeback booked before it", refund.id))?;
            let not_won = not_won(&refunds[..place], &all, of);
            if refund.amount_minor > not_won.iter().sum() {
                return Err(too_much());
            }
            let given = shared(refund.amount_minor, &not_won);
            Taken { of_items: given.into_iter().map(|given| -given).collect(), returns_cost: refunds[of].cost_returned }
        } else {
            let weights: Vec<i64> = match &refund.item {
                Some(named) => items.iter().zip(&left).map(|(item, left)| if item.id == *named { *left } else { 0 }).collect(),
                None => left.clone(),
            };
            if refund.amount_minor > weights.iter().sum() {
                return Err(too_much());
            }
            Taken { of_items: shared(refund.amount_minor, &weights), returns_cost: refund.cost_returned }
        };
        for (left, taken) in left.iter_mut().zip(&taken.of_items) {
            *left -= taken;
        }
        all.push(taken);
    }
    Ok(all)
}

/// What is left of a chargeback's spread after those that won part of it.
fn not_won(refunds: &[Refund], all: &[Taken], of: usize) -> Vec<i64> {
    let mut left = all[of].of_items.clone();
    for (refund, taken) in refunds.iter().zip(all) {
        if refund.kind == "chargeback_won" && refund.of.as_ref() == Some(&refunds[of].id) {
            // What was won counts below zero.
            left.iter_mut().zip(&taken.of_items).for_each(|(left, given)| *left += given);
        }
    }
    left
}

/// The reversals of a line of an item: what the cumulative refunds come to, less what was reversed before.
pub(crate) fn of_line(
    line: &Line,
    own_period: Period,
    item: (usize, &Item),
    (refunds, taken): (&[Refund], &[Taken]),
    rounding: Rounding,
) -> Vec<Line> {
    let (place, item) = item;
    let (mut refunded_minor, mut reversed_minor, mut unreferred_minor) = (0, 0, 0);
    let mut reversals = Vec::new();
    for (refund, taken) in refunds.iter().zip(taken) {
        let part_minor = taken.of_items[place];
        if part_minor == 0 || (line.component == "processing_cost" && !taken.returns_cost) {
            continue;
        }
        refunded_minor += part_minor;
        let all_minor = portion(line.amount_minor, refunded_minor.min(item.amount_minor), item.amount_minor, rounding).unwrap_or(0);
        let referred_minor = if line.referred_minor == 0 { 0 } else { product(refunded_minor, 1_000_000, line.share_micro, rounding).unwrap_or(0) };
        let reversal = Line {
            source: "refund".into(),
            source_id: refund.id.clone(),
            base_minor: -part_minor,
            amount_minor: reversed_minor - all_minor,
            referred_minor: unreferred_minor - referred_minor,
            uncut_minor: None,
            period: refund.period.clone().max(line.period.clone()),
            late_from: None,
            ..line.clone()
        };
        (reversed_minor, unreferred_minor) = (all_minor, referred_minor);
        if reversal.amount_minor != 0 || line.component == "base" {
            // Its own period is the later of its refund's and of the line's.
            let own = refund.own_period.max(own_period);
            let late_from = is_before(own, &reversal.period).then(|| own.to_string());
            reversals.push(Line { late_from, ..reversal });
        }
    }
    reversals
}
