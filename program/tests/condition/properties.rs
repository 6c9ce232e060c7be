//! Conditions against a plain evaluator, and against any text.

use std::collections::BTreeMap;

use program::condition::{Condition, Fact, Scope, Truth, Value};
use program::exact::Exact;
use proptest::prelude::*;

use crate::facts::{Table, metric, metrics, parsed};

/// A condition as a tree, with a plain evaluator to compare with.
#[derive(Debug, Clone)]
enum Tree {
    Bool(bool),
    Flag(usize),
    Number(usize, &'static str, i64, u32),
    Text(usize, bool, usize),
    Among(usize, Vec<usize>),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

const FLAGS: [&str; 3] = ["new_logo", "registered", "strategic"];
const NUMBERS: [&str; 3] = ["amount", "csat", "nps"];
const TEXTS: [&str; 3] = ["tier", "product", "region"];
const WORDS: [&str; 3] = ["gold", "", "a \"quoted\" \\ word"];

impl Tree {
    /// With parentheses everywhere, so that the text says the same whatever binds tighter.
    fn written(&self) -> String {
        let quoted = |word: &usize| format!("\"{}\"", WORDS[*word].replace('\\', "\\\\").replace('"', "\\\""));
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Flag(fact) => FLAGS[*fact].to_owned(),
            Self::Number(fact, sign, mantissa, scale) => format!("{} {sign} {}", NUMBERS[*fact], exact(*mantissa, *scale)),
            Self::Text(fact, equal, word) => format!("{} {} {}", TEXTS[*fact], if *equal { "==" } else { "!=" }, quoted(word)),
            Self::Among(fact, words) => format!("{} in [{}]", TEXTS[*fact], words.iter().map(quoted).collect::<Vec<_>>().join(", ")),
            Self::Not(inner) => format!("not ({})", inner.written()),
            Self::And(left, right) => format!("({}) and ({})", left.written(), right.written()),
            Self::Or(left, right) => format!("({}) or ({})", left.written(), right.written()),
        }
    }

    fn truth(&self, facts: &Known) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Flag(fact) => facts.flags[*fact],
            Self::Number(fact, sign, mantissa, scale) => facts.numbers[*fact].map(|(m, s)| {
                let left = i128::from(m) * 10_i128.pow(*scale);
                let right = i128::from(*mantissa) * 10_i128.pow(s);
                match *sign {
                    "<" => left < right,
                    "<=" => left <= right,
                    ">" => left > right,
                    ">=" => left >= right,
                    "==" => left == right,
                    _ => left != right,
                }
            }),
            Self::Text(fact, equal, word) => facts.texts[*fact].map(|known| (known == *word) == *equal),
            Self::Among(fact, words) => facts.texts[*fact].map(|known| words.contains(&known)),
            Self::Not(inner) => inner.truth(facts).map(|truth| !truth),
            Self::And(left, right) => match (left.truth(facts), right.truth(facts)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.truth(facts), right.truth(facts)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn exact(mantissa: i64, scale: u32) -> Exact {
    Exact::new(mantissa.into(), scale).unwrap()
}

#[derive(Debug, Clone)]
struct Known {
    flags: [Option<bool>; 3],
    numbers: [Option<(i64, u32)>; 3],
    texts: [Option<usize>; 3],
}

impl Known {
    fn table(&self) -> Table {
        let mut values = BTreeMap::new();
        for (fact, value) in [Fact::NewLogo, Fact::Registered, metric("strategic")].into_iter().zip(self.flags) {
            values.extend(value.map(|value| (fact, Value::Bool(value))));
        }
        for (fact, value) in [Fact::Amount, metric("csat"), metric("nps")].into_iter().zip(self.numbers) {
            values.extend(value.map(|(mantissa, scale)| (fact, Value::Number(exact(mantissa, scale)))));
        }
        for (fact, value) in [Fact::Tier, Fact::Product, metric("region")].into_iter().zip(self.texts) {
            values.extend(value.map(|word| (fact, Value::Text(WORDS[word].into()))));
        }
        Table { values, ..Table::default() }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let sign = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Tree::Bool),
        (0_usize..3).prop_map(Tree::Flag),
        (0_usize..3, sign, -20_i64..20, 0_u32..3).prop_map(|(fact, sign, mantissa, scale)| Tree::Number(fact, sign, mantissa, scale)),
        (0_usize..3, any::<bool>(), 0_usize..3).prop_map(|(fact, equal, word)| Tree::Text(fact, equal, word)),
        (0_usize..3, prop::collection::vec(0_usize..3, 1..3)).prop_map(|(fact, words)| Tree::Among(fact, words)),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Tree::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| Tree::Or(Box::new(left), Box::new(right))),
        ]
    })
}

fn knowns() -> impl Strategy<Value = Known> {
    let numbers = prop::array::uniform3(prop::option::of((-20_i64..20, 0_u32..3)));
    let texts = prop::array::uniform3(prop::option::of(0_usize..3));
    (prop::array::uniform3(any::<Option<bool>>()), numbers, texts).prop_map(|(flags, numbers, texts)| Known { flags, numbers, texts })
}

/// The pieces of the language in any order.
fn jumble() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "and", "or", "not", "(", ")", "[", "]", ",", "<", "<=", "==", "!=", "=", "in", "true", "amount", "tier", "new_logo", "score", "x(", "\"",
        "\\", "\"a\"", "5", "1_0k", "80%", "-", ".", " ", "\n", "é", "\u{0}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn evaluation_equals_a_plain_reading(tree in trees(), known in knowns()) {
        let facts = known.table();
        let condition = parsed(&tree.written());
        let expected = tree.truth(&known).map_or(Truth::Unknown, Truth::from);
        prop_assert_eq!(condition.evaluate(&facts).unwrap(), expected, "{}", tree.written());
        prop_assert_eq!(condition.decided_by(&facts).unwrap().0, expected);
        prop_assert_eq!(condition.holds(&facts).unwrap(), expected == Truth::True);
    }

    #[test]
    fn any_text_is_compiled_or_refused(text in any::<String>()) {
        let _ = Condition::parse(&text, Scope::When, &metrics());
    }

    #[test]
    fn any_bytes_are_compiled_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Condition::parse(&String::from_utf8_lossy(&bytes), Scope::Requires, &metrics());
    }

    #[test]
    fn a_jumble_is_compiled_or_refused_within_its_text(text in jumble()) {
        if let Err(error) = Condition::parse(&text, Scope::When, &metrics()) {
            prop_assert!(error.offset + error.length <= text.len(), "{:?}", error);
            prop_assert!(text.is_char_boundary(error.offset) && text.is_char_boundary(error.offset + error.length), "{:?}", error);
        }
    }

    #[test]
    fn numbers_keep_every_digit(mantissa in 0..10_i128.pow(30), scale in 0_u32..20) {
        let number = Exact::new(mantissa, scale).unwrap();
        let more = Exact::new(mantissa + 1, scale).unwrap();
        let facts = Table::of([(Fact::Amount, Value::Number(number))]);
        let holds = |source: String| parsed(&source).holds(&facts).unwrap();
        let (equal, less) = (holds(format!("amount == {number}")), holds(format!("amount < {more}")));
        prop_assert!(equal && less);
    }
}
