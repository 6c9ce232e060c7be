//! A second, naive implementation of the rules, in `tests/reference`, comes to the same numbers (reliability.md §3.19).
//!
//! It is held to what the worlds of `tests/worlds` expect, as the product is, and compared with the product, on SQLite, over worlds
//! that are mutated by a seed: settlements with their digests, reviews, wallets, what is refused. `TRIBUTARY_REFERENCE_SEEDS=200` has more
//! of these, `TRIBUTARY_REFERENCE_FIRST_SEED` others, and the worlds as they are go through the product, too.

#![cfg(test)]

use std::env;
use std::path::Path;
use std::process::{Command, Output};

/// Mutated worlds where nothing else is asked for.
const SEEDS: u32 = 6;

/// Runs the reference over worlds; nothing is written but in temporary folders.
fn reference(worlds: &Path, arguments: &[&str]) -> (Output, String) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let run = Command::new("python3")
        .args(["-B", "-m", "reference", "--binary", env!("CARGO_BIN_EXE_tributary"), "--worlds"])
        .arg(worlds)
        .args(arguments)
        .current_dir(tests)
        .output()
        .unwrap_or_else(|error| panic!("python3 (3.11 or later) can't be started: {error}; `bash .ci/packages` installs it"));
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    (run, said)
}

fn kept_worlds() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worlds")
}

#[test]
fn both_come_to_the_same_numbers() {
    let asked = env::var("TRIBUTARY_REFERENCE_SEEDS").ok();
    let seeds = asked.clone().unwrap_or_else(|| SEEDS.to_string());
    let first = env::var("TRIBUTARY_REFERENCE_FIRST_SEED").unwrap_or_else(|_| "1".into());
    let mut arguments = vec!["--mutated", &seeds, "--seed", &first];
    if asked.is_some() {
        arguments.extend(["--thorough", "--keep"]);
    }
    let (run, said) = reference(&kept_worlds(), &arguments);
    assert!(run.status.success(), "the reference and the product differ, or it can't run\n{said}");
    let worlds = std::fs::read_dir(kept_worlds()).expect("the worlds can be listed").filter_map(Result::ok);
    let worlds = worlds.filter(|entry| entry.path().join("script.txt").exists()).count();
    let seeds: usize = seeds.parse().expect("a number of seeds");
    let same = said.lines().filter(|line| line.contains(": same: ")).count();
    assert_eq!(same, worlds + seeds, "{said}");
}

/// A world whose expectation is off by a cent must be told, with its place: otherwise the comparison shows nothing.
#[test]
fn a_difference_is_found() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (world, copy) = (kept_worlds().join("tiny-900368"), directory.path().join("world"));
    let copied = Command::new("cp").arg("-R").args([&world, &copy]).status().expect("cp can be started");
    assert!(copied.success());
    let expected: Vec<_> = std::fs::read_dir(copy.join("expected")).expect("a world has expectations").filter_map(Result::ok).collect();
    let changed = expected.iter().map(std::fs::DirEntry::path).find_map(|file| {
        let text = std::fs::read_to_string(&file).expect("an expectation can be read");
        let at = text.find("\"net\": \"")? + "\"net\": \"".len();
        let other = if &text[at..=at] == "7" { "8" } else { "7" };
        std::fs::write(&file, format!("{}{other}{}", &text[..at], &text[at + 1..])).expect("an expectation can be written");
        Some(())
    });
    assert_eq!(changed, Some(()), "no settlement is expected");
    let (run, said) = reference(directory.path(), &["--mutated", "0"]);
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("world: DIFFERENT: settle ") && said.contains(".totals.net: ") && said.contains("1 worlds, 1 differ"), "{said}");
}
