//! How a world must end, whatever happened in between.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::facts::Owed;
use crate::world::{RUNTIME, World};

/// Whether a letter may have come several times under its one Message-ID: a sender that is killed before it has noted the server's answer
/// can't know that it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    None,
    OfOneLetter,
}

impl World {
    /// Nothing is left to do: every run has ended, every letter has left, the audit log is sealed.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.count("workflow_runs WHERE finished_at IS NULL") == 0
            && self.count("outbox WHERE status IN ('pending', 'sending')") == 0
            && self.count("audit_pending") == 0
    }

    /// All months are final and nothing is left to do.
    pub(crate) fn all_is_done(&self) -> bool {
        let months = i64::from(self.facts.last - self.facts.first + 1);
        self.count("periods WHERE status = 'final'") == months && self.is_at_rest()
    }

    pub(crate) fn until_all_is_done(&self) {
        self.until("all months are final, paid and told", |_| self.all_is_done());
    }

    /// Runs in a worker's hands.
    pub(crate) fn runs_held(&self) -> i64 {
        self.count("workflow_runs WHERE status = 'running'")
    }

    /// Letters on their way.
    pub(crate) fn letters_held(&self) -> i64 {
        self.count("outbox WHERE status = 'sending'")
    }

    pub(crate) fn in_flight(&self) -> i64 {
        self.runs_held() + self.letters_held()
    }

    /// All that is owed was paid once and told once, and the books agree with the provider's.
    pub(crate) fn assert_all_paid(&self, repeats: Repeats) {
        self.assert_paid_once(&self.facts.owed());
        self.assert_letters(&self.facts.letters(), repeats);
        self.assert_sound();
    }

    /// By the provider's own journal, by key and amount; then by ours.
    pub(crate) fn assert_paid_once(&self, owed: &[Owed]) {
        let journal = self.provider_journal();
        let mut effects: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for paid in journal.iter().filter(|event| event["event"] == "paid") {
            effects.entry(text(paid, "key")).or_default().push(text(paid, "amount"));
        }
        let by_key = self.books.texts(
            "SELECT idempotency_key || '|' || partner || '|' || period || '|' || CAST(amount_minor AS TEXT) FROM payouts WHERE status = 'paid'",
        );
        let mut ours = Vec::new();
        let mut keys = BTreeSet::new();
        for row in by_key {
            let [key, partner, period, cents] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let cents: i64 = cents.parse().expect("cents");
            let amount = format!("{}.{:02}", cents / 100, cents % 100);
            assert_eq!(effects.get(key), Some(&vec![amount]), "what the provider did for {partner} {period}");
            keys.insert(key.to_owned());
            ours.push(Owed { partner: partner.into(), period: period.into(), cents });
        }
        ours.sort();
        assert_eq!(ours, owed, "what our books say was paid");
        let unknown: Vec<&String> = effects.keys().filter(|key| !keys.contains(*key)).collect();
        assert!(unknown.is_empty(), "the provider paid what we don't know to be paid: {unknown:?}");
        let total: i64 = owed.iter().map(|owed| owed.cents).sum();
        assert_eq!((self.balance("cash"), self.balance("payouts:in-transit")), (-total, 0), "cash, and what is in transit");
    }

    /// Every letter is there, none that nobody wrote, each with its own address, and its statement where one can be set.
    pub(crate) fn assert_letters(&self, letters: &BTreeMap<String, String>, repeats: Repeats) {
        let came = self.mail.journal();
        let ids: BTreeSet<String> = came.iter().map(|mail| text(mail, "message_id")).collect();
        let lost: Vec<&String> = letters.keys().filter(|id| !ids.contains(*id)).collect();
        let strange: Vec<&String> = ids.iter().filter(|id| !letters.contains_key(*id)).collect();
        assert!(lost.is_empty() && strange.is_empty(), "lost: {lost:?}, not expected: {strange:?}");
        if repeats == Repeats::None {
            assert_eq!(came.len(), letters.len(), "no letter came twice");
        }
        for mail in &came {
            let id = text(mail, "message_id");
            assert_eq!(mail["to"], serde_json::json!([letters[&id]]), "{id}");
            assert_eq!(mail["defects"], serde_json::json!([]), "{id}");
            let attachments = mail["attachments"].as_array().expect("a list");
            assert_eq!(attachments.len(), usize::from(cfg!(feature = "pdf")), "{id} has its statement");
            assert!(attachments.iter().all(|attachment| attachment[1] == "application/pdf"), "{attachments:?}");
        }
        let noted = self.count("outbox WHERE status = 'sent' AND topic = 'mail'");
        assert_eq!(usize::try_from(noted).expect("a count"), letters.len(), "the outbox has one message a letter");
    }

    /// What always holds, of the books and of the engine.
    pub(crate) fn assert_sound(&self) {
        self.app.assert_verified();
        let now = durable::Instant("2027-01-15T12:00:00Z".parse::<program::calendar::Instant>().expect("an instant").0);
        let findings = RUNTIME.block_on(async {
            let books = books::connection::Books::open(&self.app.url()).await.expect("the database opens");
            durable::verify::verify(books.read(), now).await.expect("the engine's tables can be checked")
        });
        assert!(findings.is_empty(), "{findings:?}");
    }

    pub(crate) fn balance(&self, account: &str) -> i64 {
        self.books
            .number(&format!("SELECT COALESCE(CAST(SUM(amount_minor) AS BIGINT), 0) FROM postings WHERE account = '{account}' AND currency = 'USD'"))
    }

    /// Where each settlement stands, by partner and period.
    pub(crate) fn statuses(&self) -> BTreeMap<(String, String), String> {
        let listed = self.app.json("settlement list --json");
        let settlements = listed["settlements"].as_array().expect("a list");
        settlements.iter().map(|one| ((text(one, "partner"), text(one, "period")), text(one, "status"))).collect()
    }
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}")).to_owned()
}
