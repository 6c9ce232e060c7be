//! What statements show and how templates and fonts fail.

mod claims;
mod fonts;
mod printed;
mod same_bytes;
mod sample;
mod templates;
