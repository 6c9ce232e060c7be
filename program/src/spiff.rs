//! Which items a spiff pays on, and on what base (domain.md §3.5).

use std::collections::HashMap;

use crate::calendar::{Date, Instant};
use crate::condition::FactError;
use crate::invoice::Deal;
use crate::line::Text;
use crate::programme::{Pays, Reward, Rule, RuleKind, WindowOn};
use crate::rating::{CreditFacts, ItemCase};

/// The first paid invoice known with an item under a deal: the least (`paid_at`, id), history too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstInvoice {
    /// When it was paid.
    pub paid_at: Instant,
    /// Its id.
    pub invoice: Text,
    /// The first of its items (by id) under the deal, "" for the unnamed one.
    pub item: Text,
}

/// What one rule has posted for one deal so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DealUse {
    /// Bases used of the contract value, minor units.
    pub used_minor: i64,
    /// The invoice that the rule last posted for.
    pub posted_for: Option<Text>,
}

/// What rules have posted for deals: by rule id, then deal id.
#[derive(Debug, Clone, Default)]
pub struct DealUses(HashMap<(Text, Text), DealUse>);

impl DealUses {
    /// What a rule has posted for a deal.
    #[must_use]
    pub fn of(&self, rule: &Text, deal: &Text) -> Option<&DealUse> {
        self.0.get(&(rule.clone(), deal.clone()))
    }

    /// Counts an item that the rule posts for.
    pub fn count(&mut self, rule: &Text, deal: &Text, invoice: &Text, base_minor: i64) {
        let entry = self.0.entry((rule.clone(), deal.clone())).or_default();
        entry.used_minor = entry.used_minor.saturating_add(base_minor);
        entry.posted_for = Some(invoice.clone());
    }
}

/// The base that a spiff has on an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The rule, by its place in the version.
    pub rule: usize,
    /// Its base, minor units.
    pub base_minor: i64,
}

/// Whether a rule's window holds for an item (domain.md §3.5): a rule that watches the signing date needs a deal.
#[must_use]
pub fn window_holds(rule: &Rule, watches: WindowOn, deal: Option<&Deal>, paid_on: Date) -> bool {
    let signed = deal.is_some_and(|deal| rule.window.contains(deal.signed_on));
    match watches {
        WindowOn::SignedOn => signed,
        WindowOn::PaidOn => rule.window.contains(paid_on),
        WindowOn::Both => signed && rule.window.contains(paid_on),
    }
}

/// Whether a rule is for a partner.
#[must_use]
pub fn is_for(rule: &Rule, partner: &str) -> bool {
    rule.partners.as_ref().is_none_or(|partners| partners.iter().any(|named| named == partner))
}

/// Whether a rule pays a credit of an item: it is for the partner and its condition holds.
///
/// # Errors
/// A fact that the condition needs can't be had.
pub fn pays(rule: &Rule, facts: &CreditFacts<'_>) -> Result<bool, FactError> {
    let id = facts.case.directory.id(facts.partner);
    if !is_for(rule, id) {
        return Ok(false);
    }
    rule.when.as_ref().map_or(Ok(true), |when| when.holds(facts))
}

/// The base that a spiff rule has on an item, before anybody's condition is looked at; `None`: it can't pay on this item.
#[must_use]
pub fn base_minor(rule: &Rule, case: &ItemCase<'_>, first: Option<&FirstInvoice>, uses: &DealUses, rule_id: &Text) -> Option<i64> {
    let RuleKind::Spiff { reward, window_on, pays } = &rule.kind else { return None };
    if !window_holds(rule, *window_on, case.deal, case.day()) {
        return None;
    }
    let amount = case.item.amount_minor;
    match (reward, pays, case.deal) {
        (Reward::Rate(_), Pays::EachInvoice, None) => Some(amount),
        (Reward::Rate(_), Pays::EachInvoice, Some(deal)) => {
            let spent = uses.of(rule_id, &deal.id).map_or(0, |used| used.used_minor);
            Some(amount.min(deal.contract_value_minor.saturating_sub(spent).max(0)))
        }
        (Reward::Amount(_), _, None) | (Reward::Rate(_), Pays::FirstInvoice, None) => None,
        (Reward::Rate(_), Pays::FirstInvoice, Some(deal)) => is_first(case, deal, first, uses, rule_id).then_some(amount),
        (Reward::Amount(_), _, Some(deal)) => {
            let first_item = first.is_some_and(|first| &*first.item == case.item.key());
            (first_item && is_first(case, deal, first, uses, rule_id)).then_some(amount)
        }
    }
}

fn is_first(case: &ItemCase<'_>, deal: &Deal, first: Option<&FirstInvoice>, uses: &DealUses, rule_id: &Text) -> bool {
    let posted_for_other = uses.of(rule_id, &deal.id).and_then(|used| used.posted_for.as_ref()).is_some_and(|posted| *posted != case.invoice.id);
    !posted_for_other && first.is_some_and(|first| first.invoice == case.invoice.id)
}
