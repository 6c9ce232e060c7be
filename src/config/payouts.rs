//! `[payouts]`: who pays, and how much before a person is asked.

use std::path::PathBuf;
use std::time::Duration;

use program::bank_file::Debtor;
use reqwest::Url;

use super::layers::Layers;
use super::{AmountLimit, DURATION_MAX, SECOND, checks};
use crate::adapters::standard_webhooks::SigningKeys;

/// `[payouts]`.
#[derive(Debug)]
pub struct Payouts {
    /// Who pays.
    pub adapter: PayoutAdapter,
    /// What is not paid before a person has looked.
    pub holds: Holds,
}

/// What is not paid before a person has looked, or some time has gone by.
#[derive(Debug)]
pub struct Holds {
    /// A payout over it is held.
    pub max_per_payout: Option<AmountLimit>,
    /// What takes a partner's day over it is held.
    pub max_per_partner_per_day: Option<AmountLimit>,
    /// What takes the day over it is held.
    pub max_per_day: Option<AmountLimit>,
    /// How long an approved destination waits.
    pub destination_cooling_off: Duration,
    /// Whether the adapter pays bank accounts alone.
    pub accounts_only: bool,
}

/// Who pays.
#[derive(Debug)]
pub enum PayoutAdapter {
    /// Somebody in finance.
    Manual,
    /// A provider.
    Webhook(Provider),
    /// A bank, by file.
    Pain001(Pain001),
}

/// A provider that is told by signed requests.
#[derive(Debug)]
pub struct Provider {
    /// Where it takes them.
    pub url: Url,
    /// The keys shared with it.
    pub keys: SigningKeys,
    /// Whether it may be on this machine, without TLS.
    pub allow_loopback: bool,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How long it remembers a key; `None`: not at all.
    pub dedupe_window: Option<Duration>,
    /// How often to look up what was accepted; `None`: never.
    pub poll_every: Option<Duration>,
    /// What a plain refusal means.
    pub refusal: Refusal,
}

/// What a plain refusal (4xx) means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The payout has failed.
    Failed,
    /// It is looked up first.
    Unknown,
}

/// The account that pays.
#[derive(Debug)]
pub struct Pain001 {
    /// Holder, number and bank.
    pub debtor: Debtor,
    /// Where the files go.
    pub directory: PathBuf,
}

#[derive(Clone, Copy)]
enum AdapterName {
    Manual,
    Webhook,
    Pain001,
}

pub(super) fn read(layers: &mut Layers) -> Option<Payouts> {
    // What is written is checked whoever pays, so that a mistake shows before the day it matters.
    let (provider, account) = (ProviderKeys::read(layers), AccountKeys::read(layers));
    let adapter = match adapter_name(layers) {
        Some(AdapterName::Manual) => Some(PayoutAdapter::Manual),
        Some(AdapterName::Webhook) => provider.complete(layers).map(PayoutAdapter::Webhook),
        Some(AdapterName::Pain001) => account.complete(layers).map(PayoutAdapter::Pain001),
        None => None,
    };
    let holds = holds(layers);
    Some(Payouts { adapter: adapter?, holds: holds? })
}

fn adapter_name(layers: &mut Layers) -> Option<AdapterName> {
    let names = [("manual", AdapterName::Manual), ("webhook", AdapterName::Webhook), ("pain001", AdapterName::Pain001)];
    layers.choice("payouts.adapter", &names)
}

/// What holds payouts; of the adapter its name alone.
pub(super) fn holds(layers: &mut Layers) -> Option<Holds> {
    // Who reads the adapter, too, has already been told that its name is wrong.
    let accounts_only = matches!(layers.text("payouts.adapter"), Some("pain001"));
    let max_per_payout = layers.amount_limit("payouts.max_per_payout");
    let max_per_partner_per_day = layers.amount_limit("payouts.max_per_partner_per_day");
    let max_per_day = layers.amount_limit("payouts.max_per_day");
    let destination_cooling_off = layers.duration("payouts.destination_cooling_off", &(Duration::ZERO..=DURATION_MAX));
    Some(Holds { max_per_payout, max_per_partner_per_day, max_per_day, destination_cooling_off: destination_cooling_off?, accounts_only })
}

/// What pays by files for the bank.
pub(super) enum Account {
    /// This does.
    Bank(Pain001),
    /// Nothing does: another adapter pays.
    None,
}

/// The account that pays, if the adapter is the one of files for the bank.
pub(super) fn account(layers: &mut Layers) -> Option<Account> {
    let account = AccountKeys::read(layers);
    match adapter_name(layers)? {
        AdapterName::Pain001 => account.complete(layers).map(Account::Bank),
        AdapterName::Manual | AdapterName::Webhook => Some(Account::None),
    }
}

struct ProviderKeys {
    url: Option<Url>,
    keys: Option<SigningKeys>,
    allow_loopback: Option<bool>,
    timeout: Option<Duration>,
    dedupe_window: Option<Duration>,
    poll_every: Option<Duration>,
    refusal: Option<Refusal>,
}

impl ProviderKeys {
    fn read(layers: &mut Layers) -> Self {
        Self {
            url: layers.parsed("payouts.url", checks::web_url, None),
            keys: layers.parsed("payouts.secret", SigningKeys::parse, None),
            allow_loopback: layers.flag("payouts.allow_loopback"),
            timeout: layers.duration("payouts.timeout", &(SECOND..=Duration::from_mins(10))),
            dedupe_window: layers.duration("payouts.dedupe_window", &(Duration::ZERO..=DURATION_MAX)),
            poll_every: layers.duration("payouts.poll_every", &(Duration::ZERO..=DURATION_MAX)),
            refusal: layers.choice("payouts.refusal", &[("failed", Refusal::Failed), ("unknown", Refusal::Unknown)]),
        }
    }

    fn complete(self, layers: &mut Layers) -> Option<Provider> {
        let because = "where payouts.adapter is \"webhook\"";
        for path in ["payouts.url", "payouts.secret"] {
            layers.needed(path, because);
        }
        let is_plain = |url: &Url| url.scheme() == "http" && !(self.allow_loopback == Some(true) && url.host_str().is_some_and(checks::is_loopback));
        if self.url.as_ref().is_some_and(is_plain) {
            let help = "use https; without TLS only localhost is spoken to, and that only with payouts.allow_loopback = true";
            layers.wrong("payouts.url", "is not https", Some(help.into()));
        }
        let some_time = |duration: Duration| (!duration.is_zero()).then_some(duration);
        Some(Provider {
            url: self.url?,
            keys: self.keys?,
            allow_loopback: self.allow_loopback?,
            timeout: self.timeout?,
            dedupe_window: some_time(self.dedupe_window?),
            poll_every: some_time(self.poll_every?),
            refusal: self.refusal?,
        })
    }
}

struct AccountKeys {
    iban: Option<String>,
    bic: Option<String>,
}

impl AccountKeys {
    fn read(layers: &mut Layers) -> Self {
        Self {
            iban: layers.parsed("payouts.pain001.debtor_iban", checks::iban, None),
            bic: layers.parsed("payouts.pain001.debtor_bic", checks::bic, None),
        }
    }

    fn complete(self, layers: &mut Layers) -> Option<Pain001> {
        let because = "where payouts.adapter is \"pain001\"";
        for path in ["payouts.pain001.debtor_iban", "payouts.pain001.debtor_bic"] {
            layers.needed(path, because);
        }
        let debtor_name = layers.needed("payouts.pain001.debtor_name", because);
        let directory = layers.needed("payouts.pain001.directory", because);
        let debtor = Debtor::new(&debtor_name?, &self.iban?, &self.bic?);
        if let Err(error) = &debtor {
            layers.wrong("payouts.pain001.debtor_name", format!("can't be written for banks: {error}"), None);
        }
        Some(Pain001 { debtor: debtor.ok()?, directory: directory?.into() })
    }
}
