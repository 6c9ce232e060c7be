//! The order in which facts arrive before the first settlement, their files and the format of these mean nothing to the settlements.
//!
//! The first batch of a world is cut into random files, rows shuffled, some as JSONL, imported in a random order that respects
//! references; the rest of the world then runs as it is and must print what the world expects.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::app::{App, Engine};
use crate::script;
use crate::seeded::Seeded;
use crate::worlds;

/// Each kind with the kinds that its rows may refer to.
const KINDS: [(&str, &[&str]); 16] = [
    ("fx", &[]),
    ("partners", &[]),
    ("memberships", &["partners"]),
    ("parents", &["partners", "memberships"]),
    ("tiers", &["partners", "memberships"]),
    ("statuses", &["partners", "memberships"]),
    ("freezes", &["partners", "memberships"]),
    ("certifications", &["partners"]),
    ("metrics", &["partners"]),
    ("adjustments", &["partners", "memberships"]),
    ("customers", &["partners"]),
    ("deals", &["customers"]),
    ("invoices", &["deals"]),
    ("invoice_items", &["invoices"]),
    ("credits", &["invoices", "invoice_items", "memberships"]),
    ("refunds", &["invoices", "invoice_items"]),
];

/// Rows of these refer to one another, or hold only together: they stay in one file.
const WHOLE: [&str; 5] = ["partners", "memberships", "parents", "invoice_items", "refunds"];

type Row = Vec<(String, String)>;

fn rows(file: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(file).expect("a world's file can be read");
    let header = reader.headers().expect("a file has a header").clone();
    let of = |record: csv::StringRecord| header.iter().zip(record.iter()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    reader.records().map(|record| of(record.expect("a row is read"))).collect()
}

/// The files of each kind that are still to be imported.
fn cut(random: &mut Seeded, kind: &str, mut rows: Vec<Row>) -> Vec<Vec<Row>> {
    random.shuffle(&mut rows);
    if WHOLE.contains(&kind) || rows.len() < 2 {
        return vec![rows];
    }
    let at = 1 + random.index(rows.len() - 1);
    let rest = rows.split_off(at);
    vec![rows, rest]
}

fn import(app: &App, random: &mut Seeded, kind: &str, rows: &[Row]) {
    let (ending, content) = if random.chance(50) { ("jsonl", as_jsonl(rows)) } else { ("csv", as_csv(rows)) };
    let file = app.write(kind, ending, &content);
    app.ok(&format!("import {kind} {file}"));
}

fn as_csv(rows: &[Row]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = rows.first().map(|row| row.iter().map(|(name, _)| name).collect::<Vec<_>>());
    writer.write_record(header.unwrap_or_default()).expect("a row is written");
    for row in rows {
        writer.write_record(row.iter().map(|(_, value)| value)).expect("a row is written");
    }
    String::from_utf8(writer.into_inner().expect("all rows are written")).expect("rows are UTF-8")
}

fn as_jsonl(rows: &[Row]) -> String {
    let filled = |row: &Row| -> Map<String, Value> {
        row.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.clone(), value.clone().into())).collect()
    };
    rows.iter().map(|row| Value::Object(filled(row)).to_string() + "\n").collect()
}

/// Imports the first batch in pieces.
fn import_shuffled(app: &App, random: &mut Seeded, mut files: BTreeMap<&str, Vec<Vec<Row>>>) {
    while !files.is_empty() {
        let ready = |kind: &str| KINDS.iter().any(|(name, needs)| *name == kind && needs.iter().all(|needed| is_done(&files, needed)));
        let kinds: Vec<&str> = files.keys().copied().filter(|kind| ready(kind)).collect();
        let kind = *random.pick(&kinds);
        let left = files.get_mut(kind).expect("a kind that is left");
        let rows = left.pop().expect("a file that is left");
        if left.is_empty() {
            files.remove(kind);
        }
        import(app, random, kind, &rows);
    }
}

/// Whether nothing is left of a kind, nor of what it refers to.
fn is_done(files: &BTreeMap<&str, Vec<Vec<Row>>>, kind: &str) -> bool {
    !files.contains_key(kind) && KINDS.iter().filter(|(name, _)| *name == kind).all(|(_, needs)| needs.iter().all(|needed| is_done(files, needed)))
}

fn any_order_gives_the_same(world: &str, engine: Engine, seed: u64) {
    let folder = worlds::kept().join(world);
    let mut random = Seeded::new(seed);
    let (mut files, mut rest, mut programmes) = (BTreeMap::new(), Vec::new(), Vec::new());
    for line in script::lines(&folder) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["import", kind, file] if file.starts_with("01/") && rest.is_empty() && KINDS.iter().any(|(name, _)| *name == kind) => {
                let (name, _) = KINDS.iter().find(|(name, _)| *name == kind).expect("a known kind");
                files.insert(*name, cut(&mut random, kind, rows(&folder.join(file))));
            }
            ["program", ..] if rest.is_empty() => programmes.push(line),
            _ => rest.push(line),
        }
    }
    App::prove(engine, |app| {
        script::run_lines(app, &folder, &programmes);
        import_shuffled(app, &mut random, files);
        script::run_lines(app, &folder, &rest);
    });
}

#[test]
fn any_order_of_facts_gives_the_same_settlements_on_sqlite() {
    for (seed, world) in
        (1..).zip(["tiny-900001", "tiny-900019", "tiny-900027", "tiny-900074", "tiny-900235", "tiny-900319", "tiny-900342", "tiny-900378"])
    {
        any_order_gives_the_same(world, Engine::Sqlite, seed);
    }
}

#[test]
fn any_order_of_facts_gives_the_same_settlements_on_postgres() {
    for (seed, world) in (101..).zip(["tiny-900018", "tiny-900087", "tiny-900222"]) {
        any_order_gives_the_same(world, Engine::Postgres, seed);
    }
}
