//! What talks to the world outside, behind the traits of `workflows::ports`.

pub mod standard_webhooks;
