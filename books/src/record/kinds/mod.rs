//! The kinds of facts that can be recorded, one file each (interface.md §2).

pub(crate) mod adjustments;
pub(crate) mod certifications;
pub(crate) mod credits;
pub(crate) mod customers;
pub(crate) mod deals;
pub(crate) mod freezes;
pub(crate) mod fx;
pub(crate) mod invoice_items;
pub(crate) mod invoices;
pub(crate) mod memberships;
pub(crate) mod metrics;
pub(crate) mod parents;
pub(crate) mod partners;
pub(crate) mod refunds;
pub(crate) mod statuses;
pub(crate) mod tiers;
pub(crate) mod voids;

use std::collections::BTreeSet;
use std::str::FromStr;

use super::nearest::nearest;
use super::table::{Kind, pair};

/// Statuses of members.
pub(crate) const STATUSES: &[&str] = &["active", "suspended", "terminated"];
/// What can be voided: everything but a voiding.
pub(crate) const VOIDABLE: &[&str] = &[
    "partners",
    "memberships",
    "customers",
    "deals",
    "invoices",
    "invoice_items",
    "credits",
    "refunds",
    "adjustments",
    "certifications",
    "tiers",
    "parents",
    "statuses",
    "freezes",
    "metrics",
    "fx",
];

/// A kind of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// Partners, each with its home membership.
    Partners,
    /// Further programmes of partners.
    Memberships,
    /// Customers.
    Customers,
    /// Deals.
    Deals,
    /// Invoices; in JSONL they may carry their items.
    Invoices,
    /// Items of invoices.
    InvoiceItems,
    /// Credits: who gets an item.
    Credits,
    /// Refunds, credit notes, chargebacks and chargebacks won.
    Refunds,
    /// Corrections by hand.
    Adjustments,
    /// Certificates of partners' people.
    Certifications,
    /// Tiers assigned by hand.
    Tiers,
    /// Parents of members; an empty parent ends the link.
    Parents,
    /// Statuses of members.
    Statuses,
    /// Facts that were wrong.
    Voids,
    /// Freezes of promotion or demotion.
    Freezes,
    /// Values that conditions may name.
    Metrics,
    /// Exchange rates.
    Fx,
}

/// A word that is no kind of facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} can't be imported; the nearest kind is {nearest:?}, all are {all}")]
pub struct UnknownKind {
    word: String,
    nearest: &'static str,
    all: String,
}

impl FactKind {
    /// All kinds, in the order in which a whole set of files is imported.
    pub const ALL: [Self; 17] = [
        Self::Fx,
        Self::Partners,
        Self::Memberships,
        Self::Customers,
        Self::Deals,
        Self::Invoices,
        Self::InvoiceItems,
        Self::Credits,
        Self::Refunds,
        Self::Adjustments,
        Self::Certifications,
        Self::Tiers,
        Self::Parents,
        Self::Statuses,
        Self::Voids,
        Self::Freezes,
        Self::Metrics,
    ];

    /// What imports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.kind().name
    }

    /// All that rows of any kind refer to: what it is called, its table and the fields that name a row of it.
    pub(crate) fn references() -> BTreeSet<(String, &'static str, Vec<&'static str>)> {
        let all = Self::ALL.into_iter().flat_map(|kind| kind.kind().references);
        all.map(|reference| (reference.what(), reference.table, reference.on.iter().map(|entry| pair(entry).0).collect())).collect()
    }

    pub(crate) fn kind(self) -> &'static Kind {
        match self {
            Self::Partners => &partners::KIND,
            Self::Memberships => &memberships::KIND,
            Self::Customers => &customers::KIND,
            Self::Deals => &deals::KIND,
            Self::Invoices => &invoices::KIND,
            Self::InvoiceItems => &invoice_items::KIND,
            Self::Credits => &credits::KIND,
            Self::Refunds => &refunds::KIND,
            Self::Adjustments => &adjustments::KIND,
            Self::Certifications => &certifications::KIND,
            Self::Tiers => &tiers::KIND,
            Self::Parents => &parents::KIND,
            Self::Statuses => &statuses::KIND,
            Self::Voids => &voids::KIND,
            Self::Freezes => &freezes::KIND,
            Self::Metrics => &metrics::KIND,
            Self::Fx => &fx::KIND,
        }
    }
}

impl FromStr for FactKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|kind| kind.name() == word).ok_or_else(|| UnknownKind {
            word: super::shape::short(word),
            nearest: nearest(word, names),
            all: names.join(", "),
        })
    }
}
