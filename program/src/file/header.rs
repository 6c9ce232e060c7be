//! `[program]`: what a programme is; it and its roles and metrics are read first, for the rest refers to them.

use std::collections::BTreeMap;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::errors::Findings;
use super::section::{Field, Keys, Section, shown};
use crate::condition::MetricKind;
use crate::condition::names::{metric_name_problem, nearest};
use crate::money::{Currency, Rounding};
use crate::programme::{Role, SOURCED};

const KEYS: Keys = Keys { required: &["id", "name", "currency", "timezone"], optional: &["rounding"] };
const ROLE_KEYS: Keys = Keys { required: &[], optional: &["tier_rate", "referred", "extras"] };

/// The most metrics.
const METRICS_MAX: usize = 500;

/// What `[program]` says; what is absent was reported.
#[derive(Default)]
pub(super) struct Header {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) currency: Option<Currency>,
    pub(super) timezone: Option<Tz>,
    pub(super) rounding: Rounding,
}

pub(super) fn header(found: &mut Findings<'_>, root: &Section<'_>) -> Header {
    let Some(section) = root.section(found, "program", &KEYS) else { return Header::default() };
    Header {
        id: section.field("id").and_then(|field| program_id(found, &field)).unwrap_or_default().into(),
        name: section.field("name").and_then(|field| field.name(found)).unwrap_or_default().into(),
        currency: section.field("currency").and_then(|field| currency(found, &field)),
        timezone: section.field("timezone").and_then(|field| timezone(found, &field)),
        rounding: section.field("rounding").and_then(|field| field.choice(found)).unwrap_or_default(),
    }
}

/// An id that may stand in the middle of an account's name (domain.md §7): one that held ":" could be read in two ways.
fn program_id<'d>(found: &mut Findings<'_>, field: &Field<'d>) -> Option<&'d str> {
    let id = field.id(found)?;
    if id.contains(':') {
        found.add_with_help(
            field.span.clone(),
            format!("`id`: {:?} holds \":\", which separates the parts of an account's name", shown(id)),
            "use \"-\" instead",
        );
        return None;
    }
    Some(id)
}

fn currency(found: &mut Findings<'_>, field: &Field<'_>) -> Option<Currency> {
    let code = field.text(found)?;
    match code.parse() {
        Ok(currency) => Some(currency),
        Err(error) => {
            report_currency(found, field.span.clone(), code, &error);
            None
        }
    }
}

/// Reports a code that is not a currency, with the code in capitals where that is one.
pub(super) fn report_currency(found: &mut Findings<'_>, span: std::ops::Range<usize>, code: &str, error: &crate::money::MoneyError) {
    match code.to_ascii_uppercase().parse::<Currency>() {
        Ok(meant) => found.add_with_help(span, error.to_string(), format!("did you mean \"{meant}\"?")),
        Err(_) => found.add_with_help(span, error.to_string(), "write an ISO 4217 code like \"USD\""),
    }
}

fn timezone(found: &mut Findings<'_>, field: &Field<'_>) -> Option<Tz> {
    let name = field.text(found)?;
    let zone = name.parse::<Tz>().ok();
    if zone.is_none() {
        let help = match nearest(name, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write an IANA time zone like \"America/New_York\" or \"UTC\"".into(),
        };
        found.add_with_help(field.span.clone(), format!("`timezone`: {:?} is not an IANA time zone", shown(name)), help);
    }
    zone
}

/// `[roles.…]`: roles of credits beside `sourced` (domain.md §3.2).
pub(super) fn roles(found: &mut Findings<'_>, root: &Section<'_>) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    let fields = root.field("roles").map(|field| field.entries(found)).unwrap_or_default();
    for field in fields {
        let Some(name) = field.key_id(found) else { continue };
        if name == SOURCED {
            found.add_with_help(
                field.key_span.clone(),
                "the role `sourced` can't be declared",
                "every programme has it, with the tier's rate, referred revenue and extras; declare other roles beside it",
            );
            continue;
        }
        let Some(table) = field.table(found) else { continue };
        let section = Section::open(found, table, field.span.clone(), &format!("[roles.{}]", shown(name)), &ROLE_KEYS);
        let mut flag = |key: &str| section.field(key).and_then(|field| field.flag(found)).unwrap_or_default();
        roles.insert(name.to_owned(), Role { tier_rate: flag("tier_rate"), referred: flag("referred"), extras: flag("extras") });
    }
    roles
}

/// `[metrics]`: what conditions may name beside the built-in facts.
pub(super) fn metrics(found: &mut Findings<'_>, root: &Section<'_>) -> BTreeMap<String, MetricKind> {
    let mut metrics = BTreeMap::new();
    let fields = root.field("metrics").map(|field| field.entries(found)).unwrap_or_default();
    if let Some(field) = fields.get(METRICS_MAX) {
        found.add(field.key_span.clone(), format!("a programme has at most {METRICS_MAX} metrics"));
    }
    for field in fields {
        let Some(name) = field.key_id(found) else { continue };
        if let Some(problem) = metric_name_problem(name) {
            found.add(field.key_span.clone(), format!("the metric `{}` {problem}", shown(name)));
            continue;
        }
        // A metric with a misspelt type still exists: conditions that name it need no second error.
        let kind = field.choice(found).unwrap_or(MetricKind::Number);
        metrics.insert(name.to_owned(), kind);
    }
    metrics
}
