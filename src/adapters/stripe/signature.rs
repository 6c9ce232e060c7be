//! Stripe's signature: HMAC-SHA256 over `t.body` by the endpoint's secret, in the header `Stripe-Signature: t=…,v1=…`, with a `v1` for each
//! secret while one replaces another.
//!
//! # Source
//! <https://docs.stripe.com/webhooks/signature>.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The header.
pub const SIGNATURE_HEADER: &str = "stripe-signature";

/// Secrets that are valid at once.
const KEYS_MAX: usize = 8;
/// How long a secret is.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// Signatures of one event that are looked at.
const SIGNATURES_MAX: usize = 16;

/// The secrets of the endpoint; any of them is accepted.
pub struct StripeKeys(Vec<SecretBox<[u8]>>);

/// A secret that can't be used. It never repeats the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StripeKeyError {
    /// Nothing, or too many.
    #[error("holds {0} secrets; write the endpoint's (whsec_…), or several (at most {KEYS_MAX}) separated by spaces while one replaces another")]
    Count(usize),
    /// No secret of Stripe's.
    #[error("is no signing secret of a Stripe endpoint: those have 16 to 256 visible characters")]
    Form,
}

/// Why an event is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StripeRejected {
    /// There is no header, or not one.
    #[error("the header {SIGNATURE_HEADER} is not there once")]
    Header,
    /// It does not say when, once.
    #[error("{SIGNATURE_HEADER} holds no t=, a number of seconds since 1970, or several")]
    Timestamp,
    /// Too old, or from the future.
    #[error("{SIGNATURE_HEADER} is {off_s} s off this clock, more than the {tolerance_s} s allowed")]
    Window {
        /// How far off.
        off_s: u64,
        /// How much is allowed.
        tolerance_s: u64,
    },
    /// None of the signatures fits.
    #[error("no v1= in {SIGNATURE_HEADER} fits the time and the body")]
    Signature,
}

impl StripeKeys {
    /// Reads one secret, or several separated by spaces.
    ///
    /// # Errors
    /// [`StripeKeyError`].
    pub fn parse(text: &str) -> Result<Self, StripeKeyError> {
        let count = text.split_whitespace().count();
        if count == 0 || count > KEYS_MAX {
            return Err(StripeKeyError::Count(count));
        }
        let key = |text: &str| {
            let is_secret = KEY_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
            // Stripe signs by the text, with what it begins with.
            if is_secret { Ok(SecretBox::new(text.as_bytes().into())) } else { Err(StripeKeyError::Form) }
        };
        text.split_whitespace().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an event comes from who has one of the secrets, and was sent around `now_s`.
    ///
    /// # Errors
    /// [`StripeRejected`].
    pub fn verify(&self, header: &str, body: &[u8], now_s: i64, tolerance: Duration) -> Result<(), StripeRejected> {
        let mut times = header.split(',').filter_map(|part| part.trim().strip_prefix("t="));
        let time = times.next().filter(|_| times.next().is_none()).ok_or(StripeRejected::Timestamp)?;
        let time_s = seconds(time).ok_or(StripeRejected::Timestamp)?;
        let (off_s, tolerance_s) = (now_s.abs_diff(time_s), tolerance.as_secs());
        if off_s > tolerance_s {
            return Err(StripeRejected::Window { off_s, tolerance_s });
        }
        // Other schemes are never looked at: v0 is for Stripe's own tests.
        let given = header.split(',').filter_map(|part| part.trim().strip_prefix("v1="));
        let given: Vec<Vec<u8>> = given.take(SIGNATURES_MAX).filter_map(|text| hex::decode(text).ok()).collect();
        let mut fits = subtle::Choice::from(0);
        for key in &self.0 {
            // HMAC takes keys of any length.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret()) else { continue };
            for part in [time.as_bytes(), b".", body] {
                mac.update(part);
            }
            let mac: [u8; 32] = mac.finalize().into_bytes().into();
            for given in &given {
                fits |= mac[..].ct_eq(given);
            }
        }
        if bool::from(fits) { Ok(()) } else { Err(StripeRejected::Signature) }
    }
}

/// Never the secrets.
impl fmt::Debug for StripeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StripeKeys({} secrets, ***)", self.0.len())
    }
}

fn seconds(text: &str) -> Option<i64> {
    let is_number = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
