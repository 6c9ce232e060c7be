//! Mirroring an item's lines when it is refunded (domain.md §4.2).

use crate::component::Mirrored;
use crate::exact::Overflow;
use crate::line::{Line, Source, Text};
use crate::money::{Rate, Rounding};

/// What refunds take from one item, in the order in which they are taken.
#[derive(Debug, Clone)]
pub struct ItemRefund {
    /// The refund's id.
    pub refund: Text,
    /// What it takes from the item, minor units; negative: gives back.
    pub taken_minor: i64,
    /// Whether it moves the returned processing cost.
    pub returns_cost: bool,
    /// Whether its reversals are to be made now: of lines posted before only those of refunds newly taken.
    pub new: bool,
}

/// The reversals of one line: `round(line × cumulative refunds / A) − reversals so far` for each refund, which telescopes, so that any split
/// of a full refund returns exactly zero.
///
/// `new_line`: the line is made now, so refunds booked before are mirrored too. `amount_minor` is the item's amount *A*, `rounding` that of
/// the paid date. An item that gets nothing of a refund has no reversal.
///
/// # Errors
/// [`Overflow`].
pub fn lines(line: &Line, new_line: bool, amount_minor: i64, refunds: &[ItemRefund], rounding: Rounding) -> Result<Vec<Line>, Overflow> {
    let mirrored = line.component.spec().mirrored;
    let mut reversals = Vec::new();
    let (mut cumulative, mut reversed, mut referred_back) = (0_i64, 0_i64, 0_i64);
    for refund in refunds {
        let counts = match mirrored {
            Mirrored::Always => true,
            Mirrored::CostReturned => refund.returns_cost,
            Mirrored::Never => false,
        };
        if !counts || refund.taken_minor == 0 {
            continue;
        }
        cumulative = cumulative.checked_add(refund.taken_minor).ok_or(Overflow)?;
        let target = portion(line.amount_minor, cumulative.min(amount_minor), amount_minor, rounding)?;
        let reversal_minor = target - reversed;
        reversed = target;
        let referred_target = if line.referred_minor == 0 { 0 } else { Rate::ONE.of(cumulative, line.share, rounding)? };
        let referred_minor = referred_target - referred_back;
        referred_back = referred_target;
        if !(new_line || refund.new) || (reversal_minor == 0 && !line.component.spec().kept_at_zero) {
            continue;
        }
        reversals.push(Line {
            source: Source::Refund,
            source_id: refund.refund.clone(),
            base_minor: -refund.taken_minor,
            amount_minor: -reversal_minor,
            referred_minor: -referred_minor,
            uncut_minor: None,
            late_from: None,
            ..line.clone()
        });
    }
    Ok(reversals)
}

/// `round(line × part / whole)`.
fn portion(line_minor: i64, part_minor: i64, whole_minor: i64, rounding: Rounding) -> Result<i64, Overflow> {
    let product = i128::from(line_minor).checked_mul(i128::from(part_minor)).ok_or(Overflow)?;
    i64::try_from(rounding.divide(product, i128::from(whole_minor))).map_err(|_| Overflow)
}
