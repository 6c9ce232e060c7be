//! SeaORM entities: one file a table.
