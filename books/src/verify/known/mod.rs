//! What was known when a period was made: facts as of its cut-off, read for verification alone (domain.md §4.7).

pub(crate) mod invoices;
pub(crate) mod members;
pub(crate) mod places;
pub(crate) mod rates;
pub(crate) mod terms;

/// A column that may have been empty at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled<T> {
    pub(crate) value: Option<T>,
    /// The recording that filled it; 0: it came with its row.
    pub(crate) since: i64,
}

impl<T> Filled<T> {
    /// What it held at a cut-off.
    pub(crate) fn at(&self, cutoff: i64) -> Option<&T> {
        if self.since <= cutoff { self.value.as_ref() } else { None }
    }
}

/// The last of some rows, in order of the day on which they begin, that begins on or before a day and was recorded by a cut-off.
pub(crate) fn in_force<T>(rows: &[T], from: impl Fn(&T) -> (program::calendar::Date, i64), day: program::calendar::Date, cutoff: i64) -> Option<&T> {
    rows.iter().rev().find(|row| {
        let (begins, seq) = from(row);
        begins <= day && seq <= cutoff
    })
}
