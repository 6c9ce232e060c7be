//! The engine from outside, on both databases.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, their helpers too")]

#[path = "../support/mod.rs"]
mod support;

mod engines;
mod faults;
mod flows;
mod full;
mod journals;
mod kit_finds;
mod operators;
mod outbox;
mod programs;
mod schedules;
mod verify;
mod wait;
mod world;

/// The same test on each database.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { super::$name($crate::support::Kind::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { super::$name($crate::support::Kind::Postgres).await; })+
        }
    };
}
pub(crate) use on_both;
