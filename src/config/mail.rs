//! `[mail]`: how mail goes out.

use std::path::PathBuf;
use std::time::Duration;

use super::layers::Layers;
use super::{SECOND, Secret, checks};

/// `[mail]`.
#[derive(Debug)]
pub struct Mail {
    /// How.
    pub transport: Transport,
    /// From whom: `address` or `Name <address>`.
    pub from: String,
    /// Templates that go before the built-in ones.
    pub templates: Option<PathBuf>,
}

/// How mail goes out.
#[derive(Debug)]
pub enum Transport {
    /// Into a directory.
    File {
        /// Which.
        directory: PathBuf,
    },
    /// To a server.
    Smtp(Smtp),
}

/// A mail server.
#[derive(Debug)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: Tls,
    /// Who we are to it.
    pub credentials: Option<(String, Secret)>,
    /// Certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one mail may take.
    pub timeout: Duration,
}

/// How a connection is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all; on this machine only.
    None,
    /// From the first byte.
    Implicit,
    /// After a word in clear; refused if the server can't.
    StartTls,
}

pub(super) fn read(layers: &mut Layers) -> Option<Mail> {
    let tls = layers.choice("mail.tls", &[("starttls", Tls::StartTls), ("implicit", Tls::Implicit), ("none", Tls::None)]);
    let port = layers.count("mail.port", &(1..=u16::MAX));
    let timeout = layers.duration("mail.timeout", &(SECOND..=Duration::from_mins(30)));
    let from = layers.needed("mail.from", "to send mail");
    if let Some(Err(error)) = from.as_deref().map(str::parse::<lettre::message::Mailbox>) {
        layers.wrong(
            "mail.from",
            format_args!("is not an address: {error}"),
            Some("write finance@example.com, or Finance <finance@example.com>".into()),
        );
    }
    let transport = match layers.choice("mail.transport", &[("file", false), ("smtp", true)]) {
        Some(true) => smtp(layers, tls, port, timeout).map(Transport::Smtp),
        Some(false) => {
            layers.needed("mail.directory", "where mail.transport is \"file\"").map(|directory| Transport::File { directory: directory.into() })
        }
        None => None,
    };
    Some(Mail { transport: transport?, from: from?, templates: layers.path("mail.templates") })
}

fn smtp(layers: &mut Layers, tls: Option<Tls>, port: Option<u16>, timeout: Option<Duration>) -> Option<Smtp> {
    let because = "where mail.transport is \"smtp\"";
    let host = layers.needed("mail.host", because);
    if layers.text("mail.from").is_some_and(|from| from.trim_end_matches('>').ends_with("@localhost"))
        && !host.as_deref().is_some_and(checks::is_loopback)
    {
        layers.wrong(
            "mail.from",
            "is nobody's address outside this machine",
            Some("write who the mails are from, such as finance@example.com".into()),
        );
    }
    if tls == Some(Tls::None) && !host.as_deref().is_none_or(checks::is_loopback) {
        layers.wrong("mail.tls", "sends mails and passwords in clear", Some("only localhost may be spoken to without TLS; use \"starttls\"".into()));
    }
    let credentials = match (layers.text("mail.username").map(str::to_owned), layers.text("mail.password").map(str::to_owned)) {
        (Some(username), Some(password)) => Some((username, Secret::new(password))),
        (Some(_), None) => {
            layers.missing("mail.password", "where there is a mail.username");
            None
        }
        (None, Some(_)) => {
            layers.missing("mail.username", "where there is a mail.password");
            None
        }
        (None, None) => None,
    };
    let usual_port = if tls == Some(Tls::Implicit) { 465 } else { 587 };
    Some(Smtp { host: host?, port: port.unwrap_or(usual_port), tls: tls?, credentials, ca_file: layers.path("mail.ca_file"), timeout: timeout? })
}
