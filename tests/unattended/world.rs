//! A service with all that it needs: books on one of the databases, a payment provider and a mail server in processes of their own.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use books::connection::Books;
use books::payouts::destinations::{self, New};
use books::users::{self, User};
use program::calendar::Instant;
use program::payout::Destination;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::app::{App, Engine};
use crate::database::Access;
use crate::facts::Facts;
use crate::provider::{CALLBACK_SECRET, Double, SECRET};
use crate::serving::{self, Serving};
use crate::smtp::Server;
use crate::{ports, wait};

pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made"));

/// When everything was known that the service needs.
pub(crate) const BEFORE: &str = "2026-01-02T00:00:00Z";
/// Settles on the first of each month at six.
pub(crate) const MONTHLY: &str = "schedule = \"0 0 6 1 * *\"";

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) facts: Facts,
    pub(crate) provider: Double,
    pub(crate) mail: Server,
    pub(crate) books: Access,
    /// Where the first service listens, to whom the provider speaks.
    pub(crate) port: u16,
    /// What is configured otherwise.
    settings: Vec<(&'static str, String)>,
}

/// Books with facts, people and destinations; nothing is settled, and no service has seen them.
pub(crate) fn recorded(engine: Engine, facts: Facts, settlement: &str) -> App {
    let app = App::fresh(engine);
    record(&app, facts, settlement);
    destine(&app, facts);
    app
}

/// Facts by command.
pub(crate) fn record(app: &App, facts: Facts, settlement: &str) {
    app.apply(&facts.programme(settlement));
    record_members(app, facts);
}

/// Members and what they sold, of a programme that is there.
pub(crate) fn record_members(app: &App, facts: Facts) {
    app.import("partners", &facts.partner_rows());
    app.import("customers", "id,name\nc1,Customer");
    app.import("invoices", &facts.invoice_rows());
}

/// People, and an approved destination for each partner; by the library, since they are many.
pub(crate) fn destine(app: &App, facts: Facts) {
    let now: Instant = BEFORE.parse().expect("an instant");
    RUNTIME.block_on(async {
        let books = Books::open(&app.url()).await.expect("the database opens");
        let tx = books.begin_write().await.expect("a transaction begins");
        for (id, role) in [("fin", "finance"), ("op", "ops")] {
            let (name, email) = (id.to_owned(), format!("{id}@example.com"));
            let user = User { id: id.into(), email, name, partner: None, roles: vec![role.into()], disabled: None };
            users::add(&tx, &user, now).await.expect("a person is added");
        }
        for (_, name) in facts.names() {
            let destination = Destination::token(&name, &format!("token-of-{name}")).expect("a destination");
            let id = format!("dst_{name}");
            let new = New { id: &id, partner: &name, currency: "USD".parse().expect("a currency"), destination: &destination };
            destinations::add(&tx, new, "op", now).await.expect("a destination is added");
            destinations::approve(&tx, &id, "fin", 0, now).await.expect("a destination is approved");
        }
        tx.commit().await.expect("a transaction is committed");
        books::audit::seal::seal_all(&books, now).await.expect("the audit log is sealed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
    });
}

/// What a service's first start does: the books get their identity.
pub(crate) fn identify(app: &App) {
    RUNTIME.block_on(async {
        let books = Books::open(&app.url()).await.expect("the database opens");
        let tx = books.begin_write().await.expect("a transaction begins");
        books::instance::begin(&tx, "dbi_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", BEFORE.parse().expect("an instant")).await.expect("an identity");
        tx.commit().await.expect("a transaction is committed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
    });
}

impl World {
    /// Around books that are there, with a provider that does what `modes` say.
    pub(crate) fn around(app: App, facts: Facts, modes: &[&str]) -> Self {
        let port = ports::free();
        let callback = format!("http://127.0.0.1:{port}/webhooks/payouts");
        let provider = Double::start_with(modes, &["--callback", &callback, "--late-ms", "300"]);
        let books = app.access();
        Self { app, facts, provider, mail: Server::plain(), books, port, settings: Vec::new() }
    }

    pub(crate) fn fresh(engine: Engine, facts: Facts, modes: &[&str]) -> Self {
        Self::around(recorded(engine, facts, MONTHLY), facts, modes)
    }

    /// Configures it otherwise, for every service that is started from now on.
    pub(crate) fn set(&mut self, key: &'static str, value: &str) {
        self.settings.push((key, value.to_owned()));
    }

    /// A statement that is set quickly; its look is another test's.
    pub(crate) fn set_plain_statements(&mut self) {
        std::fs::write(self.app.path("plain.typ"), "= Statement\n").expect("a file can be written");
        if cfg!(feature = "pdf") {
            self.set("TRIBUTARY_STATEMENTS__TEMPLATE", "plain.typ");
        }
    }

    /// Starts the service with its clock at an instant.
    pub(crate) fn serve(&self, clock: &str) -> Serving {
        self.serve_on(self.port, clock)
    }

    /// Starts another one.
    pub(crate) fn serve_on(&self, port: u16, clock: &str) -> Serving {
        let mut command = self.command("serve", clock);
        command.env("TRIBUTARY_SERVER__LISTEN", format!("127.0.0.1:{port}"));
        Serving::start(&mut command, &self.log())
    }

    /// Starts the first one, and does not wait until it listens.
    pub(crate) fn begin_serving(&self, clock: &str) -> Serving {
        let mut command = self.command("serve", clock);
        command.env("TRIBUTARY_SERVER__LISTEN", format!("127.0.0.1:{}", self.port));
        Serving::begin(&mut command, &self.log())
    }

    /// A command with the configuration of the service, at an instant.
    pub(crate) fn command(&self, line: &str, clock: &str) -> std::process::Command {
        let smtp = self.mail.settings();
        let mut command = self.app.command(line);
        command
            .env("TRIBUTARY_CLOCK__START", clock)
            .env("TRIBUTARY_LOG", "warn,tributary=info,durable=info")
            .env("NO_COLOR", "1")
            .env("TRIBUTARY_PAYOUTS__ADAPTER", "webhook")
            .env("TRIBUTARY_PAYOUTS__URL", self.provider.url())
            .env("TRIBUTARY_PAYOUTS__ALLOW_LOOPBACK", "true")
            .env("TRIBUTARY_PAYOUTS__SECRET", SECRET)
            .env("TRIBUTARY_PAYOUTS__TIMEOUT", "2s")
            .env("TRIBUTARY_PAYOUTS__POLL_EVERY", "2s")
            .env("TRIBUTARY_WEBHOOKS__PAYOUTS_SECRET", CALLBACK_SECRET)
            .env("TRIBUTARY_MAIL__TRANSPORT", "smtp")
            .env("TRIBUTARY_MAIL__HOST", smtp.host)
            .env("TRIBUTARY_MAIL__PORT", smtp.port.to_string())
            .env("TRIBUTARY_MAIL__TLS", "none")
            .env("TRIBUTARY_MAIL__FROM", "Finance <finance@example.com>");
        for (key, value) in &self.settings {
            command.env(key, value);
        }
        command
    }

    /// The same world around other books.
    pub(crate) fn instead(self, app: App) -> Self {
        let books = app.access();
        Self { app, books, ..self }
    }

    /// Starts the service at an instant, so that it knows its schedules, and stops it.
    pub(crate) fn know_schedules(&self, clock: &str) {
        self.serve(clock).stop();
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.app.path("serve.log")
    }

    /// Waits for something in the books.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Access) -> bool) {
        // Long forms have thousands of payouts.
        let limit = wait::LONG + Duration::from_millis(200) * self.facts.partners;
        self.until_some(what, limit, || is_so(&self.books).then_some(()));
    }

    pub(crate) fn until_some<T>(&self, what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
        wait::until(what, limit, look, || self.told())
    }

    /// What its books and the service say, for who has to find out why a test failed.
    fn told(&self) -> String {
        let runs = "SELECT workflow || ' ' || key || ' ' || status || ' ' || COALESCE(waiting_for, '') || ' ' || COALESCE(error, '') FROM workflow_runs \
                    WHERE finished_at IS NULL OR status <> 'done'";
        let payouts = "SELECT id || ' ' || reference || ' ' || status || ' ' || COALESCE(reason, '') FROM payouts WHERE status <> 'paid'";
        let letters = "SELECT key || ' ' || status || ' ' || COALESCE(error, '') FROM outbox WHERE status <> 'sent'";
        let said: Vec<String> = [runs, payouts, letters].iter().flat_map(|query| self.books.texts(query)).collect();
        format!("{}\n{}", said.join("\n"), serving::tail(&self.log()))
    }

    /// What an operator does with runs that are parked because their worker died again and again before it got anywhere; how many there
    /// were. A run that is parked for any other reason fails the test.
    pub(crate) fn retry_worn_out(&self) -> u64 {
        let parked = self.books.texts("SELECT id || '|' || COALESCE(error, '') FROM workflow_runs WHERE status IN ('parked', 'needs_review')");
        for row in &parked {
            let (run, reason) = row.split_once('|').expect("two parts");
            assert!(reason.contains("made no progress"), "{row}");
            self.retry(run, "well-again");
        }
        u64::try_from(parked.len()).expect("a count")
    }

    /// Retries a run as an operator.
    pub(crate) fn retry(&self, run: &str, reason: &str) {
        // It is ready at the command's time, which must not be ahead of the service's.
        self.ok_at(BEFORE, &format!("workflow retry {run} --by op --reason {reason}"));
    }

    pub(crate) fn count(&self, rows: &str) -> i64 {
        self.books.number(&format!("SELECT COUNT(*) FROM {rows}"))
    }

    /// The provider's own books, as they are on its disk.
    pub(crate) fn provider_journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.provider.journal()).expect("the provider's journal can be read");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The same command at another time.
    pub(crate) fn ok_at(&self, clock: &str, line: &str) -> crate::process::Finished {
        let finished = crate::process::run(self.app.command(line).env("TRIBUTARY_CLOCK__START", clock));
        assert_eq!(finished.status.code(), Some(0), "tributary {line}\n{}{}", finished.stdout_text(), finished.stderr);
        finished
    }
}
