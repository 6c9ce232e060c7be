//! A commission line (domain.md §1, interface.md §3).

use std::sync::Arc;

use crate::calendar::{Date, Period};
use crate::component::Component;
use crate::money::{Currency, Rate};

/// Shared text: ids repeat over many lines.
pub type Text = Arc<str>;

/// What a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A correction by hand.
    Adjustment,
    /// An invoice.
    Invoice,
    /// A lump sum of a stack rank.
    Ranking,
    /// A refund.
    Refund,
}

impl Source {
    /// Its name in the books.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adjustment => "adjustment",
            Self::Invoice => "invoice",
            Self::Ranking => "ranking",
            Self::Refund => "refund",
        }
    }

    /// The source of a name in the books.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Adjustment, Self::Invoice, Self::Ranking, Self::Refund].into_iter().find(|source| source.name() == name)
    }
}

/// One amount, for one payee, from one source, by one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who gets it.
    pub payee: Text,
    /// Currency of its amounts.
    pub currency: Currency,
    /// What it comes from.
    pub source: Source,
    /// The id of what it comes from.
    pub source_id: Text,
    /// The invoice that it comes from, if any.
    pub invoice: Option<Text>,
    /// The item of the invoice; `None` for an invoice without items.
    pub item: Option<Text>,
    /// The credit's role, if it comes from a credit.
    pub role: Option<Text>,
    /// By what it is earned.
    pub component: Component,
    /// The id of the spiff, bonus or ranking.
    pub rule: Option<Text>,
    /// Where a base rate comes from.
    pub rate_source: Option<Text>,
    /// The band of a marginal rate; 0 today (domain.md §9).
    pub part: u32,
    /// 0 for the credited partner, n for its n-th ancestor.
    pub level: u32,
    /// The credited partner.
    pub from_partner: Text,
    /// The day that decided tier, status and versions.
    pub earned_on: Date,
    /// The payee's effective tier on that day.
    pub tier: Option<Text>,
    /// What the rate is applied to, minor units.
    pub base_minor: i64,
    /// The rate; `None` where an amount is fixed.
    pub rate: Option<Rate>,
    /// The credit's share.
    pub share: Rate,
    /// The amount, minor units.
    pub amount_minor: i64,
    /// What it was before `max_total_rate` cut it, minor units.
    pub uncut_minor: Option<i64>,
    /// What it adds to the payee's referred revenue, minor units (base lines and their reversals).
    pub referred_minor: i64,
    /// The origin period of a late line.
    pub late_from: Option<Period>,
    /// What an adjustment corrects.
    pub corrects: Option<Text>,
    /// The number of the programme version that it was rated by.
    pub version: i64,
}

impl Line {
    /// The order of lines in a settlement (interface.md §3): null first, text by code point.
    #[must_use]
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        (self.earned_on, &self.invoice)
            .cmp(&(other.earned_on, &other.invoice))
            .then_with(|| self.source.name().cmp(other.source.name()))
            .then_with(|| (&self.source_id, &self.item, self.level).cmp(&(&other.source_id, &other.item, other.level)))
            .then_with(|| (self.component, &self.rule, &self.from_partner).cmp(&(other.component, &other.rule, &other.from_partner)))
            .then_with(|| (&self.role, self.part).cmp(&(&other.role, other.part)))
    }

    /// The fund that it goes to; `None`: cash.
    #[must_use]
    pub fn fund(&self) -> Option<&'static str> {
        self.component.spec().fund
    }
}
