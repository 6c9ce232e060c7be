//! Credits: who gets an item.

use crate::record::rows::Row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "credits",
    noun: "a credit",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("partner", Shape::Id, Need::Required),
        column("role", Shape::Id, Need::Required),
        column("share", Shape::Share, Need::Default("1")),
        column("program", Shape::Id, Need::Optional),
        column("customer", Shape::Id, Need::Optional),
        column("deal", Shape::Id, Need::Optional),
        column("invoice", Shape::Id, Need::Optional),
        column("item", Shape::Id, Need::Optional),
        column_as("from", "from_on", Shape::Date, Need::Optional),
        column_as("through", "through_on", Shape::Date, Need::Optional),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "credits",
        filled_as: ("credits", &["id"]),
        key: &["id"],
        facts: &["partner", "role", "share", "program"],
        optional: &["customer", "deal", "invoice", "item", "from_on", "through_on"],
        labels: &[],
    }],
    references: &[
        refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first"),
        refers("program", "programs", &["id=program"], "is no recorded programme; record it with `program apply` first"),
        refers("customer", "customers", &["id=customer"], "is no recorded customer; import it with `customers` first"),
        refers("deal", "deals", &["id=deal"], "is no recorded deal; import it with `deals` first"),
        refers("invoice", "invoices", &["id=invoice"], "is no recorded invoice; import it with `invoices` first"),
        refers("item", "invoice_items", &["invoice=invoice", "item=item"], "is no item of that invoice; import it with `invoice_items` first"),
    ],
    program_of: Some("partner"),
    check,
};

fn check(row: &mut Row<'_>) {
    let places = ["customer", "deal", "invoice"].into_iter().filter(|place| row.has(place)).count();
    if places != 1 && row.knows(&["customer", "deal", "invoice"]) {
        row.wrong("customer", "a credit is given at exactly one of customer, deal and invoice");
    }
    if row.has("item") && !row.has("invoice") && row.knows(&["invoice"]) {
        row.wrong("item", "an item needs its invoice; fill column invoice too");
    }
    if let (Some(from), Some(through)) = (row.text("from_on"), row.text("through_on"))
        && from > through
    {
        let reason = format!("the credit ends on {through}, before it begins on {from}");
        row.wrong("through", reason);
    }
}
