//! Invoices; in JSONL they may carry their items.

use crate::record::rows::nothing_more;
use crate::record::shape::{Shape, Sign};
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "invoices",
    noun: "an invoice",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("customer", Shape::Id, Need::Required),
        column("deal", Shape::Id, Need::Optional),
        column("partner", Shape::Id, Need::Optional),
        column("currency", Shape::Currency, Need::Required),
        column_as("subtotal", "subtotal_minor", Shape::Amount(Sign::NotNegative), Need::Required),
        column_as("tax", "tax_minor", Shape::Amount(Sign::NotNegative), Need::Optional),
        column_as("processing_cost", "processing_cost_minor", Shape::Amount(Sign::NotNegative), Need::Optional),
        column("issued_on", Shape::Date, Need::Optional),
        column("paid_at", Shape::Instant, Need::Optional),
        column("product", Shape::Text, Need::Optional),
        column("payment_method", Shape::Text, Need::Optional),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "invoices",
        filled_as: ("invoices", &["id"]),
        key: &["id"],
        facts: &["customer", "currency", "subtotal_minor"],
        optional: &["deal", "partner", "tax_minor", "processing_cost_minor", "issued_on", "paid_at", "product", "payment_method"],
        labels: &[],
    }],
    references: &[
        refers("customer", "customers", &["id=customer"], "is no recorded customer; import it with `customers` first"),
        refers("deal", "deals", &["id=deal"], "is no recorded deal; import it with `deals` first"),
        refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first"),
    ],
    program_of: None,
    check: nothing_more,
};
