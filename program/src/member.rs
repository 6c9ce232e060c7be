//! A partner and its membership of one programme: effective-dated tiers, parents, statuses, certificates and metrics.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::calendar::{Date, days_after};
use crate::condition::{MetricKind, Value};
use crate::exact::Exact;
use crate::line::Text;
use crate::money::Rate;
use crate::programme::Programme;

/// A partner's place in the [`Directory`].
pub type PartnerNo = usize;

/// The status of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Earns.
    Active,
    /// Earns nothing for now.
    Suspended,
    /// Earns nothing more.
    Terminated,
}

impl Status {
    /// Its name in the books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }

    /// The status of a name in the books.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Terminated].into_iter().find(|status| status.name() == name)
    }
}

/// Who assigned a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A person (`tier_since` too).
    Hand,
    /// A look between reviews (domain.md §5.3).
    Immediate,
    /// A review (domain.md §5.2).
    Review,
}

impl Origin {
    /// Its name in the books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Immediate => "immediate",
            Self::Review => "review",
        }
    }

    /// The origin of a name in the books.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Hand, Self::Immediate, Self::Review].into_iter().find(|origin| origin.name() == name)
    }
}

/// A tier from a date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// From this day on.
    pub effective_from: Date,
    /// The tier's id.
    pub tier: Text,
    /// Who assigned it.
    pub origin: Origin,
}

/// A parent from a date on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentLink {
    /// From this day on.
    pub effective_from: Date,
    /// The parent; `None`: from then on none.
    pub parent: Option<PartnerNo>,
    /// The rate of this link, instead of the level's.
    pub override_rate: Option<Rate>,
}

/// A certificate of a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What it certifies.
    pub certification: Text,
    /// Who holds it.
    pub holder: Text,
    /// Valid from this day on.
    pub issued_on: Date,
    /// Up to the day before this one.
    pub expires_on: Date,
    /// Not valid from this day on.
    pub revoked_on: Option<Date>,
}

impl Certificate {
    /// Whether it is valid on a day (domain.md §3.3).
    #[must_use]
    pub fn valid_on(&self, day: Date) -> bool {
        self.issued_on <= day && day < self.expires_on && self.revoked_on.is_none_or(|revoked| day < revoked)
    }
}

/// A partner as one programme sees it.
#[derive(Debug, Clone, Default)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Its kind, "" if unknown.
    pub kind: String,
    /// Its country, "" if unknown.
    pub country: String,
    /// Tiers in order of `effective_from`, of one day in the order in which they were assigned; empty: never a member.
    pub tiers: Vec<Assignment>,
    /// Parent links in order of `effective_from`.
    pub parents: Vec<ParentLink>,
    /// Statuses in order of their first day.
    pub statuses: Vec<(Date, Status)>,
    /// Its certificates.
    pub certificates: Vec<Certificate>,
    /// Its metrics in order of `as_of`.
    pub metrics: BTreeMap<String, Vec<(Date, String)>>,
}

/// A partner's id; "" by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerId(pub Text);

impl Default for PartnerId {
    fn default() -> Self {
        Self(Text::from(""))
    }
}

impl Partner {
    /// The earned tier on a day; `None`: not yet a member (domain.md §3.3).
    #[must_use]
    pub fn earned_tier(&self, day: Date) -> Option<&Text> {
        let known = self.tiers.partition_point(|assignment| assignment.effective_from <= day);
        known.checked_sub(1).map(|last| &self.tiers[last].tier)
    }

    /// Takes a tier assignment, after those of the same day.
    pub fn assign(&mut self, assignment: Assignment) {
        let place = self.tiers.partition_point(|known| known.effective_from <= assignment.effective_from);
        self.tiers.insert(place, assignment);
    }

    /// Whether somebody assigned a tier by hand from exactly this day.
    #[must_use]
    pub fn assigned_by_hand_on(&self, day: Date) -> bool {
        self.tiers.iter().any(|assignment| assignment.origin == Origin::Hand && assignment.effective_from == day)
    }

    /// The rank of the earned tier, or of the base tier where its certifications are not held (domain.md §3.3).
    #[must_use]
    pub fn effective_tier(&self, day: Date, version: &Programme) -> Option<usize> {
        let rank = version.tier_rank(self.earned_tier(day)?)?;
        let held = version.tiers[rank].certifications.iter().all(|(certification, &needed)| {
            let holders: BTreeSet<&str> =
                self.certificates.iter().filter(|c| &*c.certification == certification && c.valid_on(day)).map(|c| &*c.holder).collect();
            u32::try_from(holders.len()).is_ok_and(|holders| holders >= needed)
        });
        Some(if held { rank } else { 0 })
    }

    /// Distinct holders of any certificate valid on a day (domain.md §5.2).
    #[must_use]
    pub fn certified_reps(&self, day: Date) -> usize {
        self.certificates.iter().filter(|c| c.valid_on(day)).map(|c| &*c.holder).collect::<BTreeSet<&str>>().len()
    }

    /// The status on a day; active where none is known.
    #[must_use]
    pub fn status(&self, day: Date) -> Status {
        let known = self.statuses.partition_point(|(from, _)| *from <= day);
        known.checked_sub(1).map_or(Status::Active, |last| self.statuses[last].1)
    }

    /// Whether it is a member and active on a day.
    #[must_use]
    pub fn active(&self, day: Date) -> bool {
        self.status(day) == Status::Active && self.earned_tier(day).is_some()
    }

    /// The parent link on a day.
    #[must_use]
    pub fn parent(&self, day: Date) -> Option<&ParentLink> {
        let known = self.parents.partition_point(|link| link.effective_from <= day);
        known.checked_sub(1).map(|last| &self.parents[last])
    }

    /// A declared metric by the greatest `as_of` on or before a day; `None`: missing, or not of its declared kind.
    #[must_use]
    pub fn metric(&self, name: &str, kind: MetricKind, day: Date) -> Option<Value<'_>> {
        let values = self.metrics.get(name)?;
        let known = values.partition_point(|(as_of, _)| *as_of <= day);
        let text = &values[known.checked_sub(1)?].1;
        match kind {
            MetricKind::Number => text.parse::<Exact>().ok().map(Value::Number),
            MetricKind::Text => Some(Value::Text(text.as_str().into())),
            MetricKind::Bool => text.parse::<bool>().ok().map(Value::Bool),
        }
    }
}

/// All partners that one programme can meet.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    partners: Vec<Partner>,
    by_id: HashMap<Text, PartnerNo>,
}

/// Chains are cut here; circles are refused when links are recorded.
pub const CHAIN_MAX: usize = 1000;

impl Directory {
    /// Takes a partner; its number counts up from 0.
    pub fn add(&mut self, partner: Partner) -> PartnerNo {
        let no = self.partners.len();
        self.by_id.insert(partner.id.0.clone(), no);
        self.partners.push(partner);
        no
    }

    /// The number of a partner.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<PartnerNo> {
        self.by_id.get(id).copied()
    }

    /// A partner by its number.
    #[must_use]
    pub fn partner(&self, no: PartnerNo) -> &Partner {
        &self.partners[no]
    }

    /// A partner by its number, to be changed.
    pub fn partner_mut(&mut self, no: PartnerNo) -> &mut Partner {
        &mut self.partners[no]
    }

    /// A partner's id.
    #[must_use]
    pub fn id(&self, no: PartnerNo) -> &Text {
        &self.partners[no].id.0
    }

    /// All partners with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (PartnerNo, &Partner)> {
        self.partners.iter().enumerate()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partners.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partners.is_empty()
    }

    /// The ancestors of a partner on a day, nearest first, with the rate of the link that leads to each.
    #[must_use]
    pub fn ancestors(&self, no: PartnerNo, day: Date) -> Vec<(PartnerNo, Option<Rate>)> {
        let mut chain = Vec::new();
        let mut at = no;
        while let Some(ParentLink { parent: Some(parent), override_rate, .. }) = self.partners[at].parent(day) {
            if chain.len() >= CHAIN_MAX {
                break;
            }
            chain.push((*parent, *override_rate));
            at = *parent;
        }
        chain
    }
}

/// A freeze of promotions or demotions (domain.md §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Whom; `None`: all members.
    pub partner: Option<PartnerNo>,
    /// What is frozen.
    pub what: Frozen,
    /// First day.
    pub from: Date,
    /// Last day.
    pub through: Date,
}

/// What a freeze stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    /// Promotions.
    Promotion,
    /// Demotions.
    Demotion,
}

/// Whether something is frozen for a member on a day.
#[must_use]
pub fn is_frozen(freezes: &[Freeze], what: Frozen, partner: PartnerNo, day: Date) -> bool {
    freezes.iter().any(|f| f.what == what && f.partner.is_none_or(|p| p == partner) && f.from <= day && day <= f.through)
}

/// Whether a customer is too young or gone for T12M on a day (domain.md §5.1).
#[must_use]
pub fn customer_excluded(activated_on: Option<Date>, churned_on: Option<Date>, min_age_days: u32, on: Date) -> bool {
    min_age_days > 0
        && (activated_on.is_some_and(|activated| days_after(activated, min_age_days) > on) || churned_on.is_some_and(|churned| churned < on))
}
