//! Names that banks take: at most 35 letters and digits (ISO 20022, `Max35Text`; SEPA takes no underscore).

use std::fmt;
use std::str::FromStr;

use crate::payout::PayoutId;
use crate::payout::id::is_uuid;

/// What the id of a file begins with.
const PREFIX: &str = "bkf_";
/// What banks are told before the digits of a payout, and of a file.
const PAYOUT: &str = "PAY";
const FILE: &str = "BKF";

/// The id of a file for the bank: `bkf_` and a UUID version 7, made by the caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankFileId(String);

/// Text that is no file's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no bank file's id; it looks like bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b")]
pub struct NotABankFileId(String);

impl BankFileId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `MsgId`: `BKF` and the 32 digits of its UUID, 35 characters. A bank takes a message of an id once.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{FILE}{}", digits(&self.0))
    }

    /// `PmtInfId` of the n-th batch, from 1 on: the 32 digits and three more, 35 characters.
    #[must_use]
    pub fn batch_id(&self, number: usize) -> String {
        format!("{}{number:03}", digits(&self.0))
    }
}

impl FromStr for BankFileId {
    type Err = NotABankFileId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.strip_prefix(PREFIX).is_some_and(is_uuid);
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotABankFileId(text.chars().take(60).collect())) }
    }
}

impl fmt::Display for BankFileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `EndToEndId` and `InstrId` of a payout: `PAY` and the 32 digits of its UUID, 35 characters; [`payout_of`] reads it back.
#[must_use]
pub fn end_to_end(payout: &PayoutId) -> String {
    format!("{PAYOUT}{}", digits(payout.as_str()))
}

/// The payout that a bank names; small letters are taken, too. `None`: it is none of ours.
#[must_use]
pub fn payout_of(end_to_end: &str) -> Option<PayoutId> {
    let text = end_to_end.to_ascii_lowercase();
    let digits = text.strip_prefix("pay").filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    let group = |from, to| digits.get(from..to);
    let groups = [group(0, 8)?, group(8, 12)?, group(12, 16)?, group(16, 20)?, group(20, 32)?];
    format!("pay_{}", groups.join("-")).parse().ok()
}

/// The digits of the UUID behind a prefix, capitals.
fn digits(id: &str) -> String {
    id.chars().skip(PREFIX.len()).filter(|c| *c != '-').collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::super::charset::is_permitted;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_is_named_in_35_characters() {
        let id: BankFileId = "bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".parse().unwrap();
        assert_eq!(id.message_id(), "BKF0190B6A27C3D7E4F8A5B6C7D8E9F0A1B");
        assert_eq!(id.batch_id(7), "0190B6A27C3D7E4F8A5B6C7D8E9F0A1B007");
        assert_eq!((id.message_id().len(), id.batch_id(999).len()), (35, 35));
        for other in ["", "bkf_", "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", "bkf_0190b6a27c3d7e4f8a5b6c7d8e9f0a1b", "bkf_../../x"] {
            assert!(other.parse::<BankFileId>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn what_is_no_payout_of_ours_is_none() {
        for other in [
            "",
            "PAY",
            "NOTPROVIDED",
            "PAY0190B6A27C3D4E4F8A5B6C7D8E9F0A1B",
            "BKF0190B6A27C3D7E4F8A5B6C7D8E9F0A1B",
            "PAY0190B6A27C3D7E4F8A5B6C7D8E9F0A1ß",
        ] {
            assert_eq!(payout_of(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn every_payout_reads_back_from_what_banks_are_told(high: u64, low: u64) {
            let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
            let id: PayoutId = format!("pay_{a:08x}-{b:04x}-7{c:03x}-a{:03x}-{:012x}", low >> 52, low & 0xffff_ffff_ffff).parse().unwrap();
            let told = end_to_end(&id);
            prop_assert_eq!(told.len(), 35);
            prop_assert!(told.chars().all(is_permitted));
            prop_assert_eq!(payout_of(&told), Some(id.clone()));
            prop_assert_eq!(payout_of(&told.to_ascii_lowercase()), Some(id));
        }
    }
}
