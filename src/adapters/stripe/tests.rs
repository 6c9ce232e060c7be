use books::facts::Money;
use books::record::FactKind;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn event(r#type: &str, object: &Json) -> Event {
    let event = json!({ "id": "evt_1", "object": "event", "type": r#type, "created": 1_767_225_600, "livemode": true, "data": { "object": object } });
    read(event.to_string().as_bytes()).expect("an event")
}

/// The one fact of an event.
fn fact(r#type: &str, object: &Json) -> (FactKind, Json, Option<Money>) {
    match event(r#type, object).says {
        Some(Says::Facts { kind, facts }) => {
            assert_eq!(facts.len(), 1);
            (kind, serde_json::from_str(&facts[0].row).expect("JSON"), facts[0].money.clone())
        }
        other => panic!("{type}: {other:?}"),
    }
}

fn old_invoice() -> Json {
    json!({
        "id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "currency": "usd", "subtotal": 11_000, "total": 12_000, "tax": 2_000,
        "charge": "ch_1", "payment_intent": "pi_1", "metadata": { "deal": "d1" }, "subscription_details": { "metadata": { "partner": "acme" } },
        "status_transitions": { "paid_at": 1_767_225_661 },
        "lines": { "has_more": false, "data": [
            { "id": "il_1", "amount": 8_000, "currency": "usd", "discount_amounts": [{ "amount": 1_000 }], "price": { "product": "prod_1" } },
            { "id": "il_2", "amount": 3_600, "currency": "usd", "discount_amounts": [], "metadata": { "deal": "d2", "product": "Support" },
              "tax_amounts": [{ "amount": 600, "inclusive": true }, { "amount": 9, "inclusive": false }] }
        ] }
    })
}

#[test]
fn an_invoice_as_older_versions_write_it() {
    let (kind, row, money) = fact("invoice.paid", &old_invoice());
    let expected = json!({
        "id": "in_1", "customer": "cus_1", "deal": "d1", "partner": "acme", "currency": "USD", "subtotal": "100", "tax": "20", "paid_at": "2026-01-01T00:01:01Z",
        "items": [{ "item": "il_1", "amount": "70", "product": "prod_1" }, { "item": "il_2", "amount": "30", "product": "Support", "deal": "d2" }]
    });
    assert_eq!((kind, row, money), (FactKind::Invoices, expected, None));
    let payments = event("invoice.payment_succeeded", &old_invoice()).payments;
    assert_eq!(payments, [("pi_1", "in_1"), ("ch_1", "in_1")].map(|(payment, invoice)| (payment.to_owned(), invoice.to_owned())));
}

#[test]
fn an_invoice_as_newer_versions_write_it() {
    let invoice = json!({
        "id": "in_1", "object": "invoice", "status": "paid", "currency": "jpy", "total": 1_100, "total_excluding_tax": 1_000,
        "total_taxes": [{ "amount": 100, "tax_behavior": "exclusive" }],
        "customer": { "id": "cus_1", "metadata": { "customer": "c1", "partner": "of the customer" } },
        "parent": { "type": "subscription_details", "subscription_details": { "metadata": { "deal": "d1" } } },
        "payments": { "data": [{ "payment": { "type": "payment_intent", "payment_intent": "pi_1" } }] },
        "status_transitions": { "paid_at": null },
        "lines": { "has_more": false, "data": [{ "id": "il_1", "amount": 1_000, "currency": "jpy", "pricing": { "price_details": { "product": "prod_1" } } }] }
    });
    let (_, row, _) = fact("invoice.payment_succeeded", &invoice);
    let expected = json!({
        "id": "in_1", "customer": "c1", "deal": "d1", "partner": "of the customer", "currency": "JPY", "subtotal": "1000", "tax": "100",
        "paid_at": "2026-01-01T00:00:00Z", "items": [{ "item": "il_1", "amount": "1000", "product": "prod_1" }]
    });
    assert_eq!(row, expected);
    assert_eq!(event("invoice.paid", &invoice).payments, [("pi_1".to_owned(), "in_1".to_owned())]);
    let payment = event(
        "invoice_payment.paid",
        &json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "type": "payment_intent", "payment_intent": "pi_2" } }),
    );
    assert_eq!((payment.payments, payment.says), (vec![("pi_2".to_owned(), "in_1".to_owned())], Some(Says::Nothing)));
}

#[test]
fn lines_that_do_not_come_to_the_invoice_are_no_items() {
    for (path, value) in [
        ("/lines/has_more", json!(true)),
        ("/lines/data/0/amount", json!(8_001)),
        ("/lines/data/0/amount", json!(-1)),
        ("/lines/data/0/currency", json!("eur")),
        ("/lines/data/0/id", Json::Null),
        ("/lines/data", json!([])),
        ("/lines", Json::Null),
    ] {
        let mut invoice = old_invoice();
        *invoice.pointer_mut(path).expect("it is there") = value;
        let (_, row, _) = fact("invoice.paid", &invoice);
        assert_eq!((row.get("items"), &row["subtotal"]), (None, &json!("100")), "{path}");
    }
    let mut owing = old_invoice();
    owing["total"] = json!(-5_000);
    assert!(matches!(event("invoice.paid", &owing).says, Some(Says::Unclear(_))));
    let mut open = old_invoice();
    open["status"] = json!("open");
    assert_eq!(event("invoice.payment_succeeded", &open).says, Some(Says::Nothing), "a part was paid");
}

#[test]
fn lines_name_what_the_invoice_does_not_where_they_agree() {
    let mut invoice = old_invoice();
    invoice["metadata"] = json!({ "deal": "" });
    let (_, row, _) = fact("invoice.paid", &invoice);
    assert_eq!((row.get("deal"), &row["items"][1]["deal"]), (None, &json!("d2")));
    invoice["lines"]["data"][0]["metadata"] = json!({ "deal": "d2" });
    let (_, row, _) = fact("invoice.paid", &invoice);
    assert_eq!((&row["deal"], row["items"][1].get("deal")), (&json!("d2"), None));
}

fn money(gross: &str, at_s: i64) -> Money {
    let payments = vec!["pi_1".into(), "ch_1".into()];
    Money { invoice: None, payments, gross: gross.into(), currency: "USD".into(), at_s, from_payment: false, of_first_told: false, against: None }
}

#[test]
fn refunds_that_succeeded() {
    let refund = |status: &str| json!({ "id": "re_1", "amount": 1_250, "currency": "usd", "created": 7, "charge": "ch_1", "payment_intent": "pi_1", "status": status });
    let (kind, row, of) = fact("refund.created", &refund("succeeded"));
    assert_eq!((kind, row, of), (FactKind::Refunds, json!({ "id": "re_1", "kind": "refund" }), Some(money("12.5", 7))));
    assert_eq!(event("refund.created", &refund("pending")).says, None);
    assert_eq!(event("refund.updated", &refund("failed")).says, Some(Says::Undone { refund: "re_1".into() }));
    let of_charge = |invoice: Json| json!({ "id": "ch_1", "payment_intent": "pi_1", "invoice": invoice, "refunds": { "data": [refund("succeeded"), refund("pending")] } });
    let (_, _, of) = fact("charge.refunded", &of_charge(json!("in_1")));
    assert_eq!(of.and_then(|money| money.invoice), Some("in_1".into()));
    assert_eq!(event("charge.refunded", &of_charge(json!("in_1"))).payments.len(), 2);
    assert_eq!(event("charge.refunded", &of_charge(Json::Null)).says, None, "a charge for no invoice");
    assert_eq!(event("charge.refunded", &json!({ "id": "ch_1", "payment_intent": "pi_1" })).says, None, "newer versions tell each by itself");
}

#[test]
fn disputes_opened_won_and_lost() {
    let dispute = |status: &str| json!({ "id": "du_1", "amount": 9_000, "currency": "usd", "created": 7, "charge": "ch_1", "payment_intent": "pi_1", "status": status });
    let (_, row, of) = fact("charge.dispute.created", &dispute("needs_response"));
    assert_eq!((row, of), (json!({ "id": "du_1", "kind": "chargeback" }), Some(money("90", 7))));
    for r#type in ["closed", "updated", "funds_reinstated"] {
        let (_, row, of) = fact(&format!("charge.dispute.{type}"), &dispute("won"));
        let money = Money { of_first_told: true, ..money("90", 1_767_225_600) };
        assert_eq!((row, of), (json!({ "id": "du_1/won", "kind": "chargeback_won", "of": "du_1" }), Some(money)), "{type}");
    }
    for r#type in ["closed", "updated", "funds_withdrawn"] {
        let (_, row, of) = fact(&format!("charge.dispute.{type}"), &dispute("lost"));
        let money = Money { against: Some("du_1/won".into()), ..money("90", 7) };
        assert_eq!((row, of), (json!({ "id": "du_1", "kind": "chargeback" }), Some(money)), "{type}: as if it had been told before");
    }
    let back = event("charge.dispute.funds_reinstated", &dispute("under_review")).says;
    assert!(matches!(&back, Some(Says::Unclear(reason)) if reason.contains("under_review")), "{back:?}");
    for (r#type, status) in [
        ("created", "warning_needs_response"),
        ("closed", "warning_closed"),
        ("closed", "prevented"),
        ("created", "prevented"),
        ("closed", "under_review"),
    ] {
        assert_eq!(event(&format!("charge.dispute.{type}"), &dispute(status)).says, None, "{type} {status}");
    }
}

#[test]
fn credit_notes_as_far_as_no_refund_pays_them_out() {
    let note = |more: Json| {
        let mut note = json!({ "id": "cn_1", "invoice": "in_1", "amount": 5_000, "currency": "usd", "created": 7, "status": "issued" });
        note.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event("credit_note.created", &note).says
    };
    let gross = |says: Option<Says>| match says {
        Some(Says::Facts { facts, .. }) => facts[0].money.as_ref().map(|money| (money.gross.clone(), money.from_payment)),
        _ => None,
    };
    assert_eq!(gross(note(json!({}))), Some(("50".into(), true)));
    assert_eq!(gross(note(json!({ "refunds": [{ "amount_refunded": 2_000, "refund": "re_1" }] }))), Some(("30".into(), true)));
    assert_eq!(gross(note(json!({ "refund": "re_1", "post_payment_amount": 4_000, "out_of_band_amount": 1_000 }))), Some(("20".into(), true)));
    assert_eq!(note(json!({ "refund": "re_1" })), None);
    assert_eq!(note(json!({ "status": "void" })), None);
    assert!(matches!(note(json!({ "refund": "re_1", "customer_balance_transaction": "cbtxn_1" })), Some(Says::Unclear(_))));
}

#[test]
fn what_is_no_event_is_told_by_its_place() {
    for (body, told) in [
        ("", "EOF"),
        ("[]", "map"),
        (r#"{"object":"charge"}"#, "`object`"),
        (r#"{"object":"event"}"#, "`id`"),
        (r#"{"object":"event","id":"e","type":"t","created":-1}"#, "`created`"),
        (r#"{"object":"event","id":"e","type":"t","created":7,"livemode":"no"}"#, "`livemode`"),
        (r#"{"object":"event","id":"e","type":"t","created":7,"data":[]}"#, "`data`"),
        (
            r#"{"object":"event","id":"e","type":"refund.created","created":7,"data":{"object":{"id":"r","amount":1.5,"created":7,"charge":"c","currency":"usd"}}}"#,
            "`data.object.amount`",
        ),
        (
            r#"{"object":"event","id":"e","type":"refund.created","created":7,"data":{"object":{"id":"r","amount":1,"created":7,"currency":"usd"}}}"#,
            "payment_intent",
        ),
        (
            r#"{"object":"event","id":"e","type":"invoice.paid","created":7,"data":{"object":{"id":"i","customer":"c","currency":"usd","total":1,"lines":{"data":[7]}}}}"#,
            "`data.object.lines.data[0]`",
        ),
        (
            r#"{"object":"event","id":"e","type":"invoice.paid","created":7,"data":{"object":{"id":"i","customer":"c","currency":"usd","total":-9223372036854775808,"tax":1}}}"#,
            "too large",
        ),
    ] {
        let refused = read(body.as_bytes()).expect_err(body);
        assert!(refused.contains(told), "{body}: {refused}");
    }
    let unknown = event("customer.created", &json!({ "id": "cus_1" }));
    assert_eq!((unknown.says, unknown.is_live), (None, true));
}

/// JSON of the names and values that Stripe's objects have, put together as nobody would.
fn hostile() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()].prop_map(Json::from),
        prop_oneof![Just("usd"), Just("paid"), Just("won"), Just("succeeded"), Just(""), Just("\u{0}\u{202e}")].prop_map(Json::from),
    ];
    let names = [
        "id",
        "status",
        "currency",
        "amount",
        "total",
        "tax",
        "created",
        "charge",
        "payment_intent",
        "invoice",
        "customer",
        "lines",
        "data",
        "refunds",
        "metadata",
        "deal",
        "status_transitions",
        "paid_at",
        "discount_amounts",
        "tax_amounts",
        "payments",
        "payment",
        "refund",
        "has_more",
    ];
    leaf.prop_recursive(4, 64, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..24)
                .prop_map(|fields| Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(object in hostile(), r#type in prop::sample::select(vec![
        "invoice.paid", "invoice_payment.paid", "refund.created", "charge.refunded", "credit_note.created", "credit_note.voided",
        "charge.dispute.created", "charge.dispute.closed",
    ])) {
        let event = json!({ "id": "evt_1", "object": "event", "type": r#type, "created": 7, "livemode": true, "data": { "object": object } });
        let _ = read(event.to_string().as_bytes());
    }
}
