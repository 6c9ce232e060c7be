//! The processes of a partner programme, and what they need from the world.

pub mod ports;
