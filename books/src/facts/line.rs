//! What a told fact comes to as a row: a refund of a payment is one of that payment's invoice, without its tax.

use program::calendar::Instant;
use program::refund::without_tax;
use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value as Json};

use super::receive::REFUND;
use super::{Fact, FactError, INVOICE_OF, Money};
use crate::load::row::{LoadError, first_row};
use crate::record::{FactKind, Lacking};

/// What a fact comes to.
#[derive(Debug)]
pub(super) enum Line {
    /// A row to record.
    Row(String),
    /// Nothing.
    Nothing,
    /// It can't be said yet.
    Waits(Lacking, String),
    /// It can't be.
    Wrong(String),
}

/// The lines of all facts, or what keeps one of them from being written.
pub(super) async fn lines(tx: &DatabaseTransaction, facts: &[Fact]) -> Result<Line, FactError> {
    let mut text = String::new();
    for fact in facts {
        match line(tx, fact).await? {
            Line::Row(row) => {
                text.push_str(&row);
                text.push('\n');
            }
            Line::Nothing => {}
            other @ (Line::Waits(..) | Line::Wrong(_)) => return Ok(other),
        }
    }
    Ok(if text.is_empty() { Line::Nothing } else { Line::Row(text) })
}

async fn line(tx: &DatabaseTransaction, fact: &Fact) -> Result<Line, FactError> {
    let Some(money) = &fact.money else { return Ok(Line::Row(fact.row.clone())) };
    let mut row: Map<String, Json> =
        serde_json::from_str(&fact.row).map_err(|_| LoadError::Corrupt { value: fact.row.chars().take(200).collect(), what: "a told fact" })?;
    let refund = row.get("id").and_then(Json::as_str).unwrap_or_default();
    if is_undone(tx, refund).await? {
        return Ok(Line::Nothing);
    }
    if let Some(won) = &money.against
        && is_told(tx, won).await?
    {
        let reason = format!(
            "dispute {refund:?} is lost, and was told to be won ({won:?}): where it was lost after it was won, record a chargeback by hand under \
             an id of its own, and drop this"
        );
        return Ok(Line::Wrong(reason));
    }
    let known_at = if money.of_first_told { refunded_at(tx, refund).await? } else { None };
    let Some(invoice) = invoice_of(tx, money).await? else {
        let reason = format!("no invoice of payment {} is known yet", money.payments.join(" or "));
        return Ok(Line::Waits(Lacking { what: INVOICE_OF.into(), keys: money.payments.clone() }, reason));
    };
    let query = "SELECT currency, subtotal_minor, COALESCE(tax_minor, 0), paid_at FROM invoices WHERE id = ?";
    let Some(known) = first_row(tx, query, vec![invoice.as_str().into()]).await? else {
        let reason = format!("invoice {invoice:?} is not recorded yet");
        return Ok(Line::Waits(Lacking { what: "invoices.id".into(), keys: vec![invoice] }, reason));
    };
    let currency = known.currency(0)?;
    if currency.code() != money.currency {
        return Ok(Line::Wrong(format!("it is in {}, and invoice {invoice:?} in {currency}", money.currency)));
    }
    let gross_minor = match currency.parse_minor(&money.gross) {
        Ok(gross_minor) => gross_minor,
        Err(error) => return Ok(Line::Wrong(error.to_string())),
    };
    let net_minor = match without_tax(gross_minor, known.int(1)?, known.int(2)?) {
        Ok(0) => return Ok(Line::Nothing),
        Ok(net_minor) => net_minor,
        Err(error) => return Ok(Line::Wrong(error.to_string())),
    };
    let at = money.at_s.saturating_mul(1_000_000);
    let at = if money.from_payment { known.int_or_null(3)?.map_or(at, |paid_at| at.max(paid_at)) } else { at };
    let at = known_at.unwrap_or(at);
    row.insert("invoice".into(), invoice.into());
    row.insert("amount".into(), currency.format_minor(net_minor).into());
    row.insert("refunded_at".into(), Instant(at).to_string().into());
    Ok(Line::Row(Json::Object(row).to_string()))
}

async fn invoice_of(tx: &DatabaseTransaction, money: &Money) -> Result<Option<String>, LoadError> {
    if money.invoice.is_some() {
        return Ok(money.invoice.clone());
    }
    for payment in &money.payments {
        let row = first_row(tx, "SELECT invoice FROM invoice_payments WHERE payment = ?", vec![payment.as_str().into()]).await?;
        if let Some(row) = row {
            return Ok(Some(row.string(0)?));
        }
    }
    Ok(None)
}

/// When a refund that is recorded took effect, microseconds since 1970.
async fn refunded_at(tx: &DatabaseTransaction, refund: &str) -> Result<Option<i64>, LoadError> {
    first_row(tx, "SELECT refunded_at FROM refunds WHERE id = ?", vec![refund.into()]).await?.map(|row| row.int(0)).transpose()
}

/// Whether a refund is recorded or waits to be.
async fn is_told(tx: &DatabaseTransaction, refund: &str) -> Result<bool, LoadError> {
    let query = "SELECT 1 FROM refunds WHERE id = ? UNION ALL SELECT 1 FROM fact_events WHERE subject = ? AND state = 'parked' LIMIT 1";
    Ok(first_row(tx, query, vec![refund.into(), format!("{REFUND}{refund}").into()]).await?.is_some())
}

/// The subject of messages that a refund did not happen.
pub(super) fn undone(refund: &str) -> String {
    format!("undone/{refund}")
}

async fn is_undone(tx: &DatabaseTransaction, refund: &str) -> Result<bool, LoadError> {
    // Also where a person has voided the refund and dropped the message: what comes late says nothing new.
    let query = "SELECT 1 FROM fact_events WHERE subject = ?";
    Ok(first_row(tx, query, vec![undone(refund).into()]).await?.is_some())
}

/// Why rows that Stripe tells once more are not recorded, if so: a person has voided one of them since, of which Stripe knows nothing.
pub(super) async fn voided(tx: &DatabaseTransaction, kind: FactKind, lines: &str) -> Result<Option<String>, LoadError> {
    let (FactKind::Invoices | FactKind::Refunds) = kind else { return Ok(None) };
    let kind = kind.name();
    let query = format!(
        "SELECT v.approved_by, v.reason FROM voids v WHERE v.kind = ? AND v.id = ? AND NOT EXISTS (SELECT 1 FROM {kind} f WHERE f.id = v.id) \
         ORDER BY v.no DESC LIMIT 1"
    );
    for line in lines.lines() {
        let row: Map<String, Json> =
            serde_json::from_str(line).map_err(|_| LoadError::Corrupt { value: line.chars().take(200).collect(), what: "a told fact" })?;
        let id = row.get("id").and_then(Json::as_str).unwrap_or_default();
        if let Some(known) = first_row(tx, &query, vec![kind.into(), id.into()]).await? {
            let (by, why) = (known.string(0)?, known.string(1)?);
            return Ok(Some(format!("{id:?} of {kind} was voided by {by:?} for {why:?}: import by hand what of this message is meant, and drop it")));
        }
    }
    Ok(None)
}
