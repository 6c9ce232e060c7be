//! What talks to the world outside, behind the traits of `workflows::ports`.

pub mod addresses;
pub mod mail;
pub mod outbound;
mod payout_body;
pub mod payout_manual;
pub mod payout_webhook;
pub mod standard_webhooks;
pub mod stripe;
