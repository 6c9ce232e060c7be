//! The bytes that ask for a payout (interface.md §5).

use serde::Serialize;
use workflows::ports::{Destination, PayoutOrder, PortError};

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    payout: &'a str,
    kind: &'a str,
    reference: &'a str,
    partner: &'a str,
    amount: &'a str,
    currency: &'a str,
    destination: Option<Target<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Target<'a> {
    Account { name: &'a str, iban: &'a str, bic: &'a str },
    Token { name: &'a str, token: &'a str },
}

/// The request for an order.
///
/// # Errors
/// [`PortError::Unusable`]: the order can't be written as JSON.
///
/// # Idempotency
/// The same order gives the same bytes.
pub(super) fn compose(order: &PayoutOrder) -> Result<Vec<u8>, PortError> {
    let destination = order.destination.as_ref().map(|destination| match destination {
        Destination::Account { name, iban, bic } => Target::Account { name, iban, bic },
        Destination::Token { name, token } => Target::Token { name, token },
    });
    let PayoutOrder { payout, kind, reference, partner, amount, currency, at, .. } = order;
    let data = Data { payout, kind, reference, partner, amount, currency, destination };
    let event = Event { r#type: "payout.requested", timestamp: at.to_string(), data };
    serde_json::to_vec(&event).map_err(|error| PortError::Unusable { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_those_of_every_release() {
        let mut order = PayoutOrder {
            payout: "pay_1".into(),
            kind: "mdf_claim".into(),
            reference: "CL-1".into(),
            partner: "acme".into(),
            amount: "25000.00".into(),
            currency: "USD".into(),
            destination: Some(Destination::Token { name: "Acme \"Ltd\"".into(), token: "tok_1".into() }),
            at: "2026-05-01T06:00:00Z".parse().expect("an instant"),
        };
        let body = |order: &PayoutOrder| String::from_utf8(compose(order).expect("JSON")).expect("UTF-8");
        let head = r#"{"type":"payout.requested","timestamp":"2026-05-01T06:00:00Z","data":{"payout":"pay_1","kind":"mdf_claim","reference":"CL-1","partner":"acme","amount":"25000.00","currency":"USD","destination":"#;
        assert_eq!(body(&order), format!(r#"{head}{{"name":"Acme \"Ltd\"","token":"tok_1"}}}}}}"#));
        order.destination = Some(Destination::Account { name: "Acme".into(), iban: "DE89370400440532013000".into(), bic: "COBADEFFXXX".into() });
        assert_eq!(body(&order), format!(r#"{head}{{"name":"Acme","iban":"DE89370400440532013000","bic":"COBADEFFXXX"}}}}}}"#));
        order.destination = None;
        assert_eq!(body(&order), format!("{head}null}}}}"));
    }
}
