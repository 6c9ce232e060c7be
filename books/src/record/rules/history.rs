//! Tiers, parents and statuses: tiers that exist, dates that are still open, chains without a circle (domain.md §2.5, §3.10).

use std::collections::BTreeMap;

use program::calendar::parse_date;
use program::programme::Programme;

use super::circle::{Link, circle};
use super::{Merged, of_load, text};
use crate::load::versions;
use crate::record::error::{Findings, RecordError};
use crate::record::nearest::nearest_of;
use crate::record::shape::short;
use crate::record::stage::line_number;
use crate::settlement::freeze;
use crate::sql;

/// Rows that were not recorded before.
pub(crate) const NEW: &str = "s.known0 = 0";

/// Tiers assigned by hand.
pub(crate) async fn check_tiers(merged: &Merged<'_>, column: &'static str, findings: &mut Findings) -> Result<(), RecordError> {
    check_tiers_of(merged, NEW, findings).await?;
    check_open(merged, NEW, "s.effective_from", column, findings).await
}

/// Parents by hand.
pub(crate) async fn check_parents(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    check_open(merged, NEW, "s.effective_from", "effective_from", findings).await?;
    check_circles(merged, "s.partner", findings).await
}

/// That the tiers of the rows that satisfy `condition` are the programme's.
pub(crate) async fn check_tiers_of(merged: &Merged<'_>, condition: &str, findings: &mut Findings) -> Result<(), RecordError> {
    let staged = merged.staged();
    let looked_at = format!("s.tier IS NOT NULL AND s.program IN (SELECT g.id FROM programs g) AND {condition}");
    let named = format!("SELECT DISTINCT s.program, s.tier FROM {staged} s WHERE {looked_at}");
    let mut programmes: BTreeMap<String, Programme> = BTreeMap::new();
    for row in merged.rows(&named, []).await? {
        let (program, tier) = (text(&row, 0)?, text(&row, 1)?);
        if !programmes.contains_key(&program) {
            let all = versions::load(merged.tx, &program, i64::MAX).await.map_err(of_load)?;
            programmes.insert(program.clone(), all.constant().clone());
        }
        let programme = &programmes[&program];
        if programme.tier_rank(&tier).is_none() {
            let known: Vec<&str> = programme.tiers.iter().map(|tier| tier.id.as_str()).collect();
            let reason = format!("{:?} is no tier of {program}; the nearest is {:?}", short(&tier), nearest_of(&tier, &known));
            let lines = format!("SELECT s.line FROM {staged} s WHERE {looked_at} AND s.program = ? AND s.tier = ? ORDER BY s.n");
            for row in merged.rows(&lines, [program.into(), tier.into()]).await? {
                findings.add(line_number(row.try_get_by_index(0)?), "tier", reason.clone());
            }
        }
    }
    Ok(())
}

/// That the dates of the rows that satisfy `condition` do not lie before the first open period, once a period is closed.
pub(crate) async fn check_open(
    merged: &Merged<'_>,
    condition: &str,
    from: &str,
    column: &'static str,
    findings: &mut Findings,
) -> Result<(), RecordError> {
    let staged = merged.staged();
    let programs = format!("SELECT DISTINCT s.program FROM {staged} s WHERE s.program IN (SELECT g.id FROM programs g) AND {condition}");
    for row in merged.rows(&programs, []).await? {
        let program = text(&row, 0)?;
        let Some(last) = freeze::last(merged.tx, &program).await.map_err(of_load)? else { continue };
        let open = last.period.next();
        let early = format!("SELECT s.line, {from} FROM {staged} s WHERE {condition} AND s.program = ? AND {from} < ? ORDER BY s.n");
        for row in merged.rows(&early, [program.as_str().into(), open.first_day().to_string().into()]).await? {
            let reason = format!(
                "{} lies before {open}, the first open period of {program} ({} is final or closing); take a date from {} on",
                text(&row, 1)?,
                last.period,
                open.first_day()
            );
            findings.add(line_number(row.try_get_by_index(0)?), column, reason);
        }
    }
    Ok(())
}

/// That no chain of parents closes a circle on any day, in the programmes in which this recording made a link.
pub(crate) async fn check_circles(merged: &Merged<'_>, partner: &str, findings: &mut Findings) -> Result<(), RecordError> {
    let touched = format!("SELECT DISTINCT program FROM parent_links WHERE seq = {}", merged.seq);
    for row in merged.rows(&touched, []).await? {
        let program = text(&row, 0)?;
        let Some(found) = circle_in(merged.tx, &program).await? else { continue };
        let line = format!("SELECT s.line, {partner} FROM {} s WHERE s.bad = 0 AND s.program = ? ORDER BY s.n", merged.staged());
        let mut blamed = None;
        for row in merged.rows(&line, [program.as_str().into()]).await? {
            let partner = text(&row, 1)?;
            if found.members.contains(&partner) {
                blamed = Some(line_number(row.try_get_by_index(0)?));
            }
        }
        findings.add(blamed.unwrap_or(1), "parent", found.reason(&program));
    }
    Ok(())
}

/// A circle of parents.
#[derive(Debug)]
pub(crate) struct Found {
    members: Vec<String>,
    on: String,
}

impl Found {
    /// What is wrong.
    pub(crate) fn reason(&self, program: &str) -> String {
        let mut chain: Vec<&str> = self.members.iter().take(8).map(String::as_str).collect();
        if self.members.len() > chain.len() {
            chain.push("…");
        }
        chain.extend(self.members.first().map(String::as_str));
        format!("the parents in {program} close a circle on {}: {}", self.on, chain.join(" → "))
    }
}

/// The first circle of a programme's parent links, if there is one.
pub(crate) async fn circle_in(tx: &sea_orm::DatabaseTransaction, program: &str) -> Result<Option<Found>, RecordError> {
    let query = "SELECT partner, effective_from, parent FROM parent_links WHERE program = ? ORDER BY partner, effective_from";
    let mut links = Vec::new();
    for row in sql::rows(tx, query, [program.into()]).await? {
        let from = text(&row, 1)?;
        let from = parse_date(&from).map_err(|_| RecordError::Corrupt(format!("date {from:?} of a parent link")))?;
        links.push(Link { partner: text(&row, 0)?, from, parent: row.try_get_by_index(2)? });
    }
    Ok(circle(&links).map(|(members, on)| Found { members, on: on.to_string() }))
}
