//! Further programmes of partners.

use super::STATUSES;
use crate::record::rules::members::check_row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "memberships",
    noun: "a membership",
    columns: &[
        column("partner", Shape::Id, Need::Required),
        column("program", Shape::Id, Need::Required),
        column("tier", Shape::Id, Need::Required),
        column("tier_since", Shape::Date, Need::Required),
        column("parent", Shape::Id, Need::Optional),
        column("parent_since", Shape::Date, Need::Optional),
        column("override_rate", Shape::Rate, Need::Optional),
        column("status", Shape::OneOf(STATUSES), Need::Default("active")),
        column("joined_on", Shape::Date, Need::Optional),
    ],
    identity: &["partner", "program"],
    tables: &[Table {
        name: "memberships",
        filled_as: ("memberships", &["partner", "program"]),
        key: &["program", "partner"],
        facts: &[],
        // A tier or a status is empty once it was voided.
        optional: &[
            "joined_on",
            "first_tier=tier",
            "first_tier_since=tier_since",
            "first_status=status",
            "first_parent=parent",
            "first_parent_since=parent_since",
            "first_override_rate=override_rate",
        ],
        labels: &[],
    }],
    references: &[
        refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first"),
        refers("program", "programs", &["id=program"], "is no recorded programme; record it with `program apply` first"),
        refers(
            "parent",
            "memberships",
            &["program=program", "partner=parent"],
            "is no member of that programme; import it first, or in the same file",
        ),
    ],
    program_of: None,
    check: check_row,
};
