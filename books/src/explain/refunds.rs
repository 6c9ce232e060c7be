//! An invoice's refunds in the order in which they are taken, and the reversals that they make of its lines (domain.md §4.2–4.3).

use std::collections::HashMap;

use program::calendar::Period;
use program::component::Mirrored;
use program::invoice::PaidInvoice;
use program::line::{Line, Text};
use program::money::Rounding;
use program::refund::{self, Refund, spread};
use program::reversal::{self, ItemRefund};
use sea_orm::DatabaseTransaction;

use super::evidence::Posted;
use super::formula::{ReversalStep, of_reversal};
use super::model::{RefundShown, SpreadShown};
use crate::load::Knowledge;
use crate::load::row::{LoadError, first_row, rows};
use crate::settlement::refunds::{KnownRefund, RefundBook};

/// The refunds of an invoice as a programme took them.
#[derive(Debug)]
pub(super) struct Taken {
    /// Those booked, in order, with the period that booked each.
    booked: Vec<(KnownRefund, Period)>,
    /// What each of them took from each item, minor units.
    spreads: Vec<Vec<i64>>,
    /// Those not booked yet.
    waiting: Vec<KnownRefund>,
    /// Why they can't be spread again.
    pub(super) error: Option<String>,
}

/// Loads the refunds of an invoice.
pub(super) async fn load(tx: &DatabaseTransaction, program: &str, invoice: &PaidInvoice) -> Result<Taken, LoadError> {
    let now = Knowledge::load(tx, program, i64::MAX).await?;
    let book = RefundBook::load(tx, &now, std::slice::from_ref(&invoice.id)).await?;
    let query = "SELECT b.refund, b.period, p.cutoff FROM booked_refunds b JOIN periods p ON p.program = b.program AND p.period = b.period WHERE b.program = ? AND b.invoice = ?";
    let mut periods: HashMap<String, (Period, i64)> = HashMap::new();
    for row in rows(tx, query, vec![program.into(), (&*invoice.id).into()]).await? {
        periods.insert(row.string(0)?, (row.period(1)?, row.int(2)?));
    }
    let mut taken = Taken { booked: Vec::new(), spreads: Vec::new(), waiting: Vec::new(), error: None };
    for known in book.of(&invoice.id) {
        let mut known = known.clone();
        match periods.get(&known.refund.id) {
            Some(&(period, cutoff)) => {
                let filled = "SELECT 1 FROM fills WHERE kind = 'refunds' AND id = ? AND field = 'item' AND seq > ?";
                if first_row(tx, filled, vec![known.refund.id.as_str().into(), cutoff.into()]).await?.is_some() {
                    known.refund.item = None;
                }
                taken.booked.push((known, period));
            }
            None => taken.waiting.push(known),
        }
    }
    let plain: Vec<Refund> = taken.booked.iter().map(|(known, _)| known.refund.clone()).collect();
    match spread(&invoice.item_amounts(), &plain) {
        Ok(spreads) => taken.spreads = spreads,
        Err(error) => taken.error = Some(error.to_string()),
    }
    Ok(taken)
}

impl Taken {
    /// What refunds took from an item, in order.
    fn of_item(&self, item: usize) -> Vec<ItemRefund> {
        let plain: Vec<Refund> = self.booked.iter().map(|(known, _)| known.refund.clone()).collect();
        let each = plain.iter().zip(&self.spreads);
        each.map(|(refund, taken)| ItemRefund {
            refund: refund.id.as_str().into(),
            taken_minor: taken[item],
            returns_cost: refund::returns_cost(refund, &plain),
            new: true,
        })
        .collect()
    }

    /// The reversals of posted lines, as they should stand, with how each came about.
    pub(super) fn reversals(
        &self,
        lines: &[Posted],
        invoice: &PaidInvoice,
        own_period: Period,
        zone: chrono_tz::Tz,
        rounding: Rounding,
    ) -> Vec<(Posted, String)> {
        let mut all = Vec::new();
        if self.spreads.is_empty() {
            return all;
        }
        for Posted { line, period } in lines {
            let key = line.item.as_deref().unwrap_or("");
            let Some(item) = invoice.items.iter().position(|item| item.key() == key) else { continue };
            let item_minor = invoice.items[item].amount_minor;
            let refunds = self.of_item(item);
            let Ok(reversals) = reversal::lines(line, true, item_minor, &refunds, rounding) else { continue };
            let mut before_minor = 0;
            for mut reversal in reversals {
                let Some((known, booked_in)) = self.booked.iter().find(|(known, _)| *known.refund.id == *reversal.source_id) else { continue };
                let posted_in = (*period).max(*booked_in);
                let own = Period::of(known.refunded_at.date_in(zone)).max(own_period);
                reversal.late_from = (own < posted_in).then_some(own);
                let step = ReversalStep { cumulative_minor: cumulative(line, &refunds, &reversal.source_id), item_minor, before_minor };
                before_minor -= reversal.amount_minor;
                let computed = of_reversal(line, &reversal, step);
                all.push((Posted { line: reversal, period: posted_in }, computed));
            }
        }
        all
    }

    /// As they are shown.
    pub(super) fn shown(&self, invoice: &PaidInvoice) -> Vec<RefundShown> {
        let text = |minor| invoice.currency.format_minor(minor);
        let mut cumulative = vec![0_i64; invoice.items.len()];
        let mut all = Vec::new();
        for (place, (known, period)) in self.booked.iter().enumerate() {
            let mut refund = shown(known, &text);
            refund.period = Some(period.to_string());
            for (item, &taken) in self.spreads.get(place).into_iter().flatten().enumerate() {
                cumulative[item] += taken;
                let id = invoice.items[item].id.as_ref().map(ToString::to_string);
                refund.spread.push(SpreadShown { item: id, taken: text(taken), cumulative: text(cumulative[item]) });
            }
            all.push(refund);
        }
        for known in &self.waiting {
            let mut refund = shown(known, &text);
            refund.note = Some("not booked yet: the first period made final that reaches its date books it".into());
            all.push(refund);
        }
        all
    }
}

fn shown(known: &KnownRefund, text: &dyn Fn(i64) -> String) -> RefundShown {
    let refund = &known.refund;
    RefundShown {
        refund: refund.id.clone(),
        kind: refund.kind.name().to_owned(),
        refunded_at: known.refunded_at.to_string(),
        item: refund.item.clone(),
        amount: text(refund.amount_minor),
        of: refund.of.clone(),
        cost_returned: refund.cost_returned,
        ordinal: known.ordinal,
        period: None,
        spread: Vec::new(),
        note: None,
    }
}

/// What the refunds that a line mirrors have taken up to and including one, minor units.
fn cumulative(line: &Line, refunds: &[ItemRefund], through: &Text) -> i64 {
    let counts = |refund: &&ItemRefund| line.component.spec().mirrored != Mirrored::CostReturned || refund.returns_cost;
    let last = refunds.iter().position(|refund| refund.refund == *through).map_or(refunds.len(), |place| place + 1);
    refunds[..last].iter().filter(counts).map(|refund| refund.taken_minor).sum()
}
