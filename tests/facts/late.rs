//! What is told after its period is final is late, as when it is imported; what may not be told then is refused.

use serde_json::json;

use crate::app::App;
use crate::told::row;
use crate::world::{begun, settled, tell};

fn what_is_told_after_the_end_of_its_period_is_late(app: &App) {
    begun(app);
    app.import("partners", "id,name,program,tier,tier_since\na,A,p,base,2026-01-01");
    app.import("customers", "id,name,referred_by\nc,C,a");
    app.import("invoices", "id,customer,currency,subtotal,paid_at\nI1,c,USD,100.00,2026-01-10T12:00:00Z");
    settled(app, "2026-01");
    let expected = app.copy();
    expected.import("invoices", "id,customer,currency,subtotal,paid_at\nI2,c,USD,70.00,2026-01-20T12:00:00Z");
    expected.import("refunds", "id,invoice,amount,refunded_at\nR1,I1,40.00,2026-01-25T12:00:00Z");
    let expected = settled(&expected, "2026-02");
    assert_eq!(expected["settlements"][0]["lines"][0]["late_from"], "2026-01");
    let refund = row("refunds", json!({ "id": "R1", "invoice": "I1", "amount": "40.00", "refunded_at": "2026-01-25T12:00:00Z" }));
    let invoice = row("invoices", json!({ "id": "I2", "customer": "c", "currency": "USD", "subtotal": "70.00", "paid_at": "2026-01-20T12:00:00Z" }));
    tell(app, &[refund.message(), invoice.message()], 1);
    assert_eq!(settled(app, "2026-02"), expected);
}

on_both_databases!(what_is_told_after_the_end_of_its_period_is_late);
