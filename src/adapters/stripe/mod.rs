//! What Stripe tells by webhook, as facts of ours.
//!
//! Understood are the objects of Stripe's API versions from 2019-03-14 on, up to and with the ones named "basil", "clover" and later that
//! link payments to invoices by `invoice_payment.paid` rather than by fields of the invoice and the charge.
//!
//! # Source
//! <https://docs.stripe.com/api/events/types>, <https://docs.stripe.com/changelog>.

mod amounts;
mod invoices;
mod object;
mod refunds;
pub mod signature;

use books::facts::Says;
use serde_json::{Map, Value as Json};

use self::object::Object;

/// An event, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, the same for every repeat.
    pub id: String,
    /// Its type.
    pub r#type: String,
    /// Whether real money is meant.
    pub is_live: bool,
    /// Payments and the invoices that they were for.
    pub payments: Vec<(String, String)>,
    /// What it says; `None`: it is of a type, or in a state, that is of no meaning here.
    pub says: Option<Says>,
}

/// Reads an event.
///
/// # Errors
/// Why it is none.
pub fn read(body: &[u8]) -> Result<Event, String> {
    let envelope: Map<String, Json> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let envelope = Object::of(&envelope, "");
    if envelope.text("object")? != Some("event") {
        return Err("it is no event: `object` is not \"event\"".into());
    }
    let (id, r#type, created_s) = (envelope.needed("id")?.to_owned(), envelope.needed("type")?.to_owned(), envelope.seconds("created")?);
    let is_live = envelope.flag("livemode")?;
    let data = envelope.object("data")?.ok_or("`data` is missing")?;
    let object = data.object("object")?.ok_or("`data.object` is missing")?;
    let (payments, says) = said(&r#type, &object, created_s)?;
    // Which invoice a payment was for is something to know.
    let says = says.or_else(|| (!payments.is_empty()).then_some(Says::Nothing));
    Ok(Event { id, r#type, is_live, payments, says })
}

type Said = (Vec<(String, String)>, Option<Says>);

fn said(r#type: &str, object: &Object<'_>, created_s: i64) -> Result<Said, String> {
    let says = |says: Option<Says>| (Vec::new(), says);
    Ok(match r#type {
        "invoice.paid" | "invoice.payment_succeeded" => (invoices::payments(object)?, invoices::invoice(object, created_s)?),
        "invoice_payment.paid" => (invoices::payment(object)?, None),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => says(refunds::refund(object)?),
        "charge.refunded" => (refunds::payments_of_charge(object)?, refunds::of_charge(object)?),
        "credit_note.created" => says(refunds::credit_note(object)?),
        "credit_note.voided" => says(Some(Says::Undone { refund: object.needed("id")?.to_owned() })),
        "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.funds_withdrawn" => says(refunds::dispute(object, created_s)?),
        "charge.dispute.closed" => says(refunds::dispute_closed(object, created_s)?),
        "charge.dispute.funds_reinstated" => says(refunds::reinstated(object, created_s)?),
        _ => says(None),
    })
}

#[cfg(test)]
mod tests;
