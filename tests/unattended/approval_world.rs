//! Claims in a world with a service: a programme with a route, people, money in a wallet, and names that would do harm if they could.

use std::process::Command;

use serde_json::Value;

use crate::app::{App, Engine};
use crate::database::Access;
use crate::facts::Facts;
use crate::process::{Finished, run};
use crate::serving::Serving;
use crate::world::World;

/// When claims are submitted.
pub(crate) const NOW: &str = "2027-01-15T12:00:00Z";
/// When the service starts: a command's time is never ahead of it.
pub(crate) const SERVED: &str = "2027-01-15T12:00:01Z";
/// After the deadline of what was submitted at [`NOW`].
pub(crate) const LATER: &str = "2027-01-18T12:00:00Z";
pub(crate) const SERVED_LATER: &str = "2027-01-18T12:00:01Z";

pub(crate) const HOSTILE_PARTNER: &str = "Acme <script>alert(1)</script> & \u{202E}Sons";
pub(crate) const HOSTILE_CAMPAIGN: &str = "Web\"><img src=x onerror=alert(2)>{{ 7*7 }}\u{2067}inar";
pub(crate) const HOSTILE_FILE: &str = "in\"voice <b onload=alert(3)>\u{202E}fdp.csv";

const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Claims"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "0"
rate = "12%"
coop_rate = "2%"

[settlement]
first_period = "2026-12"
minimum_payout = "50.00"

[mdf]
cost_share = "50%"

[[mdf.approvals]]
role = "channel_manager"
within = "48h"
escalate_to = "channel_chief"

[[mdf.approvals]]
role = "finance"
over = "10k"
within = "48h"
"#;

const PEOPLE: [(&str, &str); 9] = [
    ("sue", "--role partner --partner acme"),
    ("bob", "--role partner --partner beta"),
    ("pat", "--role partner --role channel_manager --partner acme"),
    ("jo", "--role channel_manager"),
    ("al", "--role channel_manager --role finance"),
    ("fi", "--role finance"),
    ("chief", "--role channel_chief"),
    ("op", "--role ops"),
    ("fin", "--role finance"),
];

/// Acme and Beta with 40,000.00 each, destinations and approved campaigns.
pub(crate) fn world(engine: Engine) -> World {
    let app = App::fresh(engine);
    app.apply(PROGRAMME);
    let quoted = HOSTILE_PARTNER.replace('"', "\"\"");
    app.import(
        "partners",
        &format!("id,name,email,program,tier,tier_since\nacme,\"{quoted}\",acme@example.com,p,gold,2026-01-01\nbeta,Beta,beta@example.com,p,gold,2026-01-01"),
    );
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at\nA1,c1,acme,USD,2000000.00,2026-12-10T10:00:00Z\nB1,c1,beta,USD,2000000.00,2026-12-11T10:00:00Z",
    );
    app.settle("p", "2026-12");
    let mut world = World::around(app, Facts { partners: 0, first: 12, last: 12 }, &["call-after"]);
    for (id, rest) in PEOPLE {
        world.ok_at("2027-01-02T09:00:00Z", &format!("user add --id {id} --email {id}@example.com {rest}"));
    }
    for partner in ["acme", "beta"] {
        let add = format!("payout destination add --partner {partner} --currency USD --name {partner} --token token-of-{partner} --by op --json");
        let added: Value = serde_json::from_slice(&world.ok_at("2027-01-03T09:00:00Z", &add).stdout).expect("JSON");
        let id = added["id"].as_str().expect("an id");
        world.ok_at("2027-01-04T09:00:00Z", &format!("payout destination approve {id} --by fin"));
    }
    for (id, partner, by, name) in [("webinar", "acme", "sue", HOSTILE_CAMPAIGN), ("expo", "beta", "bob", "Expo")] {
        let line = format!("mdf campaign add --id {id} --partner {partner} --budget 60000.00 --from 2027-01-01 --through 2027-03-31 --by {by}");
        succeeded(world.app.command(&line).args(["--name", name]));
        world.app.ok(&format!("mdf campaign approve {id} --by fin"));
    }
    let url = world.url();
    world.set("TRIBUTARY_SERVER__PUBLIC_URL", &url);
    world.set_plain_statements();
    world
}

fn succeeded(command: &mut Command) -> Finished {
    let finished = run(command);
    assert_eq!(finished.status.code(), Some(0), "{command:?}\n{}{}", finished.stdout_text(), finished.stderr);
    finished
}

impl World {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Submits a claim at an instant, for half of its receipts.
    pub(crate) fn submit_at(&self, clock: &str, id: &str, campaign: &str, receipts: &str, by: &str) {
        self.ok_at(clock, &format!("mdf claim submit --id {id} --campaign {campaign} --receipts {receipts} --by {by}"));
    }

    /// Submits one with a proof whose name would do harm.
    pub(crate) fn submit_with_proof(&self, id: &str, receipts: &str) {
        std::fs::write(self.app.path(HOSTILE_FILE), "what,amount\nroom,1\n").expect("a file can be written");
        let line = format!("mdf claim submit --id {id} --campaign webinar --receipts {receipts} --by sue");
        succeeded(self.app.command(&line).arg("--proof").arg(HOSTILE_FILE));
    }

    pub(crate) fn claim(&self, id: &str) -> Value {
        self.app.json(&format!("mdf claim show {id} --json"))
    }

    pub(crate) fn digest(&self, id: &str) -> String {
        self.claim(id)["digest"].as_str().expect("a digest").to_owned()
    }

    /// The step that waits, as the page names it; that of nothing where none does.
    pub(crate) fn step(&self, id: &str) -> String {
        let claim = self.claim(id);
        let waits = claim["steps"].as_array().expect("steps").iter().position(|step| step["status"] == "waiting");
        format!("{}.{}", claim["round"], waits.map_or(1, |place| place + 1))
    }

    /// Waits until every letter has left, every run waits for somebody and the audit log is sealed.
    pub(crate) fn until_quiet(&self) {
        self.until("everybody waits", |books| {
            let count = |rows: &str| books.number(&format!("SELECT COUNT(*) FROM {rows}"));
            count("outbox WHERE status IN ('pending', 'sending')") == 0
                && count("workflow_runs WHERE finished_at IS NULL AND status <> 'waiting'") == 0
                && count("audit_pending") == 0
        });
    }

    /// Waits until a step of a claim waits for a role and everybody has been told.
    pub(crate) fn until_asked(&self, claim: &str, role: &str) {
        let waits = format!(
            "SELECT COUNT(*) FROM claim_steps WHERE claim = '{claim}' AND status = 'waiting' \
             AND CASE WHEN escalated_at IS NULL THEN role ELSE escalate_to END = '{role}'"
        );
        let asked = format!("SELECT COUNT(*) FROM outbox WHERE key LIKE 'approval_asked/{claim}/%' AND status = 'sent'");
        self.until(&format!("{role} is asked about {claim}"), |books| books.number(&waits) == 1 && books.number(&asked) > 0);
        self.until_quiet();
    }

    /// Waits until the service has logged something so many times.
    pub(crate) fn until_logged(&self, text: &str, times: usize) {
        let log = self.log();
        self.until(&format!("the log says {text}"), |_| std::fs::read_to_string(&log).unwrap_or_default().matches(text).count() >= times);
    }

    /// Mails to a person, in order.
    pub(crate) fn mails_to(&self, person: &str) -> Vec<Value> {
        let to = serde_json::json!([format!("{person}@example.com")]);
        self.mail.journal().into_iter().filter(|mail| mail["to"] == to).collect()
    }

    /// Serves until everybody has been asked.
    pub(crate) fn serve_claims(&self, clock: &str) -> Serving {
        let serving = self.serve(clock);
        self.until_quiet();
        serving
    }
}

/// Every row but those that say that the service is alive.
pub(crate) fn everything(books: &Access) -> Vec<String> {
    books.dump().into_iter().filter(|row| !row.starts_with("engine_nodes ")).collect()
}

/// Every row about claims and money.
pub(crate) fn of_claims(books: &Access) -> Vec<String> {
    let tables = ["claim", "campaign", "wallet", "posting", "payout", "decision_events"];
    books.dump().into_iter().filter(|row| tables.iter().any(|table| row.starts_with(table))).collect()
}
