//! Freezes of promotion or demotion.

use crate::record::rows::Row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, column_as, refers};

pub(crate) static KIND: Kind = Kind {
    name: "freezes",
    noun: "a freeze",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("program", Shape::Id, Need::Required),
        column("partner", Shape::Id, Need::Optional),
        column("what", Shape::OneOf(&["promotion", "demotion"]), Need::Required),
        column_as("from", "from_on", Shape::Date, Need::Required),
        column_as("through", "through_on", Shape::Date, Need::Required),
        column("reason", Shape::Text, Need::Required),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "freezes",
        filled_as: ("freezes", &["id"]),
        key: &["id"],
        // Without a partner it is of all of them, which is no less a fact.
        facts: &["program", "partner", "what", "from_on", "through_on", "reason"],
        optional: &[],
        labels: &[],
    }],
    references: &[
        refers("program", "programs", &["id=program"], "is no recorded programme; record it with `program apply` first"),
        refers(
            "partner",
            "memberships",
            &["program=program", "partner=partner"],
            "is no member of that programme; import it with `memberships` first",
        ),
    ],
    program_of: None,
    check,
};

fn check(row: &mut Row<'_>) {
    if let (Some(from), Some(through)) = (row.text("from_on"), row.text("through_on"))
        && from > through
    {
        let reason = format!("the freeze ends on {through}, before it begins on {from}");
        row.wrong("through", reason);
    }
}
