//! Tokens and codes of the page of approvals: what is random, what is derived, and what of them is stored.
//!
//! Tokens have 256 random bits, so their plain SHA-256 can be stored. A code has eight digits, and no digest protects so few from somebody
//! who reads the database. Four things do: it counts only together with the token of the browser that asked for it, of which the database
//! has the digest alone; it is tried five times at most; it is good for ten minutes; it is used once. Five codes of a person within an hour
//! leave a guesser 25 tries in a hundred million; the five more that the link of the person's own mail gives are no stranger's.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Codes are below this: eight digits.
const CODES: u64 = 100_000_000;

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], NoRandomness> {
    let mut bytes = [0; LENGTH];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new token, in 64 hexadecimal digits.
///
/// # Errors
/// [`NoRandomness`].
pub fn token() -> Result<String, NoRandomness> {
    random::<TOKEN_BYTES>().map(hex::encode)
}

/// A new code: eight digits.
///
/// # Errors
/// [`NoRandomness`].
pub fn code() -> Result<String, NoRandomness> {
    // Of 2^64 values, a hundred million classes differ by one in 184 billion at most.
    random::<8>().map(|bytes| format!("{:08}", u64::from_be_bytes(bytes) % CODES))
}

/// What is stored of a token.
#[must_use]
pub fn token_digest(token: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(token.as_bytes())))
}

/// What is stored of a code: it fits no other asking and no other claim.
#[must_use]
pub fn code_digest(id: &str, claim: &str, code: &str) -> String {
    keyed(id, &[b"code", claim.as_bytes(), code.as_bytes()])
}

/// What the forms of a session carry: derived from its token, so that a page can show it though the database does not have it.
#[must_use]
pub fn form_token(session_token: &str) -> String {
    keyed(session_token, &[b"form"])
}

/// Whether two digests or tokens are the same, in a time that does not tell where they differ.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// HMAC-SHA-256 over parts of which each is preceded by its length.
fn keyed(key: &str, parts: &[&[u8]]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tokens_and_codes_are_new_each_time_and_of_one_form() {
        let tokens: BTreeSet<String> = (0..100).map(|_| token().expect("random bytes")).collect();
        assert!(tokens.len() == 100 && tokens.iter().all(|token| token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit())));
        let codes: BTreeSet<String> = (0..100).map(|_| code().expect("random bytes")).collect();
        assert!(codes.len() > 95 && codes.iter().all(|code| code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit())));
    }

    #[test]
    fn a_code_fits_its_asking_and_its_claim_only() {
        let digest = code_digest("id", "CL-1", "12345678");
        assert!(same(&digest, &code_digest("id", "CL-1", "12345678")));
        for other in [code_digest("id2", "CL-1", "12345678"), code_digest("id", "CL-11", "2345678"), code_digest("id", "CL-1", "12345679")] {
            assert!(!same(&digest, &other));
        }
        assert!(!digest.is_empty() && digest != form_token("id"));
    }
}
