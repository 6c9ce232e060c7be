//! Payouts by a file for the bank: a request waits until `export pain001` takes it into one, and a person passes on the bank's word.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::bank_file;
use program::payout::Destination as Account;
use serde::Deserialize;
use serde_json::value::RawValue;
use workflows::ports::{Capabilities, Destination, Handling, PayoutOrder, PayoutPort, PayoutRequest, PortError, Word};

use super::{kept_file, payout_body};

/// Asks nobody: the payout waits for its file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pain001Payouts;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    destination: &'a RawValue,
}

impl PayoutPort for Pain001Payouts {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            adapter: books::payouts::bank_files::PAIN001,
            handling: Handling::Files,
            looks_up: false,
            dedupe_window: None,
            reports_by_webhook: false,
            poll_every: None,
        }
    }

    fn compose(&self, order: &PayoutOrder) -> Result<Vec<u8>, PortError> {
        let unusable = |reason: String| PortError::Unusable { reason: format!("{}: {reason}", order.payout) };
        let destination = match &order.destination {
            Some(Destination::Account { name, iban, bic }) => Account::bank(name, iban, bic),
            Some(Destination::Token { name, token }) => Account::token(name, token),
            None => return Err(unusable("it has no destination".into())),
        };
        let destination = destination.map_err(|error| unusable(error.to_string()))?;
        bank_file::payable(&destination).map_err(|error| unusable(error.to_string()))?;
        payout_body::compose(order)
    }

    fn request<'a>(&'a self, request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>> {
        async { accept(request) }.boxed()
    }

    fn look_up<'a>(&'a self, _payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>> {
        async { Err(PortError::Unsupported { adapter: "pain001", what: "look a payout up: ask the bank" }) }.boxed()
    }
}

/// The books hold what no file can pay; what comes here nevertheless must not wait for a file in silence.
fn accept(request: &PayoutRequest) -> Result<Word, PortError> {
    let unusable = |reason: String| PortError::Unusable { reason: format!("{}: {reason}", request.payout) };
    let Body { data } = serde_json::from_slice(&request.body).map_err(|error| unusable(error.to_string()))?;
    let destination = Account::from_canonical(data.destination.get()).ok_or_else(|| unusable("its destination can't be read".into()))?;
    bank_file::payable(&destination).map_err(|error| unusable(error.to_string()))?;
    Ok(Word::Accepted { provider_id: None })
}

/// Writes a file for the bank down, whole or not at all, into a directory that is made when missing. Where it is.
///
/// # Idempotency
/// The name: the same bytes that are there already are left alone.
///
/// # Errors
/// The directory can't be written, or has other bytes under the name.
pub(crate) fn write_down(directory: &Path, name: &str, content: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let path = directory.join(name);
    if !kept_file::keep(&path, content.as_bytes())? && fs::read(&path)? != content.as_bytes() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "other bytes are there under its name; move them away and run the command again"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(destination: Option<Destination>) -> PayoutOrder {
        PayoutOrder {
            payout: "pay_1".into(),
            kind: "settlement".into(),
            reference: "p/2026-04/acme/EUR".into(),
            partner: "acme".into(),
            amount: "25.00".into(),
            currency: "EUR".into(),
            destination,
            at: "2026-05-01T06:00:00Z".parse().expect("an instant"),
        }
    }

    fn account(name: &str, iban: &str) -> Destination {
        Destination::Account { name: name.into(), iban: iban.into(), bic: "COBADEFFXXX".into() }
    }

    #[tokio::test]
    async fn what_no_file_can_pay_is_not_taken() {
        let iban = "DE89370400440532013000";
        let good = order(Some(account("Acme", iban)));
        let token = Destination::Token { name: "Acme".into(), token: "tok_1".into() };
        assert!(matches!(Pain001Payouts.compose(&order(None)), Err(PortError::Unusable { .. })));
        for (wrong, said) in [(token.clone(), "token"), (account("…", iban), "name"), (account("Acme", "DE00"), "IBAN")] {
            let error = Pain001Payouts.compose(&order(Some(wrong))).expect_err(said);
            assert!(matches!(&error, PortError::Unusable { reason } if reason.contains(said)), "{error}");
        }
        let body = Pain001Payouts.compose(&good).expect("it can be paid");
        let request = PayoutRequest { payout: "pay_1".into(), idempotency_key: "k".into(), body };
        assert_eq!(Pain001Payouts.request(&request).await, Ok(Word::Accepted { provider_id: None }));
        let body = payout_body::compose(&order(Some(token))).expect("bytes");
        for body in [body, b"{}".to_vec(), Vec::new()] {
            let asked = Pain001Payouts.request(&PayoutRequest { body, ..request.clone() }).await;
            assert!(matches!(asked, Err(PortError::Unusable { .. })), "{asked:?}");
        }
    }

    #[test]
    fn a_file_is_written_once_and_never_over_another() {
        let directory = tempfile::tempdir().expect("a directory");
        let inner = directory.path().join("a/b");
        let path = write_down(&inner, "f.xml", "<a/>").expect("written");
        assert_eq!((fs::read_to_string(&path).expect("a file"), write_down(&inner, "f.xml", "<a/>").expect("written")), ("<a/>".into(), path));
        assert!(write_down(&inner, "f.xml", "<b/>").is_err());
        assert_eq!(fs::read_dir(&inner).expect("a directory").count(), 1, "no draft is left");
        assert!(write_down(&inner.join("f.xml"), "g.xml", "<a/>").is_err());
    }
}
