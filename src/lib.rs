//! tributary settles what a vendor owes its channel partners: the composition root.

pub mod actors;
pub mod adapters;
pub mod app;
pub mod approvals;
pub mod cli;
pub mod clock;
pub mod config;
mod counted;
pub mod crash_point;
mod demo;
pub mod http;
pub mod ids;
pub mod inbound;
pub mod inbound_decisions;
pub mod inbound_facts;
pub mod instance;
pub mod letters;
pub mod logging;
pub mod ops;
pub mod payout_limits;
pub mod restore;
pub mod schedules;
pub mod service;
#[cfg(feature = "pdf")]
pub mod statement_pdf;
pub mod verify;
