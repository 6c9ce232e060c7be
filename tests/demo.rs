//! `demo` gives the same for the same seed, shows what it promises, and leaves alone what no demo made; its books serve to prove
//! `settlement show --pdf`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

const PARTNERS: &str = "14";

fn tributary(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.args(arguments).env_remove("TRIBUTARY_DATABASE_URL").env_remove("TRIBUTARY_CLOCK__START");
    command.output().expect("the binary can be started")
}

fn succeeded(arguments: &[&str]) -> Output {
    let output = tributary(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A demo that the tests of this file read, and copy before they change it.
struct Demo {
    path: PathBuf,
    summary: Value,
}

impl Demo {
    fn play(seed: &str, path: PathBuf) -> Self {
        let output = succeeded(&["demo", &path.display().to_string(), "--force", "--partners", PARTNERS, "--seed", seed, "--json"]);
        let summary = serde_json::from_slice(&output.stdout).expect("one JSON document is printed");
        Self { path, summary }
    }

    /// One for all tests, in a place that the next run takes again: what is static is never dropped.
    fn shared() -> &'static Self {
        static DEMO: OnceLock<(File, Demo)> = OnceLock::new();
        let play = || {
            let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let lock = File::create(place.join("demo.lock")).expect("a file can be made");
            // Until this process ends, no other run of these tests plays there.
            lock.lock().expect("a file can be locked");
            (lock, Self::play("7", place.join("demo")))
        };
        &DEMO.get_or_init(play).1
    }

    fn database(&self) -> String {
        format!("sqlite://{}", self.path.join("tributary.db").display())
    }

    /// A copy of its database with another name for a partner.
    fn renamed(&self, partner: &str, name: &str) -> (TempDir, String) {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join("copy.db");
        fs::copy(self.path.join("tributary.db"), &file).expect("the database is one file");
        let database = format!("sqlite://{}", file.display());
        let history = fs::read_to_string(self.path.join("facts/history/partners.csv")).expect("partners are facts");
        let line = history.lines().find(|line| line.starts_with(&format!("{partner},"))).expect("the partner was there");
        let fields: Vec<&str> = line.split(',').collect();
        let row = line.replacen(fields[1], name, 1);
        let header = history.lines().next().expect("a header");
        let rows = directory.path().join("partners.csv");
        fs::write(&rows, format!("{header}\n{row}\n")).expect("a file can be written");
        succeeded(&["--database", &database, "import", "partners", &rows.display().to_string()]);
        (directory, database)
    }
}

/// Every file below a directory with its content, but the database's.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().contains("tributary.db") {
                let name = path.strip_prefix(directory).expect("it is below").to_owned();
                found.insert(name, fs::read(&path).expect("a file can be read"));
            }
        }
    }
    found
}

fn settlements(database: &str) -> String {
    let listed = succeeded(&["--database", database, "--json", "settlement", "list"]);
    String::from_utf8(listed.stdout).expect("JSON is UTF-8")
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let play = |seed: &str| Demo::play(seed, directory.path().join(seed));
    let (first, again, other) = (Demo::shared(), play("7"), play("8"));
    let (one, two) = (files(&first.path), files(&again.path));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, content) in &one {
        assert!(two.get(name) == Some(content), "{} differs", name.display());
    }
    assert!(one.keys().filter(|name| name.extension().is_some_and(|ending| ending == "pdf")).count() >= 10);
    assert_eq!(settlements(&first.database()), settlements(&again.database()));
    assert_ne!(settlements(&first.database()), settlements(&other.database()));
}

#[test]
fn the_year_shows_what_the_programme_can_do() {
    let summary = &Demo::shared().summary;
    let texts = |list: &str, field: &str| -> Vec<String> {
        let values = summary[list].as_array().expect("a list").iter();
        values.map(|value| value[field].as_str().expect("a text").to_owned()).collect()
    };
    let components = texts("components", "component");
    for component in ["base", "spiff", "override", "rank_bonus", "coop", "adjustment"] {
        assert!(components.iter().any(|one| one == component), "no {component} in {components:?}");
    }
    assert_eq!(texts("months", "period").len(), 12);
    assert_eq!(summary["reviews"].as_array().map(Vec::len), Some(5));
    let changes =
        |outcome: &str| summary["reviews"].as_array().expect("a list").iter().filter_map(|review| review["outcomes"][outcome].as_u64()).sum::<u64>();
    assert!(changes("promoted") >= 2, "{}", summary["reviews"]);
    assert!(changes("notice") >= 1 && changes("demoted") >= 1, "{}", summary["reviews"]);
    assert!(!texts("rank_winners", "partner").is_empty());
}

#[test]
fn its_books_verify() {
    let output = succeeded(&["--database", &Demo::shared().database(), "verify", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document is printed");
    assert_eq!(found["ok"], true, "{found}");
}

#[test]
fn a_directory_that_no_demo_made_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    fs::write(directory.path().join("mine.txt"), "mine").expect("a file can be written");
    let path = directory.path().display().to_string();
    for arguments in [vec!["demo", &path], vec!["demo", &path, "--force"]] {
        let output = tributary(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    }
    assert_eq!(files(directory.path()).into_values().collect::<Vec<_>>(), [b"mine".to_vec()]);
}

#[test]
fn a_demo_is_replaced_only_when_asked() {
    let demo = Demo::shared();
    let output = tributary(&["demo", &demo.path.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
}

#[test]
fn too_few_partners_are_refused() {
    assert_eq!(tributary(&["demo", "nowhere", "--partners", "3"]).status.code(), Some(2));
}

/// A partner with a statement in the last month, in the programme's currency.
fn partner(demo: &Demo) -> String {
    demo.summary["top"][0]["partner"].as_str().expect("a partner").to_owned()
}

fn show<'a>(database: &'a str, partner: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["--database", database, "settlement", "show", "--program", "reseller", "--partner", partner];
    arguments.extend(["--period", "2025-12", "--currency", "USD"]);
    arguments.extend(more);
    arguments
}

#[test]
fn a_statement_shown_again_is_the_one_that_the_demo_wrote() {
    let demo = Demo::shared();
    let partner = partner(demo);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("again.pdf").display().to_string();
    let output = succeeded(&show(&demo.database(), &partner, &["--pdf", &file]));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&partner));
    let (again, written) = (fs::read(&file), fs::read(demo.path.join(format!("statements/2025-12/{partner}.pdf"))));
    let (again, written) = (again.expect("the file is there"), written.expect("the demo wrote it"));
    assert!(again.starts_with(b"%PDF") && again == written);
}

#[test]
fn a_character_that_no_font_has_is_refused_by_name() {
    let demo = Demo::shared();
    let partner = partner(demo);
    let (directory, database) = demo.renamed(&partner, "Partner 会");
    let file = directory.path().join("boxes.pdf").display().to_string();
    let refused = tributary(&show(&database, &partner, &["--pdf", &file]));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains(&partner) && error.contains("U+4F1A"), "{error}");
    assert!(!Path::new(&file).exists());
    let allowed = succeeded(&show(&database, &partner, &["--pdf", &file, "--allow-missing-glyphs"]));
    assert!(String::from_utf8_lossy(&allowed.stderr).contains("U+4F1A"));
    assert!(Path::new(&file).exists());
}

#[test]
fn a_template_of_ones_own_is_used_and_its_faults_have_a_place() {
    let demo = Demo::shared();
    let partner = partner(demo);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("own.typ"), "#let s = json(\"statement.json\")\n#s.partner.name: #s.totals.net\n").expect("a file can be written");
    fs::write(path("bad.typ"), "text\n#let s = json(\"statement.json\")\n#s.nothing\n").expect("a file can be written");
    let (own, bad, file) = (path("own.typ"), path("bad.typ"), path("out.pdf"));
    let output = succeeded(&show(&demo.database(), &partner, &["--pdf", &file, "--template", &own, "--json"]));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("the settlement is printed as JSON");
    assert_eq!(shown["partner"], partner.as_str());
    assert!(fs::read(&file).expect("the file is there").starts_with(b"%PDF"));
    let refused = tributary(&show(&demo.database(), &partner, &["--pdf", &file, "--template", &bad]));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("bad.typ:3:"), "{error}");
}
