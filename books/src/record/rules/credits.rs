//! Credits at one place: roles that exist, shares of a role that never exceed the whole, nobody twice (domain.md §3.2).

use std::collections::{BTreeMap, BTreeSet};

use program::calendar::{Date, days_after, parse_date};
use program::money::Rate;
use sea_orm::QueryResult;

use super::{Merged, of_load, text};
use crate::load::versions;
use crate::record::error::{Findings, RecordError};
use crate::record::shape::short;
use crate::record::stage::{AFFECTED, LOOKED_AT, line_number};

/// Places looked at with one query.
const PLACES_AT_ONCE: usize = 500;

/// Looks at the places whose credits changed.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    one_place(merged, findings).await?;
    for_whom(merged, findings).await?;
    for place in ["customer", "deal", "invoice"] {
        shares_at(merged, place, findings).await?;
    }
    Ok(())
}

/// Filling a second place would move a credit.
async fn one_place(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let places = ["customer", "deal", "invoice"].map(|place| format!("CASE WHEN c.{place} IS NULL THEN 0 ELSE 1 END")).join(" + ");
    let from = format!("FROM {} s JOIN credits c ON c.id = s.id WHERE s.bad = 0 AND s.filled = 1 AND {places} <> 1", merged.staged());
    merged
        .blame(findings, "customer", ("s.line", &from), |_| Ok("the credit is recorded at another place; void it and record it anew".into()))
        .await?;
    Ok(())
}

async fn for_whom(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let joined = format!("FROM {} s JOIN programs g ON g.id = s.program WHERE {LOOKED_AT} AND s.role IS NOT NULL", merged.staged());
    let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in merged.rows(&format!("SELECT DISTINCT s.program, s.role {joined}"), []).await? {
        let (program, role) = (text(&row, 0)?, text(&row, 1)?);
        if !roles.contains_key(&program) {
            let all = versions::load(merged.tx, &program, i64::MAX).await.map_err(of_load)?;
            let mut known: BTreeSet<String> = all.iter().flat_map(|version| version.programme.roles.keys().cloned()).collect();
            known.insert(program::programme::SOURCED.to_owned());
            roles.insert(program.clone(), known);
        }
        let known = &roles[&program];
        if known.contains(&role) {
            continue;
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let reason = format!("{:?} is no role of {program}, which has {}", short(&role), known.join(", "));
        let lines = format!("SELECT s.line {joined} AND s.program = ? AND s.role = ? ORDER BY s.n");
        for row in merged.rows(&lines, [program.into(), role.into()]).await? {
            findings.add(line_number(row.try_get_by_index(0)?), "role", reason.clone());
        }
    }
    Ok(())
}

/// A credit at a place.
#[derive(Debug)]
struct Credit {
    id: String,
    partner: String,
    role: String,
    program: String,
    share: Rate,
    from: Date,
    /// The first day on which it no longer holds.
    until: Date,
    /// Its line, if it is of this file.
    line: Option<u64>,
}

async fn shares_at(merged: &Merged<'_>, place: &'static str, findings: &mut Findings) -> Result<(), RecordError> {
    let mut after = String::new();
    loop {
        let page = format!(
            "SELECT DISTINCT s.{place} AS place FROM {} s WHERE {AFFECTED} AND s.{place} > ? ORDER BY place LIMIT {PLACES_AT_ONCE}",
            merged.staged()
        );
        let places = merged.rows(&page, [after.as_str().into()]).await?;
        let Some(last) = places.last() else { return Ok(()) };
        let last = text(last, 0)?;
        let credits = format!(
            "SELECT c.{place}, COALESCE(c.item, ''), c.id, c.partner, c.role, COALESCE(c.program, p.program), c.share, c.from_on, c.through_on, x.line \
             FROM credits c JOIN partners p ON p.id = c.partner LEFT JOIN {staged} x ON x.id = c.id AND x.bad = 0 \
             WHERE c.{place} > ? AND c.{place} <= ? AND c.{place} IN (SELECT s.{place} FROM {staged} s WHERE {AFFECTED} AND s.{place} > ? AND s.{place} <= ?) \
             ORDER BY 1, 2, 3",
            staged = merged.staged()
        );
        let bounds = [after.as_str(), last.as_str(), after.as_str(), last.as_str()].map(Into::into);
        let mut groups: BTreeMap<(String, String), Vec<Credit>> = BTreeMap::new();
        for row in merged.rows(&credits, bounds).await? {
            groups.entry((text(&row, 0)?, text(&row, 1)?)).or_default().push(credit(&row)?);
        }
        for ((name, item), credits) in groups {
            let name = if item.is_empty() { format!("{place} {name:?}") } else { format!("item {item:?} of invoice {name:?}") };
            look_at(&name, &credits, findings);
        }
        after = last;
    }
}

fn credit(row: &QueryResult) -> Result<Credit, RecordError> {
    let date = |index: usize| -> Result<Option<Date>, RecordError> {
        let day: Option<String> = row.try_get_by_index(index)?;
        day.map(|day| parse_date(&day).map_err(|_| RecordError::Corrupt(format!("date {day:?} of a credit")))).transpose()
    };
    let share = text(row, 6)?;
    Ok(Credit {
        id: text(row, 2)?,
        partner: text(row, 3)?,
        role: text(row, 4)?,
        program: text(row, 5)?,
        share: share.parse().map_err(|_| RecordError::Corrupt(format!("share {share:?}")))?,
        from: date(7)?.unwrap_or(Date::MIN),
        until: date(8)?.map_or(Date::MAX, |through| days_after(through, 1)),
        line: row.try_get_by_index::<Option<i64>>(9)?.map(line_number),
    })
}

fn look_at(place: &str, credits: &[Credit], findings: &mut Findings) {
    let mut roles: BTreeMap<&str, Vec<&Credit>> = BTreeMap::new();
    for credit in credits {
        roles.entry(&credit.role).or_default().push(credit);
    }
    for (role, credits) in roles {
        if let Some((day, sum, together)) = too_much(&credits) {
            let ids: Vec<&str> = together.iter().take(5).map(|credit| credit.id.as_str()).collect();
            let day = if day == Date::MIN { "from ever".to_owned() } else { format!("on {day}") };
            let reason = format!(
                "the shares of role {role:?} at {place} add up to {sum} {day} ({}); shares of a role at a place never exceed 1, all programmes together",
                ids.join(", ")
            );
            findings.add(blamed(&together), "share", reason);
        }
        if let Some((first, second)) = twice(&credits) {
            let reason = format!(
                "partner {:?} has two credits of role {role:?} in {} at {place} on the same days, {:?} and {:?}; one is the most",
                second.partner, second.program, first.id, second.id
            );
            findings.add(blamed(&[first, second]), "partner", reason);
        }
    }
}

/// The last line of the file among the credits.
fn blamed(credits: &[&Credit]) -> u64 {
    credits.iter().filter_map(|credit| credit.line).max().unwrap_or(1)
}

/// The first day on which the shares exceed the whole, their sum, and whose they are.
fn too_much<'a>(credits: &[&'a Credit]) -> Option<(Date, Rate, Vec<&'a Credit>)> {
    let mut changes: Vec<(Date, i64)> = Vec::with_capacity(credits.len() * 2);
    for credit in credits {
        changes.push((credit.from, credit.share.micro()));
        changes.push((credit.until, -credit.share.micro()));
    }
    // Of one day what ends comes before what begins.
    changes.sort_unstable();
    let mut sum = 0;
    for (day, change) in changes {
        sum += change;
        if sum > Rate::ONE.micro() {
            let together = credits.iter().filter(|credit| credit.from <= day && day < credit.until).copied().collect();
            return Some((day, Rate::from_micro(sum), together));
        }
    }
    None
}

/// Two credits of one partner and programme with a day in common.
fn twice<'a>(credits: &[&'a Credit]) -> Option<(&'a Credit, &'a Credit)> {
    let mut sorted = credits.to_vec();
    sorted.sort_by(|a, b| (&a.partner, &a.program, a.from).cmp(&(&b.partner, &b.program, b.from)));
    sorted
        .windows(2)
        .find(|pair| pair[0].partner == pair[1].partner && pair[0].program == pair[1].program && pair[1].from < pair[0].until)
        .map(|pair| (pair[0], pair[1]))
}
