//! The base that a spiff has on an item (domain.md §3.5).

use std::collections::HashMap;

use program::programme::{Pays, Reward, Rule, RuleKind, WindowOn};

use super::case::Case;
use crate::verify::figures::{MILLION, nearest, product};

/// The place of an item in the order in which spiffs are used: the period that booked it, then its payment.
pub(crate) type Turn = (String, i64, String, String);

/// What spiffs used of deals, and the deals' first paid invoices.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// By rule and deal: whose turn it was, and the base that it used.
    pub(crate) of: HashMap<(String, String), Vec<(Turn, i64)>>,
    /// By deal, paid invoices with items under it: when each was paid and known, and its first item.
    pub(crate) paid: HashMap<String, Vec<Paid>>,
}

/// An invoice that may be under a deal.
#[derive(Debug, Clone)]
pub(crate) struct Paid {
    pub(crate) paid_at: i64,
    pub(crate) invoice: String,
    /// By recording, in order: from then on its first item under the deal, if it was paid and had one.
    pub(crate) first_item: Vec<(i64, Option<String>)>,
}

impl Paid {
    fn item(&self, cutoff: i64) -> Option<&str> {
        self.first_item.iter().rev().find(|(known, _)| *known <= cutoff)?.1.as_deref()
    }
}

impl Uses {
    fn before<'a>(&'a self, rule: &str, deal: &str, turn: &'a Turn) -> impl Iterator<Item = &'a (Turn, i64)> {
        let all = self.of.get(&(rule.to_owned(), deal.to_owned())).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |(used, _)| used < turn)
    }

    /// The first paid invoice of a deal, and its first item under it.
    fn first(&self, deal: &str, cutoff: i64) -> Option<(&str, &str)> {
        let known = self.paid.get(deal)?.iter().filter_map(|paid| paid.item(cutoff).map(|item| (paid.paid_at, paid.invoice.as_str(), item)));
        known.min().map(|(_, invoice, item)| (invoice, item))
    }
}

/// The base of a spiff on an item; `None`: it can't pay here.
pub(crate) fn base_minor(case: &Case<'_>, rule: &Rule, uses: &Uses) -> Option<i64> {
    let RuleKind::Spiff { reward, window_on, pays } = &rule.kind else { return None };
    let signed = case.deal.is_some_and(|deal| rule.window.contains(deal.signed_on));
    let paid = rule.window.contains(case.paid_on);
    let is_open = match window_on {
        WindowOn::SignedOn => signed,
        WindowOn::PaidOn => paid,
        WindowOn::Both => signed && paid,
    };
    if !is_open {
        return None;
    }
    let amount_minor = case.item.amount_minor;
    let turn: Turn = (case.period.into(), case.invoice.paid_at(case.cutoff)?, case.invoice.id.clone(), case.item.id.clone());
    match (reward, pays, case.deal) {
        (Reward::Rate(_), Pays::EachInvoice, None) => Some(amount_minor),
        (Reward::Rate(_), Pays::EachInvoice, Some(deal)) => {
            let used: i64 = uses.before(&rule.id, &deal.id, &turn).map(|(_, base)| base).sum();
            Some(amount_minor.min((deal.value_minor - used).max(0)))
        }
        (Reward::Rate(_), Pays::FirstInvoice, None) | (Reward::Amount(_), _, None) => None,
        (_, _, Some(deal)) => {
            let (_, first_item) = uses.first(&deal.id, case.cutoff).filter(|(invoice, _)| *invoice == case.invoice.id)?;
            let is_another_s = uses.before(&rule.id, &deal.id, &turn).any(|((_, _, invoice, _), _)| *invoice != case.invoice.id);
            let is_item = matches!(reward, Reward::Rate(_)) || first_item == case.item.id;
            (!is_another_s && is_item).then_some(amount_minor)
        }
    }
}

/// What a spiff pays on its base: a rate of it, or the flat amount in the invoice's currency, rounded once. `None`: it can't be told.
pub(crate) fn amount_minor(case: &Case<'_>, reward: &Reward, base_minor: i64, share_micro: i64) -> Option<i64> {
    match reward {
        Reward::Rate(rate) => product(base_minor, rate.micro(), share_micro, case.says.rounding),
        Reward::Amount(flat_minor) => {
            let (to, own) = (case.invoice.currency, case.says.currency);
            if to == own {
                return product(*flat_minor, 1_000_000, share_micro, case.says.rounding);
            }
            let rate = case.rates.on(to, case.paid_on, case.cutoff)?;
            let ten = |power: u32| 10_i128.checked_pow(power);
            let above = i128::from(*flat_minor).checked_mul(i128::from(share_micro))?.checked_mul(ten(to.exponent() + rate.scale())?)?;
            let below = MILLION.checked_mul(ten(own.exponent())?)?.checked_mul(rate.mantissa())?;
            i64::try_from(nearest(above, below, case.says.rounding)).ok()
        }
    }
}
