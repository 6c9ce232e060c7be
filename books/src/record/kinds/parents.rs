//! Parents of members; an empty parent ends the link.

use crate::record::rows::Row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "parents",
    noun: "a parent link",
    columns: &[
        column("partner", Shape::Id, Need::Required),
        column("program", Shape::Id, Need::Optional),
        column("parent", Shape::Id, Need::Optional),
        column("effective_from", Shape::Date, Need::Required),
        column("override_rate", Shape::Rate, Need::Optional),
    ],
    identity: &["partner", "program", "effective_from"],
    tables: &[Table {
        name: "parent_links",
        filled_as: ("parents", &["partner", "program", "effective_from"]),
        key: &["program", "partner", "effective_from"],
        facts: &["parent"],
        optional: &["override_rate"],
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
        refers("parent", "memberships", &["program=program", "partner=parent"], "is no member of that programme; import it first"),
    ],
    program_of: Some("partner"),
    check,
};

fn check(row: &mut Row<'_>) {
    if row.has("parent") && row.text("parent") == row.text("partner") {
        row.wrong("parent", "a partner can't be its own parent");
    }
}
