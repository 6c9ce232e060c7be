//! What talks to the world outside, behind the traits of `workflows::ports`.

pub mod addresses;
pub mod files;
mod kept_file;
pub mod mail;
pub mod outbound;
pub mod payout_manual;
pub mod payout_pain001;
pub mod payout_webhook;
pub mod standard_webhooks;
pub mod stripe;
