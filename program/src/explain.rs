//! Why an item earned what it earned, and why a rule did not pay: the same checks as rating, with their reasons (domain.md §3).

mod chain;
mod rules;

pub use chain::{ChainShown, LayerShown, chain};
pub use rules::{RuleShown, rule};

use serde::Serialize;

use crate::condition::{Condition, Decided, Truth};
use crate::programme::{RateEntry, Window};
use crate::rating::{CreditFacts, entry_fits};

/// Why something did not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A word that stays the same.
    pub code: &'static str,
    /// The reason in full.
    pub text: String,
}

impl Reason {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// A fact that a condition looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactShown {
    /// The comparison as written.
    pub comparison: String,
    /// The fact.
    pub fact: String,
    /// Its value; `None`: missing.
    pub value: Option<String>,
    /// What the comparison came to: `true`, `false` or `unknown`.
    pub truth: &'static str,
}

/// A condition with what decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionShown {
    /// The condition as written.
    pub when: String,
    /// `true`, `false` or `unknown`; `None` if it can't be told.
    pub truth: Option<&'static str>,
    /// The facts looked at, in order; where the rest can't matter it is not looked at.
    pub facts: Vec<FactShown>,
    /// Why it can't be told.
    pub error: Option<String>,
}

fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    }
}

/// A condition for one partner and role on an item.
#[must_use]
pub fn condition(when: &Condition, facts: &CreditFacts<'_>) -> ConditionShown {
    let source = when.source().to_owned();
    match when.decided_by(facts) {
        Ok((truth, decided)) => {
            let shown = |Decided { comparison, fact, value, truth }| FactShown { comparison, fact, value, truth: word(truth) };
            ConditionShown { when: source, truth: Some(word(truth)), facts: decided.into_iter().map(shown).collect(), error: None }
        }
        Err(error) => ConditionShown { when: source, truth: None, facts: Vec::new(), error: Some(error.to_string()) },
    }
}

impl ConditionShown {
    /// The condition, what it came to and by which facts, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Some(truth) = self.truth else {
            return format!("`{}` can't be told: {}", self.when, self.error.as_deref().unwrap_or("a fact is missing"));
        };
        let mut told: Vec<String> = Vec::new();
        for fact in &self.facts {
            let fact = match &fact.value {
                Some(value) => format!("{} = {value}", fact.fact),
                None => format!("{} is missing", fact.fact),
            };
            if !told.contains(&fact) {
                told.push(fact);
            }
        }
        let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
        format!("`{}` is {truth}{told}", self.when)
    }

    fn refusal(&self) -> Option<Reason> {
        let code = match self.truth {
            Some("true") => return None,
            Some("unknown") => "condition_unknown",
            Some(_) => "condition_false",
            None => "condition_error",
        };
        Some(Reason::new(code, self.sentence()))
    }
}

/// A window in words.
fn days(window: Window) -> String {
    match (window.from, window.through) {
        (Some(from), Some(through)) => format!("from {from} through {through}"),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(through)) => format!("through {through}"),
        (None, None) => "on any day".into(),
    }
}

/// An entry of the rate table as one credit met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryShown {
    /// Its id.
    pub id: String,
    /// Its rate.
    pub rate: String,
    /// Whether its rate is the base rate.
    pub applies: bool,
    /// Why it is not.
    pub reasons: Vec<Reason>,
    /// Its condition, where it was looked at.
    pub condition: Option<ConditionShown>,
}

/// The entries of the rate table in the order in which they are looked at: those that name the partner, those that name nobody, and those
/// that name others, which are for nobody here (domain.md §3.4).
#[must_use]
pub fn rate_entries(facts: &CreditFacts<'_>) -> Vec<EntryShown> {
    let version = facts.case.version;
    let id = &**facts.case.directory.id(facts.partner);
    let place = |entry: &RateEntry| match entry.partner.as_deref() {
        Some(named) if named == id => 0,
        None => 1,
        Some(_) => 2,
    };
    let mut entries: Vec<&RateEntry> = version.rates.iter().collect();
    entries.sort_by_key(|entry| place(entry));
    let mut found: Option<&str> = None;
    let mut shown = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut reasons = entry_refusals(entry, facts, id);
        let mut looked_at = None;
        if reasons.is_empty() {
            if let Some(earlier) = found {
                reasons.push(Reason::new("earlier_entry", format!("{earlier} comes before it and fits")));
            } else {
                looked_at = entry.when.as_ref().map(|when| condition(when, facts));
                reasons.extend(looked_at.as_ref().and_then(ConditionShown::refusal));
            }
        }
        let applies = reasons.is_empty();
        debug_assert!(found.is_some() || place(entry) == 2 || entry_fits(entry, facts).map_or(true, |fits| fits == applies), "{}", entry.id);
        if applies {
            found = Some(&entry.id);
        }
        shown.push(EntryShown { id: entry.id.clone(), rate: entry.rate.to_string(), applies, reasons, condition: looked_at });
    }
    shown
}

fn entry_refusals(entry: &RateEntry, facts: &CreditFacts<'_>, id: &str) -> Vec<Reason> {
    let version = facts.case.version;
    let mut reasons = Vec::new();
    if let Some(named) = entry.partner.as_deref().filter(|named| *named != id) {
        reasons.push(Reason::new("partner", format!("it is for {named} only")));
    }
    match &entry.role {
        Some(role) if role != facts.role => reasons.push(Reason::new("role", format!("it is for role {role} only"))),
        None if !version.role(facts.role).is_some_and(|role| role.tier_rate) => {
            reasons.push(Reason::new("role", format!("role {} has no tier rate, so only an entry that names the role pays it", facts.role)));
        }
        _ => {}
    }
    if let Some(tiers) = &entry.tiers {
        let tier = facts.tier.map(|rank| version.tiers[rank].id.as_str());
        if tier.is_none_or(|tier| !tiers.iter().any(|named| named == tier)) {
            reasons.push(Reason::new("tier", format!("it is for tier {} only", tiers.join(" or "))));
        }
    }
    if !entry.window.contains(facts.case.day()) {
        reasons.push(Reason::new("window", format!("it holds {}, and the invoice was paid on {}", days(entry.window), facts.case.day())));
    }
    reasons
}

#[cfg(test)]
mod tests;
