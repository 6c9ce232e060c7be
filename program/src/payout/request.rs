//! The body of a payout's request, byte for byte as it is sent and sent again (interface.md §5).

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Destination, Kind, PayoutId};
use crate::calendar::Instant;
use crate::money::Currency;

/// What a provider is asked to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The payout.
    pub payout: &'a PayoutId,
    /// What it pays.
    pub kind: Kind,
    /// The settlement or claim.
    pub reference: &'a str,
    /// Whom.
    pub partner: &'a str,
    /// How much, minor units.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Where to.
    pub destination: &'a Destination,
    /// When it was intended.
    pub at: Instant,
}

// Fields stand in the order of RFC 8785, so that plain serialisation is canonical.
#[derive(Serialize)]
struct Body<'a> {
    data: Data<'a>,
    timestamp: String,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Data<'a> {
    amount: String,
    currency: &'a str,
    destination: &'a Destination,
    kind: &'static str,
    partner: &'a str,
    payout: &'a str,
    reference: &'a str,
}

impl Request<'_> {
    /// The body: canonical JSON, so equal requests have equal bytes.
    ///
    /// # Source
    /// interface.md §5, RFC 8785.
    #[must_use]
    pub fn body(&self) -> String {
        let data = Data {
            amount: self.currency.format_minor(self.amount_minor),
            currency: self.currency.code(),
            destination: self.destination,
            kind: self.kind.name(),
            partner: self.partner,
            payout: self.payout.as_str(),
            reference: self.reference,
        };
        // Strings alone always serialise.
        serde_json::to_string(&Body { data, timestamp: self.at.to_string(), r#type: "payout.requested" }).unwrap_or_default()
    }
}

/// The SHA-256 of a body.
#[must_use]
pub fn body_digest(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_those_of_the_golden_file() {
        let payout: PayoutId = "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".parse().unwrap();
        let bank = Destination::bank("Acme GmbH \"Süd\"", "DE89370400440532013000", "COBADEFF").unwrap();
        let token = Destination::token("Acme", "acct_1234567890").unwrap();
        let at: Instant = "2026-05-01T06:00:00Z".parse().unwrap();
        let of = |kind, reference, amount_minor, currency: &str, destination| {
            let currency = currency.parse().unwrap();
            Request { payout: &payout, kind, reference, partner: "acme", amount_minor, currency, destination, at }.body() + "\n"
        };
        let bodies = of(Kind::MdfClaim, "CL-1", 2_500_000, "USD", &token) + &of(Kind::Settlement, "p/2026-04/acme/JPY", 12, "JPY", &bank);
        assert_eq!(bodies, include_str!("../../golden/payout_requests.jsonl"));
    }
}
