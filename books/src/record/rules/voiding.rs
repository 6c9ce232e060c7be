//! Voids facts that were wrong: they leave the books and stay in the history (domain.md §2.7).

use program::money::Currency;
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::{Map, Value as Json};

use super::history::circle_in;
use super::voidables::{VOIDABLES, Voidable};
use super::{Merged, refunds, text};
use crate::programs::FROM_EVER;
use crate::record::error::{Findings, ImportError, RecordError};
use crate::record::kinds::FactKind;
use crate::record::shape::short;
use crate::record::stage::{Stage, line_number};
use crate::sql;

/// Voidings looked at together.
const ROWS_AT_ONCE: i64 = 500;

/// Voids what the staged rows name, in any order.
pub(crate) async fn void(tx: &DatabaseTransaction, stage: &Stage, seq: i64, findings: &mut Findings) -> Result<(), RecordError> {
    refunds::create_voided(tx).await?;
    for voidable in VOIDABLES {
        // What a row refers to may be voided before it in the file: repeat while that helps.
        let mut pass = pass(tx, stage, voidable, seq).await?;
        while pass.voided > 0 && !pass.refused.is_empty() {
            pass = self::pass(tx, stage, voidable, seq).await?;
        }
        for (line, reason) in pass.refused {
            findings.push(ImportError { line, column: Some("id".into()), reason });
        }
    }
    items_still_add_up(tx, stage, findings).await?;
    parents_still_sound(tx, stage, findings).await?;
    refunds::check_remaining(&Merged { tx, stage, seq }, findings).await?;
    sql::execute(tx, "UPDATE programs SET revision = revision + 1", []).await?;
    sql::execute(tx, "UPDATE memberships SET revision = revision + 1", []).await?;
    Ok(())
}

#[derive(Debug, Default)]
struct Pass {
    voided: usize,
    refused: Vec<(u64, String)>,
}

/// Tries all rows of a kind that are not done.
async fn pass(tx: &DatabaseTransaction, stage: &Stage, voidable: &'static Voidable, seq: i64) -> Result<Pass, RecordError> {
    let mut pass = Pass::default();
    let mut after = 0_i64;
    loop {
        let page = format!(
            "SELECT s.n, s.line, s.id, s.reason, s.approved_by FROM {} s \
             WHERE s.bad = 0 AND s.known0 = 0 AND s.filled = 0 AND s.kind = ? AND s.n > ? ORDER BY s.n LIMIT {ROWS_AT_ONCE}",
            stage.name
        );
        let rows = sql::rows(tx, &page, [voidable.kind.into(), after.into()]).await?;
        if rows.is_empty() {
            return Ok(pass);
        }
        for row in rows {
            after = row.try_get_by_index(0)?;
            let id = text(&row, 2)?;
            if let Some(reason) = refusal(tx, voidable, &id).await? {
                pass.refused.push((line_number(row.try_get_by_index(1)?), reason));
                continue;
            }
            if voidable.kind == "refunds" {
                refunds::note_voided(tx, stage, after).await?;
            }
            remove(tx, voidable, &id, [text(&row, 3)?, text(&row, 4)?], seq).await?;
            sql::execute(tx, &format!("UPDATE {} SET filled = 1 WHERE n = ?", stage.name), [after.into()]).await?;
            pass.voided += 1;
        }
    }
}

/// Why a fact can't be voided, if it can't.
async fn refusal(tx: &DatabaseTransaction, voidable: &Voidable, id: &str) -> Result<Option<String>, DbErr> {
    let (kind, shown) = (voidable.kind, short(id));
    let count = voidable.count(tx, id).await?;
    if count != 1 {
        let how = if count == 0 { "nothing is recorded" } else { "more than one fact is recorded" };
        return Ok(Some(format!("{how} among {kind} under {shown:?}")));
    }
    if let Some(referrer) = voidable.referred_by(tx, id).await? {
        return Ok(Some(format!("{shown:?} of {kind} can't be voided: {referrer}")));
    }
    if let Some(user) = voidable.used_by(tx, id).await? {
        return Ok(Some(format!("{shown:?} of {kind} can't be voided: {user} may have used it; correct it by a refund or an adjustment")));
    }
    Ok(None)
}

/// Moves a fact, with what goes along, into the history.
async fn remove(tx: &DatabaseTransaction, voidable: &Voidable, id: &str, why: [String; 2], seq: i64) -> Result<(), RecordError> {
    let mut body = rows_as_json(tx, voidable.table, "f", &format!("FROM {} AS f WHERE {} = ?", voidable.table, voidable.id), id)
        .await?
        .pop()
        .unwrap_or_default();
    forget_first(tx, voidable, id).await?;
    let fact = format!("SELECT 1 FROM {} AS f WHERE {} = ?", voidable.table, voidable.id);
    for (table, condition) in voidable.with_it {
        let from = format!("FROM {table} AS a WHERE EXISTS ({fact} AND {condition})");
        let rows = rows_as_json(tx, table, "a", &from, id).await?;
        body.insert((*table).to_owned(), Json::Array(rows.into_iter().map(Json::Object).collect()));
        sql::execute(tx, &format!("DELETE {from}"), [id.into()]).await?;
    }
    sql::execute(tx, &format!("DELETE {}", voidable.found()), [id.into()]).await?;
    sql::execute(tx, "DELETE FROM fills WHERE kind = ? AND id = ?", [voidable.kind.into(), id.into()]).await?;
    if voidable.kind == "invoices" {
        sql::execute(
            tx,
            "DELETE FROM fills WHERE kind = 'invoice_items' AND SUBSTR(id, 1, LENGTH(?)) = ?",
            [format!("{id}/").into(), format!("{id}/").into()],
        )
        .await?;
    }
    let [reason, approved_by] = why;
    let insert = "INSERT INTO voids (kind, id, reason, approved_by, body, seq) VALUES (?, ?, ?, ?, ?, ?)";
    let values = [voidable.kind.into(), id.into(), reason.into(), approved_by.into(), Json::Object(body).to_string().into(), seq.into()];
    sql::execute(tx, insert, values).await?;
    Ok(())
}

/// The first tier, parent and status of a membership are facts of their own (interface.md §2): once voided the membership no longer has
/// them, and its row may bring them anew.
async fn forget_first(tx: &DatabaseTransaction, voidable: &Voidable, id: &str) -> Result<(), DbErr> {
    let (is_first, fields): (String, &[&str]) = match voidable.kind {
        "tiers" => ("f.effective_from = m.first_tier_since AND f.tier = m.first_tier".into(), &["first_tier", "first_tier_since"]),
        "statuses" => (format!("f.effective_from = '{FROM_EVER}'"), &["first_status"]),
        "parents" => (
            "f.parent = m.first_parent AND f.effective_from = COALESCE(m.first_parent_since, m.first_tier_since, f.effective_from)".into(),
            &["first_parent", "first_parent_since", "first_override_rate"],
        ),
        _ => return Ok(()),
    };
    let of_first =
        format!("FROM {} AS f WHERE {} = ? AND f.program = m.program AND f.partner = m.partner AND {is_first}", voidable.table, voidable.id);
    let listed = fields.iter().map(|field| format!("'{field}'")).collect::<Vec<_>>().join(", ");
    let fills = format!(
        "DELETE FROM fills WHERE kind = 'memberships' AND field IN ({listed}) \
         AND id IN (SELECT m.partner || '/' || m.program FROM memberships m WHERE EXISTS (SELECT 1 {of_first}))"
    );
    sql::execute(tx, &fills, [id.into()]).await?;
    let mut emptied = fields.iter().map(|field| format!("{field} = NULL")).collect::<Vec<_>>().join(", ");
    if voidable.kind == "tiers" {
        // The date of the tier may be that of the parent too, and stays it.
        emptied += ", first_parent_since = CASE WHEN m.first_parent IS NULL THEN NULL ELSE COALESCE(m.first_parent_since, m.first_tier_since) END";
    }
    sql::execute(tx, &format!("UPDATE memberships AS m SET {emptied} WHERE EXISTS (SELECT 1 {of_first})"), [id.into()]).await?;
    Ok(())
}

/// Rows with all fields that recording brings, as the history keeps them.
async fn rows_as_json(tx: &DatabaseTransaction, table: &str, alias: &str, from: &str, id: &str) -> Result<Vec<Map<String, Json>>, RecordError> {
    let fields: Vec<(&str, bool)> = FactKind::ALL
        .into_iter()
        .map(FactKind::kind)
        .flat_map(|kind| kind.tables.iter().map(move |table| (kind, table)))
        .find(|(_, known)| known.name == table)
        .map(|(kind, table)| {
            let fields = table.fields().map(|(ours, field)| (ours, kind.column_of(field).is_some_and(|column| column.shape.is_int())));
            fields.chain([("seq", true), ("filled", true)]).collect()
        })
        .unwrap_or_default();
    let selected: Vec<String> = fields.iter().map(|(field, _)| format!("CAST({alias}.{field} AS TEXT)")).collect();
    let mut rows = Vec::new();
    for row in sql::rows(tx, &format!("SELECT {} {from}", selected.join(", ")), [id.into()]).await? {
        let mut object = Map::new();
        for (index, (field, is_int)) in fields.iter().enumerate() {
            let value: Option<String> = row.try_get_by_index(index)?;
            let number = value.as_ref().filter(|_| *is_int).and_then(|value| value.parse::<i64>().ok());
            object.insert((*field).to_owned(), number.map(Json::from).or_else(|| value.map(Json::from)).unwrap_or(Json::Null));
        }
        rows.push(object);
    }
    Ok(rows)
}

/// An invoice keeps all its items or none.
async fn items_still_add_up(tx: &DatabaseTransaction, stage: &Stage, findings: &mut Findings) -> Result<(), RecordError> {
    let touched = format!(
        "SELECT s.line, i.id, i.currency, i.subtotal_minor, CAST(SUM(t.amount_minor) AS BIGINT) FROM {} s \
         JOIN invoices i ON SUBSTR(s.id, 1, LENGTH(i.id) + 1) = i.id || '/' JOIN invoice_items t ON t.invoice = i.id \
         WHERE s.kind = 'invoice_items' AND s.filled = 1 GROUP BY s.line, i.id, i.currency, i.subtotal_minor HAVING SUM(t.amount_minor) <> i.subtotal_minor",
        stage.name
    );
    for row in sql::rows(tx, &touched, []).await? {
        let code = text(&row, 2)?;
        let currency: Currency = code.parse().map_err(|_| RecordError::Corrupt(format!("currency {code:?}")))?;
        let (subtotal, left): (i64, i64) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
        let reason = format!(
            "the other items of invoice {:?} add up to {} {currency}, its subtotal is {}; void the invoice, or all its items",
            text(&row, 1)?,
            currency.format_minor(left),
            currency.format_minor(subtotal)
        );
        findings.add(line_number(row.try_get_by_index(0)?), "id", reason);
    }
    Ok(())
}

/// Without a link the one before it holds longer, and may close a circle.
async fn parents_still_sound(tx: &DatabaseTransaction, stage: &Stage, findings: &mut Findings) -> Result<(), RecordError> {
    let lines = format!("SELECT MIN(s.line) FROM {} s WHERE s.kind = 'parents' AND s.filled = 1", stage.name);
    let line: Option<i64> = sql::row(tx, &lines, []).await?.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    let Some(line) = line else { return Ok(()) };
    for row in sql::rows(tx, "SELECT id FROM programs ORDER BY id", []).await? {
        let program = text(&row, 0)?;
        if let Some(found) = circle_in(tx, &program).await? {
            findings.add(line_number(line), "id", format!("without this link {}", found.reason(&program)));
        }
    }
    Ok(())
}
