//! A mail as bytes: the same bytes for every attempt, and nothing of what it says can become a header.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, Message, MultiPart, MultiPartKind, SinglePart};
use sha2::{Digest, Sha256};
use workflows::ports::{Mail, MailError};

use super::MailSetupError;

/// Recipients of one mail.
const RECIPIENTS_MAX: usize = 50;
/// Files with one mail.
const ATTACHMENTS_MAX: usize = 10;
/// Everything in one mail; few servers take more.
const CONTENT_MAX_BYTES: usize = 20 << 20;
/// Characters of a subject.
const SUBJECT_MAX: usize = 200;
/// Characters of a file's name.
const FILE_NAME_MAX: usize = 100;
/// The longest Message-ID: with its name it must fit on a line.
const MESSAGE_ID_MAX_BYTES: usize = 200;

/// The sender as configured.
pub(super) fn sender(from: &str) -> Result<Mailbox, MailSetupError> {
    let unusable = |reason: String| MailSetupError::From { from: from.into(), reason };
    let mailbox: Mailbox = from.parse().map_err(|error: lettre::address::AddressError| unusable(error.to_string()))?;
    address(mailbox.email.as_ref()).map_err(unusable)?;
    Ok(Mailbox::new(mailbox.name.map(|name| one_line(&name, SUBJECT_MAX)), mailbox.email))
}

/// An address that can be written into a command and a header as it is.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'(' | b')' | b',' | b';' | b':' | b'\\'));
    if !is_plain {
        return Err("the address has characters that are not taken; write a name with accents or another script in its ASCII form".into());
    }
    text.parse().map_err(|error: lettre::address::AddressError| error.to_string())
}

/// The whole mail.
///
/// # Errors
/// [`MailError`].
///
/// # Idempotency
/// The same mail gives the same bytes.
pub(super) fn compose(mail: &Mail, from: &Mailbox) -> Result<Vec<u8>, MailError> {
    check_limits(mail)?;
    check_message_id(&mail.message_id)?;
    let unwritable = |reason: String| MailError::Unwritable { message_id: mail.message_id.clone(), reason };
    let mut builder = Message::builder().message_id(Some(mail.message_id.clone())).date(moment(mail).map_err(unwritable)?).from(from.clone());
    let recipients: Vec<Address> = mail.to.iter().filter_map(|to| address(to).ok()).collect();
    // A mail whose every recipient is wrong is never sent, but written all the same.
    for to in &recipients {
        builder = builder.to(Mailbox::new(None, to.clone()));
    }
    let sender = from.email.clone();
    builder = builder
        .subject(one_line(&mail.subject, SUBJECT_MAX))
        .envelope(Envelope::new(Some(sender.clone()), vec![sender]).map_err(|error| unwritable(error.to_string()))?);
    let mut message = builder.multipart(parts(mail).map_err(unwritable)?).map_err(|error| unwritable(error.to_string()))?;
    // No holiday note in return.
    message.headers_mut().insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()));
    Ok(message.formatted())
}

/// The name of a mail's file, and what its boundaries are made of.
pub(super) fn digest(message_id: &str) -> String {
    hex::encode(Sha256::digest(message_id)).chars().take(40).collect()
}

fn check_limits(mail: &Mail) -> Result<(), MailError> {
    let message_id = || mail.message_id.chars().take(MESSAGE_ID_MAX_BYTES).collect();
    if mail.to.is_empty() {
        return Err(MailError::NoRecipient { message_id: message_id() });
    }
    let bytes = mail.text.len() + mail.html.len() + mail.attachments.iter().map(|attachment| attachment.bytes.len()).sum::<usize>();
    for (what, count, most) in
        [("recipients", mail.to.len(), RECIPIENTS_MAX), ("attachments", mail.attachments.len(), ATTACHMENTS_MAX), ("bytes", bytes, CONTENT_MAX_BYTES)]
    {
        if count > most {
            return Err(MailError::TooMuch { message_id: message_id(), what, count, most });
        }
    }
    Ok(())
}

/// `<left@right>`, nothing that ends it early.
fn check_message_id(message_id: &str) -> Result<(), MailError> {
    let inner = message_id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|inner| inner.split_once('@'));
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'@' | b'"'));
    if message_id.len() <= MESSAGE_ID_MAX_BYTES && inner.is_some_and(|(left, right)| is_plain(left) && is_plain(right)) {
        return Ok(());
    }
    Err(MailError::MessageId { message_id: message_id.chars().take(MESSAGE_ID_MAX_BYTES).collect() })
}

fn moment(mail: &Mail) -> Result<SystemTime, String> {
    let since = u64::try_from(mail.at.0).map_err(|_| "it is from before 1970".to_owned())?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(since)).ok_or_else(|| "its date is too late".to_owned())
}

fn parts(mail: &Mail) -> Result<MultiPart, String> {
    let digest = digest(&mail.message_id);
    let alternative = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("alternative-{digest}"))
        .singlepart(text_part(&mail.text, ContentType::TEXT_PLAIN)?)
        .singlepart(text_part(&mail.html, ContentType::TEXT_HTML)?);
    let mixed = MultiPart::builder().kind(MultiPartKind::Mixed).boundary(format!("mixed-{digest}")).multipart(alternative);
    mail.attachments.iter().try_fold(mixed, |mixed, attachment| Ok(mixed.singlepart(attached(attachment)?)))
}

/// Encoded, so that no line end and no byte over 127 of the text is on the wire as it is.
fn text_part(text: &str, content_type: ContentType) -> Result<SinglePart, String> {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let body = Body::new_with_encoding(lines, ContentTransferEncoding::QuotedPrintable).map_err(|_| "its text can't be encoded".to_owned())?;
    Ok(SinglePart::builder().header(content_type).body(body))
}

fn attached(attachment: &workflows::ports::Attachment) -> Result<SinglePart, String> {
    let content_type = ContentType::parse(&attachment.media_type).map_err(|_| format!("{:?} is not a type of file", attachment.media_type))?;
    let body = Body::new_with_encoding(attachment.bytes.clone(), ContentTransferEncoding::Base64)
        .map_err(|_| "its attachment can't be encoded".to_owned())?;
    Ok(Attachment::new(file_name(&attachment.name)).body(body, content_type))
}

/// Only what no system takes for anything else.
fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().take(FILE_NAME_MAX).map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    let visible = plain.trim_start_matches('.');
    if visible.is_empty() { "attachment".into() } else { visible.into() }
}

/// Nothing that could end a header, hide, or turn what is beside it.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let turns = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().take(most).map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
pub(super) mod tests;
