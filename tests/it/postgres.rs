//! One private PostgreSQL server for this test process, and a database of its own for each test.
//!
//! A small shell script keeps the server; it stops it and removes its files when the pipe to this process closes, so nothing is left
//! behind even by a panic or a kill. Durability settings stay on: the product refuses to run without them.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::database::Access;
use crate::process;

/// A database that every test's own is copied from: empty, with the schema that the binary makes.
const TEMPLATE: &str = "tributary_template";

struct Server {
    directory: PathBuf,
    admin: Access,
    databases: AtomicU64,
    _open_while_the_server_is_needed: ChildStdin,
}

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();

/// A database on the private server, dropped with this value.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// A fresh database with the current schema.
    pub(crate) fn create() -> Self {
        Self::from_template(TEMPLATE)
    }

    /// A copy of this one; nothing may be connected to it.
    pub(crate) fn copy(&self) -> Self {
        Self::from_template(&self.name)
    }

    fn from_template(template: &str) -> Self {
        let server = server();
        let name = format!("test_{}", server.databases.fetch_add(1, Ordering::Relaxed));
        server.admin.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        let url = url(&server.directory, &name);
        Self { name, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // A database that stays is removed with the server.
        if let Err(error) = server().admin.try_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            eprintln!("{} was not dropped: {error}", self.name);
        }
    }
}

fn server() -> &'static Server {
    match SERVER.get_or_init(start) {
        Ok(server) => server,
        Err(reason) => panic!("no PostgreSQL for the tests: {reason}"),
    }
}

fn url(directory: &Path, database: &str) -> String {
    format!("postgres://postgres@localhost/{database}?host={}", directory.display())
}

/// A server of its own; it ends with this value.
pub(crate) struct Keeper {
    directory: PathBuf,
    _open_while_the_server_is_needed: ChildStdin,
}

impl Keeper {
    /// Starts one; options of its command line come after those of all.
    pub(crate) fn start(options: &str) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("pg-").tempdir().map_err(|error| error.to_string())?.keep();
        let mut keeper = Command::new("sh")
            .args(["-c", include_str!("postgres.sh"), "postgres"])
            .arg(&directory)
            .arg(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut word = String::new();
        BufReader::new(keeper.stdout.take().ok_or("no pipe")?).read_line(&mut word).map_err(|error| error.to_string())?;
        if word.trim() != "ready" {
            return Err(word);
        }
        let pipe = keeper.stdin.take().ok_or("no pipe")?;
        Ok(Self { directory, _open_while_the_server_is_needed: pipe })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        url(&self.directory, database)
    }
}

fn start() -> Result<Server, String> {
    let Keeper { directory, _open_while_the_server_is_needed: pipe } = Keeper::start("")?;
    let admin = Access::open(&url(&directory, "postgres"));
    admin.execute(&format!("CREATE DATABASE {TEMPLATE}"));
    let migrated = process::run(Command::new(env!("CARGO_BIN_EXE_tributary")).args(["--database", &url(&directory, TEMPLATE), "settlement", "list"]));
    if !migrated.status.success() {
        return Err(format!("the binary could not make its schema: {}", migrated.stderr));
    }
    Ok(Server { directory, admin, databases: AtomicU64::new(0), _open_while_the_server_is_needed: pipe })
}
