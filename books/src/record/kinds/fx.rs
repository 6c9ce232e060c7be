//! Exchange rates.

use crate::record::rows::Row;
use crate::record::shape::Shape;
use crate::record::table::{Kind, Need, Table, column, column_as};

pub(crate) static KIND: Kind = Kind {
    name: "fx",
    noun: "an exchange rate",
    columns: &[
        column_as("date", "dated_on", Shape::Date, Need::Required),
        column_as("from", "from_currency", Shape::Currency, Need::Required),
        column_as("to", "to_currency", Shape::Currency, Need::Required),
        column("rate", Shape::FxRate, Need::Required),
    ],
    identity: &["dated_on", "from_currency", "to_currency"],
    tables: &[Table {
        name: "fx",
        filled_as: ("fx", &["dated_on", "from_currency", "to_currency"]),
        key: &["from_currency", "to_currency", "dated_on"],
        facts: &["rate"],
        optional: &[],
        labels: &[],
    }],
    references: &[],
    program_of: None,
    check,
};

fn check(row: &mut Row<'_>) {
    if row.has("from_currency") && row.text("from_currency") == row.text("to_currency") {
        row.wrong("to", "a currency has no rate to itself; give two currencies");
    }
}
