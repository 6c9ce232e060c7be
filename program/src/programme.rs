//! A programme version as its file says it, checked and compiled (interface.md §1).

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::calendar::{Date, Period};
use crate::condition::{Condition, MetricKind};
use crate::exact::Exact;
use crate::money::{Currency, Rate, Rounding};

/// The role that every programme has (domain.md §3.2).
pub const SOURCED: &str = "sourced";

/// One version of a programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The currency of thresholds and rankings.
    pub currency: Currency,
    /// The zone of its dates.
    pub timezone: Tz,
    /// How lines are rounded.
    pub rounding: Rounding,
    /// Lowest first; the first is the base tier. Never empty.
    pub tiers: Vec<Tier>,
    /// Spiffs and volume bonuses, in file order.
    pub rules: Vec<Rule>,
    /// Base rates before the tier's, in file order.
    pub rates: Vec<RateEntry>,
    /// Roles beside `sourced`.
    pub roles: BTreeMap<String, Role>,
    /// Metrics that conditions may name.
    pub metrics: BTreeMap<String, MetricKind>,
    /// Stack ranks.
    pub rankings: Vec<Ranking>,
    /// Overrides, if any.
    pub hierarchy: Option<Hierarchy>,
    /// The co-op fund.
    pub coop: Coop,
    /// When and what is paid.
    pub settlement: SettlementTerms,
    /// Reviews.
    pub recertification: Recertification,
    /// Claims, if any.
    pub mdf: Option<Mdf>,
}

/// A member's level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// T12M referred revenue from which it is earned, programme currency, major units.
    pub threshold: Exact,
    /// Base rate.
    pub rate: Rate,
    /// Co-op rate.
    pub coop_rate: Rate,
    /// Valid holders needed per certification on the paid date.
    pub certifications: BTreeMap<String, u32>,
    /// Looked at in reviews.
    pub requires: Option<Condition>,
    /// Counts only for a member that holds it or a higher one.
    pub invitation_only: bool,
}

/// Days from first to last, both inclusive; absent bounds are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub through: Option<Date>,
}

impl Window {
    /// Whether the day lies in it.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.through.is_none_or(|through| day <= through)
    }
}

/// A spiff or a volume bonus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: RuleKind,
    /// Whether it holds; absent: always.
    pub when: Option<Condition>,
    /// When it holds.
    pub window: Window,
    /// Whom it is for; absent: everybody.
    pub partners: Option<Vec<String>>,
}

/// The kinds of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// domain.md §3.5.
    Spiff {
        /// What it pays.
        reward: Reward,
        /// The date that its window watches.
        window_on: WindowOn,
        /// On which invoices.
        pays: Pays,
    },
    /// domain.md §3.6.
    VolumeBonus {
        /// Its rate.
        rate: Rate,
    },
}

/// What a spiff pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reward {
    /// A rate of its base.
    Rate(Rate),
    /// A flat amount in minor units of the programme's currency, once per deal.
    Amount(i64),
}

/// The date that a spiff's window watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowOn {
    /// The deal's signing date.
    #[default]
    SignedOn,
    /// The invoice's paid date.
    PaidOn,
    /// Both.
    Both,
}

/// On which invoices of a deal a spiff pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pays {
    /// On each, capped by the contract value.
    #[default]
    EachInvoice,
    /// On the first paid one, uncapped.
    FirstInvoice,
}

/// A base rate before the tier's (domain.md §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateEntry {
    /// Its id.
    pub id: String,
    /// Its rate.
    pub rate: Rate,
    /// The partner it names.
    pub partner: Option<String>,
    /// Effective tiers, by id.
    pub tiers: Option<Vec<String>>,
    /// The role it names; absent: roles that have the tier's rate.
    pub role: Option<String>,
    /// Whether it holds.
    pub when: Option<Condition>,
    /// Paid dates it is for.
    pub window: Window,
}

/// A role of credits (domain.md §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Role {
    /// Has the tier's rate.
    pub tier_rate: bool,
    /// Counts as referred revenue.
    pub referred: bool,
    /// Carries what §3.5–3.10 add.
    pub extras: bool,
}

/// A stack rank (domain.md §5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    /// Its id.
    pub id: String,
    /// The share of members that win.
    pub top: Rate,
    /// What winners get.
    pub rate: Rate,
    /// On what.
    pub applies: Applies,
    /// No ranking of a quarter that begins before it (its window's `through`, if any: none that ends after it).
    pub window: Window,
}

/// On what a rank bonus is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Applies {
    /// On every item paid in the following quarter.
    #[default]
    NextQuarter,
    /// A lump sum on the ranked quarter's own revenue.
    RankedQuarter,
}

/// Overrides (domain.md §3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// How they are computed.
    pub mode: HierarchyMode,
    /// Level rates, the parent's first.
    pub levels: Vec<Rate>,
    /// Who bears them.
    pub paid_by: PaidBy,
    /// What an inactive ancestor does.
    pub inactive: Inactive,
    /// Whether spiffs are shared in `share` mode.
    pub share_spiffs: bool,
    /// The most that an item and credit may cost; without effect where the child pays (domain.md §3.10).
    pub max_total_rate: Option<Rate>,
}

/// How overrides are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HierarchyMode {
    /// A rate of the amount.
    #[default]
    Override,
    /// A share of what the layer below got.
    Share,
    /// The difference of base rates.
    Differential,
}

/// Who bears overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaidBy {
    /// The vendor, on top.
    #[default]
    Vendor,
    /// The nearest active layer below.
    Child,
}

/// What an inactive ancestor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inactive {
    /// Its level stays unpaid.
    #[default]
    Breakage,
    /// It is removed from the chain.
    Compress,
}

/// The co-op fund (domain.md §3.9, §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coop {
    /// Who funds it.
    pub funded_by: FundedBy,
    /// Months until a lot ends.
    pub expires_after_months: Option<u32>,
}

/// Who funds the co-op wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FundedBy {
    /// The vendor, on top of cash.
    #[default]
    Vendor,
    /// The partner's commission.
    Commission,
}

/// When and what is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementTerms {
    /// The first period; what was paid before is history.
    pub first_period: Period,
    /// Cron with seconds, in the programme's zone.
    pub schedule: Option<String>,
    /// Minimum payout in the programme's currency, minor units.
    pub minimum_payout_minor: i64,
    /// Minimum payouts in other currencies, minor units.
    pub minimum_payout_in: BTreeMap<Currency, i64>,
    /// Whether payouts wait for finance.
    pub release: Release,
    /// Days from the paid date to the eligible date.
    pub hold_days: u32,
    /// Whether processing costs net against the commission.
    pub net_processing_cost: bool,
}

impl SettlementTerms {
    /// The minimum payout in a currency, minor units (domain.md §4.6).
    #[must_use]
    pub fn minimum_minor(&self, programme_currency: Currency, currency: Currency) -> i64 {
        match self.minimum_payout_in.get(&currency) {
            Some(&minimum) => minimum,
            None if currency == programme_currency => self.minimum_payout_minor,
            None => 0,
        }
    }
}

/// Whether payouts wait for finance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// They start by themselves.
    #[default]
    Auto,
    /// When finance releases the period.
    Manual,
}

/// Reviews (domain.md §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recertification {
    /// Cron with seconds, in the programme's zone.
    pub schedule: Option<String>,
    /// When members are promoted.
    pub promotion: Promotion,
    /// Reviews in a row that may be missed.
    pub grace_cycles: u32,
    /// Tiers that a review may take at most.
    pub max_demotion_steps: u32,
    /// The customer-age rule; 0: all count.
    pub customer_min_age_days: u32,
}

/// When members are promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Promotion {
    /// In reviews.
    #[default]
    Recertification,
    /// On the day after the threshold is crossed.
    Immediate,
}

/// Claims (domain.md §6.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mdf {
    /// Of receipts that is paid back.
    pub cost_share: Rate,
    /// In order.
    pub approvals: Vec<ApprovalStep>,
}

/// A step of the approval route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalStep {
    /// Who decides.
    pub role: String,
    /// Skipped for claims of at most this, programme currency, minor units.
    pub over_minor: Option<i64>,
    /// Seconds until the step escalates or the claim expires.
    pub within_s: Option<u64>,
    /// Seconds between reminders.
    pub remind_every_s: Option<u64>,
    /// Who decides after that.
    pub escalate_to: Option<String>,
}

impl Programme {
    /// What a role may do; `None` for a role that this version does not declare.
    #[must_use]
    pub fn role(&self, role: &str) -> Option<Role> {
        if role == SOURCED {
            return Some(Role { tier_rate: true, referred: true, extras: true });
        }
        self.roles.get(role).copied()
    }

    /// The place of a tier in the order, 0 the base tier.
    #[must_use]
    pub fn tier_rank(&self, tier: &str) -> Option<usize> {
        self.tiers.iter().position(|t| t.id == tier)
    }
}
