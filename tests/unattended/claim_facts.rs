//! Claims that are submitted before a service starts, what people do about each, and where each must end; worked out here.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, message_id};

/// Who has a wallet, and what fills it.
pub(crate) const FACTS: Facts = Facts { partners: 4, first: 1, last: 3 };
/// What each partner sells in each of these months, dollars; a lot of 30,000.00 each.
const MONTHLY_DOLLARS: i64 = 1_500_000;
/// Minor units of a partner's wallet when all months are final.
const ACCRUED: i64 = 3 * MONTHLY_DOLLARS * 2;
/// Of each partner's campaign, minor units.
pub(crate) const BUDGET: i64 = 9_000_000;

pub(crate) const PROGRAMME: &str = r#"
[program]
id = "p"
name = "Unattended"
currency = "USD"
timezone = "UTC"
[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "10%"
coop_rate = "2%"
[settlement]
first_period = "2026-01"
release = "manual"
[mdf]
cost_share = "50%"
[[mdf.approvals]]
role = "channel_manager"
within = "48h"
remind_every = "24h"
escalate_to = "channel_chief"
[[mdf.approvals]]
role = "finance"
over = "10k"
"#;

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The manager approves it.
    Approved,
    /// Finance approves it, too.
    ApprovedByTwo,
    /// Finance approves less of it.
    Lowered,
    /// The manager rejects it.
    Rejected,
    /// Finance rejects it.
    RejectedLate,
    /// The manager rejects it, and approves what is submitted instead.
    Again,
    /// It is taken back while finance is asked.
    Cancelled,
    /// Its run is ended by an operator while finance is asked.
    RunEnded,
    /// Finance never says a word.
    Waiting,
    /// Nobody ever says a word.
    Expired,
    /// The manager says no word, and the chief approves it.
    Escalated,
}

/// A claim is one of these, in turn.
const FATES: [Fate; 12] = [
    Fate::Approved,
    Fate::ApprovedByTwo,
    Fate::Lowered,
    Fate::Rejected,
    Fate::RejectedLate,
    Fate::Again,
    Fate::Cancelled,
    Fate::RunEnded,
    Fate::Waiting,
    Fate::Expired,
    Fate::Escalated,
    Fate::Approved,
];

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Approves, all or less.
    Approve {
        by: &'static str,
        lower_to: Option<i64>,
    },
    Reject {
        by: &'static str,
    },
    /// With other receipts, minor units.
    SubmitAgain {
        receipts: i64,
    },
    TakeBack,
    EndRun,
}

/// A claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed {
    pub(crate) number: u32,
    pub(crate) fate: Fate,
}

/// What the provider's books say of a claim that it was asked to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Paid,
    Refused,
}

/// So many of them.
pub(crate) fn claims(count: u32) -> Vec<Claimed> {
    FATES.iter().cycle().zip(1..=count).map(|(fate, number)| Claimed { number, fate: *fate }).collect()
}

/// Like `12.34`.
pub(crate) fn dollars(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// `invoices.csv`: what fills the wallets.
pub(crate) fn invoice_rows() -> String {
    let mut rows = "id,customer,partner,currency,subtotal,paid_at\n".to_owned();
    for (number, partner) in FACTS.names() {
        for month in FACTS.months() {
            rows += &format!("I{number}-{month},c1,{partner},USD,{MONTHLY_DOLLARS}.00,2026-{month:02}-10T10:00:00Z\n");
        }
    }
    rows
}

impl Claimed {
    pub(crate) fn id(self) -> String {
        format!("CL-{:02}", self.number)
    }

    /// Each fate meets each partner.
    pub(crate) fn partner(self) -> String {
        let turn = self.number + self.number / 12;
        format!("p{:02}", 1 + turn % FACTS.partners)
    }

    pub(crate) fn campaign(self) -> String {
        format!("fair-{}", self.partner())
    }

    pub(crate) fn submitter(self) -> String {
        format!("sue-{}", self.partner())
    }

    /// Who acts waits to be asked by mail; others look at a list, and may be quicker than the mail.
    pub(crate) fn goes_by_mail(self) -> bool {
        self.fate == Fate::Escalated || (self.number + self.number / 12).is_multiple_of(3)
    }

    /// Minor units, another for each claim and amount: what the provider is asked to pay tells which claim it is of.
    pub(crate) fn asked(self) -> i64 {
        let base = match self.fate {
            Fate::Approved | Fate::Rejected | Fate::Again | Fate::Expired | Fate::Escalated => 100_000,
            Fate::ApprovedByTwo | Fate::Lowered | Fate::RejectedLate | Fate::Cancelled | Fate::RunEnded | Fate::Waiting => 1_100_000,
        };
        base + 100 * i64::from(self.number)
    }

    /// What is asked for at the end, minor units.
    pub(crate) fn amount(self) -> i64 {
        match self.fate {
            Fate::Lowered | Fate::Again => self.asked() - 50_000,
            Fate::Approved
            | Fate::ApprovedByTwo
            | Fate::Rejected
            | Fate::RejectedLate
            | Fate::Cancelled
            | Fate::RunEnded
            | Fate::Waiting
            | Fate::Expired
            | Fate::Escalated => self.asked(),
        }
    }

    /// What people do, in order.
    pub(crate) fn deeds(self) -> Vec<Deed> {
        let approve = |by| Deed::Approve { by, lower_to: None };
        match self.fate {
            Fate::Approved | Fate::Waiting => vec![approve("jo")],
            Fate::ApprovedByTwo => vec![approve("jo"), approve("fin")],
            Fate::Lowered => vec![approve("jo"), Deed::Approve { by: "fin", lower_to: Some(self.amount()) }],
            Fate::Rejected => vec![Deed::Reject { by: "jo" }],
            Fate::RejectedLate => vec![approve("jo"), Deed::Reject { by: "fin" }],
            Fate::Again => vec![Deed::Reject { by: "jo" }, Deed::SubmitAgain { receipts: self.amount() * 2 }, approve("jo")],
            Fate::Cancelled => vec![approve("jo"), Deed::TakeBack],
            Fate::RunEnded => vec![approve("jo"), Deed::EndRun],
            Fate::Expired => Vec::new(),
            Fate::Escalated => vec![approve("chief")],
        }
    }

    /// The letter by which somebody is asked for a deed.
    pub(crate) fn asks(self, deed: Deed, is_anew: bool) -> Option<String> {
        let (Deed::Approve { by, .. } | Deed::Reject { by }) = deed else { return None };
        let (id, round) = (self.id(), if is_anew { 2 } else { 1 });
        Some(match by {
            "fin" => format!("approval_asked/{id}/{round}/2/{by}"),
            "chief" => format!("approval_asked/{id}/{round}/1/escalated/{by}"),
            _ => format!("approval_asked/{id}/{round}/1/{by}"),
        })
    }

    /// Its last status, by what the provider says of it.
    pub(crate) fn ends(self, moved: Option<Moved>) -> &'static str {
        match (self.fate, moved) {
            (Fate::Rejected | Fate::RejectedLate, _) => "rejected",
            (Fate::Cancelled | Fate::RunEnded, _) => "cancelled",
            (Fate::Waiting, _) => "awaiting_approval",
            (Fate::Expired, _) => "expired",
            (_, Some(Moved::Paid)) => "paid",
            (_, Some(Moved::Refused)) => "failed",
            (_, None) => "paying",
        }
    }

    /// What goes to whom: each must come, and `may` may.
    fn letters(self, moved: Option<Moved>) -> Letters {
        let mut letters = Letters::default();
        let id = self.id();
        let (round, submitter, partner) = (if self.fate == Fate::Again { 2 } else { 1 }, self.submitter(), self.partner());
        let mut is_anew = false;
        for deed in self.deeds() {
            is_anew |= matches!(deed, Deed::SubmitAgain { .. });
            let (Deed::Approve { by, .. } | Deed::Reject { by }) = deed else { continue };
            let asked = self.asks(deed, is_anew).expect("a decision is asked for");
            if self.goes_by_mail() { letters.must(&asked, by) } else { letters.may(&asked, by) }
        }
        match self.fate {
            Fate::Waiting => letters.must(&format!("approval_asked/{id}/1/2/fin"), "fin"),
            // What ends at once may do so before anybody was asked.
            Fate::Cancelled | Fate::RunEnded => letters.may(&format!("approval_asked/{id}/1/2/fin"), "fin"),
            // However soon it is submitted again, each round's rejection is told.
            Fate::Again => letters.must(&format!("claim_decided/{id}/1/rejected"), &submitter),
            Fate::Expired | Fate::Escalated => {
                letters.must(&format!("approval_asked/{id}/1/1/jo"), "jo");
                letters.must(&format!("approval_reminder/{id}/1/1/1/jo"), "jo");
                letters.must(&format!("approval_asked/{id}/1/1/escalated/chief"), "chief");
            }
            Fate::Approved | Fate::ApprovedByTwo | Fate::Lowered | Fate::Rejected | Fate::RejectedLate => {}
        }
        let decided = match self.ends(moved) {
            "awaiting_approval" => return letters,
            "paid" | "failed" | "paying" => "approved",
            other => other,
        };
        letters.must(&format!("claim_decided/{id}/{round}/{decided}"), &submitter);
        match moved {
            Some(Moved::Paid) => letters.must(&format!("claim_statement/{id}"), &partner),
            Some(Moved::Refused) => {
                letters.must(&format!("claim_failed/{id}/{submitter}"), &submitter);
                letters.must(&format!("claim_failed/{id}/"), &partner);
                letters.must(&format!("claim_failed/{id}/fin"), "fin");
            }
            None => {}
        }
        letters
    }
}

/// Letters by Message-ID, with the addresses that they go to.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    pub(crate) to: BTreeMap<String, String>,
    pub(crate) must: BTreeSet<String>,
    /// Those with a statement.
    pub(crate) statements: BTreeSet<String>,
}

impl Letters {
    fn may(&mut self, cause: &str, who: &str) {
        let id = message_id(cause);
        if cause.starts_with("claim_statement/") {
            self.statements.insert(id.clone());
        }
        self.to.insert(id, format!("{who}@example.com"));
    }

    fn must(&mut self, cause: &str, who: &str) {
        self.may(cause, who);
        self.must.insert(message_id(cause));
    }
}

/// A wallet with the budget of its partner's campaign, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Funds {
    pub(crate) balance: i64,
    pub(crate) held: i64,
    pub(crate) budget_left: i64,
}

/// How all must end.
#[derive(Debug)]
pub(crate) struct Ends {
    /// By claim: status, amount, round.
    pub(crate) claims: BTreeMap<String, (&'static str, i64, i64)>,
    /// By partner.
    pub(crate) funds: BTreeMap<String, Funds>,
    pub(crate) letters: Letters,
    /// What was paid in all.
    pub(crate) paid: i64,
}

/// By what the provider says of the amounts that it was asked for.
pub(crate) fn ends(claims: &[Claimed], moved: &BTreeMap<i64, Moved>) -> Ends {
    let full = Funds { balance: ACCRUED, held: 0, budget_left: BUDGET };
    let funds = FACTS.names().map(|(_, partner)| (partner, full)).collect();
    let mut ends = Ends { claims: BTreeMap::new(), funds, letters: Letters::default(), paid: 0 };
    for claim in claims {
        let moved = moved.get(&claim.amount()).copied();
        let status = claim.ends(moved);
        let round = if claim.fate == Fate::Again { 2 } else { 1 };
        ends.claims.insert(claim.id(), (status, claim.amount(), round));
        let Letters { to, must, statements } = claim.letters(moved);
        ends.letters.to.extend(to);
        ends.letters.must.extend(must);
        ends.letters.statements.extend(statements);
        let funds = ends.funds.get_mut(&claim.partner()).expect("a partner");
        match status {
            "paid" => {
                (funds.balance, funds.budget_left, ends.paid) =
                    (funds.balance - claim.amount(), funds.budget_left - claim.amount(), ends.paid + claim.amount());
            }
            "awaiting_approval" => (funds.held, funds.budget_left) = (funds.held + claim.amount(), funds.budget_left - claim.amount()),
            _ => {}
        }
    }
    ends
}
