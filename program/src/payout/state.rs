//! The states of a payout and what moves it from one to another.
//!
//! A payout is admitted (`intended`) or held with a reason; it is requested in the commit before its first byte leaves; then only the
//! provider's word ends it. What is ended stays so, but for a paid one of which the provider says later that it failed after all.

/// Why a payout waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeldFor {
    /// The partner has no approved destination in the currency.
    NoDestination,
    /// Payouts go by a file for the bank, and its destination can't be in one.
    NoAccount,
    /// Its destination was approved too short a time ago.
    CoolingOff,
    /// It would go over a cap.
    Cap,
    /// All payouts are paused.
    Paused,
    /// The member is suspended.
    Suspended,
    /// Somebody holds it.
    ByHand,
}

impl HeldFor {
    /// All reasons.
    pub const ALL: [Self; 7] = [Self::NoDestination, Self::NoAccount, Self::CoolingOff, Self::Cap, Self::Paused, Self::Suspended, Self::ByHand];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoDestination => "no_destination",
            Self::NoAccount => "no_account",
            Self::CoolingOff => "cooling_off",
            Self::Cap => "cap",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::ByHand => "by_hand",
        }
    }

    /// The reason of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Where a payout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Admitted: destination, caps and holds allow it; nothing has left.
    Intended,
    /// It waits.
    Held(HeldFor),
    /// The request may have left; the money is in transit.
    Requested,
    /// It is not known whether the provider has the request.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// The provider says that it is paid.
    Paid,
    /// It ended unpaid.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What a provider says of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// It has the request.
    Accepted,
    /// It has paid.
    Paid,
    /// It has not paid and will not, or the money came back.
    Failed,
    /// It never received the request.
    NotFound,
}

impl Word {
    /// All words.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Paid, Self::Failed, Self::NotFound];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::NotFound => "not_found",
        }
    }

    /// The word of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }
}

/// What a provider's word does to a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The payout is in the state that the word names from now on.
    Moves,
    /// The word says what is known.
    Confirms,
    /// The word is older than what is known, and changes nothing.
    Stale,
    /// The word can't be true beside what is known: it changes nothing, and somebody must look at it.
    Contradicts,
}

impl Ruling {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Moves => "moved",
            Self::Confirms => "confirmed",
            Self::Stale => "stale",
            Self::Contradicts => "contradicted",
        }
    }
}

/// A transition that a payout can't make; it stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a payout that is {} can't be {wanted}", .state.name())]
pub struct Illegal {
    /// Where it stands.
    pub state: State,
    /// What was asked for.
    pub wanted: &'static str,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Held(_) => "held",
            Self::Requested => "requested",
            Self::Unknown { .. } => "unknown",
            Self::Paid => "paid",
            Self::Failed { .. } => "failed",
        }
    }

    /// The state of a name with its reason.
    #[must_use]
    pub fn named(name: &str, reason: Option<&str>) -> Option<Self> {
        let text = || reason.unwrap_or_default().to_owned();
        Some(match name {
            "intended" => Self::Intended,
            "held" => Self::Held(HeldFor::named(reason?)?),
            "requested" => Self::Requested,
            "unknown" => Self::Unknown { reason: text() },
            "paid" => Self::Paid,
            "failed" => Self::Failed { reason: text() },
            _ => return None,
        })
    }

    /// Why it is held, unknown or failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Held(reason) => Some(reason.name()),
            Self::Unknown { reason } | Self::Failed { reason } => Some(reason),
            Self::Intended | Self::Requested | Self::Paid => None,
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self, Self::Paid | Self::Failed { .. })
    }

    /// Whether the request may be with the provider.
    #[must_use]
    pub const fn is_in_transit(&self) -> bool {
        matches!(self, Self::Requested | Self::Unknown { .. })
    }

    /// Makes it wait, or wait for something else.
    ///
    /// # Errors
    /// [`Illegal`] once it was requested.
    pub fn hold(self, reason: HeldFor) -> Result<Self, Illegal> {
        match self {
            Self::Intended | Self::Held(_) => Ok(Self::Held(reason)),
            Self::Requested | Self::Unknown { .. } | Self::Paid | Self::Failed { .. } => Err(Illegal { state: self, wanted: "held" }),
        }
    }

    /// Admits what waited.
    ///
    /// # Errors
    /// [`Illegal`] when it does not wait.
    pub fn admit(self) -> Result<Self, Illegal> {
        match self {
            Self::Held(_) => Ok(Self::Intended),
            Self::Intended | Self::Requested | Self::Unknown { .. } | Self::Paid | Self::Failed { .. } => {
                Err(Illegal { state: self, wanted: "intended" })
            }
        }
    }

    /// Notes that the request is about to leave.
    ///
    /// # Errors
    /// [`Illegal`] when it is not admitted, or was requested before.
    pub fn request(self) -> Result<Self, Illegal> {
        match self {
            Self::Intended => Ok(Self::Requested),
            Self::Held(_) | Self::Requested | Self::Unknown { .. } | Self::Paid | Self::Failed { .. } => {
                Err(Illegal { state: self, wanted: "requested" })
            }
        }
    }

    /// Notes that nobody knows whether the provider has the request.
    ///
    /// # Errors
    /// [`Illegal`] when no request has left, or the provider's word has ended it.
    pub fn lose(self, reason: String) -> Result<Self, Illegal> {
        match self {
            Self::Requested | Self::Unknown { .. } => Ok(Self::Unknown { reason }),
            Self::Intended | Self::Held(_) | Self::Paid | Self::Failed { .. } => Err(Illegal { state: self, wanted: "unknown" }),
        }
    }

    /// Gives up what waits, or was admitted and has not left.
    ///
    /// # Errors
    /// [`Illegal`] in any other state: what may have left is ended by the provider's word alone.
    pub fn withdraw(self, reason: String) -> Result<Self, Illegal> {
        match self {
            Self::Intended | Self::Held(_) => Ok(Self::Failed { reason }),
            Self::Requested | Self::Unknown { .. } | Self::Paid | Self::Failed { .. } => Err(Illegal { state: self, wanted: "withdrawn" }),
        }
    }

    /// What a provider's word does: words come late, early, twice and out of order, and in whatever order they come, the end is the same.
    ///
    /// # Source
    /// reliability.md §2, §3.7 and invariant 17.
    #[must_use]
    pub const fn ruling(&self, word: Word) -> Ruling {
        match (self, word) {
            (Self::Intended | Self::Requested | Self::Unknown { .. }, Word::Paid | Word::Failed)
            | (Self::Intended | Self::Unknown { .. }, Word::Accepted)
            | (Self::Paid, Word::Failed) => Ruling::Moves,
            (Self::Requested, Word::Accepted)
            | (Self::Unknown { .. }, Word::NotFound)
            | (Self::Paid, Word::Paid)
            | (Self::Failed { .. }, Word::Failed | Word::NotFound) => Ruling::Confirms,
            (Self::Paid | Self::Failed { .. }, Word::Accepted) | (Self::Intended | Self::Requested, Word::NotFound) => Ruling::Stale,
            // Nothing of it has left, or the provider takes back that it did not pay.
            (Self::Held(_), _) | (Self::Failed { .. }, Word::Paid) | (Self::Paid, Word::NotFound) => Ruling::Contradicts,
        }
    }

    /// The state after a provider's word; a word that moves nothing leaves it as it is.
    #[must_use]
    pub fn hear(self, word: Word, reason: &str) -> (Self, Ruling) {
        let ruling = self.ruling(word);
        let next = match (ruling, word) {
            (Ruling::Moves, Word::Accepted) => Self::Requested,
            (Ruling::Moves, Word::Paid) => Self::Paid,
            (Ruling::Moves, Word::Failed) => Self::Failed { reason: reason.to_owned() },
            (Ruling::Moves, Word::NotFound) | (Ruling::Confirms | Ruling::Stale | Ruling::Contradicts, _) => self,
        };
        (next, ruling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> Vec<State> {
        let reason = || "late".to_owned();
        let held = HeldFor::ALL.into_iter().map(State::Held);
        let others = [State::Intended, State::Requested, State::Unknown { reason: reason() }, State::Paid, State::Failed { reason: reason() }];
        others.into_iter().chain(held).collect()
    }

    /// Asserts that a transition is legal from the named states alone, and gives the state back from all others.
    fn legal_from(names: &[&str], step: impl Fn(State) -> Result<State, Illegal>, to: &str) {
        for state in all() {
            match step(state.clone()) {
                Ok(next) => {
                    assert!(names.contains(&state.name()), "{state:?} must not become {to}");
                    assert_eq!(next.name(), to);
                }
                Err(illegal) => {
                    assert!(!names.contains(&state.name()), "{state:?} must become {to}");
                    assert_eq!(illegal.state, state);
                    assert!(illegal.to_string().contains(state.name()));
                }
            }
        }
    }

    #[test]
    fn each_transition_is_legal_from_its_states_alone() {
        legal_from(&["intended", "held"], |state| state.hold(HeldFor::Cap), "held");
        legal_from(&["held"], State::admit, "intended");
        legal_from(&["intended"], State::request, "requested");
        legal_from(&["requested", "unknown"], |state| state.lose("timeout".into()), "unknown");
        legal_from(&["intended", "held"], |state| state.withdraw("changed".into()), "failed");
    }

    #[test]
    fn each_word_does_what_the_table_says() {
        use Ruling::{Confirms, Contradicts, Moves, Stale};
        // accepted, paid, failed, not found
        let table = [
            ("intended", [Moves, Moves, Moves, Stale]),
            ("held", [Contradicts; 4]),
            ("requested", [Confirms, Moves, Moves, Stale]),
            ("unknown", [Moves, Moves, Moves, Confirms]),
            ("paid", [Stale, Confirms, Moves, Contradicts]),
            ("failed", [Stale, Contradicts, Confirms, Confirms]),
        ];
        for state in all() {
            let (_, rulings) = table.iter().find(|(name, _)| *name == state.name()).unwrap();
            for (word, ruling) in Word::ALL.into_iter().zip(rulings) {
                assert_eq!(state.ruling(word), *ruling, "{state:?} hears {}", word.name());
                let (next, ruled) = state.clone().hear(word, "why");
                assert_eq!(ruled, *ruling);
                assert_eq!(next != state, *ruling == Moves, "{state:?} hears {}", word.name());
            }
        }
    }

    #[test]
    fn names_read_back() {
        for state in all() {
            assert_eq!(State::named(state.name(), state.reason()), Some(state));
        }
        assert_eq!(State::named("held", None), None);
        assert_eq!(State::named("held", Some("bored")), None);
        assert_eq!(State::named("gone", None), None);
        for word in Word::ALL {
            assert_eq!(Word::named(word.name()), Some(word));
        }
    }

    proptest! {
        #[test]
        fn the_end_is_the_same_in_any_order(words in prop::collection::vec(0_usize..4, 1..12), seed in any::<u64>()) {
            let words: Vec<Word> = words.into_iter().map(|place| Word::ALL[place]).collect();
            let end = |words: &[Word]| words.iter().fold(State::Requested, |state, word| state.hear(*word, "no").0);
            let mut shuffled = words.clone();
            let mut random = seed;
            for place in (1..shuffled.len()).rev() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let other = usize::try_from(random >> 33).unwrap_or(0) % (place + 1);
                shuffled.swap(place, other);
            }
            prop_assert_eq!(end(&words), end(&shuffled));
        }

        #[test]
        fn what_has_ended_moves_once_at_most(words in prop::collection::vec(0_usize..4, 1..30)) {
            let mut state = State::Requested;
            for place in words {
                let before = state.clone();
                let (after, _) = state.hear(Word::ALL[place], "no");
                if before.has_ended() && after != before {
                    prop_assert_eq!((before.name(), after.name()), ("paid", "failed"));
                }
                state = after;
            }
        }
    }
}
