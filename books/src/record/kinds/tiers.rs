//! Tiers assigned by hand.

use crate::record::rows::nothing_more;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "tiers",
    noun: "a tier assignment",
    columns: &[
        column("partner", Shape::Id, Need::Required),
        column("program", Shape::Id, Need::Optional),
        column("tier", Shape::Id, Need::Required),
        column("effective_from", Shape::Date, Need::Required),
        column("reason", Shape::Text, Need::Optional),
    ],
    identity: &["partner", "program", "effective_from"],
    tables: &[Table {
        name: "tier_assignments",
        filled_as: ("tiers", &["partner", "program", "effective_from"]),
        key: &["program", "partner", "effective_from", "origin='hand'"],
        facts: &["tier"],
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
