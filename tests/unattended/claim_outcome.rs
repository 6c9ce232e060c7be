//! How a world of claims must end, by the provider's own books and by nothing else of what happened.

use std::collections::{BTreeMap, BTreeSet};

use crate::claim_facts::{Ends, FACTS, Funds, Moved, dollars, ends};
use crate::claim_world::Play;
use crate::outcome::{Repeats, text};
use crate::world::World;

impl Play {
    /// Each claim has ended where it must, and the money of all of them is where it belongs; how many there are of each end.
    pub(crate) fn assert_ended(&self, repeats: Repeats) -> BTreeMap<&'static str, usize> {
        let ends = ends(&self.claims, &self.moved());
        self.assert_claims(&ends);
        self.assert_provider(&ends);
        self.assert_funds(&ends);
        assert_letters(&self.world, &ends, repeats);
        self.world.assert_sound();
        let mut met = BTreeMap::new();
        for (status, ..) in ends.claims.values() {
            *met.entry(*status).or_default() += 1;
        }
        met
    }

    /// What the provider did, by the amount that it was asked for: each claim has one of its own.
    fn moved(&self) -> BTreeMap<i64, Moved> {
        let journal = self.world.provider_journal();
        let mut amounts = BTreeMap::new();
        let mut moved = BTreeMap::new();
        for event in &journal {
            let key = || text(event, "key");
            match event["event"].as_str() {
                Some("taken") => {
                    let amount = cents(&text(event, "amount"));
                    assert!(amounts.insert(key(), amount).is_none(), "a key is taken once: {event}");
                }
                Some("paid") => {
                    assert_eq!(amounts.get(&key()), Some(&cents(&text(event, "amount"))), "{event}");
                    assert_eq!(moved.insert(amounts[&key()], Moved::Paid), None, "paid before, by this key or another: {event}");
                }
                Some("failed") => assert_eq!(moved.insert(amounts[&key()], Moved::Refused), None, "it had an end before: {event}"),
                _ => {}
            }
        }
        assert_eq!(moved.len(), amounts.len(), "each amount was asked for by one key, and has its end");
        moved
    }

    fn assert_claims(&self, ends: &Ends) {
        let query = "SELECT id || '|' || status || '|' || CAST(amount_minor AS TEXT) || '|' || CAST(round AS TEXT) FROM claims ORDER BY id";
        let ours = self.world.books.texts(query);
        let expected: Vec<String> = ends.claims.iter().map(|(id, (status, amount, round))| format!("{id}|{status}|{amount}|{round}")).collect();
        assert_eq!(ours, expected);
        let stopped = self.world.books.texts("SELECT key || ' ' || status FROM workflow_runs WHERE status NOT IN ('done', 'cancelled', 'waiting')");
        assert!(stopped.is_empty(), "{stopped:?}");
    }

    /// The provider's keys and amounts are those of our payouts, each of its claim.
    fn assert_provider(&self, ends: &Ends) {
        let mut theirs: Vec<String> = Vec::new();
        for event in self.world.provider_journal() {
            let what = event["event"].as_str().unwrap_or_default();
            if what == "taken" {
                theirs.push(format!("{}|{}", text(&event, "key"), cents(&text(&event, "amount"))));
            }
        }
        theirs.sort();
        let payouts = "FROM payouts WHERE kind = 'mdf_claim' ORDER BY 1";
        assert_eq!(self.world.books.texts(&format!("SELECT idempotency_key || '|' || CAST(amount_minor AS TEXT) {payouts}")), theirs);
        let ours = self.world.books.texts(&format!("SELECT reference || '|' || status || '|' || CAST(amount_minor AS TEXT) {payouts}"));
        let is_asked_for = |(_, (status, ..)): &(&String, &(&str, i64, i64))| matches!(*status, "paid" | "failed");
        let expected: Vec<String> =
            ends.claims.iter().filter(is_asked_for).map(|(id, (status, amount, _))| format!("{id}|{status}|{amount}")).collect();
        assert_eq!(ours, expected, "a payout a claim that was approved, and none else");
        let balances = (self.world.balance("cash"), self.world.balance("payouts:in-transit"));
        assert_eq!(balances, (-ends.paid, 0), "cash, and what is in transit");
    }

    /// Wallets and budgets as the commands show them; lots and ledger as they are in the books.
    fn assert_funds(&self, ends: &Ends) {
        for (_, partner) in FACTS.names() {
            let Funds { balance, held, budget_left } = ends.funds[&partner];
            let shown = self.world.app.json(&format!("wallet show --partner {partner} --json"));
            let wallet = &shown["wallets"][0];
            let figures = ["balance", "held", "available"].map(|figure| text(wallet, figure));
            assert_eq!(figures, [balance, held, balance - held].map(dollars), "the wallet of {partner}");
            let lots = wallet["lots"].as_array().expect("lots").iter().map(|lot| cents(&text(lot, "remaining"))).sum::<i64>();
            assert_eq!(lots, balance - held, "what is left of the lots of {partner}");
            let campaign = self.world.app.json(&format!("mdf campaign show fair-{partner} --json"));
            assert_eq!(text(&campaign, "remaining"), dollars(budget_left), "{campaign}");
            let account = |end: &str| -self.world.balance(&format!("partner:{partner}:p:{end}"));
            assert_eq!((account("coop"), account("coop-held")), (balance - held, held), "the accounts of {partner}");
        }
    }
}

/// Every letter that must be there is, each to its own address, and none that nobody wrote.
fn assert_letters(world: &World, ends: &Ends, repeats: Repeats) {
    let came = world.mail.journal();
    let ids: Vec<String> = came.iter().map(|mail| text(mail, "message_id")).collect();
    let once: BTreeSet<&String> = ids.iter().collect();
    let subjects = || came.iter().map(|mail| format!("{} {}", mail["message_id"], mail["subject"])).collect::<Vec<_>>().join("\n");
    let lost: Vec<&String> = ends.letters.must.iter().filter(|id| !once.contains(id)).map(|id| &ends.letters.to[id]).collect();
    let strange: Vec<&&String> = once.iter().filter(|id| !ends.letters.to.contains_key(**id)).collect();
    assert!(lost.is_empty() && strange.is_empty(), "lost to {lost:?}, not expected: {strange:?}\n{}", subjects());
    if repeats == Repeats::None {
        assert_eq!(once.len(), ids.len(), "no letter came twice\n{}", subjects());
    }
    for (mail, id) in came.iter().zip(&ids) {
        assert_eq!(mail["to"], serde_json::json!([ends.letters.to[id]]), "{mail}");
        assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
        let statements = usize::from(cfg!(feature = "pdf") && ends.letters.statements.contains(id));
        assert_eq!(mail["attachments"].as_array().map(Vec::len), Some(statements), "{mail}");
    }
    let noted = world.count("outbox WHERE topic = 'mail' AND status = 'sent'");
    assert_eq!(
        (usize::try_from(noted).ok(), world.count("outbox WHERE status <> 'sent'")),
        (Some(once.len()), 0),
        "the outbox has one message a letter"
    );
}

fn cents(amount: &str) -> i64 {
    amount.replace('.', "").parse().expect("an amount")
}
