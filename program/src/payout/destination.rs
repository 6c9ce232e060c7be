//! Where money goes: an account of a partner in a currency.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Characters of a holder's name at most (ISO 20022).
const NAME_MAX: usize = 70;
/// Characters of a token at most.
const TOKEN_MAX: usize = 128;

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub enum Account {
    /// A bank account.
    Iban {
        /// Its number, without spaces.
        iban: String,
        /// Its bank.
        bic: String,
    },
    /// What the provider calls it.
    Token(String),
}

/// An account and who holds it. Its debug form shows no account.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    name: String,
    account: Account,
}

/// Why a destination can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// The name of the holder.
    #[error("the holder's name is empty, longer than 70 characters, or has control characters")]
    Name,
    /// The IBAN.
    #[error("the IBAN is wrong: its length or its check digits do not fit (ISO 13616)")]
    Iban,
    /// The BIC.
    #[error("the BIC is wrong: it has 8 or 11 capital letters and digits (ISO 9362)")]
    Bic,
    /// The token.
    #[error("the token is empty, longer than 128 characters, or has characters that are not printable ASCII")]
    Token,
}

// Fields stand in the order of RFC 8785, so that plain serialisation is canonical.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Canonical {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    bic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    iban: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    token: Option<String>,
}

impl Destination {
    /// A bank account; spaces in the number are left out, letters are made capitals.
    ///
    /// # Errors
    /// [`DestinationError`].
    ///
    /// # Source
    /// ISO 13616, ISO 9362.
    pub fn bank(name: &str, iban: &str, bic: &str) -> Result<Self, DestinationError> {
        let plain = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>().to_ascii_uppercase();
        let (iban, bic) = (plain(iban), plain(bic));
        if !is_iban(&iban) {
            return Err(DestinationError::Iban);
        }
        if !is_bic(&bic) {
            return Err(DestinationError::Bic);
        }
        Ok(Self { name: checked_name(name)?, account: Account::Iban { iban, bic } })
    }

    /// What the provider knows by a token.
    ///
    /// # Errors
    /// [`DestinationError`].
    pub fn token(name: &str, token: &str) -> Result<Self, DestinationError> {
        let is_one = !token.is_empty() && token.len() <= TOKEN_MAX && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_one {
            return Err(DestinationError::Token);
        }
        Ok(Self { name: checked_name(name)?, account: Account::Token(token.to_owned()) })
    }

    /// Who holds it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Its canonical JSON.
    ///
    /// # Source
    /// RFC 8785.
    #[must_use]
    pub fn canonical(&self) -> String {
        // Strings alone always serialise.
        serde_json::to_string(&self.fields()).unwrap_or_default()
    }

    /// Reads its canonical JSON; `None`: it is none.
    #[must_use]
    pub fn from_canonical(text: &str) -> Option<Self> {
        let Canonical { bic, iban, name, token } = serde_json::from_str(text).ok()?;
        match (iban, bic, token) {
            (Some(iban), Some(bic), None) => Self::bank(&name, &iban, &bic).ok(),
            (None, None, Some(token)) => Self::token(&name, &token).ok(),
            _ => None,
        }
    }

    /// The end of its number, as people know an account by it without seeing it.
    #[must_use]
    pub fn ends_in(&self) -> String {
        let number = match &self.account {
            Account::Iban { iban, .. } => iban,
            Account::Token(token) => token,
        };
        let shown: Vec<char> = number.chars().rev().take(4.min(number.chars().count() / 2)).collect();
        shown.into_iter().rev().collect()
    }

    /// The SHA-256 of its canonical JSON: what logs and decisions name it by.
    #[must_use]
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(self.canonical().as_bytes());
        format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// What people may see of the account: its last four characters.
    #[must_use]
    pub fn masked(&self) -> String {
        let (kind, text) = match &self.account {
            Account::Iban { iban, .. } => ("IBAN", iban),
            Account::Token(token) => ("token", token),
        };
        let shown = if text.len() < 8 { "" } else { text.get(text.len() - 4..).unwrap_or_default() };
        format!("{kind} …{shown}")
    }

    fn fields(&self) -> Canonical {
        let name = self.name.clone();
        match self.account.clone() {
            Account::Iban { iban, bic } => Canonical { bic: Some(bic), iban: Some(iban), name, token: None },
            Account::Token(token) => Canonical { bic: None, iban: None, name, token: Some(token) },
        }
    }
}

impl Serialize for Destination {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields().serialize(serializer)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("digest", &self.digest()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iban { .. } => "Iban(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

fn checked_name(name: &str) -> Result<String, DestinationError> {
    let name = name.trim();
    let is_one = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
    if is_one { Ok(name.to_owned()) } else { Err(DestinationError::Name) }
}

/// Country, check digits, up to 30 letters and digits; read as one number with the first four at the end, it leaves 1 of 97.
fn is_iban(iban: &str) -> bool {
    let bytes = iban.as_bytes();
    let shape = (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    shape
        && bytes[4..].iter().chain(&bytes[..4]).fold(0_u32, |rest, byte| {
            let value = if byte.is_ascii_digit() { u32::from(byte - b'0') } else { u32::from(byte - b'A') + 10 };
            (rest * if value < 10 { 10 } else { 100 } + value) % 97
        }) == 1
}

fn is_bic(bic: &str) -> bool {
    let bytes = bic.as_bytes();
    (bytes.len() == 8 || bytes.len() == 11)
        && bytes[..6].iter().all(u8::is_ascii_uppercase)
        && bytes[6..].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bank_accounts_are_checked() {
        // The examples of ISO 13616.
        for iban in ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"] {
            assert!(Destination::bank("Acme", iban, "NWBKGB2L").is_ok(), "{iban}");
        }
        for iban in ["", "GB29NWBK60161331926818", "DE8937040044053201300", "de", "GB29 NWBK 6016 1331 9268 1é", "1129NWBK60161331926819"] {
            assert_eq!(Destination::bank("Acme", iban, "NWBKGB2L"), Err(DestinationError::Iban), "{iban}");
        }
        for bic in ["", "NWBKGB2", "NWBKGB2LX", "NWBK1B2L", "NWBKGB2LXXXX"] {
            assert_eq!(Destination::bank("Acme", "DE89370400440532013000", bic), Err(DestinationError::Bic), "{bic}");
        }
        for name in ["", "  ", "a\nb", &"x".repeat(71)] {
            assert_eq!(Destination::token(name, "tok_1"), Err(DestinationError::Name), "{name:?}");
        }
        for token in ["", "a b", "é", "a\u{7f}", &"x".repeat(129)] {
            assert_eq!(Destination::token("Acme", token), Err(DestinationError::Token), "{token:?}");
        }
    }

    #[test]
    fn canonical_forms_read_back_and_differ_by_content() {
        let bank = Destination::bank(" Acme ", "DE89 3704 0044 0532 0130 00", "cobadeff").unwrap();
        assert_eq!(bank.canonical(), r#"{"bic":"COBADEFF","iban":"DE89370400440532013000","name":"Acme"}"#);
        let token = Destination::token("Acme", "tok_12345678").unwrap();
        assert_eq!(token.canonical(), r#"{"name":"Acme","token":"tok_12345678"}"#);
        for one in [&bank, &token] {
            assert_eq!(Destination::from_canonical(&one.canonical()).as_ref(), Some(one));
        }
        assert_ne!(bank.digest(), token.digest());
        for wrong in ["", "{}", r#"{"name":"Acme"}"#, r#"{"name":"Acme","token":"t","iban":"x"}"#, r#"{"name":"Acme","token":"t","more":1}"#] {
            assert!(Destination::from_canonical(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn accounts_show_in_no_debug_form() {
        let token = Destination::token("Acme", "tok_12345678").unwrap();
        assert!(!format!("{token:?}{:?}", token.account()).contains("tok_"));
        assert_eq!(token.masked(), "token …5678");
        assert_eq!(Destination::token("Acme", "secret").unwrap().masked(), "token …");
    }
}
