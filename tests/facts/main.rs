//! Facts by webhook, from end to end: signed rows and Stripe's events reach the books of the shipped service once each, in any order, on
//! SQLite and PostgreSQL; and Stripe is one that others wrote, in a process of its own.

#![cfg(test)]
#![allow(dead_code, reason = "some modules are those of the other end-to-end tests, which use more of them")]

#[path = "../it/app.rs"]
#[macro_use]
mod app;
#[path = "../it/database.rs"]
mod database;
#[path = "../unattended/ports.rs"]
mod ports;
#[path = "../it/postgres.rs"]
mod postgres;
#[path = "../it/process.rs"]
mod process;
#[path = "../it/seeded.rs"]
mod seeded;
#[path = "../unattended/serving.rs"]
mod serving;
#[path = "../unattended/wait.rs"]
mod wait;

mod double;
mod sender;
mod told;
mod world;

mod broken;
mod full;
mod hostile;
mod late;
mod orders;
mod parked;
mod repeats;
mod stripe;
