//! New members: their first tier, parent and status (domain.md §2.5).

use super::{Merged, history, text};
use crate::programs::FROM_EVER;
use crate::record::error::{Findings, RecordError};
use crate::record::rows::Row;
use crate::sql;

/// What a row of `partners` or `memberships` must satisfy by itself.
pub(crate) fn check_row(row: &mut Row<'_>) {
    if !row.has("parent") && row.knows(&["parent"]) {
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
    if merged.stage.any(merged.tx, "s.bad = 0 AND s.filled = 1").await? {
        tiers_anew(merged, &of, findings).await?;
        statuses_anew(merged, &of, findings).await?;
        later_parents(merged, &of, findings).await?;
        later_rates(merged, &of, findings).await?;
    }
    history::check_tiers_of(merged, &format!("({} = 0 OR s.filled = 1)", of.known), findings).await?;
    history::check_circles(merged, of.partner, findings).await
}

/// How the staged rows call the member, and know of it.
struct Of {
    partner: &'static str,
    known: &'static str,
}

/// From when the first parent of a new membership holds.
const NEW_LINK_FROM: &str = "COALESCE(s.parent_since, s.tier_since)";
/// From when the first parent of a recorded membership `m` holds: what a row leaves out is what was recorded.
const LINK_FROM: &str = "COALESCE(m.first_parent_since, m.first_tier_since)";

impl Of {
    /// The staged rows with their memberships `m`.
    fn recorded(&self, staged: &str) -> String {
        format!("FROM {staged} s JOIN memberships m ON m.program = s.program AND m.partner = {}", self.partner)
    }

    /// That this recording filled a field of the membership.
    fn filled(&self, field: &str, seq: i64) -> String {
        format!(
            "s.bad = 0 AND s.filled = 1 AND EXISTS (SELECT 1 FROM fills f \
             WHERE f.kind = 'memberships' AND f.id = {} || '/' || s.program AND f.field = '{field}' AND f.seq = {seq})",
            self.partner
        )
    }

    /// That a period or a review may have used the membership: the first tier, parent and status of one that none did may have any date.
    fn used(&self) -> String {
        let member = format!("SELECT m.seq FROM memberships m WHERE m.program = s.program AND m.partner = {}", self.partner);
        format!(
            "(EXISTS (SELECT 1 FROM periods u WHERE u.program = s.program AND u.cutoff >= ({member})) \
             OR EXISTS (SELECT 1 FROM reviews u WHERE u.program = s.program AND u.seq >= ({member})))"
        )
    }
}

async fn begin_histories(merged: &Merged<'_>, of: &Of) -> Result<(), RecordError> {
    let (Of { partner, known }, staged, seq) = (of, merged.staged(), merged.seq);
    let new = format!("FROM {staged} s WHERE s.bad = 0 AND {known} = 0");
    for insert in [
        format!(
            "INSERT INTO tier_assignments (program, partner, effective_from, tier, origin, seq) SELECT s.program, {partner}, s.tier_since, s.tier, 'hand', {seq} {new}"
        ),
        format!(
            "INSERT INTO parent_links (program, partner, effective_from, parent, override_rate, seq) \
             SELECT s.program, {partner}, {NEW_LINK_FROM}, s.parent, s.override_rate, {seq} {new} AND s.parent IS NOT NULL"
        ),
        format!(
            "INSERT INTO statuses (program, partner, effective_from, status, seq) SELECT s.program, {partner}, '{FROM_EVER}', s.status, {seq} {new}"
        ),
    ] {
        sql::execute(merged.tx, &insert, []).await?;
    }
    Ok(())
}

/// A first tier that was voided is recorded anew.
async fn tiers_anew(merged: &Merged<'_>, of: &Of, findings: &mut Findings) -> Result<(), RecordError> {
    let (staged, seq, partner) = (merged.staged(), merged.seq, of.partner);
    let anew = of.filled("first_tier", seq);
    let same = format!("a.program = s.program AND a.partner = {partner} AND a.effective_from = s.tier_since AND a.origin = 'hand'");
    let other = format!("FROM {staged} s JOIN tier_assignments a ON {same} AND a.tier <> s.tier WHERE {anew}");
    merged
        .blame(findings, "tier", ("s.line, s.tier_since, a.tier", &other), |row| {
            Ok(format!(
                "another tier is recorded from {} on, {:?}; void that one, or record a change of tier with `tiers`",
                text(row, 1)?,
                text(row, 2)?
            ))
        })
        .await?;
    history::check_open(merged, &format!("{anew} AND {}", of.used()), "s.tier_since", "tier_since", findings).await?;
    let insert = format!(
        "INSERT INTO tier_assignments (program, partner, effective_from, tier, origin, seq) SELECT s.program, {partner}, s.tier_since, s.tier, 'hand', {seq} \
         FROM {staged} s WHERE {anew} AND NOT EXISTS (SELECT 1 FROM tier_assignments a WHERE {same})"
    );
    sql::execute(merged.tx, &insert, []).await?;
    Ok(())
}

/// A first status that was voided is recorded anew.
async fn statuses_anew(merged: &Merged<'_>, of: &Of, findings: &mut Findings) -> Result<(), RecordError> {
    let (staged, seq, partner) = (merged.staged(), merged.seq, of.partner);
    let anew = of.filled("first_status", seq);
    let same = format!("a.program = s.program AND a.partner = {partner} AND a.effective_from = '{FROM_EVER}'");
    let other = format!("FROM {staged} s JOIN statuses a ON {same} AND a.status <> s.status WHERE {anew}");
    merged
        .blame(findings, "status", ("s.line, a.status", &other), |row| {
            Ok(format!("another first status is recorded, {:?}; void that one, or record a change of status with `statuses`", text(row, 1)?))
        })
        .await?;
    history::check_open(merged, &format!("{anew} AND {}", of.used()), &format!("'{FROM_EVER}'"), "status", findings).await?;
    let insert = format!(
        "INSERT INTO statuses (program, partner, effective_from, status, seq) SELECT s.program, {partner}, '{FROM_EVER}', s.status, {seq} \
         FROM {staged} s WHERE {anew} ON CONFLICT DO NOTHING"
    );
    sql::execute(merged.tx, &insert, []).await?;
    Ok(())
}

/// A parent that is filled in later is a new link of an old membership.
async fn later_parents(merged: &Merged<'_>, of: &Of, findings: &mut Findings) -> Result<(), RecordError> {
    let (staged, seq, partner) = (merged.staged(), merged.seq, of.partner);
    let later = of.filled("first_parent", seq);
    let recorded = of.recorded(staged);
    let same = format!("l.program = s.program AND l.partner = {partner} AND l.effective_from = {LINK_FROM}");
    let other = format!("{recorded} JOIN parent_links l ON {same} AND l.parent IS DISTINCT FROM s.parent WHERE {later}");
    merged
        .blame(findings, "parent", (&format!("s.line, {LINK_FROM}"), &other), |row| {
            Ok(format!("another parent is recorded from {} on; record the change of parent with `parents`", text(row, 1)?))
        })
        .await?;
    history::check_open(merged, &format!("{later} AND {}", of.used()), NEW_LINK_FROM, "parent_since", findings).await?;
    let insert = format!(
        "INSERT INTO parent_links (program, partner, effective_from, parent, override_rate, seq) \
         SELECT s.program, {partner}, {LINK_FROM}, s.parent, s.override_rate, {seq} {recorded} WHERE {later} ON CONFLICT DO NOTHING"
    );
    sql::execute(merged.tx, &insert, []).await?;
    let since = format!("{} AND NOT ({later}) AND s.parent_since <> m.first_tier_since", of.filled("first_parent_since", seq));
    merged
        .blame(findings, "parent_since", ("s.line, m.first_tier_since", &format!("{recorded} WHERE {since}")), |row| {
            Ok(format!("the parent holds from {}, the tier's date, since none was given; record another date with `parents`", text(row, 1)?))
        })
        .await?;
    Ok(())
}

/// A rate that is filled in later goes to the first link, which may have got one by `parents`.
async fn later_rates(merged: &Merged<'_>, of: &Of, findings: &mut Findings) -> Result<(), RecordError> {
    let (staged, seq, partner) = (merged.staged(), merged.seq, of.partner);
    let later = of.filled("first_override_rate", seq);
    let recorded = of.recorded(staged);
    let link = format!("l.program = s.program AND l.partner = {partner} AND l.effective_from = {LINK_FROM}");
    let other = format!("{recorded} JOIN parent_links l ON {link} AND l.override_rate <> s.override_rate WHERE {later}");
    merged
        .blame(findings, "override_rate", (&format!("s.line, s.override_rate, l.override_rate, {LINK_FROM}"), &other), |row| {
            Ok(format!(
                "{:?} contradicts what is recorded of the link from {} on, {:?}; a recorded fact never changes: void the link and record it anew",
                text(row, 1)?,
                text(row, 3)?,
                text(row, 2)?
            ))
        })
        .await?;
    let without = format!("{link} AND l.override_rate IS NULL");
    let noted = format!(
        "INSERT INTO fills (seq, kind, id, field) SELECT {seq}, 'parents', l.partner || '/' || l.program || '/' || l.effective_from, 'override_rate' \
         {recorded} JOIN parent_links l ON {without} WHERE {later}"
    );
    if sql::execute(merged.tx, &noted, []).await? == 0 {
        return Ok(());
    }
    let rate = format!(
        "UPDATE parent_links AS l SET filled = {seq}, override_rate = (SELECT s.override_rate FROM {staged} s WHERE s.bad = 0 AND s.program = l.program AND {partner} = l.partner) \
         WHERE l.override_rate IS NULL AND EXISTS (SELECT 1 {recorded} WHERE {link} AND {later})"
    );
    sql::execute(merged.tx, &rate, []).await?;
    Ok(())
}
