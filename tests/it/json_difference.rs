//! Where two JSON documents first differ, in words that a person can act on.

use serde_json::Value;

/// The fields that name an element of a list to its reader.
const NAMES: [&str; 13] =
    ["partner", "period", "currency", "earned_on", "source", "source_id", "item", "level", "component", "rule", "from_partner", "role", "part"];

/// The place and the two values of the first difference; `None` if there is none. Key order means nothing.
pub(crate) fn first_difference(expected: &Value, actual: &Value) -> Option<String> {
    difference("$", expected, actual)
}

fn difference(place: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Array(left), Value::Array(right)) => in_lists(place, left, right),
        (Value::Object(left), Value::Object(right)) => {
            let missing = left.keys().find(|key| !right.contains_key(*key)).map(|key| format!("{place}.{key} is missing"));
            let beyond = || right.keys().find(|key| !left.contains_key(*key)).map(|key| format!("{place}.{key} is not expected"));
            let inside = || left.iter().find_map(|(key, value)| difference(&format!("{place}.{key}"), value, right.get(key)?));
            missing.or_else(beyond).or_else(inside)
        }
        _ if expected == actual => None,
        _ => Some(format!("{place}: expected {expected}, got {actual}")),
    }
}

fn in_lists(place: &str, expected: &[Value], actual: &[Value]) -> Option<String> {
    let differing = expected.iter().zip(actual).enumerate().find_map(|(index, (left, right))| {
        let inside = difference(&format!("{place}[{index}]{}", name(left)), left, right)?;
        let leaf = left.as_object().is_some_and(|fields| fields.values().all(|value| !value.is_array() && !value.is_object()));
        Some(if leaf { format!("{inside}\n  expected {left}\n  got      {right}") } else { inside })
    });
    let lengths = (expected.len() != actual.len()).then(|| format!("{place} has {} elements, expected {}", actual.len(), expected.len()));
    let beyond = || {
        let common = expected.len().min(actual.len());
        let missing = expected.get(common).map(|element| format!("first missing: {element}"));
        missing.or_else(|| actual.get(common).map(|element| format!("first not expected: {element}")))
    };
    match (lengths, differing) {
        (None, differing) => differing,
        (Some(lengths), Some(differing)) => Some(format!("{differing}\n  {lengths}")),
        (Some(lengths), None) => Some(format!("{lengths}\n  {}", beyond().unwrap_or_default())),
    }
}

fn name(element: &Value) -> String {
    let parts: Vec<String> = NAMES
        .iter()
        .filter_map(|field| element.get(field))
        .filter(|value| !value.is_null())
        .map(|value| value.to_string().replace('"', ""))
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(" ")) }
}

#[test]
fn the_first_difference_names_its_settlement_line_and_field() {
    let line = |amount: &str| serde_json::json!({"source_id": "INV-1", "component": "base", "amount": amount});
    let document = |amount: &str| serde_json::json!({"settlements": [{"partner": "acme", "lines": [line(amount)]}]});
    assert_eq!(first_difference(&document("1.00"), &document("1.00")), None);
    let found = first_difference(&document("1.00"), &document("2.00")).expect("they differ");
    assert!(found.starts_with("$.settlements[0] (acme).lines[0] (INV-1 base).amount: expected \"1.00\", got \"2.00\""), "{found}");
    let shorter = serde_json::json!({"settlements": []});
    assert!(first_difference(&shorter, &document("1.00")).is_some_and(|found| found.contains("1 elements, expected 0")));
}
