//! The generated facts by the month in which they become known, as the CSV files that `import` takes (interface.md §2).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use books::record::FactKind;
use program::calendar::{Date, Period};

/// The folder of what was known before the year.
const HISTORY: &str = "history";

type Rows = Vec<Vec<String>>;

/// Facts by month and kind.
#[derive(Debug)]
pub(crate) struct Facts {
    history: Period,
    last: Date,
    months: BTreeMap<Period, BTreeMap<FactKind, Rows>>,
}

/// A file of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FactFile {
    /// What it holds.
    pub(crate) kind: FactKind,
    /// Its path below the demo's directory.
    pub(crate) path: PathBuf,
}

impl Facts {
    /// None yet. What is known before `begins` is history; what becomes known after `last` is left out, as it is still to come.
    pub(crate) fn new(begins: Date, last: Date) -> Self {
        Self { history: Period::of(begins).previous(), last, months: BTreeMap::new() }
    }

    /// Adds a fact that becomes known on a day; its columns are those of [`columns`].
    pub(crate) fn add<const N: usize>(&mut self, known_on: Date, kind: FactKind, row: [String; N]) {
        debug_assert_eq!(columns(kind).len(), N, "a row of {} has every column", kind.name());
        if known_on <= self.last {
            let month = Period::of(known_on).max(self.history);
            self.months.entry(month).or_default().entry(kind).or_default().push(row.into());
        }
    }

    /// The day after which nothing is known yet.
    pub(crate) fn last(&self) -> Date {
        self.last
    }

    /// The month that stands for history.
    pub(crate) fn history(&self) -> Period {
        self.history
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.months.values().flat_map(BTreeMap::values).map(Vec::len).sum()
    }

    /// Writes the files of a month below the demo's directory and says which there are, in the order to import them.
    pub(crate) fn write(&self, month: Period, directory: &Path) -> io::Result<Vec<FactFile>> {
        let name = if month == self.history { HISTORY.to_owned() } else { month.to_string() };
        let folder = PathBuf::from("facts").join(name);
        std::fs::create_dir_all(directory.join(&folder))?;
        let mut files = Vec::new();
        for kind in FactKind::ALL {
            let Some(rows) = self.months.get(&month).and_then(|kinds| kinds.get(&kind)) else { continue };
            let path = folder.join(format!("{}.csv", kind.name()));
            let mut out = csv::Writer::from_path(directory.join(&path)).map_err(io::Error::other)?;
            out.write_record(columns(kind)).map_err(io::Error::other)?;
            for row in rows {
                out.write_record(row).map_err(io::Error::other)?;
            }
            out.flush()?;
            files.push(FactFile { kind, path });
        }
        Ok(files)
    }
}

/// The columns that the demo gives.
fn columns(kind: FactKind) -> &'static [&'static str] {
    match kind {
        FactKind::Partners => {
            &["id", "name", "email", "program", "tier", "tier_since", "parent", "parent_since", "override_rate", "kind", "joined_on", "country"]
        }
        FactKind::Memberships => &["partner", "program", "tier", "tier_since"],
        FactKind::Customers => &["id", "name", "referred_by", "activated_on"],
        FactKind::Deals => &["id", "customer", "partner", "contract_value", "currency", "signed_on", "new_logo", "motion"],
        FactKind::Invoices => &["id", "customer", "deal", "currency", "subtotal", "issued_on", "paid_at", "product", "payment_method"],
        FactKind::InvoiceItems => &["invoice", "item", "amount", "product"],
        FactKind::Credits => &["id", "partner", "role", "share", "deal"],
        FactKind::Refunds => &["id", "invoice", "item", "amount", "refunded_at", "kind", "of"],
        FactKind::Adjustments => &["id", "partner", "amount", "currency", "adjusted_on", "reason", "approved_by", "corrects"],
        FactKind::Certifications => &["id", "partner", "certification", "holder", "issued_on", "expires_on"],
        FactKind::Tiers => &["partner", "tier", "effective_from", "reason"],
        FactKind::Parents => &["partner", "parent", "effective_from"],
        FactKind::Statuses => &["partner", "status", "effective_from", "reason"],
        FactKind::Voids => &["kind", "id", "reason", "approved_by"],
        FactKind::Freezes => &["id", "program", "partner", "what", "from", "through", "reason"],
        FactKind::Metrics => &["partner", "metric", "value", "as_of"],
        FactKind::Fx => &["date", "from", "to", "rate"],
    }
}
