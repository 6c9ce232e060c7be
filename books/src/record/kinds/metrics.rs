//! Values that conditions may name.

use crate::record::rows::nothing_more;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "metrics",
    noun: "a metric",
    columns: &[
        column("partner", Shape::Id, Need::Required),
        column("metric", Shape::Id, Need::Required),
        column("value", Shape::Text, Need::Required),
        column("as_of", Shape::Date, Need::Required),
    ],
    identity: &["partner", "metric", "as_of"],
    tables: &[Table {
        name: "metrics",
        filled_as: ("metrics", &["partner", "metric", "as_of"]),
        key: &["partner", "metric", "as_of"],
        facts: &["value"],
        optional: &[],
        labels: &[],
    }],
    references: &[refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first")],
    program_of: None,
    check: nothing_more,
};
