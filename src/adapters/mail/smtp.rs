//! Mail by SMTP, one connection a mail, with an answer for each recipient.
//!
//! # Source
//! RFC 5321; RFC 8314 for TLS. The library's own way to send gives up on a mail when one of its recipients is refused, so the commands are
//! given one by one.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use workflows::ports::{Delivery, Mail, MailError, MailPort, Receipt};

use super::{MailSetupError, message};
use crate::config::{Smtp, Tls};

/// Characters of a server's words that are kept.
const REASON_MAX: usize = 500;
/// How long to wait for a goodbye.
const QUIT_LIMIT: Duration = Duration::from_secs(2);

/// A mail server.
pub struct SmtpMail {
    host: String,
    port: u16,
    tls: Option<(Tls, TlsParameters)>,
    credentials: Option<Credentials>,
    timeout: Duration,
    from: Mailbox,
}

/// Without the password.
impl std::fmt::Debug for SmtpMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpMail").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl SmtpMail {
    /// A server as configured; nothing is said to it yet.
    ///
    /// # Errors
    /// [`MailSetupError`].
    pub fn new(smtp: &Smtp, from: &str) -> Result<Self, MailSetupError> {
        let tls = match smtp.tls {
            Tls::None => None,
            Tls::Implicit | Tls::StartTls => Some((smtp.tls, tls_parameters(smtp)?)),
        };
        let credentials = smtp.credentials.as_ref().map(|(username, password)| Credentials::new(username.clone(), password.expose().to_owned()));
        Ok(Self { host: smtp.host.clone(), port: smtp.port, tls, credentials, timeout: smtp.timeout, from: message::sender(from)? })
    }

    async fn hand_over(&self, mail: &Mail, recipients: &[String]) -> Result<Vec<Receipt>, MailError> {
        let bytes = message::compose(mail, &self.from)?;
        let mut talk = Talk::new(recipients);
        if talk.open().next().is_some() {
            let said = tokio::time::timeout(self.timeout, self.talk(&mut talk, &bytes)).await;
            let trouble = match said {
                Ok(Ok(())) => None,
                Ok(Err(reason)) => Some(reason),
                Err(_) => Some(format!("no answer within {} s", self.timeout.as_secs())),
            };
            if let Some(reason) = trouble {
                let afterwards = if talk.is_data_sent { "; the mail may have arrived" } else { "" };
                talk.end(&Delivery::Temporary { reason: format!("{reason}{afterwards}") });
            }
        }
        Ok(talk.receipts())
    }

    /// What goes wrong with the connection is an error; what the server says of a recipient or the mail is kept.
    async fn talk(&self, talk: &mut Talk, bytes: &[u8]) -> Result<(), String> {
        let mut connection = self.connect().await.map_err(|error| told(&error))?;
        let said = self.envelope_and_data(&mut connection, talk, bytes).await;
        // The mail is handed over or not, whatever becomes of the goodbye.
        let _ = tokio::time::timeout(QUIT_LIMIT, connection.abort()).await;
        said
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let hello = ClientId::default();
        let implicit = self.tls.as_ref().filter(|(tls, _)| *tls == Tls::Implicit).map(|(_, parameters)| parameters.clone());
        let address = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &hello, implicit, None).await?;
        if let Some((Tls::StartTls, parameters)) = &self.tls {
            // A server that does not offer it is an error: nothing is sent in clear.
            connection.starttls(parameters.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        Ok(connection)
    }

    async fn envelope_and_data(&self, connection: &mut AsyncSmtpConnection, talk: &mut Talk, bytes: &[u8]) -> Result<(), String> {
        if let Err(error) = connection.command(MailFrom::new(Some(self.from.email.clone()), Vec::new())).await {
            talk.end(&refusal(&error)?);
            return Ok(());
        }
        for at in talk.open().collect::<Vec<_>>() {
            let Ok(address) = &talk.addresses[at] else { continue };
            if let Err(error) = connection.command(Rcpt::new(address.clone(), Vec::new())).await {
                talk.outcomes[at] = Some(refusal(&error)?);
            }
        }
        if talk.open().next().is_none() {
            return Ok(());
        }
        if let Err(error) = connection.command(Data).await {
            talk.end(&refusal(&error)?);
            return Ok(());
        }
        talk.is_data_sent = true;
        let delivery = match connection.message(bytes).await {
            Ok(response) => Delivery::Delivered { response: message::one_line(&response.message().collect::<Vec<_>>().join(" "), REASON_MAX) },
            Err(error) => refusal(&error)?,
        };
        talk.end(&delivery);
        Ok(())
    }
}

impl MailPort for SmtpMail {
    fn send<'a>(&'a self, mail: &'a Mail, recipients: &'a [String]) -> BoxFuture<'a, Result<Vec<Receipt>, MailError>> {
        self.hand_over(mail, recipients).boxed()
    }
}

/// What is known of each recipient while a mail is handed over.
struct Talk {
    recipients: Vec<String>,
    addresses: Vec<Result<Address, String>>,
    outcomes: Vec<Option<Delivery>>,
    is_data_sent: bool,
}

impl Talk {
    fn new(recipients: &[String]) -> Self {
        let addresses: Vec<_> = recipients.iter().map(|recipient| message::address(recipient)).collect();
        let outcomes = addresses.iter().map(|address| address.as_ref().err().map(|reason| Delivery::Bounced { reason: reason.clone() })).collect();
        Self { recipients: recipients.to_vec(), addresses, outcomes, is_data_sent: false }
    }

    /// Those whose end is not known yet.
    fn open(&self) -> impl Iterator<Item = usize> {
        self.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_none()).map(|(at, _)| at)
    }

    /// Ends all that are open.
    fn end(&mut self, delivery: &Delivery) {
        for outcome in self.outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome = Some(delivery.clone());
        }
    }

    fn receipts(self) -> Vec<Receipt> {
        let never_asked = || Delivery::Temporary { reason: "the server was not asked".into() };
        let pairs = self.recipients.into_iter().zip(self.outcomes);
        pairs.map(|(recipient, outcome)| Receipt { recipient, delivery: outcome.unwrap_or_else(never_asked) }).collect()
    }
}

/// 5xx: never; 4xx: later; anything else is the connection's trouble.
fn refusal(error: &SmtpError) -> Result<Delivery, String> {
    let reason = told(error);
    if error.is_permanent() {
        Ok(Delivery::Bounced { reason })
    } else if error.is_transient() {
        Ok(Delivery::Temporary { reason })
    } else {
        Err(reason)
    }
}

fn told(error: &SmtpError) -> String {
    message::one_line(&error.to_string(), REASON_MAX)
}

fn tls_parameters(smtp: &Smtp) -> Result<TlsParameters, MailSetupError> {
    let path = smtp.ca_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let unusable = |reason: String| MailSetupError::Certificates { path: path.clone(), reason };
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(file) = &smtp.ca_file {
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?);
    }
    builder.build_rustls().map_err(|error| unusable(error.to_string()))
}
