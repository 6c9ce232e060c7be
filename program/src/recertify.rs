//! Which tier a member has earned, and what a review makes of it (domain.md §5).

use std::borrow::Cow;

use crate::calendar::{Date, Period};
use crate::condition::{Fact, FactError, Facts, Value};
use crate::exact::Exact;
use crate::member::{Directory, Freeze, Frozen, PartnerNo, is_frozen};
use crate::programme::Programme;
use crate::rating::ReferredRevenue;

/// A member on the day of a look at its tier.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// The version in force on that day.
    pub version: &'a Programme,
    /// All partners.
    pub directory: &'a Directory,
    /// The member.
    pub partner: PartnerNo,
    /// The day.
    pub on: Date,
    /// T12M on that day, programme currency, major units, not rounded.
    pub t12m: Exact,
    /// Referred revenue for period facts.
    pub revenue: &'a dyn ReferredRevenue,
    /// Deals that count as active on that day.
    pub active_deals: usize,
}

impl Facts for Standing<'_> {
    fn value(&self, fact: &Fact) -> Result<Option<Value<'_>>, FactError> {
        let partner = self.directory.partner(self.partner);
        let month = Period::of(self.on).previous();
        let quarter = Period::of(self.on).quarter().previous();
        let count = |count: usize| Ok(Some(Value::Number(Exact::integer(i64::try_from(count).unwrap_or(i64::MAX)))));
        let text = |text: &'_ str| Ok(Some(Value::Text(Cow::Owned(text.to_owned()))));
        match fact {
            Fact::ActiveDeals => count(self.active_deals),
            Fact::CertifiedReps => count(partner.certified_reps(self.on)),
            Fact::Tier => match partner.effective_tier(self.on, self.version) {
                Some(rank) => text(&self.version.tiers[rank].id),
                None => Ok(None),
            },
            Fact::PartnerKind => text(&partner.kind),
            Fact::Country => text(&partner.country),
            Fact::MonthlyReferredRevenue => {
                self.revenue.between(self.partner, month.first_day(), month.next().first_day()).map(|sum| Some(Value::Number(sum)))
            }
            Fact::QuarterlyReferredRevenue => {
                self.revenue.between(self.partner, quarter.first_day(), quarter.next().first_day()).map(|sum| Some(Value::Number(sum)))
            }
            Fact::TrailingTwelveMonths => Ok(Some(Value::Number(self.t12m))),
            Fact::Metric(name) => Ok(self.version.metrics.get(name).and_then(|kind| partner.metric(name, *kind, self.on))),
            Fact::Amount
            | Fact::Product
            | Fact::InvoiceAmount
            | Fact::Currency
            | Fact::PaymentMethod
            | Fact::ContractValue
            | Fact::NewLogo
            | Fact::Registered
            | Fact::Motion
            | Fact::Role => Err(FactError::Data("this fact belongs to items".into())),
        }
    }
}

impl Standing<'_> {
    /// The rank of the tier held on the day; `None`: not a member.
    #[must_use]
    pub fn held(&self) -> Option<usize> {
        self.directory.partner(self.partner).earned_tier(self.on).and_then(|tier| self.version.tier_rank(tier))
    }

    /// The rank of the highest tier whose threshold T12M reaches and whose `requires` holds; a tier by invitation counts only for who holds
    /// it or a higher one. Nothing else: the base tier (domain.md §5.2).
    ///
    /// # Errors
    /// A fact that a condition needs can't be had.
    pub fn earned(&self, held: usize) -> Result<usize, FactError> {
        for (rank, tier) in self.version.tiers.iter().enumerate().skip(1).rev() {
            if tier.threshold > self.t12m || (tier.invitation_only && held < rank) {
                continue;
            }
            if tier.requires.as_ref().map_or(Ok(true), |requires| requires.holds(self))? {
                return Ok(rank);
            }
        }
        Ok(0)
    }
}

/// What a review did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A higher tier from the day on.
    Promoted,
    /// The same tier.
    Kept,
    /// The same tier, with a miss that grace bears.
    Notice,
    /// A lower tier from the day on.
    Demoted,
}

impl Outcome {
    /// Its name in the books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Kept => "kept",
            Self::Notice => "notice",
            Self::Demoted => "demoted",
        }
    }
}

/// The decision on one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What was done.
    pub outcome: Outcome,
    /// The rank from the day on.
    pub new_rank: usize,
    /// Misses counted so far; above the grace the next miss drops it again.
    pub misses: u32,
}

/// Decides a review (domain.md §5.2). `misses` is the count after the last review.
#[must_use]
pub fn decide(version: &Programme, held: usize, earned: usize, misses: u32, frozen: &dyn Fn(Frozen) -> bool) -> Decision {
    let terms = &version.recertification;
    let decision = |outcome, new_rank, misses| Decision { outcome, new_rank, misses };
    match earned.cmp(&held) {
        std::cmp::Ordering::Greater if frozen(Frozen::Promotion) => decision(Outcome::Kept, held, 0),
        std::cmp::Ordering::Greater => decision(Outcome::Promoted, earned, 0),
        std::cmp::Ordering::Equal => decision(Outcome::Kept, held, 0),
        std::cmp::Ordering::Less if frozen(Frozen::Demotion) => decision(Outcome::Kept, held, misses),
        std::cmp::Ordering::Less => {
            let misses = misses.saturating_add(1);
            if misses <= terms.grace_cycles {
                return decision(Outcome::Notice, held, misses);
            }
            let steps = usize::try_from(terms.max_demotion_steps).unwrap_or(usize::MAX);
            let new_rank = earned.max(held.saturating_sub(steps));
            // At the earned tier the count begins anew; above it the next review drops again without new grace.
            decision(Outcome::Demoted, new_rank, if new_rank == earned { 0 } else { misses })
        }
    }
}

/// Whether a look between reviews looks at a partner at all: not at one that is no member yet or not active, that was assigned its tier by
/// hand on that day, or whose promotion is frozen (domain.md §5.3). Of those passed over nothing need be known.
#[must_use]
pub fn is_looked_at(directory: &Directory, partner: PartnerNo, on: Date, freezes: &[Freeze]) -> bool {
    let member = directory.partner(partner);
    let passed_over = !member.active(on) || member.assigned_by_hand_on(on) || is_frozen(freezes, Frozen::Promotion, partner, on);
    member.earned_tier(on).is_some() && !passed_over
}

/// Whether a look between reviews promotes, and to which rank (domain.md §5.3).
///
/// # Errors
/// A fact that a condition needs can't be had.
pub fn immediate_promotion(standing: &Standing<'_>, freezes: &[Freeze]) -> Result<Option<usize>, FactError> {
    let Some(held) = standing.held().filter(|_| is_looked_at(standing.directory, standing.partner, standing.on, freezes)) else { return Ok(None) };
    let earned = standing.earned(held)?;
    Ok((earned > held).then_some(earned))
}
