//! End to end: every test here drives the shipped binary, on SQLite and on PostgreSQL.
//!
//! `app` is a fresh database with the binary beside it; `postgres` is the one private server of this process. Everything else is
//! named after what it proves.

#[cfg(test)]
#[macro_use]
mod app;
#[cfg(test)]
#[path = "../../program/tests/bank_file/checker.rs"]
mod bank_file_checker;
#[cfg(test)]
mod cancelled;
mod canonical;
#[cfg(test)]
mod database;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod json_difference;
#[cfg(test)]
mod library;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod process;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod seeded;

#[cfg(test)]
mod bank_files;
#[cfg(test)]
mod broken_bank_files;
#[cfg(test)]
mod broken_books;
#[cfg(test)]
mod broken_claims;
#[cfg(test)]
mod broken_payouts;
#[cfg(test)]
mod broken_runs;
#[cfg(test)]
mod claim_decisions;
#[cfg(test)]
mod claims;
mod claims_and_refunds;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod constraints;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod filled_later;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod hostile_input;
#[cfg(test)]
mod idempotence;
#[cfg(test)]
mod import_errors;
#[cfg(test)]
mod import_order;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod input_errors;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod late_facts;
#[cfg(test)]
mod payouts;
#[cfg(test)]
mod people;
#[cfg(test)]
mod printed;
#[cfg(test)]
mod reconciled;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod same_numbers;
#[cfg(test)]
mod script;
#[cfg(test)]
mod service_decides;
mod too_large;
mod unsafe_postgres;
#[cfg(test)]
mod voids;
#[cfg(test)]
mod withdrawals;
#[cfg(test)]
mod worlds;
