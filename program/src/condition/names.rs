//! The names that a condition may use: built-in facts with their types, reserved names, and the nearest known one.

use super::{Fact, MetricKind, Scope};

/// The words of the grammar; none of them can name a fact.
pub(crate) const WORDS: [&str; 6] = ["and", "or", "not", "in", "true", "false"];

/// Names kept free for what comes next (domain.md §9).
pub(crate) const RESERVED: [&str; 7] = ["family", "billing", "points", "score", "holds", "certified", "designations"];

/// What a fact is about; decides where it may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// An item, its invoice, its deal or its credit: `when` only.
    Sale,
    /// A partner or one of its periods: everywhere.
    Partner,
    /// What only a review counts: `requires` only.
    Review,
}

/// A built-in fact.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    pub(super) fact: Fact,
    pub(super) kind: MetricKind,
    about: About,
}

impl BuiltIn {
    pub(super) fn allowed_in(&self, scope: Scope) -> bool {
        match (self.about, scope) {
            (About::Partner, _) | (About::Sale, Scope::When) | (About::Review, Scope::Requires) => true,
            (About::Sale, Scope::Requires) | (About::Review, Scope::When) => false,
        }
    }
}

const fn built_in(name: &'static str, fact: Fact, kind: MetricKind, about: About) -> BuiltIn {
    BuiltIn { name, fact, kind, about }
}

/// Every built-in fact (interface.md §1).
pub(super) static BUILT_IN: [BuiltIn; 18] = [
    built_in("amount", Fact::Amount, MetricKind::Number, About::Sale),
    built_in("product", Fact::Product, MetricKind::Text, About::Sale),
    built_in("invoice_amount", Fact::InvoiceAmount, MetricKind::Number, About::Sale),
    built_in("currency", Fact::Currency, MetricKind::Text, About::Sale),
    built_in("payment_method", Fact::PaymentMethod, MetricKind::Text, About::Sale),
    built_in("contract_value", Fact::ContractValue, MetricKind::Number, About::Sale),
    built_in("new_logo", Fact::NewLogo, MetricKind::Bool, About::Sale),
    built_in("registered", Fact::Registered, MetricKind::Bool, About::Sale),
    built_in("motion", Fact::Motion, MetricKind::Text, About::Sale),
    built_in("role", Fact::Role, MetricKind::Text, About::Sale),
    built_in("tier", Fact::Tier, MetricKind::Text, About::Partner),
    built_in("partner_kind", Fact::PartnerKind, MetricKind::Text, About::Partner),
    built_in("country", Fact::Country, MetricKind::Text, About::Partner),
    built_in("monthly_referred_revenue", Fact::MonthlyReferredRevenue, MetricKind::Number, About::Partner),
    built_in("quarterly_referred_revenue", Fact::QuarterlyReferredRevenue, MetricKind::Number, About::Partner),
    built_in("trailing_12_month_referred_revenue", Fact::TrailingTwelveMonths, MetricKind::Number, About::Partner),
    built_in("active_deals", Fact::ActiveDeals, MetricKind::Number, About::Review),
    built_in("certified_reps", Fact::CertifiedReps, MetricKind::Number, About::Review),
];

impl Fact {
    /// The name by which conditions call it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Amount => "amount",
            Self::Product => "product",
            Self::InvoiceAmount => "invoice_amount",
            Self::Currency => "currency",
            Self::PaymentMethod => "payment_method",
            Self::ContractValue => "contract_value",
            Self::NewLogo => "new_logo",
            Self::Registered => "registered",
            Self::Motion => "motion",
            Self::Role => "role",
            Self::Tier => "tier",
            Self::PartnerKind => "partner_kind",
            Self::Country => "country",
            Self::MonthlyReferredRevenue => "monthly_referred_revenue",
            Self::QuarterlyReferredRevenue => "quarterly_referred_revenue",
            Self::TrailingTwelveMonths => "trailing_12_month_referred_revenue",
            Self::ActiveDeals => "active_deals",
            Self::CertifiedReps => "certified_reps",
            Self::Metric(name) => name,
        }
    }
}

/// Why a metric can't have this name, if it can't.
pub(crate) fn metric_name_problem(name: &str) -> Option<&'static str> {
    let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !identifier {
        Some("is not a name: use letters, digits and `_`, beginning with a letter")
    } else if BUILT_IN.iter().any(|b| b.name == name) {
        Some("is a built-in fact; choose another name")
    } else if RESERVED.contains(&name) {
        Some("is reserved for a later release; choose another name")
    } else if WORDS.contains(&name) {
        Some("is a word of the condition language; choose another name")
    } else {
        None
    }
}

/// The known name that is closest to a misspelt one, if any is close.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer than any known name can't be a slip of a few keys; it also bounds the work on hostile input.
    if wrong.len() > 64 {
        return None;
    }
    let lower = wrong.to_lowercase();
    let limit = 1 + wrong.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.cmp(right)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_is_called_by_its_name() {
        for built_in in &BUILT_IN {
            assert_eq!(built_in.fact.name(), built_in.name);
        }
    }

    #[test]
    fn the_nearest_name_is_a_slip_away() {
        let known = ["contract_value", "csat", "country"];
        for (wrong, right) in [("contract_vlaue", Some("contract_value")), ("CSAT", Some("csat")), ("contry", Some("country")), ("zebra", None)] {
            assert_eq!(nearest(wrong, known), right, "{wrong}");
        }
        assert_eq!(nearest(&"a".repeat(1000), known), None);
    }

    #[test]
    fn metrics_have_names_of_their_own() {
        for taken in ["amount", "score", "and", "", "9lives", "e-mail", "größe", "tier"] {
            assert!(metric_name_problem(taken).is_some(), "{taken}");
        }
        for free in ["csat", "_x", "nps_2", "Amount"] {
            assert!(metric_name_problem(free).is_none(), "{free}");
        }
    }
}
