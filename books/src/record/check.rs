//! Checks of staged rows against the books: what they refer to, and what was recorded before.

use program::calendar::Instant;
use program::money::Currency;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::blame::{Blame, blame, column_at};
use super::error::{Findings, ImportError, Lacking, RecordError};
use super::same_number;
use super::shape::{Shape, short};
use super::stage::{Stage, line_number, staged};
use super::table::{Kind, Need, Reference, Table, pair};
use crate::sql;

/// Checks all stages of a file against the books as they are now.
pub(crate) async fn against_books<C: ConnectionTrait>(db: &C, stages: &[Stage], findings: &mut Findings) -> Result<(), RecordError> {
    for stage in stages {
        for reference in stage.kind.references {
            unknown(db, stage, reference, stages, findings).await?;
        }
        same_number::as_in_books(db, stage).await?;
        for (index, table) in stage.kind.tables.iter().enumerate() {
            compare(db, stage, index, table, findings).await?;
        }
    }
    Ok(())
}

/// Forgets what [`against_books`] noted, for another run of it.
pub(crate) async fn forget<C: ConnectionTrait>(db: &C, stages: &[Stage]) -> Result<(), DbErr> {
    for stage in stages {
        let marked = "known0 = 1 OR known1 = 1 OR filled = 1 OR renamed = 1";
        let text = format!("UPDATE {} SET known0 = 0, known1 = 0, filled = 0, renamed = 0 WHERE {marked}", stage.name);
        sql::execute(db, &text, []).await?;
    }
    Ok(())
}

/// Sets aside, after errors, all rows that refer to a wrong row, so that the rest can be checked as if it stood alone.
pub(crate) async fn set_aside_dependents<C: ConnectionTrait>(db: &C, stages: &[Stage]) -> Result<(), DbErr> {
    loop {
        let mut changed = 0;
        for stage in stages {
            for reference in stage.kind.references {
                let condition = missing(reference, stages, true);
                changed += sql::execute(db, &format!("UPDATE {} AS s SET bad = 1 WHERE s.bad = 0 AND {condition}", stage.name), []).await?;
            }
        }
        if changed == 0 {
            return Ok(());
        }
    }
}

async fn unknown<C: ConnectionTrait>(
    db: &C,
    stage: &Stage,
    reference: &Reference,
    stages: &[Stage],
    findings: &mut Findings,
) -> Result<(), RecordError> {
    let condition = missing(reference, stages, false);
    let field = stage.kind.column(reference.column).map_or(reference.column, |column| stage.kind.columns[column].field);
    let from = format!("FROM {} s WHERE {condition}", stage.name);
    let query = Blame { column: reference.column, select: &format!("s.line, s.{field}"), from: &from, order: "s.n", values: Vec::new() };
    let before = findings.total();
    let any = blame(db, findings, query, |row| Ok(format!("{:?} {}", short(&row.try_get_by_index::<String>(1)?), reference.unknown))).await?;
    if any {
        findings.for_want_of(before, lacking(db, stage, reference, &condition).await?);
        sql::execute(db, &format!("UPDATE {} AS s SET bad = 1 WHERE {condition}", stage.name), []).await?;
    }
    Ok(())
}

/// The first thing that is referred to and not recorded.
async fn lacking<C: ConnectionTrait>(db: &C, stage: &Stage, reference: &Reference, condition: &str) -> Result<Lacking, RecordError> {
    let fields: Vec<String> = reference.on.iter().map(|entry| format!("s.{}", pair(entry).1)).collect();
    let text = format!("SELECT {} FROM {} s WHERE {condition} ORDER BY s.n LIMIT 1", fields.join(", "), stage.name);
    let row = sql::row(db, &text, []).await?;
    let mut keys = Vec::with_capacity(fields.len());
    for index in 0..fields.len() {
        let key: Option<String> = row.as_ref().map(|row| row.try_get_by_index(index)).transpose()?;
        keys.push(key.unwrap_or_default());
    }
    Ok(Lacking { what: reference.what(), keys })
}

/// That what a staged row `s` refers to is neither recorded nor in the same file (`good`: in a row that isn't wrong).
fn missing(reference: &Reference, stages: &[Stage], good: bool) -> String {
    let pairs: Vec<(&str, &str)> = reference.on.iter().map(|entry| pair(entry)).collect();
    let given = pairs.iter().map(|(_, field)| format!("s.{field} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    let recorded = pairs.iter().map(|(theirs, field)| format!("t.{theirs} = s.{field}")).collect::<Vec<_>>().join(" AND ");
    let mut condition = format!("{given} AND NOT EXISTS (SELECT 1 FROM {} t WHERE {recorded})", reference.table);
    for other in stages {
        let fed: Option<Vec<String>> =
            pairs.iter().map(|(theirs, field)| Some(format!("x.{} = s.{field}", other.feeds(reference.table, theirs)?))).collect();
        if let Some(fed) = fed {
            let good = if good { " AND x.bad = 0" } else { "" };
            condition = format!("{condition} AND NOT EXISTS (SELECT 1 FROM {} x WHERE {}{good})", other.name, fed.join(" AND "));
        }
    }
    condition
}

/// Marks the rows that a table has already, those that fill something of it or change a label; what contradicts it is an error.
async fn compare<C: ConnectionTrait>(db: &C, stage: &Stage, index: usize, table: &Table, findings: &mut Findings) -> Result<(), RecordError> {
    let (name, same, known) = (stage.name, same_row(table), format!("known{index}"));
    let mark = format!("UPDATE {name} AS s SET {known} = 1 WHERE EXISTS (SELECT 1 FROM {} m WHERE {same})", table.name);
    if sql::execute(db, &mark, []).await? == 0 {
        return Ok(());
    }
    contradictions(db, stage, table, &known, findings).await?;
    let fills = table.optional.iter().map(|entry| pair(entry)).map(|(ours, field)| format!("(m.{ours} IS NULL AND s.{field} IS NOT NULL)"));
    let renames =
        table.labels.iter().map(|entry| pair(entry)).map(|(ours, field)| format!("(s.{field} IS NOT NULL AND m.{ours} IS DISTINCT FROM s.{field})"));
    for (mark, conditions) in [("filled", fills.collect::<Vec<_>>()), ("renamed", renames.collect())] {
        if !conditions.is_empty() {
            let any = conditions.join(" OR ");
            let text = format!(
                "UPDATE {name} AS s SET {mark} = 1 WHERE s.bad = 0 AND s.{known} = 1 AND EXISTS (SELECT 1 FROM {} m WHERE {same} AND ({any}))",
                table.name
            );
            sql::execute(db, &text, []).await?;
        }
    }
    Ok(())
}

/// `m.a = s.b AND …`: that a row `m` of the table is the staged row `s`.
pub(crate) fn same_row(table: &Table) -> String {
    let equal = table.key.iter().map(|entry| pair(entry)).map(|(ours, field)| format!("m.{ours} = {}", staged("s", field)));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// What a recorded row `m` has in a field: without a programme it is of the partner's home programme.
fn recorded(kind: &Kind, ours: &str) -> String {
    if ours == "program" && kind.program_of.is_some() {
        "COALESCE(m.program, (SELECT p.program FROM partners p WHERE p.id = m.partner))".to_owned()
    } else {
        format!("m.{ours}")
    }
}

async fn contradictions<C: ConnectionTrait>(db: &C, stage: &Stage, table: &Table, known: &str, findings: &mut Findings) -> Result<(), RecordError> {
    let facts = table.facts.iter().map(|entry| pair(entry)).map(|pair| (pair, false));
    let optional = table.optional.iter().map(|entry| pair(entry)).map(|pair| (pair, true));
    let fields: Vec<((&str, &'static str), bool)> = facts.chain(optional).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let differs: Vec<String> = fields
        .iter()
        .map(|((ours, field), fills)| {
            if *fills {
                return format!("m.{ours} <> s.{field}");
            }
            // An empty cell of a wrong row may be what is wrong with it.
            let given = if stage.kind.column_of(field).is_some_and(|column| column.need == Need::Optional) {
                "(s.bad = 0 OR s.{f} IS NOT NULL)"
            } else {
                "s.{f} IS NOT NULL"
            };
            format!("({} AND {} IS DISTINCT FROM s.{field})", given.replace("{f}", field), recorded(stage.kind, ours))
        })
        .collect();
    let value = |ours: &str, field: &str| format!("CAST({} AS TEXT), CAST(s.{field} AS TEXT)", recorded(stage.kind, ours));
    let values: Vec<String> = fields.iter().map(|((ours, field), _)| value(ours, field)).collect();
    let condition = format!("s.{known} = 1 AND ({})", differs.join(" OR "));
    let from = format!("FROM {} s JOIN {} m ON {} WHERE {condition}", stage.name, table.name, same_row(table));
    let max = findings.max();
    let text = format!("SELECT s.place, s.line, {}, s.bad, {} {from} ORDER BY s.n LIMIT {max}", currencies(stage.kind, table), values.join(", "));
    let rows = sql::rows(db, &text, []).await?;
    for row in &rows {
        contradiction(stage.kind, &fields, row, findings)?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    if rows.len() == max {
        let all = sql::row(db, &format!("SELECT COUNT(*) {from}"), []).await?.map(|row| row.try_get_by_index(0)).transpose()?;
        findings.count_more(line_number(all.unwrap_or(0)).saturating_sub(u64::try_from(max).unwrap_or(u64::MAX)));
    }
    sql::execute(db, &format!("UPDATE {} SET bad = 1 WHERE n IN (SELECT s.n {from})", stage.name), []).await?;
    Ok(())
}

/// The currencies of the recorded and of the staged amounts.
fn currencies(kind: &Kind, table: &Table) -> &'static str {
    let own = table.facts.contains(&"currency");
    let of_invoice = kind.columns.iter().any(|column| matches!(column.shape, Shape::InvoiceAmount(_)));
    match (own, of_invoice) {
        (true, _) => "m.currency, s.currency",
        (false, true) => "s.currency, s.currency",
        (false, false) => "NULL, NULL",
    }
}

fn contradiction(
    kind: &'static Kind,
    fields: &[((&str, &'static str), bool)],
    row: &QueryResult,
    findings: &mut Findings,
) -> Result<(), RecordError> {
    let line = line_number(row.try_get_by_index(1)?);
    let place: Option<String> = row.try_get_by_index(0)?;
    let currency = |index: usize| -> Result<Option<Currency>, RecordError> {
        let code: Option<String> = row.try_get_by_index(index)?;
        Ok(code.and_then(|code| code.parse().ok()))
    };
    let (theirs, ours) = (currency(2)?, currency(3)?);
    let is_bad = row.try_get_by_index::<i64>(4)? == 1;
    for (index, ((_, field), fills)) in fields.iter().enumerate() {
        let recorded: Option<String> = row.try_get_by_index(5 + 2 * index)?;
        let given: Option<String> = row.try_get_by_index(6 + 2 * index)?;
        let column = kind.column_of(field);
        let unread = given.is_none() && (is_bad || column.is_some_and(|column| column.need != Need::Optional));
        let differs = recorded != given && !unread && !(*fills && (recorded.is_none() || given.is_none()));
        if differs {
            let shape = column.map_or(Shape::Text, |column| column.shape);
            let (given, recorded) = (shown(shape, given, ours), shown(shape, recorded, theirs));
            let reason = format!(
                "{given} contradicts what is recorded, {recorded}; a recorded fact never changes: void it and record it anew, or correct it by a refund or an adjustment"
            );
            findings.push(ImportError { line, column: column_at(place.as_deref(), kind.column_name(field)), reason });
        }
    }
    Ok(())
}

/// A value of the books as files write it.
fn shown(shape: Shape, value: Option<String>, currency: Option<Currency>) -> String {
    let Some(text) = value else { return "nothing".into() };
    match (shape, text.parse::<i64>(), currency) {
        (Shape::Instant, Ok(micros), _) => Instant(micros).to_string(),
        (Shape::Flag, Ok(flag), _) => (flag == 1).to_string(),
        (Shape::Amount(_) | Shape::InvoiceAmount(_), Ok(minor), Some(currency)) => format!("{} {currency}", currency.format_minor(minor)),
        _ => format!("{:?}", short(&text)),
    }
}
