//! Invoices with their items and deals.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use program::calendar::Date;
use program::money::Currency;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::Filled;
use super::members::since;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, Row, rows};

/// A part of an invoice.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// "" for the unnamed one of an invoice without items.
    pub(crate) id: String,
    pub(crate) amount_minor: i64,
    product: Filled<String>,
    deal: Filled<String>,
    seq: i64,
}

/// An invoice.
#[derive(Debug)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) currency: Currency,
    pub(crate) subtotal_minor: i64,
    pub(crate) paid_at: Filled<i64>,
    pub(crate) seq: i64,
    pub(crate) partner: Filled<String>,
    deal: Filled<String>,
    cost_minor: Filled<i64>,
    product: Filled<String>,
    payment_method: Filled<String>,
    items: Vec<Item>,
}

/// A deal.
#[derive(Debug)]
pub(crate) struct Deal {
    pub(crate) id: String,
    pub(crate) partner: Filled<String>,
    pub(crate) value_minor: i64,
    pub(crate) currency: Currency,
    pub(crate) signed_on: Date,
    pub(crate) new_logo: bool,
    pub(crate) registered: bool,
    motion: Filled<String>,
}

impl Deal {
    pub(crate) fn motion(&self, cutoff: i64) -> &str {
        self.motion.at(cutoff).map_or("", String::as_str)
    }
}

impl Invoice {
    /// When it was paid, if it was recorded and known to be paid.
    pub(crate) fn paid_at(&self, cutoff: i64) -> Option<i64> {
        self.paid_at.at(cutoff).copied().filter(|_| self.seq <= cutoff)
    }

    /// Its items by id; an invoice without any has one, unnamed, of its whole subtotal (domain.md §3).
    pub(crate) fn items(&self, cutoff: i64) -> Vec<Item> {
        let known: Vec<Item> = self.items.iter().filter(|item| item.seq <= cutoff).cloned().collect();
        if known.is_empty() {
            let nothing = || Filled { value: None, since: 0 };
            return vec![Item { id: String::new(), amount_minor: self.subtotal_minor, product: nothing(), deal: nothing(), seq: self.seq }];
        }
        known
    }

    /// The deal of an item: its own, else the invoice's.
    pub(crate) fn deal<'a>(&'a self, item: &'a Item, cutoff: i64) -> Option<&'a str> {
        item.deal.at(cutoff).or_else(|| self.deal.at(cutoff)).map(String::as_str)
    }

    /// The product of an item: its own, else the invoice's.
    pub(crate) fn product<'a>(&'a self, item: &'a Item, cutoff: i64) -> &'a str {
        item.product.at(cutoff).or_else(|| self.product.at(cutoff)).map_or("", String::as_str)
    }

    pub(crate) fn payment_method(&self, cutoff: i64) -> &str {
        self.payment_method.at(cutoff).map_or("", String::as_str)
    }

    pub(crate) fn cost_minor(&self, cutoff: i64) -> i64 {
        self.cost_minor.at(cutoff).copied().unwrap_or(0)
    }

    /// The recordings at which something of it became known that decides what is under a deal.
    pub(crate) fn moments(&self) -> BTreeSet<i64> {
        let items = self.items.iter().flat_map(|item| [item.seq, item.deal.since]);
        items.chain([self.seq, self.paid_at.since, self.deal.since]).filter(|seq| *seq >= self.seq).collect()
    }

    /// All deals that it or its items ever name.
    pub(crate) fn deals(&self) -> impl Iterator<Item = &String> {
        self.deal.value.iter().chain(self.items.iter().filter_map(|item| item.deal.value.as_ref()))
    }
}

/// The columns of an invoice that may be filled later, in the order of [`load`]'s query.
const FILLED: [&str; 6] = ["paid_at", "deal", "partner", "product", "payment_method", "processing_cost_minor"];

/// Loads invoices by id.
pub(crate) async fn load(tx: &DatabaseTransaction, ids: &[String]) -> Result<BTreeMap<String, Invoice>, LoadError> {
    let list = in_list(ConnectionTrait::get_database_backend(tx));
    let mut since_columns = String::new();
    let mut joins = String::new();
    for field in FILLED {
        since_columns.push_str(&format!(", f_{field}.seq"));
        joins.push_str(&format!(" LEFT JOIN fills f_{field} ON f_{field}.kind = 'invoices' AND f_{field}.id = i.id AND f_{field}.field = '{field}'"));
    }
    let query = format!(
        "SELECT i.id, i.customer, i.currency, i.subtotal_minor, i.seq, i.paid_at, i.deal, i.partner, i.product, i.payment_method, \
         i.processing_cost_minor{since_columns} FROM invoices i{joins} WHERE i.id {list} ORDER BY i.id"
    );
    let mut invoices = BTreeMap::new();
    for row in rows(tx, &query, vec![json_list(ids)]).await? {
        let text = |column: usize| -> Result<Filled<String>, LoadError> {
            Ok(Filled { value: row.string_or_null(column)?, since: since(&row, column + 6)? })
        };
        let number =
            |column: usize| -> Result<Filled<i64>, LoadError> { Ok(Filled { value: row.int_or_null(column)?, since: since(&row, column + 6)? }) };
        let invoice = Invoice {
            id: row.string(0)?,
            customer: row.string(1)?,
            currency: row.currency(2)?,
            subtotal_minor: row.int(3)?,
            seq: row.int(4)?,
            paid_at: number(5)?,
            deal: text(6)?,
            partner: text(7)?,
            product: text(8)?,
            payment_method: text(9)?,
            cost_minor: number(10)?,
            items: Vec::new(),
        };
        invoices.insert(invoice.id.clone(), invoice);
    }
    let query = format!(
        "SELECT t.invoice, t.item, t.amount_minor, t.product, p.seq, t.deal, d.seq, t.seq FROM invoice_items t \
         LEFT JOIN fills p ON p.kind = 'invoice_items' AND p.id = t.invoice || '/' || t.item AND p.field = 'product' \
         LEFT JOIN fills d ON d.kind = 'invoice_items' AND d.id = t.invoice || '/' || t.item AND d.field = 'deal' \
         WHERE t.invoice {list} ORDER BY t.invoice, t.item"
    );
    for row in rows(tx, &query, vec![json_list(ids)]).await? {
        if let Some(invoice) = invoices.get_mut(&row.string(0)?) {
            invoice.items.push(item(&row)?);
        }
    }
    Ok(invoices)
}

fn item(row: &Row) -> Result<Item, LoadError> {
    Ok(Item {
        id: row.string(1)?,
        amount_minor: row.int(2)?,
        product: Filled { value: row.string_or_null(3)?, since: since(row, 4)? },
        deal: Filled { value: row.string_or_null(5)?, since: since(row, 6)? },
        seq: row.int(7)?,
    })
}

/// Loads deals by id.
pub(crate) async fn load_deals(tx: &DatabaseTransaction, ids: &[String]) -> Result<HashMap<String, Deal>, LoadError> {
    let query = format!(
        "SELECT d.id, d.partner, p.seq, d.contract_value_minor, d.currency, d.signed_on, d.new_logo, d.registered, d.motion, m.seq FROM deals d \
         LEFT JOIN fills p ON p.kind = 'deals' AND p.id = d.id AND p.field = 'partner' \
         LEFT JOIN fills m ON m.kind = 'deals' AND m.id = d.id AND m.field = 'motion' WHERE d.id {}",
        in_list(ConnectionTrait::get_database_backend(tx))
    );
    let mut deals = HashMap::new();
    for row in rows(tx, &query, vec![json_list(ids)]).await? {
        let deal = Deal {
            id: row.string(0)?,
            partner: Filled { value: row.string_or_null(1)?, since: since(&row, 2)? },
            value_minor: row.int(3)?,
            currency: row.currency(4)?,
            signed_on: row.date(5)?,
            new_logo: row.int(6)? == 1,
            registered: row.int(7)? == 1,
            motion: Filled { value: row.string_or_null(8)?, since: since(&row, 9)? },
        };
        deals.insert(deal.id.clone(), deal);
    }
    Ok(deals)
}
