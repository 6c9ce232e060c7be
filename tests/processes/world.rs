//! Worlds for the engine's test kit: copies of one database that the binary made.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use books::connection::Books;
use books::load::row::rows;
use books::settlement::SettleError;
use books::settlement::run::{self, Parked};
use durable::clock::ManualClock;
use durable::host::run_until_idle;
use durable::kit::{KitError, Theatre, World};
use durable::runs::{self, RunView};
use durable::{Clock, Database, Engine, Instant, Options, Registry, RunId, Workflow};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::Period;
use program::line::Text;
use tempfile::TempDir;
use workflows::ports::Partners;
use workflows::{CertificationNotices, LotExpiry, PayoutRun, Recertification, SettlementRun};

use crate::provider::{Mood, Provider};

/// The moment at which everything here happens.
pub(crate) const NOW: &str = "2026-05-02T12:00:00Z";

const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Programme"
currency = "USD"
timezone = "UTC"
[[tiers]]
id = "silver"
name = "Silver"
threshold = "0"
rate = "8%"
[[tiers]]
id = "gold"
name = "Gold"
threshold = "5k"
rate = "12%"
coop_rate = "2%"
[coop]
expires_after_months = 1
[settlement]
first_period = "2026-03"
minimum_payout = "50.00"
[mdf]
cost_share = "50%"
[[mdf.approvals]]
role = "channel_manager"
within = "48h"
remind_every = "30h"
escalate_to = "channel_chief"
[[mdf.approvals]]
role = "finance"
within = "48h"
"#;

const FACTS: [(&str, &str); 4] = [
    (
        "partners",
        "id,name,email,program,tier,tier_since\nacme,Acme,pay@acme.example,p,gold,2026-01-01\nbeta,Beta,pay@beta.example,p,silver,2026-01-01\n\
         gamma,Gamma,pay@gamma.example,p,silver,2026-01-01\n",
    ),
    ("customers", "id,name,referred_by\nc1,One,acme\nc2,Two,beta\nc3,Three,gamma\n"),
    (
        "invoices",
        "id,customer,currency,subtotal,paid_at\ni0,c1,USD,9000.00,2026-03-10T00:00:00Z\ni1,c1,USD,1000.00,2026-04-10T00:00:00Z\n\
         i2,c2,USD,2000.00,2026-04-11T00:00:00Z\ni3,c3,USD,100.00,2026-04-11T00:00:00Z\n",
    ),
    ("certifications", "id,partner,certification,holder,issued_on,expires_on\ncert-1,acme,sales,jo,2026-01-01,2026-05-20\n"),
];

/// How far the database has come before the process begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Facts alone.
    Recorded,
    /// April is final.
    Settled,
}

/// A database as the binary left it, closed.
struct Made(TempDir);

impl Made {
    fn new(before: Before) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let run = |line: &str, start: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
            command.args(line.split_whitespace()).current_dir(directory.path()).env("TRIBUTARY_DATABASE_URL", "sqlite://books.db");
            let done = command.env("TRIBUTARY_CLOCK__START", start).env("TRIBUTARY_PAYOUTS__DESTINATION_COOLING_OFF", "1h").output();
            let done = done.expect("the binary can be run");
            assert!(done.status.success(), "tributary {line}\n{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).expect("text")
        };
        std::fs::write(directory.path().join("p.toml"), PROGRAMME).expect("a file can be written");
        run("program apply p.toml --from 2026-01-01", NOW);
        for (kind, text) in FACTS {
            std::fs::write(directory.path().join(format!("{kind}.csv")), text).expect("a file can be written");
            run(&format!("import {kind} {kind}.csv"), NOW);
        }
        for user in ["fin", "fin2"] {
            run(&format!("user add --id {user} --email {user}@vendor.example --role finance"), NOW);
        }
        for (user, rest) in [("sue", "--role partner --partner acme"), ("jo", "--role channel_manager"), ("chief", "--role channel_chief")] {
            run(&format!("user add --id {user} --email {user}@vendor.example {rest}"), NOW);
        }
        for partner in ["acme", "beta"] {
            let added = run(
                &format!("--json payout destination add --partner {partner} --currency USD --name {partner} --token tok_{partner} --by fin"),
                NOW,
            );
            let added: serde_json::Value = serde_json::from_str(&added).expect("one JSON document");
            run(&format!("payout destination approve {} --by fin2", added["id"].as_str().expect("an id")), NOW);
        }
        if before == Before::Settled {
            run("settle --program p --through 2026-04", NOW);
        }
        Self(directory)
    }
}

static RECORDED: LazyLock<Made> = LazyLock::new(|| Made::new(Before::Recorded));
static SETTLED: LazyLock<Made> = LazyLock::new(|| Made::new(Before::Settled));

/// Plays one process from a state of the books, with a provider in a mood.
pub(crate) struct Stage<W: Workflow> {
    pub(crate) before: Before,
    pub(crate) mood: Mood,
    pub(crate) key: String,
    pub(crate) input: fn() -> W::Input,
}

impl<W: Workflow> Theatre for Stage<W> {
    type World = Copy<W>;

    async fn fresh(&self) -> Result<Copy<W>, KitError> {
        let made = match self.before {
            Before::Recorded => &*RECORDED,
            Before::Settled => &*SETTLED,
        };
        let (directory, books) = opened(made).await?;
        let database = Database::new(books.write().clone(), books.read().clone());
        let now: program::calendar::Instant = NOW.parse().expect("an instant");
        let clock = Arc::new(ManualClock::at(Instant(now.0)));
        let provider = Arc::new(Provider::new(self.mood));
        Ok(Copy { _directory: directory, books, database, clock, provider, key: self.key.clone(), input: self.input })
    }
}

/// A copy of a database, open.
async fn opened(made: &Made) -> Result<(TempDir, Books), KitError> {
    let directory = tempfile::tempdir().map_err(|error| KitError::World(error.to_string()))?;
    let file = directory.path().join("books.db");
    copy(made.0.path(), &file);
    let books = Books::open(&format!("sqlite://{}", file.display())).await.map_err(|error| KitError::World(error.to_string()))?;
    Ok((directory, books))
}

/// A copy of the books when April was final.
pub(crate) async fn settled() -> Result<(TempDir, Books), KitError> {
    opened(&SETTLED).await
}

fn copy(from: &Path, to: &Path) {
    for ending in ["", "-wal"] {
        let from = from.join(format!("books.db{ending}"));
        if from.exists() {
            std::fs::copy(from, format!("{}{ending}", to.display())).expect("a database file can be copied");
        }
    }
}

pub(crate) struct Copy<W: Workflow> {
    _directory: TempDir,
    books: Books,
    database: Database,
    clock: Arc<ManualClock>,
    pub(crate) provider: Arc<Provider>,
    key: String,
    input: fn() -> W::Input,
}

impl<W: Workflow> Copy<W> {
    /// Plays the run for so long, or until it has ended.
    pub(crate) async fn play_for(&self, time: Duration) -> RunId {
        let options = Options { clock: self.clock.clone(), ..Options::new("play") };
        let engine = Engine::open(self.database.clone(), self.registry(), options).await.expect("an engine opens");
        let run = self.start().await.expect("a run starts");
        let end = self.clock.now().plus(time);
        loop {
            run_until_idle(&engine, 4).await.expect("runs are driven");
            match engine.next_due().await.expect("the database answers") {
                Some(due) if due <= end => self.clock.set(due),
                Some(_) | None => return run,
            }
        }
    }

    /// Lets time pass while nothing runs, and has a person retry the run.
    pub(crate) async fn retry_after(&self, time: Duration, run: &RunId) {
        self.clock.set(self.clock.now().plus(time));
        let tx = self.database.begin_write().await.expect("a transaction begins");
        durable::operate::retry(&tx, run, "op", "the cause is mended", self.clock.now()).await.expect("the run is retried");
        tx.commit().await.expect("a transaction is committed");
    }

    /// Pauses all payouts, or lets them go on, as a command does.
    pub(crate) async fn pause(&self, paused: bool) {
        let now = program::calendar::Instant(self.clock.now().0);
        let tx = self.books.begin_write().await.expect("a transaction begins");
        books::payouts::switch::set(&tx, paused, "fin", "drill", now).await.expect("the switch is set");
        if !paused {
            workflows::payout::look_again_at_paused(&tx, "resumed", now).await.expect("runs are woken");
        }
        tx.commit().await.expect("a transaction is committed");
    }

    /// Where a run stands.
    pub(crate) async fn status_of(&self, run: &RunId) -> String {
        runs::status(self.database.read(), run).await.expect("the run is there").to_string()
    }

    /// The payout's status and reason.
    pub(crate) async fn payout(&self) -> (String, String) {
        let tx = self.books.begin_read().await.expect("a snapshot");
        let found = rows(&tx, "SELECT status, reason FROM payouts", vec![]).await.expect("payouts can be read");
        let seen = found.first().map(|row| (row.string(0).expect("text"), row.string_or_null(1).expect("text").unwrap_or_default()));
        tx.rollback().await.expect("a snapshot ends");
        seen.expect("there is a payout")
    }
}

/// Partners without actors: what they are commanded to do, done.
struct Direct(Books, Arc<ManualClock>);

impl Partners for Direct {
    fn finish<'a>(&'a self, program: &'a str, period: Period, payees: Vec<Text>) -> BoxFuture<'a, Result<Vec<Parked>, SettleError>> {
        async move { run::finish_payees(&self.0, program, period, &payees, program::calendar::Instant(self.1.now().0)).await }.boxed()
    }
}

impl<W: Workflow> World for Copy<W> {
    fn database(&self) -> &Database {
        &self.database
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    fn registry(&self) -> Registry {
        let (books, clock) = (self.books.clone(), || -> Arc<dyn Clock> { self.clock.clone() });
        Registry::new()
            .with(SettlementRun { books: books.clone(), partners: Arc::new(Direct(books.clone(), self.clock.clone())), clock: clock() })
            .with(PayoutRun { books, provider: self.provider.clone(), limits: books::payouts::limits::Limits::default(), clock: clock() })
            .with(Recertification { clock: clock() })
            .with(LotExpiry { clock: clock() })
            .with(CertificationNotices { clock: clock() })
    }

    async fn start(&self) -> Result<RunId, KitError> {
        let tx = self.database.begin_write().await?;
        let started = runs::start_as::<W>(&tx, &self.key, &(self.input)(), self.clock.now()).await?;
        tx.commit().await?;
        Ok(started.run)
    }

    async fn effects(&self) -> Result<Vec<String>, KitError> {
        let mut lines = self.provider.books();
        // What a child run that nobody waits for has come to is left out: it goes on by itself.
        let is_settling = W::NAME == SettlementRun::NAME;
        let queries: &[&str] = &[
            "SELECT 'settlement ' || program || ' ' || partner || ' ' || period || ' ' || digest FROM settlements",
            "SELECT 'period ' || period || ' ' || stage FROM periods",
            "SELECT 'review ' || as_of || ' ' || partner || ' ' || outcome FROM review_results",
            "SELECT 'run ' || workflow || ' ' || key FROM workflow_runs",
            "SELECT 'draw ' || kind || ' ' || invoice || ' ' || amount_minor FROM lot_draws",
            "SELECT 'letter ' || body FROM outbox WHERE topic <> 'mail' OR (key NOT LIKE 'payout_%' AND key NOT LIKE 'statement/%')",
            // Of a payout's own letters the id is another in each world.
            "SELECT 'payout failed, told to ' || SUBSTR(key, 56) FROM outbox WHERE key LIKE 'payout_failed/%'",
        ];
        let of_payouts: &[&str] = &[
            "SELECT 'payout ' || partner || ' ' || amount_minor || ' ' || status || ' ' || COALESCE(reason, '') FROM payouts",
            "SELECT 'statement ' || key FROM outbox WHERE key LIKE 'statement/%'",
            "SELECT 'balance ' || account || ' ' || balance_minor FROM account_balances",
        ];
        let tx = self.books.begin_read().await?;
        for query in queries.iter().chain(if is_settling { &[] } else { of_payouts }) {
            for row in rows(&tx, query, vec![]).await.map_err(|error| KitError::World(error.to_string()))? {
                lines.push(row.string(0).map_err(|error| KitError::World(error.to_string()))?);
            }
        }
        tx.rollback().await?;
        if is_settling {
            lines.retain(|line| !line.starts_with("paid "));
        }
        lines.sort();
        Ok(lines)
    }

    fn output(&self, run: &RunView) -> serde_json::Value {
        let mut output = run.output.clone().unwrap_or_default();
        if let Some(output) = output.as_object_mut() {
            output.remove("payout");
        }
        output
    }

    /// A process here undoes nothing: whatever it did must be right as far as it went.
    async fn undone(&self, _run: &RunView) -> Result<Option<String>, KitError> {
        let now = program::calendar::Instant(self.clock.now().0);
        books::audit::seal::seal_all(&self.books, now).await.map_err(|error| KitError::World(error.to_string()))?;
        let report = books::verify::verify(&self.books, now).await.map_err(|error| KitError::World(error.to_string()))?;
        if !report.is_ok() {
            return Ok(Some(report.text()));
        }
        let paid = self.provider.books();
        let mut once = paid.clone();
        once.dedup();
        Ok((once.len() < paid.len()).then(|| format!("paid twice: {paid:?}")))
    }
}
