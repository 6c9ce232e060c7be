//! Corrections by hand.

use crate::record::rows::nothing_more;
use crate::record::shape::{Shape, Sign};
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "adjustments",
    noun: "an adjustment",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("partner", Shape::Id, Need::Required),
        column("program", Shape::Id, Need::Optional),
        column_as("amount", "amount_minor", Shape::Amount(Sign::NotZero), Need::Required),
        column("currency", Shape::Currency, Need::Required),
        column("adjusted_on", Shape::Date, Need::Required),
        column("reason", Shape::Text, Need::Required),
        column("approved_by", Shape::Text, Need::Required),
        column("corrects", Shape::Text, Need::Optional),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "adjustments",
        filled_as: ("adjustments", &["id"]),
        key: &["id"],
        facts: &["partner", "program", "amount_minor", "currency", "adjusted_on", "reason", "approved_by"],
        optional: &["corrects"],
        labels: &[],
    }],
    references: &[
        refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first"),
        refers("program", "programs", &["id=program"], "is no recorded programme; record it with `program apply` first"),
        refers(
            "partner",
            "memberships",
            &["program=program", "partner=partner"],
            "is no member of that programme; import it with `memberships` first",
        ),
    ],
    program_of: Some("partner"),
    check: nothing_more,
};
