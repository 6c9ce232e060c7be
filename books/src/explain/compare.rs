//! What was posted beside what comes out now: nothing but equal lines is the same (reliability.md §3.19).

use std::collections::{BTreeMap, BTreeSet};

use program::settlement::line_json;

use super::evidence::Posted;
use super::model::Difference;

type Key = (String, String, String, String, String, String, String, String, u32, u32);

/// What makes a line unique in its programme (domain.md §2.7).
fn key(posted: &Posted) -> Key {
    let line = &posted.line;
    let or_empty = |text: &Option<program::line::Text>| text.as_deref().unwrap_or("").to_owned();
    (
        line.source.name().to_owned(),
        line.source_id.to_string(),
        or_empty(&line.item),
        line.from_partner.to_string(),
        or_empty(&line.role),
        line.component.name().to_owned(),
        or_empty(&line.rule),
        line.payee.to_string(),
        line.level,
        line.part,
    )
}

/// Whether two lines have the same key.
pub(super) fn same_key(one: &Posted, other: &Posted) -> bool {
    key(one) == key(other)
}

/// A line with what is stored beside it.
fn json(posted: &Posted) -> serde_json::Value {
    let line = &posted.line;
    let mut json = line_json(line);
    if let Some(fields) = json.as_object_mut() {
        let text = |minor| line.currency.format_minor(minor);
        fields.insert("payee".into(), (&*line.payee).into());
        fields.insert("period".into(), posted.period.to_string().into());
        fields.insert("version".into(), line.version.into());
        fields.insert("uncut".into(), line.uncut_minor.map(text).into());
        fields.insert("referred_amount".into(), text(line.referred_minor).into());
    }
    json
}

/// The lines that are not the same on both sides.
pub(super) fn differences(posted: &[Posted], recomputed: &[Posted]) -> Vec<Difference> {
    let posted: BTreeMap<Key, &Posted> = posted.iter().map(|line| (key(line), line)).collect();
    let recomputed: BTreeMap<Key, &Posted> = recomputed.iter().map(|line| (key(line), line)).collect();
    let keys: BTreeSet<&Key> = posted.keys().chain(recomputed.keys()).collect();
    let mut differences = Vec::new();
    for key in keys {
        let (there, here) = (posted.get(key), recomputed.get(key));
        if there == here {
            continue;
        }
        let (source, source_id, item, from, _, component, rule, payee, level, _) = key;
        let of_item = if item.is_empty() { String::new() } else { format!(" item {item}") };
        let by_rule = if rule.is_empty() { String::new() } else { format!(" by {rule}") };
        let what = match (there, here) {
            (Some(_), None) => "is posted, and does not come out again",
            (None, Some(_)) => "comes out, and is not posted",
            _ => "is posted otherwise than it comes out again",
        };
        let what = format!("{source} {source_id}{of_item}: {component}{by_rule} of {payee} (level {level}, from {from}) {what}");
        differences.push(Difference { what, posted: there.map(|line| json(line)), recomputed: here.map(|line| json(line)) });
    }
    differences
}
