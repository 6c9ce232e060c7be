//! A table of the file: its known keys, its missing ones, and its fields.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::Findings;
use crate::condition::names::nearest;

/// The keys of a table.
pub(super) struct Keys {
    /// Those without which nothing works.
    pub(super) required: &'static [&'static str],
    /// All others.
    pub(super) optional: &'static [&'static str],
}

impl Keys {
    fn known(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}

/// A table whose keys were checked.
pub(super) struct Section<'d> {
    table: &'d DeTable<'d>,
    /// Its header, or the whole of an inline table.
    pub(super) span: Range<usize>,
    title: String,
}

/// A key with its value.
#[derive(Clone)]
pub(super) struct Field<'d> {
    pub(super) key: &'d str,
    pub(super) key_span: Range<usize>,
    pub(super) value: &'d DeValue<'d>,
    pub(super) span: Range<usize>,
}

impl<'d> Section<'d> {
    /// Checks the keys of a table.
    pub(super) fn open(found: &mut Findings<'_>, table: &'d DeTable<'d>, span: Range<usize>, title: &str, keys: &Keys) -> Self {
        let section = Self { table, span, title: title.into() };
        for field in section.fields() {
            section.check_known(found, &field, keys);
        }
        for key in keys.required.iter().filter(|key| !table.contains_key(**key)) {
            found.add(section.span.clone(), format!("`{key}` is missing in {title}"));
        }
        section
    }

    fn check_known(&self, found: &mut Findings<'_>, field: &Field<'_>, keys: &Keys) {
        if keys.known().any(|known| known == field.key) {
            return;
        }
        let help = match nearest(field.key, keys.known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", keys.known().collect::<Vec<_>>().join(", ")),
        };
        found.add_with_help(field.key_span.clone(), format!("unknown key `{}` in {}", shown(field.key), self.title), help);
    }

    /// Its fields, by key.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'d>> + use<'d> {
        entries(self.table)
    }

    /// One of its fields.
    pub(super) fn field(&self, key: &str) -> Option<Field<'d>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Field::of(key, value))
    }

    /// A table in it.
    pub(super) fn section(&self, found: &mut Findings<'_>, key: &str, keys: &Keys) -> Option<Section<'d>> {
        let field = self.field(key)?;
        let table = field.table(found)?;
        Some(Section::open(found, table, field.span, &format!("[{key}]"), keys))
    }

    /// The tables of a list in it, in file order.
    pub(super) fn sections(&self, found: &mut Findings<'_>, key: &str, title: &str, keys: &Keys) -> Vec<Section<'d>> {
        let Some(field) = self.field(key) else { return Vec::new() };
        let DeValue::Array(array) = field.value else {
            found.add_with_help(field.key_span, format!("`{key}` must be a list of tables"), format!("begin each with [[{title}]]"));
            return Vec::new();
        };
        let title = format!("[[{title}]]");
        let mut sections = Vec::new();
        for entry in array {
            if let DeValue::Table(table) = entry.get_ref() {
                sections.push(Section::open(found, table, entry.span(), &title, keys));
            } else {
                found.add_with_help(entry.span(), format!("`{key}` holds tables only"), format!("begin each with {title}"));
            }
        }
        sections
    }
}

impl<'d> Field<'d> {
    fn of(key: &'d Spanned<std::borrow::Cow<'d, str>>, value: &'d Spanned<DeValue<'d>>) -> Self {
        Self { key: key.get_ref(), key_span: key.span(), value: value.get_ref(), span: value.span() }
    }

    /// The entries of a table whose keys are the writer's own.
    pub(super) fn entries(&self, found: &mut Findings<'_>) -> Vec<Field<'d>> {
        self.table(found).map(|table| entries(table).collect()).unwrap_or_default()
    }

    /// Its value as a table.
    pub(super) fn table(&self, found: &mut Findings<'_>) -> Option<&'d DeTable<'d>> {
        if let DeValue::Table(table) = self.value {
            return Some(table);
        }
        found.add_with_help(
            self.span.clone(),
            format!("`{}` must be a table", shown(self.key)),
            format!("write [{}] on a line of its own", shown(self.key)),
        );
        None
    }
}

fn entries<'d>(table: &'d DeTable<'d>) -> impl Iterator<Item = Field<'d>> + use<'d> {
    table.iter().map(|(key, value)| Field::of(key, value))
}

/// A text from the file, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() > 60 { plain.take(60).chain(['…']).collect() } else { plain.collect() }
}
