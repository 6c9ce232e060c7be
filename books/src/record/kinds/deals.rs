//! Deals.

use crate::record::rows::nothing_more;
use crate::record::shape::{Shape, Sign};
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "deals",
    noun: "a deal",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("customer", Shape::Id, Need::Required),
        column("partner", Shape::Id, Need::Optional),
        column_as("contract_value", "contract_value_minor", Shape::Amount(Sign::NotNegative), Need::Required),
        column("currency", Shape::Currency, Need::Required),
        column("signed_on", Shape::Date, Need::Required),
        column("new_logo", Shape::Flag, Need::Required),
        column("registered", Shape::Flag, Need::Default("false")),
        column("motion", Shape::Text, Need::Optional),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "deals",
        filled_as: ("deals", &["id"]),
        key: &["id"],
        facts: &["customer", "contract_value_minor", "currency", "signed_on", "new_logo", "registered"],
        optional: &["partner", "motion"],
        labels: &[],
    }],
    references: &[
        refers("customer", "customers", &["id=customer"], "is no recorded customer; import it with `customers` first"),
        refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first"),
    ],
    program_of: None,
    check: nothing_more,
};
