//! Mail: written from templates, put on the wire, and handed to a server or a directory.

pub mod file;
pub mod letter;

mod message;
pub mod smtp;
pub mod templates;

use workflows::ports::MailPort;

use self::file::FileMail;
use self::smtp::SmtpMail;
use crate::config;

/// A way to send mail that can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    /// The sender's address can't be read.
    #[error("mail.from = {from:?} is not an address: {reason}")]
    From {
        /// What was given.
        from: String,
        /// Why.
        reason: String,
    },
    /// The directory can't be made.
    #[error("the directory {path} for mails can't be made: {source}")]
    Directory {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificates can't be used.
    #[error("the certificates in {path} can't be used: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// The way to send mail that is configured.
///
/// # Errors
/// [`MailSetupError`].
pub fn of_config(mail: &config::Mail) -> Result<Box<dyn MailPort>, MailSetupError> {
    Ok(match &mail.transport {
        config::Transport::File { directory } => Box::new(FileMail::new(directory, &mail.from)?),
        config::Transport::Smtp(smtp) => Box::new(SmtpMail::new(smtp, &mail.from)?),
    })
}
