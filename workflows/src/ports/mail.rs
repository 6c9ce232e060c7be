//! Who carries mail.

use std::fmt;

use futures::future::BoxFuture;
use program::calendar::Instant;

/// Carries a mail to its recipients.
pub trait MailPort: Send + Sync {
    /// Hands a mail over for these recipients, all of them among [`Mail::to`], and tells in their order what became of it for each.
    ///
    /// # Errors
    /// [`MailError`]: no attempt will ever succeed. What may succeed later is [`Delivery::Temporary`], for each recipient that it concerns.
    ///
    /// # Idempotency
    /// The Message-ID: a repeat has the same one and the same bytes, so that a mailbox or a person knows it. Repeat only for recipients that
    /// are [`Delivery::Temporary`].
    fn send<'a>(&'a self, mail: &'a Mail, recipients: &'a [String]) -> BoxFuture<'a, Result<Vec<Receipt>, MailError>>;
}

/// A mail that has yet to be put on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// `<…@…>`, the same for every attempt.
    pub message_id: String,
    /// Whom it names as its recipients: addresses without names.
    pub to: Vec<String>,
    /// One line; control characters become spaces.
    pub subject: String,
    /// For those who read plain text.
    pub text: String,
    /// For everybody else.
    pub html: String,
    /// What goes with it.
    pub attachments: Vec<Attachment>,
    /// Its date: stored with it, never the time of an attempt.
    pub at: Instant,
}

/// Without what it says.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("message_id", &self.message_id).field("recipients", &self.to.len()).finish_non_exhaustive()
    }
}

/// A file that goes with a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name; what is not a letter, a digit, `.`, `-` or `_` becomes `_`.
    pub name: String,
    /// Its type, such as `application/pdf`.
    pub media_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What became of a mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// As it was given.
    pub recipient: String,
    /// What became of it.
    pub delivery: Delivery,
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The server has taken responsibility for it.
    Delivered {
        /// The server's words.
        response: String,
    },
    /// Not now: try again with the same Message-ID. Where the connection broke after the data, it may have arrived.
    Temporary {
        /// Why.
        reason: String,
    },
    /// Never: the server refused this recipient or the mail for good.
    Bounced {
        /// Why.
        reason: String,
    },
}

/// A mail that can't be sent, whatever the world does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Nobody to send it to.
    #[error("the mail {message_id} has no recipient")]
    NoRecipient {
        /// Whose.
        message_id: String,
    },
    /// More than the limit.
    #[error("the mail {message_id} has {count} {what}; at most {most} are sent")]
    TooMuch {
        /// Whose.
        message_id: String,
        /// Recipients, bytes or attachments.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// An id that is not `<…@…>`.
    #[error("{message_id:?} is not a Message-ID; it is written <id@host>, in ASCII, without spaces")]
    MessageId {
        /// What was given.
        message_id: String,
    },
    /// It can't be put on the wire.
    #[error("the mail {message_id} can't be written: {reason}")]
    Unwritable {
        /// Whose.
        message_id: String,
        /// Why.
        reason: String,
    },
}
