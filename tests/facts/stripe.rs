//! A Stripe that others wrote bills a customer, and tells it; what it tells is in the books, once.
//!
//! Its events and signatures of invoices are its own. It tells nothing of refunds and knows no disputes: of refunds its own objects are
//! told by an envelope of ours, and disputes are what Stripe's documentation says they are.

use serde_json::{Value, json};

use crate::app::Engine;
use crate::double::Stripe;
use crate::sender;
use crate::told::event;
use crate::world::{World, parked_now};

/// What a customer with a card is billed at once: 100.00 and 20 % tax on top.
struct Billed {
    customer: String,
    subscription: String,
    invoice: Value,
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("{field} of {object}")).to_owned()
}

fn bill(stripe: &Stripe) -> Billed {
    let customer = text(&stripe.post("/v1/customers", &[("email", "c@example.com")]), "id");
    let card = [("type", "card"), ("card[number]", "4242424242424242"), ("card[exp_month]", "12"), ("card[exp_year]", "2036"), ("card[cvc]", "123")];
    let card = text(&stripe.post("/v1/payment_methods", &card), "id");
    stripe.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &customer)]);
    stripe.post(&format!("/v1/customers/{customer}"), &[("invoice_settings[default_payment_method]", &card)]);
    let tax = text(&stripe.post("/v1/tax_rates", &[("display_name", "VAT"), ("percentage", "20"), ("inclusive", "false")]), "id");
    let product = text(&stripe.post("/v1/products", &[("name", "Suite"), ("type", "service")]), "id");
    let plan = [("product", product.as_str()), ("amount", "10000"), ("currency", "usd"), ("interval", "month")];
    let plan = text(&stripe.post("/v1/plans", &plan), "id");
    let subscription = [("customer", customer.as_str()), ("items[0][plan]", &plan), ("default_tax_rates[0]", &tax)];
    let subscription = stripe.post("/v1/subscriptions", &subscription);
    let invoice = stripe.get(&format!("/v1/invoices/{}", text(&subscription, "latest_invoice")));
    Billed { customer, subscription: text(&subscription, "id"), invoice }
}

fn what_it_bills_and_refunds_is_in_the_books(engine: Engine) {
    let world = World::start(engine);
    let stripe = Stripe::start(world.port, &["invoice.payment_succeeded"]);
    let billed = bill(&stripe);
    let invoice = text(&billed.invoice, "id");
    world.until("the invoice waits for its customer", "SELECT COUNT(*) FROM fact_events WHERE state = 'parked' AND waits_for = 'customers.id'", 1);
    assert_eq!(parked_now(&world.app)[0]["rows"][0]["customer"], billed.customer);

    // Half of it goes back, before anybody has told us of the customer.
    let payment = text(&billed.invoice, "payment_intent");
    let refund = stripe.post("/v1/refunds", &[("payment_intent", &payment), ("amount", "6000")]);
    let created_s = refund["created"].as_i64().expect("a time");
    let told = event("evt_refund", "refund.created", created_s, &refund);
    assert_eq!(sender::event(world.port, &told).said(), (200, "parked"));

    world.app.import("partners", "id,name,program,tier,tier_since\na,A,p,base,2026-01-01");
    world.app.import("customers", &format!("id,name,referred_by\n{},C,a", billed.customer));
    world.until("what waited is recorded", "SELECT COUNT(*) FROM fact_events WHERE state = 'recorded'", 2);
    let access = world.app.access();
    let row = "SELECT customer || ' ' || currency || ' ' || CAST(subtotal_minor AS TEXT) || ' ' || CAST(tax_minor AS TEXT) FROM invoices";
    assert_eq!(access.texts(&format!("{row} WHERE id = '{invoice}'")), [format!("{} USD 10000 2000", billed.customer)]);
    assert_eq!(access.texts(&format!("SELECT CAST(amount_minor AS TEXT) FROM invoice_items WHERE invoice = '{invoice}'")), ["10000"]);
    assert_eq!(access.texts("SELECT invoice || ' ' || CAST(amount_minor AS TEXT) FROM refunds"), [format!("{invoice} 5000")]);

    // A second invoice, with two lines; a dispute of it is opened and won.
    stripe.post("/v1/invoiceitems", &[("customer", &billed.customer), ("amount", "5000"), ("currency", "usd"), ("description", "More")]);
    let second = stripe.post("/v1/invoices", &[("customer", &billed.customer), ("subscription", &billed.subscription)]);
    let second = text(&second, "id");
    let paid = stripe.post(&format!("/v1/invoices/{second}/pay"), &[]);
    world.until("it is recorded", "SELECT COUNT(*) FROM fact_events WHERE state = 'recorded'", 3);
    assert_eq!(
        access.texts(&format!("SELECT CAST(amount_minor AS TEXT) FROM invoice_items WHERE invoice = '{second}' ORDER BY amount_minor + 0")),
        ["5000", "10000"]
    );
    let dispute = |status: &str| {
        json!({ "id": "du_1", "object": "dispute", "amount": 18_000, "currency": "usd", "created": created_s + 60, "status": status,
                "charge": paid["charge"]["id"], "payment_intent": paid["payment_intent"] })
    };
    for (id, r#type, status) in [("evt_d2", "charge.dispute.closed", "won"), ("evt_d1", "charge.dispute.created", "needs_response")] {
        let said = sender::event(world.port, &event(id, r#type, created_s + 120, &dispute(status)));
        assert_eq!(said.status, 200, "{said:?}");
    }
    world.until("the dispute is in the books", "SELECT COUNT(*) FROM refunds WHERE kind LIKE 'chargeback%'", 2);
    let disputed = "SELECT kind || ' ' || CAST(amount_minor AS TEXT) FROM refunds WHERE kind LIKE 'chargeback%' ORDER BY kind";
    assert_eq!(access.texts(disputed), ["chargeback 15000", "chargeback_won 15000"]);
    assert_eq!(parked_now(&world.app), json!([]));
    drop(stripe);
    world.end();
}

mod what_it_bills_and_refunds {
    use crate::app::Engine;

    #[test]
    fn is_in_the_books_on_sqlite() {
        super::what_it_bills_and_refunds_is_in_the_books(Engine::Sqlite);
    }

    #[test]
    fn is_in_the_books_on_postgres() {
        super::what_it_bills_and_refunds_is_in_the_books(Engine::Postgres);
    }
}
