//! Two versions of a programme side by side: what may not change, and what does.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::choices::Choice;
use super::errors::{FileErrors, Findings};
use crate::calendar::Date;
use crate::condition::Condition;
use crate::money::Currency;
use crate::programme::{ApprovalStep, Hierarchy, Programme, Ranking, RateEntry, Reward, Rule, RuleKind, Tier, Window};

/// Something that differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The field, like `tiers.gold.rate`; the entry, like `rules.q2-new-logo`, where all of it came or went.
    pub path: String,
    /// What it was; `None` when it is new.
    pub old: Option<String>,
    /// What it becomes; `None` when it goes.
    pub new: Option<String>,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let absent = "nothing";
        write!(f, "{}: {} → {}", self.path, self.old.as_deref().unwrap_or(absent), self.new.as_deref().unwrap_or(absent))
    }
}

/// A file that is not a version of the programme: it changes what all versions share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a version of programme {program}: it changes {}; a version keeps id, currency, timezone, first_period and the ids and order of its tiers, so give it an id of its own",
    listed(changes)
)]
pub struct NotASuccessor {
    /// The programme.
    pub program: String,
    /// What may not change and does; never empty.
    pub changes: Vec<Change>,
}

impl NotASuccessor {
    /// As errors of a file, each at its place.
    #[must_use]
    pub fn in_file(&self, name: &str, text: &str) -> FileErrors {
        let mut found = Findings::of(text);
        for (change, span) in self.changes.iter().zip(self.spans(text)) {
            let alone = Self { program: self.program.clone(), changes: vec![change.clone()] };
            found.add(span, alone.to_string());
        }
        found.into_errors(name)
    }

    /// Where the values stand that may not change; the start of the file where one is left out.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let (table, _) = DeTable::parse_recoverable(text);
        let span = |change: &Change| {
            let mut at: Option<&Spanned<DeValue<'_>>> = None;
            for key in change.path.split('.') {
                let table = at.map_or_else(|| Some(table.get_ref()), |value| value.get_ref().as_table())?;
                at = table.get(key);
            }
            // A list of tables begins with its first one.
            let value = at?;
            Some(value.get_ref().as_array().and_then(|array| array.first()).unwrap_or(value).span())
        };
        self.changes.iter().map(|change| span(change).unwrap_or(0..0)).collect()
    }
}

fn listed(changes: &[Change]) -> String {
    let told = |c: &Change| format!("{} from {} to {}", c.path, c.old.as_deref().unwrap_or("none"), c.new.as_deref().unwrap_or("none"));
    changes.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// Whether a version may follow another.
///
/// # Errors
/// [`NotASuccessor`] with every change that is refused.
///
/// # Source
/// domain.md §2.5.
pub fn check_successor(old: &Programme, new: &Programme) -> Result<(), NotASuccessor> {
    let kept = |programme: &Programme| {
        let mut fields = Fields::default();
        fields.add("program.id", &programme.id);
        fields.add("program.currency", programme.currency);
        fields.add("program.timezone", programme.timezone.name());
        fields.add("settlement.first_period", programme.settlement.first_period);
        fields.add("tiers", joined(programme.tiers.iter().map(|tier| &tier.id)));
        fields
    };
    let changes = compare(&kept(old), &kept(new));
    if changes.is_empty() { Ok(()) } else { Err(NotASuccessor { program: old.id.clone(), changes }) }
}

/// What differs between two versions, in the order of the file.
#[must_use]
pub fn differences(old: &Programme, new: &Programme) -> Vec<Change> {
    let mut changes = compare(&head(old), &head(new));
    changes.extend(entries("tiers", &old.tiers, &new.tiers, |tier| &tier.id, tier));
    changes.extend(entries("rules", &old.rules, &new.rules, |rule| &rule.id, |entry| rule(entry, new.currency)));
    changes.extend(entries("rates", &old.rates, &new.rates, |rate| &rate.id, rate_entry));
    changes.extend(order("rates", &old.rates, &new.rates, |rate| &rate.id));
    changes.extend(entries("rankings", &old.rankings, &new.rankings, |ranking| &ranking.id, ranking));
    changes.extend(compare(&terms(old), &terms(new)));
    let steps = |programme: &Programme| programme.mdf.as_ref().map(|mdf| mdf.approvals.clone()).unwrap_or_default();
    changes.extend(entries("mdf.approvals", &steps(old), &steps(new), |step| &step.role, |step| approval(step, new.currency)));
    changes.extend(order("mdf.approvals", &steps(old), &steps(new), |step| &step.role));
    changes
}

/// Named values, in order.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Fields {
    fn add(&mut self, path: &str, value: impl Display) {
        self.0.push((path.into(), value.to_string()));
    }

    fn add_some(&mut self, path: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(path, value);
        }
    }

    fn add_window(&mut self, window: Window) {
        self.add_some("from", window.from.as_ref().map(Date::to_string));
        self.add_some("through", window.through.as_ref().map(Date::to_string));
    }

    fn get(&self, path: &str) -> Option<&String> {
        self.0.iter().find(|(known, _)| known == path).map(|(_, value)| value)
    }

    /// All of it on one line, for an entry that came or went.
    fn summary(&self) -> String {
        joined(self.0.iter().map(|(path, value)| format!("{path} {value}")))
    }
}

fn compare(old: &Fields, new: &Fields) -> Vec<Change> {
    let added = new.0.iter().filter(|(path, _)| old.get(path).is_none());
    let paths = old.0.iter().chain(added).map(|(path, _)| path);
    let change = |path: &String| Change { path: path.clone(), old: old.get(path).cloned(), new: new.get(path).cloned() };
    paths.map(change).filter(|change| change.old != change.new).collect()
}

/// The entries of a list by id: those that came or went as a whole, the fields of those that changed.
fn entries<T>(list: &str, old: &[T], new: &[T], id: fn(&T) -> &String, fields: impl Fn(&T) -> Fields) -> Vec<Change> {
    let before: BTreeMap<&String, &T> = old.iter().map(|entry| (id(entry), entry)).collect();
    let after: BTreeMap<&String, &T> = new.iter().map(|entry| (id(entry), entry)).collect();
    let added = new.iter().filter(|entry| !before.contains_key(id(entry)));
    let mut changes = Vec::new();
    for key in old.iter().chain(added).map(id) {
        match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) => changes.extend(compare(&fields(before), &fields(after)).into_iter().map(|change| {
                let path = format!("{list}.{key}.{}", change.path);
                Change { path, ..change }
            })),
            (before, after) => changes.push(Change {
                path: format!("{list}.{key}"),
                old: before.map(|entry| fields(entry).summary()),
                new: after.map(|entry| fields(entry).summary()),
            }),
        }
    }
    changes
}

/// The order of a list where it matters, among the entries that both have.
fn order<T>(list: &str, old: &[T], new: &[T], id: fn(&T) -> &String) -> Option<Change> {
    let shared = |some: &[T], other: &[T]| joined(some.iter().map(id).filter(|key| other.iter().any(|entry| id(entry) == *key)));
    let (before, after) = (shared(old, new), shared(new, old));
    (before != after).then(|| Change { path: format!("{list} (order)"), old: Some(before), new: Some(after) })
}

fn joined(texts: impl Iterator<Item = impl Display>) -> String {
    let texts: Vec<String> = texts.map(|text| text.to_string()).collect();
    if texts.is_empty() { "none".into() } else { texts.join(", ") }
}

fn head(programme: &Programme) -> Fields {
    let mut fields = Fields::default();
    fields.add("program.id", &programme.id);
    fields.add("program.name", &programme.name);
    fields.add("program.currency", programme.currency);
    fields.add("program.timezone", programme.timezone.name());
    fields.add("program.rounding", programme.rounding.word());
    for (name, role) in &programme.roles {
        let has = [(role.tier_rate, "tier_rate"), (role.referred, "referred"), (role.extras, "extras")];
        fields.add(&format!("roles.{name}"), joined(has.iter().filter(|(set, _)| *set).map(|(_, flag)| flag)));
    }
    for (name, kind) in &programme.metrics {
        fields.add(&format!("metrics.{name}"), kind);
    }
    fields
}

fn tier(tier: &Tier) -> Fields {
    let mut fields = Fields::default();
    fields.add("name", &tier.name);
    fields.add("threshold", tier.threshold);
    fields.add("rate", tier.rate);
    fields.add("coop_rate", tier.coop_rate);
    for (certification, holders) in &tier.certifications {
        fields.add(&format!("certifications.{certification}"), holders);
    }
    fields.add_some("requires", tier.requires.as_ref().map(Condition::source));
    fields.add("invitation_only", tier.invitation_only);
    fields
}

fn rule(rule: &Rule, currency: Currency) -> Fields {
    let mut fields = Fields::default();
    match &rule.kind {
        RuleKind::Spiff { reward, window_on, pays } => {
            fields.add("kind", "spiff");
            match reward {
                Reward::Rate(rate) => fields.add("rate", rate),
                Reward::Amount(minor) => fields.add("amount", currency.format_minor(*minor)),
            }
            fields.add("window_on", window_on.word());
            fields.add("pays", pays.word());
        }
        RuleKind::VolumeBonus { rate } => {
            fields.add("kind", "volume_bonus");
            fields.add("rate", rate);
        }
    }
    fields.add_some("when", rule.when.as_ref().map(Condition::source));
    fields.add_window(rule.window);
    fields.add_some("partners", rule.partners.as_ref().map(|partners| joined(partners.iter())));
    fields
}

fn rate_entry(entry: &RateEntry) -> Fields {
    let mut fields = Fields::default();
    fields.add("rate", entry.rate);
    fields.add_some("partner", entry.partner.as_ref());
    fields.add_some("tiers", entry.tiers.as_ref().map(|tiers| joined(tiers.iter())));
    fields.add_some("role", entry.role.as_ref());
    fields.add_some("when", entry.when.as_ref().map(Condition::source));
    fields.add_window(entry.window);
    fields
}

fn ranking(ranking: &Ranking) -> Fields {
    let mut fields = Fields::default();
    fields.add("top", ranking.top);
    fields.add("rate", ranking.rate);
    fields.add("applies", ranking.applies.word());
    fields.add_window(ranking.window);
    fields
}

fn approval(step: &ApprovalStep, currency: Currency) -> Fields {
    let mut fields = Fields::default();
    fields.add_some("over", step.over_minor.map(|minor| currency.format_minor(minor)));
    fields.add_some("within", step.within_s.map(|seconds| format!("{seconds}s")));
    fields.add_some("remind_every", step.remind_every_s.map(|seconds| format!("{seconds}s")));
    fields.add_some("escalate_to", step.escalate_to.as_ref());
    fields
}

fn terms(programme: &Programme) -> Fields {
    let mut fields = Fields::default();
    if let Some(terms) = &programme.hierarchy {
        hierarchy(&mut fields, terms);
    }
    fields.add("coop.funded_by", programme.coop.funded_by.word());
    fields.add_some("coop.expires_after_months", programme.coop.expires_after_months);
    settlement(&mut fields, programme);
    let reviews = &programme.recertification;
    fields.add_some("recertification.schedule", reviews.schedule.as_ref());
    fields.add("recertification.promotion", reviews.promotion.word());
    fields.add("recertification.grace_cycles", reviews.grace_cycles);
    fields.add("recertification.max_demotion_steps", reviews.max_demotion_steps);
    fields.add("recertification.customer_min_age_days", reviews.customer_min_age_days);
    fields.add_some("mdf.cost_share", programme.mdf.as_ref().map(|mdf| mdf.cost_share));
    fields
}

fn hierarchy(fields: &mut Fields, terms: &Hierarchy) {
    fields.add("hierarchy.mode", terms.mode.word());
    fields.add("hierarchy.levels", joined(terms.levels.iter()));
    fields.add("hierarchy.paid_by", terms.paid_by.word());
    fields.add("hierarchy.inactive", terms.inactive.word());
    fields.add("hierarchy.share_spiffs", terms.share_spiffs);
    fields.add_some("hierarchy.max_total_rate", terms.max_total_rate);
}

fn settlement(fields: &mut Fields, programme: &Programme) {
    let terms = &programme.settlement;
    fields.add("settlement.first_period", terms.first_period);
    fields.add_some("settlement.schedule", terms.schedule.as_ref());
    fields.add("settlement.minimum_payout", programme.currency.format_minor(terms.minimum_payout_minor));
    for (currency, minor) in &terms.minimum_payout_in {
        fields.add(&format!("settlement.minimum_payout_in.{currency}"), currency.format_minor(*minor));
    }
    fields.add("settlement.release", terms.release.word());
    fields.add("settlement.hold_days", terms.hold_days);
    fields.add("settlement.net_processing_cost", terms.net_processing_cost);
}
