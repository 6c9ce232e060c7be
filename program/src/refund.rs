//! How refunds, chargebacks and chargebacks won spread over an invoice's items (domain.md §4.2–4.3).

use crate::exact::Overflow;
use crate::spread::by_largest_remainder;

/// The kinds of refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundKind {
    /// Money given back.
    Refund,
    /// A credit note.
    CreditNote,
    /// A dispute opened.
    Chargeback,
    /// A dispute won: gives back what its chargeback took.
    ChargebackWon,
}

impl RefundKind {
    /// Its name in the books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::CreditNote => "credit_note",
            Self::Chargeback => "chargeback",
            Self::ChargebackWon => "chargeback_won",
        }
    }

    /// The kind of a name in the books.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Refund, Self::CreditNote, Self::Chargeback, Self::ChargebackWon].into_iter().find(|kind| kind.name() == name)
    }
}

/// A refund of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: String,
    /// The item that it names.
    pub item: Option<String>,
    /// Its amount, minor units, above zero.
    pub amount_minor: i64,
    /// Its kind.
    pub kind: RefundKind,
    /// The chargeback that it wins.
    pub of: Option<String>,
    /// Whether the processing cost came back.
    pub cost_returned: bool,
}

/// A refund that the invoice can't bear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// More than is left of the invoice or item.
    #[error("refund {refund} takes more than is left of {of_what}")]
    MoreThanLeft {
        /// The refund.
        refund: String,
        /// The invoice or the item.
        of_what: String,
    },
    /// It names an item that the invoice lacks.
    #[error("refund {refund} names item {item}, which the invoice does not have")]
    NoSuchItem {
        /// The refund.
        refund: String,
        /// The item.
        item: String,
    },
    /// It wins what is no earlier chargeback of this invoice.
    #[error("refund {refund} wins {of}, which is no earlier chargeback of this invoice")]
    NoSuchChargeback {
        /// The refund.
        refund: String,
        /// What it names.
        of: String,
    },
    /// More than is left of the chargeback.
    #[error("refund {refund} gives back more than is left of chargeback {of}")]
    MoreThanChargedBack {
        /// The refund.
        refund: String,
        /// The chargeback.
        of: String,
    },
    /// Too large to compute.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// What each refund takes from each item, minor units (negative: gives back), in the order given.
///
/// `items` are the invoice's items in order of their ids; `refunds` stand in the order in which they are taken.
///
/// # Errors
/// [`RefundError`] names the first refund that the invoice can't bear.
pub fn spread(items: &[(&str, i64)], refunds: &[Refund]) -> Result<Vec<Vec<i64>>, RefundError> {
    let mut left: Vec<i64> = items.iter().map(|(_, amount)| *amount).collect();
    let mut spreads: Vec<Vec<i64>> = Vec::with_capacity(refunds.len());
    let mut won: Vec<Vec<i64>> = Vec::with_capacity(refunds.len());
    for refund in refunds {
        let taken = match (refund.kind, &refund.item) {
            (RefundKind::ChargebackWon, _) => give_back(refund, refunds, &spreads, &mut won)?,
            (RefundKind::Refund | RefundKind::CreditNote | RefundKind::Chargeback, Some(item)) => take_from_item(refund, item, items, &left)?,
            (RefundKind::Refund | RefundKind::CreditNote | RefundKind::Chargeback, None) => take_from_all(refund, &left)?,
        };
        for (left, taken) in left.iter_mut().zip(&taken) {
            *left -= taken;
        }
        spreads.push(taken);
        won.push(vec![0; items.len()]);
    }
    Ok(spreads)
}

fn take_from_item(refund: &Refund, item: &str, items: &[(&str, i64)], left: &[i64]) -> Result<Vec<i64>, RefundError> {
    let place =
        items.iter().position(|(id, _)| *id == item).ok_or_else(|| RefundError::NoSuchItem { refund: refund.id.clone(), item: item.to_owned() })?;
    if refund.amount_minor > left[place] {
        return Err(RefundError::MoreThanLeft { refund: refund.id.clone(), of_what: format!("item {item}") });
    }
    let mut taken = vec![0; left.len()];
    taken[place] = refund.amount_minor;
    Ok(taken)
}

fn take_from_all(refund: &Refund, left: &[i64]) -> Result<Vec<i64>, RefundError> {
    let total: i128 = left.iter().map(|&left| i128::from(left)).sum();
    if i128::from(refund.amount_minor) > total {
        return Err(RefundError::MoreThanLeft { refund: refund.id.clone(), of_what: "the invoice".into() });
    }
    Ok(by_largest_remainder(refund.amount_minor, left)?)
}

fn give_back(refund: &Refund, refunds: &[Refund], spreads: &[Vec<i64>], won: &mut [Vec<i64>]) -> Result<Vec<i64>, RefundError> {
    let of = refund.of.clone().unwrap_or_default();
    let chargeback = refunds[..spreads.len()]
        .iter()
        .position(|earlier| earlier.id == of && earlier.kind == RefundKind::Chargeback)
        .ok_or_else(|| RefundError::NoSuchChargeback { refund: refund.id.clone(), of: of.clone() })?;
    let left: Vec<i64> = spreads[chargeback].iter().zip(&won[chargeback]).map(|(taken, won)| taken - won).collect();
    let total: i128 = left.iter().map(|&left| i128::from(left)).sum();
    if i128::from(refund.amount_minor) > total {
        return Err(RefundError::MoreThanChargedBack { refund: refund.id.clone(), of });
    }
    let given = by_largest_remainder(refund.amount_minor, &left)?;
    for (won, given) in won[chargeback].iter_mut().zip(&given) {
        *won += given;
    }
    Ok(given.into_iter().map(|given| -given).collect())
}

/// Whether a refund moves the returned processing cost: it says so itself, or the chargeback that it wins did.
#[must_use]
pub fn returns_cost(refund: &Refund, refunds: &[Refund]) -> bool {
    match refund.kind {
        RefundKind::ChargebackWon => refunds.iter().any(|other| Some(&other.id) == refund.of.as_ref() && other.cost_returned),
        RefundKind::Refund | RefundKind::CreditNote | RefundKind::Chargeback => refund.cost_returned,
    }
}

/// What a refund takes from the subtotal of a taxed invoice where only its amount with tax is known: its part of the subtotal, cut to the
/// minor unit. So the refunds of an invoice never take more than the subtotal, in whatever order they come, and a full one takes all of it.
///
/// # Errors
/// [`Overflow`].
///
/// # Source
/// domain.md §3.1 (amounts are without tax), §4.2.
pub fn without_tax(gross_minor: i64, subtotal_minor: i64, tax_minor: i64) -> Result<i64, Overflow> {
    let total = i128::from(subtotal_minor) + i128::from(tax_minor);
    if total <= 0 {
        return Ok(gross_minor);
    }
    i64::try_from(i128::from(gross_minor) * i128::from(subtotal_minor) / total).map_err(|_| Overflow)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::without_tax;

    #[test]
    fn by_hand() {
        let table = [(12_000, 10_000, 2_000, 10_000), (6_000, 10_000, 2_000, 5_000), (1, 10_000, 2_000, 0), (500, 500, 0, 500), (700, 0, 0, 700)];
        for (gross, subtotal, tax, net) in table {
            assert_eq!(without_tax(gross, subtotal, tax), Ok(net), "{gross} of {subtotal} + {tax}");
        }
    }

    proptest! {
        #[test]
        fn parts_of_a_full_refund_take_no_more_than_the_subtotal_and_little_less(
            subtotal in 0_i64..1_000_000_000_000, tax in 0_i64..1_000_000_000_000, cuts in proptest::collection::vec(0_i64..2_000_000_000_000, 0..9),
        ) {
            let total = subtotal + tax;
            prop_assume!(total > 0);
            let mut ends: Vec<i64> = cuts.iter().map(|cut| cut % (total + 1)).chain([0, total]).collect();
            ends.sort_unstable();
            let nets: Vec<i64> = ends.windows(2).map(|part| without_tax(part[1] - part[0], subtotal, tax).unwrap()).collect();
            let (sum, parts) = (nets.iter().sum::<i64>(), i64::try_from(nets.len()).unwrap());
            prop_assert!(sum <= subtotal && sum > subtotal - parts);
            prop_assert_eq!(without_tax(total, subtotal, tax), Ok(subtotal));
        }
    }
}
