//! The id of a payout: `pay_` and a UUID, of version 8 where it comes from what is paid, else of version 7, made by the caller.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// What every id begins with.
const PREFIX: &str = "pay_";

/// The id of a payout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayoutId(String);

/// Text that is no payout's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no payout's id; it looks like pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b (see `payout list`)")]
pub struct NotAPayoutId(String);

impl PayoutId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of what a payout pays, the same whenever it is made: `whose` says in which books, `what` is named once in them.
    ///
    /// Books that were restored from a backup, and don't know of a payout that was made after it, make it under the same id.
    ///
    /// # Source
    /// RFC 9562 §5.8 (version 8); reliability.md §2 (restored backup).
    #[must_use]
    pub fn of(whose: &str, what: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [whose, what] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut bytes: [u8; 32] = hash.finalize().into();
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text: String = bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let groups = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
        Self(format!("{PREFIX}{}", groups.join("-")))
    }
}

impl FromStr for PayoutId {
    type Err = NotAPayoutId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.strip_prefix(PREFIX).is_some_and(is_uuid);
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAPayoutId(text.chars().take(60).collect())) }
    }
}

/// Small letters, five groups, version 7 or 8, the variant of RFC 9562.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => matches!(byte, b'7' | b'8'),
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

impl fmt::Display for PayoutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prefixed_uuids_of_versions_7_and_8_are_ids() {
        let id = "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
        assert_eq!(id.parse::<PayoutId>().unwrap().to_string(), id);
        for other in [
            "",
            "pay_",
            "0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
            "wfr_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
            "pay_0190b6a2-7c3d-4e4f-8a5b-6c7d8e9f0a1b",
            "pay_0190b6a2-7c3d-7e4f-ca5b-6c7d8e9f0a1b",
            "pay_0190B6A2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
            "pay_0190b6a27c3d7e4f8a5b6c7d8e9f0a1b",
            "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b/..",
        ] {
            assert!(other.parse::<PayoutId>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn the_same_payment_has_the_same_id_and_no_other_has_it() {
        let id = PayoutId::of("dbi_1", "settlement p/2026-04/acme/USD");
        assert_eq!(id, PayoutId::of("dbi_1", "settlement p/2026-04/acme/USD"));
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.as_str(), "pay_20bf4bab-0e16-870b-8c81-c514f008726a");
        for (whose, what) in
            [("dbi_2", "settlement p/2026-04/acme/USD"), ("dbi_1", "settlement p/2026-05/acme/USD"), ("dbi_1s", "ettlement p/2026-04/acme/USD")]
        {
            assert_ne!(PayoutId::of(whose, what), id);
        }
    }
}
