//! One item of a booked invoice with all that its lines are computed from, and the facts that conditions see.

use std::borrow::Cow;

use program::calendar::{Date, Period};
use program::condition::{Fact, FactError, Facts, MetricKind, Value};
use program::exact::Exact;
use program::programme::{Programme, RateEntry, Role};

use super::is_before;
use super::line::Line;
use crate::verify::known::invoices::{Deal, Invoice, Item};
use crate::verify::known::members::Members;
use crate::verify::known::rates::Rates;

/// The role that every programme has.
const SOURCED: &str = "sourced";

/// An item under the version in force, as known at the cut-off of the period that booked it.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) says: &'a Programme,
    pub(crate) version: i64,
    pub(crate) members: &'a Members,
    pub(crate) rates: &'a Rates,
    pub(crate) cutoff: i64,
    pub(crate) period: &'a str,
    /// The period of its eligible date.
    pub(crate) own_period: Period,
    pub(crate) paid_on: Date,
    pub(crate) invoice: &'a Invoice,
    pub(crate) item: &'a Item,
    pub(crate) deal: Option<&'a Deal>,
    /// The item's part of the processing cost, minor units.
    pub(crate) cost_minor: i64,
}

/// A fact that a query of its own would be needed for; what depends on it is taken as posted.
fn not_told() -> FactError {
    FactError::Data("not recomputed here".into())
}

impl<'a> Case<'a> {
    pub(crate) fn role(&self, role: &str) -> Role {
        let all = Role { tier_rate: true, referred: true, extras: true };
        if role == SOURCED { all } else { self.says.roles.get(role).copied().unwrap_or_default() }
    }

    /// The id of a partner's effective tier.
    pub(crate) fn tier_id(&self, partner: &str) -> Option<String> {
        let rank = self.members.get(partner)?.tier(self.says, self.paid_on, self.cutoff)?;
        self.says.tiers.get(rank).map(|tier| tier.id.clone())
    }

    pub(crate) fn is_active(&self, partner: &str) -> bool {
        self.members.get(partner).is_some_and(|member| member.is_active(self.paid_on, self.cutoff))
    }

    /// The origin period of a line that is booked in a later one.
    pub(crate) fn late_from(&self, booked_in: &str) -> Option<String> {
        is_before(self.own_period, booked_in).then(|| self.own_period.to_string())
    }

    /// A line of the invoice with nothing in it yet.
    pub(crate) fn blank(&self, payee: &str, component: &str, (from_partner, role): (&str, &str)) -> Line {
        Line {
            invoice: self.invoice.id.clone(),
            source: "invoice".into(),
            source_id: self.invoice.id.clone(),
            item: self.item.id.clone(),
            from_partner: from_partner.into(),
            role: role.into(),
            component: component.into(),
            rule: String::new(),
            payee: payee.into(),
            level: 0,
            part: 0,
            period: self.period.into(),
            currency: self.invoice.currency.code().into(),
            earned_on: self.paid_on.to_string(),
            tier: self.tier_id(payee),
            base_minor: self.item.amount_minor,
            rate_micro: None,
            rate_source: None,
            share_micro: 1_000_000,
            uncut_minor: None,
            amount_minor: 0,
            referred_minor: 0,
            fund: None,
            late_from: self.late_from(self.period),
            version: self.version,
        }
    }

    /// What conditions see of a partner in a role.
    pub(crate) fn sight(&'a self, partner: &'a str, role: &'a str) -> Sight<'a> {
        Sight { case: self, partner, role }
    }

    /// The base rate of a partner for the item and where it comes from (domain.md §3.4).
    pub(crate) fn base_rate(&self, partner: &str, role: &str) -> Result<(i64, Option<String>), FactError> {
        let named = self.says.rates.iter().filter(|entry| entry.partner.as_deref() == Some(partner));
        let open = self.says.rates.iter().filter(|entry| entry.partner.is_none());
        for entry in named.chain(open) {
            if self.fits(entry, partner, role)? {
                return Ok((entry.rate.micro(), Some(format!("rates:{}", entry.id))));
            }
        }
        let rank = self.members.get(partner).and_then(|member| member.tier(self.says, self.paid_on, self.cutoff));
        Ok(match rank.filter(|_| self.role(role).tier_rate) {
            Some(rank) => (self.says.tiers[rank].rate.micro(), Some(format!("tier:{}", self.says.tiers[rank].id))),
            None => (0, None),
        })
    }

    fn fits(&self, entry: &RateEntry, partner: &str, role: &str) -> Result<bool, FactError> {
        let of_role = entry.role.as_deref().map_or_else(|| self.role(role).tier_rate, |named| named == role);
        let of_tier = entry.tiers.as_ref().is_none_or(|tiers| self.tier_id(partner).is_some_and(|tier| tiers.contains(&tier)));
        if !of_role || !of_tier || !entry.window.contains(self.paid_on) {
            return Ok(false);
        }
        entry.when.as_ref().map_or(Ok(true), |when| when.holds(&self.sight(partner, role)))
    }
}

/// A partner's own facts on an item.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    case: &'a Case<'a>,
    partner: &'a str,
    role: &'a str,
}

impl Facts for Sight<'_> {
    fn value(&self, fact: &Fact) -> Result<Option<Value<'_>>, FactError> {
        let Case { says, rates, cutoff, paid_on, invoice, item, deal, .. } = *self.case;
        let text = |text: &str| Ok(Some(Value::Text(Cow::Owned(text.to_owned()))));
        let number = |figure: Option<Exact>| figure.map(|figure| Some(Value::Number(figure))).ok_or_else(not_told);
        let member = self.case.members.get(self.partner);
        match fact {
            Fact::Amount => number(rates.converted(item.amount_minor, invoice.currency, paid_on, cutoff)),
            Fact::InvoiceAmount => number(rates.converted(invoice.subtotal_minor, invoice.currency, paid_on, cutoff)),
            Fact::Product => text(invoice.product(item, cutoff)),
            Fact::Currency => text(invoice.currency.code()),
            Fact::PaymentMethod => text(invoice.payment_method(cutoff)),
            Fact::ContractValue => match deal {
                Some(deal) => number(rates.converted(deal.value_minor, deal.currency, deal.signed_on, cutoff)),
                None => number(Some(Exact::ZERO)),
            },
            Fact::NewLogo => Ok(Some(Value::Bool(deal.is_some_and(|deal| deal.new_logo)))),
            Fact::Registered => Ok(Some(Value::Bool(deal.is_some_and(|deal| deal.registered)))),
            Fact::Motion => text(deal.map_or("", |deal| deal.motion(cutoff))),
            Fact::Role => text(self.role),
            Fact::Tier => Ok(self.case.tier_id(self.partner).map(|tier| Value::Text(Cow::Owned(tier)))),
            Fact::PartnerKind => text(member.map_or("", |member| member.kind(cutoff))),
            Fact::Country => text(member.map_or("", |member| member.country(cutoff))),
            Fact::Metric(name) => {
                let known = member.and_then(|member| member.metric(name, paid_on, cutoff));
                Ok(says.metrics.get(name).zip(known).and_then(|(kind, value)| match kind {
                    MetricKind::Number => value.parse().ok().map(Value::Number),
                    MetricKind::Text => Some(Value::Text(Cow::Owned(value.to_owned()))),
                    MetricKind::Bool => value.parse().ok().map(Value::Bool),
                }))
            }
            Fact::MonthlyReferredRevenue | Fact::QuarterlyReferredRevenue | Fact::TrailingTwelveMonths | Fact::ActiveDeals | Fact::CertifiedReps => {
                Err(not_told())
            }
        }
    }
}
