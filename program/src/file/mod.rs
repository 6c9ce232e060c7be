//! Programme files: read, checked, compiled; everything that is wrong is told at once, each thing at its place (interface.md §1).

mod changes;
mod choices;
mod conditions;
mod errors;
mod header;
mod ids;
mod rules;
mod schedule;
mod section;
mod terms;
mod tiers;
mod values;

pub use changes::{Change, NotASuccessor, check_successor, differences};
pub use errors::{FileError, FileErrors};
pub use values::{RATE_MAX, seconds};

use toml::de::DeTable;

use self::errors::Findings;
use self::rules::Declared;
use self::section::{Keys, Section, shown};
use crate::programme::Programme;

/// The longest file that is read.
pub const LENGTH_LIMIT_BYTES: usize = 1 << 20;

/// The schema that this version reads.
const SCHEMA: u32 = 1;

const KEYS: Keys = Keys {
    required: &["program", "tiers", "settlement"],
    optional: &["schema", "rules", "rates", "roles", "metrics", "rankings", "hierarchy", "coop", "recertification", "mdf"],
};

/// Reads and checks a programme file; `source_name` is what errors call it.
///
/// # Errors
/// [`FileErrors`] with everything that is wrong, each with its line, column and, for a misspelt name, the nearest known one.
///
/// # Source
/// interface.md §1.
pub fn load(source_name: &str, text: &str) -> Result<Programme, FileErrors> {
    let mut found = Findings::of(text);
    match read(&mut found, text) {
        Some(programme) if found.is_empty() => Ok(programme),
        _ => Err(found.into_errors(source_name)),
    }
}

fn read(found: &mut Findings<'_>, text: &str) -> Option<Programme> {
    if text.len() > LENGTH_LIMIT_BYTES {
        found.add(0..0, format!("the file has {} bytes; at most {LENGTH_LIMIT_BYTES} are read", text.len()));
        return None;
    }
    let (table, faults) = DeTable::parse_recoverable(text);
    // What can't be read as TOML leaves holes that would only look like further errors.
    if !faults.is_empty() {
        for fault in faults {
            let span = fault.span().unwrap_or_else(|| deepest_line(text));
            if NESTED_TOO_DEEPLY.contains(&fault.message()) {
                found.add_with_help(span, "this is nested too deeply to be read", "a programme file has no more than a few levels");
                continue;
            }
            let meant = text.get(span.clone()).filter(|_| fault.message() == "duplicate key").map(|key| format!(" `{}`", shown(key)));
            found.add_with_help(span, format!("not valid TOML: {}{}", fault.message(), meant.unwrap_or_default()), "see toml.io for the format");
        }
        return None;
    }
    let root = Section::open(found, table.get_ref(), 0..0, "the file", &KEYS);
    programme(found, &root)
}

/// What the parser says of keys and of values that it does not follow any deeper.
const NESTED_TOO_DEEPLY: [&str; 2] = ["recursion limit", "cannot recurse further; max recursion depth met"];

/// The line that nests deepest: the parser names no place for what is nested too deeply.
fn deepest_line(text: &str) -> std::ops::Range<usize> {
    let mut start = 0;
    let mut deepest = (0, 0..0);
    for line in text.split_inclusive('\n') {
        let depth = line.bytes().filter(|byte| matches!(byte, b'.' | b'[' | b'{')).count();
        if depth > deepest.0 {
            deepest = (depth, start..start + line.trim_end().len());
        }
        start += line.len();
    }
    deepest.1
}

/// Reads every section, whatever is wrong with others; only a programme without findings counts.
fn programme(found: &mut Findings<'_>, root: &Section<'_>) -> Option<Programme> {
    if let Some(field) = root.field("schema") {
        field.count(found, SCHEMA..=SCHEMA);
    }
    let header = header::header(found, root);
    let (roles, metrics) = (header::roles(found, root), header::metrics(found, root));
    let tiers = tiers::tiers(found, root, header.currency, &metrics);
    let declared = Declared { currency: header.currency, tiers: &tiers, roles: &roles, metrics: &metrics };
    let (paying_rules, rates, rankings) = (rules::rules(found, root, &declared), rules::rates(found, root, &declared), rules::rankings(found, root));
    let (hierarchy, coop) = (terms::hierarchy(found, root), terms::coop(found, root));
    let settlement = terms::settlement(found, root, header.currency);
    let (recertification, mdf) = (terms::recertification(found, root), terms::mdf(found, root, header.currency));
    Some(Programme {
        id: header.id,
        name: header.name,
        currency: header.currency?,
        timezone: header.timezone?,
        rounding: header.rounding,
        tiers,
        rules: paying_rules,
        rates,
        roles,
        metrics,
        rankings,
        hierarchy,
        coop,
        settlement: settlement?,
        recertification,
        mdf,
    })
}
