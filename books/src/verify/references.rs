//! What rows refer to is there: programmes, and whatever a foreign key names (invariant 29). A tool that keeps no foreign keys, as the
//! shell of SQLite does unless told, can delete it.

use std::collections::BTreeMap;

use sea_orm::DbBackend;

use super::finding::Invariant::OwnPartner;
use super::scan::Scan;
use crate::load::row::{LoadError, rows};

/// Each column of each foreign key: its table, a number, the column, and the table and column that it refers to.
const KEYS_OF_SQLITE: &str = "SELECT m.name, CAST(k.id AS TEXT), k.\"from\", k.\"table\", k.\"to\" FROM sqlite_master m \
     JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table' ORDER BY 1, 2, k.seq";
const KEYS_OF_POSTGRES: &str = "SELECT c.relname::text, k.conname::text, a.attname::text, p.relname::text, b.attname::text FROM pg_constraint k \
     JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid \
     CROSS JOIN LATERAL UNNEST(k.conkey, k.confkey) WITH ORDINALITY AS u(ours, theirs, place) \
     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.ours JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.theirs \
     WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2, u.place";

/// The columns of a foreign key with those that they refer to.
type Columns = Vec<(String, String)>;

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let recorded = rows(scan.tx, "SELECT id FROM programs", Vec::new()).await?;
    let recorded: Vec<String> = recorded.iter().map(|row| row.string(0)).collect::<Result<_, _>>()?;
    for program in scan.programs().iter().filter(|program| !recorded.contains(program)) {
        scan.add(OwnPartner, &[("program", program.as_str())], "the programme is not recorded, and other rows are of it");
    }
    for ((table, _, parent), columns) in keys(scan).await? {
        let query = dangling(&table, &parent, &columns);
        let what = format!("what it names is not among {parent}");
        scan.offending(OwnPartner, &query, &["table", "columns", "names"], &what).await?;
    }
    Ok(())
}

/// The foreign keys, by table, name and the table that they refer to.
async fn keys(scan: &Scan<'_>) -> Result<BTreeMap<(String, String, String), Columns>, LoadError> {
    let query = if scan.backend() == DbBackend::Postgres { KEYS_OF_POSTGRES } else { KEYS_OF_SQLITE };
    let mut keys: BTreeMap<(String, String, String), Columns> = BTreeMap::new();
    for row in rows(scan.tx, query, Vec::new()).await? {
        let key = (row.string(0)?, row.string(1)?, row.string(3)?);
        keys.entry(key).or_default().push((row.string(2)?, row.string(4)?));
    }
    Ok(keys)
}

/// What a foreign key's rows name that is not there.
fn dangling(table: &str, parent: &str, columns: &Columns) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = |name: &str| format!("'{}'", name.replace('\'', "''"));
    let joined = |part: &dyn Fn(&(String, String)) -> String, between: &str| columns.iter().map(part).collect::<Vec<_>>().join(between);
    format!(
        "SELECT DISTINCT {}, {}, {} FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) ORDER BY 3",
        text(table),
        text(&joined(&|(ours, _)| ours.clone(), ", ")),
        joined(&|(ours, _)| format!("CAST(c.{} AS TEXT)", quoted(ours)), " || '/' || "),
        quoted(table),
        joined(&|(ours, _)| format!("c.{} IS NOT NULL", quoted(ours)), " AND "),
        quoted(parent),
        joined(&|(ours, theirs)| format!("p.{} = c.{}", quoted(theirs), quoted(ours)), " AND "),
    )
}
