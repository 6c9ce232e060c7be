//! Facts that were wrong.

use super::VOIDABLE;
use crate::record::rows::nothing_more;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column};

pub(crate) static KIND: Kind = Kind {
    name: "voids",
    noun: "a voiding",
    columns: &[
        column("kind", Shape::OneOf(VOIDABLE), Need::Required),
        column("id", Shape::Text, Need::Required),
        column("reason", Shape::Text, Need::Required),
        column("approved_by", Shape::Text, Need::Required),
    ],
    identity: &["kind", "id", "reason"],
    tables: &[Table {
        name: "voids",
        filled_as: ("voids", &["kind", "id", "reason"]),
        key: &["kind", "id", "reason"],
        facts: &["approved_by"],
        optional: &[],
        labels: &[],
    }],
    references: &[],
    program_of: None,
    check: nothing_more,
};
