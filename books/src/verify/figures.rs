//! The arithmetic of verification: integers and one rounded fraction, written apart from the rest of the product.

use std::cmp::Ordering;
use std::collections::HashSet;

use program::money::Rounding;

/// Millionths in one.
pub(crate) const MILLION: i128 = 1_000_000;

/// The nearest whole number to `numerator / denominator`, ties as the programme says; the sign is put aside first. A denominator of
/// zero gives zero.
pub(crate) fn nearest(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    if denominator == 0 {
        return 0;
    }
    let negative = (numerator < 0) != (denominator < 0);
    let (above, below) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let (whole, rest) = (above / below, above % below);
    let is_tie_up = match rounding {
        Rounding::HalfUp => true,
        Rounding::HalfEven => whole % 2 == 1,
    };
    let up = match rest.cmp(&(below - rest)) {
        Ordering::Greater => true,
        Ordering::Equal => is_tie_up && rest > 0,
        Ordering::Less => false,
    };
    let size = i128::try_from(whole + u128::from(up)).unwrap_or(i128::MAX);
    if negative { -size } else { size }
}

/// `round(base × rate × share)`, rate and share in millionths; `None`: too large.
pub(crate) fn product(base_minor: i64, rate_micro: i64, share_micro: i64, rounding: Rounding) -> Option<i64> {
    let exact = i128::from(base_minor).checked_mul(i128::from(rate_micro))?.checked_mul(i128::from(share_micro))?;
    i64::try_from(nearest(exact, MILLION * MILLION, rounding)).ok()
}

/// `round(line × part / whole)`; `None`: too large.
pub(crate) fn portion(line_minor: i64, part_minor: i64, whole_minor: i64, rounding: Rounding) -> Option<i64> {
    i64::try_from(nearest(i128::from(line_minor).checked_mul(i128::from(part_minor))?, i128::from(whole_minor), rounding).min(i128::from(i64::MAX)))
        .ok()
}

/// Shares `total` among weights in whole units: each its rounded-down part, then one unit each to those with the largest remainders, the
/// earlier first. Weights of zero only: the first has all.
pub(crate) fn shared(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
    if sum == 0 {
        return weights.iter().enumerate().map(|(place, _)| if place == 0 { total } else { 0 }).collect();
    }
    let exact: Vec<i128> = weights.iter().map(|&weight| i128::from(weight) * i128::from(total)).collect();
    let down = |part: i128| i64::try_from(part / sum).unwrap_or(i64::MAX);
    let given: i64 = exact.iter().map(|&part| down(part)).sum();
    let remaining = usize::try_from(total - given).unwrap_or(0);
    let mut places: Vec<usize> = (0..weights.len()).collect();
    // A stable sort: of equal remainders the earlier place stays first.
    places.sort_by_key(|&place| std::cmp::Reverse(exact[place] % sum));
    let lucky: HashSet<usize> = places.into_iter().take(remaining).collect();
    exact.iter().enumerate().map(|(place, &part)| down(part) + i64::from(lucky.contains(&place))).collect()
}

/// Decimal text as millionths: digits, and at most six decimals after a point; `None`: anything else.
pub(crate) fn micro_of(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 6 || !plain(whole) || !plain(decimals) {
        return None;
    }
    let micro: i64 = format!("{whole}{decimals:0<6}").parse().ok()?;
    Some(sign * micro)
}

/// Millionths as decimal text without trailing zeros.
pub(crate) fn micro_text(micro: i64) -> String {
    let text = decimal(i128::from(micro), 6);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number of units with as many decimals as it has.
pub(crate) fn decimal(units: i128, decimals: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_away_from_zero_or_to_the_even_side() {
        for (numerator, denominator, up, even) in [(25, 10, 3, 2), (-25, 10, -3, -2), (35, 10, 4, 4), (24, 10, 2, 2), (0, 7, 0, 0), (4, 2, 2, 2)] {
            assert_eq!(nearest(numerator, denominator, Rounding::HalfUp), up, "{numerator}/{denominator}");
            assert_eq!(nearest(numerator, denominator, Rounding::HalfEven), even, "{numerator}/{denominator}");
        }
        assert_eq!(nearest(5, 0, Rounding::HalfUp), 0);
    }

    #[test]
    fn worked_examples_of_the_domain() {
        // domain.md §8.4, §8.10, §8.11.
        assert_eq!(product(10_005, 120_000, 1_000_000, Rounding::HalfUp), Some(1201));
        assert_eq!(portion(1201, 5_000, 10_005, Rounding::HalfUp), Some(600));
        assert_eq!(product(5_000_000, 120_000, 700_000, Rounding::HalfUp), Some(420_000));
        assert_eq!(shared(1, &[1_000_000, 200_000]), [1, 0]);
        assert_eq!(shared(7, &[0, 0]), [7, 0]);
        assert_eq!(shared(2, &[1, 1, 1]), [1, 1, 0]);
    }

    #[test]
    fn decimals_are_read_and_written_plainly() {
        for (text, micro) in [("0.12", 120_000), ("1", 1_000_000), ("0", 0), ("-0.5", -500_000), ("0.107501", 107_501)] {
            assert_eq!(micro_of(text), Some(micro), "{text}");
            assert_eq!(micro_text(micro), text);
        }
        for text in ["", ".5", "1e3", "0.1234567", "+1", "1.2.3", "abc"] {
            assert_eq!(micro_of(text), None, "{text}");
        }
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(12, 0), "12");
    }

    proptest! {
        #[test]
        fn shares_add_up_and_lie_within_one_of_exact(weights in prop::collection::vec(0_i64..10_000, 1..12), total in 0_i64..100_000) {
            let sum: i64 = weights.iter().sum();
            let parts = shared(total, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            if sum > 0 {
                for (part, weight) in parts.iter().zip(&weights) {
                    let off = i128::from(*part) * i128::from(sum) - i128::from(total) * i128::from(*weight);
                    prop_assert!(off.abs() < i128::from(sum));
                }
            }
        }
    }
}
