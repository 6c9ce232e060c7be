//! SeaORM entities: one file a table, with its query trait and its conversion to the program's types.
//!
//! What is read or written in bulk goes through set-wise SQL in `books`; what is looked up row by row goes through here.

pub mod payout;
pub mod settlement;
