//! A programme with a partner, and a service beside it.

use std::process::Command;
use std::sync::LazyLock;

use books::connection::Books;
use books::facts::{Answer, Message, parked, receive};
use program::calendar::Instant;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::app::{App, Engine};
use crate::sender::{FACTS_SECRET, STRIPE_SECRET};
use crate::serving::{self, Serving};
use crate::{ports, wait};

pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made"));

/// 10 % in everybody's tier from January 2026 on; a spiff on items under new logos.
const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "10%"

[[rules]]
id = "new-logo"
kind = "spiff"
rate = "3%"
when = "new_logo and product == \"Suite\""
from = 2026-01-01

[settlement]
first_period = "2026-01"
"#;

/// Books with the programme and people, and nothing else.
pub(crate) fn begun(app: &App) {
    app.apply(PROGRAMME);
    for (id, role) in [("op", "ops"), ("ap", "approver")] {
        app.ok(&format!("user add --id {id} --email {id}@example.com --role {role}"));
    }
}

/// A service on the books of an app.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) port: u16,
    serving: Option<Serving>,
}

impl World {
    pub(crate) fn start(engine: Engine) -> Self {
        let app = App::fresh(engine);
        begun(&app);
        let port = ports::free();
        let serving = Some(serve(&app, port));
        Self { app, port, serving }
    }

    /// Waits for a number in the books.
    pub(crate) fn until(&self, what: &str, query: &str, number: i64) {
        let access = self.app.access();
        wait::until(
            what,
            wait::LONG,
            || (access.number(query) == number).then_some(()),
            || {
                let events = access.texts(
                    "SELECT source || '/' || event || ' ' || what || ' ' || state || ' ' || COALESCE(reason, '') FROM fact_events ORDER BY no",
                );
                format!("{}\n{}", events.join("\n"), serving::tail(&self.app.path("serve.log")))
            },
        );
    }

    pub(crate) fn count(&self, rows: &str) -> i64 {
        self.app.access().number(&format!("SELECT COUNT(*) FROM {rows}"))
    }

    /// SIGKILL, and another service on the same port.
    pub(crate) fn kill_and_restart(&mut self) {
        self.serving.take().expect("it runs").kill();
        self.serving = Some(serve(&self.app, self.port));
    }

    /// Stops the service and verifies the books.
    pub(crate) fn end(self) {
        self.serving.expect("it runs").stop();
        self.app.finish();
    }
}

pub(crate) fn serve(app: &App, port: u16) -> Serving {
    serve_with(app, port, "true")
}

/// With events of Stripe's test mode, or without.
pub(crate) fn serve_with(app: &App, port: u16, test_mode: &str) -> Serving {
    Serving::start(&mut serving(app, port, test_mode), &app.path("serve.log"))
}

/// A service that holds what it works at for so long only.
pub(crate) fn serve_with_lease(app: &App, port: u16, lease: &str) -> Serving {
    let mut command = serving(app, port, "true");
    command.env("TRIBUTARY_WORKFLOWS__LEASE", lease);
    Serving::start(&mut command, &app.path("serve.log"))
}

/// A service that may not let its file grow.
pub(crate) fn serve_within_its_file(app: &App, port: u16) -> Serving {
    let mut command = serving(app, port, "true");
    command.env("TRIBUTARY_DATABASE_URL", format!("{}?max_page_count=1", app.url()));
    Serving::start(&mut command, &app.path("serve.log"))
}

fn serving(app: &App, port: u16, test_mode: &str) -> Command {
    let mut command = app.command("serve");
    command
        .env("TRIBUTARY_CLOCK__START", "2026-06-01T00:00:00Z")
        .env("TRIBUTARY_SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("TRIBUTARY_WEBHOOKS__FACTS_SECRET", FACTS_SECRET)
        .env("TRIBUTARY_WEBHOOKS__STRIPE_SECRET", STRIPE_SECRET)
        .env("TRIBUTARY_WEBHOOKS__STRIPE_TEST_MODE", test_mode)
        .env("NO_COLOR", "1");
    command
}

fn now() -> Instant {
    "2026-06-01T00:00:00Z".parse().expect("an instant")
}

/// Tells messages in an order to the books themselves, each twice; a look at what waits after every `looks_every`th, and at the end.
pub(crate) fn tell(app: &App, messages: &[Message], looks_every: usize) {
    RUNTIME.block_on(async {
        let books = Books::open(&app.url()).await.expect("the database opens");
        for (index, message) in messages.iter().enumerate() {
            let answers: [Answer; 2] =
                [receive(&books, message, now()).await.expect("it is taken"), receive(&books, message, now()).await.expect("it is taken again")];
            assert_eq!(answers[0], answers[1], "{message:?}: a repeat is answered as the first time");
            if (index + 1) % looks_every == 0 {
                parked::retry_due(&books, 100, now()).await.expect("what waits is tried again");
            }
        }
        parked::retry_due(&books, 100, now()).await.expect("what waits is tried again");
        close(books).await;
    });
}

pub(crate) async fn close(books: Books) {
    books.write().clone().close().await.expect("the database closes");
    books.read().clone().close().await.expect("the database closes");
}

/// What is recorded, without when and in which order it was.
pub(crate) fn facts(app: &App) -> Vec<String> {
    let tables = ["partners", "memberships", "customers", "deals", "invoices", "invoice_items", "credits", "refunds", "adjustments", "metrics"];
    let access = app.access();
    let mut found = Vec::new();
    for table in tables {
        let columns = access.columns(table).into_iter().filter(|column| !["seq", "filled", "revision"].contains(&column.trim_matches('"')));
        let cells: Vec<String> = columns.map(|column| format!("COALESCE(CAST({column} AS TEXT), '-')")).collect();
        found.extend(access.texts(&format!("SELECT '{table} ' || {} FROM {table} ORDER BY 1", cells.join(" || ' ' || "))));
    }
    found
}

/// The settlements of a month.
pub(crate) fn settled(app: &App, month: &str) -> Value {
    app.settle("p", month)
}

pub(crate) fn parked_now(app: &App) -> Value {
    app.json("facts parked --json")["parked"].clone()
}
