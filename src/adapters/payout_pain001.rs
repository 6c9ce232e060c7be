//! Payouts by a file for the bank: a request waits until `export pain001` takes it into one, and a person passes on the bank's word.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::bank_file;
use program::payout::Destination;
use serde::Deserialize;
use serde_json::value::RawValue;
use workflows::ports::{Capabilities, Handling, PayoutPort, PayoutRequest, PortError, Word};

use super::kept_file;

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
    let destination = Destination::from_canonical(data.destination.get()).ok_or_else(|| unusable("its destination can't be read".into()))?;
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

    #[tokio::test]
    async fn what_no_file_can_pay_is_not_taken() {
        let asked = async |destination: &str| {
            let body = format!(r#"{{"data":{{"destination":{destination}}},"type":"payout.requested"}}"#).into_bytes();
            Pain001Payouts.request(&PayoutRequest { payout: "pay_1".into(), idempotency_key: "k".into(), body }).await
        };
        let account = |name: &str, iban: &str| format!(r#"{{"bic":"COBADEFFXXX","iban":"{iban}","name":"{name}"}}"#);
        let iban = "DE89370400440532013000";
        assert_eq!(asked(&account("Acme", iban)).await, Ok(Word::Accepted { provider_id: None }));
        let token = r#"{"name":"Acme","token":"tok_1"}"#.to_owned();
        let others = [(token, "token"), (account("…", iban), "name"), (account("Acme", "DE00"), "destination"), ("null".into(), "destination")];
        for (destination, said) in others.into_iter().chain([("}".into(), "pay_1")]) {
            let error = asked(&destination).await.expect_err(said);
            assert!(matches!(&error, PortError::Unusable { reason } if reason.contains(said)), "{error}");
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
