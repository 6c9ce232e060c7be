//! The rules of a partner programme, pure: no IO, no clock, no database, no float.

pub mod calendar;
mod cascade;
pub mod commission;
pub mod component;
pub mod condition;
pub mod credit;
pub mod exact;
pub mod explain;
pub mod file;
pub mod fx;
pub mod invoice;
pub mod line;
pub mod member;
pub mod money;
pub mod payout;
pub mod programme;
pub mod ranking;
pub mod rating;
pub mod recertify;
pub mod refund;
pub mod revenue;
pub mod reversal;
pub mod settlement;
pub mod spiff;
pub mod spread;
pub mod statement;
pub mod version;
