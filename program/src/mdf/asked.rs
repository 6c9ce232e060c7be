//! How much a claim asks for, and which approvals that takes (domain.md §6.3).

use crate::exact::{Exact, Overflow};
use crate::money::{Currency, Rate, Rounding};
use crate::programme::{ApprovalStep, Mdf};

/// Why an amount can't be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskedError {
    /// Receipts are above zero.
    #[error("receipts must come to more than zero")]
    NoReceipts,
    /// The share of the receipts, or what the submitter says, comes to nothing.
    #[error("the claim asks for nothing; the amount must be above zero")]
    Nothing,
    /// The submitter may ask for less than the share of the receipts, never for more.
    #[error("the amount is more than the share of the receipts that is paid back")]
    More {
        /// The most that may be asked for, minor units.
        most_minor: i64,
    },
    /// A figure does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// What a claim asks for: round(receipts × cost share), or what the submitter wants of it.
///
/// # Units
/// Minor units of the claim's currency.
///
/// # Errors
/// [`AskedError`].
///
/// # Source
/// domain.md §6.3, §2.2.
pub fn asked_minor(receipts_minor: i64, share: Rate, wanted_minor: Option<i64>, rounding: Rounding) -> Result<i64, AskedError> {
    if receipts_minor <= 0 {
        return Err(AskedError::NoReceipts);
    }
    let most_minor = share.of(receipts_minor, Rate::ONE, rounding)?;
    match wanted_minor {
        Some(wanted) if wanted > most_minor => Err(AskedError::More { most_minor }),
        Some(wanted) if wanted > 0 => Ok(wanted),
        None if most_minor > 0 => Ok(most_minor),
        Some(_) | None => Err(AskedError::Nothing),
    }
}

/// The approvals that a claim needs, in order: steps with `over` are left out for claims of at most that.
///
/// `asked` is what is asked for in the programme's currency, not rounded (domain.md §2.8).
///
/// # Source
/// domain.md §6.3; interface.md §1.
#[must_use]
pub fn route(mdf: &Mdf, programme_currency: Currency, asked: Exact) -> Vec<&ApprovalStep> {
    let is_needed = |step: &&ApprovalStep| step.over_minor.is_none_or(|over_minor| asked > programme_currency.major(over_minor));
    mdf.approvals.iter().filter(is_needed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }

    fn step(role: &str, over_minor: Option<i64>) -> ApprovalStep {
        ApprovalStep { role: role.into(), over_minor, within_s: None, remind_every_s: None, escalate_to: None }
    }

    #[test]
    fn the_share_of_the_receipts_is_rounded_once() {
        let half: Rate = "50%".parse().unwrap();
        assert_eq!(asked_minor(5_000_000, half, None, Rounding::HalfUp), Ok(2_500_000));
        assert_eq!(asked_minor(5, half, None, Rounding::HalfUp), Ok(3));
        assert_eq!(asked_minor(5, half, None, Rounding::HalfEven), Ok(2));
        assert_eq!(asked_minor(100, half, Some(20), Rounding::HalfUp), Ok(20));
    }

    #[test]
    fn what_can_t_be_asked_for_is_refused() {
        let half: Rate = "50%".parse().unwrap();
        let asked = |receipts, wanted| asked_minor(receipts, half, wanted, Rounding::HalfUp);
        assert_eq!(asked(0, None), Err(AskedError::NoReceipts));
        assert_eq!(asked(-1, Some(1)), Err(AskedError::NoReceipts));
        assert_eq!(asked(100, Some(51)), Err(AskedError::More { most_minor: 50 }));
        assert_eq!(asked(100, Some(0)), Err(AskedError::Nothing));
        assert_eq!(asked(100, Some(-5)), Err(AskedError::Nothing));
        assert_eq!(asked_minor(1, "10%".parse().unwrap(), None, Rounding::HalfUp), Err(AskedError::Nothing));
        assert_eq!(asked_minor(100, Rate::ZERO, None, Rounding::HalfUp), Err(AskedError::Nothing));
    }

    #[test]
    fn a_step_is_left_out_for_claims_of_at_most_its_bound() {
        let mdf =
            Mdf { cost_share: Rate::ONE, approvals: vec![step("manager", None), step("finance", Some(1_000_000)), step("board", Some(5_000_000))] };
        let roles = |asked: &str| route(&mdf, usd(), asked.parse().unwrap()).iter().map(|step| step.role.clone()).collect::<Vec<_>>();
        assert_eq!(roles("10000"), ["manager"]);
        assert_eq!(roles("10000.0000001"), ["manager", "finance"]);
        assert_eq!(roles("50000.01"), ["manager", "finance", "board"]);
    }

    proptest! {
        #[test]
        fn a_larger_claim_never_needs_fewer_approvals(bounds in prop::collection::vec(prop::option::of(0_i64..10_000), 0..6), a in 1_i64..20_000, b in 1_i64..20_000) {
            let mdf = Mdf { cost_share: Rate::ONE, approvals: bounds.iter().map(|over| step("r", *over)).collect() };
            let count = |minor| route(&mdf, usd(), usd().major(minor)).len();
            prop_assert!(count(a.min(b)) <= count(a.max(b)));
        }

        #[test]
        fn never_more_than_the_share_of_the_receipts(receipts in 1_i64..1_000_000_000, micro in 0_i64..=1_000_000, wanted in prop::option::of(-10_i64..2_000_000_000)) {
            let share = Rate::from_micro(micro);
            if let Ok(asked) = asked_minor(receipts, share, wanted, Rounding::HalfUp) {
                prop_assert!(asked > 0 && asked <= receipts);
                // Within half a minor unit of the exact share.
                prop_assert!(i128::from(asked) * 2_000_000 <= i128::from(receipts) * i128::from(micro) * 2 + 1_000_000);
            }
        }
    }
}
