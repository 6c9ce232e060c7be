//! Certificates of partners' people.

use crate::record::rows::Row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, refers};

pub(crate) static KIND: Kind = Kind {
    name: "certifications",
    noun: "a certificate",
    columns: &[
        column("id", Shape::Id, Need::Required),
        column("partner", Shape::Id, Need::Required),
        column("certification", Shape::Id, Need::Required),
        column("holder", Shape::Text, Need::Required),
        column("issued_on", Shape::Date, Need::Required),
        column("expires_on", Shape::Date, Need::Required),
        column("revoked_on", Shape::Date, Need::Optional),
    ],
    identity: &["id"],
    tables: &[Table {
        name: "certifications",
        filled_as: ("certifications", &["id"]),
        key: &["id"],
        facts: &["partner", "certification", "holder", "issued_on", "expires_on"],
        optional: &["revoked_on"],
        labels: &[],
    }],
    references: &[refers("partner", "partners", &["id=partner"], "is no recorded partner; import it with `partners` first")],
    program_of: None,
    check,
};

fn check(row: &mut Row<'_>) {
    if let (Some(issued), Some(expires)) = (row.text("issued_on"), row.text("expires_on"))
        && issued >= expires
    {
        let reason = format!("the certificate expires on {expires}, not after it was issued on {issued}");
        row.wrong("expires_on", reason);
    }
}
