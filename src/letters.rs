//! The postman: makes a letter's words, attachment and address from the books, and hands it over.

mod claims;
mod codes;

use std::path::Path;

use books::connection::Books;
use books::load::row::LoadError;
use books::payouts::{destinations, record};
use books::{certifications, contacts, statements};
use durable::outbox::Message;
use program::calendar::Instant;
use program::payout::PayoutId;
use program::settlement::Settlement;
use sea_orm::DatabaseTransaction;
use sha2::{Digest as _, Sha256};
use workflows::letters::Letter;
use workflows::ports::{Attachment, Delivery, Mail, MailPort};

use crate::adapters::mail::letter::{self, Letter as Worded};
use crate::adapters::mail::templates::{TemplateError, Templates};
#[cfg(feature = "pdf")]
use crate::statement_pdf::{self, Look};

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Taken by the mail server, or written.
    Delivered,
    /// Refused for good.
    Bounced {
        /// Why.
        reason: String,
    },
    /// Not now.
    Later {
        /// Why.
        reason: String,
    },
    /// It can't be written: somebody has to look.
    Never {
        /// Why.
        reason: String,
    },
}

impl Sent {
    /// Its name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Bounced { .. } => "bounced",
            Self::Later { .. } => "later",
            Self::Never { .. } => "never",
        }
    }
}

/// Why a letter can't be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The books can't be read.
    #[error(transparent)]
    Books(#[from] LoadError),
    /// Its template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Its attachment can't be set.
    #[cfg(feature = "pdf")]
    #[error(transparent)]
    Statement(#[from] statement_pdf::StatementError),
    /// Whom it is for may do nothing any more, and is told nothing.
    #[error("user {id} is disabled: {reason}")]
    Disabled {
        /// Who.
        id: String,
        /// Why.
        reason: String,
    },
    /// The books don't hold what it is about.
    #[error("{0}")]
    Nothing(String),
}

/// Writes letters and hands them over.
pub struct Postman {
    mail: Box<dyn MailPort>,
    templates: Templates,
    /// What follows the @ in a letter's id.
    host: String,
    /// What links in mails begin with.
    public_url: Option<reqwest::Url>,
    #[cfg(feature = "pdf")]
    typesetter: std::sync::Arc<typeset::Typesetter>,
    #[cfg(feature = "pdf")]
    of_claims: std::sync::Arc<typeset::Typesetter>,
}

/// Why a postman can't be had.
#[derive(Debug, thiserror::Error)]
pub enum PostmanError {
    /// The way mail goes out can't be set up.
    #[error(transparent)]
    Mail(#[from] crate::adapters::mail::MailSetupError),
    /// A mail's template is wrong.
    #[error(transparent)]
    Templates(#[from] TemplateError),
    /// The statement's template or fonts are wrong.
    #[cfg(feature = "pdf")]
    #[error(transparent)]
    Statement(#[from] statement_pdf::StatementError),
}

impl Postman {
    /// As configured; every template has been tried.
    ///
    /// # Errors
    /// [`PostmanError`].
    pub fn new(mail: &crate::config::Mail, statements: &crate::config::Statements) -> Result<Self, PostmanError> {
        #[cfg(feature = "pdf")]
        let look = Look {
            template: statements.template.clone(),
            claim_template: statements.claim_template.clone(),
            fonts: statements.fonts.clone(),
            system_fonts: statements.system_fonts,
            ..Look::default()
        };
        #[cfg(not(feature = "pdf"))]
        let _ = statements;
        let host = mail.from.rsplit_once('@').map_or("tributary.invalid", |(_, host)| host.trim_end_matches('>').trim());
        Ok(Self {
            mail: crate::adapters::mail::of_config(mail)?,
            templates: Templates::load(mail.templates.as_deref().map(Path::new))?,
            host: host.to_owned(),
            public_url: None,
            #[cfg(feature = "pdf")]
            typesetter: std::sync::Arc::new(look.typesetter()?),
            #[cfg(feature = "pdf")]
            of_claims: std::sync::Arc::new(look.typesetter_of_claims()?),
        })
    }

    /// With links that begin with an address.
    #[must_use]
    pub fn linking_to(self, public_url: Option<reqwest::Url>) -> Self {
        Self { public_url, ..self }
    }

    /// Sends a message of the outbox; `now` is by the clock of the books. Writing it takes its time, so `may_leave` is asked after it.
    ///
    /// # Idempotency
    /// The letter's id is made of the message's key: every attempt carries the same one.
    pub async fn send(&self, books: &Books, message: &Message, now: Instant, may_leave: impl AsyncFnOnce() -> bool) -> Sent {
        let letter: Letter = match serde_json::from_value(message.body.clone()) {
            Ok(letter) => letter,
            Err(error) => return Sent::Never { reason: format!("the letter can't be read: {error}") },
        };
        let written = match self.token_of_link(books, &letter, now).await {
            Ok(token) => self.write(books, &letter, (&message.key, Instant(message.created_at.0)), (now, token.as_deref())).await,
            Err(error) => Err(error),
        };
        let mail = match written {
            Ok(mail) => mail,
            Err(Unwritten::Books(LoadError::Database(error))) => return Sent::Later { reason: format!("the books can't be read: {error}") },
            Err(error @ Unwritten::Disabled { .. }) => return Sent::Bounced { reason: error.to_string() },
            Err(error) => return Sent::Never { reason: error.to_string() },
        };
        if !may_leave().await {
            return Sent::Later { reason: "it was not certainly this process's to send any more".into() };
        }
        match self.mail.send(&mail, &mail.to).await {
            Ok(receipts) => worst(receipts.into_iter().map(|receipt| receipt.delivery)),
            Err(error) => Sent::Never { reason: error.to_string() },
        }
    }

    /// A letter in the words in which it is sent; its date is the beginning of time.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub async fn words(&self, books: &Books, letter: &Letter) -> Result<Mail, Unwritten> {
        self.write(books, letter, (&letter.key(), Instant(0)), (Instant(0), None)).await
    }

    /// What the link of a letter to an approver carries: made when it is sent, and kept by its digest alone.
    async fn token_of_link(&self, books: &Books, letter: &Letter, now: Instant) -> Result<Option<String>, Unwritten> {
        let (Letter::ApprovalAsked { claim, person, .. } | Letter::ApprovalReminder { claim, person, .. }) = letter else { return Ok(None) };
        if self.public_url.is_none() {
            return Ok(None);
        }
        codes::link(books, claim, person, now).await.map(Some)
    }

    async fn write(
        &self,
        books: &Books,
        letter: &Letter,
        (key, at): (&str, Instant),
        (now, token): (Instant, Option<&str>),
    ) -> Result<Mail, Unwritten> {
        let Told { to, worded, attachments } = if let Letter::ApprovalCode { code } = letter {
            codes::write(books, code, now).await?
        } else {
            let tx = books.begin_read().await.map_err(LoadError::from)?;
            let told = self.told(&tx, letter, token).await;
            tx.rollback().await.map_err(LoadError::from)?;
            told?
        };
        let words = self.templates.write(&worded)?;
        let digest = hex::encode(Sha256::digest(key.as_bytes()));
        Ok(Mail {
            message_id: format!("<{}@{}>", &digest[..32], self.host),
            to: vec![to],
            subject: words.subject,
            text: words.text,
            html: words.html,
            attachments,
            at,
        })
    }

    async fn told(&self, tx: &DatabaseTransaction, letter: &Letter, token: Option<&str>) -> Result<Told, Unwritten> {
        match letter {
            Letter::Statement { program, partner, period, currency } => {
                let stored = stored(tx, program, partner, period, currency).await?;
                let (name, to) = address(tx, partner).await?;
                let Settlement { totals, currency, .. } = &stored.settlement;
                let text = |minor| currency.format_minor(minor);
                let worded = Worded::Statement(letter::Statement {
                    partner: name,
                    program: programme(tx, program).await?,
                    period: period.clone(),
                    currency: currency.code().into(),
                    net: text(totals.net_minor),
                    cash_payout: text(totals.cash_payout_minor),
                    carried_forward: text(totals.carried_forward_minor),
                    coop_credit: text(totals.coop_credit_minor),
                });
                let attachments = self.statement(tx, program, stored).await?;
                Ok(Told { to, worded, attachments })
            }
            Letter::CarriedForward { program, partner, period, currency } => {
                let stored = stored(tx, program, partner, period, currency).await?;
                let (name, to) = address(tx, partner).await?;
                let Settlement { totals, currency, period: month, .. } = &stored.settlement;
                let versions = books::load::versions::load(tx, program, i64::MAX).await?;
                let terms = &versions.on(month.last_day()).programme;
                let worded = Worded::CarriedForward(letter::CarriedForward {
                    partner: name,
                    program: terms.name.clone(),
                    period: period.clone(),
                    amount: currency.format_minor(totals.carried_forward_minor),
                    minimum: currency.format_minor(terms.settlement.minimum_minor(terms.currency, *currency)),
                    currency: currency.code().into(),
                });
                let attachments = self.statement(tx, program, stored).await?;
                Ok(Told { to, worded, attachments })
            }
            Letter::PayoutHeld { payout, reason } => {
                let id: PayoutId = payout.parse().map_err(|error: program::payout::NotAPayoutId| Unwritten::Nothing(error.to_string()))?;
                let payout = record::find(tx, &id).await?.ok_or_else(|| Unwritten::Nothing(format!("there is no payout {id}")))?;
                let (name, to) = address(tx, &payout.partner).await?;
                let worded = Worded::PayoutHeld(letter::PayoutHeld {
                    partner: name,
                    reference: payout.reference.to_string(),
                    amount: payout.currency.format_minor(payout.amount_minor),
                    currency: payout.currency.code().into(),
                    reason: reason.clone(),
                });
                Ok(Told { to, worded, attachments: Vec::new() })
            }
            Letter::PayoutFailed { payout, person } => {
                let id: PayoutId = payout.parse().map_err(|error: program::payout::NotAPayoutId| Unwritten::Nothing(error.to_string()))?;
                let payout = record::find(tx, &id).await?.ok_or_else(|| Unwritten::Nothing(format!("there is no payout {id}")))?;
                let partner = contacts::of_partner(tx, &payout.partner).await?.map_or_else(|| payout.partner.to_string(), |contact| contact.name);
                let (name, to) = match person {
                    Some(id) => claims::person(tx, id).await?,
                    None => address(tx, &payout.partner).await?,
                };
                let worded = Worded::PayoutFailed(letter::PayoutFailed {
                    name,
                    partner,
                    reference: payout.reference.to_string(),
                    payout: payout.id.to_string(),
                    amount: payout.currency.format_minor(payout.amount_minor),
                    currency: payout.currency.code().into(),
                    reason: payout.state.reason().filter(|reason| !reason.is_empty()).unwrap_or("no reason was given").to_owned(),
                    to_finance: person.is_some(),
                });
                Ok(Told { to, worded, attachments: Vec::new() })
            }
            Letter::CertificationExpiring { certification } => {
                let found = certifications::find(tx, certification).await?;
                let found = found.ok_or_else(|| Unwritten::Nothing(format!("there is no certificate {certification}")))?;
                let (name, to) = address(tx, &found.partner).await?;
                let last_day = found.expires_on.pred_opt().unwrap_or(found.expires_on);
                let worded = Worded::CertificationExpiring(letter::CertificationExpiring {
                    partner: name,
                    certification: found.certification,
                    holder: found.holder,
                    expires_on: last_day.to_string(),
                });
                Ok(Told { to, worded, attachments: Vec::new() })
            }
            Letter::DestinationChanged { destination } => {
                let changed = destinations::find(tx, destination).await.map_err(|error| Unwritten::Nothing(error.to_string()))?;
                let (name, to) = address(tx, &changed.partner).await?;
                let effective_at =
                    changed.approved.as_ref().map_or_else(|| "when a second person has approved it".into(), |(_, _, from)| from.to_string());
                let worded = Worded::DestinationChanged(letter::DestinationChanged {
                    partner: name,
                    currency: changed.currency.code().into(),
                    ends_in: changed.destination.ends_in(),
                    requested_at: changed.added_at.to_string(),
                    effective_at,
                });
                Ok(Told { to, worded, attachments: Vec::new() })
            }
            Letter::ApprovalAsked { claim, step, escalated, person, .. } => {
                claims::approval(self, tx, claim, (*step, *escalated, 0), (person, token)).await
            }
            Letter::NobodyToAsk { claim, step, person, .. } => claims::nobody_to_ask(tx, claim, *step, person).await,
            Letter::ApprovalReminder { claim, step, number, person, .. } => {
                claims::approval(self, tx, claim, (*step, false, *number), (person, token)).await
            }
            Letter::ApprovalCode { .. } => Err(Unwritten::Nothing("a code is made in a transaction of its own".into())),
            Letter::ClaimDecided { claim, round, status } => claims::decided(tx, claim, *round, status).await,
            Letter::ClaimFailed { claim, person } => claims::failed(tx, claim, person.as_deref()).await,
            Letter::ClaimStatement { claim } => claims::statement(self, tx, claim).await,
        }
    }

    #[cfg(feature = "pdf")]
    async fn statement(&self, tx: &DatabaseTransaction, program: &str, stored: statements::StoredSettlement) -> Result<Vec<Attachment>, Unwritten> {
        let name = format!("statement-{}-{}.pdf", stored.settlement.period, stored.settlement.currency);
        let mut models = statement_pdf::models(tx, program, &[stored]).await?;
        let Some(model) = models.pop() else { return Ok(Vec::new()) };
        let typesetter = std::sync::Arc::clone(&self.typesetter);
        let set = tokio::task::spawn_blocking(move || typesetter.statement_with(&model.statement, &model.reasons)).await;
        let typeset = set.map_err(|error| Unwritten::Nothing(format!("setting the statement failed: {error}")))?;
        let typeset = typeset.map_err(statement_pdf::StatementError::from)?;
        Ok(vec![Attachment { name, media_type: "application/pdf".into(), bytes: typeset.pdf }])
    }

    #[cfg(not(feature = "pdf"))]
    #[allow(clippy::unused_async, reason = "with the feature it waits")]
    async fn statement(
        &self,
        _tx: &DatabaseTransaction,
        _program: &str,
        _stored: statements::StoredSettlement,
    ) -> Result<Vec<Attachment>, Unwritten> {
        Ok(Vec::new())
    }
}

struct Told {
    to: String,
    worded: Worded,
    attachments: Vec<Attachment>,
}

/// One recipient who may get it later decides before one who never will, and that one before those who have it.
fn worst(deliveries: impl Iterator<Item = Delivery>) -> Sent {
    let mut sent = Sent::Delivered;
    for delivery in deliveries {
        match (&sent, delivery) {
            (Sent::Later { .. }, _) | (_, Delivery::Delivered { .. }) => {}
            (_, Delivery::Temporary { reason }) => sent = Sent::Later { reason },
            (_, Delivery::Bounced { reason }) => sent = Sent::Bounced { reason },
        }
    }
    sent
}

async fn stored(
    tx: &DatabaseTransaction,
    program: &str,
    partner: &str,
    period: &str,
    currency: &str,
) -> Result<statements::StoredSettlement, Unwritten> {
    let month = period.parse().map_err(|error: program::calendar::CalendarError| Unwritten::Nothing(error.to_string()))?;
    let all = statements::of_partner(tx, program, partner, month).await?;
    let found = all.into_iter().find(|stored| stored.settlement.currency.code() == currency);
    found.ok_or_else(|| Unwritten::Nothing(format!("there is no settlement of {partner} for {period} in {currency}")))
}

async fn address(tx: &DatabaseTransaction, partner: &str) -> Result<(String, String), Unwritten> {
    let contact = contacts::of_partner(tx, partner).await?.ok_or_else(|| Unwritten::Nothing(format!("partner {partner} is not recorded")))?;
    let no_address = || Unwritten::Nothing(format!("partner {partner} has no e-mail address; import one, then send it again"));
    Ok((contact.name, contact.email.ok_or_else(no_address)?))
}

async fn programme(tx: &DatabaseTransaction, program: &str) -> Result<String, Unwritten> {
    Ok(books::load::versions::load(tx, program, i64::MAX).await?.constant().name.clone())
}
