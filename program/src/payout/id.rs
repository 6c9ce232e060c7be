//! The id of a payout: `pay_` and a UUID version 7, made by the caller.

use std::fmt;
use std::str::FromStr;

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
}

impl FromStr for PayoutId {
    type Err = NotAPayoutId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.strip_prefix(PREFIX).is_some_and(is_uuid_v7);
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAPayoutId(text.chars().take(60).collect())) }
    }
}

/// Small letters, five groups, version 7, the variant of RFC 9562.
pub(crate) fn is_uuid_v7(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'7',
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
    fn only_prefixed_uuids_of_version_7_are_ids() {
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
}
