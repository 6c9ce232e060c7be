//! What a decision binds to: the digest of a claim as it was shown (domain.md §6.5; reliability.md §3.4).

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::money::Currency;

/// The number of the canonical form.
const FORMAT: u32 = 1;

/// A proof by its content and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document {
    /// The SHA-256 of its bytes, `sha256:…`.
    pub sha256: String,
    /// The name under which it was handed in.
    pub name: String,
}

/// A claim as it is shown to whoever decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Its id.
    pub id: &'a str,
    /// The programme of the payee.
    pub program: &'a str,
    /// The payee.
    pub partner: &'a str,
    /// Its currency.
    pub currency: Currency,
    /// What is asked for at this step: less than at first once an approver has lowered it, minor units.
    pub amount_minor: i64,
    /// The digest of the account in force for the payee and currency; `None` while there is none.
    pub destination: Option<&'a str>,
    /// Its proofs, in any order.
    pub documents: &'a [Document],
    /// How often its route was begun, from 1 on.
    pub round: i64,
}

// Fields stand in the order of RFC 8785, so that plain serialisation is canonical.
#[derive(Serialize)]
struct Canonical<'a> {
    amount: String,
    claim: &'a str,
    currency: &'a str,
    destination: Option<&'a str>,
    documents: Vec<CanonicalDocument<'a>>,
    format: u32,
    partner: &'a str,
    program: &'a str,
    round: i64,
}

#[derive(Serialize)]
struct CanonicalDocument<'a> {
    name: &'a str,
    sha256: &'a str,
}

impl Claim<'_> {
    /// Its canonical JSON.
    ///
    /// # Source
    /// RFC 8785.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut documents: Vec<&Document> = self.documents.iter().collect();
        documents.sort();
        let canonical = Canonical {
            amount: self.currency.format_minor(self.amount_minor),
            claim: self.id,
            currency: self.currency.code(),
            destination: self.destination,
            documents: documents.iter().map(|one| CanonicalDocument { name: &one.name, sha256: &one.sha256 }).collect(),
            format: FORMAT,
            partner: self.partner,
            program: self.program,
            round: self.round,
        };
        // Strings and numbers alone always serialise.
        serde_json::to_string(&canonical).unwrap_or_default()
    }

    /// The SHA-256 of its canonical JSON.
    #[must_use]
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(self.canonical().as_bytes());
        format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn documents() -> Vec<Document> {
        ["b", "a"].map(|name| Document { sha256: format!("sha256:{name}"), name: format!("{name}.pdf") }).to_vec()
    }

    fn claim(documents: &[Document]) -> Claim<'_> {
        Claim {
            id: "CL-1",
            program: "p",
            partner: "acme",
            currency: "USD".parse().unwrap(),
            amount_minor: 2_500_000,
            destination: Some("sha256:d"),
            documents,
            round: 1,
        }
    }

    #[test]
    fn the_canonical_form_is_fixed() {
        let documents = documents();
        let text = r#"{"amount":"25000.00","claim":"CL-1","currency":"USD","destination":"sha256:d","documents":[{"name":"a.pdf","sha256":"sha256:a"},{"name":"b.pdf","sha256":"sha256:b"}],"format":1,"partner":"acme","program":"p","round":1}"#;
        assert_eq!(claim(&documents).canonical(), text);
        assert!(claim(&documents).digest().starts_with("sha256:"));
    }

    #[test]
    fn the_order_of_documents_does_not_matter_and_all_else_does() {
        let (documents, mut turned) = (documents(), documents());
        turned.reverse();
        let base = claim(&documents);
        assert_eq!(base.digest(), Claim { documents: &turned, ..base }.digest());
        let renamed = vec![Document { name: "c.pdf".into(), ..documents[0].clone() }, documents[1].clone()];
        for other in [
            Claim { id: "CL-2", ..base },
            Claim { program: "q", ..base },
            Claim { partner: "beta", ..base },
            Claim { currency: "EUR".parse().unwrap(), ..base },
            Claim { amount_minor: 2_499_999, ..base },
            Claim { destination: None, ..base },
            Claim { destination: Some("sha256:e"), ..base },
            Claim { documents: &documents[..1], ..base },
            Claim { documents: &renamed, ..base },
            Claim { round: 2, ..base },
        ] {
            assert_ne!(base.digest(), other.digest(), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn texts_can_t_reach_into_each_other(a in ".{0,12}", b in ".{0,12}", c in ".{0,12}", d in ".{0,12}") {
            let (none, usd): (Vec<Document>, Currency) = (Vec::new(), "USD".parse().unwrap());
            let of = |id, partner| Claim { id, program: "p", partner, currency: usd, amount_minor: 1, destination: None, documents: &none, round: 1 }.digest();
            prop_assert_eq!(of(&a, &b) == of(&c, &d), (&a, &b) == (&c, &d));
        }
    }
}
