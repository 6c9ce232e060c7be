//! Ids of a list: each once.

use std::collections::BTreeMap;

use super::errors::Findings;
use super::section::{Field, Section, shown};

/// The ids met so far in one list.
#[derive(Default)]
pub(super) struct Ids<'d>(BTreeMap<&'d str, usize>);

impl<'d> Ids<'d> {
    /// The id of a list's entry; empty where it is missing or wrong, which was reported.
    pub(super) fn of(&mut self, found: &mut Findings<'_>, section: &Section<'d>) -> String {
        section.field("id").and_then(|field| self.take(found, &field)).unwrap_or_default()
    }

    /// Takes a field's value as an id that nobody else in the list has.
    pub(super) fn take(&mut self, found: &mut Findings<'_>, field: &Field<'d>) -> Option<String> {
        let id = field.id(found)?;
        if let Some(&first) = self.0.get(id) {
            found.add_with_help(
                field.span.clone(),
                format!("`{}`: {:?} is used twice in this list", field.key, shown(id)),
                format!("it stands in line {} too; choose another", found.line_of(first)),
            );
            return None;
        }
        self.0.insert(id, field.span.start);
        Some(id.into())
    }
}
