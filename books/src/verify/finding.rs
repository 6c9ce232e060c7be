//! What a verification found: for each invariant the rows that offend it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// Rows that are kept of one invariant; all are counted.
const ROWS_KEPT: usize = 100;

/// An invariant of the books, in the order of reliability.md §1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// 1
    PostingsBalance,
    /// 2
    PostingCurrency,
    /// 3
    CachedBalance,
    /// 4
    WalletAvailable,
    /// 5
    HoldEndsOnce,
    /// 6
    LineAsAsked,
    /// 7
    AmountRecomputes,
    /// 8
    ReversalBounded,
    /// 9
    OneSettlementALine,
    /// 10
    FinalUnchanged,
    /// 11
    OneSettlementAKey,
    /// 12
    TotalsEqualLines,
    /// 13
    CarriedOver,
    /// 14
    PeriodsInOrder,
    /// 15
    OnePayout,
    /// 16
    IntentFirst,
    /// 17
    EndStays,
    /// 18
    PaidEqualsCash,
    /// 19
    ReportedKnown,
    /// 20
    Entitled,
    /// 21
    DecidedAsExecuted,
    /// 22
    WithinLimits,
    /// 23
    NoOverlap,
    /// 24
    SlotOnce,
    /// 25
    OneEffect,
    /// 26
    OneMessage,
    /// 27
    JournalWhole,
    /// 28
    AuditChain,
    /// 29
    OwnPartner,
    /// Without a number there: each unfinished run has what makes it go on, or a visible reason why it does not (reliability.md §3.17).
    NoStall,
    /// Without a number there: what the bank is told by a file is what the books have (interface.md §5, `export pain001`).
    OneFile,
}

impl Invariant {
    /// Every invariant that is checked so far.
    pub const ALL: [Self; 31] = [
        Self::PostingsBalance,
        Self::PostingCurrency,
        Self::CachedBalance,
        Self::WalletAvailable,
        Self::HoldEndsOnce,
        Self::LineAsAsked,
        Self::AmountRecomputes,
        Self::ReversalBounded,
        Self::OneSettlementALine,
        Self::FinalUnchanged,
        Self::OneSettlementAKey,
        Self::TotalsEqualLines,
        Self::CarriedOver,
        Self::PeriodsInOrder,
        Self::OnePayout,
        Self::IntentFirst,
        Self::EndStays,
        Self::PaidEqualsCash,
        Self::ReportedKnown,
        Self::Entitled,
        Self::DecidedAsExecuted,
        Self::WithinLimits,
        Self::NoOverlap,
        Self::SlotOnce,
        Self::OneEffect,
        Self::OneMessage,
        Self::JournalWhole,
        Self::AuditChain,
        Self::OwnPartner,
        Self::NoStall,
        Self::OneFile,
    ];

    /// Its group and its number in reliability.md §1.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::PostingsBalance => "ledger.1",
            Self::PostingCurrency => "ledger.2",
            Self::CachedBalance => "ledger.3",
            Self::WalletAvailable => "ledger.4",
            Self::HoldEndsOnce => "ledger.5",
            Self::LineAsAsked => "commission.6",
            Self::AmountRecomputes => "commission.7",
            Self::ReversalBounded => "commission.8",
            Self::OneSettlementALine => "commission.9",
            Self::FinalUnchanged => "settlement.10",
            Self::OneSettlementAKey => "settlement.11",
            Self::TotalsEqualLines => "settlement.12",
            Self::CarriedOver => "settlement.13",
            Self::PeriodsInOrder => "settlement.14",
            Self::OnePayout => "payout.15",
            Self::IntentFirst => "payout.16",
            Self::EndStays => "payout.17",
            Self::PaidEqualsCash => "payout.18",
            Self::ReportedKnown => "payout.19",
            Self::Entitled => "approval.20",
            Self::DecidedAsExecuted => "approval.21",
            Self::WithinLimits => "approval.22",
            Self::NoOverlap => "time.23",
            Self::SlotOnce => "time.24",
            Self::OneEffect => "durability.25",
            Self::OneMessage => "durability.26",
            Self::JournalWhole => "durability.27",
            Self::AuditChain => "durability.28",
            Self::OwnPartner => "durability.29",
            Self::NoStall => "runs.stall",
            Self::OneFile => "payout.file",
        }
    }

    /// What it says, in a line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostingsBalance => "postings of a transaction sum to zero per currency",
            Self::PostingCurrency => "a posting is in a currency of its account",
            Self::CachedBalance => "a cached balance equals its postings",
            Self::WalletAvailable => "a wallet equals its lots and ledger, and only reversals take it below zero",
            Self::HoldEndsOnce => "each hold ends once",
            Self::LineAsAsked => "an eligible invoice has exactly the lines that its programme asks for",
            Self::AmountRecomputes => "each line's amount recomputes",
            Self::ReversalBounded => "reversals of a line never exceed it",
            Self::OneSettlementALine => "a line is in exactly one settlement",
            Self::FinalUnchanged => "a final settlement never changes, and its digest recomputes",
            Self::OneSettlementAKey => "one settlement per programme, partner, period and currency",
            Self::TotalsEqualLines => "totals and postings of a settlement equal its lines",
            Self::CarriedOver => "what is carried forward opens the next settlement",
            Self::PeriodsInOrder => "periods are made final in order, without gaps",
            Self::OnePayout => "one payout a settlement or claim attempt, one key a payout, one body a key",
            Self::IntentFirst => "nothing is requested without an earlier intent",
            Self::EndStays => "a payout's history is whole, and what has ended stays so but for a paid one that the provider fails",
            Self::PaidEqualsCash => "paid payouts equal the ledger's cash",
            Self::ReportedKnown => "what a provider reports is a payout or an open exception",
            Self::Entitled => {
                "each step of a claim was decided once, in order, in time, by an entitled person who does not benefit, another for each"
            }
            Self::DecidedAsExecuted => "a decision is about what was executed, but for an amount lowered later",
            Self::WithinLimits => "captured is at most approved, approved at most held, and claims stay within the budget of their campaign",
            Self::OneEffect => "one effect a provider's message",
            Self::AuditChain => "the audit log is a hash chain and recomputes",
            Self::NoOverlap => "tier, parent and status histories have no overlap",
            Self::OwnPartner => "what a row refers to is there, and of the same partner",
            Self::SlotOnce => "each slot of a schedule ran once, or is recorded as missed and why",
            Self::OneMessage => "one letter for what was done and is told, and none twice",
            Self::JournalWhole => "a run's journal is contiguous, and a step's result is written once",
            Self::NoStall => "no run stalls in silence",
            Self::OneFile => "a payout is in one bank file at most, and a file pays what its payouts say",
        }
    }
}

/// One invariant and what offends it.
#[derive(Debug, Clone)]
pub struct Check {
    /// The invariant.
    pub invariant: Invariant,
    /// The first hundred offending rows: their keys, and `what` is wrong.
    pub rows: Vec<Map<String, Json>>,
    /// How many there are.
    pub count: u64,
}

/// All checks.
#[derive(Debug, Clone)]
pub struct Report(BTreeMap<Invariant, Check>);

impl Default for Report {
    fn default() -> Self {
        Self(Invariant::ALL.into_iter().map(|invariant| (invariant, Check { invariant, rows: Vec::new(), count: 0 })).collect())
    }
}

impl Report {
    /// Takes an offending row: its keys, and `what` is wrong with it.
    pub fn offend(&mut self, invariant: Invariant, keys: &[(&str, &str)], what: impl Into<String>) {
        self.add(invariant, row(keys, what));
    }

    pub(crate) fn add(&mut self, invariant: Invariant, row: Map<String, Json>) {
        if let Some(check) = self.0.get_mut(&invariant) {
            check.count += 1;
            if check.rows.len() < ROWS_KEPT {
                check.rows.push(row);
            }
        }
    }

    /// Whether nothing offends.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.0.values().all(|check| check.count == 0)
    }

    /// The checks in order.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.0.values()
    }

    /// `{"ok", "checks": [{"invariant", "name", "rows", "count"}]}`.
    #[must_use]
    pub fn json(&self) -> Json {
        let check = |check: &Check| {
            serde_json::json!({
                "invariant": check.invariant.id(), "name": check.invariant.name(), "rows": check.rows, "count": check.count,
            })
        };
        serde_json::json!({ "ok": self.is_ok(), "checks": self.checks().map(check).collect::<Vec<_>>() })
    }

    /// A line a check, offending rows below it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for check in self.checks() {
            let found = match check.count {
                0 => "ok".to_owned(),
                1 => "1 row".to_owned(),
                count => format!("{count} rows"),
            };
            text.push_str(&format!("{:<14} {:<8} {}\n", check.invariant.id(), found, check.invariant.name()));
            for row in &check.rows {
                text.push_str(&format!("    {}\n", line_of(row)));
            }
            if check.count > u64::try_from(check.rows.len()).unwrap_or(u64::MAX) {
                text.push_str("    …\n");
            }
        }
        text
    }
}

/// `key value, key value: what`.
fn line_of(row: &Map<String, Json>) -> String {
    let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let keys = row.iter().filter(|(key, value)| *key != "what" && !value.is_null() && value.as_str() != Some(""));
    let keys: Vec<String> = keys.map(|(key, value)| format!("{key} {}", shown(value))).collect();
    format!("{}: {}", keys.join(", "), row.get("what").map(shown).unwrap_or_default())
}

/// Keys and what is wrong with the row that they name.
pub(crate) fn row(keys: &[(&str, &str)], what: impl Into<String>) -> Map<String, Json> {
    let mut row: Map<String, Json> = keys.iter().map(|(key, value)| ((*key).to_owned(), Json::from(*value))).collect();
    row.insert("what".into(), Json::from(what.into()));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_invariants_are_named_once_and_in_order() {
        let mut ids: Vec<&str> = Invariant::ALL.iter().map(|invariant| invariant.id()).collect();
        assert!(Invariant::ALL.is_sorted());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Invariant::ALL.len());
    }

    #[test]
    fn rows_are_counted_beyond_those_kept() {
        let mut report = Report::default();
        assert!(report.is_ok());
        for _ in 0..150 {
            report.add(Invariant::CarriedOver, row(&[("partner", "acme")], "wrong"));
        }
        assert!(!report.is_ok());
        let json = report.json();
        let check = json["checks"].as_array().unwrap().iter().find(|check| check["invariant"] == "settlement.13").unwrap();
        assert_eq!((check["count"].as_u64(), check["rows"].as_array().unwrap().len()), (Some(150), 100));
        assert!(report.text().contains("partner acme: wrong"));
    }
}
