//! What the rating of one item looks at: the version in force, the item's facts, a partner's own facts (domain.md §3).

use std::borrow::Cow;

use crate::calendar::Date;
use crate::condition::{Fact, FactError, Facts, Value};
use crate::exact::{Exact, Overflow};
use crate::fx::Fx;
use crate::invoice::{Deal, Item, PaidInvoice};
use crate::member::{Directory, PartnerNo};
use crate::money::Rate;
use crate::programme::{Programme, RateEntry};

/// Referred revenue of a member over days, programme currency, not rounded (domain.md §1, §3.6).
pub trait ReferredRevenue {
    /// The sum over paid and refund dates in `[from, before)`.
    ///
    /// # Errors
    /// A missing rate or an overflow.
    fn between(&self, partner: PartnerNo, from: Date, before: Date) -> Result<Exact, FactError>;
}

/// Why an item can't be rated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// A fact that is needed can't be had.
    #[error("invoice {invoice}: {reason}")]
    Fact {
        /// The invoice.
        invoice: String,
        /// What is missing.
        reason: FactError,
    },
    /// An amount does not fit.
    #[error("invoice {invoice}: {reason}")]
    Overflow {
        /// The invoice.
        invoice: String,
        /// What overflowed.
        reason: Overflow,
    },
}

/// One item under one version, with all that its rating needs.
#[derive(Clone, Copy)]
pub struct ItemCase<'a> {
    /// The version in force on the paid date.
    pub version: &'a Programme,
    /// Its number.
    pub version_number: i64,
    /// Exchange rates.
    pub fx: &'a Fx,
    /// All partners.
    pub directory: &'a Directory,
    /// Referred revenue for period facts.
    pub revenue: &'a dyn ReferredRevenue,
    /// The invoice.
    pub invoice: &'a PaidInvoice,
    /// The item.
    pub item: &'a Item,
    /// The item's deal.
    pub deal: Option<&'a Deal>,
}

impl ItemCase<'_> {
    /// The paid date.
    #[must_use]
    pub fn day(&self) -> Date {
        self.invoice.paid_on
    }

    /// Names the invoice in a fact's error.
    pub(crate) fn fact_error(&self, reason: FactError) -> RatingError {
        RatingError::Fact { invoice: self.invoice.id.to_string(), reason }
    }

    /// Names the invoice in an overflow.
    pub(crate) fn overflow(&self, reason: Overflow) -> RatingError {
        RatingError::Overflow { invoice: self.invoice.id.to_string(), reason }
    }
}

/// The facts that a condition sees for one partner and role on one item.
#[derive(Clone, Copy)]
pub struct CreditFacts<'a> {
    /// The item.
    pub case: &'a ItemCase<'a>,
    /// The partner whose facts count.
    pub partner: PartnerNo,
    /// Its effective tier by rank; `None`: not a member.
    pub tier: Option<usize>,
    /// The role.
    pub role: &'a str,
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

impl Facts for CreditFacts<'_> {
    fn value(&self, fact: &Fact) -> Result<Option<Value<'_>>, FactError> {
        let ItemCase { version, fx, directory, revenue, invoice, item, deal, .. } = *self.case;
        let day = invoice.paid_on;
        let partner = directory.partner(self.partner);
        let month = crate::calendar::Period::of(day);
        let month_end = month.next().first_day();
        let number = |figure: Result<Exact, FactError>| figure.map(|figure| Some(Value::Number(figure)));
        match fact {
            Fact::Amount => number(fx.convert(item.amount_minor, invoice.currency, day)),
            Fact::Product => Ok(Some(text(&item.product))),
            Fact::InvoiceAmount => number(fx.convert(invoice.subtotal_minor, invoice.currency, day)),
            Fact::Currency => Ok(Some(Value::Text(Cow::Owned(invoice.currency.code().to_owned())))),
            Fact::PaymentMethod => Ok(Some(text(&invoice.payment_method))),
            Fact::ContractValue => number(deal.map_or(Ok(Exact::ZERO), |deal| fx.convert(deal.contract_value_minor, deal.currency, deal.signed_on))),
            Fact::NewLogo => Ok(Some(Value::Bool(deal.is_some_and(|deal| deal.new_logo)))),
            Fact::Registered => Ok(Some(Value::Bool(deal.is_some_and(|deal| deal.registered)))),
            Fact::Motion => Ok(Some(text(deal.map_or("", |deal| &deal.motion)))),
            Fact::Role => Ok(Some(text(self.role))),
            Fact::Tier => Ok(self.tier.map(|rank| text(&version.tiers[rank].id))),
            Fact::PartnerKind => Ok(Some(text(&partner.kind))),
            Fact::Country => Ok(Some(text(&partner.country))),
            Fact::MonthlyReferredRevenue => number(revenue.between(self.partner, month.first_day(), month_end)),
            Fact::QuarterlyReferredRevenue => number(revenue.between(self.partner, month.quarter().first_day(), month_end)),
            Fact::TrailingTwelveMonths => number(revenue.between(self.partner, crate::calendar::months_before(day, 12), day)),
            Fact::Metric(name) => Ok(version.metrics.get(name).and_then(|kind| partner.metric(name, *kind, day))),
            Fact::ActiveDeals | Fact::CertifiedReps => Err(FactError::Data("this fact belongs to reviews".into())),
        }
    }
}

/// Where a base rate comes from.
#[derive(Debug, Clone, Copy)]
pub enum RateSource<'a> {
    /// An entry of the rate table.
    Entry(&'a RateEntry),
    /// The effective tier, by rank.
    Tier(usize),
    /// Nowhere: the rate is 0.
    None,
}

impl RateSource<'_> {
    /// As a line says it.
    #[must_use]
    pub fn label(&self, version: &Programme) -> Option<String> {
        match self {
            Self::Entry(entry) => Some(format!("rates:{}", entry.id)),
            Self::Tier(rank) => Some(format!("tier:{}", version.tiers[*rank].id)),
            Self::None => None,
        }
    }
}

/// Whether a rate entry fits a partner and role on an item (domain.md §3.4).
///
/// # Errors
/// A fact that its condition needs can't be had.
pub fn entry_fits(entry: &RateEntry, facts: &CreditFacts<'_>) -> Result<bool, FactError> {
    let version = facts.case.version;
    let by_role = match &entry.role {
        Some(role) => role == facts.role,
        None => version.role(facts.role).is_some_and(|role| role.tier_rate),
    };
    let by_tier = entry.tiers.as_ref().is_none_or(|tiers| facts.tier.is_some_and(|rank| tiers.contains(&version.tiers[rank].id)));
    if !by_role || !by_tier || !entry.window.contains(facts.case.day()) {
        return Ok(false);
    }
    entry.when.as_ref().map_or(Ok(true), |when| when.holds(facts))
}

/// The base rate of a partner for an item: the first entry that names it and fits, else the first that names nobody and fits, else the
/// effective tier's where the role has it, else 0 (domain.md §3.4).
///
/// # Errors
/// A fact that a condition needs can't be had.
pub fn base_rate<'a>(facts: &CreditFacts<'a>) -> Result<(Rate, RateSource<'a>), FactError> {
    let version = facts.case.version;
    let id = &**facts.case.directory.id(facts.partner);
    for entry in version.rates.iter().filter(|entry| entry.partner.as_deref() == Some(id)) {
        if entry_fits(entry, facts)? {
            return Ok((entry.rate, RateSource::Entry(entry)));
        }
    }
    for entry in version.rates.iter().filter(|entry| entry.partner.is_none()) {
        if entry_fits(entry, facts)? {
            return Ok((entry.rate, RateSource::Entry(entry)));
        }
    }
    let has_tier_rate = version.role(facts.role).is_some_and(|role| role.tier_rate);
    Ok(match facts.tier {
        Some(rank) if has_tier_rate => (version.tiers[rank].rate, RateSource::Tier(rank)),
        _ => (Rate::ZERO, RateSource::None),
    })
}
