//! Settlement JSON as a reader sees it: one settlement of a document, and a line of it as one line of text.

use serde_json::Value;

/// The settlement of a partner and period in what `settle --json` printed.
pub(crate) fn settlement<'a>(document: &'a Value, partner: &str, period: &str) -> &'a Value {
    let all = document["settlements"].as_array().expect("settlements are a list");
    let found: Vec<&Value> = all.iter().filter(|one| one["partner"] == partner && one["period"] == period).collect();
    assert_eq!(found.len(), 1, "{partner} has one settlement of {period}, not {} of {} printed", found.len(), all.len());
    found[0]
}

/// The partners that have a settlement of a period.
pub(crate) fn partners_of(document: &Value, period: &str) -> Vec<String> {
    let all = document["settlements"].as_array().expect("settlements are a list");
    all.iter().filter(|one| one["period"] == period).map(|one| text(&one["partner"])).collect()
}

/// Every line of a settlement as text: who earned what, from what, by which rule, and the sum.
///
/// `DAY SOURCE:ID INVOICE/ITEM FROM:ROLE^LEVEL COMPONENT BY TIER BASE x RATE x SHARE = AMOUNT`, where BY is the rule or the rate's
/// source and `-` stands for null; then what only some lines have: `fund:`, `late:`, `corrects:`, `part:`.
pub(crate) fn lines(settlement: &Value) -> Vec<String> {
    settlement["lines"].as_array().expect("lines are a list").iter().map(line).collect()
}

/// The totals in the order of the documentation: referred revenue, opening balance, cash lines, net, payout, carried forward, co-op.
pub(crate) fn totals(settlement: &Value) -> [String; 7] {
    ["referred_revenue", "opening_balance", "cash_lines", "net", "cash_payout", "carried_forward", "coop_credit"]
        .map(|field| text(&settlement["totals"][field]))
}

fn line(line: &Value) -> String {
    let field = |name: &str| text(&line[name]);
    let by = if line["rule"].is_null() { field("rate_source") } else { field("rule") };
    let mut printed = format!(
        "{} {}:{} {}/{} {}:{}^{} {} {by} {} {} x {} x {} = {}",
        field("earned_on"),
        field("source"),
        field("source_id"),
        field("invoice"),
        field("item"),
        field("from_partner"),
        field("role"),
        field("level"),
        field("component"),
        field("tier"),
        field("base"),
        field("rate"),
        field("share"),
        field("amount"),
    );
    for (name, label) in [("fund", "fund"), ("late_from", "late"), ("corrects", "corrects")] {
        if !line[name].is_null() {
            printed.extend([" ", label, ":", &field(name)]);
        }
    }
    if line["part"] != 0 {
        printed.extend([" part:", &field("part")]);
    }
    printed
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Fails with both texts if a settlement's lines or totals are not these.
pub(crate) fn assert_settlement(document: &Value, partner: &str, period: &str, expected_lines: &[&str], expected_totals: [&str; 7]) {
    let found = settlement(document, partner, period);
    let printed = lines(found);
    assert!(printed == expected_lines, "{partner} {period}\nexpected\n  {}\ngot\n  {}", expected_lines.join("\n  "), printed.join("\n  "));
    assert_eq!(totals(found), expected_totals, "totals of {partner} {period}");
}

/// An amount's count of minor units; every amount of a settlement has the same number of decimals.
fn minor(amount: &Value) -> i64 {
    text(amount).replace('.', "").parse().unwrap_or_else(|error| panic!("{amount} is an amount: {error}"))
}

/// Fails unless the totals are the sums of the lines and of each other.
pub(crate) fn assert_totals_equal_lines(settlement: &Value) {
    let all = settlement["lines"].as_array().expect("lines are a list");
    let sum = |of_wallet: bool| all.iter().filter(|line| line["fund"].is_null() != of_wallet).map(|line| minor(&line["amount"])).sum::<i64>();
    let total = |name: &str| minor(&settlement["totals"][name]);
    let who = format!("{} {} {}", settlement["partner"], settlement["period"], settlement["currency"]);
    assert_eq!(total("cash_lines"), sum(false), "cash lines of {who}");
    assert_eq!(total("coop_credit"), sum(true), "co-op credit of {who}");
    assert_eq!(total("net"), total("opening_balance") + total("cash_lines"), "net of {who}");
    assert_eq!(total("net"), total("cash_payout") + total("carried_forward"), "payout and carried balance of {who}");
}

/// Fails unless each member's opening balance is what its settlement before carried forward. The document holds all periods in order.
pub(crate) fn assert_balances_continue(document: &Value) {
    let mut carried: std::collections::BTreeMap<(String, String), String> = std::collections::BTreeMap::new();
    for one in document["settlements"].as_array().expect("settlements are a list") {
        let key = (text(&one["partner"]), text(&one["currency"]));
        let before = carried.insert(key, text(&one["totals"]["carried_forward"])).unwrap_or_else(|| "0.00".to_owned());
        assert_eq!(text(&one["totals"]["opening_balance"]), before, "opening balance of {} {}", one["partner"], one["period"]);
    }
}
