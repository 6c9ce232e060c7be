//! The configured caps, for the books.

use books::payouts::limits::{Cap, Limits};

use crate::config::{AmountLimit, Payouts};

/// The caps of `[payouts]`.
#[must_use]
pub fn limits(payouts: &Payouts) -> Limits {
    let cap = |limit: Option<AmountLimit>| limit.map_or_else(Cap::default, |limit| Cap::of_any(limit.exact()));
    Limits { payout: cap(payouts.max_per_payout), partner_day: cap(payouts.max_per_partner_per_day), day: cap(payouts.max_per_day) }
}
