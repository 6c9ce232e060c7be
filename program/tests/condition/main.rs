//! Conditions: what they accept, where they fail, and that they mean what a plain reading says.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod facts;
mod meaning;
mod properties;
