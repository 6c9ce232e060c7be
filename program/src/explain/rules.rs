//! Why a spiff or a volume bonus paid or did not pay a credit (domain.md §3.5–3.6).

use serde::Serialize;

use super::{ConditionShown, Reason, condition, days};
use crate::commission::spiff_amount;
use crate::invoice::Deal;
use crate::line::Text;
use crate::money::Rate;
use crate::programme::{Pays, Reward, Rule, RuleKind, WindowOn};
use crate::rating::CreditFacts;
use crate::spiff::{self, DealUses, FirstInvoice};

/// A rule as one credit met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleShown {
    /// Its id.
    pub rule: String,
    /// `spiff` or `volume_bonus`.
    pub kind: &'static str,
    /// Its rate; `None`: a flat amount.
    pub rate: Option<String>,
    /// Its flat amount, in the programme's currency.
    pub flat_amount: Option<String>,
    /// Whether it pays.
    pub pays: bool,
    /// Why it does not.
    pub reasons: Vec<Reason>,
    /// Its base in the invoice's currency; `None` where it has none.
    pub base: Option<String>,
    /// How the base came about.
    pub base_from: Option<String>,
    /// Its condition, where it has one.
    pub condition: Option<ConditionShown>,
}

/// Why a rule of the version in force pays a credit, or all that speaks against it.
///
/// `first` is the deal's first paid invoice, `uses` what the rule posted for the deal before this item.
#[must_use]
pub fn rule(rule: &Rule, facts: &CreditFacts<'_>, share: Rate, first: Option<&FirstInvoice>, uses: &DealUses) -> RuleShown {
    let case = facts.case;
    let mut reasons = who(rule, facts);
    let rule_id: Text = rule.id.as_str().into();
    let (kind, rate, flat_amount, base_minor, base_from) = match &rule.kind {
        RuleKind::VolumeBonus { rate } => {
            if !rule.window.contains(case.day()) {
                reasons.push(Reason::new("window", format!("it holds {}, and the invoice was paid on {}", days(rule.window), case.day())));
            }
            ("volume_bonus", Some(rate.to_string()), None, Some(case.item.amount_minor), None)
        }
        RuleKind::Spiff { reward, window_on, pays } => {
            reasons.extend(window(rule, *window_on, case.deal, facts));
            reasons.extend(first_invoice(*reward, *pays, facts, first, uses, &rule_id));
            let base_minor = spiff::base_minor(rule, case, first, uses, &rule_id);
            let (cap, base_from) = cap(*reward, *pays, facts, uses, &rule_id);
            reasons.extend(cap);
            let (rate, flat_amount) = match reward {
                Reward::Rate(rate) => (Some(rate.to_string()), None),
                Reward::Amount(minor) => (None, Some(format!("{} {}", case.version.currency.format_minor(*minor), case.version.currency))),
            };
            ("spiff", rate, flat_amount, base_minor, base_from)
        }
    };
    let looked_at = rule.when.as_ref().map(|when| condition(when, facts));
    // Where something else speaks against it already, rating never asked for the facts; what can't be told then is no matter.
    let refusal = looked_at.as_ref().and_then(ConditionShown::refusal);
    reasons.extend(refusal.filter(|refusal| reasons.is_empty() || refusal.code != "condition_error"));
    if reasons.is_empty() && comes_to_zero(rule, facts, base_minor, share) {
        reasons.push(Reason::new("zero", "it comes to zero, and such a line is not made"));
    }
    let base = base_minor.map(|minor| case.invoice.currency.format_minor(minor));
    RuleShown { rule: rule.id.clone(), kind, rate, flat_amount, pays: reasons.is_empty(), reasons, base, base_from, condition: looked_at }
}

/// What stands against it whatever the item is.
fn who(rule: &Rule, facts: &CreditFacts<'_>) -> Vec<Reason> {
    let case = facts.case;
    let id = &**case.directory.id(facts.partner);
    let partner = case.directory.partner(facts.partner);
    let mut reasons = Vec::new();
    if !partner.active(case.day()) {
        let text = if partner.earned_tier(case.day()).is_none() {
            format!("{id} was not yet a member on {}", case.day())
        } else {
            format!("{id} was {} on {}, and earns nothing from this credit", partner.status(case.day()).name(), case.day())
        };
        reasons.push(Reason::new("inactive", text));
    }
    if !case.version.role(facts.role).is_some_and(|role| role.extras) {
        reasons.push(Reason::new("role", format!("role {} carries no extras", facts.role)));
    }
    if let Some(partners) = rule.partners.as_ref().filter(|_| !spiff::is_for(rule, id)) {
        reasons.push(Reason::new("partner", format!("it is for {} only", partners.join(", "))));
    }
    reasons
}

fn window(rule: &Rule, watches: WindowOn, deal: Option<&Deal>, facts: &CreditFacts<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if matches!(watches, WindowOn::SignedOn | WindowOn::Both) {
        match deal {
            None => reasons.push(Reason::new("no_deal", "it watches the day on which the deal was signed, and the item is under no deal")),
            Some(deal) if !rule.window.contains(deal.signed_on) => {
                let text = format!("it is for deals signed {}, and {} was signed on {}", days(rule.window), deal.id, deal.signed_on);
                reasons.push(Reason::new("window", text));
            }
            Some(_) => {}
        }
    }
    if matches!(watches, WindowOn::PaidOn | WindowOn::Both) && !rule.window.contains(facts.case.day()) {
        let text = format!("it is for invoices paid {}, and this one was paid on {}", days(rule.window), facts.case.day());
        reasons.push(Reason::new("window", text));
    }
    reasons
}

/// For rules that pay once a deal: whether this is the deal's first paid invoice, and for flat amounts the first item.
fn first_invoice(reward: Reward, pays: Pays, facts: &CreditFacts<'_>, first: Option<&FirstInvoice>, uses: &DealUses, rule_id: &Text) -> Vec<Reason> {
    let flat = matches!(reward, Reward::Amount(_));
    if !flat && pays == Pays::EachInvoice {
        return Vec::new();
    }
    let case = facts.case;
    let Some(deal) = case.deal else {
        return vec![Reason::new("no_deal", "it pays on a deal's first paid invoice, and the item is under no deal")];
    };
    let posted = uses.of(rule_id, &deal.id).and_then(|used| used.posted_for.as_ref()).filter(|posted| **posted != case.invoice.id);
    if let Some(posted) = posted {
        return vec![Reason::new("already_posted", format!("it was posted for deal {} with invoice {posted}, and pays once", deal.id))];
    }
    match first {
        Some(first) if first.invoice != case.invoice.id => {
            let text = format!("it pays on the first paid invoice of deal {}, which is {} (paid {})", deal.id, first.invoice, first.paid_at);
            vec![Reason::new("not_first", text)]
        }
        Some(first) if flat && &*first.item != case.item.key() => {
            vec![Reason::new("not_first_item", format!("it pays once, on the first item under deal {}, which is {}", deal.id, first.item))]
        }
        Some(_) => Vec::new(),
        None => vec![Reason::new("not_first", format!("deal {} has no paid invoice yet", deal.id))],
    }
}

/// For rules that pay on each invoice: what the contract value leaves.
fn cap(reward: Reward, pays: Pays, facts: &CreditFacts<'_>, uses: &DealUses, rule_id: &Text) -> (Option<Reason>, Option<String>) {
    let (Reward::Rate(_), Pays::EachInvoice, Some(deal)) = (reward, pays, facts.case.deal) else { return (None, None) };
    let spent = uses.of(rule_id, &deal.id).map_or(0, |used| used.used_minor);
    let left = deal.contract_value_minor.saturating_sub(spent).max(0);
    let text = |minor| deal.currency.format_minor(minor);
    let told = format!(
        "the contract value of deal {} is {} {}, of which {} was used before",
        deal.id,
        text(deal.contract_value_minor),
        deal.currency,
        text(spent)
    );
    if left == 0 {
        return (Some(Reason::new("cap_used_up", format!("{told}: nothing is left"))), None);
    }
    if left < facts.case.item.amount_minor {
        return (None, Some(format!("{told}: {} is left", text(left))));
    }
    (None, Some(told))
}

fn comes_to_zero(rule: &Rule, facts: &CreditFacts<'_>, base_minor: Option<i64>, share: Rate) -> bool {
    let base_minor = base_minor.unwrap_or(0);
    match &rule.kind {
        RuleKind::Spiff { .. } => spiff_amount(facts.case, rule, base_minor, share) == Ok(0),
        RuleKind::VolumeBonus { rate } => rate.of(base_minor, share, facts.case.version.rounding) == Ok(0),
    }
}
