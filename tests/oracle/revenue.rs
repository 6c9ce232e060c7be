//! Referred revenue and exchange rates (domain.md §1, §2.8, §3.6).

use program::calendar::Date;
use program::exact::Exact;
use program::money::{Currency, Rate};
use program::programme::{Programme, Role};

use crate::facts::{Facts, day, text};
use crate::figures::rated;
use crate::invoices::{Paid, credits};
use crate::refunds;

/// A role of a version; `sourced` has everything.
pub(crate) fn role(version: &Programme, role: &str) -> Role {
    let all = Role { tier_rate: true, referred: true, extras: true };
    if role == "sourced" { all } else { version.roles.get(role).copied().unwrap_or_default() }
}

/// The latest rate on or before a day, at most a week old.
pub(crate) fn fx(facts: &Facts, from: Currency, to: Currency, on: Date) -> Option<Exact> {
    if from == to {
        return Some(Exact::integer(1));
    }
    let pair = facts.all("fx").iter().filter(|row| text(row, "from") == from.code() && text(row, "to") == to.code());
    let dated = pair.map(|row| (day(row, "date").expect("a date"), text(row, "rate")));
    let (_, rate) = dated.filter(|(date, _)| *date <= on && (on - *date).num_days() <= 7).max()?;
    Some(rate.parse().expect("a rate"))
}

/// An amount in the programme's currency.
pub(crate) fn converted(facts: &Facts, minor: i128, from: Currency, to: Currency, on: Date) -> Option<Exact> {
    let major = Exact::new(minor, from.exponent()).expect("a figure");
    if minor == 0 && from == to { Some(Exact::ZERO) } else { major.mul(fx(facts, from, to, on)?).ok() }
}

/// A member's referred revenue of the days from one to before another, in the programme's currency.
pub(crate) fn referred(facts: &Facts, program: &str, invoices: &[Paid<'_>], partner: &str, from: Date, before: Date) -> Option<Exact> {
    let mut sum = Exact::ZERO;
    for invoice in invoices {
        let version = facts.version(program, invoice.paid_on);
        let refunds = refunds::of(facts, program, invoice, before);
        let mut minor = 0;
        for (place, item) in invoice.items.iter().enumerate() {
            for credit in credits(facts, invoice, item) {
                if credit.program != program || credit.partner != partner || !role(version, &credit.role).referred {
                    continue;
                }
                if from <= invoice.paid_on && invoice.paid_on < before {
                    minor += rated(item.amount, Rate::ONE, credit.share, version.rounding);
                }
                minor -= refunds::unreferred(&refunds, place, credit.share, version.rounding, from, before);
            }
        }
        if minor != 0 {
            sum = sum.add(converted(facts, minor, invoice.currency, version.currency, invoice.paid_on)?).ok()?;
        }
    }
    Some(sum)
}
