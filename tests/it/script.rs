//! Runs the commands of a world's script and compares what they print with what the world expects.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::app::{App, Engine};
use crate::canonical;
use crate::json_difference::first_difference;
use crate::printed;
use crate::process;

/// Runs the whole script of a world on a fresh database and verifies the books after it.
pub(crate) fn run_world(folder: &Path, engine: Engine) {
    App::prove(engine, |app| run_lines(app, folder, &lines(folder)));
}

/// The commands of a world.
pub(crate) fn lines(folder: &Path) -> Vec<String> {
    let script = fs::read_to_string(folder.join("script.txt")).expect("a world has a script");
    script.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Runs commands in a world's folder; each must succeed and print what its file expects.
pub(crate) fn run_lines(app: &App, folder: &Path, lines: &[String]) {
    for line in lines {
        let place = format!("{} with {}: {line}", folder.display(), app.url());
        let (command, expected) = line.split_once(" > ").map_or((line.as_str(), None), |(command, file)| (command, Some(file)));
        let finished = process::run(app.command(command).current_dir(folder));
        assert_eq!(finished.status.code(), Some(0), "{place}\n{}{}", finished.stdout_text(), finished.stderr);
        if let Some(file) = expected {
            let mut printed: Value = serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{place}\nprints no JSON: {error}"));
            take_status(&mut printed, &place);
            let difference = first_difference(&read_json(&folder.join(file.trim())), &printed);
            assert!(difference.is_none(), "{place}\n{}", difference.unwrap_or_default());
            assert_digests(&printed, &place);
            settlements(&printed).iter().for_each(printed::assert_totals_equal_lines);
        }
    }
}

fn settlements(document: &Value) -> &[Value] {
    document.get("settlements").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The number of digests in the document, each of which recomputes.
pub(crate) fn assert_digests(document: &Value, place: &str) -> usize {
    for settlement in settlements(document) {
        assert_eq!(settlement["digest"], canonical::digest(settlement).as_str(), "{place}\ndigest of {settlement}");
    }
    settlements(document).len()
}

/// Worlds say nothing of `status`, but that it is one of those that a final settlement can have.
fn take_status(document: &mut Value, place: &str) {
    let Some(settlements) = document.get_mut("settlements").and_then(Value::as_array_mut) else { return };
    for settlement in settlements {
        let status = settlement.as_object_mut().and_then(|fields| fields.shift_remove("status"));
        let status = status.as_ref().and_then(Value::as_str).unwrap_or_default();
        assert!(["final", "paying", "paid", "failed"].contains(&status), "{place}\nstatus is {status:?}");
    }
}

pub(crate) fn read_json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
