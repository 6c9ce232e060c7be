//! Where a settlement stands, seen from its payouts (domain.md §4.7).

use super::State;

/// Where a settlement stands once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettlementState {
    /// Nothing was begun to pay it, or there is nothing to pay.
    Final,
    /// A payout of it is under way or held.
    Paying,
    /// It is paid.
    Paid,
    /// Its last payout failed; it may be retried.
    Failed,
}

/// A step that a settlement can't make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a settlement that is {} can't become {}", .from.name(), .to.name())]
pub struct IllegalStep {
    /// Where it stands.
    pub from: SettlementState,
    /// What was asked for.
    pub to: SettlementState,
}

impl SettlementState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Final, Self::Paying, Self::Paid, Self::Failed];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Paying => "paying",
            Self::Paid => "paid",
            Self::Failed => "failed",
        }
    }

    /// Where a settlement stands by the state of its last payout.
    #[must_use]
    pub const fn of(last_payout: Option<&State>) -> Self {
        match last_payout {
            None => Self::Final,
            Some(State::Intended | State::Held(_) | State::Requested | State::Unknown { .. }) => Self::Paying,
            Some(State::Paid) => Self::Paid,
            Some(State::Failed { .. }) => Self::Failed,
        }
    }

    /// The next state: final → paying → paid; failed in between, and paying again. What is paid fails only by the provider's later word.
    ///
    /// # Errors
    /// [`IllegalStep`].
    pub fn step(self, to: Self) -> Result<Self, IllegalStep> {
        match (self, to) {
            (Self::Final | Self::Failed, Self::Paying) | (Self::Paying, Self::Paid) | (Self::Paying | Self::Paid, Self::Failed) => Ok(to),
            (from, to) => Err(IllegalStep { from, to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payout::{HeldFor, Word};

    #[test]
    fn steps_are_those_of_the_domain() {
        use SettlementState::{Failed, Final, Paid, Paying};
        let legal = [(Final, Paying), (Paying, Paid), (Paying, Failed), (Failed, Paying), (Paid, Failed)];
        for from in SettlementState::ALL {
            for to in SettlementState::ALL {
                let expected = if legal.contains(&(from, to)) { Ok(to) } else { Err(IllegalStep { from, to }) };
                assert_eq!(from.step(to), expected);
            }
        }
    }

    #[test]
    fn whatever_a_payout_does_its_settlement_makes_legal_steps() {
        let states = [
            State::Intended,
            State::Held(HeldFor::Cap),
            State::Requested,
            State::Unknown { reason: "timeout".into() },
            State::Paid,
            State::Failed { reason: "closed".into() },
        ];
        for state in states {
            let before = SettlementState::of(Some(&state));
            for word in Word::ALL {
                let after = SettlementState::of(Some(&state.clone().hear(word, "no").0));
                assert!(before == after || before.step(after).is_ok(), "{state:?} hears {word:?}");
            }
        }
    }
}
