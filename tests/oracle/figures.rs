//! One rounded fraction, and shares by largest remainder.

use program::money::{Currency, Rate, Rounding};

/// `numerator / denominator`, half away from zero or to the even neighbour.
pub(crate) fn round(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    let doubled = numerator.abs() * 2;
    let below = doubled / (denominator * 2);
    let tie = (below * 2 + 1) * denominator;
    let up = doubled > tie || (doubled == tie && (rounding == Rounding::HalfUp || below % 2 == 1));
    (below + i128::from(up)) * numerator.signum()
}

/// `round(base × rate × share)` in minor units.
pub(crate) fn rated(base: i128, rate: Rate, share: Rate, rounding: Rounding) -> i128 {
    round(base * i128::from(rate.micro()) * i128::from(share.micro()), 1_000_000_000_000, rounding)
}

/// Spreads a total over weights: rounded down, then a unit each to the largest remainders, the first of equals first.
pub(crate) fn spread(total: i128, weights: &[i128]) -> Vec<i128> {
    let sum: i128 = weights.iter().sum();
    let mut parts: Vec<i128> = weights.iter().map(|weight| if sum == 0 { 0 } else { total * weight / sum }).collect();
    let mut taken = vec![false; weights.len()];
    while parts.iter().sum::<i128>() < total {
        if sum == 0 {
            parts[0] = total;
            break;
        }
        let mut best: Option<usize> = None;
        for place in 0..weights.len() {
            let remainder = |place: usize| total * weights[place] % sum;
            if !taken[place] && best.is_none_or(|best| remainder(place) > remainder(best)) {
                best = Some(place);
            }
        }
        let best = best.expect("fewer units remain than there are parts");
        taken[best] = true;
        parts[best] += 1;
    }
    parts
}

pub(crate) fn minor(text: &str, currency: Currency) -> i128 {
    currency.parse_minor(text).expect("an amount that was imported").into()
}

pub(crate) fn shown(minor: i128, currency: Currency) -> String {
    currency.format_minor(i64::try_from(minor).expect("an amount"))
}
