//! Loads facts as they were known at a cut-off into the types that the rules work on.

pub mod deals;
pub mod directory;
pub mod invoices;
pub mod knowledge;
pub mod revenue;
pub mod row;
pub mod versions;

pub use knowledge::Knowledge;
