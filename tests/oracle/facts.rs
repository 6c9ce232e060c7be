//! The rows of a world's imports, as they stand after some commands.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use chrono::{DateTime, FixedOffset};
use program::calendar::{Date, parse_date};
use program::money::Rate;
use program::programme::Programme;
use serde_json::Value;

/// A row: its columns that are not empty.
pub(crate) type Row = BTreeMap<String, String>;

/// Everything recorded so far.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    kinds: BTreeMap<String, Vec<Row>>,
    /// By programme: versions with the day that each holds from, in the order in which they were recorded.
    versions: BTreeMap<String, Vec<(Date, Programme)>>,
    /// What reviews gave: programme, partner, day, tier.
    pub(crate) reviewed: Vec<(String, String, Date, String)>,
}

/// The columns that identify a row without an id.
fn identity(kind: &str) -> &'static [&'static str] {
    match kind {
        "memberships" => &["partner", "program"],
        "tiers" | "parents" | "statuses" => &["partner", "program", "effective_from"],
        "metrics" => &["partner", "metric", "as_of"],
        "fx" => &["date", "from", "to"],
        "invoice_items" => &["invoice", "item"],
        _ => &["id"],
    }
}

pub(crate) fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

pub(crate) fn day(row: &Row, column: &str) -> Option<Date> {
    row.get(column).map(|text| parse_date(text).expect("a date that was imported"))
}

pub(crate) fn instant(row: &Row, column: &str) -> Option<DateTime<FixedOffset>> {
    row.get(column).map(|text| DateTime::parse_from_rfc3339(text).expect("an instant that was imported"))
}

pub(crate) fn rate(row: &Row, column: &str) -> Option<Rate> {
    row.get(column).map(|text| text.parse().expect("a rate that was imported"))
}

impl Facts {
    pub(crate) fn all(&self, kind: &str) -> &[Row] {
        self.kinds.get(kind).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn find(&self, kind: &str, id: &str) -> Option<&Row> {
        self.all(kind).iter().find(|row| text(row, "id") == id)
    }

    /// The home programme of a partner.
    pub(crate) fn home(&self, partner: &str) -> &str {
        text(self.find("partners", partner).expect("a partner that was imported"), "program")
    }

    /// The version in force on a day; before the first it is the first.
    pub(crate) fn version(&self, program: &str, day: Date) -> &Programme {
        let mut versions: Vec<&(Date, Programme)> = self.versions[program].iter().collect();
        versions.sort_by_key(|(from, _)| *from);
        let known = versions.iter().rev().find(|(from, _)| *from <= day);
        &known.unwrap_or(&versions[0]).1
    }

    pub(crate) fn versions(&self, program: &str) -> impl Iterator<Item = &Programme> {
        self.versions[program].iter().map(|(_, version)| version)
    }

    /// Takes what a command records; `printed` is what it printed.
    pub(crate) fn record(&mut self, folder: &Path, words: &[&str], printed: &str) {
        match words {
            ["program", "apply", file, "--from", from] => {
                let source = std::fs::read_to_string(folder.join(file)).expect("a programme file");
                let programme = program::file::load(file, &source).expect("a programme that was recorded");
                self.versions.entry(programme.id.clone()).or_default().push((parse_date(from).expect("a date"), programme));
            }
            ["import", "voids", file] => rows(&folder.join(file)).iter().for_each(|row| self.void(row)),
            ["import", kind, file] => rows(&folder.join(file)).into_iter().for_each(|row| self.take(kind, row)),
            ["recertify", "--program", program, "--as-of", as_of, ..] => {
                let reviews: Value = serde_json::from_str(printed).expect("a review prints JSON");
                for review in reviews["reviews"].as_array().expect("reviews") {
                    let said = |name: &str| review[name].as_str().expect("text").to_owned();
                    if said("tier") != said("new_tier") {
                        self.reviewed.push(((*program).into(), said("partner"), parse_date(as_of).expect("a date"), said("new_tier")));
                    }
                }
            }
            other => panic!("a command that the oracle does not know: {other:?}"),
        }
    }

    /// A new row, or what was empty of a known one.
    fn take(&mut self, kind: &str, mut row: Row) {
        if ["tiers", "parents", "statuses", "adjustments"].contains(&kind) && !row.contains_key("program") {
            row.insert("program".into(), self.home(text(&row, "partner")).to_owned());
        }
        let same = |known: &&mut Row| identity(kind).iter().all(|column| text(known, column) == text(&row, column));
        let known = self.kinds.entry(kind.into()).or_default();
        match known.iter_mut().find(same) {
            Some(known) => row.into_iter().for_each(|(column, value)| {
                known.entry(column).or_insert(value);
            }),
            None => known.push(row),
        }
    }

    fn void(&mut self, void: &Row) {
        let (kind, id) = (text(void, "kind"), text(void, "id"));
        let key = |kind: &str, row: &Row| identity(kind).iter().map(|column| text(row, column)).collect::<Vec<_>>().join("/");
        if let Some(known) = self.kinds.get_mut(kind) {
            known.retain(|row| key(kind, row) != id);
        }
        if let ("invoices", Some(items)) = (kind, self.kinds.get_mut("invoice_items")) {
            items.retain(|item| text(item, "invoice") != id);
        }
    }
}

fn rows(file: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    let heads = reader.headers().expect("a header line").clone();
    let rows = reader.records().map(|record| {
        let record = record.expect("a CSV row");
        heads.iter().zip(&record).filter(|(_, value)| !value.is_empty()).map(|(head, value)| (head.to_owned(), value.to_owned())).collect()
    });
    rows.collect()
}
