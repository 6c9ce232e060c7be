//! Loads referred revenue of members over a range of days (domain.md §1).

use program::calendar::{Date, Instant};
use program::commission::referred_minor;
use program::line::Text;
use program::money::Rate;
use program::programme::SOURCED;
use program::refund::spread;
use program::revenue::Entry;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::Knowledge;
use super::invoices::{InvoiceSet, Scope};
use super::row::{LoadError, rows};
use crate::settlement::refunds::RefundBook;

/// The most invoices that are loaded by id at once.
pub const IDS_AT_ONCE: usize = 5_000;

/// The entries of all members with a paid or refund date in `[from, before)`, as known.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn entries(tx: &DatabaseTransaction, knowledge: &Knowledge, from: Date, before: Date) -> Result<Vec<Entry>, LoadError> {
    entries_beside(tx, knowledge, from, before, None).await
}

/// Invoices at hand: all those paid in a range of instants, microseconds.
#[derive(Debug, Clone, Copy)]
pub struct AtHand<'a> {
    /// The invoices.
    pub set: &'a InvoiceSet,
    /// From, inclusive.
    pub from: i64,
    /// To, exclusive.
    pub before: i64,
}

/// As [`entries`], without loading again what is at hand.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn entries_beside(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    from: Date,
    before: Date,
    at_hand: Option<AtHand<'_>>,
) -> Result<Vec<Entry>, LoadError> {
    let zone = knowledge.versions.constant().timezone;
    let (start, end) = (Instant::start_of(from, zone).0, Instant::start_of(before, zone).0);
    let mut found = Vec::new();
    let mut missing = vec![(start, end)];
    if let Some(AtHand { set, from, before }) = at_hand {
        paid_entries(set, knowledge, (start, end), &mut found)?;
        missing = vec![(start, end.min(from)), (start.max(before), end)];
    }
    for (start, end) in missing.into_iter().filter(|(start, end)| start < end) {
        let paid = InvoiceSet::load(tx, knowledge, &Scope::paid_between(start, end)).await?;
        paid_entries(&paid, knowledge, (start, end), &mut found)?;
    }
    refund_entries(tx, knowledge, (start, end), &mut found).await?;
    Ok(found)
}

fn paid_entries(set: &InvoiceSet, knowledge: &Knowledge, range: (i64, i64), found: &mut Vec<Entry>) -> Result<(), LoadError> {
    let sourced: Text = SOURCED.into();
    for (place, invoice) in set.invoices.iter().enumerate().filter(|(_, invoice)| (range.0..range.1).contains(&invoice.paid_at.0)) {
        let customer = set.customer(invoice);
        let version = &knowledge.versions.on(invoice.paid_on).programme;
        for item in &invoice.items {
            for credit in set.credits(knowledge, place, item, &sourced) {
                let role = version.role(&credit.role).unwrap_or_default();
                let amount_minor = referred_minor(item.amount_minor, credit.share, role, version.rounding).map_err(|_| too_large(&invoice.id))?;
                if amount_minor != 0 {
                    found.push(Entry {
                        partner: credit.partner,
                        dated_on: invoice.paid_on,
                        paid_on: invoice.paid_on,
                        currency: invoice.currency,
                        amount_minor,
                        activated_on: customer.activated_on,
                        churned_on: customer.churned_on,
                    });
                }
            }
        }
    }
    Ok(())
}

fn too_large(id: &str) -> LoadError {
    LoadError::Corrupt { value: id.to_owned(), what: "an invoice whose amounts can be computed" }
}

/// What refunds dated in the range take, of invoices paid at any time.
async fn refund_entries(tx: &DatabaseTransaction, knowledge: &Knowledge, range: (i64, i64), found: &mut Vec<Entry>) -> Result<(), LoadError> {
    let query = "SELECT DISTINCT invoice FROM refunds WHERE refunded_at >= ? AND refunded_at < ? AND seq <= ? ORDER BY invoice";
    let mut ids: Vec<Text> = Vec::new();
    for row in rows(tx, query, vec![range.0.into(), range.1.into(), knowledge.cutoff.into()]).await? {
        ids.push(row.text(0)?);
    }
    for ids in ids.chunks(IDS_AT_ONCE) {
        let scope = Scope::ids(tx.get_database_backend(), ids);
        let set = InvoiceSet::load(tx, knowledge, &scope).await?;
        let book = RefundBook::load(tx, knowledge, ids).await?;
        for place in 0..set.invoices.len() {
            refunded(&set, place, &book, knowledge, range, found)?;
        }
    }
    Ok(())
}

fn refunded(
    set: &InvoiceSet,
    place: usize,
    book: &RefundBook,
    knowledge: &Knowledge,
    range: (i64, i64),
    found: &mut Vec<Entry>,
) -> Result<(), LoadError> {
    let invoice = &set.invoices[place];
    let refunds = book.of(&invoice.id);
    let plain: Vec<_> = refunds.iter().map(|known| known.refund.clone()).collect();
    let spreads = spread(&invoice.item_amounts(), &plain)
        .map_err(|error| LoadError::Corrupt { value: error.to_string(), what: "refunds that the invoice can bear" })?;
    let version = &knowledge.versions.on(invoice.paid_on).programme;
    let customer = set.customer(invoice);
    let zone = knowledge.versions.constant().timezone;
    let sourced: Text = SOURCED.into();
    for (index, item) in invoice.items.iter().enumerate() {
        for credit in set.credits(knowledge, place, item, &sourced) {
            if !version.role(&credit.role).unwrap_or_default().referred {
                continue;
            }
            let (mut cumulative, mut before) = (0_i64, 0_i64);
            for (known, taken) in refunds.iter().zip(&spreads) {
                cumulative += taken[index];
                let so_far = Rate::ONE.of(cumulative, credit.share, version.rounding).map_err(|_| too_large(&invoice.id))?;
                let amount_minor = before - so_far;
                before = so_far;
                if amount_minor != 0 && (range.0..range.1).contains(&known.refunded_at.0) {
                    found.push(Entry {
                        partner: credit.partner,
                        dated_on: known.refunded_at.date_in(zone),
                        paid_on: invoice.paid_on,
                        currency: invoice.currency,
                        amount_minor,
                        activated_on: customer.activated_on,
                        churned_on: customer.churned_on,
                    });
                }
            }
        }
    }
    Ok(())
}
