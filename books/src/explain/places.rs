//! Where the credits of an item were looked for, and what stood there (domain.md §3.2).

use program::calendar::Date;
use program::invoice::{Item, PaidInvoice};
use program::programme::Window;
use sea_orm::DatabaseTransaction;

use super::model::{PlaceShown, PlacedCredit};
use crate::load::Knowledge;
use crate::load::invoices::InvoiceSet;
use crate::load::row::{LoadError, first_row, rows};

/// The four places of an item, nearest first, as known at the knowledge's cut-off.
pub(super) async fn of_item(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    set: &InvoiceSet,
    invoice: &PaidInvoice,
    item: &Item,
) -> Result<Vec<PlaceShown>, LoadError> {
    let mut looked = Vec::new();
    if let Some(id) = &item.id {
        let credits = credits(tx, knowledge, "k.invoice = ? AND k.item = ?", &[&invoice.id, id], invoice.paid_on).await?;
        looked.push(PlaceShown { place: "item", id: id.to_string(), wins: false, credits, column: None });
    }
    let column = column(tx, knowledge, "invoices", "partner", &invoice.id).await?;
    let at_invoice = credits(tx, knowledge, "k.invoice = ? AND k.item IS NULL", &[&invoice.id], invoice.paid_on).await?;
    looked.push(PlaceShown { place: "invoice", id: invoice.id.to_string(), wins: false, credits: at_invoice, column });
    if let Some(deal) = set.deal(item) {
        let column = self::column(tx, knowledge, "deals", "partner", &deal.id).await?;
        let credits = credits(tx, knowledge, "k.deal = ?", &[&deal.id], invoice.paid_on).await?;
        looked.push(PlaceShown { place: "deal", id: deal.id.to_string(), wins: false, credits, column });
    }
    let column = self::column(tx, knowledge, "customers", "referred_by", &invoice.customer).await?;
    let credits = credits(tx, knowledge, "k.customer = ?", &[&invoice.customer], invoice.paid_on).await?;
    looked.push(PlaceShown { place: "customer", id: invoice.customer.to_string(), wins: false, credits, column });
    let has_any = |place: &PlaceShown| place.column.is_some() || place.credits.iter().any(|credit| credit.not_in_force.is_none());
    if let Some(winner) = looked.iter_mut().find(|place| has_any(place)) {
        winner.wins = true;
    }
    Ok(looked)
}

async fn credits(tx: &DatabaseTransaction, knowledge: &Knowledge, condition: &str, ids: &[&str], day: Date) -> Result<Vec<PlacedCredit>, LoadError> {
    let query = format!(
        "SELECT k.id, k.partner, k.role, k.share, k.program, k.from_on, k.through_on FROM credits k WHERE {condition} AND k.seq <= ? ORDER BY k.id"
    );
    let mut values: Vec<sea_orm::Value> = ids.iter().map(|id| (*id).into()).collect();
    values.push(knowledge.cutoff.into());
    let mut found = Vec::new();
    for row in rows(tx, &query, values).await? {
        let (id, partner) = (row.string(0)?, row.string(1)?);
        let empty = |field: &str| knowledge.later.was_empty("credits", &id, field);
        let window = Window {
            from: if empty("from_on") { None } else { row.date_or_null(5)? },
            through: if empty("through_on") { None } else { row.date_or_null(6)? },
        };
        let not_in_force = match window {
            Window { from: Some(from), .. } if day < from => Some(format!("from {from} on")),
            Window { through: Some(through), .. } if through < day => Some(format!("through {through}")),
            Window { .. } => None,
        };
        let home = || knowledge.directory.find(&partner).map_or_else(String::new, |no| knowledge.homes[no].to_string());
        let program = row.string_or_null(4)?.unwrap_or_else(home);
        found.push(PlacedCredit { role: row.string(2)?, share: row.rate(3)?.to_string(), program, not_in_force, id, partner });
    }
    Ok(found)
}

/// The partner of a plain column, unless it was still empty.
async fn column(tx: &DatabaseTransaction, knowledge: &Knowledge, table: &str, field: &str, id: &str) -> Result<Option<String>, LoadError> {
    if knowledge.later.was_empty(table, id, field) {
        return Ok(None);
    }
    match first_row(tx, &format!("SELECT {field} FROM {table} WHERE id = ?"), vec![id.into()]).await? {
        Some(row) => row.string_or_null(0),
        None => Ok(None),
    }
}
