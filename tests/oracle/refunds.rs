//! What refunds take of items, in the order in which they are taken (domain.md §4.2–4.3).

use program::calendar::{Date, Period};

use crate::earn::Line;
use crate::facts::{Facts, Row, instant, text};
use crate::figures::{minor, rated, round, spread};
use crate::invoices::Paid;
use program::money::{Rate, Rounding};

/// A refund and what it takes of each item.
#[derive(Debug, Clone)]
pub(crate) struct Refund<'a> {
    pub(crate) id: &'a str,
    pub(crate) on: Date,
    pub(crate) taken: Vec<i128>,
    returns_cost: bool,
}

/// The refunds of an invoice dated up to a day.
pub(crate) fn of<'a>(facts: &'a Facts, program: &str, invoice: &Paid<'_>, through: Date) -> Vec<Refund<'a>> {
    let zone = facts.versions(program).next().expect("a version").timezone;
    let own = facts.all("refunds").iter().filter(|row| text(row, "invoice") == invoice.id);
    let mut rows: Vec<(chrono::DateTime<chrono::Utc>, &Row)> = own.map(|row| (instant(row, "refunded_at").expect("an instant").to_utc(), row)).collect();
    rows.sort_by(|a, b| (a.0, text(a.1, "id")).cmp(&(b.0, text(b.1, "id"))));
    let mut left: Vec<i128> = invoice.items.iter().map(|item| item.amount).collect();
    let mut refunds: Vec<Refund<'a>> = Vec::new();
    for (at, row) in rows {
        let on = at.with_timezone(&zone).date_naive();
        let amount = minor(text(row, "amount"), invoice.currency);
        let of = text(row, "of");
        let taken: Vec<i128> = if text(row, "kind") == "chargeback_won" {
            // What is left of its chargeback, after those that won part of it before.
            let is_it = |other: &&Refund<'_>| other.id == of;
            let mut not_won = refunds.iter().find(is_it).expect("its chargeback").taken.clone();
            for other in refunds.iter().filter(|other| facts.find("refunds", other.id).is_some_and(|row| text(row, "of") == of)) {
                not_won.iter_mut().zip(&other.taken).for_each(|(left, given)| *left += given);
            }
            spread(amount, &not_won).into_iter().map(|given| -given).collect()
        } else {
            let named = row.get("item");
            let weights: Vec<i128> =
                invoice.items.iter().zip(&left).map(|(item, left)| if named.is_none_or(|named| item.id.as_ref() == Some(named)) { *left } else { 0 }).collect();
            spread(amount, &weights)
        };
        left.iter_mut().zip(&taken).for_each(|(left, taken)| *left -= taken);
        let said = facts.find("refunds", of).unwrap_or(row);
        refunds.push(Refund { id: text(row, "id"), on, taken, returns_cost: text(said, "cost_returned") == "true" });
    }
    // Refunds are taken in order of date, so those after the day change nothing before it.
    refunds.retain(|refund| refund.on <= through);
    refunds
}

/// The reversals of a line of an item.
pub(crate) fn reversals(line: &Line, place: usize, amount: i128, refunds: &[Refund<'_>], rounding: Rounding) -> Vec<Line> {
    let mut reversals: Vec<Line> = Vec::new();
    let mut cumulative = 0;
    let mut so_far = 0;
    for refund in refunds.iter().filter(|refund| refund.taken[place] != 0 && (line.component != "processing_cost" || refund.returns_cost)) {
        cumulative += refund.taken[place];
        let all = round(line.amount * cumulative.min(amount), amount, rounding);
        let reversal = Line {
            source: "refund",
            source_id: refund.id.to_owned(),
            base: -refund.taken[place],
            amount: so_far - all,
            period: Period::of(refund.on).max(line.period),
            ..line.clone()
        };
        so_far = all;
        if reversal.amount != 0 || line.component == "base" {
            reversals.push(reversal);
        }
    }
    reversals
}

/// What refunds dated within days took of an item's referred amount.
pub(crate) fn unreferred(refunds: &[Refund<'_>], place: usize, share: Rate, rounding: Rounding, from: Date, before: Date) -> i128 {
    let mut sum = 0;
    let (mut cumulative, mut so_far) = (0, 0);
    for refund in refunds {
        cumulative += refund.taken[place];
        let all = rated(cumulative, Rate::ONE, share, rounding);
        if from <= refund.on && refund.on < before {
            sum += all - so_far;
        }
        so_far = all;
    }
    sum
}
