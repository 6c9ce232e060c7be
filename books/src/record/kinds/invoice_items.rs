//! Items of invoices.

use crate::record::rows::nothing_more;
use crate::record::shape::{Shape, Sign};
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "invoice_items",
    noun: "an item of an invoice",
    columns: &[
        column("invoice", Shape::Id, Need::Required),
        column("item", Shape::Id, Need::Required),
        column_as("amount", "amount_minor", Shape::InvoiceAmount(Sign::NotNegative), Need::Required),
        column("product", Shape::Text, Need::Optional),
        column("deal", Shape::Id, Need::Optional),
    ],
    identity: &["invoice", "item"],
    tables: &[Table {
        name: "invoice_items",
        filled_as: ("invoice_items", &["invoice", "item"]),
        key: &["invoice", "item"],
        facts: &["amount_minor"],
        optional: &["product", "deal"],
        labels: &[],
    }],
    references: &[
        refers("invoice", "invoices", &["id=invoice"], "is no recorded invoice; import it with `invoices` first"),
        refers("deal", "deals", &["id=deal"], "is no recorded deal; import it with `deals` first"),
    ],
    program_of: None,
    check: nothing_more,
};
