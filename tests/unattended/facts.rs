//! What is recorded before a service starts, and what is owed for it, worked out here.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// Partners with one invoice a month, each of another amount, and one whose commission never reaches the minimum payout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) partners: u32,
    /// The first month of 2026 that is settled.
    pub(crate) first: u32,
    /// The last.
    pub(crate) last: u32,
}

/// The member that is never paid.
pub(crate) const SMALL: &str = "small";

/// A payout: whose, for which month, how much.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owed {
    pub(crate) partner: String,
    pub(crate) period: String,
    pub(crate) cents: i64,
}

impl Facts {
    pub(crate) fn months(&self) -> impl Iterator<Item = u32> + use<> {
        self.first..=self.last
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (u32, String)> + use<> {
        (1..=self.partners).map(|number| (number, format!("p{number:02}")))
    }

    pub(crate) fn programme(&self, settlement: &str) -> String {
        let first = period(self.first);
        format!(
            "[program]\nid = \"p\"\nname = \"Unattended\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n\
             [[tiers]]\nid = \"base\"\nname = \"Base\"\nthreshold = \"0\"\nrate = \"10%\"\n\
             [settlement]\nfirst_period = \"{first}\"\nminimum_payout = \"50.00\"\n{settlement}\n"
        )
    }

    /// `partners.csv`.
    pub(crate) fn partner_rows(&self) -> String {
        let names = self.names().map(|(_, name)| name).chain([SMALL.to_owned()]);
        names.fold("id,name,email,program,tier,tier_since\n".to_owned(), |rows, name| {
            rows + &format!("{name},Partner {name},{name}@example.com,p,base,2026-01-01\n")
        })
    }

    /// `invoices.csv`.
    pub(crate) fn invoice_rows(&self) -> String {
        let mut rows = "id,customer,partner,currency,subtotal,paid_at\n".to_owned();
        for month in self.months() {
            for (number, name) in self.names() {
                let dollars = subtotal(number, month);
                rows += &format!("I{number}-{month},c1,{name},USD,{dollars}.00,2026-{month:02}-10T10:00:00Z\n");
            }
            rows += &format!("S-{month},c1,{SMALL},USD,30.00,2026-{month:02}-11T10:00:00Z\n");
        }
        rows
    }

    /// Every payout of all months, sorted.
    pub(crate) fn owed(&self) -> Vec<Owed> {
        let mut owed = Vec::new();
        for month in self.months() {
            // A tenth of so many dollars, in cents.
            owed.extend(self.names().map(|(number, partner)| Owed { partner, period: period(month), cents: subtotal(number, month) * 10 }));
        }
        owed.sort();
        owed
    }

    /// Every letter by its Message-ID, with the address it goes to.
    pub(crate) fn letters(&self) -> BTreeMap<String, String> {
        let statements = self.owed().into_iter().map(|owed| (format!("statement/p/{}/{}/USD", owed.period, owed.partner), owed.partner));
        let carried = self.months().map(|month| (format!("carried_forward/p/{}/{SMALL}/USD", period(month)), SMALL.to_owned()));
        statements.chain(carried).map(|(cause, partner)| (message_id(&cause), format!("{partner}@example.com"))).collect()
    }
}

/// Its Message-ID is made of what a letter is about, so that no attempt makes another one.
pub(crate) fn message_id(cause: &str) -> String {
    let digest = hex::encode(Sha256::digest(cause));
    format!("<{}@example.com>", &digest[..32])
}

pub(crate) fn period(month: u32) -> String {
    format!("2026-{month:02}")
}

fn subtotal(number: u32, month: u32) -> i64 {
    i64::from(1_000 + 37 * number + month)
}
