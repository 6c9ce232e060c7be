//! In whatever order facts are told, the books are those of an import in the right order.

use serde_json::{Value, json};

use crate::app::App;
use crate::seeded::Seeded;
use crate::told::{event, message, row};
use crate::world::{begun, facts, parked_now, settled, tell};

/// Shuffles beside the order and its reverse.
const SHUFFLES: u64 = 6;

/// 2026-01-10T12:00:00Z.
const PAID_S: i64 = 1_768_046_400;

/// The rows of a small world, each before those that refer to it.
fn rows() -> Vec<(&'static str, Value)> {
    vec![
        ("partners", json!({ "id": "a", "name": "A", "program": "p", "tier": "base", "tier_since": "2026-01-01" })),
        ("partners", json!({ "id": "b", "name": "B", "program": "p", "tier": "base", "tier_since": "2026-01-01", "parent": "a" })),
        ("customers", json!({ "id": "c", "name": "C", "referred_by": "a" })),
        (
            "deals",
            json!({ "id": "d", "customer": "c", "partner": "b", "contract_value": "5000.00", "currency": "USD", "signed_on": "2026-01-05", "new_logo": true }),
        ),
        (
            "invoices",
            json!({ "id": "I1", "customer": "c", "currency": "USD", "subtotal": "1000.00", "paid_at": "2026-01-10T12:00:00Z", "items": [
                { "item": "1", "amount": 600.50, "product": "Suite", "deal": "d" }, { "item": "2", "amount": "399.50" }
            ] }),
        ),
        ("invoices", json!({ "id": "I2", "customer": "c", "deal": "d", "currency": "USD", "subtotal": 200, "paid_at": "2026-01-11T12:00:00Z" })),
        ("credits", json!({ "id": "k", "invoice": "I1", "item": "2", "partner": "b", "role": "sourced", "share": "50%" })),
        ("refunds", json!({ "id": "R1", "invoice": "I1", "item": "1", "amount": "100.50", "refunded_at": "2026-01-12T12:00:00Z" })),
        ("refunds", json!({ "id": "D1", "invoice": "I2", "amount": "200.00", "refunded_at": "2026-01-13T12:00:00Z", "kind": "chargeback" })),
        (
            "refunds",
            json!({ "id": "D1-won", "invoice": "I2", "amount": "200.00", "refunded_at": "2026-01-14T12:00:00Z", "kind": "chargeback_won", "of": "D1" }),
        ),
        // There is room for it only where the chargeback was won before.
        ("refunds", json!({ "id": "R2", "invoice": "I2", "amount": "150.00", "refunded_at": "2026-01-15T12:00:00Z" })),
    ]
}

/// What the commands record of them in that order.
fn imported(app: &App, rows: &[(&str, Value)]) {
    begun(app);
    for (kind, data) in rows {
        let file = app.write(kind, "jsonl", &format!("{data}\n"));
        app.ok(&format!("import {kind} {file}"));
    }
}

fn shuffled<T: Clone>(all: &[T], seed: u64) -> Vec<T> {
    let mut shuffled = all.to_vec();
    match seed {
        0 => {}
        1 => shuffled.reverse(),
        seed => Seeded::new(seed).shuffle(&mut shuffled),
    }
    shuffled
}

/// Tells messages in many orders and compares each outcome with that of an import.
fn same_in_any_order(app: &App, expected: &App, messages: &[books::facts::Message]) {
    let (facts_expected, settled_expected) = (facts(expected), settled(expected, "2026-01"));
    assert!(settled_expected["settlements"].as_array().is_some_and(|all| !all.is_empty()), "{settled_expected}");
    for seed in 0..SHUFFLES + 2 {
        let told = app.copy();
        tell(&told, &shuffled(messages, seed), 1 + usize::try_from(seed % 4).expect("small"));
        assert_eq!(parked_now(&told), json!([]), "order {seed}");
        assert_eq!(facts(&told), facts_expected, "order {seed}");
        assert_eq!(settled(&told, "2026-01"), settled_expected, "order {seed}");
        told.finish();
    }
}

fn rows_in_any_order_are_an_import(app: &App) {
    let (rows, expected) = (rows(), app.copy());
    imported(&expected, &rows);
    begun(app);
    let messages: Vec<_> = rows.into_iter().map(|(kind, data)| row(kind, data).message()).collect();
    same_in_any_order(app, &expected, &messages);
}

/// A paid invoice, a refund, a dispute opened and won, a credit note: 20 % tax on top of each.
fn events() -> Vec<String> {
    let invoice = json!({
        "id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "currency": "usd", "total": 12_000, "total_excluding_tax": 10_000,
        "metadata": { "customer": "c" }, "status_transitions": { "paid_at": PAID_S },
        "lines": { "has_more": false, "data": [{ "id": "il_1", "amount": 7_000, "currency": "usd" }, { "id": "il_2", "amount": 3_000, "currency": "usd" }] }
    });
    let payment =
        json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "payment": { "type": "payment_intent", "payment_intent": "pi_1" } });
    let refund = |id: &str, amount: i64, at_s: i64| json!({ "id": id, "object": "refund", "status": "succeeded", "amount": amount, "currency": "usd", "created": at_s, "charge": "ch_1", "payment_intent": "pi_1" });
    let dispute = |status: &str| json!({ "id": "du_1", "object": "dispute", "status": status, "amount": 9_000, "currency": "usd", "created": PAID_S + 200, "charge": "ch_1", "payment_intent": "pi_1" });
    let note = json!({ "id": "cn_1", "object": "credit_note", "status": "issued", "invoice": "in_1", "amount": 1_200, "currency": "usd", "created": PAID_S - 100 });
    vec![
        event("evt_1", "invoice.paid", PAID_S + 1, &invoice),
        event("evt_2", "invoice.payment_succeeded", PAID_S + 2, &invoice),
        event("evt_3", "invoice_payment.paid", PAID_S + 3, &payment),
        event("evt_4", "refund.created", PAID_S + 100, &refund("re_1", 1_801, PAID_S + 100)),
        event("evt_5", "refund.updated", PAID_S + 110, &refund("re_1", 1_801, PAID_S + 100)),
        event("evt_6", "charge.dispute.created", PAID_S + 200, &dispute("needs_response")),
        event("evt_7", "charge.dispute.closed", PAID_S + 300, &dispute("won")),
        event("evt_8", "credit_note.created", PAID_S - 100, &note),
        event("evt_9", "refund.created", PAID_S + 400, &refund("re_2", 8_999, PAID_S + 400)),
    ]
}

fn stripe_s_events_in_any_order_are_an_import(app: &App) {
    let expected = app.copy();
    let people = |app: &App| {
        begun(app);
        app.import("partners", "id,name,program,tier,tier_since\na,A,p,base,2026-01-01");
    };
    people(&expected);
    expected.import("customers", "id,name,referred_by\nc,C,a");
    expected.import("invoices", "id,customer,currency,subtotal,tax,paid_at\nin_1,c,USD,100.00,20.00,2026-01-10T12:00:00Z");
    expected.import("invoice_items", "invoice,item,amount\nin_1,il_1,70.00\nin_1,il_2,30.00");
    // 18.01, 90.00, 12.00 and 89.99 with tax; what is credited before the payment counts from it.
    expected.import(
        "refunds",
        "id,invoice,amount,refunded_at,kind,of\nre_1,in_1,15.00,2026-01-10T12:01:40Z,refund,\ndu_1,in_1,75.00,2026-01-10T12:03:20Z,chargeback,\n\
         du_1/won,in_1,75.00,2026-01-10T12:05:00Z,chargeback_won,du_1\ncn_1,in_1,10.00,2026-01-10T12:00:00Z,credit_note,\n\
         re_2,in_1,74.99,2026-01-10T12:06:40Z,refund,",
    );
    people(app);
    let mut messages: Vec<_> = events().iter().map(|body| message(body)).collect();
    messages.push(row("customers", json!({ "id": "c", "name": "C", "referred_by": "a" })).message());
    same_in_any_order(app, &expected, &messages);
}

on_both_databases!(rows_in_any_order_are_an_import, stripe_s_events_in_any_order_are_an_import);
