//! Invoices of the deals with their items and payments, and what came back: refunds, credit notes, chargebacks, corrections.

use books::record::FactKind;
use program::calendar::{Date, Period, days_after, months_after};
use program::money::Currency;

use super::facts::Facts;
use super::names;
use super::network::{Partner, Story};
use super::random::Random;
use super::trade::Deal;
use super::year::{MONTHS, Year};

/// Disputes of card payments in the year; the partner's customer loses every other one.
const CHARGEBACKS_MAX: usize = 4;

struct Invoice<'a> {
    id: String,
    deal: &'a Deal,
    amount_minor: i64,
    issued_on: Date,
    paid_on: Date,
    paid_at: String,
    method: &'static str,
    product: &'static str,
    /// Amounts of its items; none: it has no items.
    items: Vec<i64>,
    /// When its payment becomes known.
    known_on: Date,
}

/// Makes the invoices of deals, and what came back of them.
pub(crate) fn generate(facts: &mut Facts, year: Year, seed: u64, partners: &[Partner], deals: &[Deal]) {
    let mut random = Random::new(seed, "billing");
    let mut invoices: Vec<Invoice<'_>> = deals.iter().flat_map(|deal| invoices_of(&mut random, year, deal)).collect();
    invoices.sort_by(|a, b| (a.issued_on, &a.deal.id).cmp(&(b.issued_on, &b.deal.id)));
    for (number, invoice) in (1..).zip(&mut invoices) {
        invoice.id = format!("INV-{number:05}");
        add(facts, &mut random, invoice);
    }
    let mut returns = Returns { facts, year, refunds: 0, chargebacks: 0 };
    for invoice in invoices.iter().filter(|invoice| invoice.paid_on >= year.history_begins()) {
        returns.maybe(&mut random, invoice);
    }
    adjust(facts, year, partners, &invoices);
}

/// The contract's value in equal parts, the last one with what is left over. What was paid before history begins is left out.
fn invoices_of<'a>(random: &mut Random, year: Year, deal: &'a Deal) -> Vec<Invoice<'a>> {
    let parts = i64::from(MONTHS / deal.every);
    let part = deal.value_minor / parts;
    let mut invoices = Vec::new();
    for (number, place) in (0..parts).zip(0_u32..) {
        let amount_minor = if number + 1 == parts { deal.value_minor - part * (parts - 1) } else { part };
        let issued_on = months_after(deal.signed_on, place * deal.every);
        let (method, days) = match random.between(1, 100) {
            1..=25 => ("card", random.between(0, 3)),
            26..=75 => ("ach", random.between(5, 35)),
            _ => ("wire", random.between(10, 50)),
        };
        let paid_on = days_after(issued_on, u32::try_from(days).unwrap_or(0));
        let paid_at = year.at(paid_on, random.between(8, 18), random.between(0, 59)).to_string();
        let product = *random.pick(&names::PRODUCTS);
        let items = if random.chance(30) { items(random, amount_minor) } else { Vec::new() };
        let late = if paid_on >= year.begins() && random.chance(2) { random.between(33, 65) } else { 0 };
        let known_on = days_after(paid_on, u32::try_from(late).unwrap_or(0));
        if paid_on >= year.history_begins() && issued_on <= year.last_day() {
            invoices.push(Invoice { id: String::new(), deal, amount_minor, issued_on, paid_on, paid_at, method, product, items, known_on });
        }
    }
    invoices
}

/// Two or three items that add up.
fn items(random: &mut Random, amount_minor: i64) -> Vec<i64> {
    let first = amount_minor * random.between(40, 70) / 100;
    let rest = amount_minor - first;
    if random.chance(50) {
        return vec![first, rest];
    }
    let second = rest * random.between(20, 80) / 100;
    vec![first, second, rest - second]
}

/// Most invoices become known when they are paid, some when they are issued, and their payment later.
fn add(facts: &mut Facts, random: &mut Random, invoice: &Invoice<'_>) {
    let Invoice { id, deal, issued_on, known_on, .. } = invoice;
    let currency = deal.currency;
    let row = |paid_at: &str| {
        [
            id.clone(),
            deal.customer.clone(),
            deal.id.clone(),
            currency.code().into(),
            currency.format_minor(invoice.amount_minor),
            issued_on.to_string(),
            paid_at.into(),
            if invoice.items.is_empty() { invoice.product.into() } else { String::new() },
            invoice.method.into(),
        ]
    };
    // It is in one file once: what is paid in the month of its issue comes as paid.
    let same_month = Period::of(*known_on) == Period::of(*issued_on);
    let early = !same_month && (random.chance(15) || *known_on > facts.last());
    if early {
        facts.add(*issued_on, FactKind::Invoices, row(""));
    }
    facts.add(*known_on, FactKind::Invoices, row(&invoice.paid_at));
    let items_on = if early { *issued_on } else { *known_on };
    for ((number, amount_minor), product) in (1..).zip(&invoice.items).zip(names::PRODUCTS.iter().cycle()) {
        facts.add(items_on, FactKind::InvoiceItems, [id.clone(), format!("{number}"), currency.format_minor(*amount_minor), (*product).into()]);
    }
}

struct Returns<'a> {
    facts: &'a mut Facts,
    year: Year,
    refunds: usize,
    chargebacks: usize,
}

impl Returns<'_> {
    fn maybe(&mut self, random: &mut Random, invoice: &Invoice<'_>) {
        if random.chance(2) {
            self.refund(random, invoice);
        } else if invoice.method == "card" && invoice.paid_on > self.year.begins() && self.chargebacks < CHARGEBACKS_MAX && random.chance(4) {
            self.chargeback(random, invoice);
        }
    }

    fn refund(&mut self, random: &mut Random, invoice: &Invoice<'_>) {
        let kind = if random.chance(65) { "refund" } else { "credit_note" };
        let (item, most) = match invoice.items.first() {
            Some(first) if random.chance(50) => ("1", *first),
            _ => ("", invoice.amount_minor),
        };
        let amount_minor = if random.chance(25) { most } else { (most * random.between(5, 50) / 100).max(1) };
        let on = days_after(invoice.paid_on, u32::try_from(random.between(4, 50)).unwrap_or(4));
        self.refunds += 1;
        self.add(random, invoice, &format!("RF-{:03}", self.refunds), item, amount_minor, on, kind, "");
    }

    /// The whole invoice; every other dispute is won.
    fn chargeback(&mut self, random: &mut Random, invoice: &Invoice<'_>) {
        let on = days_after(invoice.paid_on, u32::try_from(random.between(8, 25)).unwrap_or(8));
        let won_on = days_after(on, u32::try_from(random.between(20, 45)).unwrap_or(20));
        if won_on > self.year.last_day() {
            return;
        }
        self.chargebacks += 1;
        let id = format!("CB-{:03}", self.chargebacks);
        self.add(random, invoice, &id, "", invoice.amount_minor, on, "chargeback", "");
        if self.chargebacks % 2 == 1 {
            self.add(random, invoice, &format!("{id}-won"), "", invoice.amount_minor, won_on, "chargeback_won", &id);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of a refund")]
    fn add(&mut self, random: &mut Random, invoice: &Invoice<'_>, id: &str, item: &str, amount_minor: i64, on: Date, kind: &str, of: &str) {
        let at = self.year.at(on, random.between(9, 17), random.between(0, 59)).to_string();
        let amount = invoice.deal.currency.format_minor(amount_minor);
        let row = [id.into(), invoice.id.clone(), item.into(), amount, at, kind.into(), of.into()];
        self.facts.add(on.max(invoice.known_on), FactKind::Refunds, row);
    }
}

/// Two corrections by hand.
fn adjust(facts: &mut Facts, year: Year, partners: &[Partner], invoices: &[Invoice<'_>]) {
    let dollars = |currency: Currency| currency.code() == "USD";
    let of = |story: Story, from: Date| {
        let fits = |invoice: &&Invoice<'_>| {
            partners[invoice.deal.seller].story == story
                && dollars(invoice.deal.currency)
                && invoice.paid_on >= from
                && invoice.known_on == invoice.paid_on
        };
        invoices.iter().find(fits).map(|invoice| (partners[invoice.deal.seller].id.clone(), invoice.id.clone()))
    };
    let (june, september) = (year.day(6, 18), year.day(9, 22));
    if let Some((partner, invoice)) = of(Story::Lapses, year.day(5, 1)) {
        let row = ["ADJ-1".into(), partner, "240.00".into(), "USD".into(), june.to_string(), "dispute upheld".into(), "finance lead".into(), invoice];
        facts.add(june, FactKind::Adjustments, row);
    }
    if let Some((partner, _)) = of(Story::Moves, year.day(2, 1)) {
        let reason = "paid a second time by bank transfer in August".into();
        let row = ["ADJ-2".into(), partner, "-85.50".into(), "USD".into(), september.to_string(), reason, "finance lead".into(), String::new()];
        facts.add(september, FactKind::Adjustments, row);
    }
}
