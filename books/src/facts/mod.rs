//! Facts that others tell by webhook (interface.md §5): recorded once each, by the checks of an import, with the mark that they came in one
//! transaction (reliability.md §3.7, §3.14; invariant 25). What refers to something that is not recorded yet is parked where people see it,
//! and tried again when that is there.

mod line;
pub mod parked;
mod receive;

use serde::{Deserialize, Serialize, Serializer};

pub use self::receive::receive;
use crate::load::row::LoadError;
use crate::record::{FactKind, ImportErrors, RecordError};
use crate::users::PersonError;

/// Messages that may be parked at the same time; beyond it they are refused, to be sent again.
pub const PARKED_MAX: i64 = 10_000;
/// Waits for the payment of an invoice.
pub(crate) const PAYMENT: &str = "payment of invoice";
/// Waits for a change of an invoice's refunds.
pub(crate) const ROOM: &str = "room on invoice";
/// Waits to hear which invoice a payment was for.
pub(crate) const INVOICE_OF: &str = "invoice of payment";
/// What the origin of a recording begins with that came by webhook.
pub(crate) const ORIGIN: &str = "webhook:";

/// Whose messages these are; each has ids of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Whoever has the key of `/webhooks/facts`.
    Facts,
    /// Stripe.
    Stripe,
}

impl Source {
    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Stripe => "stripe",
        }
    }
}

/// A message whose signature was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose.
    pub source: Source,
    /// The sender's id of it.
    pub event: String,
    /// Its type, in the sender's words.
    pub what: String,
    /// The SHA-256 of its body; of an event of Stripe's, whose body differs from delivery to delivery, that of what it says.
    pub body_digest: String,
    /// Payments and the invoices that they were for.
    pub payments: Vec<(String, String)>,
    /// What it says.
    pub says: Says,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Nothing that is recorded.
    Nothing,
    /// Facts of one kind, recorded together or not at all.
    Facts {
        /// Their kind.
        #[serde(serialize_with = "by_name")]
        kind: FactKind,
        /// The facts.
        facts: Vec<Fact>,
    },
    /// That a refund, which may be recorded, did not happen after all.
    Undone {
        /// The refund.
        refund: String,
    },
    /// What only a person can judge, and why.
    Unclear(String),
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn by_name<S: Serializer>(kind: &FactKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// A fact as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// A row of interface.md §2: a JSON object on one line.
    pub row: String,
    /// Of a refund whose row lacks them, what its invoice, amount and date follow from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
}

/// Money that went back, as who moved it knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The invoice, if it is told.
    pub invoice: Option<String>,
    /// Else the payment that it went back of, by each of its names (at most two).
    pub payments: Vec<String>,
    /// How much, with tax, in major units.
    pub gross: String,
    /// In which currency.
    pub currency: String,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// Whether it counts from the payment of the invoice, where it came before.
    pub from_payment: bool,
    /// Whether the time is that of the message: once it is recorded, what tells it again has another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_first_told: bool,
    /// The refund with which it can't stand: a dispute that is lost, with its win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What it says is recorded.
    Recorded,
    /// It says nothing of meaning here.
    Ignored,
    /// It waits for something that is not recorded yet, or for a person.
    Parked,
}

impl Answer {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
        }
    }

    fn named(name: &str) -> Result<Self, LoadError> {
        let all = [Self::Recorded, Self::Ignored, Self::Parked];
        all.into_iter().find(|answer| answer.name() == name).ok_or_else(|| LoadError::Corrupt { value: name.into(), what: "an answer" })
    }
}

/// Why a message was not taken; nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// Its id came with another body before.
    #[error("the message {0} came before with another body")]
    OtherBody(String),
    /// Its facts are wrong for good.
    #[error("{}", reasons(.0))]
    Refused(ImportErrors),
    /// Too many wait already.
    #[error("{PARKED_MAX} messages are parked; see `tributary facts parked`")]
    Full,
    /// Nothing is parked under the id.
    #[error("no message {0} is parked; `tributary facts parked` lists them")]
    NotParked(String),
    /// A text can't be taken, or the person may not.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The facts can't be recorded now.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database failed or holds what can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl FactError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::OtherBody(_) | Self::Refused(_) | Self::NotParked(_) => true,
            Self::Person(error) => error.is_input(),
            Self::Full | Self::Record(_) | Self::Load(_) => false,
        }
    }

    fn is_transient(&self) -> bool {
        let (Self::Load(LoadError::Database(error)) | Self::Record(RecordError::Database(error))) = self else { return false };
        crate::connection::is_transient(error)
    }
}

impl From<sea_orm::DbErr> for FactError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Load(error.into())
    }
}

/// Reasons of one message at most, and characters of each.
const REASONS_MAX: usize = 5;
const REASON_CHARS_MAX: usize = 400;

/// What is wrong with facts, in words, without the lines that a message does not have.
fn reasons(errors: &ImportErrors) -> String {
    let mut all: Vec<String> = errors
        .errors
        .iter()
        .take(REASONS_MAX)
        .map(|error| {
            let text = error.column.as_ref().map_or_else(|| error.reason.clone(), |column| format!("column {column}: {}", error.reason));
            text.chars().take(REASON_CHARS_MAX).collect()
        })
        .collect();
    let shown = u64::try_from(all.len()).unwrap_or(u64::MAX);
    if errors.total > shown {
        all.push(format!("and {} more errors", errors.total - shown));
    }
    all.join("; ")
}
