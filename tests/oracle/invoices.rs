//! Paid invoices, their items, deals and credits (domain.md §3.1–3.2).

use chrono::{DateTime, Utc};
use program::calendar::{Date, Period, days_after};
use program::money::{Currency, Rate};

use crate::facts::{Facts, Row, day, instant, rate, text};
use crate::figures::minor;

/// A part of an invoice with what it is under.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: Option<String>,
    pub(crate) amount: i128,
    pub(crate) product: String,
    pub(crate) deal: String,
}

/// A paid invoice as one programme sees it.
#[derive(Debug, Clone)]
pub(crate) struct Paid<'a> {
    pub(crate) row: &'a Row,
    pub(crate) id: &'a str,
    pub(crate) currency: Currency,
    pub(crate) paid_at: DateTime<Utc>,
    pub(crate) paid_on: Date,
    /// The period of its eligible date.
    pub(crate) period: Period,
    pub(crate) items: Vec<Item>,
}

/// Who gets an item.
#[derive(Debug, Clone)]
pub(crate) struct Credit {
    pub(crate) program: String,
    pub(crate) partner: String,
    pub(crate) role: String,
    pub(crate) share: Rate,
}

/// All paid invoices in the order in which they were paid.
pub(crate) fn paid<'a>(facts: &'a Facts, program: &str) -> Vec<Paid<'a>> {
    let zone = facts.versions(program).next().expect("a version").timezone;
    let paid = facts.all("invoices").iter().filter_map(|row| instant(row, "paid_at").map(|at| (row, at)));
    let mut all: Vec<Paid<'a>> = paid
        .map(|(row, at)| {
            let currency: Currency = text(row, "currency").parse().expect("a currency");
            let paid_on = at.with_timezone(&zone).date_naive();
            let hold_days = facts.version(program, paid_on).settlement.hold_days;
            let period = Period::of(days_after(paid_on, hold_days));
            Paid { row, id: text(row, "id"), currency, paid_at: at.to_utc(), paid_on, period, items: items(facts, row, currency) }
        })
        .collect();
    all.sort_by(|a, b| (a.paid_at, a.id).cmp(&(b.paid_at, b.id)));
    all
}

fn items(facts: &Facts, invoice: &Row, currency: Currency) -> Vec<Item> {
    let own = |row: &Row, column: &str| if row.contains_key(column) { text(row, column) } else { text(invoice, column) }.to_owned();
    let of_invoice = facts.all("invoice_items").iter().filter(|row| text(row, "invoice") == text(invoice, "id"));
    let mut items: Vec<Item> = of_invoice
        .map(|row| Item {
            id: Some(text(row, "item").into()),
            amount: minor(text(row, "amount"), currency),
            product: own(row, "product"),
            deal: own(row, "deal"),
        })
        .collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    if items.is_empty() {
        let amount = minor(text(invoice, "subtotal"), currency);
        items.push(Item { id: None, amount, product: text(invoice, "product").into(), deal: text(invoice, "deal").into() });
    }
    items
}

/// The credits of an item in all programmes: the nearest place that has any wins whole.
pub(crate) fn credits(facts: &Facts, invoice: &Paid<'_>, item: &Item) -> Vec<Credit> {
    let customer = text(invoice.row, "customer");
    let places: [(&str, &str, Option<&str>, &str); 4] = [
        ("invoice", invoice.id, item.id.as_deref(), ""),
        ("invoice", invoice.id, None, text(invoice.row, "partner")),
        ("deal", &item.deal, None, facts.find("deals", &item.deal).map_or("", |deal| text(deal, "partner"))),
        ("customer", customer, None, facts.find("customers", customer).map_or("", |customer| text(customer, "referred_by"))),
    ];
    for (place, (column, id, named, plain)) in places.into_iter().enumerate() {
        if id.is_empty() || (place == 0 && named.is_none()) {
            continue;
        }
        let is_here = |row: &&Row| {
            let starts = day(row, "from").is_none_or(|from| from <= invoice.paid_on);
            let lasts = day(row, "through").is_none_or(|through| invoice.paid_on <= through);
            text(row, column) == id && row.get("item").map(String::as_str) == named && starts && lasts
        };
        let found: Vec<Credit> = facts
            .all("credits")
            .iter()
            .filter(is_here)
            .map(|row| {
                let partner = text(row, "partner");
                let program = row.get("program").map_or_else(|| facts.home(partner), String::as_str);
                let share = rate(row, "share").unwrap_or(Rate::ONE);
                Credit { program: program.into(), partner: partner.into(), role: text(row, "role").into(), share }
            })
            .collect();
        if !found.is_empty() {
            return found;
        }
        if !plain.is_empty() {
            return vec![Credit { program: facts.home(plain).into(), partner: plain.into(), role: "sourced".into(), share: Rate::ONE }];
        }
    }
    Vec::new()
}
