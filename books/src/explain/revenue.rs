//! Referred revenue as a period knew it: credits that were fixed after its cut-off are those that resolved at it (domain.md §1, §4.7).

use std::collections::HashMap;

use program::calendar::{Date, Instant};
use program::commission::referred_minor;
use program::credit::Credit;
use program::invoice::Item;
use program::line::Text;
use program::money::Rate;
use program::programme::SOURCED;
use program::refund::spread;
use program::revenue::Entry;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::load::Knowledge;
use crate::load::invoices::{InvoiceSet, Scope, in_list, json_list};
use crate::load::revenue::IDS_AT_ONCE;
use crate::load::row::{LoadError, rows};
use crate::settlement::refunds::RefundBook;

/// Credits that were fixed by the cut-off: by invoice, then item.
type Fixed = HashMap<Text, HashMap<Text, Vec<Credit>>>;

/// Invoices with their credits as they stood at the cut-off.
struct AsKnown<'a> {
    knowledge: &'a Knowledge,
    set: InvoiceSet,
    fixed: Fixed,
    sourced: Text,
}

/// The entries of all members with a paid or refund date in `[from, before)`.
pub(super) async fn entries(tx: &DatabaseTransaction, knowledge: &mut Knowledge, from: Date, before: Date) -> Result<Vec<Entry>, LoadError> {
    let zone = knowledge.versions.constant().timezone;
    let (start, end) = (Instant::start_of(from, zone).0, Instant::start_of(before, zone).0);
    let mut found = Vec::new();
    AsKnown::load(tx, knowledge, &Scope::paid_between(start, end)).await?.paid(&mut found)?;
    let query = "SELECT DISTINCT invoice FROM refunds WHERE refunded_at >= ? AND refunded_at < ? AND seq <= ? ORDER BY invoice";
    let mut ids: Vec<Text> = Vec::new();
    for row in rows(tx, query, vec![start.into(), end.into(), knowledge.cutoff.into()]).await? {
        ids.push(row.text(0)?);
    }
    for ids in ids.chunks(IDS_AT_ONCE) {
        let book = RefundBook::load(tx, knowledge, ids).await?;
        let known = AsKnown::load(tx, knowledge, &Scope::ids(tx.get_database_backend(), ids)).await?;
        known.refunded(&book, start..end, &mut found)?;
    }
    Ok(found)
}

/// Credits of this programme that were fixed by the cut-off, with the invoices of which none was.
async fn fixed(tx: &DatabaseTransaction, knowledge: &Knowledge, ids: &[Text]) -> Result<Fixed, LoadError> {
    let mut fixed = Fixed::new();
    let list = in_list(tx.get_database_backend());
    let booked = format!(
        "SELECT DISTINCT k.invoice FROM bookings k JOIN periods p ON p.program = k.program AND p.period = k.period WHERE k.invoice {list} AND p.cutoff <= ?"
    );
    let credited = format!(
        "SELECT b.invoice, b.item, b.partner, b.role, b.share, b.credit FROM booked_credits b JOIN periods p ON p.program = b.booked_by AND p.period = b.period \
         WHERE b.invoice {list} AND b.program = ? AND p.cutoff <= ? ORDER BY b.invoice, b.item, b.partner, b.role"
    );
    for ids in ids.chunks(IDS_AT_ONCE) {
        for row in rows(tx, &booked, vec![json_list(ids), knowledge.cutoff.into()]).await? {
            fixed.entry(row.text(0)?).or_default();
        }
        for row in rows(tx, &credited, vec![json_list(ids), (&*knowledge.program).into(), knowledge.cutoff.into()]).await? {
            let Some(partner) = knowledge.directory.find(&row.string(2)?) else { continue };
            let credit = Credit { id: row.text_or_empty(5)?, program: knowledge.program.clone(), partner, role: row.text(3)?, share: row.rate(4)? };
            fixed.entry(row.text(0)?).or_default().entry(row.text(1)?).or_default().push(credit);
        }
    }
    Ok(fixed)
}

fn too_large(id: &str) -> LoadError {
    LoadError::Corrupt { value: id.to_owned(), what: "an invoice whose amounts can be computed" }
}

impl<'a> AsKnown<'a> {
    async fn load(tx: &DatabaseTransaction, knowledge: &'a mut Knowledge, scope: &Scope) -> Result<Self, LoadError> {
        // No programme has this name, so nothing that was fixed later is found.
        let program = std::mem::replace(&mut knowledge.program, "".into());
        let set = InvoiceSet::load(tx, knowledge, scope).await;
        knowledge.program = program;
        let set = set?;
        let ids: Vec<Text> = set.invoices.iter().map(|invoice| invoice.id.clone()).collect();
        let fixed = fixed(tx, knowledge, &ids).await?;
        Ok(Self { knowledge, set, fixed, sourced: SOURCED.into() })
    }

    fn credits(&self, place: usize, item: &Item) -> Vec<Credit> {
        if let Some(items) = self.fixed.get(&self.set.invoices[place].id) {
            return items.get(item.key()).cloned().unwrap_or_default();
        }
        let mut credits = self.set.resolve(self.knowledge, place, item, &self.sourced);
        credits.retain(|credit| credit.program == self.knowledge.program);
        credits
    }

    fn paid(&self, found: &mut Vec<Entry>) -> Result<(), LoadError> {
        for (place, invoice) in self.set.invoices.iter().enumerate() {
            let version = &self.knowledge.versions.on(invoice.paid_on).programme;
            for item in &invoice.items {
                for credit in self.credits(place, item) {
                    let role = version.role(&credit.role).unwrap_or_default();
                    let amount_minor = referred_minor(item.amount_minor, credit.share, role, version.rounding).map_err(|_| too_large(&invoice.id))?;
                    found.push(self.entry(place, &credit, invoice.paid_on, amount_minor));
                }
            }
        }
        Ok(())
    }

    fn entry(&self, place: usize, credit: &Credit, dated_on: Date, amount_minor: i64) -> Entry {
        let invoice = &self.set.invoices[place];
        let customer = self.set.customer(invoice);
        Entry {
            partner: credit.partner,
            dated_on,
            paid_on: invoice.paid_on,
            currency: invoice.currency,
            amount_minor,
            activated_on: customer.activated_on,
            churned_on: customer.churned_on,
        }
    }

    /// What refunds dated in the range take, of invoices paid at any time.
    fn refunded(&self, book: &RefundBook, range: std::ops::Range<i64>, found: &mut Vec<Entry>) -> Result<(), LoadError> {
        let zone = self.knowledge.versions.constant().timezone;
        for (place, invoice) in self.set.invoices.iter().enumerate() {
            let refunds = book.of(&invoice.id);
            let plain: Vec<_> = refunds.iter().map(|known| known.refund.clone()).collect();
            let spreads = spread(&invoice.item_amounts(), &plain)
                .map_err(|error| LoadError::Corrupt { value: error.to_string(), what: "refunds that the invoice can bear" })?;
            let version = &self.knowledge.versions.on(invoice.paid_on).programme;
            for (index, item) in invoice.items.iter().enumerate() {
                for credit in self.credits(place, item) {
                    if !version.role(&credit.role).unwrap_or_default().referred {
                        continue;
                    }
                    let (mut cumulative, mut before) = (0_i64, 0_i64);
                    for (known, taken) in refunds.iter().zip(&spreads) {
                        cumulative += taken[index];
                        let so_far = Rate::ONE.of(cumulative, credit.share, version.rounding).map_err(|_| too_large(&invoice.id))?;
                        let amount_minor = before - so_far;
                        before = so_far;
                        if range.contains(&known.refunded_at.0) {
                            found.push(self.entry(place, &credit, known.refunded_at.date_in(zone), amount_minor));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
