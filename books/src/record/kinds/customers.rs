//! Customers.

use crate::record::rows::nothing_more;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "customers",
    noun: "a customer",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("name", Shape::Text, Need::Required),
        column("referred_by", Shape::Id, Need::Optional),
        column("activated_on", Shape::Date, Need::Optional),
        column("churned_on", Shape::Date, Need::Optional),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "customers",
        filled_as: ("customers", &["id"]),
        key: &["id"],
        facts: &[],
        optional: &["referred_by", "activated_on", "churned_on"],
        labels: &["name"],
    }],
    references: &[refers("referred_by", "partners", &["id=referred_by"], "is no recorded partner; import it with `partners` first")],
    program_of: None,
    check: nothing_more,
};
