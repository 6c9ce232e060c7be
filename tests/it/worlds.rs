//! Every world of `tests/worlds`, and of the folder of worlds beside the project if there is one, gives what it says.
//!
//! A world is run command by command on a fresh database; the JSON of each command must equal the expected file, and each digest must
//! recompute. `TRIBUTARY_WORLDS` (names, separated by commas) runs only those.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crate::app::Engine;
use crate::script::{self, assert_digests, read_json};

macro_rules! worlds {
    ($($name:ident)+) => {
        const LISTED: &[&str] = &[$(stringify!($name)),+];
        $(mod $name {
            use crate::app::Engine;
            #[test]
            fn on_sqlite() {
                super::run_listed(stringify!($name), Engine::Sqlite);
            }
            #[test]
            fn on_postgres() {
                super::run_listed(stringify!($name), Engine::Postgres);
            }
        })+
    };
}

worlds! {
    tiny_900001 tiny_900018 tiny_900019 tiny_900027 tiny_900032 tiny_900034 tiny_900045 tiny_900071
    tiny_900074 tiny_900087 tiny_900097 tiny_900104 tiny_900119 tiny_900136 tiny_900157 tiny_900172
    tiny_900220 tiny_900222 tiny_900234 tiny_900235 tiny_900243 tiny_900268 tiny_900275 tiny_900281
    tiny_900293 tiny_900314 tiny_900319 tiny_900324 tiny_900337 tiny_900342 tiny_900344 tiny_900348
    tiny_900355 tiny_900359 tiny_900368 tiny_900375 tiny_900378 tiny_900386 tiny_900388 tiny_900393
}

/// The folder of worlds that the project keeps.
pub(crate) fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worlds")
}

fn beside() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/worlds")
}

fn is_wanted(name: &str) -> bool {
    std::env::var("TRIBUTARY_WORLDS").map_or(true, |wanted| wanted.split(',').any(|one| one.trim() == name))
}

fn run_listed(test: &str, engine: Engine) {
    let name = test.replace('_', "-");
    if is_wanted(&name) {
        script::run_world(&kept().join(&name), engine);
    }
}

#[test]
fn every_kept_world_has_its_tests() {
    let listed: BTreeSet<String> = LISTED.iter().map(|name| name.replace('_', "-")).collect();
    let found: BTreeSet<String> = folders(&kept()).into_keys().collect();
    assert_eq!(found, listed);
}

#[test]
fn expected_digests_recompute() {
    let mut digests = 0;
    for folder in folders(&kept()).into_values() {
        for file in fs::read_dir(folder.join("expected")).expect("a world has expectations") {
            let path = file.expect("a folder can be read").path();
            digests += assert_digests(&read_json(&path), &path.display().to_string());
        }
    }
    assert!(digests > 500, "only {digests} digests were looked at");
}

/// Worlds that stand beside the project and are not, byte for byte, among those that it keeps.
fn run_others(engine: Engine) {
    let others: Vec<PathBuf> = folders(&beside())
        .into_iter()
        .filter(|(name, folder)| is_wanted(name) && files(folder) != files(&kept().join(name)))
        .map(|(_, folder)| folder)
        .collect();
    let failures = Mutex::new(Vec::new());
    let queue = Mutex::new(others.iter());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(folder) = next(&queue) {
                    if panic::catch_unwind(AssertUnwindSafe(|| script::run_world(folder, engine))).is_err() {
                        failures.lock().expect("no panic under the lock").push(folder.display().to_string());
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic under the lock");
    assert!(failures.is_empty(), "{} of {} worlds fail: {failures:?}", failures.len(), others.len());
}

fn next<'a>(queue: &Mutex<std::slice::Iter<'a, PathBuf>>) -> Option<&'a PathBuf> {
    queue.lock().expect("no panic under the lock").next()
}

#[test]
fn worlds_beside_the_project_on_sqlite() {
    run_others(Engine::Sqlite);
}

#[test]
fn worlds_beside_the_project_on_postgres() {
    run_others(Engine::Postgres);
}

fn folders(parent: &Path) -> BTreeMap<String, PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return BTreeMap::new() };
    let paths = entries.map(|entry| entry.expect("a folder can be read").path()).filter(|path| path.is_dir());
    paths.map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path)).collect()
}

/// Every file below the folder with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.expect("a folder can be read").path()) {
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(name, content)| (Path::new(path.file_name().unwrap_or_default()).join(name), content)));
        } else {
            found.insert(path.file_name().unwrap_or_default().into(), fs::read(&path).expect("a file can be read"));
        }
    }
    found
}
