//! The database schema, one frozen step a file; the same steps on SQLite and PostgreSQL.
//!
//! Types: amounts and instants are 64-bit integers (minor units, microseconds UTC), dates are ISO 8601 text, rates and shares decimal
//! text, yes/no is 1/0. Key text is compared bytewise on both databases.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod dialect;
mod m0001_facts;
mod m0002_settlement;
mod m0003_ledger;
mod m0004_durable;
mod m0005_payouts;
mod m0006_instance;
mod m0007_mdf;
mod m0008_bank_files;
mod m0009_fact_events;
mod m0010_decision_events;
mod m0011_withdrawals;
mod m0012_rankings_final;
mod m0013_served_programs;
mod m0014_steps_asked;

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_facts::Step),
            Box::new(m0002_settlement::Step),
            Box::new(m0003_ledger::Step),
            Box::new(m0004_durable::Step),
            Box::new(m0005_payouts::Step),
            Box::new(m0006_instance::Step),
            Box::new(m0007_mdf::Step),
            Box::new(m0008_bank_files::Step),
            Box::new(m0009_fact_events::Step),
            Box::new(m0010_decision_events::Step),
            Box::new(m0011_withdrawals::Step),
            Box::new(m0012_rankings_final::Step),
            Box::new(m0013_served_programs::Step),
            Box::new(m0014_steps_asked::Step),
        ]
    }
}
