//! What a demo came to, for people's eyes and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use program::calendar::Date;
use serde_json::{Value, json};

use super::Options;
use super::claims::Claims;
use super::directory::Directory;
use super::figures::Figures;
use super::payment::{Held, Payment};

/// A demo that was played.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was asked for.
    pub(crate) options: Options,
    /// Where everything is.
    pub(crate) directory: Directory,
    /// Rows of facts.
    pub(crate) rows: usize,
    /// Files of facts.
    pub(crate) files: usize,
    /// The reviews, in order.
    pub(crate) reviews: Vec<ReviewCount>,
    /// What was settled.
    pub(crate) figures: Figures,
    /// How the last month was paid.
    pub(crate) paying: Paying,
    /// Statements that were set; `None`: this build sets none.
    pub(crate) statements: Option<usize>,
    /// Invariants that were checked and that the books hold.
    pub(crate) invariants: usize,
    /// How long its parts took.
    pub(crate) took: Vec<(&'static str, Duration)>,
}

/// How the last month was paid.
#[derive(Debug)]
pub(crate) enum Paying {
    /// It was, by the service.
    Paid(Payment),
    /// It was not.
    Not {
        /// Why.
        reason: String,
    },
}

/// What a review came to.
#[derive(Debug)]
pub(crate) struct ReviewCount {
    /// Its day.
    pub(crate) as_of: Date,
    /// Members by outcome.
    pub(crate) outcomes: BTreeMap<String, usize>,
    /// Members with another tier from now on: partner, before, after.
    pub(crate) changed: Vec<(String, String, String)>,
}

impl Outcome {
    /// Everything as one document.
    pub(crate) fn json(&self) -> Value {
        let reviews: Vec<Value> = self.reviews.iter().map(ReviewCount::json).collect();
        let took: serde_json::Map<String, Value> =
            self.took.iter().map(|(part, time)| ((*part).to_owned(), u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into())).collect();
        let path = |path: std::path::PathBuf| path.display().to_string();
        let mut document = self.figures.json();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("seed".into(), self.options.seed.into());
            fields.insert("partners".into(), self.options.partners.into());
            fields.insert("facts".into(), json!({ "files": self.files, "rows": self.rows }));
            fields.insert("reviews".into(), reviews.into());
            fields.insert("statements".into(), self.statements.into());
            fields.insert("payment".into(), self.paying.json());
            fields.insert("verified".into(), self.invariants.into());
            fields.insert(
                "paths".into(),
                json!({
                    "program": path(self.directory.program_file()), "database": self.directory.database_url(), "facts": path(self.directory.join("facts")),
                    "statements": path(self.directory.join("statements")), "journal": path(self.directory.join("journal")),
                    "mails": path(self.directory.mails()), "provider": path(self.directory.provider_journal()),
                }),
            );
            fields.insert("took_ms".into(), took.into());
        }
        document
    }
}

impl Paying {
    fn json(&self) -> Value {
        let payment = match self {
            Self::Paid(payment) => payment,
            Self::Not { reason } => return json!({ "not_paid": reason }),
        };
        let held = |held: &Held| json!({ "partner": held.partner, "currency": held.currency.code(), "amount": held.currency.format_minor(held.amount_minor), "reason": held.reason });
        let totals: BTreeMap<&str, String> =
            payment.paid_minor.iter().map(|(currency, minor)| (currency.code(), currency.format_minor(*minor))).collect();
        json!({
            "period": payment.period.to_string(), "paid": payment.paid, "totals": totals,
            "held": payment.held.iter().map(held).collect::<Vec<_>>(), "letters": payment.letters,
            "provider": { "requests": payment.requests, "payments": payment.payments }, "looked_up": payment.looked_up,
            "claims": payment.claims.as_ref().map(Claims::json),
        })
    }
}

impl ReviewCount {
    fn json(&self) -> Value {
        let changed: Vec<Value> =
            self.changed.iter().map(|(partner, before, after)| json!({ "partner": partner, "from": before, "to": after })).collect();
        json!({ "as_of": self.as_of.to_string(), "outcomes": self.outcomes, "changed": changed })
    }
}
