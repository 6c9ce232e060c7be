//! What the tests' workflows act on: the table `effects`, and a double of the outside world with a ledger of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use durable::clock::ManualClock;
use durable::runs::{self, RunView};
use durable::{Context, Database, Engine, IdempotencyKey, Instant, Interrupt, Options, Outcome, Registry, RunId, StepError, TxStep, Workflow};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use crate::support::{Kind, TestDatabase};

/// The first instant of the tests' clocks.
pub(crate) const START: Instant = Instant(1_790_000_000_000_000);

/// A database with an engine's options.
pub(crate) struct Place {
    pub(crate) test: TestDatabase,
    pub(crate) clock: Arc<ManualClock>,
}

impl Place {
    pub(crate) async fn new(kind: Kind) -> Self {
        Self { test: TestDatabase::create(kind).await, clock: Arc::new(ManualClock::at(START)) }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.test.database
    }

    pub(crate) fn options(&self) -> Options {
        Options { clock: self.clock.clone(), seed: 1, ..Options::new("node") }
    }

    pub(crate) async fn engine(&self, registry: Registry) -> Engine {
        Engine::open(self.database().clone(), registry, self.options()).await.unwrap()
    }

    pub(crate) async fn show(&self, run: &RunId) -> RunView {
        runs::show(self.database().read(), run).await.unwrap()
    }

    pub(crate) async fn status(&self, run: &RunId) -> String {
        self.show(run).await.run.status.to_string()
    }

    /// Commits what `work` does in a transaction.
    pub(crate) async fn tx<T, E: std::fmt::Debug>(&self, work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>) -> T {
        let tx = self.database().begin_write().await.unwrap();
        let out = work(&tx).await.unwrap();
        tx.commit().await.unwrap();
        out
    }

    /// Whether the rules of the engine's tables hold.
    pub(crate) async fn assert_sound(&self) {
        let findings = durable::verify::verify(self.database().read(), START).await.unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
    }

    pub(crate) async fn effects(&self) -> Vec<String> {
        effects(self.database()).await
    }

    pub(crate) async fn execute(&self, text: &str) {
        self.database().write().execute_unprepared(text).await.unwrap();
    }
}

pub(crate) fn statement(backend: DbBackend, text: &str, values: Vec<Value>) -> Statement {
    let mut numbered = String::new();
    for (index, piece) in text.split('?').enumerate() {
        if index > 0 {
            numbered.push_str(&if backend == DbBackend::Postgres { format!("${index}") } else { "?".to_owned() });
        }
        numbered.push_str(piece);
    }
    Statement::from_sql_and_values(backend, numbered, values)
}

/// The effects by key and name, with how often each happened.
pub(crate) async fn effects(database: &Database) -> Vec<String> {
    let text = "SELECT run || ' ' || name || ' ' || CAST(n AS TEXT) FROM effects ORDER BY 1";
    let rows = database.read().query_all_raw(statement(database.backend(), text, vec![])).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// A step that adds a row to `effects`.
#[derive(Debug, Clone)]
pub(crate) struct Add {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) n: i64,
}

impl Add {
    pub(crate) fn new(key: &str, name: &str, n: i64) -> Self {
        Self { key: key.into(), name: name.into(), n }
    }
}

impl TxStep<DatabaseTransaction> for Add {
    type Out = i64;

    async fn run(&self, tx: &DatabaseTransaction) -> Result<i64, StepError> {
        let text = "INSERT INTO effects (run, name, n) VALUES (?, ?, ?)";
        let values = vec![self.key.as_str().into(), self.name.as_str().into(), self.n.into()];
        tx.execute_raw(statement(tx.get_database_backend(), text, values)).await?;
        Ok(self.n)
    }
}

/// A step that removes rows from `effects`; it bears that there are none.
#[derive(Debug, Clone)]
pub(crate) struct Remove {
    pub(crate) key: String,
    pub(crate) name: String,
}

impl Remove {
    pub(crate) fn new(key: &str, name: &str) -> Self {
        Self { key: key.into(), name: name.into() }
    }
}

impl TxStep<DatabaseTransaction> for Remove {
    type Out = ();

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(), StepError> {
        let text = "DELETE FROM effects WHERE run = ? AND name = ?";
        tx.execute_raw(statement(tx.get_database_backend(), text, vec![self.key.as_str().into(), self.name.as_str().into()])).await?;
        Ok(())
    }
}

/// The outside world: it does a thing once per idempotency key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outside(Arc<Mutex<BTreeMap<String, (String, usize)>>>);

impl Outside {
    pub(crate) fn call(&self, what: &str, key: &IdempotencyKey) -> Result<Outcome<String>, StepError> {
        let mut ledger = self.0.lock().unwrap();
        let entry = ledger.entry(key.to_string()).or_insert_with(|| (what.to_owned(), 0));
        if entry.0 != what {
            return Err(StepError::fail(format!("one key for {} and {what}", entry.0)));
        }
        entry.1 += 1;
        Ok(Outcome::Known(format!("done {what}")))
    }

    /// What was done, each as often as it was done under different keys.
    pub(crate) fn done(&self) -> Vec<String> {
        let mut done: Vec<String> = self.0.lock().unwrap().values().map(|(what, _)| what.clone()).collect();
        done.sort();
        done
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().values().map(|(_, calls)| calls).sum()
    }
}

/// Steps by name, in order: the smallest workflow, whose list can be changed while runs are in flight.
pub(crate) struct Listed(pub(crate) Vec<&'static str>);

impl Workflow for Listed {
    const NAME: &'static str = "listed";
    type Input = i64;
    type Output = i64;

    async fn run<C: Context<Tx = DatabaseTransaction>>(&self, ctx: &C, input: i64) -> Result<i64, Interrupt> {
        let mut sum = input;
        for name in &self.0 {
            match name.strip_prefix("signal ") {
                Some(signal) => sum += ctx.signal::<i64>(signal, None).await?.unwrap_or(0),
                None => sum += ctx.tx_step(name, Add::new(ctx.key(), name, 1)).await?,
            }
        }
        Ok(sum)
    }
}
