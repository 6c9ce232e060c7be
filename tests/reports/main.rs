//! Reports that people and other programs read: explanations, wallets, journals, accruals; on SQLite and on PostgreSQL.

#[cfg(test)]
#[macro_use]
#[path = "../it/app.rs"]
#[allow(dead_code, reason = "shared with the tests in `it`, which use all of it")]
mod app;
#[cfg(test)]
#[path = "../it/database.rs"]
#[allow(dead_code, reason = "shared with the tests in `it`, which use all of it")]
mod database;
#[cfg(test)]
#[path = "../it/postgres.rs"]
#[allow(dead_code, reason = "shared with the tests in `it`, which use all of it")]
mod postgres;
#[cfg(test)]
#[path = "../it/process.rs"]
#[allow(dead_code, reason = "shared with the tests in `it`, which use all of it")]
mod process;

#[cfg(test)]
mod accruals;
#[cfg(test)]
mod explanations;
#[cfg(test)]
mod journals;
#[cfg(test)]
mod unbooked;
#[cfg(test)]
mod wallets;
#[cfg(test)]
mod world;
#[cfg(test)]
mod worlds;
