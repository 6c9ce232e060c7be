//! Rows of one file that say the same fact: equal ones are one, and a later one may fill what an earlier one left empty.

use sea_orm::{ConnectionTrait, DbErr};

use super::blame::{Blame, blame};
use super::error::{Findings, RecordError};
use super::same_number;
use super::stage::Stage;
use super::table::{Kind, pair};
use crate::sql;

/// What may become of a field when a fact is recorded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Fact,
    Optional,
    Label,
}

/// Leaves one row of each fact; rows that contradict an earlier one are errors.
pub(crate) async fn fold<C: ConnectionTrait>(db: &C, stage: &Stage, findings: &mut Findings) -> Result<(), RecordError> {
    if !any_twice(db, stage).await? {
        return Ok(());
    }
    let (name, identity) = (stage.name, stage.kind.identity.join(", "));
    let doubled = format!(
        "CREATE TEMPORARY TABLE {name}_doubled AS SELECT {identity}, MIN(n) AS first FROM {name} WHERE bad = 0 GROUP BY {identity} HAVING COUNT(*) > 1"
    );
    db.execute_unprepared(&doubled).await?;
    db.execute_unprepared(&format!("CREATE INDEX {name}_doubled_first ON {name}_doubled (first)")).await?;
    db.execute_unprepared(&format!("CREATE INDEX {name}_doubled_identity ON {name}_doubled ({identity})")).await?;
    same_number::as_in_file(db, stage).await?;
    for (field, role) in roles(stage.kind) {
        if role != Role::Label {
            contradictions(db, stage, field, role, findings).await?;
        }
    }
    for (field, role) in roles(stage.kind) {
        if role != Role::Fact {
            keep(db, stage, field, role).await?;
        }
    }
    let same = same(stage.kind, "d", "s");
    sql::execute(
        db,
        &format!("DELETE FROM {name} AS s WHERE s.bad = 0 AND EXISTS (SELECT 1 FROM {name}_doubled d WHERE {same} AND d.first <> s.n)"),
        [],
    )
    .await?;
    Ok(())
}

async fn any_twice<C: ConnectionTrait>(db: &C, stage: &Stage) -> Result<bool, DbErr> {
    let text = format!("SELECT 1 AS twice FROM {} GROUP BY {} HAVING COUNT(*) > 1 LIMIT 1", stage.name, stage.kind.identity.join(", "));
    Ok(sql::row(db, &text, []).await?.is_some())
}

async fn contradictions<C: ConnectionTrait>(
    db: &C,
    stage: &Stage,
    field: &'static str,
    role: Role,
    findings: &mut Findings,
) -> Result<(), RecordError> {
    let name = stage.name;
    let differs = if role == Role::Fact {
        format!("f.{field} IS DISTINCT FROM s.{field}")
    } else {
        let first = format!(
            "(SELECT x.{field} FROM {name} x WHERE {} AND x.bad = 0 AND x.{field} IS NOT NULL ORDER BY x.n LIMIT 1)",
            same(stage.kind, "x", "s")
        );
        format!("s.{field} <> {first}")
    };
    let from = format!(
        "FROM {name}_doubled d JOIN {name} f ON f.n = d.first JOIN {name} s ON {} AND s.bad = 0 AND s.n <> d.first WHERE {differs}",
        same(stage.kind, "s", "d")
    );
    let holds = if role == Role::Fact { String::new() } else { format!(" AND x.{field} IS NOT NULL") };
    let of_other =
        |what: &str| format!("(SELECT x.{what} FROM {name} x WHERE {} AND x.bad = 0{holds} ORDER BY x.n LIMIT 1)", same(stage.kind, "x", "s"));
    let select = format!("s.line, CAST({} AS TEXT), {}", of_other("line"), of_other("place"));
    let query = Blame { column: stage.kind.column_name(field), select: &select, from: &from, order: "s.n", values: Vec::new() };
    let noun = stage.kind.noun;
    blame(db, findings, query, |row| {
        let place: Option<String> = row.try_get_by_index(2)?;
        let place = place.map_or_else(String::new, |place| format!(" as {}", place.trim_end_matches('.')));
        Ok(format!("{noun} of the same id stands on line {}{place} with another value; leave one", row.try_get_by_index::<String>(1)?))
    })
    .await?;
    Ok(())
}

/// Moves into the first row of each fact what it keeps of a field: the value of an optional one, the last one of a label.
async fn keep<C: ConnectionTrait>(db: &C, stage: &Stage, field: &'static str, role: Role) -> Result<(), DbErr> {
    let name = stage.name;
    let order = if role == Role::Label { "DESC" } else { "ASC" };
    let value = format!(
        "(SELECT x.{field} FROM {name} x WHERE {} AND x.bad = 0 AND x.{field} IS NOT NULL ORDER BY x.n {order} LIMIT 1)",
        same(stage.kind, "x", "s")
    );
    sql::execute(db, &format!("UPDATE {name} AS s SET {field} = {value} WHERE s.n IN (SELECT first FROM {name}_doubled)"), []).await?;
    Ok(())
}

fn same(kind: &Kind, left: &str, right: &str) -> String {
    kind.identity.iter().map(|field| format!("{left}.{field} = {right}.{field}")).collect::<Vec<_>>().join(" AND ")
}

/// The fields that do not identify a row; what one table holds as a fact is one.
fn roles(kind: &'static Kind) -> Vec<(&'static str, Role)> {
    let holds = |lists: fn(&super::table::Table) -> &'static [&'static str], field: &str| {
        kind.tables.iter().any(|table| lists(table).iter().any(|entry| pair(entry).1 == field))
    };
    let fields = kind.columns.iter().map(|column| column.field).filter(|field| !kind.identity.contains(field));
    fields
        .map(|field| {
            if holds(|table| table.labels, field) {
                (field, Role::Label)
            } else if holds(|table| table.facts, field) || !holds(|table| table.optional, field) {
                (field, Role::Fact)
            } else {
                (field, Role::Optional)
            }
        })
        .collect()
}
