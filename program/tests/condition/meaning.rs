//! What conditions mean, and where wrong ones fail.

use program::condition::{Condition, Fact, FactError, Scope, Truth};

use crate::facts::{Table, metric, metrics, number, parsed, refused, text, world};

#[test]
fn conditions_mean_what_they_say() {
    use Truth::{False, True, Unknown};
    let facts = world();
    for (source, truth) in [
        ("true", True),
        ("false", False),
        ("new_logo", True),
        ("registered", False),
        ("not registered", True),
        ("new_logo and contract_value > 100k", True),
        ("contract_value >= 150_000", True),
        ("contract_value > 0.15M", False),
        ("100k < contract_value", True),
        ("amount == 100.50", True),
        ("amount != 100.5", False),
        ("amount <= contract_value", True),
        ("tier in [\"gold\", \"platinum\"]", True),
        ("tier in [\"silver\",]", False),
        ("amount in [1, 100.5]", True),
        ("not tier == \"gold\"", False),
        ("motion == \"\"", True),
        ("product != \"E5\"", False),
        ("\"E5\" == product", True),
        ("new_logo == true", True),
        ("registered != true", True),
        ("1 < 2", True),
        ("80% == 0.8", True),
        ("-5 < 0", True),
        ("csat >= 4 or nps > 0", True),
        ("nps > 0", Unknown),
        ("not (nps > 0)", Unknown),
        ("nps in [1]", Unknown),
        ("strategic", Unknown),
        ("region == \"\"", Unknown),
        ("nps > 0 and registered", False),
        ("nps > 0 or new_logo", True),
        ("nps > 0 and new_logo", Unknown),
        ("nps > nps", Unknown),
        // `not` binds tighter than `and`, `and` tighter than `or`.
        ("true or false and false", True),
        ("(true or false) and false", False),
        ("not false and false", False),
        ("not (false and false)", True),
        ("not\tnot\n( new_logo )", True),
        ("not(true)or(true)", True),
    ] {
        let condition = parsed(source);
        assert_eq!(condition.evaluate(&facts).unwrap(), truth, "{source}");
        assert_eq!(condition.holds(&facts).unwrap(), truth == True, "{source}");
        assert_eq!(condition.decided_by(&facts).unwrap().0, truth, "{source}");
    }
}

#[test]
fn three_values_combine_as_kleene_says() {
    use Truth::{False, True, Unknown};
    let facts = Table::default();
    let written = |truth| match truth {
        True => "true",
        False => "false",
        Unknown => "nps > 0",
    };
    let table = [
        (True, True, True, True),
        (True, False, False, True),
        (True, Unknown, Unknown, True),
        (False, True, False, True),
        (False, False, False, False),
        (False, Unknown, False, Unknown),
        (Unknown, True, Unknown, True),
        (Unknown, False, False, Unknown),
        (Unknown, Unknown, Unknown, Unknown),
    ];
    for (left, right, and, or) in table {
        let truth = |source: String| parsed(&source).evaluate(&facts).unwrap();
        assert_eq!(truth(format!("{} and {}", written(left), written(right))), and);
        assert_eq!(truth(format!("{} or {}", written(left), written(right))), or);
    }
    for (inner, not) in [(True, False), (False, True), (Unknown, Unknown)] {
        assert_eq!(parsed(&format!("not ({})", written(inner))).evaluate(&facts).unwrap(), not);
    }
}

#[test]
fn what_can_not_decide_is_not_asked() {
    for (source, asked) in [
        ("false and amount > 1", vec![]),
        ("true or amount > 1", vec![]),
        ("registered and amount > 1", vec![Fact::Registered]),
        ("new_logo or amount > 1", vec![Fact::NewLogo]),
        ("nps > 1 and amount > 1", vec![metric("nps"), Fact::Amount]),
        ("not (registered and amount > 1) and new_logo", vec![Fact::Registered, Fact::NewLogo]),
        ("nps > contract_value", vec![metric("nps")]),
    ] {
        let facts = world();
        parsed(source).evaluate(&facts).unwrap();
        assert_eq!(*facts.asked.borrow(), asked, "{source}");
    }
    let mut facts = world();
    facts.fails_for = Some(Fact::ContractValue);
    assert!(!parsed("registered and contract_value > 5").holds(&facts).unwrap());
    assert_eq!(parsed("new_logo and contract_value > 5").holds(&facts), Err(FactError::Overflow));
}

#[test]
fn a_stored_value_of_another_type_is_an_error_of_data() {
    let facts = Table::of([(metric("csat"), text("high")), (metric("strategic"), number("1"))]);
    for (source, named) in [("csat > 4", "csat"), ("strategic", "strategic"), ("csat in [4]", "csat")] {
        let error = parsed(source).holds(&facts).unwrap_err();
        assert!(matches!(&error, FactError::Data(text) if text.contains(named)), "{source}: {error}");
    }
}

#[test]
fn a_missing_rate_names_the_pair_and_the_date() {
    let on = "2026-04-20".parse().unwrap();
    let error = FactError::MissingRate { from: "EUR".parse().unwrap(), to: "USD".parse().unwrap(), on };
    assert_eq!(error.to_string(), "no exchange rate from EUR to USD within the 7 days up to 2026-04-20; import one with `import fx`");
}

#[test]
fn what_decided_is_told() {
    let (truth, decided) = parsed("nps > 10 or new_logo and tier != \"gold\" or contract_value > amount").decided_by(&world()).unwrap();
    assert_eq!(truth, Truth::True);
    let told: Vec<(&str, &str, Option<&str>, Truth)> =
        decided.iter().map(|d| (d.comparison.as_str(), d.fact.as_str(), d.value.as_deref(), d.truth)).collect();
    assert_eq!(
        told,
        [
            ("nps > 10", "nps", None, Truth::Unknown),
            ("new_logo", "new_logo", Some("true"), Truth::True),
            ("tier != \"gold\"", "tier", Some("\"gold\""), Truth::False),
            ("contract_value > amount", "contract_value", Some("150000"), Truth::True),
            ("contract_value > amount", "amount", Some("100.5"), Truth::True),
        ]
    );
}

#[test]
fn a_condition_knows_its_facts() {
    let condition = parsed("amount > 5 and (new_logo or csat > amount) and tier in [\"gold\"]");
    let named: Vec<&str> = condition.facts().map(Fact::name).collect();
    assert_eq!(named, ["amount", "new_logo", "tier", "csat"]);
    assert!(condition.names(&metric("csat")) && !condition.names(&Fact::ContractValue));
    assert_eq!(condition.source(), "amount > 5 and (new_logo or csat > amount) and tier in [\"gold\"]");
}

#[test]
fn errors_show_their_place() {
    for (source, place, message, help) in [
        ("", "", "the condition is empty", "leave it out"),
        ("   ", "   ", "the condition is empty", ""),
        ("contract_vlaue > 5", "contract_vlaue", "unknown fact `contract_vlaue`", "`contract_value`"),
        ("new_logo and zebra", "zebra", "unknown fact `zebra`", "[metrics]"),
        ("Amount > 5", "Amount", "unknown fact", "`amount`"),
        ("new_logo AND registered", "AND", "expected `and`, `or` or the end", ""),
        ("score > 5", "score", "`score` is reserved for a later release; it is not available yet", ""),
        ("family == \"x\"", "family", "reserved", ""),
        ("holds(\"x\")", "holds", "the form holds(…) is reserved", ""),
        ("badge (\"x\")", "badge", "the form badge(…) is reserved", ""),
        ("active_deals > 1", "active_deals", "`active_deals` is known in reviews only", "`requires`"),
        ("certified_reps > 1", "certified_reps", "known in reviews only", ""),
        ("amount", "amount", "`amount` is a number, not a condition", "compare it"),
        ("tier", "tier", "`tier` is text, not a condition", ""),
        ("\"gold\"", "\"gold\"", "is text, not a condition", ""),
        ("amount > \"5\"", "\"5\"", "`amount` is a number and can't be compared with `\"5\"`, text", ""),
        ("new_logo == 1", "1", "`new_logo` is true or false and can't be compared with `1`, a number", ""),
        ("tier > \"gold\"", ">", "text has no order", "==, != or in"),
        ("new_logo < true", "<", "true and false have no order", ""),
        ("new_logo in [true]", "new_logo", "can't be looked up in a list", ""),
        ("tier in []", "[]", "the list is empty", ""),
        ("tier in [\"a\", 1]", "1", "`1` is a number, but `tier` is text", ""),
        ("tier in [product]", "product", "a list holds fixed values only", ""),
        ("tier in \"gold\"", "\"", "expected a list in brackets", ""),
        ("tier in (\"gold\")", "(", "expected a list in brackets", "brackets"),
        ("tier in [\"gold\"", "[", "this `[` is never closed", ""),
        ("tier in [\"gold\" \"silver\"]", "\"", "expected `,` or `]`", ""),
        ("(new_logo", "(", "this `(` is never closed", ""),
        ("new_logo)", ")", "expected `and`, `or` or the end", "has no `(`"),
        ("(amount) > 5", "amount", "is a number, not a condition", ""),
        ("(new_logo) == true", "==", "what stands in parentheses can't be compared", ""),
        ("1 < amount < 5", "<", "comparisons can't be chained", ""),
        ("amount = 5", "=", "found `=`", "`==`"),
        ("amount > ", "", "but the condition ends here", ""),
        ("amount > and", "and", "expected a fact or a value before `and`", ""),
        ("and new_logo", "and", "expected a fact or a value", ""),
        ("new_logo and", "", "but the condition ends here", ""),
        ("new_logo && registered", "&", "expected `and`", "write `and`"),
        ("new_logo || registered", "|", "expected `and`", "write `or`"),
        ("!new_logo", "!", "expected a fact", "`not`"),
        ("amount + 5 > 1", "+", "expected", "don't compute"),
        ("tier == 'gold'", "'", "expected a fact", "double quotes"),
        ("tier == \"gold", "\"", "this text is never closed", ""),
        ("tier == \"a\\n\"", "\\", "this escape is not known", ""),
        ("amount > 5kg", "5kg", "unknown suffix", "k (thousand)"),
        ("amount > 1__0", "1__0", "is not a number", ""),
        ("amount > 1e5", "1e5", "unknown suffix", ""),
        ("amount > 99999999999999999999999999999999999999999999", "99999999999999999999999999999999999999999999", "too many digits", ""),
        ("amount > 5é", "5é", "unknown suffix", ""),
        ("größe > 1", "größe", "unknown fact `größe`", ""),
        ("🦀 > 1", "🦀", "expected a fact", ""),
    ] {
        let error = refused(source);
        assert_eq!(source.get(error.offset..error.offset + error.length), Some(place), "{source}: {error:?}");
        assert!(error.message.contains(message), "{source}: {error:?}");
        assert!(error.help.as_deref().unwrap_or_default().contains(help), "{source}: {error:?}");
    }
}

#[test]
fn reviews_have_facts_of_their_own() {
    let review = |source| Condition::parse(source, Scope::Requires, &metrics());
    for source in ["active_deals >= 3 and csat >= 4", "certified_reps > 1", "tier == \"gold\"", "monthly_referred_revenue > 5k", "country != \"DE\""]
    {
        assert!(review(source).is_ok(), "{source}");
    }
    for fact in ["amount", "product", "invoice_amount", "currency", "payment_method", "contract_value", "new_logo", "registered", "motion", "role"] {
        let error = review(fact).unwrap_err();
        assert!(error.message.contains("is not known in reviews"), "{fact}: {error}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parsed(&nested(64)).holds(&Table::default()).unwrap());
    assert!(refused(&nested(65)).message.contains("nested deeper than 64"));
    assert!(refused(&"not ".repeat(2_000)).message.contains("nested deeper than 64"));
    assert!(refused(&"(".repeat(10_000)).message.contains("nested deeper than 64"));
    // The place is where it goes one level too deep, whatever stands before it.
    for (text, offset) in [(nested(65), 65), (format!("csat > 4 and {}", nested(65)), 78), (format!("{}true", "not ".repeat(65)), 259)] {
        let error = refused(&text);
        assert_eq!((error.offset, error.length), (offset, 0), "{text}");
        assert_eq!(error.help.as_deref(), Some("write it with fewer levels"));
    }
    let chain = vec!["true"; 1_000].join(" and ");
    assert!(parsed(&chain).holds(&Table::default()).unwrap(), "chains are flat");
    assert!(refused(&" ".repeat(10_001)).message.contains("at most 10000"));
}
