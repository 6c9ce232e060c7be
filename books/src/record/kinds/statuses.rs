//! Statuses of members.

use super::STATUSES;
use crate::record::rows::nothing_more;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "statuses",
    noun: "a status",
    columns: &[
        column("partner", Shape::Id, Need::Required),
        column("program", Shape::Id, Need::Optional),
        column("status", Shape::OneOf(STATUSES), Need::Required),
        column("effective_from", Shape::Date, Need::Required),
        column("reason", Shape::Text, Need::Optional),
    ],
    identity: &["partner", "program", "effective_from"],
    tables: &[Table {
        name: "statuses",
        filled_as: ("statuses", &["partner", "program", "effective_from"]),
        key: &["program", "partner", "effective_from"],
        facts: &["status"],
        optional: &["reason"],
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
