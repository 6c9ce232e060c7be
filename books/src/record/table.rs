//! How a kind of facts is described: its columns, what they refer to, and the tables that hold it.
//!
//! A *column* is what the file calls it, a *field* what the database calls it. A field list entry `a` means the staged field `a`
//! goes to the table's field `a`; `a=b` that the staged field `b` goes to `a`.

use super::rows::Row;
use super::shape::Shape;

/// A kind of facts (interface.md §2).
#[derive(Debug)]
pub(crate) struct Kind {
    /// What imports call it.
    pub(crate) name: &'static str,
    /// One fact of it, in a sentence.
    pub(crate) noun: &'static str,
    /// Its columns.
    pub(crate) columns: &'static [Column],
    /// The fields that identify a row, in the order in which "/" joins them.
    pub(crate) identity: &'static [&'static str],
    /// Where it is kept; the first table's key is the identity.
    pub(crate) tables: &'static [Table],
    /// What must be recorded before, or come in the same file.
    pub(crate) references: &'static [Reference],
    /// The field of the partner whose home programme an absent `program` means, where the books must know it.
    pub(crate) program_of: Option<&'static str>,
    /// What a row must satisfy by itself, beyond its cells.
    pub(crate) check: fn(&mut Row<'_>),
}

/// A column of a file.
#[derive(Debug)]
pub(crate) struct Column {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// Its name in the staging table and, mostly, in the books.
    pub(crate) field: &'static str,
    /// What it holds.
    pub(crate) shape: Shape,
    /// Whether it may be empty.
    pub(crate) need: Need,
}

/// Whether a column may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It may not.
    Required,
    /// It may, and may be filled once, later.
    Optional,
    /// Empty stands for this, and counts as filled.
    Default(&'static str),
}

/// A table that holds facts of a kind.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// The kind that fills of it are noted under, and the fields that make its id.
    pub(crate) filled_as: (&'static str, &'static [&'static str]),
    /// Fields that identify a row.
    pub(crate) key: &'static [&'static str],
    /// Fields that never change.
    pub(crate) facts: &'static [&'static str],
    /// Fields that may be filled once.
    pub(crate) optional: &'static [&'static str],
    /// Fields that may always change.
    pub(crate) labels: &'static [&'static str],
}

/// A reference to something recorded.
#[derive(Debug)]
pub(crate) struct Reference {
    /// The column to blame.
    pub(crate) column: &'static str,
    /// The table that must hold it.
    pub(crate) table: &'static str,
    /// The table's fields and the staged fields that must equal them; nothing is checked where a staged one is empty.
    pub(crate) on: &'static [&'static str],
    /// What an unknown one is called, after its value: `"x" …`.
    pub(crate) unknown: &'static str,
}

/// `a=b` is the table's field and the staged one.
pub(crate) fn pair(entry: &'static str) -> (&'static str, &'static str) {
    entry.split_once('=').unwrap_or((entry, entry))
}

impl Kind {
    /// The place of a column by its name in files.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The column that holds a staged field.
    pub(crate) fn column_of(&self, field: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.field == field)
    }

    /// The name in files of a staged field.
    pub(crate) fn column_name(&self, field: &'static str) -> &'static str {
        self.column_of(field).map_or(field, |column| column.name)
    }
}

impl Reference {
    /// What must be there: the table and the fields that name a row of it.
    pub(crate) fn what(&self) -> String {
        let fields: Vec<&str> = self.on.iter().map(|entry| pair(entry).0).collect();
        format!("{}.{}", self.table, fields.join("+"))
    }
}

impl Table {
    /// All its fields that a file brings.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [self.key, self.facts, self.optional, self.labels].into_iter().flatten().map(|entry| pair(entry))
    }
}

/// A column whose field has its name.
pub(crate) const fn column(name: &'static str, shape: Shape, need: Need) -> Column {
    Column { name, field: name, shape, need }
}

/// A column whose field is called otherwise.
pub(crate) const fn column_as(name: &'static str, field: &'static str, shape: Shape, need: Need) -> Column {
    Column { name, field, shape, need }
}

/// A reference to what is known by its id.
pub(crate) const fn refers(column: &'static str, table: &'static str, on: &'static [&'static str], unknown: &'static str) -> Reference {
    Reference { column, table, on, unknown }
}
