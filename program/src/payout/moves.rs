//! What the ledger posts when a payout moves (domain.md §7).

use super::State;

/// A transaction of the ledger that belongs to a payout; each is posted once a payout at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    /// Owed to in transit: the request is about to leave.
    Requested,
    /// In transit to cash: the provider has paid.
    Paid,
    /// Cash to in transit: the provider says later that it failed after all.
    Returned,
    /// In transit to owed: it failed.
    Failed,
}

impl Move {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Paid => "paid",
            Self::Returned => "returned",
            Self::Failed => "failed",
        }
    }

    /// What is posted when a payout goes from one state to the other, in order.
    #[must_use]
    pub const fn between(from: &State, to: &State) -> &'static [Self] {
        match (from, to) {
            (State::Intended, State::Requested) => &[Self::Requested],
            (State::Intended, State::Paid) => &[Self::Requested, Self::Paid],
            (State::Requested | State::Unknown { .. }, State::Paid) => &[Self::Paid],
            (State::Requested | State::Unknown { .. }, State::Failed { .. }) => &[Self::Failed],
            (State::Paid, State::Failed { .. }) => &[Self::Returned, Self::Failed],
            // Nothing was posted for it, or nothing moves.
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payout::{HeldFor, Word};
    use proptest::prelude::*;

    /// What each move adds to owed, in transit and cash.
    fn sums(moved: Move) -> [i64; 3] {
        match moved {
            Move::Requested => [1, -1, 0],
            Move::Paid => [0, 1, -1],
            Move::Returned => [0, -1, 1],
            Move::Failed => [-1, 1, 0],
        }
    }

    proptest! {
        #[test]
        fn the_ledger_is_always_where_the_payout_stands(steps in prop::collection::vec(0_usize..8, 0..30)) {
            let mut state = State::Intended;
            let mut ledger = [0_i64; 3];
            let mut posted = Vec::new();
            for step in steps {
                let before = state.clone();
                state = match step {
                    0 => before.clone().request().unwrap_or(before.clone()),
                    1 => before.clone().lose("timeout".into()).unwrap_or(before.clone()),
                    2 => before.clone().hold(HeldFor::Paused).unwrap_or(before.clone()),
                    3 => before.clone().admit().unwrap_or(before.clone()),
                    word => before.clone().hear(Word::ALL[word - 4], "no").0,
                };
                for moved in Move::between(&before, &state) {
                    prop_assert!(!posted.contains(moved), "{:?} is posted twice", moved);
                    posted.push(*moved);
                    for (sum, part) in ledger.iter_mut().zip(sums(*moved)) {
                        *sum += part;
                    }
                }
                let stands = match state {
                    State::Intended | State::Held(_) | State::Failed { .. } => [0, 0, 0],
                    State::Requested | State::Unknown { .. } => [1, -1, 0],
                    State::Paid => [1, 0, -1],
                };
                prop_assert_eq!(ledger, stands, "{:?}", state);
            }
        }
    }
}
