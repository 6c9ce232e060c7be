//! The unattended part, from end to end: the shipped binary serves, and the payment provider and the mail server are others' processes
//! with books of their own. Whatever happens to the service, what those books say is what was owed, once, on SQLite and PostgreSQL.

#![cfg(test)]
#![allow(dead_code, unused_macros, reason = "some modules are those of the other end-to-end tests, which use more of them")]

#[path = "../it/app.rs"]
mod app;
#[path = "../edges/child.rs"]
mod child;
#[path = "../it/database.rs"]
mod database;
#[path = "../it/postgres.rs"]
mod postgres;
#[path = "../it/process.rs"]
mod process;
#[path = "../edges/provider.rs"]
mod provider;
#[path = "../it/seeded.rs"]
mod seeded;
#[path = "../edges/smtp.rs"]
mod smtp;

/// Makes `NAME::on_sqlite` and `NAME::on_postgres` of a function that takes an [`app::Engine`].
macro_rules! each_engine {
    ($($proof:ident),+ $(,)?) => {$(
        mod $proof {
            #[test]
            fn on_sqlite() {
                super::$proof($crate::app::Engine::Sqlite);
            }
            #[test]
            fn on_postgres() {
                super::$proof($crate::app::Engine::Postgres);
            }
        }
    )+};
}

mod approval_world;
mod browser;
mod claim_facts;
mod claim_outcome;
mod claim_world;
mod facts;
mod outcome;
mod ports;
mod serving;
mod shots;
mod visitor;
mod wait;
mod world;

mod approvals;
mod approvals_by_hand;
mod approvals_refused;
mod cancelled;
mod chromium;
mod claim_crash_points;
mod claim_kills;
mod claims;
mod crash_points;
mod decisions;
mod downtime;
mod faults;
mod held;
mod kills;
mod late_sends;
mod letters;
mod poisoned;
mod restored;
mod reviews;
mod served;
mod story;
mod two_services;
mod untaken;
mod webhooks;
mod withdrawals;
