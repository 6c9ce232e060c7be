//! Databases for tests and benches: a SQLite file, and a private PostgreSQL server for this process with a database for each test.
//!
//! The server is kept by the script of the product's own tests: it ends when the pipe to this process closes.

#![allow(dead_code, reason = "each test binary and the bench use a part of it")]
#![allow(clippy::unwrap_used, clippy::zombie_processes, reason = "a bench without its database can only stop; the server ends with the pipe")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use durable::Database;
use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor, SqliteConnection};
use tokio::sync::OnceCell;

/// A database of a test's own.
pub(crate) struct TestDatabase {
    pub(crate) database: Database,
    url: String,
    connections: u32,
    _files: Option<tempfile::TempDir>,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl TestDatabase {
    /// A fresh one with the schema.
    pub(crate) async fn create(kind: Kind) -> Self {
        Self::create_with(kind, 16).await
    }

    pub(crate) async fn create_with(kind: Kind, connections: u32) -> Self {
        match kind {
            Kind::Sqlite => {
                let files = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/test.db", files.path().display());
                let database = sqlite(&url).await;
                Migrator::up(database.write(), None).await.unwrap();
                effects(database.write()).await;
                Self { database, url, connections, _files: Some(files) }
            }
            Kind::Postgres => {
                let server = SERVER.get_or_init(start).await;
                let name = format!("test_{}", server.databases.fetch_add(1, Ordering::Relaxed));
                let admin = postgres(&server.url("postgres"), 1).await;
                admin.write().execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await.unwrap();
                admin.write().clone().close().await.unwrap();
                let url = server.url(&name);
                Self { database: postgres(&url, connections).await, url, connections, _files: None }
            }
        }
    }

    /// The same SQLite database on a disk that can be full: its file does not grow then, by whichever connection it is written.
    pub(crate) async fn on(&self, disk: &Disk) -> Database {
        let (new, used) = (disk.clone(), disk.clone());
        let writer = one_writer().after_connect(move |connection, _| Box::pin(new.clone().allow(connection))).before_acquire(move |connection, _| {
            let disk = used.clone();
            Box::pin(async move { disk.allow(connection).await.map(|()| true) })
        });
        sqlite_by(&self.url, writer).await
    }

    /// The same database by connections of its own, as another process would have them.
    pub(crate) async fn again(&self) -> Database {
        open(&self.url, self.connections).await
    }
}

/// Opens an existing database.
pub(crate) async fn open(url: &str, connections: u32) -> Database {
    if url.starts_with("sqlite:") { sqlite(url).await } else { postgres(url, connections).await }
}

/// The table whose rows are the effects of steps.
pub(crate) async fn effects(write: &DatabaseConnection) {
    write.execute_unprepared("CREATE TABLE IF NOT EXISTS effects (run TEXT NOT NULL, name TEXT NOT NULL, n BIGINT NOT NULL)").await.unwrap();
}

/// A disk under SQLite.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<AtomicBool>);

impl Disk {
    pub(crate) fn set_full(&self, is_full: bool) {
        self.0.store(is_full, Ordering::SeqCst);
    }

    async fn allow(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let pages = if self.0.load(Ordering::SeqCst) { "PRAGMA max_page_count = 1" } else { "PRAGMA max_page_count = 1000000" };
        connection.execute(pages).await.map(|_| ())
    }
}

async fn sqlite(url: &str) -> Database {
    sqlite_by(url, one_writer()).await
}

fn one_writer() -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None).acquire_timeout(Duration::from_secs(30))
}

async fn sqlite_by(url: &str, writer: SqlitePoolOptions) -> Database {
    let options = SqliteConnectOptions::from_str(url)
        .unwrap()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(30))
        .disable_statement_logging();
    let write = writer.connect_with(options.clone()).await.unwrap();
    let read = SqlitePoolOptions::new().max_connections(4).connect_lazy_with(options.pragma("query_only", "ON"));
    Database::new(SqlxSqliteConnector::from_sqlx_sqlite_pool(write), SqlxSqliteConnector::from_sqlx_sqlite_pool(read))
}

async fn postgres(url: &str, connections: u32) -> Database {
    let options = PgConnectOptions::from_str(url).unwrap().disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(30)).connect_with(options).await.unwrap();
    let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Database::new(connection.clone(), connection)
}

const TEMPLATE: &str = "durable_template";

struct Server {
    directory: PathBuf,
    databases: AtomicU64,
    _open_while_the_server_is_needed: ChildStdin,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.directory.display())
    }
}

async fn start() -> Server {
    let directory = tempfile::Builder::new().prefix("pg-").tempdir().unwrap().keep();
    let mut keeper = Command::new("sh")
        .args(["-c", include_str!("../../../tests/it/postgres.sh"), "postgres"])
        .arg(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut word = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut word).unwrap();
    assert_eq!(word.trim(), "ready", "no PostgreSQL for the tests");
    let server = Server { directory, databases: AtomicU64::new(0), _open_while_the_server_is_needed: keeper.stdin.take().unwrap() };
    let admin = postgres(&server.url("postgres"), 1).await;
    admin.write().execute_unprepared(&format!("CREATE DATABASE {TEMPLATE}")).await.unwrap();
    let template = postgres(&server.url(TEMPLATE), 1).await;
    Migrator::up(template.write(), None).await.unwrap();
    effects(template.write()).await;
    for connection in [template, admin] {
        connection.write().clone().close().await.unwrap();
    }
    server
}
