//! Refunds, credit notes, chargebacks and chargebacks won.

use crate::record::rows::Row;
use crate::record::shape::{Shape, Sign};
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "refunds",
    noun: "a refund",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("invoice", Shape::Id, Need::Required),
        column("item", Shape::Id, Need::Optional),
        column_as("amount", "amount_minor", Shape::InvoiceAmount(Sign::Positive), Need::Required),
        column("refunded_at", Shape::Instant, Need::Required),
        column("kind", Shape::OneOf(&["refund", "credit_note", "chargeback", "chargeback_won"]), Need::Default("refund")),
        column_as("of", "of_refund", Shape::Id, Need::Optional),
        column("cost_returned", Shape::Flag, Need::Default("false")),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "refunds",
        filled_as: ("refunds", &["id"]),
        key: &["id"],
        facts: &["invoice", "amount_minor", "refunded_at", "kind", "cost_returned"],
        optional: &["item", "of_refund"],
        labels: &[],
    }],
    references: &[
        refers("invoice", "invoices", &["id=invoice"], "is no recorded invoice; import it with `invoices` first"),
        refers("item", "invoice_items", &["invoice=invoice", "item=item"], "is no item of that invoice; import it with `invoice_items` first"),
        refers("of", "refunds", &["id=of_refund"], "is no recorded refund; import the chargeback first, or in the same file"),
    ],
    program_of: None,
    check,
};

fn check(row: &mut Row<'_>) {
    if !row.knows(&["kind", "of_refund", "item"]) {
        return;
    }
    let won = row.text("kind") == Some("chargeback_won");
    if won && !row.has("of_refund") {
        row.wrong("of", "a chargeback_won names the chargeback that it wins; fill column of");
    }
    if won && row.has("item") {
        row.wrong("item", "a chargeback_won gives back the spread of its chargeback; leave column item empty");
    }
    if !won && row.has("of_refund") {
        row.wrong("of", "only a chargeback_won names a chargeback; leave column of empty or set kind");
    }
}
