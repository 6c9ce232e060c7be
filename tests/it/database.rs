//! The database behind the application's back: to look at it whole, and to break it on purpose.

use std::fmt;
use std::sync::LazyLock;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::runtime::Runtime;

/// Connections outlive single tests, so one runtime serves them all.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made"));

/// One connection to one database.
pub(crate) struct Access {
    connection: DatabaseConnection,
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Access").finish_non_exhaustive()
    }
}

/// A connection that lingers would be in the way of whoever moves the file.
impl Drop for Access {
    fn drop(&mut self) {
        let _ = RUNTIME.block_on(self.connection.clone().close());
    }
}

impl Access {
    pub(crate) fn open(url: &str) -> Self {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let connection = RUNTIME.block_on(Database::connect(options)).unwrap_or_else(|error| panic!("cannot open {url}: {error}"));
        Self { connection }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.connection.get_database_backend() == DbBackend::Sqlite
    }

    pub(crate) fn try_execute(&self, sql: &str) -> Result<u64, DbErr> {
        RUNTIME.block_on(self.connection.execute_unprepared(sql)).map(|result| result.rows_affected())
    }

    /// Runs one statement and says how many rows it changed.
    pub(crate) fn execute(&self, sql: &str) -> u64 {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The rows of a query with one column of text.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let rows = RUNTIME.block_on(self.connection.query_all_raw(statement)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error}"))).collect()
    }

    /// The one integer that a query gives.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = RUNTIME.block_on(self.connection.query_one_raw(statement)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.and_then(|row| row.try_get_by_index(0).ok()).unwrap_or_else(|| panic!("{sql} gives one integer"))
    }

    pub(crate) fn tables(&self) -> Vec<String> {
        self.texts(if self.is_sqlite() {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        } else {
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
        })
    }

    pub(crate) fn columns(&self, table: &str) -> Vec<String> {
        self.texts(&if self.is_sqlite() {
            format!("SELECT '\"' || name || '\"' FROM pragma_table_info('{table}') ORDER BY cid")
        } else {
            format!("SELECT quote_ident(column_name)::text FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position")
        })
    }

    /// Lets `work` write what triggers and references refuse, and puts these back.
    pub(crate) fn behind_the_triggers(&self, work: impl FnOnce(&Self)) {
        if self.is_sqlite() {
            let triggers = self.texts("SELECT sql FROM sqlite_master WHERE type = 'trigger'");
            for name in self.texts("SELECT name FROM sqlite_master WHERE type = 'trigger'") {
                self.execute(&format!("DROP TRIGGER {name}"));
            }
            self.execute("PRAGMA foreign_keys = OFF");
            work(self);
            for trigger in triggers {
                self.execute(&trigger);
            }
        } else {
            self.execute("SET session_replication_role = replica");
            work(self);
            self.execute("SET session_replication_role = DEFAULT");
        }
    }

    /// Every row of every table as text, sorted: equal dumps are equal databases.
    pub(crate) fn dump(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in self.tables() {
            let all = if self.is_sqlite() {
                format!("SELECT json_array({}) FROM {table} ORDER BY 1", self.columns(&table).join(", "))
            } else {
                format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            };
            rows.extend(self.texts(&all).into_iter().map(|row| format!("{table} {row}")));
        }
        rows
    }
}

/// Fails with the first row that is in one dump only.
pub(crate) fn assert_same(before: &[String], after: &[String], what: &str) {
    let gone = before.iter().find(|row| !after.contains(row));
    let new = after.iter().find(|row| !before.contains(row));
    assert!(before == after, "{what} changed the database\n  gone: {gone:?}\n  new:  {new:?}");
}
