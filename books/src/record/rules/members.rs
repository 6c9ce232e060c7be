//! New members: their first tier, parent and status (domain.md §2.5).

use super::{Merged, history, text};
use crate::programs::FROM_EVER;
use crate::record::error::{Findings, RecordError};
use crate::record::rows::Row;
use crate::sql;

/// What a row of `partners` or `memberships` must satisfy by itself.
pub(crate) fn check_row(row: &mut Row<'_>) {
    if !row.has("parent") {
        if row.has("override_rate") {
            row.wrong("override_rate", "a rate on the link to a parent needs the parent; fill column parent too");
        }
        if row.has("parent_since") {
            row.wrong("parent_since", "the date of a parent needs the parent; fill column parent too");
        }
    }
    if row.has("parent") && (row.text("parent") == row.text("id") || row.text("parent") == row.text("partner")) {
        row.wrong("parent", "a partner can't be its own parent");
    }
}

/// Gives new members their histories and checks what changed.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let of =
        if merged.stage.kind.name == "partners" { Of { partner: "s.id", known: "s.known1" } } else { Of { partner: "s.partner", known: "s.known0" } };
    begin_histories(merged, &of).await?;
    later_parents(merged, &of, findings).await?;
    later_rates(merged, &of).await?;
    history::check_tiers_of(merged, &format!("{} = 0", of.known), findings).await?;
    history::check_circles(merged, of.partner, findings).await
}

/// How the staged rows call the member, and know of it.
struct Of {
    partner: &'static str,
    known: &'static str,
}

const LINK_FROM: &str = "COALESCE(s.parent_since, s.tier_since)";

async fn begin_histories(merged: &Merged<'_>, of: &Of) -> Result<(), RecordError> {
    let (Of { partner, known }, staged, seq) = (of, merged.staged(), merged.seq);
    let new = format!("FROM {staged} s WHERE s.bad = 0 AND {known} = 0");
    for insert in [
        format!(
            "INSERT INTO tier_assignments (program, partner, effective_from, tier, origin, seq) SELECT s.program, {partner}, s.tier_since, s.tier, 'hand', {seq} {new}"
        ),
        format!(
            "INSERT INTO parent_links (program, partner, effective_from, parent, override_rate, seq) \
             SELECT s.program, {partner}, {LINK_FROM}, s.parent, s.override_rate, {seq} {new} AND s.parent IS NOT NULL"
        ),
        format!(
            "INSERT INTO statuses (program, partner, effective_from, status, seq) SELECT s.program, {partner}, '{FROM_EVER}', s.status, {seq} {new}"
        ),
    ] {
        sql::execute(merged.tx, &insert, []).await?;
    }
    Ok(())
}

/// That this recording filled a field of the membership.
fn filled(of: &Of, field: &str, seq: i64) -> String {
    format!(
        "EXISTS (SELECT 1 FROM fills f WHERE f.kind = 'memberships' AND f.id = {} || '/' || s.program AND f.field = '{field}' AND f.seq = {seq})",
        of.partner
    )
}

/// A parent that is filled in later is a new link of an old membership.
async fn later_parents(merged: &Merged<'_>, of: &Of, findings: &mut Findings) -> Result<(), RecordError> {
    let (staged, seq, partner) = (merged.staged(), merged.seq, of.partner);
    if !merged.stage.any(merged.tx, "s.bad = 0 AND s.filled = 1").await? {
        return Ok(());
    }
    let later = format!("s.bad = 0 AND s.filled = 1 AND {}", filled(of, "first_parent", seq));
    let same = format!("l.program = s.program AND l.partner = {partner} AND l.effective_from = {LINK_FROM}");
    let other = format!("FROM {staged} s JOIN parent_links l ON {same} AND l.parent IS DISTINCT FROM s.parent WHERE {later}");
    merged
        .blame(findings, "parent", (&format!("s.line, {LINK_FROM}"), &other), |row| {
            Ok(format!("another parent is recorded from {} on; record the change of parent with `parents`", text(row, 1)?))
        })
        .await?;
    history::check_open(merged, &later, LINK_FROM, "parent_since", findings).await?;
    let insert = format!(
        "INSERT INTO parent_links (program, partner, effective_from, parent, override_rate, seq) \
         SELECT s.program, {partner}, {LINK_FROM}, s.parent, s.override_rate, {seq} FROM {staged} s WHERE {later} ON CONFLICT DO NOTHING"
    );
    sql::execute(merged.tx, &insert, []).await?;
    let since =
        format!("s.bad = 0 AND s.filled = 1 AND {} AND NOT {later} AND s.parent_since <> s.tier_since", filled(of, "first_parent_since", seq));
    merged
        .blame(findings, "parent_since", ("s.line, s.tier_since", &format!("FROM {staged} s WHERE {since}")), |row| {
            Ok(format!("the parent holds from {}, the tier's date, since none was given; record another date with `parents`", text(row, 1)?))
        })
        .await?;
    Ok(())
}

/// A rate that is filled in later goes to the first link.
async fn later_rates(merged: &Merged<'_>, of: &Of) -> Result<(), RecordError> {
    let (staged, seq, partner) = (merged.staged(), merged.seq, of.partner);
    let later = format!("s.bad = 0 AND s.filled = 1 AND {}", filled(of, "first_override_rate", seq));
    if !merged.stage.any(merged.tx, &later).await? {
        return Ok(());
    }
    let link = format!("l.program = s.program AND l.partner = {partner} AND l.effective_from = {LINK_FROM} AND l.override_rate IS NULL");
    let noted = format!(
        "INSERT INTO fills (seq, kind, id, field) SELECT {seq}, 'parents', l.partner || '/' || l.program || '/' || l.effective_from, 'override_rate' \
         FROM {staged} s JOIN parent_links l ON {link} WHERE {later}"
    );
    sql::execute(merged.tx, &noted, []).await?;
    let rate = format!("UPDATE parent_links AS l SET override_rate = s.override_rate, filled = {seq} FROM {staged} s WHERE {link} AND {later}");
    sql::execute(merged.tx, &rate, []).await?;
    Ok(())
}
