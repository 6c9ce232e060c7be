//! Members on a day: tier, status, parent, certificates, metrics (domain.md §3.3, §3.11).

use std::collections::BTreeSet;

use program::calendar::{Date, EVER};
use program::money::Rate;
use program::programme::Programme;

use crate::facts::{Facts, Row, day, rate, text};

/// One programme's members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) program: &'a str,
}

impl<'a> Members<'a> {
    /// The row that brought the membership: of `partners`, else of `memberships`.
    fn first(&self, partner: &str) -> Option<&'a Row> {
        let of_home = self.facts.all("partners").iter().find(|row| text(row, "id") == partner && text(row, "program") == self.program);
        let is_it = |row: &&Row| text(row, "partner") == partner && text(row, "program") == self.program;
        of_home.or_else(|| self.facts.all("memberships").iter().find(is_it))
    }

    /// The later rows of a member's history.
    fn later(&self, kind: &str, partner: &str) -> Vec<(Date, &'a Row)> {
        let own = self.facts.all(kind).iter().filter(|row| text(row, "partner") == partner && text(row, "program") == self.program);
        own.map(|row| (day(row, "effective_from").expect("a date"), row)).collect()
    }

    /// The earned tier on a day; none: not yet a member.
    pub(crate) fn earned(&self, partner: &str, on: Date) -> Option<String> {
        let mut tiers: Vec<(Date, String)> = Vec::new();
        if let Some(row) = self.first(partner) {
            tiers.push((day(row, "tier_since").expect("a date"), text(row, "tier").into()));
        }
        tiers.extend(self.later("tiers", partner).into_iter().map(|(from, row)| (from, text(row, "tier").to_owned())));
        let reviewed = self.facts.reviewed.iter().filter(|(program, of, _, _)| program == self.program && of == partner);
        tiers.extend(reviewed.map(|(_, _, from, tier)| (*from, tier.clone())));
        last(tiers, on)
    }

    /// The place of the effective tier among the programme's.
    pub(crate) fn tier(&self, partner: &str, on: Date, version: &Programme) -> Option<usize> {
        let earned = self.earned(partner, on)?;
        let rank = version.tiers.iter().position(|tier| tier.id == earned).expect("a tier of the programme");
        let lacks = version.tiers[rank].certifications.iter().any(|(name, needed)| self.holders(partner, name, on) < usize::try_from(*needed).expect("a count"));
        Some(if lacks { 0 } else { rank })
    }

    fn holders(&self, partner: &str, certification: &str, on: Date) -> usize {
        let held = self.facts.all("certifications").iter().filter(|row| {
            let is_valid = day(row, "issued_on").expect("a date") <= on && on < day(row, "expires_on").expect("a date");
            let is_revoked = day(row, "revoked_on").is_some_and(|revoked| revoked <= on);
            text(row, "partner") == partner && text(row, "certification") == certification && is_valid && !is_revoked
        });
        held.map(|row| text(row, "holder")).collect::<BTreeSet<_>>().len()
    }

    pub(crate) fn is_active(&self, partner: &str, on: Date) -> bool {
        let first = self.first(partner).map(|row| text(row, "status")).filter(|status| !status.is_empty()).unwrap_or("active");
        let mut statuses = vec![(EVER, first.to_owned())];
        statuses.extend(self.later("statuses", partner).into_iter().map(|(from, row)| (from, text(row, "status").to_owned())));
        self.earned(partner, on).is_some() && last(statuses, on).as_deref() == Some("active")
    }

    /// The parent on a day and the rate of the link.
    pub(crate) fn parent(&self, partner: &str, on: Date) -> Option<(String, Option<Rate>)> {
        let mut links: Vec<(Date, (String, Option<Rate>))> = Vec::new();
        if let Some(row) = self.first(partner).filter(|row| row.contains_key("parent")) {
            let from = day(row, "parent_since").or(day(row, "tier_since")).expect("a date");
            links.push((from, (text(row, "parent").into(), rate(row, "override_rate"))));
        }
        let later = self.later("parents", partner).into_iter();
        links.extend(later.map(|(from, row)| (from, (text(row, "parent").to_owned(), rate(row, "override_rate")))));
        last(links, on).filter(|(parent, _)| !parent.is_empty())
    }

    /// The text of a metric by the greatest `as_of` on or before a day.
    pub(crate) fn metric(&self, partner: &str, name: &str, on: Date) -> Option<String> {
        let own = self.facts.all("metrics").iter().filter(|row| text(row, "partner") == partner && text(row, "metric") == name);
        last(own.map(|row| (day(row, "as_of").expect("a date"), text(row, "value").to_owned())).collect(), on)
    }
}

/// What began last by a day; of one day the later row.
fn last<T>(mut rows: Vec<(Date, T)>, on: Date) -> Option<T> {
    rows.retain(|(from, _)| *from <= on);
    rows.sort_by_key(|(from, _)| *from);
    rows.pop().map(|(_, what)| what)
}
