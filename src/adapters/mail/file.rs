//! Mails as files: what the service does as long as nobody tells it a server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use lettre::message::Mailbox;
use workflows::ports::{Delivery, Mail, MailError, MailPort, Receipt};

use super::{MailSetupError, message};
use crate::adapters::kept_file::keep;

/// Writes each mail as one `.eml` file, named after its Message-ID.
#[derive(Debug, Clone)]
pub struct FileMail {
    directory: PathBuf,
    from: Mailbox,
}

impl FileMail {
    /// Mails into a directory, made when missing.
    ///
    /// # Errors
    /// [`MailSetupError`].
    pub fn new(directory: &Path, from: &str) -> Result<Self, MailSetupError> {
        let from = message::sender(from)?;
        fs::create_dir_all(directory).map_err(|source| MailSetupError::Directory { path: directory.display().to_string(), source })?;
        Ok(Self { directory: directory.to_owned(), from })
    }

    /// Where a mail is, or will be.
    #[must_use]
    pub fn path_of(&self, message_id: &str) -> PathBuf {
        self.directory.join(format!("{}.eml", message::digest(message_id)))
    }

    async fn write(&self, mail: &Mail, recipients: &[String]) -> Result<Vec<Receipt>, MailError> {
        let bytes = message::compose(mail, &self.from)?;
        let path = self.path_of(&mail.message_id);
        let told = path.display().to_string();
        let is_anybody = recipients.iter().any(|recipient| message::address(recipient).is_ok());
        let written = if is_anybody { blocking(move || keep(&path, &bytes).map(drop)).await } else { Ok(()) };
        let delivery = |recipient: &String| match (message::address(recipient), &written) {
            (Err(reason), _) => Delivery::Bounced { reason },
            (Ok(_), Ok(())) => Delivery::Delivered { response: told.clone() },
            (Ok(_), Err(error)) => Delivery::Temporary { reason: format!("{told}: {error}") },
        };
        Ok(recipients.iter().map(|recipient| Receipt { recipient: recipient.clone(), delivery: delivery(recipient) }).collect())
    }
}

impl MailPort for FileMail {
    fn send<'a>(&'a self, mail: &'a Mail, recipients: &'a [String]) -> BoxFuture<'a, Result<Vec<Receipt>, MailError>> {
        self.write(mail, recipients).boxed()
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::mail::message::tests::mail;

    fn files(directory: &Path) -> Vec<PathBuf> {
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect()
    }

    #[tokio::test]
    async fn a_mail_is_one_file_however_often_it_is_sent() {
        let directory = tempfile::tempdir().expect("a directory");
        let port = FileMail::new(&directory.path().join("mail"), "Finance <finance@example.com>").expect("a directory");
        let mail = mail();
        let (first, second) = tokio::join!(port.send(&mail, &mail.to), port.send(&mail, &mail.to));
        assert!(matches!(&first.expect("written")[..], [Receipt { delivery: Delivery::Delivered { .. }, .. }]));
        assert!(second.is_ok());
        let path = port.path_of(&mail.message_id);
        assert_eq!(files(&directory.path().join("mail")), std::slice::from_ref(&path));
        let written = fs::read(&path).expect("a file");
        assert_eq!(written, message::compose(&mail, &port.from).expect("bytes"));
        port.send(&Mail { text: "other".into(), ..mail.clone() }, &mail.to).await.expect("written");
        assert_eq!(fs::read(&path).expect("a file"), written, "what was sent stays as it was");
    }

    #[tokio::test]
    async fn a_directory_that_is_gone_is_for_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let port = FileMail::new(&directory.path().join("mail"), "finance@example.com").expect("a directory");
        fs::remove_dir(directory.path().join("mail")).expect("it is empty");
        let mail = mail();
        let receipts = port.send(&mail, &mail.to).await.expect("nothing is wrong with it");
        assert!(matches!(&receipts[..], [Receipt { delivery: Delivery::Temporary { .. }, .. }]), "{receipts:?}");
    }

    #[tokio::test]
    async fn addresses_that_are_none_bounce_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let port = FileMail::new(directory.path(), "finance@example.com").expect("a directory");
        let to = vec!["jo@example.com".to_owned(), "nobody".to_owned(), "a@b\r\nBcc: c@d".to_owned()];
        let receipts = port.send(&Mail { to: to.clone(), ..mail() }, &to).await.expect("written");
        let bounced: Vec<bool> = receipts.iter().map(|receipt| matches!(receipt.delivery, Delivery::Bounced { .. })).collect();
        assert_eq!(bounced, [false, true, true]);
        assert_eq!(files(directory.path()).len(), 1);
    }
}
