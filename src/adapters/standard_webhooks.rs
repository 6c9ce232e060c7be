//! Signatures of webhooks, made and checked as the Standard Webhooks specification says.
//!
//! # Source
//! <https://www.standardwebhooks.com>: HMAC-SHA256 over `id.timestamp.body`, header `v1,<base64>`, several separated by spaces.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The header with the message's id, by which its repeats are known.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the moment of sending, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// What a written secret begins with.
const PREFIX: &str = "whsec_";
/// How long a key may be, as the specification asks.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Keys that are valid at once, while one replaces another.
const KEYS_MAX: usize = 8;
/// Signatures of one message that are looked at.
const SIGNATURES_MAX: usize = 16;
/// The longest id.
const ID_MAX_BYTES: usize = 128;

/// The keys shared with one counterpart: the first signs first, any of them is accepted.
pub struct SigningKeys(Vec<SecretBox<[u8]>>);

/// What the headers of a message say; none of it is trusted before [`SigningKeys::verify`] has said so.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// [`ID_HEADER`].
    pub id: &'a str,
    /// [`TIMESTAMP_HEADER`].
    pub timestamp: &'a str,
    /// [`SIGNATURE_HEADER`].
    pub signature: &'a str,
}

/// A secret that can't be used. It never repeats the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or too many.
    #[error("holds {0} keys; write one, or several (at most {KEYS_MAX}) separated by spaces while one replaces another")]
    Count(usize),
    /// Not in the written form.
    #[error("is not written whsec_<base64>; make one with: echo whsec_$(openssl rand -base64 32)")]
    Form,
    /// Too short to be safe, or longer than others take.
    #[error("decodes to {0} bytes; a key has 24 to 64; make one with: echo whsec_$(openssl rand -base64 32)")]
    Length(usize),
}

/// A message that can't be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The id would not survive the way.
    #[error("{0:?} can't be the id of a message: it is 1 to {ID_MAX_BYTES} letters, digits, `_` and `-`")]
    Id(String),
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The id is missing, too long or holds what would blur where it ends.
    #[error("{ID_HEADER} is not 1 to {ID_MAX_BYTES} visible characters without a full stop")]
    Id,
    /// Not a number of seconds.
    #[error("{TIMESTAMP_HEADER} is not a number of seconds since 1970")]
    Timestamp,
    /// Too old, or from the future.
    #[error("{TIMESTAMP_HEADER} is {off_s} s off this clock, more than the {tolerance_s} s allowed")]
    Window {
        /// How far off.
        off_s: u64,
        /// How much is allowed.
        tolerance_s: u64,
    },
    /// None of the signatures fits.
    #[error("no signature in {SIGNATURE_HEADER} fits the id, the time and the body")]
    Signature,
}

impl SigningKeys {
    /// Reads `whsec_…`, or several of them separated by spaces.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let count = text.split_whitespace().count();
        if count == 0 || count > KEYS_MAX {
            return Err(KeyError::Count(count));
        }
        text.split_whitespace().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The header with a signature by each key.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> Result<String, SignError> {
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) || !is_id(id) {
            return Err(SignError::Id(id.chars().take(ID_MAX_BYTES).collect()));
        }
        let timestamp = timestamp_s.to_string();
        let signatures: Vec<String> = self.macs(id, &timestamp, body).map(|mac| format!("v1,{}", STANDARD.encode(mac))).collect();
        Ok(signatures.join(" "))
    }

    /// Whether a message comes from who has one of the keys, and was sent around `now_s`.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn verify(&self, signed: Signed<'_>, body: &[u8], now_s: i64, tolerance: Duration) -> Result<(), Rejected> {
        if !is_id(signed.id) {
            return Err(Rejected::Id);
        }
        let timestamp_s = seconds(signed.timestamp).ok_or(Rejected::Timestamp)?;
        let (off_s, tolerance_s) = (now_s.abs_diff(timestamp_s), tolerance.as_secs());
        if off_s > tolerance_s {
            return Err(Rejected::Window { off_s, tolerance_s });
        }
        let given: Vec<Vec<u8>> = signed.signature.split(' ').take(SIGNATURES_MAX).filter_map(signature).collect();
        // Every signature is compared with every key, whichever fits.
        let mut fits = subtle::Choice::from(0);
        for mac in self.macs(signed.id, signed.timestamp, body) {
            for given in &given {
                fits |= mac[..].ct_eq(given);
            }
        }
        if bool::from(fits) { Ok(()) } else { Err(Rejected::Signature) }
    }

    fn macs<'a>(&'a self, id: &'a str, timestamp: &'a str, body: &'a [u8]) -> impl Iterator<Item = [u8; 32]> + 'a {
        // HMAC takes keys of any length, so no key is ever left out here.
        self.0.iter().filter_map(move |key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret()).ok()?;
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            Some(mac.finalize().into_bytes().into())
        })
    }
}

/// Never the keys.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({} keys, ***)", self.0.len())
    }
}

fn key(text: &str) -> Result<SecretBox<[u8]>, KeyError> {
    let bytes = STANDARD.decode(text.strip_prefix(PREFIX).ok_or(KeyError::Form)?).map_err(|_| KeyError::Form)?;
    if KEY_BYTES.contains(&bytes.len()) { Ok(SecretBox::new(bytes.into())) } else { Err(KeyError::Length(bytes.len())) }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_MAX_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

/// Digits only: a sign or a space would be signed, too, but is nothing that anybody sends.
fn seconds(text: &str) -> Option<i64> {
    let is_number = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn signature(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix("v1,")?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrsc";
    const TOLERANCE: Duration = Duration::from_mins(5);

    fn keys(text: &str) -> SigningKeys {
        SigningKeys::parse(text).expect("a good secret")
    }

    /// What the specification's own crate says, by the wall clock.
    fn oracle(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        standardwebhooks::Webhook::new(secret).expect("a good secret").sign(id, timestamp_s, body).expect("it signs")
    }

    fn oracle_believes(secret: &str, id: &str, timestamp_s: i64, signature: &str, body: &[u8]) -> bool {
        let mut headers = axum::http::HeaderMap::new();
        for (name, value) in [(ID_HEADER, id), (TIMESTAMP_HEADER, &timestamp_s.to_string()), (SIGNATURE_HEADER, signature)] {
            headers.insert(name, value.parse().expect("a header"));
        }
        standardwebhooks::Webhook::new(secret).expect("a good secret").verify(body, &headers).is_ok()
    }

    proptest! {
        #[test]
        fn signatures_are_those_of_the_reference(id in "[A-Za-z0-9_-]{1,64}", timestamp_s in 0_i64..4_000_000_000, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            // The reference signs text only.
            let body = String::from_utf8_lossy(&body).into_owned().into_bytes();
            let ours = keys(SECRET).sign(&id, timestamp_s, &body).expect("it signs");
            prop_assert_eq!(&ours, &oracle(SECRET, &id, timestamp_s, &body));
            let timestamp = timestamp_s.to_string();
            let signed = Signed { id: &id, timestamp: &timestamp, signature: &ours };
            prop_assert_eq!(keys(SECRET).verify(signed, &body, timestamp_s, TOLERANCE), Ok(()));
            prop_assert_eq!(keys(OTHER).verify(signed, &body, timestamp_s, TOLERANCE), Err(Rejected::Signature));
        }

        #[test]
        fn whatever_is_changed_is_refused(body in "[ -~]{1,100}", at in any::<prop::sample::Index>(), bit in 0_u8..7, part in 0_usize..4) {
            let keys = keys(SECRET);
            let mut parts = ["msg_1".to_owned(), "1800000000".to_owned(), keys.sign("msg_1", 1_800_000_000, body.as_bytes()).expect("it signs"), body];
            let mut bytes = parts[part].clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            parts[part] = String::from_utf8(bytes).expect("seven bits are ASCII");
            let [id, timestamp, signature, body] = &parts;
            let verdict = keys.verify(Signed { id, timestamp, signature }, body.as_bytes(), 1_800_000_000, Duration::from_secs(u64::MAX));
            prop_assert!(verdict.is_err(), "{parts:?}");
        }

        #[test]
        fn nothing_makes_it_panic(id in any::<String>(), timestamp in any::<String>(), signature in any::<String>(), now_s in any::<i64>()) {
            let verdict = keys(SECRET).verify(Signed { id: &id, timestamp: &timestamp, signature: &signature }, b"{}", now_s, TOLERANCE);
            prop_assert!(verdict.is_err());
        }
    }

    #[test]
    fn the_reference_believes_what_we_sign() {
        let now_s = crate::clock::wall_seconds();
        let signature = keys(SECRET).sign("msg_1", now_s, b"{}").expect("it signs");
        assert!(oracle_believes(SECRET, "msg_1", now_s, &signature, b"{}"));
        assert!(!oracle_believes(OTHER, "msg_1", now_s, &signature, b"{}"));
    }

    #[test]
    fn the_window_has_both_ends() {
        let keys = keys(SECRET);
        let signature = keys.sign("msg_1", 1_000_000, b"{}").expect("it signs");
        let verify = |now_s| keys.verify(Signed { id: "msg_1", timestamp: "1000000", signature: &signature }, b"{}", now_s, TOLERANCE);
        for now_s in [999_700, 1_000_000, 1_000_300] {
            assert_eq!(verify(now_s), Ok(()));
        }
        for now_s in [999_699, 1_000_301] {
            assert_eq!(verify(now_s), Err(Rejected::Window { off_s: 301, tolerance_s: 300 }));
        }
        assert!(matches!(verify(i64::MIN), Err(Rejected::Window { .. })));
    }

    #[test]
    fn while_a_key_is_replaced_either_side_may_be_first() {
        let both = keys(&format!("{OTHER} {SECRET}"));
        let signature = both.sign("msg_1", 7, b"{}").expect("it signs");
        assert_eq!(signature.split(' ').count(), 2);
        for single in [SECRET, OTHER] {
            let signed = Signed { id: "msg_1", timestamp: "7", signature: &signature };
            assert_eq!(keys(single).verify(signed, b"{}", 7, TOLERANCE), Ok(()));
            let by_one = keys(single).sign("msg_1", 7, b"{}").expect("it signs");
            let with_noise = format!("v1a,AAAA v2,AAAA v1,!! {by_one}");
            assert_eq!(both.verify(Signed { id: "msg_1", timestamp: "7", signature: &with_noise }, b"{}", 7, TOLERANCE), Ok(()));
        }
    }

    #[test]
    fn where_the_id_ends_can_t_be_moved() {
        let keys = keys(SECRET);
        let signature = keys.sign("msg", 5, b"6.{}").expect("it signs");
        let moved = Signed { id: "msg.5", timestamp: "6", signature: &signature };
        assert_eq!(keys.verify(moved, b"{}", 6, TOLERANCE), Err(Rejected::Id));
        assert!(keys.sign("msg.5", 6, b"{}").is_err());
    }

    #[test]
    fn bad_secrets_are_refused_without_repeating_them() {
        for (text, error) in [
            ("", KeyError::Count(0)),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyError::Form),
            ("whsec_not base64", KeyError::Form),
            ("whsec_!!!!", KeyError::Form),
            ("whsec_c2hvcnQ=", KeyError::Length(5)),
        ] {
            let refused = SigningKeys::parse(text).map(|_| ()).expect_err(text);
            assert_eq!(refused, error);
            assert!(text.len() < 8 || !refused.to_string().contains(text));
        }
        assert_eq!(format!("{:?}", keys(SECRET)), "SigningKeys(1 keys, ***)");
    }
}
