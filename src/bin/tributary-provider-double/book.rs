//! The provider's own books: what was asked by key, and what was paid.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::journal::{Event, Journal};

/// A payout as the provider knows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) payout: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
    pub(crate) provider_id: String,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    /// How often money moved: at most once.
    pub(crate) effects: u32,
    #[serde(skip)]
    body_digest: String,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: String,
    pub(crate) key: String,
    pub(crate) payout: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
    pub(crate) body_digest: String,
}

#[derive(Debug)]
pub(crate) struct Book {
    journal: Journal,
    entries: BTreeMap<String, Entry>,
    pub(crate) requests: u64,
}

/// A key came again with another body.
#[derive(Debug)]
pub(crate) struct OtherBody;

impl Book {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (journal, events) = Journal::open(path)?;
        let mut book = Self { journal, entries: BTreeMap::new(), requests: 0 };
        for event in events {
            book.apply(event);
        }
        Ok(book)
    }

    /// Every payout, by key.
    pub(crate) fn entries(&self) -> Vec<&Entry> {
        self.entries.values().collect()
    }

    pub(crate) fn of_payout(&self, payout: &str) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.payout == payout)
    }

    /// Notes that a request came in.
    pub(crate) fn note(&mut self, asked: &Asked) -> io::Result<()> {
        let Asked { at, key, payout, amount, currency, body_digest } = asked.clone();
        self.record(Event::Request { at, key, payout, amount, currency, body_digest })
    }

    /// Whether a key is known with this body.
    pub(crate) fn knows(&self, asked: &Asked) -> Result<bool, OtherBody> {
        match self.entries.get(&asked.key) {
            Some(entry) if entry.body_digest != asked.body_digest => Err(OtherBody),
            known => Ok(known.is_some()),
        }
    }

    /// Takes a request whose key is new.
    pub(crate) fn take(&mut self, asked: &Asked) -> io::Result<()> {
        let Asked { key, payout, amount, currency, body_digest, .. } = asked.clone();
        let provider_id = format!("tr_{}", hex::encode(Sha256::digest(&key)).get(..16).unwrap_or_default());
        self.record(Event::Taken { key, payout, amount, currency, body_digest, provider_id })
    }

    /// Moves the money, if it has not.
    pub(crate) fn pay(&mut self, key: &str) -> io::Result<()> {
        let Some(entry) = self.entries.get(key).filter(|entry| entry.effects == 0) else { return Ok(()) };
        let event = Event::Paid { key: key.into(), amount: entry.amount.clone(), currency: entry.currency.clone() };
        self.record(event)
    }

    /// Ends it without money, or brings the money back.
    pub(crate) fn fail(&mut self, key: &str, reason: &str) -> io::Result<()> {
        self.record(Event::Failed { key: key.into(), reason: reason.into() })
    }

    /// On disk, then in memory.
    pub(crate) fn record(&mut self, event: Event) -> io::Result<()> {
        self.journal.append(&event)?;
        self.apply(event);
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Request { .. } => self.requests += 1,
            Event::Taken { key, payout, amount, currency, body_digest, provider_id } => {
                let entry =
                    Entry { key: key.clone(), payout, amount, currency, provider_id, status: "accepted", reason: None, effects: 0, body_digest };
                self.entries.insert(key, entry);
            }
            Event::Paid { key, .. } => {
                if let Some(entry) = self.entries.get_mut(&key) {
                    (entry.status, entry.effects) = ("paid", entry.effects + 1);
                }
            }
            Event::Failed { key, reason } => {
                if let Some(entry) = self.entries.get_mut(&key) {
                    (entry.status, entry.reason) = ("failed", Some(reason));
                }
            }
            Event::Called { .. } => {}
        }
    }
}
