//! A fresh database and the binary beside it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::database::Access;
use crate::postgres::PostgresDatabase;
use crate::process::{self, Finished};

/// A moment after every period that the tests settle, so that they mean the same on any day.
const CLOCK: &str = "2027-01-15T12:00:00Z";

/// Makes `NAME::on_sqlite` and `NAME::on_postgres` of a function that takes an [`App`]; both end with the books verified.
macro_rules! on_both_databases {
    ($($proof:ident),+ $(,)?) => {$(
        mod $proof {
            #[test]
            fn on_sqlite() {
                $crate::app::App::prove($crate::app::Engine::Sqlite, super::$proof);
            }
            #[test]
            fn on_postgres() {
                $crate::app::App::prove($crate::app::Engine::Postgres, super::$proof);
            }
        }
    )+};
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Debug)]
enum Store {
    Sqlite(PathBuf),
    Postgres(PostgresDatabase),
}

/// The binary with a database and a working directory of its own.
#[derive(Debug)]
pub(crate) struct App {
    directory: TempDir,
    store: Store,
    files: Cell<u32>,
}

impl App {
    pub(crate) fn fresh(engine: Engine) -> Self {
        let directory = tempfile::Builder::new().prefix("tributary-").tempdir().expect("a temporary directory can be made");
        let store = match engine {
            Engine::Sqlite => Store::Sqlite(directory.path().join("books.db")),
            Engine::Postgres => Store::Postgres(PostgresDatabase::create()),
        };
        Self { directory, store, files: Cell::new(0) }
    }

    /// Runs a test body on a fresh database and verifies the books after it.
    pub(crate) fn prove(engine: Engine, body: impl FnOnce(&App)) {
        let app = Self::fresh(engine);
        body(&app);
        app.finish();
    }

    /// The same facts and books in a database of its own.
    pub(crate) fn copy(&self) -> Self {
        let directory = tempfile::Builder::new().prefix("tributary-").tempdir().expect("a temporary directory can be made");
        let store = match &self.store {
            Store::Sqlite(file) => {
                let copy = directory.path().join("books.db");
                for ending in ["", "-wal"] {
                    let [from, to] = [file, &copy].map(|path| format!("{}{ending}", path.display()));
                    if Path::new(&from).exists() {
                        std::fs::copy(&from, &to).expect("a database file can be copied");
                    }
                }
                Store::Sqlite(copy)
            }
            Store::Postgres(database) => Store::Postgres(database.copy()),
        };
        Self { directory, store, files: Cell::new(0) }
    }

    pub(crate) fn url(&self) -> String {
        match &self.store {
            Store::Sqlite(file) => format!("sqlite://{}", file.display()),
            Store::Postgres(database) => database.url().to_owned(),
        }
    }

    pub(crate) fn access(&self) -> Access {
        Access::open(&match &self.store {
            Store::Sqlite(_) => format!("{}?mode=rwc", self.url()),
            Store::Postgres(_) => self.url(),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command with the words of `line`, run in this app's directory.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command
            .args(line.split_whitespace())
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TRIBUTARY_DATABASE_URL", self.url())
            .env("TRIBUTARY_CLOCK__START", CLOCK);
        command
    }

    pub(crate) fn run(&self, line: &str) -> Finished {
        process::run(&mut self.command(line))
    }

    /// Runs a command that must succeed.
    pub(crate) fn ok(&self, line: &str) -> Finished {
        succeeded(line, self.run(line))
    }

    /// Runs a command that must succeed and print one JSON document.
    pub(crate) fn json(&self, line: &str) -> Value {
        let finished = self.ok(line);
        serde_json::from_slice(&finished.stdout)
            .unwrap_or_else(|error| panic!("tributary {line} must print one JSON document: {error}\n{}", finished.stdout_text()))
    }

    /// Runs a command that must refuse its input: exit code 2, the database as it was. Gives what it said.
    pub(crate) fn refused(&self, line: &str) -> String {
        let before = self.access().dump();
        let finished = self.run(line);
        let said = format!("{}{}", finished.stdout_text(), finished.stderr);
        assert_eq!(finished.status.code(), Some(2), "tributary {line} must exit with 2\n{said}");
        crate::database::assert_same(&before, &self.access().dump(), line);
        said
    }

    /// Writes a file of this test and gives its name.
    pub(crate) fn write(&self, stem: &str, ending: &str, content: &str) -> String {
        self.write_bytes(stem, ending, content.as_bytes())
    }

    /// Writes a file that need not be text and gives its name.
    pub(crate) fn write_bytes(&self, stem: &str, ending: &str, content: &[u8]) -> String {
        self.files.set(self.files.get() + 1);
        let name = format!("{stem}-{}.{ending}", self.files.get());
        std::fs::write(self.path(&name), content).expect("a file can be written");
        name
    }

    /// Records a programme that holds from the beginning.
    pub(crate) fn apply(&self, programme: &str) {
        let file = self.write("program", "toml", programme);
        self.ok(&format!("program apply {file} --from 2000-01-01"));
    }

    /// Imports rows of one kind, given as CSV text.
    pub(crate) fn import(&self, kind: &str, rows: &str) {
        let file = self.write(kind, "csv", &trimmed(rows));
        self.ok(&format!("import {kind} {file}"));
    }

    /// The settlements that making a programme's periods final prints.
    pub(crate) fn settle(&self, program: &str, through: &str) -> Value {
        self.json(&format!("settle --program {program} --through {through} --json"))
    }

    /// Verifies the books; what `finish` asserts.
    pub(crate) fn assert_verified(&self) {
        let finished = self.run("verify --json");
        assert_eq!(finished.status.code(), Some(0), "the books do not verify\n{}{}", finished.stdout_text(), finished.stderr);
    }

    pub(crate) fn finish(self) {
        self.assert_verified();
    }
}

fn succeeded(line: &str, finished: Finished) -> Finished {
    assert_eq!(finished.status.code(), Some(0), "tributary {line} must succeed\n{}{}", finished.stdout_text(), finished.stderr);
    finished
}

/// Rows may be indented in the tests for their readers.
fn trimmed(rows: &str) -> String {
    rows.lines().map(str::trim).filter(|row| !row.is_empty()).fold(String::new(), |text, row| text + row + "\n")
}
