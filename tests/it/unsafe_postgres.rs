//! PostgreSQL that may lose what it has acknowledged is refused, each setting by its name (reliability.md §3.12).

use std::process::Command;

use crate::app::{App, Engine};
use crate::database::Access;
use crate::postgres::Keeper;
use crate::process;

fn refused(url: &str, setting: &str) {
    let done = process::run(Command::new(env!("CARGO_BIN_EXE_tributary")).args(["--database", url, "settlement", "list"]));
    assert_ne!(done.status.code(), Some(0), "{setting}");
    assert!(done.stderr.contains(setting) && done.stderr.contains("is off"), "{setting}: {}", done.stderr);
}

#[test]
fn without_synchronous_commit() {
    let app = App::fresh(Engine::Postgres);
    let name = app.access().texts("SELECT current_database()::text").remove(0);
    app.access().execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    refused(&app.url(), "synchronous_commit");
    app.access().execute(&format!("ALTER DATABASE {name} SET synchronous_commit = 'local'"));
    app.ok("settlement list");
}

#[test]
fn without_full_page_writes_or_fsync() {
    for (setting, options) in [("full_page_writes", "-c full_page_writes=off"), ("fsync", "-c fsync=off")] {
        let server = Keeper::start(options).expect("a server");
        let url = server.url("postgres");
        assert_eq!(Access::open(&url).texts(&format!("SELECT current_setting('{setting}')")), ["off"]);
        refused(&url, setting);
    }
}
