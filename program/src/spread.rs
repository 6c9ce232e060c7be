//! Spreading an amount over parts in whole minor units, largest remainder first.

use crate::exact::Overflow;

/// Spreads `total` over `weights`, in proportion, in minor units: largest remainder first, ties to the lower index (callers order by
/// item id). All weights zero: the first has it all. The parts add up to `total`.
///
/// # Errors
/// [`Overflow`] when a product does not fit.
///
/// # Source
/// domain.md §3.8 and §4.2.
pub fn by_largest_remainder(total: i64, weights: &[i64]) -> Result<Vec<i64>, Overflow> {
    let sum = weights.iter().try_fold(0_i128, |sum, &weight| sum.checked_add(i128::from(weight))).ok_or(Overflow)?;
    let mut parts = vec![0_i64; weights.len()];
    if sum == 0 {
        if let Some(first) = parts.first_mut() {
            *first = total;
        }
        return Ok(parts);
    }
    let mut remainders: Vec<(i128, usize)> = Vec::with_capacity(weights.len());
    let mut left = total;
    for (index, &weight) in weights.iter().enumerate() {
        let product = i128::from(total).checked_mul(i128::from(weight)).ok_or(Overflow)?;
        parts[index] = i64::try_from(product / sum).map_err(|_| Overflow)?;
        left -= parts[index];
        remainders.push((product % sum, index));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, index) in remainders {
        if left == 0 {
            break;
        }
        parts[index] += 1;
        left -= 1;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_remainder_takes_the_cent() {
        // domain.md §8.11.
        assert_eq!(by_largest_remainder(1, &[1_000_000, 200_000]).unwrap(), [1, 0]);
        assert_eq!(by_largest_remainder(1, &[5, 5]).unwrap(), [1, 0]);
        assert_eq!(by_largest_remainder(7, &[0, 0]).unwrap(), [7, 0]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_never_exceed_their_weight(weights in prop::collection::vec(0_i64..100_000, 1..20), part in 0_i64..=1000) {
            let sum: i64 = weights.iter().sum();
            prop_assume!(sum > 0);
            let total = sum * part / 1000;
            let parts = by_largest_remainder(total, &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*part >= 0 && part <= weight);
            }
        }
    }
}
