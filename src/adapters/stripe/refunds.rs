//! What took money back at Stripe, as refunds of ours: refunds, credit notes, disputes.
//!
//! Money goes back with its tax and by payment; which invoice that was, and how much of it was without tax, the books know.

use books::facts::{Fact, Money, Says};
use books::record::FactKind;
use serde_json::{Value as Json, json};

use super::amounts::{currency, major};
use super::object::Object;

/// A refund.
pub(super) fn refund(object: &Object<'_>) -> Result<Option<Says>, String> {
    let id = object.needed("id")?;
    match object.text("status")? {
        Some("succeeded") | None => {}
        Some("failed" | "canceled") => return Ok(Some(Says::Undone { refund: id.to_owned() })),
        Some(_) => return Ok(None),
    }
    let invoice = object.expanded("charge")?.map(|charge| charge.id_of("invoice")).transpose()?.flatten();
    Ok(Some(one(fact(object, &json!({ "id": id, "kind": "refund" }), invoice, object.seconds("created")?)?)))
}

/// The refunds of a charge, where the event tells them: newer versions tell each by an event of its own.
pub(super) fn of_charge(charge: &Object<'_>) -> Result<Option<Says>, String> {
    // It was for no invoice.
    if charge.is_null("invoice") {
        return Ok(None);
    }
    let Some((refunds, _)) = charge.list("refunds")? else { return Ok(None) };
    let mut facts = Vec::new();
    for refund in refunds {
        if refund.text("status")?.is_none_or(|status| status == "succeeded") {
            let row = json!({ "id": refund.needed("id")?, "kind": "refund" });
            facts.push(fact(&refund, &row, charge.id_of("invoice")?, refund.seconds("created")?)?);
        }
    }
    Ok((!facts.is_empty()).then_some(Says::Facts { kind: FactKind::Refunds, facts }))
}

/// The payments that a charge's invoice had, where the charge names it.
pub(super) fn payments_of_charge(charge: &Object<'_>) -> Result<Vec<(String, String)>, String> {
    let Some(invoice) = charge.id_of("invoice")? else { return Ok(Vec::new()) };
    let ids = [charge.id_of("payment_intent")?, Some(charge.needed("id")?)];
    Ok(ids.into_iter().flatten().map(|payment| (payment.to_owned(), invoice.to_owned())).collect())
}

/// A credit note, as far as no refund of Stripe's pays it out: that one has an event of its own.
pub(super) fn credit_note(note: &Object<'_>) -> Result<Option<Says>, String> {
    if note.text("status")? == Some("void") {
        return Ok(None);
    }
    let (id, amount) = (note.needed("id")?, note.amount("amount")?);
    let Some(refunded) = refunded(note, amount)? else {
        return Ok(Some(Says::Unclear(format!(
            "credit note {id:?} is part refund, part balance, and does not say how much of each: record its balance as a refund of kind credit_note"
        ))));
    };
    let Some(rest) = amount.checked_sub(refunded).filter(|rest| *rest > 0) else { return Ok(None) };
    let Some(invoice) = note.id_of("invoice")? else { return Ok(Some(Says::Unclear(format!("credit note {id:?} names no invoice")))) };
    let currency = currency(note.needed("currency")?);
    let money = Money {
        invoice: Some(invoice.to_owned()),
        payments: Vec::new(),
        gross: major(rest, &currency),
        currency,
        at_s: note.seconds("created")?,
        // What is credited before the payment lowers what is paid.
        from_payment: true,
        of_first_told: false,
        against: None,
    };
    Ok(Some(one(Fact { row: json!({ "id": id, "kind": "credit_note" }).to_string(), money: Some(money) })))
}

/// How much of a credit note refunds pay out; nothing where it can't be told.
fn refunded(note: &Object<'_>, amount: i64) -> Result<Option<i64>, String> {
    if note.has("refunds") {
        let mut sum = 0_i64;
        for refund in note.array("refunds")? {
            sum = sum.checked_add(refund.amount("amount_refunded")?).ok_or("amounts are too large to be added")?;
        }
        return Ok(Some(sum));
    }
    if !note.has("refund") {
        return Ok(Some(0));
    }
    if note.has("customer_balance_transaction") {
        return Ok(None);
    }
    let after_payment = note.number("post_payment_amount")?.unwrap_or(amount);
    Ok(after_payment.checked_sub(note.number("out_of_band_amount")?.unwrap_or(0)))
}

/// A dispute, as it stands at the time of its event: opened, it has taken the money, and lost, it keeps it; won, the money is back. An inquiry
/// takes nothing.
pub(super) fn dispute(dispute: &Object<'_>, told_s: i64) -> Result<Option<Says>, String> {
    let id = dispute.needed("id")?;
    let status = dispute.text("status")?.unwrap_or_default();
    if status.starts_with("warning_") || status == "prevented" {
        return Ok(None);
    }
    let won = format!("{id}/won");
    if status == "won" {
        let mut back = of_dispute(dispute, &json!({ "id": won, "kind": "chargeback_won", "of": id }), told_s)?;
        back.money.iter_mut().for_each(|money| money.of_first_told = true);
        return Ok(Some(one(back)));
    }
    let mut taken = of_dispute(dispute, &json!({ "id": id, "kind": "chargeback" }), dispute.seconds("created")?)?;
    if status == "lost" {
        taken.money.iter_mut().for_each(|money| money.against = Some(won.clone()));
    }
    Ok(Some(one(taken)))
}

/// A dispute that is closed: neither won nor lost, it is none.
pub(super) fn dispute_closed(object: &Object<'_>, told_s: i64) -> Result<Option<Says>, String> {
    match object.text("status")? {
        Some("won" | "lost") => dispute(object, told_s),
        Some(_) | None => Ok(None),
    }
}

/// A dispute whose money is back.
pub(super) fn reinstated(object: &Object<'_>, told_s: i64) -> Result<Option<Says>, String> {
    match object.text("status")? {
        Some("won") => dispute(object, told_s),
        status => Ok(Some(Says::Unclear(format!(
            "dispute {:?} has its money back and is {}: record a chargeback_won by hand if it was charged back",
            object.needed("id")?,
            status.unwrap_or("in no status")
        )))),
    }
}

fn of_dispute(dispute: &Object<'_>, row: &Json, at_s: i64) -> Result<Fact, String> {
    let invoice = dispute.expanded("charge")?.map(|charge| charge.id_of("invoice")).transpose()?.flatten();
    fact(dispute, row, invoice, at_s)
}

fn one(fact: Fact) -> Says {
    Says::Facts { kind: FactKind::Refunds, facts: vec![fact] }
}

fn fact(object: &Object<'_>, row: &Json, invoice: Option<&str>, at_s: i64) -> Result<Fact, String> {
    let payments: Vec<String> = [object.id_of("payment_intent")?, object.id_of("charge")?].into_iter().flatten().map(str::to_owned).collect();
    if payments.is_empty() && invoice.is_none() {
        return Err("it names neither `payment_intent` nor `charge`".into());
    }
    let currency = currency(object.needed("currency")?);
    let gross = major(object.amount("amount")?, &currency);
    let invoice = invoice.map(str::to_owned);
    let money = Money { invoice, payments, gross, currency, at_s, from_payment: false, of_first_told: false, against: None };
    Ok(Fact { row: row.to_string(), money: Some(money) })
}
