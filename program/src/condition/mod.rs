//! Conditions: typed when loaded, evaluated on exact decimals with three-valued logic (interface.md §1).

mod evaluate;
pub(crate) mod literal;
pub(crate) mod names;
mod operand;
mod parse;

pub use evaluate::{Decided, FactError, Facts, Truth};
pub use parse::{ConditionError, DEPTH_LIMIT, LENGTH_LIMIT_BYTES};

use std::borrow::Cow;
use std::fmt;

use crate::exact::Exact;

/// The type of a fact, declared or built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A decimal.
    Number,
    /// Text.
    Text,
    /// True or false.
    Bool,
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "number",
            Self::Text => "text",
            Self::Bool => "bool",
        })
    }
}

/// Where a condition stands; decides which built-in facts it may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `when` of a rule or a rate entry: no facts that only a review counts.
    When,
    /// `requires` of a tier: no facts of items, invoices, deals and credits.
    Requires,
}

/// A fact that a condition may name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Item: its amount, programme currency.
    Amount,
    /// Item: its product.
    Product,
    /// Invoice: its subtotal, programme currency.
    InvoiceAmount,
    /// Invoice: its currency's code.
    Currency,
    /// Invoice: how it was paid.
    PaymentMethod,
    /// Deal: its value at the signing date, programme currency; 0 without a deal.
    ContractValue,
    /// Deal: whether the customer was new.
    NewLogo,
    /// Deal: whether it was registered.
    Registered,
    /// Deal: how it was sold.
    Motion,
    /// Credit: its role.
    Role,
    /// Partner: effective tier (in reviews: the tier held).
    Tier,
    /// Partner: its kind.
    PartnerKind,
    /// Partner: its country.
    Country,
    /// Period: referred revenue of the month.
    MonthlyReferredRevenue,
    /// Period: referred revenue of the quarter so far.
    QuarterlyReferredRevenue,
    /// Period: referred revenue of the trailing twelve months.
    TrailingTwelveMonths,
    /// Review: deals signed.
    ActiveDeals,
    /// Review: distinct holders of any valid certificate.
    CertifiedReps,
    /// A declared metric.
    Metric(String),
}

/// A fact's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number.
    Number(Exact),
    /// Text.
    Text(Cow<'a, str>),
    /// True or false.
    Bool(bool),
}

/// A compiled condition. Equal conditions have the same source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    source: String,
    expression: parse::Expression,
    facts: Vec<Fact>,
}

impl Condition {
    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every fact that it names, each once.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter()
    }

    /// Whether it names a fact.
    #[must_use]
    pub fn names(&self, fact: &Fact) -> bool {
        self.facts.contains(fact)
    }
}
