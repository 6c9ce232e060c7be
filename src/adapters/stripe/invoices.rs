//! A paid invoice of Stripe's as one of ours, with its lines as items where they can be.

use books::facts::{Fact, Says};
use books::record::FactKind;
use program::calendar::Instant;
use serde_json::{Map, Value as Json, json};

use super::amounts::{currency, major};
use super::object::Object;

/// What an event of a paid invoice says.
pub(super) fn invoice(invoice: &Object<'_>, created_s: i64) -> Result<Option<Says>, String> {
    if invoice.text("status")?.is_some_and(|status| status != "paid") {
        return Ok(None);
    }
    let id = invoice.needed("id")?;
    let named = Named::of(invoice)?;
    let Some(customer) = named.find("customer")?.or(invoice.id_of("customer")?) else {
        return Ok(Some(Says::Unclear(format!("invoice {id:?} names no customer"))));
    };
    let (total, net) = (invoice.amount("total")?, net(invoice)?);
    let currency = currency(invoice.needed("currency")?);
    if net < 0 || total < net {
        let total = major(total, &currency);
        return Ok(Some(Says::Unclear(format!(
            "invoice {id:?} comes to {total} {currency}: it owes the customer, which is no revenue; drop this, or adjust"
        ))));
    }
    let paid_s = match invoice.object("status_transitions")? {
        Some(transitions) if transitions.has("paid_at") => transitions.seconds("paid_at")?,
        _ => created_s,
    };
    let (deal, partner) = (named.find("deal")?, named.find("partner")?);
    let mut row = Map::new();
    let texts = [("id", Some(id)), ("customer", Some(customer)), ("deal", deal), ("partner", partner)];
    row.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Json::from(text?)))));
    row.insert("currency".into(), currency.as_str().into());
    row.insert("subtotal".into(), major(net, &currency).into());
    row.insert("tax".into(), major(total - net, &currency).into());
    row.insert("paid_at".into(), Instant(paid_s * 1_000_000).to_string().into());
    if let Some(items) = items(&named.lines, named.has_more, net, &currency, deal)? {
        row.insert("items".into(), items.into());
    }
    let fact = Fact { row: Json::Object(row).to_string(), money: None };
    Ok(Some(Says::Facts { kind: FactKind::Invoices, facts: vec![fact] }))
}

/// What is left of the total without its taxes.
fn net(invoice: &Object<'_>) -> Result<i64, String> {
    if let Some(net) = invoice.number("total_excluding_tax")? {
        return Ok(net);
    }
    let taxes = if let Some(tax) = invoice.number("tax")? {
        tax
    } else {
        let all = if invoice.has("total_taxes") { invoice.array("total_taxes")? } else { invoice.array("total_tax_amounts")? };
        sum(all.iter().map(|tax| tax.amount("amount")))?
    };
    difference(invoice.amount("total")?, taxes)
}

fn sum(amounts: impl Iterator<Item = Result<i64, String>>) -> Result<i64, String> {
    let mut sum = 0_i64;
    for amount in amounts {
        sum = sum.checked_add(amount?).ok_or("amounts are too large to be added")?;
    }
    Ok(sum)
}

fn difference(from: i64, less: i64) -> Result<i64, String> {
    from.checked_sub(less).ok_or_else(|| "amounts are too large to be subtracted".into())
}

/// Where metadata are looked for: the invoice, its subscription, its lines where they agree, its customer.
struct Named<'a> {
    before_lines: Vec<Object<'a>>,
    lines: Vec<Object<'a>>,
    has_more: bool,
    customer: Option<Object<'a>>,
}

impl<'a> Named<'a> {
    fn of(invoice: &Object<'a>) -> Result<Self, String> {
        let parent = invoice.object("parent")?.map(|parent| parent.object("subscription_details")).transpose()?.flatten();
        let subscription = parent.or(invoice.object("subscription_details")?);
        let before_lines = [Some(invoice.clone()), subscription, invoice.expanded("subscription")?].into_iter().flatten().collect();
        let (lines, has_more) = invoice.list("lines")?.unwrap_or_default();
        Ok(Self { before_lines, lines, has_more, customer: invoice.expanded("customer")? })
    }

    fn find(&self, key: &str) -> Result<Option<&'a str>, String> {
        for object in &self.before_lines {
            if let Some(text) = object.metadata(key)? {
                return Ok(Some(text));
            }
        }
        let mut of_lines = self.lines.iter().map(|line| line.metadata(key)).collect::<Result<Vec<_>, _>>()?;
        of_lines.dedup();
        if let [Some(text)] = of_lines[..]
            && !self.has_more
        {
            return Ok(Some(text));
        }
        self.customer.as_ref().map_or(Ok(None), |customer| customer.metadata(key))
    }
}

/// The lines as items; none where they are not all told, owe something back, or do not come to the invoice's net: it is one item then.
fn items(lines: &[Object<'_>], has_more: bool, net: i64, code: &str, deal: Option<&str>) -> Result<Option<Vec<Json>>, String> {
    if lines.is_empty() || has_more {
        return Ok(None);
    }
    let (mut items, mut left) = (Vec::with_capacity(lines.len()), net);
    for line in lines {
        let amount = net_of_line(line)?;
        left = difference(left, amount)?;
        let is_same = line.text("currency")?.is_none_or(|of_line| currency(of_line) == code);
        let Some(id) = line.text("id")?.filter(|_| amount >= 0 && is_same) else { return Ok(None) };
        let mut item = json!({ "item": id, "amount": major(amount, code) });
        if let Some(product) = product(line)? {
            item["product"] = product.into();
        }
        if let Some(of_line) = line.metadata("deal")?.filter(|of_line| Some(*of_line) != deal) {
            item["deal"] = of_line.into();
        }
        items.push(item);
    }
    Ok((left == 0).then_some(items))
}

/// A line without its discounts and without the taxes that are in its amount.
fn net_of_line(line: &Object<'_>) -> Result<i64, String> {
    let discounts = sum(line.array("discount_amounts")?.iter().map(|discount| discount.amount("amount")))?;
    let mut inclusive = 0_i64;
    for tax in line.array("tax_amounts")?.iter().chain(&line.array("taxes")?) {
        if tax.flag("inclusive")? || tax.text("tax_behavior")? == Some("inclusive") {
            inclusive = sum([Ok(inclusive), tax.amount("amount")].into_iter())?;
        }
    }
    difference(difference(line.amount("amount")?, discounts)?, inclusive)
}

/// What was sold: the metadata's word, else Stripe's id of the product.
fn product<'a>(line: &Object<'a>) -> Result<Option<&'a str>, String> {
    if let Some(product) = line.metadata("product")? {
        return Ok(Some(product));
    }
    let details = line.object("pricing")?.map(|pricing| pricing.object("price_details")).transpose()?.flatten();
    if let Some(details) = details {
        return details.id_of("product");
    }
    for name in ["price", "plan"] {
        if let Some(price) = line.expanded(name)? {
            return price.id_of("product");
        }
    }
    Ok(None)
}

/// The payments of an invoice, as older versions name them on it and as newer ones may list them.
pub(super) fn payments(invoice: &Object<'_>) -> Result<Vec<(String, String)>, String> {
    let id = invoice.needed("id")?;
    let mut found = of_payment(invoice, id)?;
    for payment in invoice.list("payments")?.unwrap_or_default().0 {
        if let Some(payment) = payment.object("payment")? {
            found.extend(of_payment(&payment, id)?);
        }
    }
    Ok(found)
}

/// The payment of an `invoice_payment`.
pub(super) fn payment(object: &Object<'_>) -> Result<Vec<(String, String)>, String> {
    match (object.id_of("invoice")?, object.object("payment")?) {
        (Some(invoice), Some(payment)) => of_payment(&payment, invoice),
        _ => Ok(Vec::new()),
    }
}

fn of_payment(object: &Object<'_>, invoice: &str) -> Result<Vec<(String, String)>, String> {
    let ids = [object.id_of("payment_intent")?, object.id_of("charge")?];
    Ok(ids.into_iter().flatten().map(|payment| (payment.to_owned(), invoice.to_owned())).collect())
}
