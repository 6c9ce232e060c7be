//! Invoices that no period booked though one should have (invariant 6; domain.md §2.6, §4.1).

use std::collections::BTreeSet;

use program::calendar::{Date, Instant};

use super::page::{AT_ONCE, fixed};
use super::{Known, is_after};
use crate::load::row::{LoadError, rows};
use crate::verify::finding::Invariant::LineAsAsked;
use crate::verify::known::invoices::{self, Invoice};
use crate::verify::known::places::Places;
use crate::verify::scan::Scan;

/// Looks at every invoice paid by the end of the last period made that the programme has not booked.
pub(crate) async fn check(scan: &mut Scan<'_>, known: &Known) -> Result<(), LoadError> {
    let Some((period, made)) = known.terms.last_rated().map(|(period, made)| (period.to_owned(), made.clone())) else { return Ok(()) };
    let query = format!(
        "SELECT i.id FROM invoices i WHERE i.paid_at IS NOT NULL AND i.seq <= ? AND i.id > ? AND NOT EXISTS \
         (SELECT 1 FROM bookings b WHERE b.invoice = i.id AND b.program = ?) ORDER BY i.id LIMIT {AT_ONCE}"
    );
    let mut after = String::new();
    loop {
        let values = vec![made.cutoff.into(), after.as_str().into(), known.terms.program.as_str().into()];
        let ids = rows(scan.tx, &query, values).await?.iter().map(|row| row.string(0)).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = ids.last() else { return Ok(()) };
        last.clone_into(&mut after);
        check_page(scan, known, (&period, made.cutoff), &ids).await?;
    }
}

async fn check_page(scan: &mut Scan<'_>, known: &Known, (period, cutoff): (&str, i64), ids: &[String]) -> Result<(), LoadError> {
    let invoices = invoices::load(scan.tx, ids).await?;
    let deals: BTreeSet<String> = invoices.values().flat_map(Invoice::deals).cloned().collect();
    let deals = invoices::load_deals(scan.tx, &deals.into_iter().collect::<Vec<_>>()).await?;
    let places = Places::load(scan.tx, &invoices, &deals, &known.voided).await?;
    let fixed = fixed(scan, ids).await?;
    let program = &known.terms.program;
    for invoice in invoices.values() {
        let Some(paid_on) = eligible(known, invoice, period, cutoff) else { continue };
        let items = invoice.items(cutoff);
        let has_credit = items.iter().any(|item| {
            let deal = invoice.deal(item, cutoff).and_then(|deal| deals.get(deal));
            places.credits(&known.members, invoice, item, deal, paid_on, cutoff).iter().any(|credit| credit.program == *program)
        });
        // Where another programme booked it first, its credits were fixed then.
        let fixed = fixed.get(&invoice.id).map_or(&[][..], Vec::as_slice);
        let is_fixed_here = fixed.iter().any(|fixed| fixed.credit.program == *program && (has_credit || fixed.cutoff <= cutoff));
        let is_asked = if fixed.is_empty() { has_credit } else { is_fixed_here };
        if is_asked {
            let keys = [("program", program.as_str()), ("invoice", invoice.id.as_str()), ("period", period)];
            scan.add(LineAsAsked, &keys, "the invoice is eligible, an item of it has a credit, and no period booked it");
        }
    }
    Ok(())
}

/// The paid date of an invoice that a period through this one had to book, as known at its cut-off.
fn eligible(known: &Known, invoice: &Invoice, period: &str, cutoff: i64) -> Option<Date> {
    let constant = known.terms.constant();
    let paid_on = Instant(invoice.paid_at(cutoff)?).date_in(constant.timezone);
    let is_due = !is_after(known.terms.own_period(paid_on, cutoff), period);
    (is_due && paid_on >= constant.settlement.first_period.first_day()).then_some(paid_on)
}
