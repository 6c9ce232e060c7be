//! Some booked invoices of a programme with everything that their lines are computed from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use program::calendar::{Instant, Period};
use program::programme::{Pays, Reward, RuleKind};
use sea_orm::Value;

use super::line::Line;
use super::reversals::Refund;
use super::spiffs::{Paid, Uses};
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, rows};
use crate::verify::known::invoices::{self, Deal, Invoice};
use crate::verify::known::members::{micro, since};
use crate::verify::known::places::Credit;
use crate::verify::known::terms::Terms;
use crate::verify::scan::Scan;

/// Invoices that are looked at together.
pub(crate) const AT_ONCE: usize = 400;

/// A credit as it was fixed when the invoice was first booked.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    pub(crate) item: String,
    pub(crate) credit: Credit,
    /// Which programme and period fixed it.
    pub(crate) by: (String, String),
    /// The cut-off of that period.
    pub(crate) cutoff: i64,
}

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// The invoices with the periods that booked them, by id.
    pub(crate) booked: Vec<(String, String)>,
    pub(crate) invoices: BTreeMap<String, Invoice>,
    pub(crate) deals: HashMap<String, Deal>,
    pub(crate) fixed: HashMap<String, Vec<Fixed>>,
    pub(crate) lines: HashMap<String, Vec<Line>>,
    pub(crate) refunds: HashMap<String, Vec<Refund>>,
    pub(crate) uses: Uses,
}

impl Page {
    /// The next page of a programme's bookings after an invoice; `None`: there are no more.
    pub(crate) async fn after(scan: &Scan<'_>, terms: &Terms, after: &str) -> Result<Option<Self>, LoadError> {
        let query = format!("SELECT invoice, period FROM bookings WHERE program = ? AND invoice > ? ORDER BY invoice LIMIT {AT_ONCE}");
        let mut booked = Vec::new();
        for row in rows(scan.tx, &query, vec![terms.program.as_str().into(), after.into()]).await? {
            booked.push((row.string(0)?, row.string(1)?));
        }
        if booked.is_empty() {
            return Ok(None);
        }
        let ids: Vec<String> = booked.iter().map(|(invoice, _)| invoice.clone()).collect();
        let invoices = invoices::load(scan.tx, &ids).await?;
        let deals: BTreeSet<String> = invoices.values().flat_map(Invoice::deals).cloned().collect();
        let deals: Vec<String> = deals.into_iter().collect();
        Ok(Some(Self {
            booked,
            invoices,
            fixed: fixed(scan, &ids).await?,
            lines: lines(scan, terms, &ids).await?,
            refunds: refunds(scan, terms, &ids).await?,
            uses: uses(scan, terms, &deals).await?,
            deals: invoices::load_deals(scan.tx, &deals).await?,
        }))
    }
}

/// The credits of some invoices that were fixed, in all programmes.
pub(crate) async fn fixed(scan: &Scan<'_>, ids: &[String]) -> Result<HashMap<String, Vec<Fixed>>, LoadError> {
    let query = format!(
        "SELECT b.invoice, b.item, b.program, b.partner, b.role, b.share, b.credit, b.booked_by, b.period, COALESCE(p.cutoff, 0) FROM booked_credits b \
         LEFT JOIN periods p ON p.program = b.booked_by AND p.period = b.period WHERE b.invoice {} ORDER BY b.invoice, b.item, b.program, b.partner, b.role",
        in_list(scan.backend())
    );
    let mut fixed: HashMap<String, Vec<Fixed>> = HashMap::new();
    for row in rows(scan.tx, &query, vec![json_list(ids)]).await? {
        let credit =
            Credit { program: row.string(2)?, partner: row.string(3)?, role: row.string(4)?, share_micro: micro(&row, 5)?, id: row.string(6)? };
        let of = Fixed { item: row.string(1)?, credit, by: (row.string(7)?, row.string(8)?), cutoff: row.int(9)? };
        fixed.entry(row.string(0)?).or_default().push(of);
    }
    Ok(fixed)
}

async fn lines(scan: &Scan<'_>, terms: &Terms, ids: &[String]) -> Result<HashMap<String, Vec<Line>>, LoadError> {
    let list = in_list(scan.backend());
    let query = format!(
        "SELECT {columns} FROM commission_lines WHERE source = 'invoice' AND source_id {list} AND program = ? \
         UNION ALL SELECT {columns} FROM commission_lines WHERE source = 'refund' AND source_id IN (SELECT id FROM refunds WHERE invoice {list}) AND program = ?",
        columns = Line::COLUMNS
    );
    let mut lines: HashMap<String, Vec<Line>> = HashMap::new();
    for row in rows(scan.tx, &query, vec![json_list(ids), terms.program.as_str().into(), json_list(ids), terms.program.as_str().into()]).await? {
        lines.entry(row.string(0)?).or_default().push(Line::read(&row)?);
    }
    Ok(lines)
}

/// The refunds that the programme booked of some invoices; an item that one names counts from when it was known.
async fn refunds(scan: &Scan<'_>, terms: &Terms, ids: &[String]) -> Result<HashMap<String, Vec<Refund>>, LoadError> {
    let query = format!(
        "SELECT b.invoice, b.refund, b.period, r.item, f.seq, r.amount_minor, r.kind, r.of_refund, r.cost_returned, r.refunded_at FROM booked_refunds b \
         JOIN refunds r ON r.id = b.refund LEFT JOIN fills f ON f.kind = 'refunds' AND f.id = r.id AND f.field = 'item' \
         WHERE b.program = ? AND b.invoice {} ORDER BY b.invoice, b.ordinal",
        in_list(scan.backend())
    );
    let zone = terms.constant().timezone;
    let mut refunds: HashMap<String, Vec<Refund>> = HashMap::new();
    for row in rows(scan.tx, &query, vec![terms.program.as_str().into(), json_list(ids)]).await? {
        let period = row.string(2)?;
        let is_known = since(&row, 4)? <= terms.cutoff(&period);
        let refund = Refund {
            id: row.string(1)?,
            item: row.string_or_null(3)?.filter(|_| is_known),
            amount_minor: row.int(5)?,
            kind: row.string(6)?,
            of: row.string_or_null(7)?,
            cost_returned: row.int(8)? == 1,
            own_period: Period::of(Instant(row.int(9)?).date_in(zone)),
            period,
        };
        refunds.entry(row.string(0)?).or_default().push(refund);
    }
    Ok(refunds)
}

async fn uses(scan: &Scan<'_>, terms: &Terms, deals: &[String]) -> Result<Uses, LoadError> {
    let mut uses = Uses::default();
    let spiffs = || terms.versions().flat_map(|version| &version.says.rules).filter(|rule| matches!(rule.kind, RuleKind::Spiff { .. }));
    if deals.is_empty() || spiffs().next().is_none() {
        return Ok(uses);
    }
    let query = format!(
        "SELECT u.rule, u.deal, u.period, i.paid_at, u.invoice, u.item, u.base_minor FROM spiff_uses u LEFT JOIN invoices i ON i.id = u.invoice \
         WHERE u.program = ? AND u.deal {}",
        in_list(scan.backend())
    );
    for row in rows(scan.tx, &query, vec![terms.program.as_str().into(), json_list(deals)]).await? {
        // An invoice that is gone or not paid is found where its booking is looked at; what it used stays used.
        let turn = (row.string(2)?, row.int_or_null(3)?.unwrap_or(0), row.string(4)?, row.string(5)?);
        uses.of.entry((row.string(0)?, row.string(1)?)).or_default().push((turn, row.int(6)?));
    }
    let by_first = spiffs()
        .any(|rule| matches!(rule.kind, RuleKind::Spiff { pays: Pays::FirstInvoice, .. } | RuleKind::Spiff { reward: Reward::Amount(_), .. }));
    if by_first {
        uses.paid = paid_under(scan, deals).await?;
    }
    Ok(uses)
}

/// The paid invoices with items under some deals, each with its first item under it as it became known.
async fn paid_under(scan: &Scan<'_>, deals: &[String]) -> Result<HashMap<String, Vec<Paid>>, LoadError> {
    let list = in_list(scan.backend());
    let query = format!("SELECT i.id FROM invoices i WHERE i.deal {list} UNION SELECT t.invoice FROM invoice_items t WHERE t.deal {list}");
    let values: Vec<Value> = vec![json_list(deals), json_list(deals)];
    let ids = rows(scan.tx, &query, values).await?.iter().map(|row| row.string(0)).collect::<Result<Vec<_>, _>>()?;
    let mut under: HashMap<String, Vec<Paid>> = HashMap::new();
    for ids in ids.chunks(AT_ONCE) {
        for invoice in invoices::load(scan.tx, ids).await?.values() {
            let Some(paid_at) = invoice.paid_at.value else { continue };
            for deal in invoice.deals().collect::<BTreeSet<_>>() {
                let view = |known: i64| {
                    let items = invoice.items(known);
                    let first = items.iter().find(|item| invoice.deal(item, known) == Some(deal.as_str()));
                    (known, first.filter(|_| invoice.paid_at(known).is_some()).map(|item| item.id.clone()))
                };
                let first_item = invoice.moments().into_iter().map(view).collect();
                under.entry(deal.clone()).or_default().push(Paid { paid_at, invoice: invoice.id.clone(), first_item });
            }
        }
    }
    Ok(under)
}
