//! What is done to the database: record facts, load them, settle, post, verify.

pub mod audit;
pub mod certifications;
pub mod connection;
pub mod contacts;
pub mod explain;
pub mod export;
pub mod facts;
pub mod gate;
pub mod instance;
pub mod ledger;
pub mod load;
pub mod mdf;
pub mod payouts;
pub mod programs;
pub mod record;
pub mod release;
pub mod review;
pub mod settlement;
pub mod simulate;
pub mod sql;
pub mod statements;
pub mod users;
pub mod verify;
pub mod wallet;
