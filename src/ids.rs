//! The one home of ids of our own: a prefix and a UUID version 7.

/// A new id, like `dst_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b`.
#[must_use]
pub fn new(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::now_v7().hyphenated())
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_of_payouts_are_such() {
        let id = super::new("pay");
        assert!(id.parse::<program::payout::PayoutId>().is_ok(), "{id}");
        assert_ne!(id, super::new("pay"));
    }
}
