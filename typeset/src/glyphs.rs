//! Finds the characters that no font could print.

use std::collections::BTreeMap;

use typst::layout::{Frame, FrameItem};
use typst::text::TextItem;
use typst_layout::PagedDocument;

/// At most this many different characters are listed.
pub const MISSING_MAX: usize = 64;

const CONTEXT_CHARS_MAX: usize = 40;

/// A character that no font has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingGlyph {
    /// The character.
    pub character: char,
    /// The page on which it first stands, from 1.
    pub page: usize,
    /// The text in which it first stands, shortened.
    pub text: String,
}

/// The characters of a laid-out document whose glyph is `.notdef`, by code point.
pub(crate) fn missing(document: &PagedDocument) -> Vec<MissingGlyph> {
    let mut found = BTreeMap::new();
    for (page, number) in document.pages().iter().zip(1..) {
        look_into(&page.frame, number, &mut found);
    }
    found.into_values().collect()
}

fn look_into(frame: &Frame, page: usize, found: &mut BTreeMap<char, MissingGlyph>) {
    for (_, item) in frame.items() {
        match item {
            FrameItem::Group(group) => look_into(&group.frame, page, found),
            FrameItem::Text(text) => look_at(text, page, found),
            FrameItem::Shape(..) | FrameItem::Image(..) | FrameItem::Link(..) | FrameItem::Tag(_) => {}
        }
    }
}

fn look_at(item: &TextItem, page: usize, found: &mut BTreeMap<char, MissingGlyph>) {
    for glyph in item.glyphs.iter().filter(|glyph| glyph.id == 0) {
        let cluster = item.text.get(glyph.range()).unwrap_or_default();
        for character in cluster.chars().filter(|&character| !only_selects(character)) {
            if found.len() < MISSING_MAX || found.contains_key(&character) {
                let text = item.text.chars().take(CONTEXT_CHARS_MAX).collect();
                found.entry(character).or_insert(MissingGlyph { character, page, text });
            }
        }
    }
}

/// Joiners and variation selectors stand in the cluster of the character that is missing and print nothing themselves.
fn only_selects(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}
