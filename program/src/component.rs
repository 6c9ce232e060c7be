//! The one registry of commission components (domain.md §1, §9).

use std::fmt;

/// What a component is and how other rules treat it.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name in the books and in JSON.
    pub name: &'static str,
    /// The sign that its first posting has; `None`: either.
    pub sign: Option<Sign>,
    /// The fund that it goes to; `None`: cash.
    pub fund: Option<&'static str>,
    /// How refunds mirror it.
    pub mirrored: Mirrored,
    /// Whether `share` mode passes part of it up; spiffs only with `share_spiffs`.
    pub shared: bool,
    /// Whether `max_total_rate` counts it.
    pub counted: bool,
    /// Whether a line of it is made even when it comes to zero.
    pub kept_at_zero: bool,
}

/// The sign of a component's lines before reversals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Adds to what the payee has.
    Plus,
    /// Takes from it.
    Minus,
}

/// Which refunds reverse a component (domain.md §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirrored {
    /// All.
    Always,
    /// Those alone that say `cost_returned`.
    CostReturned,
    /// None.
    Never,
}

/// A component of commission: one of [`REGISTRY`].
#[derive(Clone, Copy)]
pub struct Component(&'static Spec);

const fn cash(name: &'static str, sign: Option<Sign>, mirrored: Mirrored) -> Spec {
    Spec { name, sign, fund: None, mirrored, shared: false, counted: false, kept_at_zero: false }
}

static BASE: Spec = Spec { shared: true, counted: true, kept_at_zero: true, ..cash("base", Some(Sign::Plus), Mirrored::Always) };
static SPIFF: Spec = Spec { shared: true, counted: true, ..cash("spiff", Some(Sign::Plus), Mirrored::Always) };
static VOLUME_BONUS: Spec = Spec { counted: true, ..cash("volume_bonus", Some(Sign::Plus), Mirrored::Always) };
static RANK_BONUS: Spec = Spec { counted: true, ..cash("rank_bonus", Some(Sign::Plus), Mirrored::Always) };
static OVERRIDE: Spec = Spec { shared: true, counted: true, ..cash("override", Some(Sign::Plus), Mirrored::Always) };
static CASCADE: Spec = cash("cascade", Some(Sign::Minus), Mirrored::Always);
static PROCESSING_COST: Spec = cash("processing_cost", Some(Sign::Minus), Mirrored::CostReturned);
static COOP: Spec = Spec { fund: Some("coop"), ..cash("coop", Some(Sign::Plus), Mirrored::Always) };
static COOP_FUNDING: Spec = cash("coop_funding", Some(Sign::Minus), Mirrored::Always);
static ADJUSTMENT: Spec = cash("adjustment", None, Mirrored::Never);

/// Every component.
pub static REGISTRY: [Component; 10] = [
    Component::BASE,
    Component::SPIFF,
    Component::VOLUME_BONUS,
    Component::RANK_BONUS,
    Component::OVERRIDE,
    Component::CASCADE,
    Component::PROCESSING_COST,
    Component::COOP,
    Component::COOP_FUNDING,
    Component::ADJUSTMENT,
];

impl Component {
    /// Commission at the base rate.
    pub const BASE: Self = Self(&BASE);
    /// Time-bounded extra.
    pub const SPIFF: Self = Self(&SPIFF);
    /// Extra for a month's volume.
    pub const VOLUME_BONUS: Self = Self(&VOLUME_BONUS);
    /// Extra for a quarter's rank.
    pub const RANK_BONUS: Self = Self(&RANK_BONUS);
    /// What an ancestor gets.
    pub const OVERRIDE: Self = Self(&OVERRIDE);
    /// What the layer below pays for it.
    pub const CASCADE: Self = Self(&CASCADE);
    /// Processing cost netted.
    pub const PROCESSING_COST: Self = Self(&PROCESSING_COST);
    /// Co-op accrual.
    pub const COOP: Self = Self(&COOP);
    /// Co-op accrual taken from cash.
    pub const COOP_FUNDING: Self = Self(&COOP_FUNDING);
    /// Correction by hand.
    pub const ADJUSTMENT: Self = Self(&ADJUSTMENT);

    /// The component of a name in the books.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        REGISTRY.iter().copied().find(|component| component.0.name == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// How other rules treat it.
    #[must_use]
    pub fn spec(self) -> &'static Spec {
        self.0
    }
}

impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Component {}

impl PartialOrd for Component {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Component {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name.cmp(other.0.name)
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for component in REGISTRY {
            assert_eq!(Component::named(component.name()), Some(component));
        }
        let mut names: Vec<_> = REGISTRY.iter().map(|c| c.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REGISTRY.len());
        assert_eq!(Component::named("bounty"), None);
    }
}
