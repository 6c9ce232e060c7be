//! Partners, each with its home membership.

use super::STATUSES;
use crate::record::rules::members::check_row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "partners",
    noun: "a partner",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("name", Shape::Text, Need::Required),
        column("email", Shape::Email, Need::Optional),
        column("program", Shape::Id, Need::Required),
        column("tier", Shape::Id, Need::Required),
        column("tier_since", Shape::Date, Need::Required),
        column("parent", Shape::Id, Need::Optional),
        column("parent_since", Shape::Date, Need::Optional),
        column("override_rate", Shape::Rate, Need::Optional),
        column("kind", Shape::Text, Need::Optional),
        column("status", Shape::OneOf(STATUSES), Need::Default("active")),
        column("joined_on", Shape::Date, Need::Optional),
        column("country", Shape::Text, Need::Optional),
    ],
    identity: &["id"],
    tables: &[
        Table {
            name: "partners",
            filled_as: ("partners", &["id"]),
            key: &["id"],
            facts: &["program"],
            optional: &["kind", "joined_on", "country"],
            labels: &["name", "email"],
        },
        Table {
            name: "memberships",
            filled_as: ("memberships", &["id", "program"]),
            key: &["program", "partner=id"],
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
        },
    ],
    references: &[
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
